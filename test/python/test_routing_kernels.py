# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of routing and combination in the interpreter, hazards on, against numpy."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import routing_cases as cases
from mxfp4 import Artifact, Compiler, Error, routing
from mxfp4.compile import find_ptxas
from mxfp4.formats import bfloat16
from mxfp4.routing_artifact import (
    RoutingArtifact,
    RoutingManifest,
    RoutingRun,
    simulate_routing,
)
from routing_cases import TopK

VARIANTS = [  # bias, renormalize, scale, logits
    (False, False, 1.0, "bf16"),
    (True, True, 2.5, "f32"),
    (False, True, 1.0, "f32"),
    (True, False, 1.0, "bf16"),
]
SIZES = [(8, 2), (32, 4), (100, 1), (128, 8), (384, 6), (640, 16)]
TOP_K = [
    TopK(*SIZES[i % len(SIZES)], scoring, *variant)
    for i, (scoring, variant) in enumerate(product(routing.SCORINGS, VARIANTS))
] + [TopK(experts, slots) for experts, slots in SIZES]
FUSED = [case for case in TOP_K if case.experts <= 512]


@cache
def compiled(mlir: str, options: str = "") -> RoutingArtifact:
    with Compiler() as compiler:
        return compiler.compile_routing(mlir, options)


def check_clean(run: RoutingRun, *partly: str) -> None:
    assert run.findings == []
    for name, stored in run.stored.items():
        assert name in partly or stored.all(), name


def check_top_k(run: RoutingRun, case: TopK, logits: np.ndarray, bias: np.ndarray) -> None:
    wanted, weights = routing.top_k(
        logits, case.slots, case.scoring, bias if case.bias else None, case.renormalize, case.scale
    )
    assert np.array_equal(run.outputs["ids"], wanted)
    cases.check_weights(run.outputs["weights"], weights)


def check_sort(run: RoutingRun, ids: np.ndarray, experts: int) -> None:
    wanted = routing.sort_by_expert(ids, experts)
    for name in ("offsets", "tokens", "positions"):
        assert np.array_equal(run.outputs[name].ravel(), getattr(wanted, name).ravel()), name
    assert run.error == wanted.error


def inputs(rng: np.random.Generator, tokens: int, case: TopK) -> dict[str, np.ndarray]:
    found = {"logits": cases.logits(rng, tokens, case)}
    if case.bias:
        found["bias"] = cases.bias(rng, case)
    return found


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


DTYPES = {"bf16": bfloat16, "f32": np.float32}


@pytest.mark.parametrize("types", [*product(DTYPES, repeat=2)], ids="-".join)
@pytest.mark.parametrize(
    "sizes", [(1, 7), (1, 2880), (2, 64), (3, 40), (4, 2880), (6, 36), (8, 4096), (22, 2)]
)
def test_combine(types: tuple[str, str], sizes: tuple[int, int], rng: np.random.Generator) -> None:
    """Bit for bit, with slots that have no row; rows of these are not read."""
    slots, n = sizes
    kernel = compiled(cases.combine_mlir(slots, n, *types))
    for tokens in (1, 3, 17):  # the last of several tokens of a thread may be missing
        rows = rng.standard_normal((tokens, slots, n)).astype(np.float32).astype(DTYPES[types[0]])
        positions = rng.permutation(tokens * slots).astype(np.int32).reshape(tokens, slots)
        positions[rng.random(positions.shape) < 0.2] = -1
        weights = rng.standard_normal((tokens, slots)).astype(np.float32)
        bad = tokens == 3
        if bad:
            positions[1, 0], positions[2, -1] = -7, tokens * slots
        run = simulate_routing(kernel, tokens, y=rows, positions=positions, weights=weights)
        check_clean(run)
        wanted = routing.combine(rows.reshape(-1, n), positions, weights, DTYPES[types[1]])
        assert run.outputs["out"].tobytes() == wanted.tobytes()
        assert run.error == (4 if bad else 0)


def test_combine_does_not_read_missing_rows() -> None:
    """A row without a position may hold anything, NaN too."""
    kernel = compiled(cases.combine_mlir(2, 64))
    rows = np.full((1, 2, 64), np.nan, np.float32).astype(bfloat16)
    rows[0, 1] = 1.0
    run = simulate_routing(
        kernel, 1, y=rows, positions=np.array([[-1, 1]], np.int32),
        weights=np.array([[np.inf, 0.5]], np.float32),
    )  # fmt: skip
    assert (run.outputs["out"].astype(np.float32) == 0.5).all()


def test_equal_calls_give_equal_bits(rng: np.random.Generator) -> None:
    """Whatever the order in which warps run."""
    case = TopK(128, 4, "softmax")
    given = inputs(rng, 100, case)
    kernel = compiled(cases.top_k_mlir(case, sort=True), "rows-hint=4")
    runs = [simulate_routing(kernel, 100, seed=seed, **given) for seed in (1, 2, 3)]
    for run in runs:
        for name in kernel.manifest.outputs:
            assert run.outputs[name].tobytes() == runs[0].outputs[name].tobytes()


