# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of combination in the interpreter, hazards on, against numpy; manifests and registers of
all kernels of routing."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import routing_cases as cases
from mxfp4 import Artifact, Compiler, Error, routing
from mxfp4.compile import find_ptxas
from mxfp4.formats import bfloat16
from mxfp4.routing_artifact import RoutingArtifact, RoutingManifest, simulate_routing
from routing_cases import TopK
from routing_runs import FUSED, SIZES, TOP_K, check_clean, compiled

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
    with pytest.raises(Error, match="ids must be a numpy array, got list: "):
        simulate_routing(kernel, 2, ids=[[1], [2, 3]])  # type: ignore[arg-type]
    with pytest.raises(Error, match=r"ids must be i32 \[2, 4\], got int64 \[1\]"):
        simulate_routing(kernel, 2, ids=3)  # type: ignore[arg-type]
    for name, wrong in (("rows", -1), ("rows", 2**31), ("seed", -1), ("max_instructions", 0)):
        with pytest.raises(Error, match=f"{name} must be a whole number from [01] to "):
            simulate_routing(kernel, **{"rows": 1, name: wrong}, ids=np.zeros((1, 4), np.int32))


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
    """Kernels of top-k, sort and combination keep their values in registers."""
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
