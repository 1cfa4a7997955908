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
from .errors import Error
from .formats import SCALE_BIAS, SCALE_NAN, Quantized
from .layout import CODE_BYTES, FP8, RELATIVE_LEAST, SCALE_AXES, TILE, Layout, _byte_tables
from .layout_bytes import COLUMNS, WORDS, refuse_rows
from .packing import layout_for
from .tensors import torch_device
from .weights import PackedWeights


def pack_expert(blocks: torch.Tensor, scales: torch.Tensor, layout: Layout) -> torch.Tensor:
    """`layout.pack_expert` in torch, where ``blocks`` is: u8 of `Layout.shape`."""
    device, (n, groups) = blocks.device, scales.shape
    nb, kb, _ = layout.shape(n, groups * 32)
    if layout == FP8:
        return _pack_bytes(blocks, scales, nb, kb)
    padded = torch.zeros((nb * TILE, kb * TILE // 2), dtype=torch.uint8, device=device)
    padded[:n, : groups * 16] = blocks.reshape(n, groups * 16)
    codes = padded.reshape(nb, 4, 8, 2, kb, 4, 2, 4).permute(0, 4, 1, 2, 7, 5, 6, 3)
    words = codes.reshape(-1, 4)
    tables = torch.from_numpy(_byte_tables(layout.order, False).view(np.int32)).to(device)
    mixed = tables[0][words[:, 0].int()]
    for i in range(1, 4):
        mixed |= tables[i][words[:, i].int()]
    words = mixed.reshape(-1, 1).view(torch.uint8)
    stored = torch.full((nb * TILE, kb * 2), layout.padding_scale, dtype=torch.uint8, device=device)
    stored[:n, :groups] = scales + layout.scale_offset
    ordered = stored.reshape(nb, 4, 8, 2, kb, 2).permute(SCALE_AXES)
    parts = [words.reshape(nb, kb, CODE_BYTES), ordered.reshape(nb, kb, -1)]
    return torch.cat(parts, dim=2).contiguous()


def _pack_bytes(blocks: torch.Tensor, scales: torch.Tensor, nb: int, kb: int) -> torch.Tensor:
    """`layout_bytes.pack_into` in torch, of scales that fit."""
    device, (n, groups) = blocks.device, scales.shape
    codes = torch.zeros((nb * TILE, kb * COLUMNS), dtype=torch.uint8, device=device)
    pairs = blocks.reshape(n, groups * 16)
    codes[:n, : groups * 32 : 2], codes[:n, 1 : groups * 32 : 2] = pairs & 15, pairs >> 4
    slots = codes.reshape(nb, 4, 8, 2, kb, 2, 2, 2, 4, 4).permute(WORDS).reshape(-1, 8)
    magnitude, sign = slots & 7, slots >> 3
    words = magnitude[:, ::2] | magnitude[:, 1::2] << 4
    words |= sign[:, :4] << 7 | sign[:, 4:] << 3
    padding = FP8.padding_scale
    stored = torch.full((nb * TILE, kb * 4), padding, dtype=torch.uint8, device=device)
    stored[:n, :groups] = scales - RELATIVE_LEAST
    ordered = stored.reshape(nb, 4, 8, 2, kb, 4).permute(SCALE_AXES)
    return torch.cat([words.reshape(nb, kb, -1), ordered.reshape(nb, kb, -1)], dim=2).contiguous()


def take_row_powers(
    blocks: torch.Tensor, scales: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`layout_bytes.take_row_powers` in torch, where ``blocks`` is.

    Raises:
        Error: naming the first row whose scales lie too far apart, or have NaN.
    """
    is_used = ((blocks & 0x77) != 0).any(dim=-1) | (scales == SCALE_NAN)
    is_empty = ~is_used.any(dim=-1)
    wide = scales.int()
    least = torch.where(is_used, wide, SCALE_NAN).amin(dim=-1).masked_fill(is_empty, SCALE_BIAS)
    most = torch.where(is_used, wide, 0).amax(dim=-1).masked_fill(is_empty, SCALE_BIAS)
    refuse_rows(least.long().cpu().numpy(), most.long().cpu().numpy())
    middle = (least + most) // 2
    inside = (wide >= least[:, None]) & (wide <= most[:, None]) & ~is_empty[:, None]
    reduced = torch.where(inside, wide - middle[:, None] + SCALE_BIAS, SCALE_BIAS)
    powers = torch.ldexp(torch.ones_like(middle, dtype=torch.float64), middle - SCALE_BIAS).float()
    return reduced.to(torch.uint8), powers


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
    data = torch.empty((experts, *chosen.shape(n, k)), dtype=torch.uint8, device=device)
    powers = torch.empty((experts, n), device=device) if chosen == FP8 else None
    for e, (blocks, scales) in enumerate(_read_ahead(tensor)):
        codes, there = (torch.from_numpy(part).to(device) for part in (blocks, scales))
        if powers is not None:
            try:
                there, powers[e] = take_row_powers(codes, there)
            except Error as error:
                raise Error(f"expert {e}: {error}") from error
        data[e] = pack_expert(codes, there, chosen)
    return PackedWeights(data, n, k, chosen, proof, tensor.rows, powers)


def _read_ahead(tensor: ExpertTensor) -> Iterator[Quantized]:
    """The experts in turn; the next one is read while one is used."""
    with ThreadPoolExecutor(1) as reader:
        next_one = reader.submit(tensor.read, 0)
        for e in range(len(tensor)):
            one = next_one.result()
            if e + 1 < len(tensor):
                next_one = reader.submit(tensor.read, e + 1)
            yield one
