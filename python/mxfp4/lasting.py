# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of a device that outlives every pool of torch's.

What calls share for good may not come from torch's allocator: a call may run while torch fills the
memory of a CUDA graph (``torch.compile(mode="reduce-overhead")`` runs a program once in a pool of
its own), and torch refuses a program of whose pool something is left.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch

from .errors import Error

_OUT_OF_MEMORY = 2
_RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED


@cache
def _driver(library: str) -> Any:
    try:
        return ctypes.CDLL(library)
    except OSError as e:
        raise Error(f"CUDA's driver, {library}, cannot be loaded: {e}.") from e


def allocate(ordinal: int, size: int, library: str = "libcuda.so.1") -> int:
    """The address of bytes on a device, in its primary context; they are never freed.

    Raises:
        Error: if the driver refuses.
    """
    driver = _driver(library)

    def call(name: str, *arguments: Any) -> int:
        return int(getattr(driver, name)(*arguments))

    device, context, popped = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    address = ctypes.c_uint64()
    status = call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(ordinal))
    status = status or call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    status = status or call("cuCtxPushCurrent_v2", context)
    if not status:
        # Another stream that is captured would refuse an allocation, which is none of its work.
        mode = ctypes.c_int(_RELAXED)
        call("cuThreadExchangeStreamCaptureMode", ctypes.byref(mode))
        status = call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        if status == _OUT_OF_MEMORY:  # torch may hold some that it does not use
            torch.cuda.empty_cache()
            status = call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        call("cuThreadExchangeStreamCaptureMode", ctypes.byref(mode))
        call("cuCtxPopCurrent_v2", ctypes.byref(popped))
    if status:
        raise Error(f"CUDA's driver gave no {size} bytes on device {ordinal}: error {status}.")
    return address.value


class _Bytes:
    """Bytes on a device, as torch takes them over."""

    def __init__(self, address: int, size: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (size,), "typestr": "|u1", "data": (address, False), "version": 3,
        }  # fmt: skip


def lasting(ordinal: int, size: int) -> torch.Tensor:
    """U8 ``[size]`` on a device, which stays when the tensor goes.

    Raises:
        Error: if there is not as much memory.
    """
    place = torch.device("cuda", ordinal)
    return torch.as_tensor(_Bytes(allocate(ordinal, size), size), device=place)
