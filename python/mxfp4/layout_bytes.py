# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layout of weights for activations in FP8, and the power of two of each row.

The tensor cores multiply activations in E4M3 with weights in E5M2, which holds a code times 2^-13
to 2^13 as a normal number. Packing therefore divides the scales of each row by a power of two, f32
``[E, N]``, and kernels multiply the row's sums by it in their epilogue.

A block is 64 x 128 weights in 4352 bytes, 4096 of codes and 256 of scales. Of thread
(w, g, t) as in `mxfp4.layout`:

- Words 0 to 3 are the 16 bytes at ``16 * tid``, words 4 to 7 those at ``2048 + 16 * tid``. Words 2j
  and 2j + 1 hold the codes of matrix rows ``16w + 2g`` and ``16w + 2g + 1`` in columns 32j to
  32j + 31: slot ``4h + b`` is column ``32j + 16h + 4t + b``.
- Bits 4s to 4s + 2 of a word are the magnitude of slot s; its sign is at bit ``8b + 7`` for h = 0,
  and ``8b + 3`` for h = 1, so that a mask, or a shift and a mask, bring four signs to four bytes.
- Scales: the eight bytes at ``4096 + 64w + 8g`` are those of the four slices of the first row,
  then of the second.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import Error
from .formats import BLOCK, SCALE_BIAS, SCALE_NAN, check_quantized
from .layout import RELATIVE_LEAST, RELATIVE_MOST, SCALE_AXES, TILE, Layout

COLUMNS = 128
SPAN = RELATIVE_MOST - RELATIVE_LEAST
"""Powers of two between the scales of a row at most."""

# From codes [nb, w, g, p, kb, j, i, h, t, b] (row 64 nb + 16w + 2g + p, column 128 kb + 64j + 32i
# + 16h + 4t + b) to the order of words in memory, with the codes of a word last.
WORDS = (0, 4, 5, 1, 2, 8, 6, 3, 7, 9)


