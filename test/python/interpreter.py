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


EACH_BYTE = """NEXT:
  setp.ge.u32 %p1, %r2, %r1;
  @%p1 bra DONE;
  cvt.u64.u32 %d2, %r2;
  add.u64 %d3, %d1, %d2;
  ld.global.b8 %h1, [%d3];
  st.global.b8 [%d3], %h1;
  add.u32 %r2, %r2, 256;
  bra NEXT;
DONE:
"""
"""256 threads store each byte as it is."""

TOUCH = (
    """
.version 8.0
.target sm_90a
.address_size 64
.visible .entry touch(.param .u64 memory, .param .u32 bytes)
{{
  .reg .b16 %h<2>;
  .reg .b32 %r<4>;
  .reg .b64 %d<4>;
  .reg .pred %p<2>;
  {begin}
  ld.param.b64 %d1, [memory];
  ld.param.b32 %r1, [bytes];
  mov.u32 %r2, %tid.x;
"""
    + EACH_BYTE
    + """  ret;
}}
"""
)
WAIT, LET = "griddepcontrol.wait;", "griddepcontrol.launch_dependents;"


COUNT = (
    """
.version 8.0
.target sm_90a
.address_size 64
.visible .entry count(.param .u64 memory, .param .u32 bytes, .param .u64 all, .param .u64 counts,
                      .param .u32 groups)
{{
  .reg .b16 %h<2>;
  .reg .b32 %r<6>;
  .reg .b64 %d<7>;
  .reg .pred %p<3>;
  {begin}
  ld.param.b64 %d1, [memory];
  ld.param.b32 %r1, [bytes];
  ld.param.b32 %r3, [groups];
  ld.param.b64 %d4, [all];
  ld.param.b64 %d5, [counts];
  mov.u32 %r2, %tid.x;
  setp.ge.u32 %p2, %r2, %r3;
  @%p2 bra NEXT;
  mul.wide.u32 %d6, %r2, 4;
  add.u64 %d4, %d4, %d6;
  add.u64 %d5, %d5, %d6;
  ld.global.b32 %r4, [%d4];
  min.u32 %r5, %r4, 1;
  sub.u32 %r4, %r4, %r5;
  red.relaxed.gpu.global.add.u32 [%d5], %r4;
"""
    + EACH_BYTE
    + """  bar.sync 0;
  @%p2 bra END;
  red.release.gpu.global.add.u32 [%d5], %r5;
END:
  ret;
}}
"""
)


def count(driver: SimDriver, rows: DeviceArray, elements: np.ndarray, counts: DeviceArray) -> None:
    """A launch that counts all elements but one of each of up to 256 groups, stores what rows have,
    and counts the last elements. The next one may begin while it runs."""
    memory = rows.memory
    writable, memory.writable = memory.writable, True
    groups = elements.astype(np.int32)
    given = [rows, memory.data.size, driver.allocate(groups, "elements"), counts, len(groups)]
    assert not launch(driver, COUNT.format(begin=WAIT + LET), "count", given, block=256)
    memory.writable = writable


def touch(driver: SimDriver, arrays: Sequence[DeviceArray]) -> None:
    """Launches that store what arrays have: the next one may begin while all of these still run,
    but not before what is ahead of them has ended."""
    for i, array in enumerate(arrays):
        ptx = TOUCH.format(begin=LET + WAIT if i else WAIT + LET)
        memory = array.memory
        writable, memory.writable = memory.writable, True
        assert not launch(driver, ptx, "touch", [array, memory.data.size], block=256)
        memory.writable = writable
