# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums of FP8 products as Hopper's tensor cores take them, in numpy.

The tensor cores do not add FP8 products in f32. In each instruction, over 32 of K, the sum so far
and the 32 products are cut toward zero to the grid of 2^(e - 13), and the result keeps 13 bits of
fraction. e is the greatest exponent among them, where that of a product is the sum of its factors'
exponents, whatever their significands carry. This was found by probes on an H100.
Kernels can bound the loss by *promotion*: every 128 or 512 of K, the sum moves into an f32 and
begins again from zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import Error

STEP = 32
"""Values of K in one instruction."""

FRACTION = 13
"""Bits of a fraction that a sum keeps."""

_LEAST_ROW, _LEAST_WEIGHT, _LEAST_SUM = -6, -14, -126
"""Exponents of the subnormals of E4M3, E5M2 and f32."""

_NONE = -1000
"""The exponent of zeros."""

_ROWS = 8
"""Rows at a time: their products take memory."""


def matmul(
    rows: NDArray[Any], weights: NDArray[Any], promotion: int | None = None
) -> NDArray[np.float32]:
    """``rows [R, K] @ weights [N, K]^T`` with the sums of the tensor cores.

    Args:
        rows: values of E4M3 codes.
        weights: values that E5M2 or E4M3 can hold.
        promotion: values of K behind which a sum is added to an f32, a multiple of 32; None adds
            everything in the tensor cores.

    Raises:
        Error: if promotion is no multiple of 32.
    """
    if promotion is not None and (promotion < STEP or promotion % STEP):
        raise Error(f"promotion must be a multiple of {STEP}, got {promotion}.")
    wide, other = np.asarray(rows, np.float64), np.asarray(weights, np.float64)
    pad = -wide.shape[1] % STEP
    wide, other = (np.pad(values, ((0, 0), (0, pad))) for values in (wide, other))
    parts = [_sums(wide[row : row + _ROWS], other, promotion) for row in range(0, len(wide), _ROWS)]
    return np.concatenate([np.zeros((0, len(other)), np.float32), *parts])


def _sums(
    rows: NDArray[np.float64], weights: NDArray[np.float64], promotion: int | None
) -> NDArray[np.float32]:
    total = np.zeros((len(rows), len(weights)), np.float32)
    partial = np.zeros(total.shape, np.float64)
    for k in range(0, rows.shape[1], STEP):
        partial = _instruction(rows[:, k : k + STEP], weights[:, k : k + STEP], partial)
        if promotion is not None and (k + STEP) % promotion == 0:
            total, partial = total + partial.astype(np.float32), np.zeros_like(partial)
    return total + partial.astype(np.float32)


def _instruction(
    rows: NDArray[np.float64], weights: NDArray[np.float64], partial: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sum behind one instruction."""
    factors = _exponent(rows, _LEAST_ROW)[:, None] + _exponent(weights, _LEAST_WEIGHT)[None]
    top = np.maximum(factors.max(axis=-1), _exponent(partial, _LEAST_SUM))
    grid = np.ldexp(1.0, np.maximum(top, _LEAST_SUM) - FRACTION)
    products = rows[:, None] * weights[None]
    cut = np.trunc(products / grid[..., None]).sum(axis=-1) + np.trunc(partial / grid)
    # Bits that a carry pushes out at the lower end.
    unit = np.ldexp(1.0, np.maximum(_exponent(cut, 0) - FRACTION, 0))
    return np.trunc(cut / unit) * unit * grid


def _exponent(values: NDArray[np.float64], least: int) -> NDArray[np.int64]:
    """The exponent of numbers whose subnormals have the least; far less for zeros."""
    _, exponent = np.frexp(values)
    return np.where(values == 0, _NONE, np.maximum(exponent.astype(np.int64) - 1, least))
