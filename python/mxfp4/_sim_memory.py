# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of a GPU that is not there, and the driver's functions that fill and copy it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import Error
from .formats import bfloat16
from .fp8 import float8_e4m3

INVALID_VALUE, ILLEGAL_ADDRESS = 1, 700


@dataclass
class Allocation:
    """Simulated device memory.

    Attributes:
        address: simulated, never a host address.
        data: its bytes, u8.
        known: one bit per byte that holds a value, lowest first; None if all do.
        writable: whether kernels may write it.
        name: for findings.
    """

    address: int
    data: NDArray[np.uint8]
    known: NDArray[np.uint8] | None
    writable: bool
    name: str


def _typestr(dtype: np.dtype[Any]) -> str:
    """The type of elements; of those that numpy shows as opaque bytes, only two are known."""
    if dtype.kind != "V":
        return dtype.str
    return {bfloat16: "<V2", float8_e4m3: "|V1"}.get(dtype, dtype.name)


class DeviceArray:
    """An array in simulated memory, for whoever reads ``__cuda_array_interface__``."""

    def __init__(self, memory: Allocation, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.memory, self.shape, self.dtype = memory, shape, dtype
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": _typestr(dtype),
            "data": (memory.address, not memory.writable),
            "strides": None,
            "version": 3,
        }

    def numpy(self) -> NDArray[Any]:
        """A copy on the host."""
        return self.memory.data.view(self.dtype).reshape(self.shape).copy()

    def known(self) -> NDArray[np.bool_]:
        """Which elements hold a value in every byte."""
        if self.memory.known is None:
            return np.ones(self.shape, bool)
        bits = np.unpackbits(self.memory.known, bitorder="little")[: self.memory.data.size]
        return np.asarray(bits.reshape(*self.shape, self.dtype.itemsize).all(axis=-1))


class SimMemory:
    """Allocations, each with nothing mapped around it."""

    def __init__(self) -> None:
        self._next = 0x7000_0000_0000
        self.memory: list[Allocation] = []

    def allocate(
        self, data: NDArray[Any], name: str, writable: bool = True, known: bool = True
    ) -> DeviceArray:
        """Copy an array into memory of its own, with nothing mapped around it.

        With ``known=False`` reading it is a finding until something has been written there.
        """
        if data.dtype.hasobject:
            raise Error(f"{name} must be an array of numbers, got {data.dtype}.")
        flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8).copy()
        bits = None if known else np.zeros(-(-flat.size // 8), np.uint8)
        memory = Allocation(self._next, flat, bits, writable, name)
        self._next += (flat.size + 0x1FFFF) & ~0xFFFF  # 64 KiB and more of nothing between them
        self.memory.append(memory)
        return DeviceArray(memory, data.shape, data.dtype)

    def _at(self, address: int, size: int) -> tuple[Allocation, slice] | None:
        for memory in self.memory:
            if memory.address <= address and address + size <= memory.address + memory.data.size:
                return memory, slice(address - memory.address, address - memory.address + size)
        return None

    def cuMemAlloc(self, size: int) -> tuple[int, int]:
        """Memory that holds no value."""
        poison = np.full(size, 0xFF, np.uint8)
        return 0, self.allocate(poison, "memory of the launcher", known=False).memory.address

    def cuMemFree(self, address: int) -> tuple[int]:
        """Free, so that a later access is out of bounds."""
        kept = [m for m in self.memory if m.address != address]
        found = len(kept) < len(self.memory)
        self.memory = kept
        return (0 if found else INVALID_VALUE,)

    def _set(self, address: int, value: bytes) -> tuple[int]:
        place = self._at(address, len(value))
        if place is None:
            return (ILLEGAL_ADDRESS,)
        memory, where = place
        memory.data[where] = np.frombuffer(value, np.uint8)
        if memory.known is not None:
            bits = np.unpackbits(memory.known, bitorder="little")
            bits[where] = 1
            memory.known = np.packbits(bits, bitorder="little")
        return (0,)

    def cuMemsetD8(self, address: int, value: int, count: int) -> tuple[int]:
        """Fill bytes."""
        return self._set(address, bytes([value & 0xFF]) * count)

    def cuMemsetD32(self, address: int, value: int, count: int) -> tuple[int]:
        """Fill words."""
        return self._set(address, (value & 0xFFFFFFFF).to_bytes(4, "little") * count)

    def cuMemsetD8Async(self, a: int, v: int, n: int, stream: Any) -> tuple[int]:
        """Fill bytes."""
        return self.cuMemsetD8(a, v, n)

    def cuMemsetD32Async(self, a: int, v: int, n: int, stream: Any) -> tuple[int]:
        """Fill words."""
        return self.cuMemsetD32(a, v, n)

    def cuMemcpyDtoH(self, target: int, source: int, size: int) -> tuple[int]:
        """Copy to the host."""
        place = self._at(source, size)
        if place is None:
            return (ILLEGAL_ADDRESS,)
        ctypes.memmove(target, place[0].data[place[1]].tobytes(), size)
        return (0,)

    def cuPointerGetAttribute(self, kind: str, pointer: int) -> tuple[int, int]:
        """The ordinal of the only device."""
        return 0, 0
