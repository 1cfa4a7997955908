# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Routing problems for tests: logits without ties that rounding decides, ids, rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mxfp4.formats import bfloat16
from numpy.typing import NDArray


@dataclass(frozen=True)
class TopK:
    """Attributes of an ``mxfp4.top_k``."""

    experts: int
    slots: int
    scoring: str = "softmax_selected"
    bias: bool = False
    renormalize: bool = False
    scale: float = 1.0
    dtype: str = "bf16"

    def attributes(self) -> str:
        """In the words of the operation."""
        parts = ["renormalize"] if self.renormalize else []
        parts += [f"scale = {self.scale} : f32"] if self.scale != 1 else []
        return f" {{{', '.join(parts)}}}" if parts else ""

    def numpy_dtype(self) -> Any:
        """Of the logits."""
        return bfloat16 if self.dtype == "bf16" else np.float32


def logits(rng: np.random.Generator, tokens: int, case: TopK) -> NDArray[Any]:
    """Multiples of 1/32 of which some are equal; with a bias all of a row are apart."""
    if case.bias:
        steps = np.array([rng.permutation(case.experts) for _ in range(tokens)])
        values = steps.reshape(tokens, case.experts) * (8.0 / case.experts) - 4
    else:
        values = rng.integers(-128, 128, (tokens, case.experts)) / 32
    return values.astype(np.float32).astype(case.numpy_dtype())


def bias(rng: np.random.Generator, case: TopK) -> NDArray[np.float32]:
    """Multiples of 4, so that sums with scores are apart wherever these are."""
    return (rng.integers(-2, 3, case.experts) * 4).astype(np.float32)


def ids(
    rng: np.random.Generator, tokens: int, experts: int, slots: int, missing: float = 0.0
) -> NDArray[np.int32]:
    """Different experts a token; a part of the slots have none."""
    found = np.array([rng.permutation(experts)[:slots] for _ in range(tokens)], np.int32).reshape(
        tokens, slots
    )
    found[rng.random(found.shape) < missing] = -1
    return found


def check_weights(got: NDArray[np.float32], wanted: NDArray[np.float64]) -> None:
    """Within a few roundings of f32."""
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    infinite = np.isinf(wanted)
    assert np.array_equal(got[infinite], wanted[infinite])
    finite = np.isfinite(wanted)
    error = np.abs(got[finite].astype(np.float64) - wanted[finite])
    assert (error <= 1e-37 + 3e-6 * np.abs(wanted[finite])).all()


def top_k_mlir(case: TopK, counts: bool = False, sort: bool = False) -> str:
    """A module with an ``mxfp4.top_k``, and maybe the sort of its ids."""
    e, s = case.experts, case.slots
    logits, ids, weights = f"memref<?x{e}x{case.dtype}>", f"memref<?x{s}xi32>", f"memref<?x{s}xf32>"
    bias = f"bias(%b : memref<{e}xf32>)" if case.bias else ""
    counted = f"counts(%c : memref<128x{e}xi32>)" if counts else ""
    sorts = f"""
  mxfp4.sort_by_expert ids(%i : {ids})
      outs(%o, %t, %p : memref<{e + 1}xi32>, memref<?xi32>, {ids}) error(%e : memref<1xi32>)"""
    return f"""
func.func @top_k(%l: {logits}, %b: memref<{e}xf32>, %i: {ids}, %w: {weights},
    %c: memref<128x{e}xi32>, %o: memref<{e + 1}xi32>, %t: memref<?xi32>, %p: {ids},
    %e: memref<1xi32>) {{
  mxfp4.top_k logits(%l : {logits}) {bias} scoring({case.scoring})
      outs(%i, %w : {ids}, {weights}) {counted} {case.attributes()}
  {sorts if sort else ""}
  return
}}"""


def sort_mlir(experts: int, slots: int, counts: bool = False) -> str:
    """A module with an ``mxfp4.sort_by_expert``."""
    ids = f"memref<?x{slots}xi32>"
    counted = f"counts(%c : memref<128x{experts}xi32>)" if counts else ""
    return f"""
func.func @sort(%i: {ids}, %c: memref<128x{experts}xi32>, %o: memref<{experts + 1}xi32>,
    %t: memref<?xi32>, %p: {ids}, %e: memref<1xi32>) {{
  mxfp4.sort_by_expert ids(%i : {ids}) {counted}
      outs(%o, %t, %p : memref<{experts + 1}xi32>, memref<?xi32>, {ids}) error(%e : memref<1xi32>)
  return
}}"""


def count_mlir(experts: int, slots: int) -> str:
    """A module with an ``mxfp4.count_by_expert``."""
    return f"""
func.func @count(%i: memref<?x{slots}xi32>, %c: memref<128x{experts}xi32>) {{
  mxfp4.count_by_expert ids(%i : memref<?x{slots}xi32>) outs(%c : memref<128x{experts}xi32>)
  return
}}"""


def dispatch_mlir(slots: int, k: int, kind: str = "bf16", experts: int = 0) -> str:
    """A module with an ``mxfp4.dispatch``, with experts behind the sort that it follows; the kind
    "fp8" is of ``mxfp4.quantize_rows``, and "fp8 once" of one that scatters scales alone."""
    positions, element = f"memref<?x{slots}xi32>", "bf16" if "fp8" in kind else kind
    x, e = f"memref<?x{k}x{element}>", experts
    types = {
        "x": x, "i": positions, "c": f"memref<128x{e}xi32>", "o": f"memref<{e + 1}xi32>",
        "t": "memref<?xi32>", "p": positions, "r": x, "q": f"memref<?x{k}xf8E4M3FN>",
        "s": "memref<?xf32>", "e": "memref<1xi32>",
    }  # fmt: skip
    used = [n for n in types if experts or n not in "icot"]
    sort = (
        f"""mxfp4.sort_by_expert ids(%i : {positions}) counts(%c : {types["c"]})
      outs(%o, %t, %p : {types["o"]}, {types["t"]}, {positions}) error(%e : memref<1xi32>)"""
        if experts
        else ""
    )
    move = f"mxfp4.dispatch values(%x : {x}) positions(%p : {positions}) outs(%r : {x})"
    if "fp8" in kind:
        scatter = "scatter_scales" if kind == "fp8 once" else "scatter"
        move = f"""mxfp4.quantize_rows values(%x : {x}) {scatter}(%p : {positions})
      outs(%q, %s : {types["q"]}, {types["s"]})"""
    return f"""
func.func @dispatch({", ".join(f"%{n}: {types[n]}" for n in used)}) {{
  {sort}
  {move} error(%e : memref<1xi32>)
  return
}}"""


def combine_mlir(slots: int, n: int, rows: str = "bf16", out: str = "bf16") -> str:
    """A module with an ``mxfp4.combine``."""
    return f"""
func.func @combine(%y: memref<?x{n}x{rows}>, %p: memref<?x{slots}xi32>,
    %w: memref<?x{slots}xf32>, %o: memref<?x{n}x{out}>, %e: memref<1xi32>) {{
  mxfp4.combine rows(%y : memref<?x{n}x{rows}>) positions(%p : memref<?x{slots}xi32>)
      weights(%w : memref<?x{slots}xf32>) outs(%o : memref<?x{n}x{out}>)
      error(%e : memref<1xi32>)
  return
}}"""
