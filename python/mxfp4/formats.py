# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MXFP4 numbers in numpy: OCP Microscaling v1.0, E2M1 codes with E8M0 block scales.

This module is the independent reference of the project. It shares nothing with the compiler, and
is written to be read: a code is an index into eight magnitudes and a sign, a scale is a power of
two, and a value is their product.

Checkpoint form of a matrix ``[..., K]``: ``blocks`` u8 ``[..., K/32, 16]``, whose byte j holds
value 2j in its low nibble and value 2j+1 in its high nibble, and ``scales`` u8 ``[..., K/32]``.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, typed
from .errors import Error

BLOCK = 32
"""Values that share one scale."""

BLOCK_BYTES = BLOCK // 2
"""Bytes of codes in a block."""

E2M1_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Magnitude of each code 0..7; bit 3 of a code is the sign."""

SCALE_BIAS = 127
"""Byte b stands for 2^(b - 127), b = 0..254."""

SCALE_NAN = 0xFF
"""The scale byte that makes every value of its block NaN."""

bfloat16 = np.dtype(ml_dtypes.bfloat16)
"""bf16 as a numpy dtype."""


class Quantized(NamedTuple):
    """A quantized matrix, or a stack of them.

    ``blocks``: u8 ``[..., K/32, 16]``; ``scales``: u8 ``[..., K/32]``.
    """

    blocks: NDArray[np.uint8]
    scales: NDArray[np.uint8]

    @property
    def k(self) -> int:
        """Number of values in the last dimension."""
        return int(self.scales.shape[-1]) * BLOCK


@cache
def decode_table() -> NDArray[Any]:
    """The value of every (scale byte, code): bf16 ``[256, 16]``, read-only.

    Exact wherever bf16 can hold the value, which is everywhere but at the top: products past the
    largest bf16 are infinite, as they would be in f32. Scale 0xFF gives NaN for every code; scale
    0x00 is 2^-127, not zero; code 8 is minus zero.
    """
    magnitude = np.array(E2M1_MAGNITUDES, np.float64)
    code = np.concatenate([magnitude, -magnitude])
    exponent = np.arange(256) - SCALE_BIAS
    value = np.ldexp(code[None, :], exponent[:, None])
    value[SCALE_NAN] = np.nan
    with np.errstate(over="ignore"):
        table = value.astype(np.float32).astype(bfloat16)
    table.flags.writeable = False
    return table


@cache
def _byte_table() -> NDArray[np.uint32]:
    """Two bf16 (low nibble first, little endian) for each (scale byte, code byte): [256, 256]."""
    bits = decode_table().view(np.uint16).astype(np.uint32)
    byte = np.arange(256)
    return bits[:, byte & 15] | (bits[:, byte >> 4] << np.uint32(16))


def check_quantized(blocks: Any, scales: Any, what: str = "weights") -> None:
    """Check a (blocks, scales) pair by dtype and shape, without reading values.

    Raises:
        Error: if blocks is not u8 ``[..., K/32, 16]`` or scales is not u8 ``[..., K/32]``.
    """
    for name, array in (("blocks", blocks), ("scales", scales)):
        if np.dtype(array.dtype) != np.uint8:
            raise Error(f"{what}: {name} must be uint8, got {array.dtype}.")
    shape = tuple(blocks.shape)
    if len(shape) < 2 or shape[-1] != BLOCK_BYTES:
        raise Error(
            f"{what}: blocks must have shape [..., K/32, 16] (16 bytes hold 32 codes), got "
            f"{list(shape)}."
        )
    if tuple(scales.shape) != shape[:-1]:
        raise Error(
            f"{what}: scales must have the shape of blocks without the last dimension, "
            f"{list(shape[:-1])}, one byte for 32 values; got {list(scales.shape)}."
        )


@typed
def dequantize(blocks: ArrayLike, scales: ArrayLike, dtype: Any = bfloat16) -> NDArray[Any]:
    """Decode exactly.

    Args:
        blocks: u8 ``[..., K/32, 16]``.
        scales: u8 ``[..., K/32]``.
        dtype: bf16 (default), or a wider float type.

    Returns:
        ``[..., K]`` of ``dtype``, bit-exact (see `decode_table`).

    Raises:
        Error: if the pair's dtypes or shapes do not fit.
    """
    codes, bytes_ = as_array("blocks", blocks), as_array("scales", scales)
    check_quantized(codes, bytes_)
    pairs = _byte_table()[bytes_[..., None], codes]
    # The result of indexing is in the order of the indices.
    values = np.ascontiguousarray(pairs, "<u4").view("<u2").view(bfloat16)
    values = values.reshape(*bytes_.shape[:-1], bytes_.shape[-1] * BLOCK)
    return values if np.dtype(dtype) == bfloat16 else values.astype(dtype)


@typed
def unpack_codes(blocks: ArrayLike) -> NDArray[np.uint8]:
    """Codes, one per byte: u8 ``[..., K/32, 16]`` to u8 ``[..., K]`` with values 0..15.

    Raises:
        Error: if dtype or shape do not fit.
    """
    bytes_ = as_array("blocks", blocks)
    if bytes_.dtype != np.uint8 or bytes_.ndim < 2 or bytes_.shape[-1] != BLOCK_BYTES:
        raise Error(
            f"blocks must be uint8 [..., K/32, {BLOCK_BYTES}], got {bytes_.dtype} "
            f"{list(bytes_.shape)}."
        )
    codes = np.stack([bytes_ & 15, bytes_ >> 4], axis=-1)
    return codes.reshape(*bytes_.shape[:-2], bytes_.shape[-2] * BLOCK)


@typed
def pack_codes(codes: ArrayLike) -> NDArray[np.uint8]:
    """Inverse of `unpack_codes`: u8 ``[..., K]``, values 0..15, to u8 ``[..., K/32, 16]``.

    Raises:
        Error: if dtype, shape or a value do not fit.
    """
    values = as_array("codes", codes)
    if values.dtype.kind not in "iu" or values.ndim < 1 or values.shape[-1] % BLOCK:
        raise Error(
            f"codes must be integers [..., K] with K a multiple of {BLOCK}, got {values.dtype} "
            f"{list(values.shape)}."
        )
    if values.size and not 0 <= int(values.min()) <= int(values.max()) <= 15:
        raise Error(f"codes must be 0 to 15, got {int(values.min())} to {int(values.max())}.")
    pairs = values.reshape(*values.shape[:-1], values.shape[-1] // BLOCK, BLOCK_BYTES, 2)
    return (pairs[..., 0] | (pairs[..., 1] << 4)).astype(np.uint8)


@typed
def quantize(values: ArrayLike) -> Quantized:
    """Quantize by the OCP MX rule.

    The shared exponent of 32 values is ``floor(log2(amax)) - 2``, held within 2^-127 .. 2^127;
    elements are rounded to the nearest E2M1 value, ties to even, and saturate at 6.

    - A block of zeros gets scale 1 (byte 127); signs of zeros are kept.
    - A block that holds a NaN or an infinity gets scale 0xFF and codes 0: all of its 32 values
      decode to NaN. MXFP4 has no code for either, and nothing finite is made up.

    Args:
        values: any float dtype, ``[..., K]``, K a multiple of 32. bf16, f16 and f32 are computed
            in f32, f64 in f64.

    Returns:
        blocks u8 ``[..., K/32, 16]`` and scales u8 ``[..., K/32]``.

    Raises:
        Error: if values has no dimension or K is not a positive multiple of 32.
    """
    wide = as_array("values", values)
    if wide.ndim == 0 or wide.shape[-1] == 0 or wide.shape[-1] % BLOCK:
        raise Error(
            f"quantize: the last dimension must be a positive multiple of 32, got shape "
            f"{list(wide.shape)}."
        )
    kind = np.float64 if wide.dtype == np.float64 else np.float32
    groups = wide.shape[-1] // BLOCK
    flat = wide.reshape(-1, BLOCK)
    blocks = np.empty((len(flat), BLOCK_BYTES), np.uint8)
    scales = np.empty(len(flat), np.uint8)
    for start in range(0, len(flat), _CHUNK):
        part = slice(start, start + _CHUNK)
        blocks[part], scales[part] = _quantize_chunk(flat[part].astype(kind, copy=False))
    lead = wide.shape[:-1]
    return Quantized(blocks.reshape(*lead, groups, BLOCK_BYTES), scales.reshape(*lead, groups))


_CHUNK = 4096
"""Blocks quantized at once: few enough to stay in the cache."""


def _quantize_chunk(work: NDArray[Any]) -> Quantized:
    """Quantize blocks, f32 or f64 ``[B, 32]``."""
    magnitude = np.abs(work)
    amax = magnitude.max(axis=1)
    bad = ~np.isfinite(amax)
    amax[bad] = 0
    # amax = m * 2^e with m in [1/2, 1): floor(log2(amax)) is e - 1.
    _, exponent = np.frexp(amax)
    shared = np.where(amax == 0, 0, np.clip(exponent - 3, -SCALE_BIAS, SCALE_BIAS))
    with np.errstate(under="ignore", over="ignore", invalid="ignore"):
        magnitude *= np.ldexp(np.ones((), work.dtype), -shared).astype(work.dtype)[:, None]
    magnitude[bad] = 0
    codes = _round_to_e2m1(magnitude) | (np.signbit(work).view(np.uint8) << 3)
    codes[bad] = 0
    scales = np.where(bad, SCALE_NAN, shared + SCALE_BIAS).astype(np.uint8)
    return Quantized(codes[:, 0::2] | (codes[:, 1::2] << 4), scales)


def _round_to_e2m1(q: NDArray[Any]) -> NDArray[np.uint8]:
    """Nearest code 0..7 of q >= 0, ties to the even code, saturating.

    The eight values are three uniform grids, of steps 1/2 below 2, 1 below 4, and 2, on which
    codes count upward. So `rint`, which ties to even, gives the code on each grid, and the codes
    of the coarser grids are what is left over past its start.
    """
    code = np.rint(np.minimum(q, 2) * 2)
    code += np.rint(np.clip(q, 2, 4)) - 2
    code += np.rint(np.clip(q, 4, 6) * 0.5) - 2
    return code.astype(np.uint8)
