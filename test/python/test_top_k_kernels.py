# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of top-k, alone and with the sort, in the interpreter, hazards on, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import routing_cases as cases
from mxfp4 import routing
from mxfp4.routing_artifact import simulate_routing
from routing_cases import TopK
from routing_runs import (
    FUSED,
    TOP_K,
    VARIANTS,
    check_clean,
    check_sort,
    check_top_k,
    compiled,
    inputs,
)


@pytest.mark.parametrize("case", FUSED, ids=str)
@pytest.mark.parametrize("tokens", [1, 3, 64, 65])
def test_route(case: TopK, tokens: int, rng: np.random.Generator) -> None:
    """Top-k and sort in one launch."""
    kernel = compiled(cases.top_k_mlir(case, sort=True), f"rows-hint={case.slots}")
    assert kernel.manifest.operation == "route"
    assert kernel.manifest.grid(tokens) == (1, 1, 1)
    given = inputs(rng, tokens, case)
    run = simulate_routing(kernel, tokens, **given)
    check_clean(run)
    check_top_k(run, case, given["logits"], given.get("bias", np.zeros(0)))
    check_sort(run, run.outputs["ids"], case.experts)


@pytest.mark.parametrize("slots", range(1, 9))
def test_every_number_of_slots(slots: int, rng: np.random.Generator) -> None:
    """With as many experts at the end."""
    case = TopK(8, slots, "softmax", renormalize=True)
    kernel = compiled(cases.top_k_mlir(case, sort=True), "rows-hint=1")
    given = inputs(rng, 65, case)
    run = simulate_routing(kernel, 65, **given)
    check_clean(run)
    check_top_k(run, case, given["logits"], np.zeros(0))
    check_sort(run, run.outputs["ids"], case.experts)


def test_route_of_many_tokens(rng: np.random.Generator) -> None:
    """Whatever the hint said."""
    case = TopK(32, 4)
    given = inputs(rng, 1500, case)
    kernel = compiled(cases.top_k_mlir(case, sort=True), "rows-hint=4")
    run = simulate_routing(kernel, 1500, **given)
    check_clean(run)
    check_top_k(run, case, given["logits"], np.zeros(0))
    check_sort(run, run.outputs["ids"], case.experts)


@pytest.mark.parametrize("case", TOP_K, ids=str)
def test_two_kernels(case: TopK, rng: np.random.Generator) -> None:
    """Top-k that counts, and the sort that reads the counts."""
    first = compiled(cases.top_k_mlir(case, counts=True))
    second = compiled(cases.sort_mlir(case.experts, case.slots, counts=True))
    for tokens in (1, 65, 300):
        given = inputs(rng, tokens, case)
        run = simulate_routing(first, tokens, **given)
        check_clean(run, "counts")
        check_top_k(run, case, given["logits"], given.get("bias", np.zeros(0)))
        ids, counts = run.outputs["ids"], run.outputs["counts"]
        blocks = routing.count_blocks(ids, case.experts)
        assert np.array_equal(counts[: len(blocks)], blocks)
        assert run.stored["counts"].sum() == blocks.size
        # Lines of no block hold values that must not matter.
        run = simulate_routing(second, tokens, ids=ids, counts=counts)
        check_clean(run)
        check_sort(run, ids, case.experts)


@pytest.mark.parametrize("grid", [1, 3, 200])
def test_any_grid_is_correct(grid: int, rng: np.random.Generator) -> None:
    """Blocks of 64 tokens, which is what 4097 tokens and more lead to."""
    case, tokens = TopK(8, 1), 4100
    given = inputs(rng, tokens, case)
    first = compiled(cases.top_k_mlir(case, counts=True))
    run = simulate_routing(first, tokens, grid=(grid, 1, 1), **given)
    check_clean(run, "counts")
    check_top_k(run, case, given["logits"], np.zeros(0))
    ids, counts = run.outputs["ids"], run.outputs["counts"]
    blocks = routing.count_blocks(ids, case.experts)
    assert len(blocks) == 65
    assert np.array_equal(counts[:65], blocks)
    second = compiled(cases.sort_mlir(case.experts, case.slots, counts=True))
    run = simulate_routing(second, tokens, grid=(grid, 1, 1), ids=ids, counts=counts)
    check_clean(run)
    check_sort(run, ids, case.experts)


