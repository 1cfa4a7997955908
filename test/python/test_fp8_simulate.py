# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grouped matmuls with activations in FP8: kernels in the interpreter against numpy."""

from __future__ import annotations

import dataclasses
from functools import cache

import mxfp4
import numpy as np
import pytest
from fp8_data import check_sums, data, offsets_of
from kernels import needs_both, schedules
from mxfp4 import Artifact, Error, fp8_reference, simulate
from mxfp4.compile import compile_artifact
from mxfp4.formats import bfloat16
from mxfp4.layout import FP8
from mxfp4.problem import ACCUMULATIONS, Problem

SHAPES = [(4, 128, 256, (7, 0, 5, 8)), (2, 70, 96, (1, 0)), (3, 192, 1056, (40, 1, 90))]


@cache
def compiled(problem: Problem, rows: int) -> Artifact:
    """With a schedule that adds all of K in one order: K slices add sums of their own in f32."""
    listed = schedules("--accumulation", problem.accumulation)
    schedule = next(s for s in listed if "k_slices" not in s)
    return compile_artifact(problem, f"schedule={schedule}")


@needs_both
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("kind", ["normal", "same sign"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernels_have_the_sums_of_the_tensor_cores(
    shape: tuple[int, int, int, tuple[int, ...]], kind: str, accumulation: str
) -> None:
    """Bit for bit, whatever is lost."""
    experts, n, k, sizes = shape
    x, weights = data(experts, n, k, sum(sizes), kind)
    # One chain over K: K slices have sums of their own, which are added in f32.
    problem = Problem(
        experts, n, k, layout=FP8, output="f32", accumulation=accumulation, batch_invariant=True
    )
    kernel = compiled(problem, sum(sizes))
    assert kernel.manifest.accumulation == accumulation
    assert problem.matches(kernel.manifest)
    offsets = offsets_of(sizes)
    check_sums(kernel, problem, x, weights, offsets)


@needs_both
@pytest.mark.parametrize("n", [320, 384])
def test_warpgroups_without_columns_change_no_other(n: int) -> None:
    """In tall tiles they multiply one token."""
    x, weights = data(2, n, 1056, 230)
    problem = Problem(2, n, 1056, layout=FP8)
    kernel = compile_artifact(problem, f"schedule={overlapped(128, 176, 8)}")
    offsets = offsets_of((200, 30))
    run = simulate(kernel, x, weights, offsets)
    assert run.ok, run.report(costs=False)
    wanted = fp8_reference.grouped_matmul(x, weights, offsets, accumulation="promoted512")
    assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))


def overlapped(rows: int, tokens: int, warps: int, slices: int = 1) -> str:
    """A schedule whose warps decode half a step while they multiply with another half."""
    return (
        f"#mxfp4.schedule<instruction = wgmma_fp8, rows = {rows}, tokens = {tokens}, "
        f"warps_rows = {warps}, warps_tokens = 1, stages = {4 * slices}, placement = register, "
        f"ctas = 1, token_step = 16, k_slices = {slices}, "
        f"copy_warps = {slices if slices > 1 else 2}, overlap_decode = true>"
    )


@needs_both
@pytest.mark.parametrize("accumulation", ["promoted512", "promoted128"])
@pytest.mark.parametrize("k", [96, 256, 384, 640, 768, 896, 1056, 1536])
@pytest.mark.parametrize("tile", [(128, 32, 8), (128, 16, 4), (64, 112, 4)], ids=str)
def test_promotion_overlaps_decode(tile: tuple[int, int, int], k: int, accumulation: str) -> None:
    """Bit for bit, of one step and of several intervals; one or two blocks for a warpgroup."""
    x, weights = data(2, 128, k, 43, "same sign")
    problem = Problem(2, 128, k, layout=FP8, output="f32", accumulation=accumulation)
    kernel = compile_artifact(problem, f"schedule={overlapped(*tile)}")
    offsets = offsets_of((40, 3))
    check_sums(kernel, problem, x, weights, offsets)


