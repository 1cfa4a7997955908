# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ragged problems that nobody thought of, shrunk to small ones when they fail.

``pytest test/python/test_ragged.py --ragged 5000`` runs more of them than CI does.
"""

from __future__ import annotations

from dataclasses import replace

import fused
import numpy as np
import pytest
from fused import EPILOGUES, Data, Form
from hypothesis import HealthCheck, assume, find, given, settings
from hypothesis import strategies as st
from kernels import (
    LAYOUTS,
    Case,
    compile_kernel,
    complaints,
    library,
    needs_both,
    schedules,
    shared_k,
)
from mxfp4 import Problem

pytestmark = needs_both
CHOICES = [f"placement={p} instruction={i}" for p, i in
           (("register", "auto"), ("register", "wgmma"), ("shared", "mma_sync"))]  # fmt: skip
EVERY = [*(f"schedule={s}" for s in (schedules() if library.find() else [])), *CHOICES]

# Extents around the edges of fragments, blocks and tiles, and any others.
EXTENTS = st.one_of(
    st.integers(1, 300), st.sampled_from([1, 7, 8, 16, 63, 64, 65, 127, 128, 129, 192, 193, 257])
)
SIZES = st.one_of(
    st.just(0), st.integers(0, 20), st.sampled_from([7, 8, 9, 16, 17, 63, 65, 129, 161, 257])
)


@st.composite
def ragged(draw: st.DrawFn) -> Case:
    """A problem, the rows of its groups, data and an interleaving."""
    named = draw(st.booleans())
    experts = draw(st.integers(1, 6))
    groups = draw(st.integers(1, 12)) if named else experts
    problem = Problem(
        experts, draw(EXTENTS), 32 * draw(st.integers(1, 36)), groups,
        draw(st.sampled_from(LAYOUTS)), draw(st.sampled_from(["bf16", "f32"])), named,
    )  # fmt: skip
    sizes = draw(st.lists(SIZES, min_size=groups, max_size=groups))
    one = st.integers(-1, experts - 1)
    ids = draw(st.lists(one, min_size=groups, max_size=groups)) if named else None
    kind = draw(st.sampled_from(["exact", "single"]))
    return Case(problem, tuple(sizes), tuple(ids) if ids else None, kind, draw(st.integers(1, 99)))


@pytest.mark.slow
def test_ragged_problems_are_right_and_have_no_hazards(request: pytest.FixtureRequest) -> None:
    @settings(
        max_examples=request.config.getoption("--ragged"), deadline=None, database=None,
        derandomize=True, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ragged(), st.sampled_from(EVERY), st.integers(1, 4), st.integers(0, 2000))
    def property_(case: Case, options: str, multiprocessors: int, rows_hint: int) -> None:
        if options in CHOICES:
            options += f" rows-hint={rows_hint}"
        k = shared_k(case.problem.k, options)
        case = replace(case, problem=replace(case.problem, k=k))
        artifact = compile_kernel(case.problem, options)
        found = complaints(artifact, case, multiprocessors)
        assert not found, options + "\n" + "\n".join(found)

    property_()


@st.composite
def fused_ragged(draw: st.DrawFn) -> tuple[Form, Data]:
    """A form with an epilogue or maps of rows, and data with the rows of its groups."""
    experts = draw(st.integers(1, 6))
    groups = draw(st.one_of(st.just(0), st.integers(1, 12)))
    epilogue = draw(st.sampled_from(sorted(EPILOGUES)))
    pairs = Form(epilogue=epilogue).pairs
    form = Form(
        experts, draw(EXTENTS) * (2 if pairs else 1), 32 * draw(st.integers(1, 36)), groups,
        epilogue, draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from(["bf16", "f32"])),
        draw(st.sampled_from(LAYOUTS)),
    )  # fmt: skip
    count = groups or experts
    sizes = draw(st.lists(SIZES, min_size=count, max_size=count))
    one = st.integers(-1, experts - 1)
    ids = draw(st.lists(one, min_size=count, max_size=count)) if groups else None
    return form, Data.random(form, sizes, draw(st.integers(1, 99)), ids, draw(st.integers(0, 3)))


@pytest.mark.slow
def test_fused_problems_are_right_and_have_no_hazards(request: pytest.FixtureRequest) -> None:
    """As above, with the schedules that the chooser has for problems that gather, too."""
    gathering = [f"schedule={s}" for s in schedules("--gather")]

    @settings(
        max_examples=request.config.getoption("--ragged"), deadline=None, database=None,
        derandomize=True, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data(), st.integers(1, 4), st.integers(0, 2000))
    def property_(data: st.DataObject, ctas: int, rows_hint: int) -> None:
        form, inputs = data.draw(fused_ragged())
        assume(inputs.rows or form.gather)  # else nothing is launched
        options = data.draw(st.sampled_from([*gathering, *CHOICES] if form.gather else EVERY))
        if options in CHOICES:
            options += f" rows-hint={rows_hint}"
        form, inputs = shared_steps(form, inputs, options)
        found = fused.complaints(form, inputs, options, ctas=ctas, seed=rows_hint)
        assert not found, f"{form} {inputs.arrays['offsets']} {options}\n" + "\n".join(found)

    property_()


def shared_steps(form: Form, data: Data, options: str) -> tuple[Form, Data]:
    """The same with a K that the schedule's slices share."""
    k = shared_k(form.k, options)
    if k == form.k:
        return form, data
    form = replace(form, k=k)
    sizes = np.diff(data.arrays["offsets"]).tolist()
    ids = data.arrays.get("expert_ids")
    spare = data.rows - sum(sizes)
    return form, Data.random(form, sizes, 1, ids.tolist() if ids is not None else None, spare)


def test_failures_shrink_to_small_problems() -> None:
    def fails(case: Case) -> bool:
        return case.problem.n > 70 and sum(case.sizes) > 8 and case.problem.k > 64

    case = find(ragged(), fails, settings=settings(database=None, derandomize=True))
    assert (case.problem.experts, case.problem.n, case.problem.k) == (1, 71, 96)
    assert case.sizes == (9,)
    assert case.ids is None
