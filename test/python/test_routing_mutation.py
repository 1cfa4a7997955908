# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Would tests of routing kernels notice? One instruction at a time is changed (`mutate`)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import mutate
import numpy as np
import pytest
import routing_cases as cases
from kernels import needs_both
from mxfp4 import Compiler, Error, routing
from mxfp4.formats import bfloat16
from mxfp4.routing_artifact import RoutingArtifact, RoutingRun, simulate_routing
from routing_cases import TopK

pytestmark = needs_both
CASE = TopK(40, 3, "softmax_selected")
# All warps of a CTA have slots, and more than 32 of them.
TOKENS = (1, 40, 680)
GOAL = 0.9
EXPLAINED = (
    (r"^immediate: (bar\.sync 0|.*shfl\.sync\.bfly)", "any number of a barrier serves"),
    (r"griddepcontrol\.launch_dependents", "kernels behind this one may start later"),
    (r"%nctaid|%ctaid\.y", "loops over a grid that is large enough run once"),
)


def expected(run: RoutingRun, wanted: dict[str, np.ndarray], error: int = 0) -> bool:
    """Whether a run is clean and gave this."""
    return (
        not run.findings
        and run.error == error
        and all(
            run.stored[name].all() and np.array_equal(run.outputs[name].ravel(), value.ravel())
            for name, value in wanted.items()
        )
    )


def close(got: np.ndarray, wanted: np.ndarray) -> bool:
    return bool((np.abs(got - wanted) <= 3e-6 * np.abs(wanted)).all())


def route(artifact: RoutingArtifact, limit: int) -> bool:
    """Whether top-k and sort are right."""
    for tokens in TOKENS:
        logits = cases.logits(np.random.default_rng(tokens), tokens, CASE)
        logits[0, 7] = np.nan
        ids, weights = routing.top_k(logits, CASE.slots, CASE.scoring)
        sorted_ = routing.sort_by_expert(ids, CASE.experts)
        wanted = {name: getattr(sorted_, name) for name in ("offsets", "tokens", "positions")}
        run = simulate_routing(artifact, tokens, max_instructions=limit, logits=logits)
        if not expected(run, {"ids": ids, **wanted}):
            return False
        if not close(run.outputs["weights"], weights):
            return False
    return True


def sort(artifact: RoutingArtifact, limit: int) -> bool:
    """Whether the sort is right, with counts if it takes them."""
    slots = artifact.manifest.problem["slots"]
    most = TOKENS[-1] if slots == CASE.slots else 4090  # with four blocks of counts for each warp
    for tokens, bad in [(1, -2), (1, CASE.experts), (1, None), (40, None), (most, None)]:
        rng = np.random.default_rng(tokens)
        ids = cases.ids(rng, tokens, CASE.experts, slots, 0.1)
        if bad is not None:
            ids[0, -1] = bad
        given = {"ids": ids}
        if "counts" in artifact.manifest.inputs:
            given["counts"] = counts_of(ids)
        wanted = routing.sort_by_expert(ids, CASE.experts)
        # One CTA goes through all parts.
        run = simulate_routing(artifact, tokens, max_instructions=limit, grid=(1, 1, 1), **given)
        names = ("offsets", "tokens", "positions")
        if not expected(run, {name: getattr(wanted, name) for name in names}, wanted.error):
            return False
    return True


def dispatch(artifact: RoutingArtifact, limit: int) -> bool:
    """Whether rows are where they belong."""
    slots, k = artifact.manifest.problem["slots"], artifact.manifest.problem["k"]
    last = 2 * slots - 1
    some = [(2, slot, at, 1) for slot, at in product(range(slots), (-2, -1, last, last + 1))]
    for tokens, slot, at, grid in [*some, (3, 0, 0, 5)]:
        rng = np.random.default_rng(slot)
        positions = rng.permutation(tokens * slots).astype(np.int32).reshape(tokens, slots)
        if tokens == 2:
            positions[positions == at] = positions[1, slot]
            positions[1, slot] = at
        x = rng.standard_normal((tokens, k)).astype(np.float32).astype(bfloat16)
        run = simulate_routing(
            artifact, tokens, max_instructions=limit, grid=(grid, 1, 1), x=x, positions=positions
        )
        error = 0 if -1 <= at <= last else 4
        if run.findings or run.error != error or not moved(run, x, positions):
            return False
    return True


def moved(run: RoutingRun, x: np.ndarray, positions: np.ndarray) -> bool:
    """Whether rows that positions name have their tokens' values, and others are not stored."""
    empty = np.full((positions.size, x.shape[1]), -1, np.int16)
    wanted = routing.dispatch(x.view(np.int16), positions, empty)
    return np.array_equal(run.outputs["out"].view(np.int16).reshape(wanted.shape), wanted)


