# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The executable specification of any operation: MLIR on memrefs, as code of this CPU."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from mxfp4 import Compiler
from numpy.typing import NDArray
from toolchain import LLVM


def build(mlir: str, folder: Path) -> ctypes.CDLL:
    """Compile functions with ``llvm.emit_c_interface`` to a shared library."""
    with Compiler() as compiler, compiler.parse(mlir) as module:
        module.run("builtin.module(mxfp4-to-cpu)")
        text = str(module)
    ir = subprocess.run(
        [LLVM / "bin" / "mlir-translate", "--mlir-to-llvmir"],
        input=text, text=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    (folder / "loops.ll").write_text(ir)
    subprocess.run(
        [LLVM / "bin" / "clang", "-x", "ir", "-O1", "-Wno-override-module", "-shared", "-fPIC",
         folder / "loops.ll", "-o", folder / "loops.so", "-lm"],
        check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(folder / "loops.so"))


def descriptor(array: NDArray[Any]) -> ctypes.Structure:
    """A memref of a contiguous array."""
    assert array.flags.c_contiguous
    rank = array.ndim

    class Descriptor(ctypes.Structure):
        _fields_ = (
            ("allocated", ctypes.c_void_p),
            ("aligned", ctypes.c_void_p),
            ("offset", ctypes.c_int64),
            ("sizes", ctypes.c_int64 * rank),
            ("strides", ctypes.c_int64 * rank),
        )

    strides = [stride // array.itemsize for stride in array.strides]
    address = array.ctypes.data
    return Descriptor(
        address, address, 0, (ctypes.c_int64 * rank)(*array.shape),
        (ctypes.c_int64 * rank)(*strides),
    )  # fmt: skip


def call(loops: ctypes.CDLL, name: str, *arrays: NDArray[Any]) -> None:
    """Call a function on arrays, which it may write."""
    descriptors = [descriptor(a) for a in arrays]
    function = getattr(loops, f"_mlir_ciface_{name}")
    function.restype = None
    function(*(ctypes.byref(d) for d in descriptors))


def garbage(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """What an output holds before: it must not matter. Of E4M3 the NaN that no kernel stores."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    fill = 0xFF if np.dtype(dtype).itemsize == 1 else 0xA5
    return np.full(size, fill, np.uint8).view(dtype).reshape(shape)
