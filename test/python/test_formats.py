# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of the number format. Expected values come from integer arithmetic on bit fields."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from helpers import bits
from hypothesis import given
from hypothesis import strategies as st
from mxfp4 import Error, Layout, PackedWeights, Proof
from mxfp4.formats import (
    bfloat16,
    decode_table,
    dequantize,
    pack_codes,
    quantize,
    unpack_codes,
)


def e2m1(code: int) -> Fraction:
    """A code's value from its fields: s, two exponent bits (bias 1), one mantissa bit."""
    exponent, mantissa = (code >> 1) & 3, code & 1
    value = (
        Fraction(mantissa, 2) if exponent == 0 else (1 + Fraction(mantissa, 2)) * 2**exponent / 2
    )
    return -value if code & 8 else value


def bf16_value(pattern: int) -> Fraction | str:
    """A bf16 pattern's value from its fields: 8 exponent bits (bias 127), 7 mantissa bits."""
    sign = -1 if pattern & 0x8000 else 1
    exponent, mantissa = (pattern >> 7) & 0xFF, pattern & 0x7F
    if exponent == 0xFF:
        return "nan" if mantissa else ("-inf" if sign < 0 else "inf")
    if exponent == 0:
        return sign * Fraction(mantissa, 2**133)
    return sign * Fraction(128 + mantissa) * Fraction(2) ** (exponent - 134)


def expected(scale: int, code: int) -> Fraction | str:
    if scale == 255:
        return "nan"
    value = e2m1(code) * Fraction(2) ** (scale - 127)
    if abs(value) >= Fraction(2) ** 128:
        return "-inf" if code & 8 else "inf"
    return value


def test_every_byte_scale_and_nibble_decodes_exactly() -> None:
    byte = np.arange(256, dtype=np.uint8)
    blocks = np.broadcast_to(byte.reshape(16, 16), (256, 16, 16)).copy()
    scales = np.broadcast_to(byte[:, None], (256, 16)).copy()
    out = bits(dequantize(blocks, scales)).reshape(256, 256, 2)
    for scale in range(256):
        want = [expected(scale, code) for code in range(16)]
        for b in range(256):
            for half, code in enumerate((b & 15, b >> 4)):
                pattern = int(out[scale, b, half])
                assert bf16_value(pattern) == want[code], (scale, b, half)
                if scale != 255:
                    assert pattern >> 15 == code >> 3, "the sign, also of zero"


def test_corner_values() -> None:
    table = decode_table()
    assert float(table[0, 1]) == 2.0**-128  # scale byte 0 is not zero
    assert float(table[0, 2]) == 2.0**-127
    assert float(table[254, 2]) == 2.0**127
    assert np.isposinf(float(table[254, 4]))
    assert np.isneginf(float(table[254, 15]))
    assert np.isnan(table[255].astype(np.float32)).all()
    assert np.signbit(np.float32(table[127, 8]))
    assert float(table[127, 8]) == 0


def test_dequantize_to_f32_is_the_same_values(rng: np.random.Generator) -> None:
    blocks = rng.integers(0, 256, (3, 2, 16), dtype=np.uint8)
    scales = rng.integers(0, 250, (3, 2), dtype=np.uint8)
    wide = dequantize(blocks, scales, np.float32)
    assert wide.dtype == np.float32
    assert wide.shape == (3, 64)
    assert (wide == dequantize(blocks, scales).astype(np.float32)).all()


def test_codes_round_trip(rng: np.random.Generator) -> None:
    blocks = rng.integers(0, 256, (5, 3, 16), dtype=np.uint8)
    codes = unpack_codes(blocks)
    assert codes.shape == (5, 96)
    assert codes[0, 0] == blocks[0, 0, 0] & 15
    assert codes[0, 1] == blocks[0, 0, 0] >> 4
    assert (pack_codes(codes) == blocks).all()


def test_codes_that_are_none_are_refused() -> None:
    """Values above 15 would run into their neighbours."""
    for wrong in (np.full((1, 32), 16), np.full(32, -1)):
        with pytest.raises(Error, match="codes must be 0 to 15, got"):
            pack_codes(wrong)
    for wrong in (np.zeros((1, 31), int), np.zeros((1, 32)), np.array(0)):
        with pytest.raises(Error, match=r"codes must be integers .* multiple of 32, got"):
            pack_codes(wrong)
    assert pack_codes(np.zeros((2, 0), np.uint8)).shape == (2, 0, 16)
    for wrong in (np.zeros((2, 15), np.uint8), np.zeros(16, np.uint8), np.zeros((2, 16))):
        with pytest.raises(Error, match="blocks must be uint8"):
            unpack_codes(wrong)


@pytest.mark.parametrize("data", [None, [1], 3])
def test_packed_weights_are_arrays(data: object) -> None:
    with pytest.raises(Error, match="data of packed weights must be an array, got"):
        PackedWeights(data, 64, 64, Layout(), Proof(127, 127, False))


