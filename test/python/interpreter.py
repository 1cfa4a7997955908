# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of any signature in the PTX interpreter."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from mxfp4 import _sim_launch
from mxfp4._sim_driver import SimDriver
from mxfp4._sim_memory import DeviceArray


def launch(
    driver: SimDriver,
    ptx: str,
    entry: str,
    arguments: Sequence[DeviceArray | int | bytes | None],
    grid: int = 1,
    block: int = 32,
    shared: int = 0,
    programmatic: bool = True,
) -> list[dict[str, Any]]:
    """Run a kernel on pointers, nulls (None), i32 and tensor maps (bytes); return the hazards.

    A programmatic launch may begin before the one ahead of it has ended.
    """
    values = [
        ctypes.create_string_buffer(a, len(a))
        if isinstance(a, bytes)
        else ctypes.c_int32(a)
        if isinstance(a, int)
        else ctypes.c_uint64(a.memory.address if a is not None else 0)
        for a in arguments
    ]
    launched = _sim_launch.launch(
        driver, ptx, entry, values, (grid, 1, 1), (block, 1, 1), shared, programmatic
    )
    return launched.findings


def empty(driver: SimDriver, shape: Sequence[int], dtype: Any, name: str) -> DeviceArray:
    """Memory without values."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    poison = np.full(size, 0xFF, np.uint8).view(dtype).reshape(tuple(shape))
    return driver.allocate(poison, name, known=False)
