# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launching a kernel of any arguments in the interpreter, without the launcher's library.

For kernels whose grid or arguments are not those of a manifest: parts of a layer in tests, and
what was changed on purpose. `simulator` launches artifacts as a GPU gets them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from ._sim_driver import Launched, SimDriver
from .errors import Error
from .names import shown

Dim3 = tuple[int, int, int]


def launch(
    driver: SimDriver, ptx: str, entry: str, values: Sequence[Any], grid: Dim3, block: Dim3,
    shared: int, programmatic: bool = True, origin: str = "the kernel",
) -> Launched:  # fmt: skip
    """Run a kernel to the end.

    Args:
        driver: whose memory the kernel reads and writes.
        ptx: the text.
        entry: the kernel's name.
        values: of its parameters, as ctypes' numbers and buffers.
        grid: CTAs.
        block: threads of a CTA.
        shared: bytes of dynamic shared memory.
        programmatic: whether the launch may begin before the one ahead of it has ended.
        origin: what messages call the PTX.

    Raises:
        Error: if the PTX is not understood or has no such entry, or the launch does not fit.
    """

    def check(status: int) -> None:
        if status:
            raise Error(f"{origin}: {driver.cuGetErrorString(status)[1].decode()}")

    status, *loaded = driver.cuModuleLoadData(ptx.encode())
    check(status)
    status, *found = driver.cuModuleGetFunction(loaded[0], entry.encode())
    if status:
        raise Error(f"{origin}: the PTX has no entry {shown(entry)!r}.")
    driver.cuFuncSetAttribute(found[0], "CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES", shared)
    pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
    (status,) = driver.cuLaunchKernel(
        found[0], *grid, *block, shared, 0, ctypes.addressof(pointers), 0,
        programmatic=programmatic,
    )  # fmt: skip
    check(status)
    return driver.launches[-1]
