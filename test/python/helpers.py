# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data for tests."""

from __future__ import annotations

import numpy as np
from mxfp4.formats import Quantized, bfloat16


def random_weights(
    rng: np.random.Generator, experts: int, n: int, k: int, low: int = 0, high: int = 255
) -> Quantized:
    """Codes over all 16 values, scale bytes over low .. high."""
    blocks = rng.integers(0, 256, (experts, n, k // 32, 16), dtype=np.uint8)
    scales = rng.integers(low, high + 1, (experts, n, k // 32), dtype=np.uint8)
    return Quantized(blocks, scales)


def exact_activations(rng: np.random.Generator, rows: int, k: int) -> np.ndarray:
    """Small integers: every partial sum with scales near 1 is exact in f32."""
    return rng.integers(-4, 5, (rows, k)).astype(np.float32).astype(bfloat16)


def split(rng: np.random.Generator, rows: int, groups: int) -> np.ndarray:
    """Random offsets i32 [groups+1], with empty groups."""
    cuts = np.sort(rng.integers(0, rows + 1, groups - 1))
    return np.concatenate([[0], cuts, [rows]]).astype(np.int32)


def bits(array: np.ndarray) -> np.ndarray:
    """bf16 as its bit patterns."""
    return np.ascontiguousarray(array).view(np.uint16)
