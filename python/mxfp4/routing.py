# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What surrounds the two grouped matmuls of a mixture-of-experts layer, in numpy.

These are the meanings of the operations ``mxfp4.top_k``, ``mxfp4.count_by_expert``,
``mxfp4.sort_by_expert``, ``mxfp4.dispatch`` and ``mxfp4.combine``, which kernels are compared with.
Arithmetic is in float64 here, where kernels compute in f32, except for what decides: comparisons
and roundings of results.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, integers, shaped, typed
from .errors import Error
from .formats import bfloat16

SCORINGS = ("softmax", "softmax_selected", "sigmoid", "sqrt_softplus")
MOST_EXPERTS, MOST_SLOTS = 1024, 32
"""Limits of the routing kernels."""

COUNT_BLOCKS = 128
"""Lines of the counts that top_k and count_by_expert hand to sort_by_expert."""


class Routing(NamedTuple):
    """Rows sorted by expert.

    Attributes:
        offsets: i32 ``[E+1]``; expert e has the rows offsets[e] to offsets[e + 1].
        tokens: i32 ``[T*S]``, the token of each row; 0 for rows that are not in use.
        positions: i32 ``[T, S]``, the row of each slot, -1 for a slot without an expert.
        error: 2 if an id was neither -1 nor the number of an expert, else 0.
    """

    offsets: NDArray[np.int32]
    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    error: int


def _check_experts(experts: int) -> None:
    if not 1 <= experts <= MOST_EXPERTS:
        raise Error(f"experts must be 1 to {MOST_EXPERTS}, got {experts}.")


def _logits(logits: Any) -> NDArray[Any]:
    found = shaped("logits", logits, "T", "E")
    if found.shape[1] == 0:
        raise Error(f"logits must be of at least one expert, got {list(found.shape)}.")
    return found


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@typed
def scores(logits: ArrayLike, scoring: str) -> NDArray[np.float64]:
    """Scores of all experts, f64 ``[T, E]``; of "softmax_selected" the logits.

    Args:
        logits: ``[T, E]``.
        scoring: one of `SCORINGS`.

    Raises:
        Error: if there is no such scoring, or logits have another shape.
    """
    wide = _logits(logits).astype(np.float64)
    if scoring not in SCORINGS:
        raise Error(f"scoring must be one of {list(SCORINGS)}, got {scoring!r}.")
    with np.errstate(over="ignore", invalid="ignore"):
        if scoring == "softmax":
            return _softmax(wide)
        if scoring == "sigmoid":
            return 1 / (1 + np.exp(-wide))
        if scoring == "sqrt_softplus":
            return np.sqrt(np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide))))
    return wide


