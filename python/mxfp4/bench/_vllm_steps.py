# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What vLLM runs around the matmuls of a layer: top-k, tables of routing, SwiGLU, weighted sum.

Of vLLM only its extension ``_moe_C`` is needed, which the wheel ``vllm`` 0.26.0 has as
``vllm/_moe_C_stable_libtorch.abi3.so``. Its operators are called as vLLM calls them; SwiGLU and the
weighted sum, which vLLM has elsewhere, are kernels of the same traffic here.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
import triton
import triton.language as tl

from ..errors import Error

_BLOCK = 1024

Route = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Rows by tile, the expert of each tile, and the number of rows with padding."""


@triton.jit
def _swiglu_kernel(x, y, n, alpha, limit, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    both = tl.program_id(1) * 2 * BLOCK + tl.arange(0, 2 * BLOCK)
    pairs = tl.load(x + row * 2 * n + both, mask=both < 2 * n, other=0.0).to(tl.float32)
    gate, up = tl.split(tl.reshape(pairs, [BLOCK, 2]))
    gate = tl.minimum(gate, limit)
    up = tl.clamp(up, -limit, limit)
    inner = (up + 1.0) * gate * tl.sigmoid(alpha * gate)
    tl.store(y + row * n + column, inner.to(tl.bfloat16), mask=column < n)


@triton.jit
def _combine_kernel(y, weights, out, n, SLOTS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.float32)
    for slot in tl.static_range(SLOTS):
        row = token * SLOTS + slot
        part = tl.load(y + row * n + column, mask=column < n, other=0.0).to(tl.float32)
        total += part * tl.load(weights + row)
    tl.store(out + token * n + column, total.to(tl.bfloat16), mask=column < n)


def swiglu(x: torch.Tensor) -> torch.Tensor:
    """gpt-oss's activation of interleaved gates and ups: bf16 ``[R, 2I]`` to ``[R, I]``."""
    rows, inner = x.shape[0], x.shape[1] // 2
    y = torch.empty((rows, inner), dtype=torch.bfloat16, device=x.device)
    _swiglu_kernel[rows, triton.cdiv(inner, _BLOCK)](x, y, inner, 1.702, 7.0, _BLOCK)
    return y


def combine(y: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted sum of a token's rows: bf16 ``[T * S, N]`` and f32 ``[T, S]`` to ``[T, N]``."""
    tokens, slots = weights.shape
    out = torch.empty((tokens, y.shape[1]), dtype=torch.bfloat16, device=y.device)
    grid = tokens, triton.cdiv(y.shape[1], _BLOCK)
    _combine_kernel[grid](y, weights, out, y.shape[1], slots, _BLOCK)
    return out


def find_extension(path: Path | None) -> Path:
    """The file of vLLM's extension.

    Args:
        path: the file itself; None for the one of the installed vLLM.

    Raises:
        Error: if there is none.
    """
    if path is None:
        found = importlib.util.find_spec("vllm")
        folders = list(found.submodule_search_locations or []) if found else []
        files = sorted(f for folder in folders for f in Path(folder).glob("_moe_C*.so"))
        if not files:
            raise Error("vLLM is not installed here; name the file of its extension _moe_C.")
        path = files[0]
    if not path.is_file():
        raise Error(f"{path} is no file; expected vLLM's extension _moe_C.")
    return path


class VllmSteps:
    """The operators of vLLM's extension.

    Args:
        path: see `find_extension`.

    Raises:
        Error: if the extension cannot be loaded.
    """

    def __init__(self, path: Path | None) -> None:
        file = find_extension(path)
        try:
            torch.ops.load_library(str(file))
        except OSError as e:
            raise Error(f"vLLM's extension {file} cannot be loaded: {e}") from e
        self.ops: Any = torch.ops._moe_C

    def choose(self, logits: torch.Tensor, slots: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights f32 and ids i32 ``[T, S]``: softmax over the chosen."""
        shape, device = (logits.shape[0], slots), logits.device
        weights = torch.empty(shape, dtype=torch.float32, device=device)
        ids = torch.empty(shape, dtype=torch.int32, device=device)
        source = torch.empty(shape, dtype=torch.int32, device=device)
        self.ops.topk_softmax(weights, ids, source, logits, True, None)
        return weights, ids

    def align(self, ids: torch.Tensor, experts: int, block: int) -> Route:
        """Rows sorted by expert, the rows of each padded to whole tiles of ``block``."""
        count = ids.numel() + experts * (block - 1)
        if ids.numel() < experts:
            count = min(ids.numel() * block, count)
        made = [torch.empty((n,), dtype=torch.int32, device=ids.device)
                for n in (count, -(-count // block), 1)]  # fmt: skip
        self.ops.moe_align_block_size(ids, experts, block, *made, None)
        return made[0], made[1], made[2]
