# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packing on a torch device, expert by expert: a checkpoint goes to a GPU without a copy of it.

`pack_expert` repeats `layout.pack_expert` in torch; tests and the verification compare the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from .checkpoint import ExpertTensor
from .formats import Quantized
from .layout import (
    BLOCK_BYTES,
    CODE_BYTES,
    FOLDED_BIAS,
    SCALE_AXES,
    TILE,
    Layout,
    _byte_tables,
    blocks_of,
)
from .tensors import torch_device
from .weights import PackedWeights, layout_for


def pack_expert(blocks: torch.Tensor, scales: torch.Tensor, layout: Layout) -> torch.Tensor:
    """`layout.pack_expert` in torch, where ``blocks`` is: u8 ``[ceil(N/64), ceil(K/64), 2176]``."""
    device, (n, groups) = blocks.device, scales.shape
    nb, kb = blocks_of(n, groups * 32)
    padded = torch.zeros((nb * TILE, kb * TILE // 2), dtype=torch.uint8, device=device)
    padded[:n, : groups * 16] = blocks.reshape(n, groups * 16)
    codes = padded.reshape(nb, 4, 8, 2, kb, 4, 2, 4).permute(0, 4, 1, 2, 7, 5, 6, 3)
    words = codes.reshape(-1, 4)
    tables = torch.from_numpy(_byte_tables(layout.order, False).view(np.int32)).to(device)
    mixed = tables[0][words[:, 0].int()]
    for i in range(1, 4):
        mixed |= tables[i][words[:, i].int()]
    words = mixed.reshape(-1, 1).view(torch.uint8)
    bias = FOLDED_BIAS if layout.scales == "folded" else 0
    stored = torch.full((nb * TILE, kb * 2), layout.padding_scale, dtype=torch.uint8, device=device)
    stored[:n, :groups] = scales + bias
    ordered = stored.reshape(nb, 4, 8, 2, kb, 2).permute(SCALE_AXES)
    parts = [words.reshape(nb, kb, CODE_BYTES), ordered.reshape(nb, kb, -1)]
    return torch.cat(parts, dim=2).contiguous()


def pack(tensor: ExpertTensor, device: Any, layout: Layout | str = "auto") -> PackedWeights:
    """Pack an expert tensor of a checkpoint onto a device.

    Besides the result, two experts are held on the host and a few times one on the device.

    Args:
        tensor: of a `Checkpoint`.
        device: a torch device.
        layout: as in `mxfp4.pack`.

    Raises:
        Error: if torch sees no such device, a scale does not fit the layout asked for, or the file
            broke.
    """
    device = torch_device(device)
    experts, n, k = tensor.shape
    proof = tensor.proof()
    chosen = layout_for(layout, proof)
    shape = (experts, *blocks_of(n, k), BLOCK_BYTES)
    data = torch.empty(shape, dtype=torch.uint8, device=device)
    for e, (blocks, scales) in enumerate(_read_ahead(tensor)):
        codes = torch.from_numpy(blocks).to(device)
        data[e] = pack_expert(codes, torch.from_numpy(scales).to(device), chosen)
    return PackedWeights(data, n, k, chosen, proof, tensor.rows)


def _read_ahead(tensor: ExpertTensor) -> Iterator[Quantized]:
    """The experts in turn; the next one is read while one is used."""
    with ThreadPoolExecutor(1) as reader:
        next_one = reader.submit(tensor.read, 0)
        for e in range(len(tensor)):
            one = next_one.result()
            if e + 1 < len(tensor):
                next_one = reader.submit(tensor.read, e + 1)
            yield one