def test_manifest(tmp_path: Path) -> None:
    """Arguments in order, saved and loaded; a launcher of matmuls refuses it."""
    kernel = compiled(cases.top_k_mlir(TopK(32, 4, "sigmoid", True, True, 2.5), counts=True))
    kernel.save(tmp_path)
    m = RoutingArtifact.load(tmp_path).manifest
    assert m == kernel.manifest
    assert [a.name for a in m.arguments] == ["logits", "bias", "ids", "weights", "counts", "rows"]
    assert m.problem == {"slots": 4, "experts": 32, "logits": "bf16", "scoring": "sigmoid",
                         "bias": True, "renormalize": True, "scale": 2.5}  # fmt: skip
    assert m.grid(1) == (1, 1, 1)
    assert m.grid(65) == (3, 1, 1)
    assert m.inputs == ("logits", "bias")
    assert m.outputs == ("ids", "weights", "counts")
    with pytest.raises(Error, match="kernel of 'top_k', not a grouped matmul"):
        Artifact.load(tmp_path)
    m = compiled(cases.combine_mlir(4, 2880)).manifest
    assert [(a.name, a.shape) for a in m.arguments[:4]] == [
        ("y", ("rows", 4, 2880)), ("positions", ("rows", 4)), ("weights", ("rows", 4)),
        ("out", ("rows", 2880)),
    ]  # fmt: skip
    assert m.grid(7) == (7, 3, 1)
    assert m.block == (128, 1, 1)
    # Of few slots a thread has several tokens, four loads together.
    grids = [compiled(cases.combine_mlir(slots, 2880)).manifest.grid(7) for slots in (1, 2, 3)]
    assert grids == [(2, 3, 1), (4, 3, 1), (7, 3, 1)]
    m = compiled(cases.sort_mlir(32, 4)).manifest
    assert [a.name for a in m.arguments] == ["ids", "offsets", "tokens", "positions", "error",
                                             "rows"]  # fmt: skip
    m = compiled(cases.count_mlir(32, 4)).manifest
    assert (m.operation, m.inputs, m.outputs) == ("count_by_expert", ("ids",), ("counts",))
    assert (m.grid(0), m.grid(65)) == ((1, 1, 1), (3, 1, 1))
    assert m.problem == {"slots": 4, "experts": 32}
    assert json.loads((tmp_path / "manifest.json").read_text())["function"] == "top_k"


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"operation": "route_all"}, {"launch": {}}, {"arguments": [{}]},
     {"arguments": [{"name": "ids", "kind": "pointer", "provider": "caller", "dtype": "i32",
                     "align": 4, "shape": [4, "rows"]}]}],
)  # fmt: skip
def test_damaged_manifests(change: dict[str, object]) -> None:
    """Refused, with what is wrong."""
    raw = {**compiled(cases.sort_mlir(32, 4)).manifest.raw, **change}
    with pytest.raises(Error, match="manifest: "):
        RoutingManifest.parse(json.dumps(raw))


def test_wrong_inputs() -> None:
    """Names, shapes and types."""
    kernel = compiled(cases.sort_mlir(32, 4))
    with pytest.raises(Error, match=r"sort_by_expert takes \['ids'\], got \[\]"):
        simulate_routing(kernel, 1)
    with pytest.raises(Error, match=r"ids must be i32 \[1, 4\], got int32 \[2, 4\]"):
        simulate_routing(kernel, 1, ids=np.zeros((2, 4), np.int32))


def test_one_kernel_an_artifact() -> None:
    """The compiler says what it found instead."""
    mlir = cases.top_k_mlir(TopK(32, 4), sort=True)
    with pytest.raises(Error, match=r"got 0 and one mxfp4.top_k and one mxfp4.sort"):
        compiled(mlir, "rows-hint=2048")
    with pytest.raises(Error, match="requires at most 1024 experts to become a kernel"):
        compiled(cases.sort_mlir(1025, 4))


@pytest.mark.slow
@pytest.mark.skipif(find_ptxas() is None, reason="ptxas was not found")
def test_nothing_spills() -> None:
    """All kernels of this file keep their values in registers."""
    kernels = {f"top_k {case}": (cases.top_k_mlir(case, counts=True), "") for case in TOP_K}
    kernels |= {
        f"route {case}": (cases.top_k_mlir(case, sort=True), f"rows-hint={case.slots}")
        for case in FUSED[::4]
    }
    for (experts, slots), counts in product([*SIZES, (1024, 22)], (False, True)):
        kernels[f"sort {experts} {counts}"] = (cases.sort_mlir(experts, slots, counts), "")
        kernels[f"count {experts}"] = (cases.count_mlir(experts, slots), "")
    for (slots, n), types in product(
        [(1, 2880), (4, 2880), (8, 4096), (22, 1024)], product(DTYPES, repeat=2)
    ):
        kernels[f"combine {slots} {types}"] = (cases.combine_mlir(slots, n, *types), "")
    with Compiler() as compiler:
        for name, (mlir, options) in kernels.items():
            found = compiler.assemble(compiled(mlir, options).ptx)
            assert (found["spill_bytes"], found["stack_bytes"]) == (0, 0), name
