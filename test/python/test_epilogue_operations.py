# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each operation that an epilogue may have, on each type: kernels and loops give the same, also of
zeros, whose signs count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import form_runs
import native
import numpy as np
import pytest
from epilogue_operations import FUNCTIONS, WIDTHS, Body, body_of
from mxfp4 import Compiler, PackedWeights, pack

SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2.5, -0.5, 7, 2.0**-149, 2.0**-126,
                    3.4028235e38, -3.4028235e38, 65520, 2.0**-24, -1e9, 3e9, 1e20, 0.1,
                    1.00390625, 16777217], np.float32)  # fmt: skip
TYPES = {"x": "memref<?x32xbf16>", "weights": "memref<1x8x1x!mxfp4.block<spread, folded>>",
         "offsets": "memref<2xi32>", "y": "memref<?x512xf32>", "error": "memref<1xi32>",
         "workspace": "memref<2xi32>", "a": "memref<1x512xf32>", "b": "memref<1x512xf32>",
         "which": "memref<?xf32>"}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """A matmul of one expert with all operations of a type behind it."""

    type: str
    columns: int = 512
    output: str = "f32"
    counts: str = ""

    def body(self) -> Body:
        """The region's operations."""
        return body_of(self.type)

    def mlir(self) -> str:
        """A function."""
        words = {"x": "activations", "y": "outs"}
        clauses = " ".join(f"{words.get(n, n)}(%{n} : {TYPES[n]})" for n in list(TYPES)[:6])
        operands = list(TYPES)[6:]
        text = f"{', '.join(f'%{n}_' for n in operands)} : {', '.join(TYPES[n] for n in operands)}"
        arguments = [f"%{n}{'_' if n in operands else ''}: {kind}" for n, kind in TYPES.items()]
        lines = "\n      ".join(self.body().lines)
        return f"""func.func @f({", ".join(arguments)}) attributes {{llvm.emit_c_interface}} {{
  mxfp4.grouped_matmul {clauses} epilogue({text}) {{
    ^bb0(%sum: f32, %a: f32, %b: f32, %which: f32):
      {lines}
    }}
  return
}}"""


@dataclass
class Data:
    """As `form_runs` takes it."""

    arrays: dict[str, np.ndarray]
    rows: int

    def output_rows(self, form: Form) -> int:
        """One for each operation."""
        return self.rows


def data_of(form: Form, rng: np.random.Generator) -> Data:
    """Columns of special and random operands, and a row for each operation."""
    rows, packed = len(form.body().results), _weights()
    wide = rng.standard_normal((2, 512)) * 10.0 ** rng.integers(-6, 7, (2, 512))
    a, b = np.where(rng.random((2, 512)) < 0.5, rng.choice(SPECIAL, (2, 512)), wide)
    a[:4], b[:4] = [0.0, 0.0, -0.0, -0.0], [0.0, -0.0, 0.0, -0.0]
    return Data({
        "x": np.zeros((rows, 32), form_runs.bfloat16), "weights": packed.data,
        "offsets": np.array([0, rows], np.int32), "a": a[None].astype(np.float32),
        "b": b[None].astype(np.float32), "which": np.arange(rows, dtype=np.float32),
    }, rows)  # fmt: skip


def _weights() -> PackedWeights:
    return pack(np.zeros((1, 512, 1, 16), np.uint8), np.full((1, 512, 1), 127, np.uint8))


def in_loops(form: Form, data: Data, folder: Path) -> np.ndarray:
    """The output of the executable specification."""
    y = native.garbage((data.rows, 512), np.float32)
    blocks = data.arrays["weights"].reshape(1, 8, 1, -1)
    arrays = data.arrays | {"y": y, "error": np.zeros(1, np.int32),
                            "workspace": np.zeros(2, np.int32),
                            "weights": blocks.view(f"V{blocks.shape[-1]}")[..., 0]}  # fmt: skip
    native.call(native.build(form.mlir(), folder), "f", *(arrays[name] for name in TYPES))
    return y


def bound_of(name: str) -> float:
    """Relative; the functions' are those of LowerMath.cpp with |x| below 90."""
    return 2.0**-16 if name in FUNCTIONS else 2.0**-21 if name == "divf" else 0.0


@pytest.mark.parametrize("kind", WIDTHS)
def test_kernel_and_loops(kind: str, rng: np.random.Generator, tmp_path: Path) -> None:
    form = Form(kind)
    data = data_of(form, rng)
    with Compiler() as compiler:
        artifact = compiler.compile(form.mlir(), "rows-hint=64")
    y, known, error, findings = form_runs.run(form, data, artifact, ["a", "b", "which"], 1, 2)
    assert (error, findings, known.all()) == (0, [], True)
    wanted = in_loops(form, data, tmp_path)
    for row, name in enumerate(form.body().results):
        with np.errstate(invalid="ignore", over="ignore"):
            slack = bound_of(name) * np.abs(wanted[row])
            # Kernels have no results of functions and divisions below 2^-126.
            slack = slack + (2.0**-125 if slack.any() else 0)
            same = (y[row] == wanted[row]) | (np.abs(y[row] - wanted[row]) <= slack)
        same &= np.signbit(y[row]) == np.signbit(wanted[row])
        same |= np.isnan(y[row]) & np.isnan(wanted[row])
        at = np.flatnonzero(~same)[:4]
        assert same.all(), (name, data.arrays["a"][0, at], data.arrays["b"][0, at], y[row, at],
                            wanted[row, at])  # fmt: skip