def take_row_powers(
    blocks: NDArray[np.uint8], scales: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Take a power of two out of the scales of each row of a matrix.

    Code times scale is code times what is left times the power, exactly, for every weight. Blocks
    of zeros may have any scale.

    Args:
        blocks: u8 ``[N, K/32, 16]``.
        scales: u8 ``[N, K/32]``.

    Returns:
        E8M0 bytes ``[N, K/32]`` from 114 to 140, and powers f32 ``[N]``.

    Raises:
        Error: naming the first row whose scales lie too far apart, or have NaN.
    """
    least, most, is_empty = row_spans(blocks, scales)
    refuse_rows(least, most)
    middle = (least + most) // 2
    wide = scales.astype(np.int64)
    inside = (wide >= least[:, None]) & (wide <= most[:, None])
    reduced = np.where(inside, wide - middle[:, None] + SCALE_BIAS, SCALE_BIAS)
    reduced = np.where(is_empty[:, None], SCALE_BIAS, reduced)
    return reduced.astype(np.uint8), np.ldexp(np.float32(1), (middle - SCALE_BIAS).astype(np.int32))


def row_spans(
    blocks: NDArray[np.uint8], scales: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The least and the greatest scale byte of each row's blocks that are not zeros, and whether
    there is none; bytes of such rows are 127."""
    check_quantized(blocks, scales)
    is_used = (blocks & 0x77).any(axis=-1) | (scales == SCALE_NAN)
    least = np.where(is_used, scales, SCALE_NAN).min(axis=-1).astype(np.int64)
    most = np.where(is_used, scales, 0).max(axis=-1).astype(np.int64)
    is_empty = ~is_used.any(axis=-1)
    return (
        np.where(is_empty, SCALE_BIAS, least), np.where(is_empty, SCALE_BIAS, most), is_empty
    )  # fmt: skip


def rows_beyond(least: NDArray[np.int64], most: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of the rows, of `row_spans`, that E5M2 cannot hold."""
    return np.flatnonzero((most == SCALE_NAN) | (most - least > SPAN))


def refusal(row: int, least: int, most: int) -> str:
    """The start of a sentence: why E5M2 cannot hold a row."""
    if most == SCALE_NAN:
        return f"row {row} has a scale that is NaN, which E5M2 weights cannot hold"
    return (
        f"row {row} has scales from 2^{least - SCALE_BIAS} to 2^{most - SCALE_BIAS}, "
        f"{most - least} powers of two apart; E5M2 holds a row exactly if they are at most {SPAN} "
        "apart"
    )


def refuse_rows(least: NDArray[np.int64], most: NDArray[np.int64]) -> None:
    """Check the least and the greatest scale byte of each row.

    Raises:
        Error: naming the first row that E5M2 cannot hold.
    """
    bad = rows_beyond(least, most)
    if not bad.size:
        return
    row = int(bad[0])
    others = f" ({bad.size} of {len(least)} rows are not)" if most[row] != SCALE_NAN else ""
    raise Error(
        f"{refusal(row, int(least[row]), int(most[row]))}{others}; pack these weights for "
        "activations in bf16."
    )


def restore_row_powers(
    reduced: NDArray[np.uint8], powers: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The scales ``[N, K/32]`` of rows out of which powers ``[N]`` were taken; blocks of zeros may
    have had others."""
    _, exponent = np.frexp(powers)
    return (reduced.astype(np.int64) + (exponent - 1)[:, None]).astype(np.uint8)


def held_scales(blocks: NDArray[np.uint8], scales: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The scales ``[N, K/32]`` that packed weights have: those of blocks of zeros may be others.

    Raises:
        Error: as `take_row_powers`.
    """
    return restore_row_powers(*take_row_powers(blocks, scales))


def pack_into(
    blocks: NDArray[np.uint8], scales: NDArray[np.uint8], layout: Layout, out: NDArray[np.uint8]
) -> None:
    """Write the packed bytes of a matrix, see `layout.pack_expert`.

    Raises:
        Error: if a scale byte is not from 114 to 140.
    """
    if scales.min() < RELATIVE_LEAST or scales.max() > RELATIVE_MOST:
        raise Error(
            f"relative scales need every scale byte from {RELATIVE_LEAST} to {RELATIVE_MOST}, got "
            f"{scales.min()} to {scales.max()}; take_row_powers gives such bytes."
        )
    (n, slices), (nb, kb, _) = scales.shape, out.shape
    codes = np.zeros((nb * TILE, kb * COLUMNS), np.uint8)
    pairs = blocks.reshape(n, slices * BLOCK // 2)
    codes[:n, : slices * BLOCK : 2] = pairs & 15
    codes[:n, 1 : slices * BLOCK : 2] = pairs >> 4
    parts = codes.reshape(nb, 4, 8, 2, kb, 2, 2, 2, 4, 4).transpose(WORDS)
    slots = parts.reshape(*parts.shape[:-2], 8)
    magnitude, sign = slots & 7, slots >> 3
    words = magnitude[..., ::2] | magnitude[..., 1::2] << 4
    words |= sign[..., :4] << 7 | sign[..., 4:] << 3
    out[:, :, : layout.code_bytes] = words.reshape(nb, kb, -1)
    stored = np.full((nb * TILE, kb * 4), layout.padding_scale, np.uint8)
    stored[:n, :slices] = scales - np.uint8(RELATIVE_LEAST)
    ordered = stored.reshape(nb, 4, 8, 2, kb, 4).transpose(SCALE_AXES)
    out[:, :, layout.code_bytes :] = ordered.reshape(nb, kb, -1)


def unpack_codes(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The checkpoint's bytes of codes ``[NB*64, KB*64]``, padding included."""
    nb, kb, _ = packed.shape
    words = packed[:, :, : TILE * COLUMNS // 2].reshape(nb, kb, 2, 4, 8, 4, 2, 2, 4)
    slots = np.empty((*words.shape[:-1], 8), np.uint8)
    slots[..., ::2], slots[..., 1::2] = words & 7, words >> 4 & 7
    slots[..., :4] |= words >> 4 & 8
    slots[..., 4:] |= words & 8
    parts = slots.reshape(*words.shape[:-1], 2, 4)
    codes = parts.transpose(np.argsort(WORDS)).reshape(nb * TILE, kb * COLUMNS)
    return codes[:, ::2] | codes[:, 1::2] << 4
