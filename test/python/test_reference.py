# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The reference matmul against sums in exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from helpers import exact_activations, random_weights, split
from mxfp4 import Error
from mxfp4.formats import bfloat16, dequantize
from mxfp4.reference import (
    bounded_matmul,
    check_routing,
    error_bound,
    grouped_matmul,
    mismatches,
)


@pytest.mark.parametrize("ids", [None, [2, -1, 0, 2]])
def test_equals_exact_sums(rng: np.random.Generator, ids: list[int] | None) -> None:
    weights = random_weights(rng, 3, 5, 64, 110, 130)
    rows = 9
    groups = 3 if ids is None else len(ids)
    offsets = split(rng, rows, groups)
    x = rng.standard_normal((rows, 64)).astype(np.float32).astype(bfloat16)
    expert_ids = None if ids is None else np.array(ids, np.int32)
    got = bounded_matmul(x, weights, offsets, expert_ids)
    w = dequantize(*weights).astype(np.float64)
    for g in range(groups):
        expert = g if ids is None else ids[g]
        for r in range(offsets[g], offsets[g + 1]):
            for n in range(5):
                exact = Fraction(0)
                if expert >= 0:
                    pairs = zip(x[r].astype(np.float64), w[expert, n], strict=True)
                    exact = sum((Fraction(a) * Fraction(b) for a, b in pairs), Fraction(0))
                assert abs(Fraction(got.value[r, n]) - exact) <= Fraction(got.bound[r, n]) / 100
    out = grouped_matmul(x, weights, offsets, expert_ids)
    assert out.dtype == bfloat16
    assert (np.abs(out.astype(np.float64) - got.value) <= got.bound).all()


def test_rows_of_no_expert_are_zero_and_nan_stays_with_its_expert(
    rng: np.random.Generator,
) -> None:
    weights = random_weights(rng, 2, 4, 32, 127, 127)
    weights.scales[1] = 255
    x = exact_activations(rng, 3, 32)
    out = grouped_matmul(
        x, weights, np.array([0, 1, 2, 3], np.int32), np.array([0, 1, -1], np.int32), np.float32
    )
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1]).all()
    assert not out[2].any()


def test_no_rows(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 2, 4, 32)
    out = grouped_matmul(np.zeros((0, 32), bfloat16), weights, np.zeros(3, np.int32))
    assert out.shape == (0, 4)


def test_infinities_propagate() -> None:
    blocks = np.full((1, 1, 1, 16), 0x77, np.uint8)
    x = np.ones((1, 32), bfloat16)
    offsets = np.array([0, 1], np.int32)
    out = grouped_matmul(x, (blocks, np.full((1, 1, 1), 254, np.uint8)), offsets)
    assert np.isposinf(out.astype(np.float32)).all()


@pytest.mark.parametrize(
    ("offsets", "ids", "text"),
    [
        ([0, 2, 5], None, "offsets must have 4 entries for 3 experts, got 3"),
        ([0, 2, 5], [0], "offsets must have 2 entries for 1 expert ids, got 3"),
        ([1, 2, 3, 5], None, "offsets must start at 0, got 1"),
        ([0, 3, 2, 5], None, "must not decrease, but entry 2 is 2 after 3"),
        ([0, 1, 2, 4], None, "end at the number of rows, 5, got 4"),
        ([0, 5], [3], "entry 0 is 3"),
        ([0, 4, 5], [0, -2], "entry 1 is -2"),
    ],
)
def test_bad_routing_is_named(offsets: list[int], ids: list[int] | None, text: str) -> None:
    expert_ids = None if ids is None else np.array(ids, np.int32)
    with pytest.raises(Error, match=text):
        check_routing(5, 3, np.array(offsets, np.int32), expert_ids)


def test_wrong_dtypes_are_named(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 1, 4, 32)
    x = np.zeros((2, 32), bfloat16)
    offsets = np.array([0, 2], np.int32)
    with pytest.raises(Error, match="offsets must be a one-dimensional int32 array, got int64"):
        grouped_matmul(x, weights, offsets.astype(np.int64))
    with pytest.raises(Error, match="x must be bfloat16"):
        grouped_matmul(x.astype(np.float32), weights, offsets)
    with pytest.raises(Error, match="K = 64 columns, but the weights have K = 32"):
        grouped_matmul(np.zeros((2, 64), bfloat16), weights, offsets)
    with pytest.raises(Error, match="output dtype must be bfloat16 or float32, got float16"):
        grouped_matmul(x, weights, offsets, out_dtype=np.float16)
    with pytest.raises(Error, match=r"\(blocks, scales\) pair"):
        grouped_matmul(x, weights.blocks, offsets)


def test_error_bound_is_half_an_ulp_without_a_sum() -> None:
    value = np.array([1.0, 1.99, 2.0, 0.0, 2.0**-130, np.inf])
    bound = error_bound(value, np.zeros(6), 32)
    assert bound[:5].tolist() == [2.0**-8, 2.0**-8, 2.0**-7, 2.0**-134, 2.0**-134]
    assert np.isnan(bound[5])
    assert error_bound(value[:1], np.zeros(1), 32, np.float32)[0] == 2.0**-24


def test_error_bound_admits_rounding_and_refuses_the_next_value() -> None:
    # A correct rounding lies within the bound; one bf16 step further does not.
    exact = np.array([1 + 2.0**-8 - 2.0**-20])
    bound = error_bound(exact, np.zeros(1), 32)
    assert abs(1.0 - exact[0]) <= bound[0]
    assert abs(1 + 2 * 2.0**-7 - exact[0]) > bound[0]


def test_mismatches_counts_differences_only() -> None:
    a = np.array([0.0, np.nan, 1.0, np.inf], bfloat16)
    b = np.array([-0.0, np.nan, 1.0, -np.inf], bfloat16)
    assert mismatches(a, b) == 1
    assert mismatches(a, np.array([0.0, 0.0, 1.0078125, np.inf], bfloat16)) == 2
