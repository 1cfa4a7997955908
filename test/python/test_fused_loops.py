# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Epilogues and maps of rows in loops, the executable specification, against numpy."""

from __future__ import annotations

import ctypes
from itertools import product

import native
import numpy as np
import pytest
from form_runs import OUTPUTS
from fused import EPILOGUES, Data, Form, differences

FORMS = [
    Form(n=n, k=96, groups=groups, epilogue=epilogue, gather=gather, scatter=scatter, output=output)
    for (epilogue, gather, scatter), (n, groups, output) in product(
        product(EPILOGUES, (False, True), (False, True)),
        ((70, 0, "bf16"), (66, 4, "f32"), (130, 0, "f8E4M3FN")),
    )
]


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """A function for each form."""
    emit = "attributes {llvm.emit_c_interface}"
    text = "".join(form.mlir(f"form_{i}", emit) for i, form in enumerate(FORMS))
    return native.build(text, tmp_path_factory.mktemp("loops"))


def data_of(form: Form, seed: int) -> Data:
    """Uneven groups, one of them empty and one without an expert."""
    if form.groups:
        return Data.random(form, [3, 0, 5, 2], seed, ids=[2, 0, -1, 1], spare=3)
    return Data.random(form, [4, 0, 7], seed, spare=3)


def run(loops: ctypes.CDLL, form: Form, data: Data) -> tuple[np.ndarray, np.ndarray, int]:
    """The output, which elements were stored, and the error word."""
    y = native.garbage((data.output_rows(form), form.columns), OUTPUTS[form.output])
    before = y.view(np.uint8).copy()
    error, workspace = np.zeros(1, np.int32), np.zeros(2, np.int32)
    blocks = data.arrays["weights"].reshape(*data.arrays["weights"].shape[:3], -1)
    arrays = data.arrays | {
        "y": y, "error": error, "workspace": workspace,
        "weights": blocks.view(f"V{blocks.shape[-1]}")[..., 0],
    }  # fmt: skip
    native.call(loops, f"form_{FORMS.index(form)}", *(arrays[name] for name in form.operands()))
    changed = (y.view(np.uint8) != before).reshape(*y.shape, -1).any(axis=-1)
    return y, changed, int(error[0])


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form(form: Form, loops: ctypes.CDLL) -> None:
    for seed in range(3):
        data = data_of(form, seed)
        y, stored, error = run(loops, form, data)
        assert error == 0
        assert not differences(form, data, y, stored)


@pytest.mark.parametrize("form", [f for f in FORMS if f.gather and f.scatter], ids=str)
def test_rows_that_do_not_exist(form: Form, loops: ctypes.CDLL) -> None:
    """As in kernels: row 0 in a source's place, no store to a destination, bit 2."""
    for name, bad in (("gather", -1), ("gather", 1 << 30), ("scatter", -5), ("scatter", 10**6)):
        data = data_of(form, 1)
        row = int(data.arrays["scatter"][2])
        good = data.arrays[name][2]
        data.arrays[name][2] = bad
        y, stored, error = run(loops, form, data)
        assert error == 4
        data.arrays[name][2] = 0 if name == "gather" else good
        if name == "scatter":
            assert not stored[row].any()
            expected, _ = data.expected(form)
            y[row], stored[row] = expected[row], True
        assert not differences(form, data, y, stored)


@pytest.mark.parametrize("form", [f for f in FORMS if f.gather and not f.groups], ids=str)
def test_no_rows_to_gather_from(form: Form, loops: ctypes.CDLL) -> None:
    data = data_of(form, 1)
    data.arrays["x"] = data.arrays["x"][:0]
    _, stored, error = run(loops, form, data)
    assert (error, stored.any()) == (1, False)


@pytest.mark.parametrize("form", [f for f in FORMS if f.epilogue == "none"], ids=str)
def test_offsets_that_end_early_or_late(form: Form, loops: ctypes.CDLL) -> None:
    """Only with a map to gather may they end before the rows do."""
    data = data_of(form, 1)
    rows = data.rows
    for end, is_good in ((rows + 1, False), (rows, True), (rows - 1, form.gather)):
        data.arrays["offsets"][-1] = end
        _, stored, error = run(loops, form, data)
        assert (error, bool(stored.any())) == (0 if is_good else 1, is_good)
