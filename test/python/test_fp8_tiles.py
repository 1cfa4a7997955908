# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tiles of FP8 for few rows: halves, two kinds, and none of K slices, in the interpreter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fp8_data import check_sums, data, offsets_of
from kernels import needs_both
from mxfp4 import fp8_reference, simulate
from mxfp4.compile import compile_artifact
from mxfp4.layout import FP8
from mxfp4.problem import Problem

HALVES = (
    "#mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 15, placement = register, ctas = 1, token_step = 8, "
    "k_slices = 5, copy_warps = 5, sum_steps = 1, prefetch_first = true{halves}>"
)


@needs_both
@pytest.mark.parametrize("accumulation", ["fast", "promoted512"])
@pytest.mark.parametrize("n", [256, 310, 64])
def test_halves_of_tiles_add_in_the_order_of_whole_ones(n: int, accumulation: str) -> None:
    """No bit depends on which tiles are halves, nor on whether those that are fetched first are
    a CTA's first ones."""
    x, weights = data(3, n, 1760, 44)
    problem = Problem(3, n, 1760, layout=FP8, output="f32", accumulation=accumulation)
    found, copied = set(), set()
    for halves in ("", ", half_tiles = true"):
        kernel = compile_artifact(problem, f"schedule={HALVES.format(halves=halves)}")
        assert "cp.async.bulk.prefetch.L2" in kernel.ptx
        for sizes in ((21, 0, 23), (0, 0, 44)):
            for multiprocessors in (1, 2, 5, 40):
                run = simulate(
                    kernel, x, weights, offsets_of(sizes), multiprocessors=multiprocessors
                )
                assert run.ok, run.report(costs=False)
                found.add((sizes, run.y.tobytes()))
                copied.add(run.statistics["bulk_load_bytes"])
    assert len(found) == 2
    assert len(copied) > 2, "there were halves"


FEW_STEPS = (
    "#mxfp4.schedule<instruction = wgmma_fp8, rows = {rows}, tokens = 8, warps_rows = 4, "
    "warps_tokens = 1, stages = 10, placement = register, ctas = {ctas}, k_slices = 2, "
    "copy_warps = 2, evict_first = true, prefetch_first = true>"
)


@needs_both
@pytest.mark.parametrize("accumulation", ["fast", "promoted512"])
@pytest.mark.parametrize("schedule", ["whole", "halves", "small", "tall"])
@pytest.mark.parametrize("k", [704, 736])
def test_half_of_the_last_step_is_read_if_it_has_no_more_columns(
    k: int, schedule: str, accumulation: str
) -> None:
    """Zeros multiply the codes in place of the other half."""
    x, weights = data(3, 250, k, 44, "exact")
    sizes = (21, 0, 23)
    text = {
        "whole": HALVES.format(halves=""),
        "halves": HALVES.format(halves=", half_tiles = true"),
        "small": FEW_STEPS.format(rows=64, ctas=3),
        "tall": FEW_STEPS.format(rows=128, ctas=2),
    }[schedule]
    kernel = compile_artifact(
        Problem(3, 250, k, layout=FP8, accumulation=accumulation), f"schedule={text}"
    )
    offsets = offsets_of(sizes)
    wanted = fp8_reference.grouped_matmul(x, weights, offsets)
    for multiprocessors in (1, 7):
        run = simulate(kernel, x, weights, offsets, multiprocessors=multiprocessors)
        assert run.ok, run.report(costs=False)
        assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))
    assert (kernel.ptx.count("2048;") > 0) == (k == 704)


def without_slices(rows: int, tokens: int, ctas: int, *, overlap: bool = False) -> str:
    """A schedule of several CTAs per SM whose tiles have no K slices."""
    step = "" if tokens == 8 else f"token_step = {16 if tokens > 64 else 8}, "
    return (
        f"#mxfp4.schedule<instruction = wgmma_fp8, rows = {rows}, tokens = {tokens}, "
        f"warps_rows = {rows // 16}, warps_tokens = 1, stages = 4, placement = register, "
        f"ctas = {ctas}, {step}copy_warps = 1, overlap_decode = {str(overlap).lower()}, "
        "evict_first = true>"
    )


