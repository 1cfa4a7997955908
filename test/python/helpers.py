# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

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


Raw = tuple[str, tuple[int, ...], bytes]


def write_safetensors(path: Path, tensors: Mapping[str, Raw]) -> None:
    """Write tensors of any data type: (type, shape, bytes) by name."""
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(data for _, _, data in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
