# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that sort slots by expert, in the interpreter, hazards on, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import routing_cases as cases
from mxfp4 import routing
from mxfp4.routing_artifact import simulate_routing
from routing_runs import check_clean, check_sort, compiled


@pytest.mark.parametrize("sizes", [(1, 1), (8, 3), (32, 4), (128, 8), (384, 6), (1024, 22)])
def test_sort(sizes: tuple[int, int], rng: np.random.Generator) -> None:
    """Ids that an engine brings, with experts that live elsewhere, and bad ones."""
    experts, slots = sizes
    kernel = compiled(cases.sort_mlir(experts, slots))
    for tokens, missing in [(1, 0.0), (3, 1.0), (65, 0.3), (300, 0.0)]:
        ids = cases.ids(rng, tokens, experts, slots, missing)
        run = simulate_routing(kernel, tokens, ids=ids)
        check_clean(run)
        check_sort(run, ids, experts)
        bad = ids.copy()
        bad[tokens // 2, -1], bad[0, 0] = experts, -2
        run = simulate_routing(kernel, tokens, ids=bad)
        check_clean(run)
        check_sort(run, bad, experts)
        assert run.error == 2


@pytest.mark.parametrize("bad", [-2, 32, 2**31 - 1, -(2**31)])
def test_one_bad_id_is_reported_wherever_it_is(bad: int, rng: np.random.Generator) -> None:
    """Warps read 96 slots each, 32 at a time: the first, the last and some between."""
    kernel, ids = compiled(cases.sort_mlir(32, 4)), cases.ids(rng, 700, 32, 4, 0.1)
    for place in [0, 33, 64, 95, 96, *rng.integers(97, 2799, 3), 2799]:
        given = ids.copy()
        given.flat[place] = bad
        run = simulate_routing(kernel, 700, ids=given)
        check_clean(run)
        check_sort(run, given, 32)
        assert run.error == 2, place


def check_two_sorts(
    ids: np.ndarray, experts: int, seed: int = 1, grid: tuple[int, int, int] | None = None
) -> dict[str, bytes]:
    """An engine's ids by two kernels on many SMs, against numpy; the bits."""
    tokens, slots = ids.shape
    first = compiled(cases.count_mlir(experts, slots))
    second = compiled(cases.sort_mlir(experts, slots, counts=True))
    run = simulate_routing(first, tokens, ids=ids, seed=seed, grid=grid)
    check_clean(run, "counts")
    counts, blocks = run.outputs["counts"], routing.count_blocks(ids, experts)
    assert np.array_equal(counts[: len(blocks)], blocks)
    assert run.stored["counts"].sum() == blocks.size
    # Lines of no block hold values that must not matter.
    run = simulate_routing(second, tokens, ids=ids, counts=counts, seed=seed, grid=grid)
    check_clean(run)
    check_sort(run, ids, experts)
    return {name: run.outputs[name].tobytes() for name in ("offsets", "tokens", "positions")}


@pytest.mark.parametrize("sizes", [(1, 1), (8, 3), (32, 4), (128, 8), (384, 6), (1024, 22)])
def test_sort_by_two_kernels(sizes: tuple[int, int], rng: np.random.Generator) -> None:
    """Ids that an engine brings, with experts that live elsewhere, and bad ones."""
    experts, slots = sizes
    for tokens, missing in [(1, 0.0), (65, 0.3), (97, 1.0), (300, 0.0)]:
        ids = cases.ids(rng, tokens, experts, slots, missing)
        check_two_sorts(ids, experts)
        ids[tokens // 2, -1], ids[0, 0] = experts, -2
        check_two_sorts(ids, experts)


@pytest.mark.parametrize("grid", [None, 1, 3, 200])
def test_sort_by_two_kernels_with_any_grid(grid: int | None, rng: np.random.Generator) -> None:
    """Blocks of 64 tokens, and equal bits whatever the grid and the order of warps."""
    ids = cases.ids(rng, 4100, 8, 2, 0.1)
    blocks = None if grid is None else (grid, 1, 1)
    runs = [check_two_sorts(ids, 8, seed, blocks) for seed in (1, 2)]
    assert runs[0] == runs[1]
    one = simulate_routing(compiled(cases.sort_mlir(8, 2)), 4100, ids=ids)
    assert {name: one.outputs[name].tobytes() for name in runs[0]} == runs[0]


def test_sort_by_two_kernels_of_equal_ids() -> None:
    """All slots of one expert, in several blocks: their order alone decides."""
    check_two_sorts(np.full((700, 4), 5, np.int32), 32)


def test_sort_of_equal_ids(rng: np.random.Generator) -> None:
    """All slots of one expert: their order alone decides."""
    ids = np.full((700, 4), 5, np.int32)
    run = simulate_routing(compiled(cases.sort_mlir(32, 4)), 700, ids=ids)
    check_clean(run)
    check_sort(run, ids, 32)


def test_no_tokens() -> None:
    """Offsets are zeros."""
    kernel = compiled(cases.sort_mlir(32, 4))
    run = simulate_routing(kernel, 0, ids=np.zeros((0, 4), np.int32))
    assert run.findings == []
    assert not run.outputs["offsets"].any()
    assert run.stored["offsets"].all()
    counting = compiled(cases.count_mlir(32, 4))
    run = simulate_routing(counting, 0, ids=np.zeros((0, 4), np.int32))
    assert run.findings == []
    assert not run.stored["counts"].any()
    kernel, counts = compiled(cases.sort_mlir(32, 4, counts=True)), run.outputs["counts"]
    run = simulate_routing(kernel, 0, ids=np.zeros((0, 4), np.int32), counts=counts)
    assert run.findings == []
    assert not run.outputs["offsets"].any()