@needs_both
@pytest.mark.parametrize(
    ("tile", "k", "accumulation"),
    [
        ((64, 8, 2), 128, "fast"),
        ((128, 8, 2), 352, "fast"),
        ((192, 32, 2, True), 128, "fast"),
        ((192, 48, 2, True), 96, "fast"),
        ((128, 96, 2, True), 128, "fast"),
        ((128, 96, 2), 256, "promoted512"),
        ((128, 16, 3), 256, "promoted128"),
        ((192, 16, 2), 352, "promoted128"),
        ((192, 32, 2), 1056, "promoted512"),
        ((128, 48, 2), 1056, "promoted512"),
        ((192, 48, 2), 512, "promoted512"),
    ],
    ids=str,
)
def test_tiles_without_slices_have_the_sums_of_the_tensor_cores(
    tile: tuple[int, ...], k: int, accumulation: str
) -> None:
    """Tiles for few steps of K, and for a dozen rows per group or more, bit for bit."""
    x, weights = data(3, 250, k, 131)
    problem = Problem(3, 250, k, layout=FP8, output="f32", accumulation=accumulation)
    rows, tokens, ctas, *overlap = tile
    schedule = without_slices(rows, tokens, ctas, overlap=bool(overlap))
    kernel = compile_artifact(problem, f"schedule={schedule}")
    offsets = offsets_of((100, 0, 31))
    check_sums(kernel, problem, x, weights, offsets, multiprocessors=3)


LOW = (
    "#mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 8, warps_rows = 4, "
    "warps_tokens = 1, stages = 9, placement = register, ctas = 2{step}, k_slices = 3, "
    "copy_warps = 3, evict_first = true{kinds}>"
)


@needs_both
@pytest.mark.parametrize("accumulation", ["fast", "promoted512"])
@pytest.mark.parametrize("n", [256, 310])
def test_slices_go_on_while_the_first_adds(n: int, accumulation: str) -> None:
    """Slices have a buffer each; in tiles of two kinds they share one. No bit depends on which, on
    how many tiles a CTA has, or on the order in which warps run."""
    x, weights = data(3, n, 1312, 57)
    problem = Problem(3, n, 1312, layout=FP8, output="f32", accumulation=accumulation)
    found = set()
    for step, kinds in (("", ""), (", token_step = 8", ", wide_from = 9, wide_stages = 12")):
        kernel = compile_artifact(problem, f"schedule={LOW.format(step=step, kinds=kinds)}")
        for multiprocessors in (1, 3, 50):
            for seed in (1, 2):
                run = simulate(
                    kernel,
                    x,
                    weights,
                    offsets_of((21, 7, 29)),
                    multiprocessors=multiprocessors,
                    seed=seed,
                )
                assert run.ok, run.report(costs=False)
                found.add(run.y.tobytes())
    assert len(found) == 1


@needs_both
@pytest.mark.parametrize("accumulation", ["fast", "promoted512"])
@pytest.mark.parametrize("n", [256, 310])
def test_halves_of_tiles_know_the_experts_of_a_list(n: int, accumulation: str) -> None:
    """Tiles of no expert are stored as zeros, whole or not, and leave the ring where it is."""
    x, weights = data(3, n, 1760, 49)
    ids = np.array([2, -1, 0, -1, 2, 1], np.int32)
    offsets = offsets_of((9, 18, 1, 2, 19, 0))
    plain = Problem(3, n, 1760, layout=FP8, accumulation=accumulation)
    problem = dataclasses.replace(plain, groups=6, expert_ids=True)
    found, copied = set(), set()
    for halves in ("", ", half_tiles = true"):
        kernel = compile_artifact(problem, f"schedule={HALVES.format(halves=halves)}")
        for multiprocessors in (1, 3, 40):
            run = simulate(kernel, x, weights, offsets, ids, multiprocessors=multiprocessors)
            assert run.ok, run.report(costs=False)
            found.add(run.y.tobytes())
            copied.add(run.statistics["bulk_load_bytes"])
    assert len(found) == 1
    assert len(copied) > 1, "there were halves"
    assert not run.y[9:27].astype(np.float32).any()
    assert not run.y[28:30].astype(np.float32).any()
    kernel = compile_artifact(plain, f"schedule={HALVES.format(halves='')}")
    rows = np.r_[30:49, 0:9]
    wanted = simulate(kernel, x[rows], weights, offsets_of((0, 0, 28)))
    assert np.array_equal(run.y[rows].view(np.uint16), wanted.y.view(np.uint16))
