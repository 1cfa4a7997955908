# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every kernel that the chooser can return, in the PTX interpreter."""

from __future__ import annotations

import pytest
from kernels import (
    LAYOUTS,
    compile_kernel,
    complaints,
    hurting,
    library,
    needs_both,
    refusal_complaints,
    schedules,
    shared_k,
    short,
)
from mxfp4 import Layout, Problem

pytestmark = needs_both
EVERY = schedules() if library.find() else []


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda a: f"{a.order}-{a.scales}")
@pytest.mark.parametrize("schedule", EVERY, ids=short)
def test_kernels_are_right_and_have_no_hazards(schedule: str, layout: Layout) -> None:
    found = []
    for i, case in enumerate(hurting(schedule, layout, LAYOUTS.index(layout))):
        artifact = compile_kernel(case.problem, f"schedule={schedule}")
        found += complaints(artifact, case, multiprocessors=1 + i % 3, launches=1 + 2 * (i % 2))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("schedule", EVERY, ids=short)
def test_bad_offsets_and_ids_are_reported_and_nothing_is_stored_for_them(schedule: str) -> None:
    problem = Problem(4, 65, shared_k(160, schedule), 37, expert_ids=True)
    found = refusal_complaints(compile_kernel(problem, f"schedule={schedule}"), 37)
    assert not found, "\n".join(found)