@pytest.mark.parametrize("scoring", routing.SCORINGS)
def test_ranks(scoring: str) -> None:
    """Equal logits, zeros of both signs, infinities and NaN, over two of a lane's experts."""
    case = TopK(40, 8, scoring, dtype="f32")
    logits = np.full((1, 40), -9.0, np.float32)
    logits[0, [3, 35, 4, 36, 5, 37, 0]] = [np.nan, 0.0, -0.0, 1.0, np.nan, 1.0, np.inf]
    run = simulate_routing(compiled(cases.top_k_mlir(case)), 1, logits=logits)
    check_clean(run)
    assert run.outputs["ids"].tolist() == [[0, 36, 37, 4, 35, 1, 2, 6]]
    case = TopK(3, 3, scoring, dtype="f32")
    logits = np.array([[np.nan, -np.inf, np.nan]], np.float32)
    run = simulate_routing(compiled(cases.top_k_mlir(case)), 1, logits=logits)
    assert run.outputs["ids"].tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("scoring", routing.SCORINGS)
def test_extreme_logits(scoring: str) -> None:
    """Far from 0 nothing overflows, and what is small stays accurate."""
    case = TopK(6, 4, scoring, dtype="f32")
    logits = np.array([[200, 100, 30, -30, -60, -200], [-30, -31, -32, -33, -34, -80],
                       [1e30, -1e30, 0, 1, 2, 3]], np.float32)  # fmt: skip
    run = simulate_routing(compiled(cases.top_k_mlir(case)), 3, logits=logits)
    check_clean(run)
    check_top_k(run, case, logits, np.zeros(0))


def test_scores_far_below_zero() -> None:
    """The root of softplus is a normal number where the exponential is none."""
    case = TopK(40, 8, "sqrt_softplus", renormalize=True, dtype="f32")
    logits = np.array([np.full(40, x) - np.arange(40) / 4 for x in (-16, -60, -83, -100, -160)])
    logits = logits.astype(np.float32)
    run = simulate_routing(compiled(cases.top_k_mlir(case)), 5, logits=logits)
    check_clean(run)
    check_top_k(run, case, logits, np.zeros(0))


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1.0, -3.0], np.float32)


@pytest.mark.parametrize("scoring", routing.SCORINGS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("sizes", [(1, 1), (7, 7), (33, 5), (160, 6)])
def test_special_logits(
    scoring: str,
    variant: tuple[bool, bool, float, str],
    sizes: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """NaN and infinities among a token's logits, selected or not: weights as numpy has them."""
    case = TopK(*sizes, scoring, *variant)
    logits = rng.choice(SPECIAL, (64, case.experts))
    for row, value in enumerate(SPECIAL):
        logits[row] = value  # all equal
        logits[8 + row] = rng.integers(-128, 128, case.experts) / 32
        logits[8 + row, rng.integers(case.experts)] = value  # one among ordinary ones
    given = {"logits": logits.astype(case.numpy_dtype())}
    if case.bias:
        given["bias"] = rng.choice(SPECIAL[2:], case.experts)
    run = simulate_routing(compiled(cases.top_k_mlir(case)), 64, **given)
    check_clean(run)
    check_top_k(run, case, given["logits"], given.get("bias", np.zeros(0)))


def test_nothing_to_renormalize_by() -> None:
    """Where all selected scores are 0, weights are."""
    case = TopK(8, 2, "sigmoid", renormalize=True, dtype="f32")
    logits = np.full((1, 8), -np.inf, np.float32)
    run = simulate_routing(compiled(cases.top_k_mlir(case)), 1, logits=logits)
    assert run.outputs["weights"].tolist() == [[0.0, 0.0]]


def test_equal_calls_give_equal_bits(rng: np.random.Generator) -> None:
    """Whatever the order in which warps run."""
    case = TopK(128, 4, "softmax")
    given = inputs(rng, 100, case)
    kernel = compiled(cases.top_k_mlir(case, sort=True), "rows-hint=4")
    runs = [simulate_routing(kernel, 100, seed=seed, **given) for seed in (1, 2, 3)]
    for run in runs:
        for name in kernel.manifest.outputs:
            assert run.outputs[name].tobytes() == runs[0].outputs[name].tobytes()


@pytest.mark.parametrize("scoring", ["softmax", "softmax_selected", "sigmoid"])
def test_scores_below_the_least_normal_number_are_zero(scoring: str) -> None:
    """And their experts are selected in order all the same."""
    logits = np.array([[-88.6, -88, 0, -87.5, -87, -100, -1, -87.9]], np.float32)
    kernel = compiled(cases.top_k_mlir(TopK(8, 8, scoring, dtype="f32")), "")
    run = simulate_routing(kernel, 1, logits=logits)
    check_clean(run)
    assert run.outputs["ids"].tolist() == [[2, 6, 4, 3, 7, 1, 0, 5]]
    weights = run.outputs["weights"][0]
    assert (weights[:3] >= 2.0**-126).all()
    assert not weights[3:].any()
