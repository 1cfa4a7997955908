# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The launcher's C ABI (``libmxfp4rt.so``), as declared in ``mxfp4-c/Runtime.h``, by ctypes."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from typing import Any

from . import library
from .errors import Error

ABI_VERSION = 1
CAPTURED = 5
"""The status MXFP4RT_CAPTURED."""

SymbolFn = ctypes.CFUNCTYPE(c_void_p, c_char_p, c_void_p)
"""void *(const char *name, void *user)."""


class DriverOptions(ctypes.Structure):
    """``mxfp4rt_driver_options``."""

    _fields_ = (("library", c_char_p), ("symbol", SymbolFn), ("user", c_void_p))


class Device(ctypes.Structure):
    """``mxfp4rt_device``."""

    _fields_ = (
        ("name", c_char * 256),
        ("chip", c_int),
        ("multiprocessors", c_int),
        ("shared_bytes_per_cta", c_int),
        ("shared_bytes_per_multiprocessor", c_int),
    )


class Speed(ctypes.Structure):
    """``mxfp4rt_device_speed``."""

    _fields_ = (
        ("clock", c_int),
        ("memory_clock", c_int),
        ("memory_bus_bits", c_int),
        ("l2_bytes", c_int),
    )


_HANDLE = POINTER(c_void_p)

_SIGNATURES: dict[str, library.Signature] = {
    "abi_version": (c_int, []),
    "last_error": (c_char_p, []),
    "driver_open": (c_int, [POINTER(DriverOptions), _HANDLE]),
    "driver_close": (None, [c_void_p]),
    "driver_version": (c_int, [c_void_p, POINTER(c_int)]),
    "device_count": (c_int, [c_void_p, POINTER(c_int)]),
    "device_get": (c_int, [c_void_p, c_int, POINTER(Device)]),
    "device_get_speed": (c_int, [c_void_p, c_int, POINTER(Speed)]),
    "device_of": (c_int, [c_void_p, c_void_p, POINTER(c_int)]),
    "artifact_read": (
        c_int,
        [c_char_p, c_size_t, c_char_p, c_size_t, c_char_p, c_size_t, c_char_p, _HANDLE],
    ),
    "artifact_destroy": (None, [c_void_p]),
    "kernel_create": (c_int, [c_void_p, c_void_p, c_int, _HANDLE]),
    "kernel_destroy": (None, [c_void_p]),
    # Values are packed into bytes, whose address is passed.
    "launch": (c_int, [c_void_p, c_int64, c_char_p, c_void_p]),
    "launch_all": (c_int, [c_void_p, c_size_t, c_void_p]),
    "chain_create": (c_int, [c_void_p, c_size_t, c_void_p, c_size_t, _HANDLE]),
    "chain_destroy": (None, [c_void_p]),
    # Addresses are packed into bytes likewise.
    "chain_launch": (c_int, [c_void_p, c_char_p, c_void_p]),
    "error_word": (c_int, [c_void_p, c_int, POINTER(c_int32)]),
}


@cache
def load_runtime() -> ctypes.CDLL:
    """``libmxfp4rt.so`` with its functions declared.

    Raises:
        Error: if it is not found, cannot be loaded, or is of another version.
    """
    what = "the launcher's library"
    signatures = {f"mxfp4rt_{name}": of for name, of in _SIGNATURES.items()}
    path = library.locate(library.RUNTIME, what)
    return library.declare(path, what, signatures, ("mxfp4rt_abi_version", ABI_VERSION))


class NativeDriver:
    """CUDA's driver, or another library with its functions, opened and initialised.

    Args:
        file: of the library; the system's libcuda if None.

    Raises:
        Error: if it cannot be loaded, does not start, or is too old.
    """

    def __init__(self, file: str | None = None) -> None:
        options = DriverOptions(file.encode() if file else None, SymbolFn(), None)
        self.library = load_runtime()
        self.handle = open_driver(options)

    def check(self, status: int) -> None:
        """Raise what a function of the library has failed with."""
        if status:
            raise Error(last_error())

    def version(self) -> int:
        """The newest CUDA that it serves: 13010 for CUDA 13.1."""
        found = c_int()
        self.check(self.library.mxfp4rt_driver_version(self.handle, found))
        return found.value

    def speed(self, ordinal: int) -> Speed:
        """How fast a device is."""
        found = Speed()
        self.check(self.library.mxfp4rt_device_get_speed(self.handle, ordinal, found))
        return found

    def devices(self) -> list[Device]:
        """The devices, by ordinal."""
        count = c_int()
        self.check(self.library.mxfp4rt_device_count(self.handle, count))
        found = [Device() for _ in range(count.value)]
        for i, device in enumerate(found):
            self.check(self.library.mxfp4rt_device_get(self.handle, i, device))
        return found


def open_driver(options: DriverOptions) -> c_void_p:
    """The handle of a driver.

    Raises:
        Error: if it cannot be loaded, does not start, or is too old.
    """
    handle = c_void_p()
    if load_runtime().mxfp4rt_driver_open(options, handle):
        raise Error(last_error())
    return handle


def last_error() -> str:
    """The sentence of this thread's last failure in the library."""
    text: Any = load_runtime().mxfp4rt_last_error()
    return text.decode(errors="replace")
