# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `grouped_matmul` means, in numpy, and how far a kernel may be from it.

``Y[r, n] = round(sum_k X[r, k] * W[e(r)][n, k])``: W is the exact decoded weight, X is bf16.
The sum is taken here in f64; kernels take it in f32 in a fixed order, so they agree bit for bit
where every partial sum is exact in f32, and within `error_bound` otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, typed
from .errors import Error
from .formats import bfloat16, check_quantized, dequantize


class ExpertSource(Protocol):
    """Experts one at a time, so that a large stack is never decoded at once."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(E, N, K)."""

    def decode(self, expert: int) -> NDArray[Any]:
        """The expert's exact weights, bf16 ``[N, K]``."""


class _Pair:
    """An in-memory (blocks, scales) pair as an `ExpertSource`."""

    def __init__(self, blocks: NDArray[np.uint8], scales: NDArray[np.uint8]) -> None:
        check_quantized(blocks, scales)
        if blocks.ndim != 4:
            raise Error(
                f"weights: blocks must have shape [E, N, K/32, 16], got {list(blocks.shape)}."
            )
        self._blocks, self._scales = blocks, scales
        experts, n, groups, _ = blocks.shape
        self.shape = (int(experts), int(n), int(groups) * 32)

    def decode(self, expert: int) -> NDArray[Any]:
        return dequantize(self._blocks[expert], self._scales[expert])


class Bounded(NamedTuple):
    """A result and how far from it a correct kernel may be.

    ``value`` and ``bound`` are f64 ``[R, N]``; ``bound`` is NaN where ``value`` is not finite.
    """

    value: NDArray[np.float64]
    bound: NDArray[np.float64]


def as_source(weights: Any) -> ExpertSource:
    """Take `ExpertSource` as it is, or a (blocks, scales) pair, u8 [E,N,K/32,16] and [E,N,K/32].

    Raises:
        Error: if it is neither, or the pair does not fit together.
    """
    if hasattr(weights, "decode") and hasattr(weights, "shape"):
        return weights
    if isinstance(weights, tuple) and len(weights) == 2:
        return _Pair(np.asarray(weights[0]), np.asarray(weights[1]))
    raise Error(
        "weights: expected a (blocks, scales) pair or an object with shape (E, N, K) and "
        f"decode(expert), got {type(weights).__name__}."
    )


def check_routing(
    rows: int, experts: int, offsets: NDArray[Any], expert_ids: NDArray[Any] | None = None
) -> None:
    """Check offsets and expert ids by value.

    Args:
        rows: R, the number of activation rows.
        experts: E.
        offsets: i32 ``[G+1]``: starts at 0, never decreases, ends at R.
        expert_ids: i32 ``[G]`` with values -1 .. E-1, or None, which means that G = E and group g
            uses expert g.

    Raises:
        Error: naming the first entry that is wrong.
    """
    for name, array in (("offsets", offsets), ("expert_ids", expert_ids)):
        if array is not None and (array.dtype != np.int32 or array.ndim != 1):
            raise Error(
                f"{name} must be a one-dimensional int32 array, got {array.dtype} of shape "
                f"{list(array.shape)}."
            )
    groups = experts if expert_ids is None else len(expert_ids)
    if len(offsets) != groups + 1:
        what = f"{experts} experts" if expert_ids is None else f"{groups} expert ids"
        raise Error(f"offsets must have {groups + 1} entries for {what}, got {len(offsets)}.")
    if offsets[0] != 0:
        raise Error(f"offsets must start at 0, got {int(offsets[0])}.")
    falling = np.flatnonzero(offsets[1:] < offsets[:-1])
    if falling.size:
        i = int(falling[0])
        raise Error(
            f"offsets must not decrease, but entry {i + 1} is {int(offsets[i + 1])} after "
            f"{int(offsets[i])}."
        )
    if offsets[-1] != rows:
        raise Error(f"offsets must end at the number of rows, {rows}, got {int(offsets[-1])}.")
    if expert_ids is not None:
        bad = np.flatnonzero((expert_ids < -1) | (expert_ids >= experts))
        if bad.size:
            i = int(bad[0])
            raise Error(
                f"expert_ids must be -1 (no expert: the rows yield 0) or 0 .. {experts - 1}, but "
                f"entry {i} is {int(expert_ids[i])}."
            )


def check_out_dtype(out_dtype: Any) -> np.dtype[Any]:
    """A dtype of results.

    Raises:
        Error: if it is neither bf16 nor f32.
    """
    try:
        dtype = np.dtype(out_dtype)
    except TypeError as e:
        raise Error(f"the output dtype must be bfloat16 or float32, got {out_dtype!r}.") from e
    if dtype not in (bfloat16, np.dtype(np.float32)):
        raise Error(f"the output dtype must be bfloat16 or float32, got {dtype}.")
    return dtype


