# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An expert whose weights, and output rows whose elements, lie past 2^31 elements."""

from __future__ import annotations

from pathlib import Path

import torch

from .._gpu import DEVICE, RawWeights, compare
from ..runtime import Kernel
from ..wanted import Shelf
from .cases import LARGE


def large(folder: Path) -> int:
    """Run it on about 20 GB of device memory; 0 if every row that was compared is exact."""
    p, rows = LARGE.problem, LARGE.rows
    random = torch.Generator(device=DEVICE).manual_seed(1)
    blocks = torch.empty((p.experts, p.n, p.k // 32, 16), dtype=torch.uint8, device=DEVICE)
    blocks.random_(0, 256, generator=random)
    scales = torch.randint(
        124, 129, (p.experts, p.n, p.k // 32), dtype=torch.uint8, device=DEVICE, generator=random
    )
    raw = RawWeights(blocks, scales)
    kernel = Kernel.load(Shelf(folder).find(LARGE))
    x = torch.randint(-4, 5, (rows, p.k), dtype=torch.int8, device=DEVICE, generator=random)
    x = x.bfloat16()
    y = torch.full((rows, p.n), float("nan"), dtype=torch.bfloat16, device=DEVICE)
    # The first expert, the last before the 2^31st weight, one behind it, and the last with most.
    sizes = [0] * p.experts
    boundary = 2**31 // (p.n * p.k)
    sizes[0], sizes[boundary - 1], sizes[boundary + 1] = 7, 300, 300
    sizes[-1] = rows - sum(sizes)
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    packed = raw.pack(p.layout)
    kernel(x, packed, torch.tensor(offsets, dtype=torch.int32, device=DEVICE), out=y)
    kernel.check()
    unwritten = sum(int(torch.isnan(part).sum()) for part in y.split(20_000))
    wrong = 0
    row = 2**31 // p.n
    for first, last in ((0, 700), (row - 300, row + 300), (rows - 300, rows)):
        inside = [min(max(o, first), last) - first for o in offsets]
        wrong += compare(y[first:last], x[first:last], raw, inside, None, "bf16", True)["wrong"]
    print(f"large: {rows} rows, {wrong} elements are wrong, {unwritten} were not written")
    return 1 if wrong or unwritten else 0
