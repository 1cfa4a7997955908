# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Epilogues and maps of rows through the launcher: numbers of rows of their own, shapes, errors."""

from __future__ import annotations

import numpy as np
import pytest
from fused import Data, Form, compiled
from kernels import needs_both
from mxfp4 import Error, simulate

pytestmark = needs_both
OPERANDS = ("columns", "per_row", "scalar")


def operands(data: Data) -> dict[str, np.ndarray]:
    """What a call passes by name: those of an epilogue are numbered."""
    a = data.arrays
    found = {name: a[name] for name in ("gather", "scatter", "expert_ids") if name in a}
    epilogue = [a[name] for name in OPERANDS if name in a]
    return found | {f"epilogue{i}": array for i, array in enumerate(epilogue)}


@pytest.mark.parametrize("options", ["", "instruction=wgmma rows-hint=40"])
@pytest.mark.parametrize("scatter", [False, True])
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("epilogue", ["none", "weighted", "pairs"])
def test_calls(epilogue: str, gather: bool, scatter: bool, options: str) -> None:
    form = Form(n=128, k=544, epilogue=epilogue, gather=gather, scatter=scatter)
    data = Data.random(form, [5, 9, 20], spare=3)
    expected, stored = data.expected(form)
    rows = len(expected) if scatter else None
    a = data.arrays
    s = simulate(compiled(form, options), a["x"], data.weights, a["offsets"], out_rows=rows,
                 **operands(data))  # fmt: skip
    assert (s.error, s.findings) == (0, [])
    assert s.y.shape == expected.shape
    assert np.array_equal(s.stored, np.broadcast_to(stored[:, None], s.stored.shape))
    assert np.array_equal(s.y[stored].view(np.uint16), expected[stored].view(np.uint16))


def test_what_does_not_fit_is_a_sentence() -> None:
    form = Form(n=128, k=192, epilogue="weighted", gather=True, scatter=True)
    data = Data.random(form, [5, 9, 20])
    given = operands(data)

    def call(**changes: object) -> None:
        changed = {k: v for k, v in (given | changes).items() if v is not None}
        simulate(compiled(form, ""), data.arrays["x"], data.weights, data.arrays["offsets"],
                 out_rows=40, **changed)  # fmt: skip

    call()
    for changes, text in (
        ({"gather": None}, "this kernel takes gather: pass gather="),
        ({"x_rows": np.int32(3)}, "this kernel takes no x_rows"),
        ({"scatter": given["scatter"][:3]}, r"scatter must have shape \[34\], got \[3\]"),
        ({"gather": given["gather"].astype(np.float32)}, "gather must be integers, got float32"),
        ({"epilogue1": given["epilogue1"][:3]}, r"epilogue1 must have shape \[34\], got \[3\]"),
        ({"epilogue2": np.ones(1, np.float32)}, r"epilogue2 must have shape \[\], got \[1\]"),
    ):
        with pytest.raises(Error, match=text):
            call(**changes)
