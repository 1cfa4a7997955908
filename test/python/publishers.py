# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights in the forms in which publishers store them."""

from __future__ import annotations

import numpy as np
from helpers import Raw
from mxfp4.conventions import NAMINGS, Naming
from mxfp4.formats import Quantized

OURS = [naming for naming in NAMINGS if naming.used_by]
SINGLE = [naming for naming in OURS if naming.codes.startswith(".w")]
TRIED = [naming for naming in NAMINGS if not naming.scales.endswith("_inv")]
"""Names of one matrix per expert."""

Tensors = dict[str, Raw]


def pair(
    base: str,
    q: Quantized,
    naming: Naming,
    codes: str = "U8",
    scales: str = "U8",
    flat: bool = True,
) -> Tensors:
    """Codes and scales as two tensors of a file."""
    *lead, groups = q.scales.shape
    size = {"F4": 32, "U32": 4}.get(codes, 16)
    shape = (*lead, groups * size) if flat else (*lead, groups, size)
    return {base + naming.codes: (codes, shape, q.blocks.tobytes()),
            base + naming.scales: (scales, q.scales.shape, q.scales.tobytes())}  # fmt: skip


def one(q: Quantized, expert: int) -> Quantized:
    """One expert of a stack."""
    return Quantized(q.blocks[expert], q.scales[expert])


def apart(group: str, weights: dict[str, Quantized], naming: Naming, **options: str) -> Tensors:
    """A tensor for each expert and matrix."""
    tensors: Tensors = {}
    for projection, q in weights.items():
        for e in range(len(q.scales)):
            tensors |= pair(f"{group}.{e}.{projection}", one(q, e), naming, **options)  # type: ignore[arg-type]
    return tensors


def equal(a: Quantized, b: Quantized) -> bool:
    """Whether all bytes are."""
    return np.array_equal(a.blocks, b.blocks) and np.array_equal(a.scales, b.scales)
