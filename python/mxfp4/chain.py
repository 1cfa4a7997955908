# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launching several kernels, such as those of a layer, at the price of one call."""

from __future__ import annotations

import ctypes
import struct
import threading
import weakref
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ._runtime_library import CAPTURED
from ._threads import lock
from .errors import Error
from .loaded import LoadedKernel


class Chain:
    """Kernels that are launched one behind the other on a stream of one device.

    For operators that have checked their tensors: a chain takes addresses, and checks only what
    the library does (null, alignment, the number of rows) before it launches the first kernel. A
    chain may be used from several threads, and captured in a CUDA graph.

    Args:
        kernels: in order; one may occur several times.
        device: CUDA ordinal, on which they are made ready.

    Raises:
        Error: if there is no kernel, or one cannot be made ready.
    """

    def __init__(self, kernels: Sequence[LoadedKernel], device: int = 0) -> None:
        if not kernels:
            raise Error("a chain needs at least one kernel.")
        self._kernels = list(kernels)
        self._handles = [kernel.handle(device) for kernel in self._kernels]
        counts = [len(kernel.manifest.arguments) for kernel in self._kernels]
        self._starts = [sum(counts[:i]) for i in range(len(counts))]
        self.size = sum(counts)
        self._values = (ctypes.c_uint64 * self.size)()
        self._calls = (ctypes.c_uint64 * (3 * len(counts)))()
        base, word = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint64)
        self._addresses = [base + word * start for start in self._starts]
        self._pack_values = struct.Struct(f"={self.size}Q").pack_into
        self._pack_calls = struct.Struct("=" + "QqQ" * len(counts)).pack_into
        self._lock = lock(threading.Lock())

    def place(self, number: int, name: str) -> int:
        """Where the address for an argument of a kernel stands in the list of values.

        Raises:
            Error: if the kernel takes no such argument from its caller.
        """
        arguments = self._kernels[number].manifest.arguments
        for i, argument in enumerate(arguments):
            if argument.name == name and argument.provider == "caller":
                return self._starts[number] + i
        takes = ", ".join(a.name for a in arguments if a.provider == "caller")
        raise Error(f"kernel {number} of the chain takes no {name}; it takes {takes}.")

    def launch(self, rows: Sequence[int], values: Sequence[int], stream: int) -> None:
        """Launch all kernels and return at once.

        Args:
            rows: of each kernel; one with none is left out.
            values: ``size`` device addresses and numbers of the caller's, see `place`; what the
                launcher provides is 0.
            stream: the handle of a stream of the device.

        Raises:
            Error: if the library refuses a launch; none has happened then, unless the driver
                refused it.
        """
        self._check(rows, values)
        parts = zip(self._handles, rows, self._addresses, strict=True)
        calls = [number for part in parts for number in part]
        driver = self._kernels[0].driver
        with self._lock:  # the driver copies the values before it returns
            try:
                self._pack_values(self._values, 0, *values)
                self._pack_calls(self._calls, 0, *calls)
            except struct.error as e:
                raise Error(f"values and numbers of rows must be whole numbers: {e}.") from e
            status = driver.library.mxfp4rt_launch_all(self._calls, len(self._handles), stream)
        driver.check(status)

    def _check(self, rows: Sequence[int], values: Sequence[int]) -> None:
        if len(rows) != len(self._handles) or len(values) != self.size:
            raise Error(
                f"this chain takes {len(self._handles)} numbers of rows and {self.size} values, "
                f"got {len(rows)} and {len(values)}."
            )

    def prepare(
        self, rows: Sequence[int], values: Sequence[int], places: Sequence[Sequence[int]] = ()
    ) -> Prepared:
        """A launch whose arguments stay in place from call to call; see `launch`.

        Args:
            rows: of each kernel.
            values: of all arguments; values at ``places`` are not read.
            places: for each address that a call gives, where it goes in the list of values.

        Raises:
            Error: if rows or values are not as many as the chain has, or the library refuses them.
        """
        self._check(rows, values)
        return Prepared(self._kernels[0].driver, self._handles, rows, values, self._starts, places)


class Prepared:
    """A launch of a chain, see `Chain.prepare`. Threads may share it."""

    def __init__(
        self, driver: Any, handles: Sequence[int], rows: Sequence[int], values: Sequence[int],
        starts: Sequence[int], places: Sequence[Sequence[int]],
    ) -> None:  # fmt: skip
        own = (ctypes.c_uint64 * len(values))(*values)
        base, word = ctypes.addressof(own), ctypes.sizeof(ctypes.c_uint64)
        calls = [
            number for handle, count, start in zip(handles, rows, starts, strict=True)
            for number in (handle, count, base + word * start)
        ]  # fmt: skip
        numbers: list[int] = []
        for given, there in enumerate(places):
            for place in there:
                call = bisect_right(starts, place) - 1
                numbers += [call, place - starts[call], given]
        handle = ctypes.c_void_p()
        driver.check(
            driver.library.mxfp4rt_chain_create(
                (ctypes.c_uint64 * len(calls))(*calls), len(rows),
                (ctypes.c_uint32 * len(numbers))(*numbers), len(numbers) // 3, handle,
            )
        )  # fmt: skip
        self._driver, self._handle = driver, handle.value
        self._launch = driver.library.mxfp4rt_chain_launch
        self._pack = struct.Struct(f"={len(places)}Q").pack
        destroy = driver.library.mxfp4rt_chain_destroy
        weakref.finalize(self, destroy, handle.value).atexit = False

    def __call__(self, given: Sequence[int], stream: int) -> bool:
        """Launch with these addresses and return at once.

        Args:
            given: an address for each of the launch's places.
            stream: the handle of a stream of the device.

        Returns:
            Whether the kernels were launched: they are not if the stream is captured in a graph.

        Raises:
            Error: if the library refuses a launch; none has happened then, unless the driver
                refused it.
        """
        status = self._launch(self._handle, self._pack(*given), stream)
        if status:
            if status == CAPTURED:
                return False
            self._driver.check(status)
        return True
