# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The fragment-major weight layout: where each code and scale of a matrix lies.

A matrix ``[N, K]`` becomes ``ceil(N/64) x ceil(K/64)`` blocks of 2176 bytes, 2048 of codes and 128
of scales. A block covers 64 rows and 64 columns, and belongs to 128 threads (4 warps):

- Thread ``tid`` (w = tid // 32, g = tid % 32 // 4, t = tid % 4) owns the 16 bytes at ``16 * tid``:
  four little-endian u32 words, one for each 16 columns (k16 step j).
- A word holds the 8 codes of the thread's m16k16 A fragment in the slots ``s = 2r + h``: registers
  r0 = (row g, k = 2t + h), r1 = (row g+8, same k), r2 = (row g, k + 8), r3 = (row g+8, k + 8).
- Fragment rows g and g+8 of warp w are matrix rows ``16w + 2g`` and ``16w + 2g + 1``, so that a
  thread's results are neighbours in the output.
- Scales: the four bytes at ``2048 + 32w + 4g`` are row g's of the block's first and second 32
  columns, then the same of row g+8.

``order`` says which bits of a word hold which slot; ``scales`` how a scale byte is stored.
Padding (n >= N or k >= K) has code 0 and scale 1.

The layout for activations in FP8 has blocks of 64 x 128 (`mxfp4.layout_bytes`).

Worked example, thread 0, order "nibble", the first word from its low bits: column 0 of row 0,
column 0 of row 1, column 8 of row 0, column 8 of row 1; then the same of columns 1 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, typed
from .errors import Error
from .formats import BLOCK, Quantized, check_quantized

TILE = 64
"""Rows and columns of a block."""

CODE_BYTES = 2048
"""Bytes of codes in a block, at its start."""

BLOCK_BYTES = 2176
"""Bytes of a block: codes, then 128 scales."""

ORDERS = ("spread", "nibble", "bytes")
SCALES = ("folded", "raw", "relative")

FOLDED_BIAS = 126
"""A folded scale byte is the E8M0 byte plus this."""

FOLDED_MAX = 128
"""The largest E8M0 byte that can be stored folded."""

RELATIVE_LEAST, RELATIVE_MOST = 114, 140
"""The E8M0 bytes that can be stored relative, as the byte minus the least."""

_OFFSETS = {"folded": FOLDED_BIAS, "raw": 0, "relative": 256 - RELATIVE_LEAST}
"""What is added to an E8M0 byte, modulo 256."""

# Bit positions of (sign, e1, e0, mantissa) of register r's code in half h = 0; 16 higher for h = 1,
# and past bit 31 comes bit 0.
_SPREAD_BITS = ((15, 8, 7, 6), (12, 5, 4, 3), (9, 2, 1, 0), (27, 26, 30, 29))
_NIBBLE_BITS = ((3, 2, 1, 0), (7, 6, 5, 4), (11, 10, 9, 8), (15, 14, 13, 12))

SCALE_AXES = (0, 4, 1, 2, 3, 5)
"""From scales ``[nb, w, g, p, kb, k32]`` (row 64 nb + 16w + 2g + p) to their order in memory."""


@typed
@dataclass(frozen=True)
class Layout:
    """A packed layout: weights packed for one must not meet a kernel made for another.

    Attributes:
        order: "spread" (bits placed for the cheapest decode) or "nibble" (slot (r, h) at bits
            16h + 4r, to be read by eye); or "bytes", for activations in FP8.
        scales: "folded" (E8M0 byte + 126, which needs every byte <= 128) or "raw"; of "bytes",
            and of nothing else, "relative" (E8M0 byte - 114, which needs every byte from 114 to
            140: packing takes a power of two out of each row).
    """

    order: str = "spread"
    scales: str = "folded"

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise Error(f"layout order must be one of {list(ORDERS)}, got {self.order!r}.")
        if self.scales not in SCALES:
            raise Error(f"layout scales must be one of {list(SCALES)}, got {self.scales!r}.")
        if (self.order == "bytes") != (self.scales == "relative"):
            raise Error(
                'order "bytes" and scales "relative" go together, for activations in FP8; got '
                f"order {self.order!r} with scales {self.scales!r}."
            )

    def __str__(self) -> str:
        return f"fragment_major(order={self.order}, scales={self.scales})"

    @property
    def padding_scale(self) -> int:
        """The stored byte that means 1."""
        return (127 + self.scale_offset) % 256

    @property
    def scale_offset(self) -> int:
        """What is added to an E8M0 byte to store it, modulo 256."""
        return _OFFSETS[self.scales]

    @property
    def activations(self) -> str:
        """ "fp8" or "bf16": what kernels multiply such weights with."""
        return "fp8" if self.order == "bytes" else "bf16"

    @property
    def columns(self) -> int:
        """Of a block."""
        return 2 * TILE if self.order == "bytes" else TILE

    @property
    def code_bytes(self) -> int:
        """Of a block, at its start."""
        return CODE_BYTES * self.columns // TILE

    @property
    def block_bytes(self) -> int:
        """Codes and scales of a block."""
        return BLOCK_BYTES * self.columns // TILE

    def shape(self, n: int, k: int) -> tuple[int, int, int]:
        """Of the bytes of one packed matrix.

        Raises:
            Error: if n < 1, or k is not a positive multiple of 32.
        """
        return *blocks_of(n, k, self.columns), self.block_bytes


FP8 = Layout("bytes", "relative")
"""The layout for activations in FP8."""


def blocks_of(n: int, k: int, columns: int = TILE) -> tuple[int, int]:
    """(ceil(N/64), ceil(K/columns)).

    Raises:
        Error: if n < 1, or k is not a positive multiple of 32.
    """
    if n < 1:
        raise Error(f"N must be at least 1, got {n}.")
    if k < BLOCK or k % BLOCK:
        raise Error(f"K must be a positive multiple of 32 (one scale serves 32 values), got {k}.")
    return -(-n // TILE), -(-k // columns)


@cache
def slot_bits(order: str) -> NDArray[np.int64]:
    """Bit of the u32 word that holds bit b (0 = mantissa .. 3 = sign) of slot s: ``[8, 4]``."""
    of_register = _SPREAD_BITS if order == "spread" else _NIBBLE_BITS
    bits = [[(of_register[s // 2][3 - b] + 16 * (s % 2)) % 32 for b in range(4)] for s in range(8)]
    return np.array(bits)


@cache
def _byte_tables(order: str, inverse: bool) -> NDArray[np.uint32]:
    """A permutation of a word's bits as the OR of one look-up a byte: u32 ``[4, 256]``.

    It starts from slot s at bits 4s, where a byte is a byte of the checkpoint.
    """
    target = slot_bits(order).reshape(32)  # bit i goes to target[i]
    if inverse:
        target = np.argsort(target)
    table = np.zeros((4, 256), np.uint32)
    byte = np.arange(256, dtype=np.uint32)
    for i in range(32):
        table[i // 8] |= ((byte >> np.uint32(i % 8)) & 1) << np.uint32(target[i])
    return table


@cache
def _half_tables(order: str) -> NDArray[np.uint32]:
    """The same permutation by halves of a word: u32 ``[2, 65536]``."""
    table, half = _byte_tables(order, inverse=False), np.arange(65536)
    return np.stack([table[2 * i][half & 255] | table[2 * i + 1][half >> 8] for i in range(2)])


def _unpermute_words(data: NDArray[np.uint8], order: str) -> NDArray[np.uint8]:
    """Put back the bits of each 4-byte group (last dimension, size 4)."""
    table = _byte_tables(order, inverse=True)
    word = table[0][data[..., 0]]
    for i in range(1, 4):
        word |= table[i][data[..., i]]
    return word.astype("<u4", copy=False)[..., None].view(np.uint8)


def check_scales(layout: Layout, largest: int) -> None:
    """Check that a layout can hold scale bytes up to ``largest``; those of "relative" depend on
    their rows (`layout_bytes.take_row_powers`).

    Raises:
        Error: if it cannot.
    """
    if layout.scales == "folded" and largest > FOLDED_MAX:
        raise Error(
            f"folded scales need every scale byte <= {FOLDED_MAX}, but the largest is {largest}; "
            'use scales="raw" or layout="auto".'
        )


def check_output(out: NDArray[np.uint8], shape: tuple[int, ...]) -> None:
    """Check that packed bytes can be written to an array.

    Raises:
        Error: if they cannot.
    """
    if out.shape != shape or out.dtype != np.uint8:
        raise Error(f"out must be uint8 {list(shape)}, got {out.dtype} {list(out.shape)}.")
    if not out.flags.writeable:
        raise Error("out must be an array that may be written, got a read-only one.")


@typed
def pack_expert(
    blocks: ArrayLike,
    scales: ArrayLike,
    layout: Layout,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Pack one matrix.

    Args:
        blocks: u8 ``[N, K/32, 16]``.
        scales: u8 ``[N, K/32]``; of the layout "relative", those that
            `layout_bytes.take_row_powers` leaves.
        layout: the target layout.
        out: u8 of `Layout.shape` to write into, or None.

    Returns:
        ``out``, or a new array of that shape.

    Raises:
        Error: if shapes do not fit, or the layout cannot hold a scale byte.
    """
    blocks, scales = as_array("blocks", blocks), as_array("scales", scales)
    check_quantized(blocks, scales)
    if blocks.ndim != 3:
        raise Error(f"weights: one expert's blocks must be [N, K/32, 16], got {blocks.shape}.")
    n, k = int(scales.shape[0]), int(scales.shape[1]) * BLOCK
    check_scales(layout, int(scales.max()))
    nb, kb, _ = shape = layout.shape(n, k)
    if out is None:
        out = np.empty(shape, np.uint8)
    else:
        check_output(out, shape)
    if layout.order == "bytes":
        from .layout_bytes import pack_into

        pack_into(blocks, scales, layout, out)
        return out
    padded = np.zeros((nb * TILE, kb * TILE // 2), np.uint8)
    padded[:n, : k // 2] = blocks.reshape(n, k // 2)
    #                       nb w  g  p  kb  j  q  t   (row 16w + 2g + p, byte 8j + 4q + t)
    codes = padded.reshape(nb, 4, 8, 2, kb, 4, 2, 4)
    # Bytes p = 0, 1 are a half of a word, halves q = 0, 1 a word.
    halves = codes[:, :, :, 0].astype(np.uint16)
    halves |= codes[:, :, :, 1].astype(np.uint16) << 8
    low, high = _half_tables(layout.order)
    words = low[halves[..., 0, :]]
    words |= high[halves[..., 1, :]]
    ordered = words.transpose(0, 3, 1, 2, 5, 4).astype("<u4", order="C", copy=False)
    out[:, :, :CODE_BYTES] = ordered.reshape(nb, kb, -1).view(np.uint8)

    stored = np.full((nb * TILE, kb * 2), layout.padding_scale, np.uint8)
    stored[:n, : k // BLOCK] = scales + np.uint8(layout.scale_offset)
    bytes_ = stored.reshape(nb, 4, 8, 2, kb, 2).transpose(SCALE_AXES)
    out[:, :, CODE_BYTES:] = bytes_.reshape(nb, kb, BLOCK_BYTES - CODE_BYTES)
    return out


def _unpack_padded(packed: NDArray[np.uint8], layout: Layout) -> tuple[Any, Any]:
    """The checkpoint's bytes of codes and of scales, ``[NB*64, ...]``, padding included."""
    if layout.order == "bytes":
        from .layout_bytes import unpack_codes

        return unpack_codes(packed), unpack_scales(packed, layout)
    nb, kb, _ = packed.shape
    words = packed[:, :, :CODE_BYTES].reshape(nb, kb, CODE_BYTES // 4, 4)
    codes = _unpermute_words(words, layout.order).reshape(nb, kb, 4, 8, 4, 4, 2, 2)
    flat = np.ascontiguousarray(codes.transpose(0, 2, 3, 7, 1, 5, 6, 4))
    return flat.reshape(nb * TILE, kb * TILE // 2), unpack_scales(packed, layout)


@typed
def unpack_scales(packed: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """E8M0 bytes ``[NB*64, KB * columns/32]`` of one packed matrix, padding included.

    Raises:
        Error: if it is none.
    """
    if packed.ndim != 3 or packed.shape[2] != layout.block_bytes or packed.dtype != np.uint8:
        raise Error(
            f"a packed matrix must be uint8 [NB, KB, {layout.block_bytes}], got {packed.dtype} "
            f"{list(packed.shape)}."
        )
    nb, kb, _ = packed.shape
    slices = layout.columns // BLOCK
    ordered = packed[:, :, layout.code_bytes :].reshape(nb, kb, 4, 8, 2, slices)
    stored = ordered.transpose(np.argsort(SCALE_AXES)).reshape(nb * TILE, kb * slices)
    return stored - np.uint8(layout.scale_offset)


@typed
def unpack_expert(packed: NDArray[np.uint8], n: int, k: int, layout: Layout) -> Quantized:
    """Inverse of `pack_expert`.

    Args:
        packed: u8 of `Layout.shape`.
        n: N.
        k: K.
        layout: the layout it was packed for.

    Returns:
        blocks u8 ``[N, K/32, 16]`` and scales u8 ``[N, K/32]``, without what was taken out of rows.

    Raises:
        Error: if the shape does not fit n and k.
    """
    _check_packed(packed, n, k, layout)
    codes, scales = _unpack_padded(packed, layout)
    return Quantized(
        codes[:n, : k // 2].reshape(n, k // BLOCK, BLOCK // 2), scales[:n, : k // BLOCK].copy()
    )


def _check_packed(packed: NDArray[np.uint8], n: int, k: int, layout: Layout) -> None:
    shape = layout.shape(n, k)
    if packed.shape != shape or packed.dtype != np.uint8:
        raise Error(
            f"packed weights of N = {n}, K = {k} must be uint8 {list(shape)}, got "
            f"{packed.dtype} {list(packed.shape)}."
        )


@typed
def padding_is_neutral(packed: NDArray[np.uint8], n: int, k: int, layout: Layout) -> bool:
    """Whether all padding of one packed expert has code 0 and scale 1, as packing leaves it.

    Raises:
        Error: if the shape does not fit n and k.
    """
    _check_packed(packed, n, k, layout)
    nb, kb, _ = packed.shape
    parts = []
    if n % TILE:
        parts.append((packed[nb - 1 :], n - (nb - 1) * TILE, k))
    if k % layout.columns:
        parts.append((packed[:, kb - 1 :], n, k - (kb - 1) * layout.columns))
    for part, rows, columns in parts:
        codes, scales = _unpack_padded(part, layout)
        outside = codes[rows:].any() or codes[:, columns // 2 :].any()
        wrong = (scales[rows:] != 127).any() or (scales[:, columns // BLOCK :] != 127).any()
        if outside or wrong:
            return False
    return True


@typed
def to_raw_scales(packed: NDArray[np.uint8]) -> None:
    """Turn folded scale bytes into raw ones, in place; u8 ``[..., 2176]``, padding included.

    Raises:
        Error: if they are not such bytes, or must not be written.
    """
    if packed.shape[-1:] != (BLOCK_BYTES,):
        raise Error(f"packed weights must be [..., {BLOCK_BYTES}], got {list(packed.shape)}.")
    check_output(packed, packed.shape)
    packed[..., CODE_BYTES:] -= np.uint8(FOLDED_BIAS)
