# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Epilogues that nobody thought of: kernels and loops give the same.

``pytest test/python/test_random_regions.py --regions 1000`` runs more of them than CI does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import form_runs
import fp8_matmul as fp8
import fused
import native
import numpy as np
import pytest
from kernels import LAYOUTS, needs_both, shared_k
from random_regions import Region
from test_ragged import CHOICES, FP8_CHOICES, every_option

pytestmark = needs_both
FRONT = {"powers": "memref<{e}x{n}xf32>", "scales": "memref<?xf32>"}
"""The operands that every epilogue in FP8 has in these tests."""


def random_form(seed: int, rng: np.random.Generator) -> tuple[Any, Any, str]:
    """A form in bf16 or FP8, its data, and options for its kernel."""
    accumulation = str(rng.choice(["", "", *fp8.ACCUMULATIONS]))
    region = Region(seed, FRONT if accumulation else None)
    n = int(rng.choice([2, 8, 31, 64, 66, 70, 129, 130, 200]))
    fields: dict[str, Any] = {
        "region": region, "experts": int(rng.integers(1, 4)), "n": n + n % 2 * region.pairs,
        "groups": int(rng.choice([0, 0, 2, 5])), "output": str(rng.choice([*form_runs.OUTPUTS])),
        "gather": bool(rng.integers(2)), "scatter": bool(rng.integers(2)),
    }  # fmt: skip
    choices = FP8_CHOICES if accumulation else CHOICES
    options = str(rng.choice(every_option(accumulation or None, fields["gather"])))
    if rng.random() < 0.4 or options in choices:
        options = f"{rng.choice(choices)} rows-hint={rng.integers(0, 2000)}"
        options += " batch-invariant=true" if rng.random() < 0.3 else ""
    fields["k"] = shared_k(32 * int(rng.integers(1, 9)), options)
    count = fields["groups"] or fields["experts"]
    sizes = [*map(int, rng.choice([0, 0, 1, 3, 7, 9, 17, 40], count - 1)), int(rng.integers(1, 9))]
    ids = [*map(int, rng.integers(-1, fields["experts"], count))] if fields["groups"] else None
    if accumulation:
        form: Any = fp8.Form(accumulation=accumulation, **fields)
    else:
        form = fused.Form(layout=LAYOUTS[rng.integers(len(LAYOUTS))], **fields)
    family: Any = fp8 if accumulation else fused
    return form, family.Data.random(form, sizes, seed, ids=ids, spare=int(rng.integers(4))), options


def spoil_rows(form: Any, data: Any, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Maps may name rows that do not exist. The value that each row of the output has, -1 without
    one, and the error word."""
    used, error = int(data.arrays["offsets"][-1]), 0
    for name in ("gather", "scatter"):
        if name in data.arrays and rng.random() < 0.3:
            data.arrays[name][rng.integers(used)] = rng.choice([-1, 10**6])
            error = 4
    which = np.full(data.output_rows(form), -1)
    for row in range(used):
        to = int(data.arrays["scatter"][row]) if form.scatter else row
        if 0 <= to < len(which):
            which[to] = int(data.arrays["which"][row])
    return which, error


def in_loops(form: Any, data: Any, like: np.ndarray, folder: Path) -> tuple[np.ndarray, int]:
    """The output of the executable specification, and its error word."""
    y, error = native.garbage(like.shape, like.dtype), np.zeros(1, np.int32)
    blocks = data.arrays["weights"].reshape(*data.arrays["weights"].shape[:3], -1)
    arrays = data.arrays | {"y": y, "error": error, "workspace": np.zeros(2, np.int32),
                            "weights": blocks.view(f"V{blocks.shape[-1]}")[..., 0]}  # fmt: skip
    loops = native.build(form.mlir("f", "attributes {llvm.emit_c_interface}"), folder)
    native.call(loops, "f", *(arrays[name] for name in form.operands()))
    return y, int(error[0])


ROUNDINGS = {"f32": 0.0, "bf16": 2.0**-7, "f8E4M3FN": 2.0**-3}
"""How far apart neighbours are, relative to their size."""


def differs(a: np.ndarray, b: np.ndarray, bound: float) -> np.ndarray:
    """Where rows differ by more than a bound, relative to ``b``; exactly, where it is 0."""
    smallest = 2.0**-9 if a.dtype == form_runs.OUTPUTS["f8E4M3FN"] else 2.0**-120
    a, b = a.astype(np.float64), b.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if bound:
        with np.errstate(invalid="ignore"):
            same |= np.abs(a - b) <= bound * np.abs(b) + smallest
        # Near the largest number a function may be infinite.
        same |= (np.abs(a) > 3e38) & (np.abs(b) > 3e38) & (np.sign(a) == np.sign(b))
    return ~same


def check(seed: int, folder: Path) -> None:
    """One region: stored rows, values, error word, and no hazards."""
    rng = np.random.default_rng([seed, 3])
    form, data, options = random_form(seed, rng)
    which, error = spoil_rows(form, data, rng)
    artifact = form_runs.compiled(form, options)
    names = [*(FRONT if isinstance(form, fp8.Form) else ()), *form.own]
    y, known, word, findings = form_runs.run(form, data, artifact, names, seed, 2)
    wanted, wanted_word = in_loops(form, data, y, folder)
    said = f"seed {seed}: {form.mlir()} {options}"
    assert (findings, word) == ([], wanted_word), said
    # Nothing is gathered for a group without an expert.
    assert word == error or (word == 0 and form.groups), said
    assert np.array_equal(known, np.broadcast_to((which >= 0)[:, None], known.shape)), said
    for row in np.flatnonzero(which >= 0):
        value = form.region.values[which[row]]
        slack = value.bound and value.bound + ROUNDINGS[form.output]
        wrong = differs(y[row], wanted[row], slack)
        at = np.flatnonzero(wrong)[:4]
        assert not wrong.any(), (said, value, row, at, y[row, at], wanted[row, at])


def test_random_regions(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A kernel and loops for each seed."""
    for seed in range(request.config.getoption("--regions")):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check(seed, folder)
