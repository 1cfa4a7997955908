# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights for activations in FP8: powers of rows, the packed bytes, files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Error, PackedWeights, dequantize, pack, unpack
from mxfp4.formats import Quantized
from mxfp4.layout import FP8, Layout, pack_expert, padding_is_neutral, unpack_expert
from mxfp4.layout_bytes import restore_row_powers, take_row_powers

SIZES = [(1, 32), (64, 128), (70, 160), (200, 2880)]


def weights(rng: np.random.Generator, n: int, k: int, low: int = 100, high: int = 126) -> Quantized:
    blocks = rng.integers(0, 256, (n, k // 32, 16)).astype(np.uint8)
    return Quantized(blocks, rng.integers(low, high + 1, (n, k // 32)).astype(np.uint8))


def test_powers_of_rows_take_nothing_from_weights(rng: np.random.Generator) -> None:
    """Each weight is what is left times the row's power, exactly, for rows everywhere."""
    n, k = 300, 96
    span = rng.integers(0, 27, n)
    first = np.array([rng.integers(0, 255 - s) for s in span])
    scales = first[:, None] + rng.integers(0, span[:, None] + 1, (n, k // 32))
    blocks, scales = weights(rng, n, k).blocks, scales.astype(np.uint8)
    reduced, powers = take_row_powers(blocks, scales)
    assert reduced.min() >= 114
    assert reduced.max() <= 140
    assert powers.dtype == np.float32
    left = dequantize(blocks, reduced, np.float64)
    whole = dequantize(blocks, scales, np.float64)
    assert np.array_equal(left * powers[:, None].astype(np.float64), whole)
    assert np.array_equal(restore_row_powers(reduced, powers), scales)


def test_what_is_left_fits_e5m2() -> None:
    """Every code with every scale that is left is a normal E5M2."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    codes = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    values = np.ldexp(codes, np.arange(114, 141)[:, None] - 127)
    there = values.astype(ml_dtypes.float8_e5m2)
    assert np.array_equal(there.astype(np.float64), values)
    assert (there.view(np.uint8)[:, 1:] >> 2 & 31 > 0).all()


def test_blocks_of_zeros_may_have_any_scale() -> None:
    blocks = np.zeros((2, 3, 16), np.uint8)
    blocks[0, 1], blocks[0, 0] = 0x21, 0x80  # minus zeros
    scales = np.array([[250, 120, 0], [0, 200, 254]], np.uint8)
    reduced, powers = take_row_powers(blocks, scales)
    assert reduced.tolist() == [[127, 127, 127], [127, 127, 127]]
    assert powers.tolist() == [2.0**-7, 1]


def test_rows_that_do_not_fit_are_refused_with_their_numbers(rng: np.random.Generator) -> None:
    blocks, scales = weights(rng, 5, 64)
    blocks |= 0x11  # no zeros
    scales[:] = 120
    scales[3] = [100, 126]
    take_row_powers(blocks, scales)
    scales[3] = [100, 127]
    scales[4] = [0, 254]
    text = r"row 3 has scales from 2\^-27 to 2\^0, 27 powers of two apart; .* at most 26 .*\(2 of 5"
    with pytest.raises(Error, match=text):
        take_row_powers(blocks, scales)
    with pytest.raises(Error, match="expert 1: row 3 has scales"):
        pack(np.stack([blocks] * 2), np.stack([np.full_like(scales, 120), scales]), "fp8")
    scales[:] = 120
    scales[2, 1] = 255
    with pytest.raises(Error, match="row 2 has a scale that is NaN"):
        take_row_powers(blocks, scales)


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_bytes_are_where_the_layout_says(n: int, k: int, rng: np.random.Generator) -> None:
    """Each code and scale, one at a time, by the words of the module's description."""
    blocks, scales = weights(rng, n, k)
    reduced, _ = take_row_powers(blocks, scales)
    packed = pack_expert(blocks, reduced, FP8)
    assert packed.shape == (-(-n // 64), -(-k // 128), 4352)
    for row, col in zip(rng.integers(0, n, 400), rng.integers(0, k, 400), strict=True):
        block, r, c = packed[row // 64, col // 128], row % 64, col % 128
        warp, g, second = r // 16, r % 16 // 2, r % 2
        j, h, t, b = c // 32, c % 32 // 16, c % 16 // 4, c % 4
        word, thread = 2 * j + second, 32 * warp + 4 * g + t
        at = word // 4 * 2048 + 16 * thread + word % 4 * 4
        value = int(block[at : at + 4].view("<u4")[0])
        sign = value >> (8 * b + (3 if h else 7)) & 1
        pair = blocks[row, col // 32, col % 32 // 2]
        assert (value >> 16 * h + 4 * b & 7) | sign << 3 == (pair >> 4 if col % 2 else pair & 15)
        assert block[4096 + 64 * warp + 8 * g + 4 * second + j] == reduced[row, col // 32] - 114


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_unpacking_gives_back(n: int, k: int, rng: np.random.Generator) -> None:
    blocks, scales = weights(rng, n, k)
    reduced, _ = take_row_powers(blocks, scales)
    packed = pack_expert(blocks, reduced, FP8)
    found = unpack_expert(packed, n, k, FP8)
    assert np.array_equal(found.blocks, blocks)
    assert np.array_equal(found.scales, reduced)
    assert padding_is_neutral(packed, n, k, FP8)
    if k % 128:
        packed[0, -1, 4096 + 3] = 14
        assert not padding_is_neutral(packed, n, k, FP8)


def test_pack_unpack_decode_and_rows(rng: np.random.Generator) -> None:
    parts = [weights(rng, 70, 160) for _ in range(3)]
    blocks, scales = (np.stack(part) for part in zip(*parts, strict=True))
    packed = pack(blocks, scales, "fp8")
    assert (packed.layout, packed.shape) == (FP8, (3, 70, 160))
    assert (packed.proof.scale_min, packed.proof.scale_max) == (scales.min(), scales.max())
    packed.validate()
    back = unpack(packed)
    assert np.array_equal(back.blocks, blocks)
    assert np.array_equal(back.scales, scales)
    assert np.array_equal(packed.decode(1), dequantize(blocks[1], scales[1]))
    apart = pack(blocks, scales, "fp8", gate_up="apart")
    halves = np.stack(np.split(packed.powers, 2, axis=1), axis=2).reshape(3, 70)
    assert np.array_equal(apart.powers, halves)
    for change in ({"powers": None}, {"powers": packed.powers[:2]},
                   {"powers": packed.powers.astype(np.float64)}):  # fmt: skip
        with pytest.raises(Error, match="powers"):
            dataclasses.replace(packed, **change)
    with pytest.raises(Error, match="go together"):
        Layout("bytes", "folded")


def test_files(tmp_path: Path, rng: np.random.Generator) -> None:
    """Saved and loaded with their powers, which the digest covers."""
    parts = [weights(rng, 70, 160) for _ in range(2)]
    packed = pack(*(np.stack(part) for part in zip(*parts, strict=True)), "fp8")
    file = tmp_path / "weights.safetensors"
    packed.save(file)
    found = PackedWeights.load(file)
    assert found.layout == FP8
    assert np.array_equal(found.data, packed.data)
    assert np.array_equal(found.powers, packed.powers)
    assert found.proof == packed.proof
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    with pytest.raises(Error, match=r"the metadata claims|digest does not fit"):
        PackedWeights.load(file)
