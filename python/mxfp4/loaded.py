# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiled kernel of any operation, made ready on devices by the launcher's library."""

from __future__ import annotations

import ctypes
import json
import threading
import weakref
from functools import cache
from typing import Any, Protocol

from ._driver_calls import DriverCalls
from ._runtime_library import NativeDriver
from ._threads import lock
from .errors import Error


@cache
def load_driver() -> NativeDriver:
    """CUDA's driver, initialised.

    Raises:
        Error: if there is no driver or GPU, or the launcher's library is not found.
    """
    return NativeDriver()


class AnyArtifact(Protocol):
    """An artifact of any operation: a manifest with ``raw`` and ``arguments``, and code."""

    @property
    def manifest(self) -> Any: ...  # noqa: D102
    @property
    def ptx(self) -> str: ...  # noqa: D102
    @property
    def cubin(self) -> bytes | None: ...  # noqa: D102
    @property
    def origin(self) -> str: ...  # noqa: D102


class LoadedKernel:
    """A kernel on devices: what `Chain` launches, and what a `Kernel` is made of.

    A kernel stays loaded until the process ends, because graphs that captured its launches may be
    launched when nothing else refers to it.

    Args:
        artifact: an `Artifact` or a `RoutingArtifact`.
        driver: CUDA's if None; else a `NativeDriver`, or an object with functions as
            ``cuda.bindings.driver`` has.
    """

    def __init__(self, artifact: AnyArtifact, driver: Any = None) -> None:
        self.artifact: Any = artifact
        self.manifest: Any = artifact.manifest
        images = [i for i in (artifact.cubin, artifact.ptx.encode() + b"\0") if i is not None]
        driver = driver if driver is not None else load_driver()
        is_native = isinstance(driver, NativeDriver)
        self.driver = driver if is_native else DriverCalls(driver, images)
        self._devices: dict[int, int] = {}
        self._lock = lock(threading.Lock())
        if not is_native:
            weakref.finalize(self, _destroy, self._devices, self.driver).atexit = False

    def prepare(self, device: int = 0) -> None:
        """Load the kernel on a device, allocate and clear its error word, size its grid.

        Raises:
            Error: if the device is not the kernel's target, or a driver call fails.
        """
        with self._lock:
            if device not in self._devices:
                self._devices[device] = self._create(device)

    def handle(self, device: int = 0) -> int:
        """The library's handle of the kernel on a device, where it is made ready if it is not.

        Raises:
            Error: as `prepare`.
        """
        if device not in self._devices:
            self.prepare(device)
        return self._devices[device]

    def _create(self, device: int) -> int:
        """The library's handle of the kernel on a device."""
        a, library = self.artifact, self.driver.library
        manifest, ptx = json.dumps(a.manifest.raw).encode(), a.ptx.encode()
        artifact, kernel = ctypes.c_void_p(), ctypes.c_void_p()
        self.driver.check(
            library.mxfp4rt_artifact_read(
                manifest, len(manifest), ptx, len(ptx), a.cubin, len(a.cubin or b""),
                a.origin.encode(errors="replace"), artifact,
            )
        )  # fmt: skip
        try:
            handle = self.driver.handle
            self.driver.check(library.mxfp4rt_kernel_create(handle, artifact, device, kernel))
        finally:
            library.mxfp4rt_artifact_destroy(artifact)
        assert kernel.value is not None
        return kernel.value

    def error_word(self, device: int = 0, clear: bool = True) -> int:
        """Wait for the device's work, read the error word, and clear it unless told not to."""
        kernel = self._devices.get(device)
        if kernel is None:
            raise Error(f"the kernel was never made ready on device {device}.")
        word = ctypes.c_int32()
        self.driver.check(self.driver.library.mxfp4rt_error_word(kernel, int(clear), word))
        return word.value

    @property
    def devices(self) -> tuple[int, ...]:
        """The devices that it was made ready on."""
        return tuple(self._devices)


def _destroy(devices: dict[int, int], driver: DriverCalls) -> None:
    """Unload a kernel from a driver that is made of Python."""
    for kernel in devices.values():
        driver.library.mxfp4rt_kernel_destroy(kernel)
    driver.close()
