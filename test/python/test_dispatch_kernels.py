# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that bring tokens into the order of experts, alone and with the sort, in the interpreter,
hazards on, against numpy: bits, and what is stored."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import routing_cases as cases
from kernels import needs_both
from mxfp4 import Compiler, Error, fp8, layer_steps, routing
from mxfp4.bench.models import MODELS
from mxfp4.compile import find_ptxas
from mxfp4.formats import bfloat16
from mxfp4.layer_steps import FEW_EXPERTS_COUNTED, FEW_SLOTS_COUNTED
from mxfp4.routing_artifact import RoutingArtifact, RoutingRun, simulate_routing
from routing_runs import compiled

pytestmark = needs_both
DTYPES = {"bf16": bfloat16, "f32": np.float32, "fp8": bfloat16, "fp8 once": bfloat16}
QUANTIZES, ONCE = "quantize_rows", "fp8 once"
ALONE = {"bf16": "dispatch", "f32": "dispatch", "fp8": QUANTIZES, ONCE: QUANTIZES}
WITH_SORT = {"bf16": "sort_dispatch", "f32": "sort_dispatch", "fp8": "sort_quantize",
             ONCE: "sort_quantize"}  # fmt: skip


def values(rng: np.random.Generator, tokens: int, k: int, kind: str) -> np.ndarray:
    """With zeros of both signs, infinities and NaN, whose bits are kept."""
    x = rng.standard_normal((tokens, k)).astype(np.float32).astype(DTYPES[kind])
    x[:, : min(k, 4)] = np.array([-0.0, np.inf, 0.0, np.nan])[: min(k, 4)]
    x[1::2, : min(k, 4)] = 1
    return x


def check_rows(run: RoutingRun, kind: str, x: np.ndarray, positions: np.ndarray) -> None:
    """Rows that a position names, and no others, have what their token has."""
    flat = positions.ravel()
    named = np.zeros(flat.size, bool)
    named[flat[(flat >= 0) & (flat < flat.size)]] = True

    def check(name: str, wanted: np.ndarray) -> None:
        got, stored = run.outputs[name], run.stored[name]
        shape = (flat.size, *wanted.shape[1:])
        bits = np.uint8 if wanted.dtype.itemsize == 1 else f"u{wanted.dtype.itemsize}"
        unnamed = np.zeros(shape, wanted.dtype)
        rows = routing.dispatch(wanted, positions, unnamed)
        assert np.array_equal(
            got.reshape(shape).view(bits)[named], rows.view(bits)[named]
        ), name  # fmt: skip
        assert np.array_equal(stored.reshape(flat.size, -1).all(axis=1), named), name
        assert not stored.reshape(flat.size, -1)[~named].any(), name

    if "fp8" not in kind:
        return check("out", x)
    quantized = fp8.quantize_rows(x)
    if kind == ONCE:
        assert run.outputs["codes"].tobytes() == quantized.codes.tobytes()
        assert run.stored["codes"].all()
    else:
        check("codes", quantized.codes)
    return check("scales", quantized.scales)


def counts_of(ids: np.ndarray, experts: int) -> np.ndarray:
    """Lines of no block hold values that must not matter."""
    counts = np.full((128, experts), 1 << 20, np.int32)
    blocks = routing.count_blocks(ids, experts)
    counts[: len(blocks)] = blocks
    return counts


def check_with_sort(
    kernel: RoutingArtifact, kind: str, x: np.ndarray, ids: np.ndarray, **options: Any
) -> dict[str, bytes]:
    """Everything that the kernel stores; the bits."""
    experts = kernel.manifest.problem["experts"]
    run = simulate_routing(
        kernel, len(ids), x=x, ids=ids, counts=counts_of(ids, experts), **options
    )
    assert run.findings == []
    wanted = routing.sort_by_expert(ids, experts)
    for name in ("offsets", "tokens", "positions"):
        assert run.stored[name].all(), name
        assert np.array_equal(run.outputs[name].ravel(), getattr(wanted, name).ravel()), name
    assert run.error == wanted.error
    check_rows(run, kind, x, wanted.positions)
    return {name: run.outputs[name].tobytes() for name in kernel.manifest.outputs}


