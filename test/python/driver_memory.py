# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The interpreter as a library with the functions of CUDA's driver, and memory of it."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mxfp4 import library


@pytest.fixture(scope="module")
def file() -> Path:
    """The interpreter, with the functions of a driver."""
    interpreter = library.find_interpreter()
    found = interpreter and interpreter.with_name("libmxfp4-sim-cuda.so")
    if found is None or not found.is_file():
        pytest.skip("libmxfp4-sim-cuda.so is not beside the interpreter")
    return found


class Memory:
    """Arrays that the driver's kernels may use: its memory is the host's."""

    def __init__(self, file: Path) -> None:
        self._driver = ctypes.CDLL(str(file))
        self._held: list[ctypes.c_uint64] = []

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        for address in self._held:
            assert self._driver.cuMemFree_v2(address) == 0

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array without values."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = ctypes.c_uint64()
        assert self._driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size)) == 0
        self._held.append(address)
        assert address.value
        memory = (ctypes.c_uint8 * size).from_address(address.value)
        return np.frombuffer(memory, dtype).reshape(shape)

    def copy(self, values: np.ndarray) -> np.ndarray:
        """An array with these values."""
        made = self.array(values.shape, values.dtype)
        made[...] = values
        return made
