# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a grouped matmul with activations in FP8 means, in numpy.

``Y[r, n] = round(sum_k C[r, k] * V[e(r)][n, k] * s[r] * p[e(r)][n])``: C and s are the codes and
the scale of row r (`fp8.quantize_rows`), V are the weights without the power of two p that packing
took out of their rows. The sum is exact here, or that of the tensor cores (`fp8_sums`); its product
with the scale is rounded to f32, and then to the type of the output, in which the product with the
power follows: exact, but for results below 2^-126.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import fp8, fp8_sums
from ._typed import as_array, typed
from .errors import Error
from .formats import bfloat16, dequantize
from .layout import unpack_expert
from .problem import check_accumulation
from .reference import check_out_dtype, check_routing
from .weights import PackedWeights

OUTPUTS: dict[str, Any] = {"bf16": bfloat16, "f32": np.dtype(np.float32)}
"""Types of outputs, by our names."""

PROMOTIONS = {"fast": None, "promoted512": 512, "promoted128": 128}
"""Values of K behind which a sum is added to one in f32."""


@typed
def drift_of(k: int, accumulation: str) -> float:
    """How far a sum over K may be off, as a share of the sum of its products' magnitudes.

    In an instruction each of 33 addends, and then the sum, loses less than 2^-13 of the largest of
    them, which is no more than the sum of magnitudes in the interval. Sums of intervals and of K
    slices are added in f32.

    Args:
        k: K.
        accumulation: "fast", "promoted512" or "promoted128".

    Raises:
        Error: if it is another, or k is less than 1.
    """
    check_accumulation(accumulation)
    if k < 1:
        raise Error(f"k must be at least 1, got {k}.")
    interval = min(PROMOTIONS[accumulation] or k, k)
    instructions = -(-interval // fp8_sums.STEP)
    return instructions * (fp8_sums.STEP + 2) * 2.0**-fp8_sums.FRACTION + k * 2.0**-22


@typed
def grouped_matmul(
    x: ArrayLike | fp8.QuantizedRows,
    weights: PackedWeights,
    offsets: ArrayLike,
    expert_ids: ArrayLike | None = None,
    out_dtype: Any = bfloat16,
    accumulation: str | None = None,
) -> NDArray[Any]:
    """The ragged matmul, by definition.

    Args:
        x: bf16 ``[R, K]``, rows sorted by group; or such rows in FP8.
        weights: packed with layout "fp8", on the host.
        offsets: i32 ``[G+1]``; group g is rows ``offsets[g] .. offsets[g+1]``.
        expert_ids: i32 ``[G]`` or None (group g is expert g). Rows of id -1 yield 0.
        out_dtype: bf16 or f32.
        accumulation: "fast", "promoted512" or "promoted128", with the sums of the tensor cores; or
            None, with exact sums.

    Raises:
        Error: if dtypes, shapes, offsets or ids do not fit, or the weights are not for FP8.
    """
    if accumulation is not None:
        check_accumulation(accumulation)
    out_dtype = check_out_dtype(out_dtype)
    if weights.powers is None:
        raise Error(f'weights must be packed with layout "fp8", got {weights.layout}.')
    rows = x if isinstance(x, fp8.QuantizedRows) else fp8.quantize_rows(as_array("x", x))
    count, k = rows.codes.shape
    offsets = as_array("offsets", offsets)
    ids = None if expert_ids is None else as_array("expert_ids", expert_ids)
    check_routing(count, weights.experts, offsets, ids)
    if k != weights.k:
        raise Error(f"x has K = {k} columns, but the weights have K = {weights.k}.")
    codes, out = rows.codes.astype(np.float64), np.zeros((count, weights.n), out_dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for group in np.flatnonzero(np.diff(offsets)):
            expert = group if ids is None else int(ids[group])
            span = slice(int(offsets[group]), int(offsets[group + 1]))
            if expert < 0:
                continue
            sums = _sums(codes[span], left_of(weights, int(expert)), accumulation)
            powers = np.asarray(weights.powers[expert]).astype(out_dtype)
            of_row = (sums.astype(np.float32) * rows.scales[span, None]).astype(out_dtype)
            out[span] = of_row * powers[None, :]
    return out


def left_of(weights: PackedWeights, expert: int) -> NDArray[np.float64]:
    """An expert's weights ``[N, K]`` without the powers of their rows: exact E5M2."""
    packed = np.asarray(weights.data[expert])
    left = unpack_expert(packed, weights.n, weights.k, weights.layout)
    return dequantize(*left, np.float64).astype(np.float64)


def _sums(
    codes: NDArray[np.float64], weights: NDArray[np.float64], accumulation: str | None
) -> NDArray[Any]:
    if accumulation is None:
        return codes @ weights.T
    return fp8_sums.matmul(codes, weights, PROMOTIONS[accumulation])
