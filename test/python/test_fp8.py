# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference of FP8 rows, against ml_dtypes and torch."""

from __future__ import annotations

import numpy as np
import pytest
from mxfp4 import Error, fp8
from mxfp4.formats import bfloat16

LARGEST, LEAST = np.float32(fp8.E4M3_LARGEST), np.float32(fp8.LEAST_SCALE)


def every_bf16() -> np.ndarray:
    return np.arange(1 << 16, dtype=np.uint16).view(bfloat16)


def test_every_code_has_the_value_that_others_give_it() -> None:
    codes = np.arange(256, dtype=np.uint8)
    theirs = codes.view(fp8.float8_e4m3).astype(np.float64)
    assert np.array_equal(fp8.e4m3_values(), theirs, equal_nan=True)


def saturated(values: np.ndarray) -> np.ndarray:
    """E4M3 as ml_dtypes rounds to it, which makes NaN of more than 448, with our NaN."""
    theirs = np.clip(values, -LARGEST, LARGEST).astype(fp8.float8_e4m3).view(np.uint8)
    return np.where(np.isnan(values), np.uint8(fp8.E4M3_NAN), theirs)


@pytest.mark.parametrize("power", range(-140, 20, 7))
def test_rounding_is_what_ml_dtypes_rounds_to(power: int) -> None:
    """Every bf16, times powers of two that move them through all of E4M3's range."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = np.ldexp(every_bf16().astype(np.float32), power)
    assert np.array_equal(fp8.encode_e4m3(values), saturated(values))


def test_rounding_of_ties_and_their_neighbours() -> None:
    """Middles of two codes, and the f32 below and above each."""
    known = fp8.e4m3_values()[:127]
    middles = ((known[1:] + known[:-1]) / 2).astype(np.float32)
    values = np.concatenate([np.nextafter(middles, np.float32(side)) for side in (-1e9, 1e9)])
    values = np.concatenate([middles, values, -middles, -values, known, [448.0001, 1e30, np.inf]])
    values = values.astype(np.float32)
    assert np.array_equal(fp8.encode_e4m3(values), saturated(values))


def test_rounding_is_what_torch_rounds_to(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    values = (rng.standard_normal(1 << 16) * 2.0 ** rng.integers(-12, 8, 1 << 16)).clip(-448, 448)
    finite = every_bf16().astype(np.float32)
    finite = finite[np.isfinite(finite)]
    values = np.concatenate([values.astype(np.float32), finite])
    values = values[np.abs(values) <= LARGEST]
    theirs = torch.from_numpy(values).to(torch.float8_e4m3fn).view(torch.uint8).numpy()
    assert np.array_equal(fp8.encode_e4m3(values), theirs)


def test_each_row_uses_the_whole_range(rng: np.random.Generator) -> None:
    """The largest magnitude is 448 times the scale, within a rounding, in rows of any size."""
    x = rng.standard_normal((200, 96)) * 2.0 ** rng.integers(-110, 110, (200, 1))
    x = x.astype(np.float32).astype(bfloat16)
    codes, scales, error = fp8.quantize_rows(x)
    assert error == 0
    assert codes.dtype == fp8.float8_e4m3
    assert (np.abs(codes.astype(np.float32)).max(axis=1) == LARGEST).all()
    largest = np.abs(x.astype(np.float64)).max(axis=1)
    assert np.allclose(scales * 448.0, largest, rtol=2**-23, atol=0)
    error = np.abs(fp8.QuantizedRows(codes, scales).values() - x.astype(np.float64))
    # Half of a place of 3 bits, and of the subnormals' place.
    bound = np.maximum(np.abs(x.astype(np.float64)) * 2**-4, scales[:, None] * 2**-10)
    assert (error <= bound * (1 + 1e-6)).all()


def test_rows_of_zeros_and_of_tiny_values() -> None:
    x = np.zeros((3, 32), np.float32)
    x[0, 3] = -0.0
    x[1, 5], x[2, 7] = 2.0**-133, 448 * 2.0**-127
    codes, scales, _ = fp8.quantize_rows(x.astype(bfloat16))
    assert (scales == LEAST).all()
    assert codes.view(np.uint8)[0].tolist() == [0, 0, 0, 0x80] + [0] * 28
    assert codes[1, 5].astype(np.float32) == 2.0**-7
    assert codes[2, 7].astype(np.float32) == 224


def test_nan_and_infinities() -> None:
    x = np.tile(np.linspace(-7, 7, 32, dtype=np.float32), (3, 1))
    x[0, 4], x[1, 4], x[2, :] = np.nan, -np.inf, np.nan
    plain = fp8.quantize_rows(np.delete(x, 4, axis=1)[:1].astype(bfloat16))
    codes, scales, _ = fp8.quantize_rows(x.astype(bfloat16))
    bits = codes.view(np.uint8)
    # NaN changes nothing else in its row.
    assert scales[0] == plain.scales[0]
    assert bits[0, 4] == fp8.E4M3_NAN
    assert np.array_equal(np.delete(bits[0], 4), plain.codes.view(np.uint8)[0])
    assert scales[1] == np.inf
    assert bits[1, 4] == fp8.E4M3_NAN
    assert (np.delete(bits[1], 4) & 0x7F == 0).all()
    assert scales[2] == LEAST
    assert (bits[2] == fp8.E4M3_NAN).all()


def test_gathered_rows(rng: np.random.Generator) -> None:
    """Are the rows themselves, and zeros where there is no row."""
    x = rng.standard_normal((5, 64)).astype(np.float32).astype(bfloat16)
    gather = np.array([4, 0, 0, -1, 5, 2], np.int32)
    whole, some = fp8.quantize_rows(x), fp8.quantize_rows(x, gather)
    assert (whole.error, some.error) == (0, 4)
    for row, source in enumerate(gather):
        known = 0 <= source < 5
        assert some.scales[row] == (whole.scales[source] if known else LEAST)
        wanted = whole.codes[source].tobytes() if known else bytes(64)
        assert some.codes[row].tobytes() == wanted
    assert fp8.quantize_rows(x[:0]).codes.shape == (0, 64)
    assert fp8.quantize_rows(x, gather[:3]).error == 0


def test_wrong_inputs() -> None:
    with pytest.raises(Error, match=r"x must be bf16 \[R, K\], got float32 \[2, 32\]"):
        fp8.quantize_rows(np.zeros((2, 32), np.float32))
    x = np.zeros((2, 32), bfloat16)
    for gather in (np.array([0.0, 1.0]), np.array([[0, 1]]), np.array([True, False])):
        with pytest.raises(Error, match=r"gather must be int32 \[R'\], got"):
            fp8.quantize_rows(x, gather)