def sort_dispatch(artifact: RoutingArtifact, limit: int) -> bool:
    """Whether rows are, and what the sort of the same kernel stores."""
    slots, k = artifact.manifest.problem["slots"], artifact.manifest.problem["k"]
    # The last with counts and ids of a block for more than one turn of all threads, which have
    # counts of up to five blocks each.
    bad_ids = product(range(slots), (-2, CASE.experts))
    some = [(2, slot, bad, 1) for slot, bad in bad_ids]
    for tokens, slot, bad, grid in [*some, (40, 0, 0, 60), (850, 0, 0, 7)]:
        rng = np.random.default_rng(tokens)
        ids = cases.ids(rng, tokens, CASE.experts, slots, 0.1)
        if tokens == 2:
            ids[0, slot] = bad
        x = rng.standard_normal((tokens, k)).astype(np.float32).astype(bfloat16)
        wanted = routing.sort_by_expert(ids, CASE.experts)
        run = simulate_routing(
            artifact, tokens, max_instructions=limit, grid=(grid, 1, 1), x=x, ids=ids,
            counts=counts_of(ids),
        )  # fmt: skip
        if run.findings or run.error != wanted.error or not moved(run, x, wanted.positions):
            return False
        for name in ("offsets", "tokens", "positions"):
            if not np.array_equal(run.outputs[name].ravel(), getattr(wanted, name).ravel()):
                return False
    return True


def counts_of(ids: np.ndarray) -> np.ndarray:
    """Of known experts; lines of no block hold values that must not matter."""
    counts = np.full((128, CASE.experts), 1 << 20, np.int32)
    blocks = routing.count_blocks(ids, CASE.experts)
    counts[: len(blocks)] = blocks
    return counts


def combine(artifact: RoutingArtifact, limit: int) -> bool:
    """Whether the sum is."""
    tokens, slots, n = 2, 3, 1096
    for slot, bad in product(range(slots), (-2, -1, 0, 5, 6, 7)):
        rng = np.random.default_rng(slot)
        rows = rng.standard_normal((tokens, slots, n)).astype(np.float32).astype(bfloat16)
        positions = rng.permutation(tokens * slots).astype(np.int32).reshape(tokens, slots)
        positions[1, slot] = bad
        weights = rng.standard_normal((tokens, slots)).astype(np.float32)
        if not 0 <= bad < 6:
            weights[1, slot] = np.inf  # which nothing is to be multiplied with
        wanted = routing.combine(rows.reshape(-1, n), positions, weights, np.float32)
        run = simulate_routing(
            artifact, tokens, max_instructions=limit, grid=(1, 1, 1) if bad == 0 else None,
            y=rows, positions=positions, weights=weights,
        )  # fmt: skip
        if not expected(run, {"out": wanted}, 0 if -1 <= bad < 6 else 4):
            return False
    return True


def trap(mutant: mutate.Mutant, ptx: str) -> str:
    return replace(mutant, after="trap;").apply(ptx)


SUBJECTS: dict[str, tuple[str, str, Callable[[RoutingArtifact, int], bool]]] = {
    "route": (cases.top_k_mlir(CASE, sort=True), "rows-hint=3", route),
    "sort": (cases.sort_mlir(CASE.experts, CASE.slots), "", sort),
    "sort with counts": (cases.sort_mlir(CASE.experts, 1, counts=True), "", sort),
    "dispatch": (cases.dispatch_mlir(3, 72), "", dispatch),
    "dispatch with the sort": (
        cases.dispatch_mlir(6, 1032, "bf16", CASE.experts),
        "rows-hint=6",
        sort_dispatch,
    ),
    "combine": (cases.combine_mlir(3, 1096, "bf16", "f32"), "", combine),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_sample_of_mutants_dies(name: str, request: pytest.FixtureRequest) -> None:
    mlir, options, is_right = SUBJECTS[name]
    with Compiler() as compiler:
        artifact = compiler.compile_routing(mlir, options)
    one_a_line = re.sub(r",\s*\n\s*|\n\t\t+", lambda m: ", " if "," in m[0] else " ", artifact.ptx)
    artifact = replace(artifact, ptx=one_a_line)
    limit = 3_000_000
    assert is_right(artifact, limit)
    every = list(mutate.mutants(artifact.ptx))
    wanted = random.Random(5).sample(every, min(len(every), request.config.getoption("--routing")))
    killed, lived = 0, []
    for mutant in wanted:
        try:
            survives = is_right(replace(artifact, ptx=mutant.apply(artifact.ptx)), limit)
        except Error:
            continue  # no PTX
        if not survives:
            killed += 1
        elif any(re.search(pattern, str(mutant)) for pattern, _ in EXPLAINED):
            continue
        elif not is_right(replace(artifact, ptx=trap(mutant, artifact.ptx)), limit):
            lived.append(f"{mutant.line}: {mutant}")  # and not what no case reaches
    share = killed / max(1, killed + len(lived))
    assert share >= GOAL, f"{share:.1%} of {len(wanted)} killed; these live:\n" + "\n".join(lived)
