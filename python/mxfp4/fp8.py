# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Activations in FP8, in numpy: E4M3 codes and one f32 scale for each row.

The meaning of ``mxfp4.quantize_rows``, which kernels are compared with bit for bit. E4M3 is
written out here as a table of its values, so that tests can hold it against other libraries.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, typed
from .errors import Error
from .formats import bfloat16

float8_e4m3 = np.dtype(ml_dtypes.float8_e4m3fn)
"""E4M3 as a numpy dtype: 4 bits of exponent, 3 of fraction, no infinities."""

E4M3_LARGEST = 448.0
"""The largest E4M3."""

E4M3_NAN = 0x7F
"""The code of NaN; 0xFF is the other."""

LEAST_SCALE = 2.0**-126
"""The scale of a row of zeros, and the least of any row: its inverse is a finite f32."""


class QuantizedRows(NamedTuple):
    """Rows in FP8.

    ``codes``: E4M3 ``[R, K]``; ``scales``: f32 ``[R]``. ``error``: 4 if a row to gather was none
    of x, else 0.
    """

    codes: NDArray[Any]
    scales: NDArray[np.float32]
    error: int = 0

    def values(self) -> NDArray[np.float64]:
        """What the rows stand for, exactly."""
        return self.codes.astype(np.float64) * self.scales[:, None].astype(np.float64)


@cache
def e4m3_values() -> NDArray[np.float64]:
    """The value of each of the 256 codes."""
    code = np.arange(128)
    exponent, fraction = code >> 3, code & 7
    normal = np.ldexp(8.0 + fraction, exponent - 10)
    magnitude = np.where(exponent == 0, np.ldexp(fraction.astype(np.float64), -9), normal)
    magnitude[E4M3_NAN] = np.nan
    values = np.concatenate([magnitude, -magnitude])
    values.flags.writeable = False
    return values


@typed
def encode_e4m3(values: ArrayLike) -> NDArray[np.uint8]:
    """The codes nearest to f32 values: ties to the even code, more than 448 to 448, NaN to 0x7F."""
    wide = as_array("values", values).astype(np.float64)
    magnitude = np.where(np.isnan(wide), 0.0, np.abs(wide))
    known = e4m3_values()[:E4M3_NAN]
    middles = (known[1:] + known[:-1]) / 2  # exact
    code = np.searchsorted(middles, magnitude, side="left")
    is_tie = middles[np.minimum(code, middles.size - 1)] == magnitude
    code = np.where(is_tie & (code % 2 == 1), code + 1, code).astype(np.uint8)
    code |= np.where(np.signbit(wide), 0x80, 0).astype(np.uint8)
    return np.where(np.isnan(wide), np.uint8(E4M3_NAN), code)


@typed
def quantize_rows(x: ArrayLike, gather: ArrayLike | None = None) -> QuantizedRows:
    """Each row as E4M3 with the scale that makes its largest magnitude 448.

    ``scale = max(max |x| / 448, 2^-126)`` and ``code = e4m3(x * (1 / scale))``, each step rounded
    to f32. The maximum ignores NaN, whose code is NaN; a row with an infinity has an infinite
    scale, NaN for each infinity and 0 for all else.

    Args:
        x: bf16 ``[R, K]``.
        gather: i32 ``[R']``, the rows of x to take, instead of each; one that is none of x counts
            as a row of zeros.

    Raises:
        Error: if x is no matrix of bf16, or what is to be gathered is no list of integers.
    """
    x = as_array("x", x)
    if x.ndim != 2 or x.dtype != bfloat16:
        raise Error(f"x must be bf16 [R, K], got {x.dtype} {list(x.shape)}.")
    error = 0
    wide = x.astype(np.float32)
    if gather is not None:
        gather = as_array("gather", gather)
        if gather.ndim != 1 or gather.dtype.kind not in "iu":
            raise Error(f"gather must be int32 [R'], got {gather.dtype} {list(gather.shape)}.")
        known = (gather >= 0) & (gather < len(x))
        error = 0 if known.all() else 4
        padded = np.concatenate([wide, np.zeros((1, x.shape[1]), np.float32)])
        wide = padded[np.where(known, gather, len(x))]
    largest = np.max(np.where(np.isnan(wide), 0, np.abs(wide)), axis=1, initial=0)
    scales = np.maximum(largest / np.float32(E4M3_LARGEST), np.float32(LEAST_SCALE))
    with np.errstate(invalid="ignore"):
        scaled = wide * (np.float32(1) / scales)[:, None]
    return QuantizedRows(encode_e4m3(scaled).view(float8_e4m3), scales, error)


@typed
def quantize_operation(k: int, rows: str = "") -> str:
    """An operation that rounds rows of K values to FP8; ``rows`` are those to gather or scatter."""
    return f"""  mxfp4.quantize_rows values(%x : memref<?x{k}xbf16>) {rows}
    outs(%q, %s : memref<?x{k}xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)"""


@typed
def quantize_mlir(name: str, k: int, gather: bool = False) -> str:
    """A module with a function that rounds rows of K values, or rows that it gathers, to FP8."""
    types = {
        "x": f"memref<?x{k}xbf16>", "g": "memref<?xi32>", "q": f"memref<?x{k}xf8E4M3FN>",
        "s": "memref<?xf32>", "e": "memref<1xi32>",
    }  # fmt: skip
    arguments = ", ".join(f"%{n}: {t}" for n, t in types.items() if n != "g" or gather)
    gathers = f"gather(%g : {types['g']})" if gather else ""
    return f"""func.func @{name}({arguments}) {{
{quantize_operation(k, gathers)}
  return
}}
"""