@typed
def top_k(
    logits: ArrayLike,
    slots: int,
    scoring: str,
    bias: ArrayLike | None = None,
    renormalize: bool = False,
    scale: float = 1.0,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The experts of each token, i32 ``[T, S]``, and their weights.

    The greatest logits are selected, or with a bias the greatest ``score + bias``; slots are in
    descending order, of equal experts the lower comes first, and NaN last. Weights are the scores
    of the selected experts without bias.

    Raises:
        Error: if there is no such scoring, or shapes or the number of slots do not fit.
    """
    all_scores = scores(logits, scoring)
    compared = _logits(logits).astype(np.float32)
    experts = compared.shape[1]
    if not 1 <= slots <= experts:
        raise Error(f"slots must be 1 to {experts}, the experts of logits, got {slots}.")
    if bias is not None:
        with np.errstate(invalid="ignore"):
            own = shaped("bias", bias, experts).astype(np.float32)
            compared = all_scores.astype(np.float32) + own
    # A stable sort of what descends: NaN is last, as numpy sorts it.
    order = np.argsort(-compared, axis=-1, kind="stable")
    ids = order[:, :slots].astype(np.int32)
    selected = np.take_along_axis(all_scores, order[:, :slots], axis=-1)
    with np.errstate(invalid="ignore"):
        if scoring == "softmax_selected":
            selected = _softmax(selected)
        elif renormalize:
            total = selected.sum(axis=-1, keepdims=True)
            selected = selected / np.where(total == 0, 1, total)
    return ids, selected * np.float32(scale)


@typed
def count_blocks(ids: ArrayLike, experts: int) -> NDArray[np.int32]:
    """How often each block of tokens has each expert: the counts of ``mxfp4.top_k`` and
    ``mxfp4.count_by_expert``. Other ids count nowhere.

    Raises:
        Error: if ids are no integers ``[T, S]``, or there are too many experts or none.
    """
    ids = integers("ids", ids, "T", "S")
    _check_experts(experts)
    block = 32 * max(1, -(-len(ids) // (32 * COUNT_BLOCKS)))
    parts = [ids[i : i + block].ravel() for i in range(0, len(ids), block)]
    known = [part[(part >= 0) & (part < experts)] for part in parts]
    counts = [np.bincount(part, minlength=experts) for part in known]
    return np.array(counts, np.int32).reshape(-1, experts)


@typed
def sort_by_expert(ids: ArrayLike, experts: int) -> Routing:
    """The slots of all tokens by expert, in the order of (token, slot); -1 is no expert.

    Raises:
        Error: as `count_blocks`.
    """
    ids = integers("ids", ids, "T", "S")
    _check_experts(experts)
    flat = ids.ravel()
    known = (flat >= 0) & (flat < experts)
    order = np.flatnonzero(known)[np.argsort(flat[known], kind="stable")]
    counts = np.bincount(flat[known], minlength=experts)
    tokens = np.zeros(flat.size, np.int32)
    tokens[: order.size] = order // ids.shape[1]
    positions = np.full(flat.size, -1, np.int32)
    positions[order] = np.arange(order.size)
    error = 2 if (~known & (flat != -1)).any() else 0
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return Routing(offsets, tokens, positions.reshape(ids.shape), error)


@typed
def dispatch(values: ArrayLike, positions: ArrayLike, rows: ArrayLike) -> NDArray[Any]:
    """A copy of ``rows`` with the values of each token in the rows of its slots.

    Raises:
        Error: if shapes do not fit, or positions are no integers.
    """
    values, result = as_array("values", values), as_array("rows", rows).copy()
    if not values.ndim or values.ndim != result.ndim or values.shape[1:] != result.shape[1:]:
        raise Error(
            f"values and rows must be alike but for their number, got {list(values.shape)} and "
            f"{list(result.shape)}."
        )
    positions = integers("positions", positions, len(values), "S")
    token, slot = np.nonzero((positions >= 0) & (positions < len(result)))
    result[positions[token, slot]] = values[token]
    return result


@typed
def combine(
    rows: ArrayLike,
    positions: ArrayLike,
    weights: ArrayLike,
    dtype: Any = bfloat16,
) -> NDArray[Any]:
    """The weighted sum of each token's rows, slot after slot by fused f32 multiply-adds.

    Slots whose position is no row are skipped. Bit for bit what kernels compute.

    Args:
        rows: ``[R, N]``.
        positions: integers ``[T, S]``.
        weights: ``[T, S]``.
        dtype: of the result, bf16 or f32.

    Raises:
        Error: if anything does not fit.
    """
    rows, positions = shaped("rows", rows, "R", "N"), integers("positions", positions, "T", "S")
    weights = shaped("weights", weights, *positions.shape)
    if not isinstance(dtype, (type, np.dtype)) or np.dtype(dtype) not in (bfloat16, np.float32):
        raise Error(f"dtype must be bfloat16 or numpy.float32, got {dtype!r}.")
    total = np.zeros((len(positions), rows.shape[1]), np.float32)
    wide = rows.astype(np.float32)
    for slot in range(positions.shape[1] if len(rows) else 0):
        at, weight = positions[:, slot], weights[:, slot, None].astype(np.float64)
        known = (at >= 0) & (at < len(rows))
        y = wide[np.where(known, at, 0)].astype(np.float64)
        total = np.where(known[:, None], _fma(weight, y, total), total)
    return total.astype(dtype)


def _fma(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[np.float32]:
    """a * b + c of f32 values, rounded once.

    Products are exact in float64. A sum is rounded there to odd, so that rounding it again is
    as good as rounding the exact sum.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        product, wide = a * b, c.astype(np.float64)
        total = product + wide
        low = (product - (total - (total - product))) + (wide - (total - product))
        bits = total.view(np.int64)
        towards = np.where((low > 0) == (total > 0), 1, -1)
        even = (bits & 1) == 0
        inexact = np.isfinite(total) & (low != 0) & even & np.isfinite(low)
        return np.where(inexact, bits + towards, bits).view(np.float64).astype(np.float32)