def _groups(
    x: NDArray[Any], source: ExpertSource, offsets: Any, expert_ids: Any
) -> Iterator[tuple[slice, int]]:
    """Check everything, then yield (rows, expert) of each group that has both."""
    experts, _, k = source.shape
    if x.dtype != bfloat16 or x.ndim != 2:
        raise Error(f"x must be bfloat16 [R, K], got {x.dtype} of shape {list(x.shape)}.")
    if x.shape[1] != k:
        raise Error(f"x has K = {x.shape[1]} columns, but the weights have K = {k}.")
    offsets = as_array("offsets", offsets)
    ids = None if expert_ids is None else as_array("expert_ids", expert_ids)
    check_routing(x.shape[0], experts, offsets, ids)
    for g in range(len(offsets) - 1):
        expert = g if ids is None else int(ids[g])
        if offsets[g] < offsets[g + 1] and expert >= 0:
            yield slice(int(offsets[g]), int(offsets[g + 1])), expert


@typed
def grouped_matmul(
    x: ArrayLike,
    weights: Any,
    offsets: ArrayLike,
    expert_ids: ArrayLike | None = None,
    out_dtype: Any = bfloat16,
) -> NDArray[Any]:
    """The ragged matmul, by definition.

    Args:
        x: bf16 ``[R, K]``, rows sorted by group.
        weights: `ExpertSource`, or blocks u8 ``[E, N, K/32, 16]`` and scales u8 ``[E, N, K/32]``.
        offsets: i32 ``[G+1]``; group g is rows ``offsets[g] .. offsets[g+1]``.
        expert_ids: i32 ``[G]`` or None (group g is expert g). Rows of id -1 yield 0.
        out_dtype: bf16 or f32.

    Returns:
        ``[R, N]`` of ``out_dtype``: sums in f64, rounded to f32, then to ``out_dtype``.

    Raises:
        Error: if dtypes, shapes, offsets or ids do not fit.
    """
    x, dtype = as_array("x", x), check_out_dtype(out_dtype)
    source = as_source(weights)
    out = np.zeros((*x.shape[:1], source.shape[1]), dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, expert in _groups(x, source, offsets, expert_ids):
            w = source.decode(expert).astype(np.float64)
            total = x[rows].astype(np.float64) @ w.T
            out[rows] = total.astype(np.float32).astype(dtype)
    return out


@typed
def bounded_matmul(
    x: ArrayLike,
    weights: Any,
    offsets: ArrayLike,
    expert_ids: ArrayLike | None = None,
    out_dtype: Any = bfloat16,
) -> Bounded:
    """The unrounded f64 result with `error_bound` of each element.

    Arguments and errors as `grouped_matmul`.
    """
    x, dtype = as_array("x", x), check_out_dtype(out_dtype)
    source = as_source(weights)
    value = np.zeros((*x.shape[:1], source.shape[1]), np.float64)
    absolute = np.zeros_like(value)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, expert in _groups(x, source, offsets, expert_ids):
            w = source.decode(expert).astype(np.float64).T
            part = x[rows].astype(np.float64)
            value[rows] = part @ w
            absolute[rows] = np.abs(part) @ np.abs(w)
    return Bounded(value, error_bound(value, absolute, source.shape[2], dtype))


@typed
def error_bound(
    value: ArrayLike, absolute: ArrayLike, k: int, out_dtype: Any = bfloat16
) -> NDArray[np.float64]:
    """How far a kernel's output may be from the exact ``value``, element by element.

    The sum over k in f32, in any order, may be off by ``d = K * 2^-22 * sum|x*w|``; rounding to
    the output type adds half a unit in the last place, taken at ``|value| + d``.

    Args:
        value: exact results.
        absolute: ``sum_k |x * w|`` of the same shape.
        k: K.
        out_dtype: bf16 or f32.

    Returns:
        f64 of the same shape; NaN where value or absolute is not finite: no bound applies there.
    """
    digits, smallest = (7, -133) if check_out_dtype(out_dtype) == bfloat16 else (23, -149)
    with np.errstate(invalid="ignore"):
        drift = k * 2.0**-22 * as_array("absolute", absolute).astype(np.float64)
        reach = np.abs(as_array("value", value).astype(np.float64)) + drift
    finite = np.isfinite(reach)
    _, exponent = np.frexp(np.where(finite & (reach > 0), reach, 2.0**smallest))
    ulp = np.ldexp(1.0, np.maximum(exponent - 1 - digits, smallest))
    return np.where(finite, drift + 0.5 * ulp, np.nan)


@typed
def mismatches(actual: ArrayLike, expected: ArrayLike) -> int:
    """Number of elements that differ; NaN equals NaN, and zeros of either sign are equal."""
    a = as_array("actual", actual).astype(np.float64)
    b = as_array("expected", expected).astype(np.float64)
    return int(np.count_nonzero(~((a == b) | (np.isnan(a) & np.isnan(b)))))
