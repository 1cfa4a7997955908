# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Passes that make a kernel quicker may be left out: the IR between passes is correct.

Each of these passes takes correct IR and leaves correct IR, so that a kernel without any of them
computes the same, without a hazard.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernels import Case, compile_kernel, complaints, needs_both, short
from mxfp4 import Layout, Problem
from mxfp4.compile import Compiler

pytestmark = needs_both

MMA_SYNC = (
    "#mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 3, placement = {placement}, ctas = 2>"
)
# Tiles of the fewest tokens have a loop of their own.
VERSIONED = (
    "#mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, "
    "warps_tokens = 1, stages = 9, placement = {placement}, ctas = 1, token_step = 8, "
    "k_slices = 3>"
)
# Three warpgroups of one block, and one of two.
LARGE = (
    "#mxfp4.schedule<instruction = wgmma, rows = {rows}, tokens = 64, warps_rows = {warps}, "
    "warps_tokens = 1, stages = 4, placement = {placement}, ctas = 1, token_step = 16>"
)
# Two programs, and K slices that decode and multiply by turns.
MIDDLE = (
    "#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 8, "
    "warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 8, k_slices = 3>"
)
# Halves of tiles behind whole ones.
HALVES = (
    "#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 8, "
    "k_slices = 3, copy_warps = 3, half_tiles = true, prefetch_first = true>"
)
# One warpgroup for short groups beside two for the others.
TELLING = (
    "#mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 64, warps_rows = 12, "
    "warps_tokens = 1, stages = 8, placement = register, ctas = 1, token_step = 16, "
    "copy_warps = 3, producer_registers = 32, overlap_decode = true, full_tiles_first = true, "
    "short_to = 32, short_stages = 4, beside_tokens = 80, beside_stages = 6>"
)
SCHEDULES = [
    schedule.replace("{placement}", placement)
    for placement in ("register", "shared")
    for schedule in (
        MMA_SYNC,
        VERSIONED,
        LARGE.replace("{rows}", "192").replace("{warps}", "12"),
        LARGE.replace("{rows}", "128").replace("{warps}", "4"),
    )
] + [MIDDLE, HALVES, TELLING]

OPTIONAL = (
    "mxfp4-share-tiles",
    "mxfp4-halve-tiles",
    "mxfp4-prefetch-first",
    "mxfp4-join-programs",
    "mxfp4-pipeline-copies",
    "mxfp4-version-loops",
    "mxfp4-overlap-decode",
    "loop-invariant-code-motion",
    "canonicalize",
    "cse",
)
# mxfp4-narrow-wgmma is not one of them: without it wgmma multiplies rows past the tile's last,
# which nothing has copied. Nobody reads their sums, but the interpreter says so.
PIPELINE = (
    'mxfp4-choose-schedule{schedule="%s"}',
    "mxfp4-tile",
    "mxfp4-specialize-warps",
    "mxfp4-share-tiles",
    "mxfp4-halve-tiles",
    "mxfp4-prefetch-first",
    "mxfp4-join-programs",
    "mxfp4-pipeline-copies",
    "canonicalize",
    "cse",
    "mxfp4-insert-decode",
    "mxfp4-version-loops",
    "mxfp4-overlap-decode",
    "mxfp4-lower-program",
    "cse",
    "loop-invariant-code-motion",
    "canonicalize",
    "mxfp4-narrow-wgmma",
    "mxfp4-lower-decode",
    "canonicalize",
    "cse",
    "gpu.module(mxfp4-lower-to-nvvm)",
    "mxfp4-serialize",
)


def ptx_without(problem: Problem, schedule: str, left_out: set[str]) -> str:
    """The kernel's PTX, by a pipeline without some passes."""
    passes = [p for p in PIPELINE if p not in left_out]
    with Compiler() as compiler:
        module = compiler.parse(compiler.mlir(problem))
        module.run(f"builtin.module({','.join(passes)})" % schedule)
        return module.kernels()[0].ptx


@pytest.mark.slow
@pytest.mark.parametrize("left_out", ["none", "all", *OPTIONAL])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=short)
def test_a_pass_may_be_left_out(schedule: str, left_out: str) -> None:
    which = {"none": set(), "all": set(OPTIONAL)}.get(left_out, {left_out})
    ids = (2, -1, 0, 1, 0)
    problem = Problem(3, 229, 448 if schedule == MIDDLE else 384, 5, Layout(), expert_ids=True)
    case = Case(problem, (40, 3, 0, 9, 21), ids)
    if schedule == HALVES:  # without ids, and with a half that has no other one
        case = Case(problem := Problem(3, 310, 384), (40, 0, 21))
    artifact = compile_kernel(problem, f"schedule={schedule}")
    ptx = ptx_without(problem, schedule, which)
    found = complaints(replace(artifact, ptx=ptx), case, multiprocessors=2, launches=2)
    assert not found, "\n".join(found)
