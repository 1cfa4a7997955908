# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The loops of the routing operations, the specification, against numpy."""

from __future__ import annotations

import ctypes
from itertools import product
from pathlib import Path

import native
import numpy as np
import pytest
import routing_cases as cases
from mxfp4 import fp8, routing
from mxfp4.formats import bfloat16
from routing_cases import TopK

TOP_K = [
    TopK(0, 0, scoring, bias, renormalize, scale, dtype)
    for scoring, (bias, renormalize, scale, dtype) in product(
        routing.SCORINGS,
        [(False, False, 1.0, "bf16"), (True, True, 2.5, "f32"), (False, True, 1.0, "f32")],
    )
]


def name_of(case: TopK) -> str:
    return f"top_k_{TOP_K.index(case)}"


def top_k_function(case: TopK) -> str:
    """Of any sizes."""
    logits = f"memref<?x?x{case.dtype}>"
    bias = "bias(%b : memref<?xf32>)" if case.bias else ""
    return f"""
func.func @{name_of(case)}(%l: {logits}, %b: memref<?xf32>, %i: memref<?x?xi32>,
    %w: memref<?x?xf32>, %c: memref<128x?xi32>) attributes {{llvm.emit_c_interface}} {{
  mxfp4.top_k logits(%l : {logits}) {bias} scoring({case.scoring})
      outs(%i, %w : memref<?x?xi32>, memref<?x?xf32>) counts(%c : memref<128x?xi32>)
      {case.attributes()}
  return
}}"""


OTHERS = (
    """
func.func @sort(%i: memref<?x?xi32>, %o: memref<?xi32>, %t: memref<?xi32>, %p: memref<?x?xi32>,
    %e: memref<1xi32>) attributes {llvm.emit_c_interface} {
  mxfp4.sort_by_expert ids(%i : memref<?x?xi32>)
      outs(%o, %t, %p : memref<?xi32>, memref<?xi32>, memref<?x?xi32>) error(%e : memref<1xi32>)
  return
}
func.func @count(%i: memref<?x?xi32>, %c: memref<128x?xi32>) attributes {llvm.emit_c_interface} {
  mxfp4.count_by_expert ids(%i : memref<?x?xi32>) outs(%c : memref<128x?xi32>)
  return
}
"""
    + "".join(
        f"""
func.func @quantize_{what}(%x: memref<?x?xbf16>, %p: memref<?x?xi32>, %q: memref<?x?xf8E4M3FN>,
    %s: memref<?xf32>, %e: memref<1xi32>) attributes {{llvm.emit_c_interface}} {{
  mxfp4.quantize_rows values(%x : memref<?x?xbf16>) {what}(%p : memref<?x?xi32>)
      outs(%q, %s : memref<?x?xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
}}"""
        for what in ("scatter", "scatter_scales")
    )
    + "".join(
        f"""
func.func @dispatch_{a}(%x: memref<?x?x{a}>, %p: memref<?x?xi32>, %r: memref<?x?x{a}>,
    %e: memref<1xi32>) attributes {{llvm.emit_c_interface}} {{
  mxfp4.dispatch values(%x : memref<?x?x{a}>) positions(%p : memref<?x?xi32>)
      outs(%r : memref<?x?x{a}>) error(%e : memref<1xi32>)
  return
}}"""
        for a in ("bf16", "f32")
    )
    + "".join(
        f"""
func.func @combine_{a}_{b}(%y: memref<?x?x{a}>, %p: memref<?x?xi32>, %w: memref<?x?xf32>,
    %o: memref<?x?x{b}>, %e: memref<1xi32>) attributes {{llvm.emit_c_interface}} {{
  mxfp4.combine rows(%y : memref<?x?x{a}>) positions(%p : memref<?x?xi32>)
      weights(%w : memref<?x?xf32>) outs(%o : memref<?x?x{b}>) error(%e : memref<1xi32>)
  return
}}"""
        for a, b in product(("bf16", "f32"), repeat=2)
    )
)


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """All functions of this file."""
    folder: Path = tmp_path_factory.mktemp("loops")
    return native.build("".join(map(top_k_function, TOP_K)) + OTHERS, folder)


