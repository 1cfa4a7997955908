# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every kernel that the chooser can return, in the PTX interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import (
    LAYOUTS,
    Case,
    compile_kernel,
    complaints,
    hurting,
    library,
    needs_both,
    schedules,
    short,
)
from mxfp4 import Layout, Problem, simulate
from mxfp4.runtime import BAD_ID, UNSORTED

pytestmark = needs_both
EVERY = schedules() if library.find() else []


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda a: f"{a.order}-{a.scales}")
@pytest.mark.parametrize("schedule", EVERY, ids=short)
def test_kernels_are_right_and_have_no_hazards(schedule: str, layout: Layout) -> None:
    found = []
    for i, case in enumerate(hurting(schedule, layout, LAYOUTS.index(layout))):
        artifact = compile_kernel(case.problem, f"schedule={schedule}")
        found += complaints(artifact, case, multiprocessors=1 + i % 3, launches=1 + i % 2)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("schedule", EVERY, ids=short)
def test_bad_offsets_and_ids_are_reported_and_nothing_is_stored_for_them(schedule: str) -> None:
    problem = Problem(4, 65, 544, 6, expert_ids=True)
    artifact = compile_kernel(problem, f"schedule={schedule}")
    case = Case(problem, (5, 7, 0, 1, 2, 9), (3, 4, 0, 0, -2, 2))
    x, weights = case.activations(), case.weights()
    run = simulate(artifact, x, weights, case.offsets(), case.expert_ids())
    assert run.findings == []
    assert run.error == BAD_ID
    bad = np.repeat([i not in range(-1, 4) for i in case.ids or ()], case.sizes)
    assert (run.stored == ~bad[:, None]).all()
    good = np.array([3, 1, 0, 0, -1, 2], np.int32)
    for wrong in ([0, 5, 4, 12, 13, 15, 24], [1, 5, 12, 12, 13, 15, 24], [0] * 7,
                  [0, 5, 12, 12, 13, 15, 25], [0, 5, 12, 12, 13, -15, 24]):  # fmt: skip
        run = simulate(artifact, x, weights, np.array(wrong, np.int32), good)
        assert run.findings == []
        assert run.error == UNSORTED
        assert not run.stored.any()
