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

_LEAST_ROW, _LEAST_WEIGHT = -6, -14
"""Exponents of the subnormals of E4M3 and E5M2."""

_NONE = -1000
"""The exponent of zeros among the factors."""

_LEAST, _MOST = -100, 100
"""Around the exponents of all sums but 0 and infinity, and of powers of two that f32 has."""

_AT_ONCE = 1 << 13
"""Sums at a time: the products of an instruction, 32 times as many, stay in a core's cache."""


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
    # K comes first, so that sums over it are sums of whole arrays. Codes have at most 4 bits of
    # significand and cut products 15: f32 holds all that is between.
    wide, other = (np.ascontiguousarray(np.asarray(v, np.float32).T) for v in (rows, weights))
    pad = -len(wide) % STEP
    wide, other = (np.pad(values, ((0, pad), (0, 0))) for values in (wide, other))
    left, right = (wide, _factors(wide, _LEAST_ROW)), (other, _factors(other, _LEAST_WEIGHT))
    found = np.zeros((wide.shape[1], other.shape[1]), np.float32)
    some = max(1, _AT_ONCE // max(1, other.shape[1]))
    for row in range(0, len(found), some):
        part = slice(row, row + some)
        mine = (np.ascontiguousarray(left[0][:, part]), np.ascontiguousarray(left[1][:, part]))
        found[part] = _sums(mine, right, promotion)
    return found


_Factors = tuple[NDArray[np.float32], NDArray[np.int16]]
"""Values, K first, and their exponents."""


def _sums(rows: _Factors, weights: _Factors, promotion: int | None) -> NDArray[np.float32]:
    total = np.zeros((rows[0].shape[1], weights[0].shape[1]), np.float32)
    partial = np.zeros_like(total)
    for k in range(0, len(rows[0]), STEP):
        mine, other = ((f[0][k : k + STEP], f[1][k : k + STEP]) for f in (rows, weights))
        partial = _instruction(mine, other, partial)
        if promotion is not None and (k + STEP) % promotion == 0:
            total, partial = total + partial, np.zeros_like(partial)
    return total + partial


def _instruction(
    rows: _Factors, weights: _Factors, partial: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The sum behind one instruction."""
    factors = (rows[1][:, :, None] + weights[1][:, None]).max(axis=0)
    top = np.clip(np.maximum(factors, _exponent(partial)), _LEAST, _MOST)
    per_unit = _power(FRACTION - top)
    products = rows[0][:, :, None] * weights[0][:, None]
    products *= per_unit
    cut = np.trunc(products, out=products).sum(axis=0) + np.trunc(partial * per_unit)
    # Bits that a carry pushes out at the lower end.
    carried = np.clip(_exponent(cut) - FRACTION, 0, FRACTION)
    return np.trunc(cut * _power(-carried)) * _power(carried + top - FRACTION)


def _factors(values: NDArray[np.float32], least: int) -> NDArray[np.int16]:
    """The exponent of numbers whose subnormals have the least; far less for zeros."""
    found = np.where(values == 0, _NONE, np.maximum(_exponent(values), least))
    return found.astype(np.int16)


def _exponent(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """The exponents of f32; of zeros -127."""
    return (values.view(np.int32) >> 23 & 255) - 127


def _power(exponents: NDArray[np.int32]) -> NDArray[np.float32]:
    """Powers of two."""
    return (exponents + 127 << 23).view(np.float32)