@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize(
    "sizes", [(1, 7), (1, 2880), (2, 64), (3, 40), (4, 2880), (6, 36), (8, 4096), (22, 2), (5, 1)]
)
def test_dispatch(kind: str, sizes: tuple[int, int], rng: np.random.Generator) -> None:
    """Rows that no position names are not stored."""
    slots, k = sizes
    kernel = compiled(cases.dispatch_mlir(slots, k, kind))
    assert kernel.manifest.operation == ALONE[kind]
    for tokens in (1, 3, 17):
        x = values(rng, tokens, k, kind)
        positions = rng.permutation(tokens * slots).astype(np.int32).reshape(tokens, slots)
        positions[rng.random(positions.shape) < 0.2] = -1
        bad = tokens == 3
        if bad:
            positions[1, 0], positions[2, -1] = -7, tokens * slots
        run = simulate_routing(kernel, tokens, x=x, positions=positions)
        assert run.findings == []
        check_rows(run, kind, x, positions)
        assert run.error == (4 if bad else 0)


@pytest.mark.parametrize("kind", WITH_SORT)
@pytest.mark.parametrize(
    "sizes", [(1, 1, 8), (8, 3, 40), (128, 4, 2880), (100, 1, 64), (130, 6, 7), (256, 8, 96)]
)
def test_with_sort(kind: str, sizes: tuple[int, int, int], rng: np.random.Generator) -> None:
    """Ids that an engine brings, with experts that live elsewhere, and bad ones."""
    experts, slots, k = sizes
    kernel = compiled(cases.dispatch_mlir(slots, k, kind, experts), "rows-hint=1")
    assert kernel.manifest.operation == WITH_SORT[kind]
    for tokens, missing in [(1, 0.0), (3, 1.0), (33, 0.3), (65, 0.0), (150, 0.3)]:
        ids = cases.ids(rng, tokens, experts, slots, missing)
        x = values(rng, tokens, k, kind)
        check_with_sort(kernel, kind, x, ids)
        ids[tokens // 2, -1], ids[0, 0] = experts, -2
        check_with_sort(kernel, kind, x, ids)


@pytest.mark.parametrize("grid", [None, 1, 3, 200])
def test_any_grid_is_correct(grid: int | None, rng: np.random.Generator) -> None:
    """Blocks of 64 tokens, and equal bits whatever the grid and the order of warps."""
    kernel = compiled(cases.dispatch_mlir(2, 8, "bf16", 8), "rows-hint=2")
    ids, x = cases.ids(rng, 4100, 8, 2, 0.1), values(rng, 4100, 8, "bf16")
    blocks = None if grid is None else (grid, 1, 1)
    runs = [check_with_sort(kernel, "bf16", x, ids, seed=seed, grid=blocks) for seed in (1, 2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("kind", WITH_SORT)
@pytest.mark.parametrize("tokens", [1, 40])
def test_one_cta(kind: str, tokens: int, rng: np.random.Generator) -> None:
    """It goes through all tokens, and stores the offsets that are left."""
    kernel = compiled(cases.dispatch_mlir(4, 64, kind, 200), "rows-hint=4")
    ids, x = cases.ids(rng, tokens, 200, 4, 0.2), values(rng, tokens, 64, kind)
    check_with_sort(kernel, kind, x, ids, grid=(1, 1, 1))
    plain = compiled(cases.dispatch_mlir(4, 64, kind))
    positions = routing.sort_by_expert(ids, 200).positions
    run = simulate_routing(plain, tokens, x=x, positions=positions, grid=(1, 1, 1))
    assert run.findings == []
    check_rows(run, kind, x, positions)


@pytest.mark.parametrize("kind", ["bf16", "fp8"])
@pytest.mark.parametrize("name", MODELS)
def test_sizes_of_models(kind: str, name: str, rng: np.random.Generator) -> None:
    """How warps share a row and its sums follows from all of a layer's sizes."""
    model = MODELS[name]
    few = model.experts <= FEW_EXPERTS_COUNTED and model.top <= FEW_SLOTS_COUNTED
    x, ids = values(rng, 3, model.hidden, kind), cases.ids(rng, 3, model.experts, model.top)
    if few:
        text = cases.dispatch_mlir(model.top, model.hidden, kind, model.experts)
        check_with_sort(compiled(text, "rows-hint=1"), kind, x, ids)
        return
    kernel = compiled(cases.dispatch_mlir(model.top, model.hidden, kind))
    positions = routing.sort_by_expert(ids, model.experts).positions
    run = simulate_routing(kernel, 3, x=x, positions=positions)
    assert run.findings == []
    check_rows(run, kind, x, positions)


@pytest.mark.parametrize("kind", WITH_SORT)
@pytest.mark.parametrize("experts", [35, 70])
def test_a_cta_without_a_token(kind: str, experts: int, rng: np.random.Generator) -> None:
    """It stores offsets alone, from sums of three warps that nothing is stored behind."""
    kernel = compiled(cases.dispatch_mlir(2, 2880, kind, experts), "rows-hint=2")
    ids, x = cases.ids(rng, 2, experts, 2), values(rng, 2, 2880, kind)
    check_with_sort(kernel, kind, x, ids, grid=(3, 1, 1))


def test_equal_ids() -> None:
    """All slots of one expert, of one token too: their order alone decides."""
    kernel = compiled(cases.dispatch_mlir(4, 8, "bf16", 32), "rows-hint=4")
    x = np.arange(700 * 8, dtype=np.float32).reshape(700, 8).astype(bfloat16)
    check_with_sort(kernel, "bf16", x, np.full((700, 4), 5, np.int32))


def shifted(ids: np.ndarray, experts: int, by: int) -> tuple[np.ndarray, routing.Routing]:
    """Counts of other ids, with `by` slots more of expert 0 in the first block; what a sort makes
    of them. None of `ids` is 0, so that all rows are shifted alike, and no two slots share one."""
    counts, wanted = counts_of(ids, experts), routing.sort_by_expert(ids, experts)
    counts[0, 0] = by
    rows = wanted.positions.astype(np.int64) + by
    exists = (wanted.positions >= 0) & (rows >= 0) & (rows < ids.size)
    offsets = wanted.offsets + np.where(np.arange(experts + 1) > 0, by, 0).astype(np.int32)
    tokens = np.full(ids.size, -1, np.int32)
    tokens[rows[exists]] = np.nonzero(exists)[0]
    # What lies behind the number of rows in use, which is an unsigned number.
    tokens[min(int(offsets[-1:].view(np.uint32)[0]), ids.size) :] = 0
    positions = np.where(exists, rows, -1).astype(np.int32)
    lost = ((wanted.positions >= 0) & ~exists).any()
    return counts, routing.Routing(offsets, tokens, positions, 4 if lost else 0)


STALE = [0, 1, -1, 3, 250, -250, 1 << 20, -(1 << 20), (1 << 31) - 1, -(1 << 31)]


@pytest.mark.parametrize("by", STALE)
@pytest.mark.parametrize("kind", [*WITH_SORT, "sort alone"])
def test_counts_of_other_ids(kind: str, by: int, rng: np.random.Generator) -> None:
    """Nothing is stored outside of the rows, and an error says that slots have none."""
    experts, slots, k = 16, 4, 8
    alone = kind == "sort alone"
    kernel = compiled(cases.sort_mlir(experts, slots, counts=True)) if alone else compiled(
        cases.dispatch_mlir(slots, k, kind, experts), "rows-hint=4"
    )  # fmt: skip
    for tokens, missing in [(1, 0.0), (70, 0.0), (70, 0.4)]:
        ids = 1 + cases.ids(rng, tokens, experts - 1, slots, missing)
        ids[ids == 0] = -1
        counts, wanted = shifted(ids, experts, by)
        inputs = {"ids": ids, "counts": counts}
        if not alone:
            inputs["x"] = values(rng, tokens, k, kind)
        run = simulate_routing(kernel, tokens, **inputs)
        assert run.findings == []
        assert run.error == wanted.error
        assert np.array_equal(run.outputs["offsets"], wanted.offsets)
        assert np.array_equal(run.outputs["positions"], wanted.positions)
        stored = run.stored["tokens"].reshape(ids.size)
        assert np.array_equal(stored, wanted.tokens >= 0)
        assert np.array_equal(run.outputs["tokens"].reshape(-1)[stored], wanted.tokens[stored])
        if not alone:
            check_rows(run, kind, inputs["x"], wanted.positions)


@pytest.mark.parametrize("kind", WITH_SORT)
def test_no_tokens(kind: str) -> None:
    """Offsets are zeros."""
    kernel = compiled(cases.dispatch_mlir(4, 64, kind, 200), "rows-hint=4")
    x, ids = np.zeros((0, 64), bfloat16), np.zeros((0, 4), np.int32)
    counts = np.full((128, 200), 7, np.int32)
    if kind == "f32":
        x = x.astype(np.float32)
    run = simulate_routing(kernel, 0, x=x, ids=ids, counts=counts)
    assert run.findings == []
    assert run.stored["offsets"].all()
    assert not run.outputs["offsets"].any()
    plain = compiled(cases.dispatch_mlir(4, 64, kind))
    assert simulate_routing(plain, 0, x=x, positions=ids).findings == []


def test_manifest() -> None:
    """Arguments in order; a CTA for each token."""
    m = compiled(cases.dispatch_mlir(4, 2880)).manifest
    assert [(a.name, a.shape) for a in m.arguments[:3]] == [
        ("x", ("rows", 2880)), ("positions", ("rows", 4)), ("out", ("rows", 4, 2880)),
    ]  # fmt: skip
    assert (m.inputs, m.outputs) == (("x", "positions"), ("out",))
    assert m.problem == {"slots": 4, "k": 2880, "input": "bf16"}
    assert (m.grid(7), m.block) == ((7, 1, 1), (96, 1, 1))
    m = compiled(cases.dispatch_mlir(4, 2880, "bf16", 32), "rows-hint=4").manifest
    assert m.inputs == ("x", "ids", "counts")
    assert m.outputs == ("offsets", "tokens", "positions", "out")
    assert m.problem == {"slots": 4, "k": 2880, "input": "bf16", "experts": 32}
    m = compiled(cases.dispatch_mlir(4, 2880, "fp8", 32), "rows-hint=4").manifest
    assert m.outputs == ("offsets", "tokens", "positions", "codes", "scales")
    assert m.problem == {"slots": 4, "k": 2880, "experts": 32}
    m = compiled(cases.dispatch_mlir(4, 2880, ONCE)).manifest
    assert [(a.name, a.shape) for a in m.arguments[:4]] == [
        ("x", ("rows", 2880)), ("positions", ("rows", 4)), ("codes", ("rows", 2880)),
        ("scales", ("rows", 4)),
    ]  # fmt: skip


# Kinds, slots, experts, and tokens from which on there are two kernels.
MANY = [
    ("bf16", 4, 32, 8193), ("f32", 1, 32, 8193), ("bf16", 4, 33, 3972), ("bf16", 8, 128, 1025),
    ("bf16", 4, 256, 513), ("fp8", 4, 8, 8193), ("fp8", 4, 9, 3641), ("fp8", 4, 32, 1025),
    ("fp8", 2, 128, 1025), ("fp8", 1, 256, 513),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "slots", "experts", "tokens"),
    [*MANY, ("bf16", 4, 32, 0), ("bf16", 9, 32, 1), ("bf16", 4, 257, 1), ("fp8", 4, 257, 1)],
)
def test_two_kernels(kind: str, slots: int, experts: int, tokens: int) -> None:
    """Of many tokens, slots or experts, the sort is a kernel of its own."""
    with pytest.raises(Error, match=r"one mxfp4.sort"):
        compiled(cases.dispatch_mlir(slots, 64, kind, experts), f"rows-hint={tokens * slots}")


@pytest.mark.parametrize(("kind", "slots", "experts", "tokens"), MANY)
def test_one_kernel(kind: str, slots: int, experts: int, tokens: int) -> None:
    """Of one token fewer, it is not."""
    hint = (tokens - 1) * slots
    kernel = compiled(cases.dispatch_mlir(slots, 64, kind, experts), f"rows-hint={hint}")
    assert kernel.manifest.operation == WITH_SORT[kind]


@pytest.mark.parametrize("kind", ["bf16", "fp8"])
def test_limits_are_those_of_layers(kind: str) -> None:
    """Layers choose with the numbers with which the compiler makes one kernel."""
    limits = [tokens for name, _, experts, tokens in MANY if name == kind and experts == 32]
    few = layer_steps.FEW_COUNTS[kind]
    assert limits == [layer_steps.COUNTED_TOKENS.stop if few >= 4096 * 32 else few // 32 + 1]


@pytest.mark.slow
@pytest.mark.skipif(find_ptxas() is None, reason="ptxas was not found")
def test_nothing_spills() -> None:
    """All kernels of this file keep their values in registers."""
    with Compiler() as compiler:
        for kind, (slots, k), experts in product(
            ALONE, [(1, 2880), (4, 2880), (8, 7168)], (0, 32, 256)
        ):
            artifact = compiled(cases.dispatch_mlir(slots, k, kind, experts), "rows-hint=1")
            found = compiler.assemble(artifact.ptx)
            assert (found["spill_bytes"], found["stack_bytes"]) == (0, 0), (kind, slots, k, experts)
