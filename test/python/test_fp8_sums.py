# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model of the tensor cores' FP8 sums, against probes and errors that an H100 gave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Error, fp8
from mxfp4.formats import bfloat16
from mxfp4.fp8_sums import matmul


def sum_of(*products: float, promotion: int | None = None) -> float:
    """A sum of products in this order, in instructions of 32."""
    row = np.array([products], np.float64)
    return float(matmul(row, np.ones((1, len(products))), promotion)[0, 0])


def test_probes() -> None:
    """What a GPU said of single instructions."""
    assert sum_of(1, 2**-13) == 1 + 2**-13
    assert sum_of(1, 2**-14) == 1
    assert sum_of(1, *[2**-14] * 31) == 1  # each is cut, and not their sum
    assert sum_of(1, -(2**-14)) == 1  # toward zero, each by itself
    assert sum_of(*[2**-14] * 32) == 2**-9
    # The sum so far is an addend like others.
    first = [1, 2**-13, *[0.0] * 30]
    assert sum_of(*first, 4) == 5
    assert sum_of(*first, *[0.0] * 32) == 1 + 2**-13
    # A result that outgrows the largest addend loses its last place.
    assert sum_of(1.5, 1.5, 2**-13) == 3
    assert sum_of(1.5, 1.5, 2**-13, 2**-13) == 3 + 2**-12


def test_promotion_keeps_what_an_instruction_would_cut() -> None:
    first = [1, 2**-13, *[0.0] * 30]
    assert sum_of(*first, 4, promotion=32) == 5 + 2**-13
    assert sum_of(*first, 4, promotion=64) == 5
    for promotion in (0, 31, 48):
        with pytest.raises(Error, match=f"multiple of 32, got {promotion}"):
            sum_of(1, promotion=promotion)


def test_exact_sums_stay_exact(rng: np.random.Generator) -> None:
    """Small integers need no more than 13 bits; any number of rows and columns."""
    for rows, n, k in [(1, 3, 32), (9, 5, 96), (17, 2, 40), (0, 4, 64)]:
        x, w = rng.integers(-4, 5, (rows, k)), rng.integers(-4, 5, (n, k))
        assert np.array_equal(matmul(x, w), x @ w.T)
        assert np.array_equal(matmul(x, w, 64), x @ w.T)


MEASURED = {  # K: relative RMS error on an H100 without promotion, with it every 512, every 128
    "zero mean": {2048: (5.4e-4, 2.0e-4, 7.9e-5), 2880: (6.9e-4, 2.0e-4, 7.8e-5)},
    "same sign": {2048: (2.2e-2, 2.8e-3, 2.5e-4), 2880: (3.5e-2, 2.7e-3, 2.4e-4)},
}


@pytest.mark.parametrize("k", [2048, 2880])
@pytest.mark.parametrize("data", MEASURED)
def test_errors_are_those_that_a_gpu_gave(data: str, k: int, rng: np.random.Generator) -> None:
    """Random codes, scales over four powers of two, normal activations."""
    magnitudes = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    weights = magnitudes[rng.integers(0, 8, (32, k))] * rng.choice([-1, 1], (32, k))
    weights *= 2.0 ** np.repeat(rng.integers(-2, 2, (32, k // 32)), 32, axis=1)
    x = rng.standard_normal((32, k)).astype(np.float32)
    if data == "same sign":
        x, weights = np.abs(x), np.abs(weights)
    rows = fp8.quantize_rows(x.astype(bfloat16)).codes.astype(np.float64)
    exact = rows @ weights.T
    for promotion, measured in zip((None, 512, 128), MEASURED[data][k], strict=True):
        error = matmul(rows, weights, promotion) - exact
        relative = np.sqrt(np.mean(error**2) / np.mean(exact**2))
        assert measured / 1.35 < relative < measured * 1.35, (promotion, relative)


@pytest.mark.slow
def test_the_table_of_errors_is_the_one_that_is_computed() -> None:
    """docs/Numerics.md."""
    script = Path(__file__).resolve().parents[2] / "tools/fp8_errors.py"
    subprocess.run([sys.executable, script, "--check"], check=True)