@needs_both
@pytest.mark.parametrize("accumulation", ["promoted512", "promoted128"])
@pytest.mark.parametrize("k", [96, 640, 768, 1056])
def test_tall_tiles_promote_after_half_steps(k: int, accumulation: str) -> None:
    """Sums of 192 tokens leave registers for fragments of half a step alone."""
    x, weights = data(1, 64, k, 100, "same sign")
    problem = Problem(1, 64, k, layout=FP8, output="f32", accumulation=accumulation)
    kernel = compile_artifact(problem, f"schedule={overlapped(64, 192, 4)}")
    offsets = offsets_of((100,))
    check_sums(kernel, problem, x, weights, offsets)


@needs_both
@pytest.mark.parametrize(("slices", "steps"), [(2, 12), (2, 14), (3, 12), (3, 21), (3, 23)])
def test_promotion_overlaps_decode_in_slices(slices: int, steps: int) -> None:
    """K slices have intervals of their own, so that sums are compared that are exact. Of 14 and 21
    steps each slice has seven, and of 23 the last has two more than the others."""
    k = 128 * steps
    x, weights = data(2, 64, k, 20, "exact")
    problem = Problem(2, 64, k, layout=FP8)
    kernel = compile_artifact(problem, f"schedule={overlapped(64, 16, 4, slices)}")
    offsets = offsets_of((17, 3))
    run = simulate(kernel, x, weights, offsets)
    assert run.ok, run.report(costs=False)
    wanted = fp8_reference.grouped_matmul(x, weights, offsets)
    assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))


@needs_both
@pytest.mark.parametrize(("fast", "extra"), [(False, 0), (True, 2)], ids=["promoted512", "fast"])
def test_numbers_of_tiles_are_late_with_promoted_sums(fast: bool, extra: int) -> None:
    """Of 40 tiles two CTAs that take numbers early take one more each in the end, and both count
    that they have ended, in each of two launches."""
    x, weights = data(2, 64, 1152, 640, "exact")
    accumulation = "fast" if fast else "promoted512"
    problem = Problem(2, 64, 1152, layout=FP8, accumulation=accumulation)
    schedule = overlapped(64, 16, 4).replace("token_step = 16", "token_step = 8")
    schedule = schedule.replace(">", ", full_tiles_first = true>")
    kernel = compile_artifact(problem, f"schedule={schedule}")
    offsets = offsets_of((620, 20))
    run = simulate(kernel, x, weights, offsets, multiprocessors=2)
    assert run.ok, run.report(costs=False)
    wanted = fp8_reference.grouped_matmul(x, weights, offsets, accumulation=accumulation)
    assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))
    tiles = -(-620 // 16) + 2
    added = run.statistics["by_opcode"]["atom.global.add.u32"]
    assert added == tiles + 2 + extra


@needs_both
@pytest.mark.parametrize("n", [64, 65])
def test_results_are_rounded_ahead_of_powers(n: int) -> None:
    """Results below 2^-126 show that the row's scale comes first, and then rounding; others are as
    if there were one rounding."""
    rng = np.random.default_rng(n)
    x = rng.integers(-2, 3, (30, 128)).astype(np.float64) * 2.0**-6
    x[:, 0] = 7  # 1/64 of 448: a scale whose products with sums are exact
    codes = rng.choice([0.0, 0.0, 0.5, -1.0], (2, n, 128))
    codes[:, :, 0] = 0
    codes *= 2.0 ** rng.integers(-126, -116, (2, n, 1))
    weights = mxfp4.pack(*mxfp4.quantize(codes.astype(np.float32)), "fp8")
    x = (x * rng.uniform(0.5, 1, (30, 1))).astype(np.float32).astype(bfloat16)
    offsets = offsets_of((12, 18))
    problem = Problem(2, n, 128, layout=FP8, accumulation="fast")
    run = simulate(compiled(problem, 30), x, weights, offsets)
    assert run.ok, run.report(costs=False)
    wanted = fp8_reference.grouped_matmul(x, weights, offsets, accumulation="fast")
    assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))
    once = fp8_reference.grouped_matmul(
        x, weights, offsets, out_dtype=np.float32, accumulation="fast"
    ).astype(bfloat16)
    differ = wanted.view(np.uint16) != once.view(np.uint16)
    least = np.abs(wanted.astype(np.float32)) <= 2.0**-126
    assert np.count_nonzero(differ) > 10
    assert not (differ & ~least).any()


