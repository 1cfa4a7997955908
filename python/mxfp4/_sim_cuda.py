# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The PTX interpreter with the functions of CUDA's driver: its file, memory of it, and a layer."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import library
from .errors import Error
from .formats import bfloat16
from .layer_plan import LayerRunner, Plan

DRIVER = "libmxfp4-sim-cuda.so"


def driver_file() -> Path:
    """The interpreter's file with a driver's functions."""
    interpreter = library.find_interpreter()
    if interpreter is None:
        raise Error(
            f"the PTX interpreter was not found. {library.how_to_have(library.INTERPRETER)}"
        )
    file = interpreter.with_name(DRIVER)
    if not file.is_file():
        raise Error(f"{DRIVER} was not found beside {interpreter}; build it (cmake --build).")
    return file


class Memory:
    """Arrays that kernels on the interpreter's driver may use: its memory is the host's."""

    def __init__(self, file: Path) -> None:
        self._driver = ctypes.CDLL(str(file))
        self._held: list[ctypes.c_uint64] = []

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for address in self._held:
            if self._driver.cuMemFree_v2(address):
                raise Error("memory of the interpreter was freed by another.")

    def array(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array without values, until this object ends."""
        size = max(int(np.prod(shape)) * np.dtype(dtype).itemsize, 1)
        address = ctypes.c_uint64()
        if self._driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size)):
            raise Error(f"the interpreter has no memory for {size} bytes.")
        self._held.append(address)
        memory = (ctypes.c_uint8 * size).from_address(address.value or 0)
        return np.frombuffer(memory, dtype, int(np.prod(shape))).reshape(shape)

    def copy(self, values: NDArray[Any]) -> NDArray[Any]:
        """An array with these values."""
        made = self.array(values.shape, values.dtype)
        made[...] = values
        return made


def run_layer(
    file: Path, runner: LayerRunner, plan: Plan, arrays: Mapping[str, NDArray[Any]],
    shape: tuple[int, int],
) -> NDArray[Any]:  # fmt: skip
    """Launch the kernels of a plan on these arrays; hidden states, bf16 ``[T, H]``.

    Raises:
        Error: if the interpreter finds a hazard, or a kernel a fault in its input.
    """
    with Memory(file) as memory:
        held = {name: memory.copy(a) for name, a in arrays.items()}
        held["out"] = memory.array(shape, bfloat16)
        scratch = memory.array((plan.bytes,), np.uint8)
        scratch[:] = 0xFF  # NaN, and numbers of no row
        addresses = {name: a.ctypes.data for name, a in held.items()}
        plan.launch(scratch.ctypes.data, addresses, 0)
        runner.check()
        return held["out"].copy()
