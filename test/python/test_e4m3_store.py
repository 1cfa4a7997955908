# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmuls that store E4M3: the rounding of the store, exhaustively around E4M3's grid."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import form_runs
import fused
import native
import numpy as np
import pytest
from fused import Data, Form
from kernels import needs_both
from mxfp4.fp8 import E4M3_NAN, e4m3_values, encode_e4m3, float8_e4m3

pytestmark = needs_both

# The stored value is that of the operand of rows, whatever the sum is.
SINGLE = """epilogue(%per_row : memref<?xf32>) {{
    ^bb0(%sum: f32, %value: f32):
      mxfp4.yield %value : f32 }}"""
PAIRS = """epilogue(%columns, %per_row : memref<{e}x{n}xbf16>, memref<?xf32>) {{
    ^bb0(%a: f32, %b: f32, %c: f32, %d: f32, %value: f32):
      mxfp4.yield %value : f32 }}"""


@pytest.fixture(autouse=True)
def own_epilogues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fused.EPILOGUES, "row", SINGLE)
    monkeypatch.setitem(fused.EPILOGUES, "row of pairs", PAIRS)


class RowForm(Form):
    """A form that stores the values of rows."""

    @property
    def pairs(self) -> bool:
        return self.epilogue == "row of pairs"


@cache
def near_the_grid() -> np.ndarray:
    """f32: each E4M3, each middle between two, what is next to them, both signs, and specials."""
    grid = e4m3_values()[:E4M3_NAN]
    known = np.concatenate([grid, (grid[1:] + grid[:-1]) / 2, [464.0, 480.0, 512.0]])
    exact = known.astype(np.float32)
    assert np.array_equal(exact.astype(np.float64), known)
    tiny = np.array([2.0**-10, 2.0**-11, 2.0**-126, 2.0**-149, 3e-39], np.float32)
    beyond = np.array([449, 463.9, 1e4, 3e38, np.inf, np.nan], np.float32)
    exact = np.concatenate([exact, tiny, beyond])
    with np.errstate(over="ignore"):
        near = [exact, np.nextafter(exact, np.float32(np.inf)), np.nextafter(exact, np.float32(0)),
                exact * np.float32(1.01), exact * np.float32(0.99)]  # fmt: skip
    magnitudes = np.unique(np.concatenate(near))
    return np.concatenate([magnitudes, -magnitudes, np.array([0, -0.0], np.float32)])


def data_of(form: Form, values: np.ndarray) -> Data:
    """Rows with these values, in the order of groups."""
    third = len(values) // 3
    data = Data.random(form, [third, 0, len(values) - third])
    data.arrays["per_row"] = values
    return data


# Pairs of columns that threads exchange, single columns, and an odd number of either.
FORMS = [("row", 64), ("row", 70), ("row", 33), ("row of pairs", 132), ("row of pairs", 66)]


@pytest.mark.parametrize(("epilogue", "n"), FORMS)
@pytest.mark.parametrize("options", ["rows-hint=8", "instruction=wgmma placement=register "
                                                    "rows-hint=400"])  # fmt: skip
def test_the_store_of_kernels(epilogue: str, n: int, options: str) -> None:
    form = RowForm(epilogue=epilogue, n=n, k=32, output="f8E4M3FN")
    values = near_the_grid()
    data = data_of(form, values)
    y, known, error, findings = fused.run(form, data, form_runs.compiled(form, options))
    assert (error, findings) == (0, [])
    assert known.all()
    assert y.dtype == float8_e4m3
    wanted = np.broadcast_to(encode_e4m3(values)[:, None], y.shape)
    assert np.array_equal(y.view(np.uint8), wanted)


@pytest.mark.parametrize(("epilogue", "n"), FORMS[::2])
def test_the_store_of_loops(epilogue: str, n: int, tmp_path: Path) -> None:
    form = RowForm(epilogue=epilogue, n=n, k=32, output="f8E4M3FN")
    values = near_the_grid()
    data = data_of(form, values)
    y = native.garbage((len(values), form.columns), float8_e4m3)
    blocks = data.arrays["weights"].reshape(*data.arrays["weights"].shape[:3], -1)
    arrays = data.arrays | {
        "y": y, "error": np.zeros(1, np.int32), "workspace": np.zeros(2, np.int32),
        "weights": blocks.view(f"V{blocks.shape[-1]}")[..., 0],
    }  # fmt: skip
    loops = native.build(form.mlir(attributes="attributes {llvm.emit_c_interface}"), tmp_path)
    native.call(loops, "fused", *(arrays[name] for name in form.operands()))
    wanted = np.broadcast_to(encode_e4m3(values)[:, None], y.shape)
    assert np.array_equal(y.view(np.uint8), wanted)


def test_manifests_say_what_is_stored() -> None:
    form = Form(output="f8E4M3FN", epilogue="pairs")
    artifact = form_runs.compiled(form, "")
    assert artifact.manifest.output == "e4m3"
    y = next(a for a in artifact.manifest.arguments if a.name == "y")
    assert (y.dtype, y.align) == ("e4m3", 2)