@needs_both
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_exact_sums_are_exact(accumulation: str) -> None:
    """Where 13 bits hold every sum, results are those of the definition."""
    x, weights = data(3, 64, 256, 30, "exact")
    offsets = offsets_of((10, 0, 20))
    problem = Problem(3, 64, 256, layout=FP8, accumulation=accumulation)
    run = simulate(compiled(problem, 30), x, weights, offsets)
    assert run.ok
    wanted = fp8_reference.grouped_matmul(x, weights, offsets)
    assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))


@needs_both
def test_expert_ids() -> None:
    x, weights = data(3, 64, 128, 12)
    offsets, ids = offsets_of((5, 4, 3)), np.array([2, -1, 2], np.int32)
    problem = Problem(3, 64, 128, groups=3, expert_ids=True, layout=FP8)
    run = simulate(compiled(problem, 12), x, weights, offsets, ids)
    assert run.ok
    wanted = fp8_reference.grouped_matmul(x, weights, offsets, ids, accumulation="promoted512")
    assert np.array_equal(run.y.view(np.uint16), wanted.view(np.uint16))
    assert not run.y[5:9].astype(np.float32).any()


@needs_both
def test_special_rows() -> None:
    """NaN and infinities make NaN of their rows and of no others; zeros make zeros."""
    x, weights = data(1, 64, 128, 9)
    x[1, 7], x[3, 3], x[4, 5], x[6] = np.nan, np.inf, -np.inf, 0
    offsets = offsets_of((9,))
    run = simulate(compiled(Problem(1, 64, 128, layout=FP8), 9), x, weights, offsets)
    assert run.ok
    wrong = np.isnan(run.y.astype(np.float32))
    assert wrong[[1, 3, 4]].all()
    assert not wrong[[0, 2, 5, 6, 7, 8]].any()
    assert not run.y[6].astype(np.float32).any()


def test_problems_in_words() -> None:
    problem = Problem(4, 128, 256, layout=FP8, accumulation="fast")
    assert "activations=fp8 accumulation=fast" in problem.spec()
    assert Problem.parse(problem.spec()) == dataclasses.replace(problem, groups=4)
    assert Problem.parse("experts=4 n=128 k=256 activations=fp8").accumulation == "promoted512"
    for words, text in (
        ("activations=fp16", "activations must be"),
        ("accumulation=fast", "a choice with activations=fp8"),
        ("activations=fp8 accumulation=slow", "accumulation must be one of"),
        ("activations=fp8 order=spread scales=raw", "do not go with order=spread"),
        ("order=bytes", "go together"),
    ):
        with pytest.raises(Error, match=text):
            Problem.parse(f"experts=4 n=128 k=256 {words}")


def test_the_reference_refuses_what_does_not_fit() -> None:
    x, weights = data(2, 64, 128, 3)
    with pytest.raises(Error, match="accumulation must be one of"):
        fp8_reference.grouped_matmul(x, weights, offsets_of((2, 1)), accumulation="slow")
    with pytest.raises(Error, match="x has K = 64 columns"):
        fp8_reference.grouped_matmul(x[:, :64], weights, offsets_of((2, 1)))
    plain = mxfp4.pack(*mxfp4.unpack(weights))
    with pytest.raises(Error, match='must be packed with layout "fp8"'):
        fp8_reference.grouped_matmul(x, plain, offsets_of((2, 1)))