def run_top_k(
    loops: ctypes.CDLL, case: TopK, logits: np.ndarray, bias: np.ndarray, slots: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tokens, experts = logits.shape
    found = (
        native.garbage((tokens, slots), np.int32),
        native.garbage((tokens, slots), np.float32),
        native.garbage((128, experts), np.int32),
    )
    native.call(loops, name_of(case), logits, bias, *found)
    return found


@pytest.mark.parametrize("case", TOP_K, ids=str)
def test_top_k(case: TopK, loops: ctypes.CDLL, rng: np.random.Generator) -> None:
    """Every scoring, with and without bias; ties, many sizes, and counts."""
    for tokens, experts, slots in [(1, 1, 1), (3, 8, 2), (65, 32, 4), (70, 130, 8), (0, 8, 2)]:
        sized = TopK(experts, slots, *list(vars(case).values())[2:])
        logits, bias = cases.logits(rng, tokens, sized), cases.bias(rng, sized)
        ids, weights, counts = run_top_k(loops, case, logits, bias, slots)
        wanted, wanted_weights = routing.top_k(
            logits, slots, case.scoring, bias if case.bias else None, case.renormalize, case.scale
        )
        assert np.array_equal(ids, wanted)
        cases.check_weights(weights, wanted_weights)
        blocks = routing.count_blocks(wanted, experts)
        assert np.array_equal(counts[: len(blocks)], blocks)


def test_ranks(loops: ctypes.CDLL) -> None:
    """Equal logits, zeros of both signs, infinities and NaN."""
    case = TOP_K[2 + 3 * routing.SCORINGS.index("sigmoid")]
    nan, inf = np.nan, np.inf
    logits = np.array([[nan, -inf, 0.0, -0.0, 1.0, nan, inf, 1.0]], np.float32)
    ids, _, _ = run_top_k(loops, case, logits, np.zeros(8, np.float32), 8)
    assert ids.tolist() == [[6, 4, 7, 2, 3, 1, 0, 5]]


def test_scores_of_nothing(loops: ctypes.CDLL) -> None:
    """Where all selected scores are 0, weights are; far negative ones stay accurate."""
    case = TOP_K[2 + 3 * routing.SCORINGS.index("sigmoid")]
    logits = np.full((1, 4), -np.inf, np.float32)
    _, weights, _ = run_top_k(loops, case, logits, np.zeros(4, np.float32), 2)
    assert weights.tolist() == [[0.0, 0.0]]
    case = TOP_K[3 * routing.SCORINGS.index("sqrt_softplus")]
    logits = np.array([[-30.0, -20.0, -10.0, 200.0]]).astype(bfloat16)
    _, weights, _ = run_top_k(loops, case, logits, np.zeros(4, np.float32), 4)
    cases.check_weights(weights, routing.top_k(logits, 4, "sqrt_softplus")[1])


def test_sort(loops: ctypes.CDLL, rng: np.random.Generator) -> None:
    """Stable, with slots without experts, and bad ids."""
    for tokens, experts, slots, missing in [
        (1, 1, 1, 0.0), (3, 8, 2, 0.5), (65, 32, 4, 0.0), (300, 130, 8, 0.3), (5, 4, 3, 1.0),
        (0, 8, 2, 0.0),
    ]:  # fmt: skip
        ids = cases.ids(rng, tokens, experts, slots, missing)
        if tokens == 65:
            ids[[3, 60], [0, 3]] = [experts, -2]
        check_sort(loops, ids, experts)


def check_sort(loops: ctypes.CDLL, ids: np.ndarray, experts: int) -> None:
    offsets = native.garbage((experts + 1,), np.int32)
    tokens = native.garbage((ids.size,), np.int32)
    positions = native.garbage(ids.shape, np.int32)
    error = np.zeros(1, np.int32)
    native.call(loops, "sort", ids, offsets, tokens, positions, error)
    counts = native.garbage((128, experts), np.int32)
    native.call(loops, "count", ids, counts)
    blocks = routing.count_blocks(ids, experts)
    assert np.array_equal(counts[: len(blocks)], blocks)
    wanted = routing.sort_by_expert(ids, experts)
    assert np.array_equal(offsets, wanted.offsets)
    assert np.array_equal(tokens, wanted.tokens)
    assert np.array_equal(positions, wanted.positions)
    assert error[0] == wanted.error


@pytest.mark.parametrize("kind", ["bf16", "f32", "scatter", "scatter_scales"])
def test_dispatch(kind: str, loops: ctypes.CDLL, rng: np.random.Generator) -> None:
    """Rows that no position names keep what they have; positions that are no rows are skipped."""
    dtype = np.float32 if kind == "f32" else bfloat16
    for tokens, slots, k in [(1, 1, 1), (5, 4, 24), (3, 8, 7), (0, 2, 8)]:
        x = rng.standard_normal((tokens, k)).astype(np.float32).astype(dtype)
        x[::2, :1] = np.nan
        positions = rng.permutation(tokens * slots).astype(np.int32).reshape(tokens, slots)
        positions[rng.random(positions.shape) < 0.2] = -1
        bad = tokens == 5
        if bad:
            positions[2, 1:3] = [-7, tokens * slots]
        error = np.zeros(1, np.int32)
        if kind.startswith("scatter"):
            wanted, once = fp8.quantize_rows(x), kind == "scatter_scales"
            codes = native.garbage((tokens if once else tokens * slots, k), np.uint8)
            scales = native.garbage((tokens * slots,), np.float32)
            before = codes.copy(), scales.copy()
            native.call(loops, f"quantize_{kind}", x, positions, codes, scales, error)
            rows = wanted.codes.view(np.uint8)
            if not once:
                rows = routing.dispatch(rows, positions, before[0])
            assert codes.tobytes() == rows.tobytes()
            assert (
                scales.tobytes() == routing.dispatch(wanted.scales, positions, before[1]).tobytes()
            )
        else:
            rows = native.garbage((tokens * slots, k), dtype)
            before = rows.copy()
            native.call(loops, f"dispatch_{kind}", x, positions, rows, error)
            assert rows.tobytes() == routing.dispatch(x, positions, before).tobytes()
        assert error[0] == (4 if bad else 0)


@pytest.mark.parametrize("types", [*product(("bf16", "f32"), repeat=2)], ids="-".join)
def test_combine(types: tuple[str, str], loops: ctypes.CDLL, rng: np.random.Generator) -> None:
    """Bit for bit; positions that are no rows are skipped."""
    dtypes = {"bf16": bfloat16, "f32": np.float32}
    for tokens, slots, n in [(1, 1, 1), (5, 4, 24), (3, 8, 7), (0, 2, 8)]:
        rows = rng.standard_normal((tokens * slots, n)).astype(np.float32).astype(dtypes[types[0]])
        positions = rng.permutation(tokens * slots).astype(np.int32).reshape(tokens, slots)
        positions[rng.random(positions.shape) < 0.2] = -1
        weights = rng.standard_normal((tokens, slots)).astype(np.float32)
        bad = tokens == 5
        if bad:
            positions[2, 1:3] = [-7, rows.shape[0]]
        out, error = native.garbage((tokens, n), dtypes[types[1]]), np.zeros(1, np.int32)
        native.call(loops, f"combine_{types[0]}_{types[1]}", rows, positions, weights, out, error)
        wanted = routing.combine(rows, positions, weights, dtypes[types[1]])
        assert out.tobytes() == wanted.tobytes()
        assert error[0] == (4 if bad else 0)