def test_memory_may_lie_in_any_order(rng: np.random.Generator) -> None:
    blocks = rng.integers(0, 256, (3, 5, 2, 16), dtype=np.uint8)
    scales = rng.integers(0, 250, (3, 5, 2), dtype=np.uint8)
    right = bits(dequantize(blocks, scales))
    for order in (np.asfortranarray, lambda a: np.repeat(a, 2, 0)[::2], lambda a: a[::-1][::-1]):
        assert (bits(dequantize(order(blocks), order(scales))) == right).all()


def test_quantize_of_representable_values_is_the_identity() -> None:
    # Blocks that hold a 6 or a 4 keep their scale; every code appears.
    codes = np.tile(np.arange(16, dtype=np.uint8), 2)
    for scale in range(253):  # above, the code 6 is infinite in bf16
        q = quantize(dequantize(pack_codes(codes), np.array([scale], np.uint8), np.float64))
        assert int(q.scales[0]) == scale
        assert (unpack_codes(q.blocks) == codes).all()


def test_quantize_rounds_to_nearest_even_code() -> None:
    magnitudes = [e2m1(c) for c in range(8)]
    for low in range(7):
        middle = (magnitudes[low] + magnitudes[low + 1]) / 2
        for value, code in (
            (middle, low if low % 2 == 0 else low + 1),
            (middle - Fraction(1, 1024), low),
            (middle + Fraction(1, 1024), low + 1),
        ):
            block = np.zeros(32, np.float32)
            block[0], block[1] = 4, float(value)
            q = quantize(block)
            assert int(q.scales[0]) == 127
            assert unpack_codes(q.blocks)[1] == code, float(value)


@pytest.mark.parametrize("top", [6.01, 6.99, 7.5, 7.999])
def test_quantize_saturates_at_six(top: float) -> None:
    block = np.full(32, -top, np.float32)
    q = quantize(block)
    assert int(q.scales[0]) == 127
    assert (dequantize(*q).astype(np.float32) == -6).all()


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=32, max_size=32)
)
def test_quantize_picks_the_nearest_value(values: list[float]) -> None:
    q = quantize(np.array(values, np.float32))
    scale = Fraction(2) ** (int(q.scales[0]) - 127)
    exact = [Fraction(v) for v in values]
    amax = max(map(abs, exact))
    if amax:
        assert scale == Fraction(2) ** -127 or 4 * scale <= amax < 8 * scale
    for value, code in zip(exact, unpack_codes(q.blocks), strict=True):
        got = e2m1(int(code)) * scale
        best = min(abs(abs(value) - e2m1(c) * scale) for c in range(8))
        assert abs(value - got) == best


def test_quantize_zero_and_non_finite_blocks() -> None:
    values = np.zeros((4, 32), np.float32)
    values[0, 3] = -0.0
    values[1, 5] = np.nan
    values[2, 7] = np.inf
    values[3, 0] = 1
    q = quantize(values)
    assert q.scales[:, 0].tolist() == [127, 255, 255, 125]
    assert unpack_codes(q.blocks)[0].tolist() == [0, 0, 0, 8] + [0] * 28
    assert not q.blocks[1:3].any()
    assert np.isnan(dequantize(*q)[1:3].astype(np.float32)).all()


def test_quantize_of_the_smallest_and_largest_numbers() -> None:
    tiny = np.full(32, 2.0**-149, np.float32)
    assert int(quantize(tiny).scales[0]) == 0
    huge = np.full(32, np.finfo(np.float32).max, np.float32)
    assert int(quantize(huge).scales[0]) == 252
    beyond = np.full(32, 1e300)
    q = quantize(beyond)
    assert int(q.scales[0]) == 254
    assert (unpack_codes(q.blocks) == 7).all()


def test_quantize_takes_bf16() -> None:
    block = np.array([1.5, -3.0] * 16, np.float32)
    assert (quantize(block.astype(bfloat16)).blocks == quantize(block).blocks).all()


@pytest.mark.parametrize(
    ("blocks", "scales", "text"),
    [
        (np.zeros((2, 1, 15), np.uint8), np.zeros((2, 1), np.uint8), "16 bytes hold 32 codes"),
        (np.zeros((2, 1, 16), np.int8), np.zeros((2, 1), np.uint8), "blocks must be uint8"),
        (np.zeros((2, 1, 16), np.uint8), np.zeros((2, 1), np.int32), "scales must be uint8"),
        (np.zeros((2, 1, 16), np.uint8), np.zeros((2, 2), np.uint8), r"\[2, 1\].*got \[2, 2\]"),
    ],
)
def test_misfits_are_refused(blocks: np.ndarray, scales: np.ndarray, text: str) -> None:
    with pytest.raises(Error, match=text):
        dequantize(blocks, scales)


def test_quantize_refuses_a_k_that_is_no_multiple_of_32() -> None:
    with pytest.raises(Error, match=r"positive multiple of 32, got shape \[4, 33\]"):
        quantize(np.zeros((4, 33), np.float32))
