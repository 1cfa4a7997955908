# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A column for OpenAI's ``triton_kernels``: MXFP4 weights in its own Hopper layouts.

The package is not part of this one: the benchmark imports it from the folder that it is told. This
adapter knows the interface of Triton's main branch of spring 2026, and gives Triton 3.6 the few
names that it lacks.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .._gpu import RawWeights
from ..errors import Error
from ..formats import BLOCK

Setting = tuple[int, int, int]
"""Tokens of a tile, warps, stages."""

WHOLE = 64
"""Weights along K that it takes whole: its mask cuts a rest of them in the order of its storage."""

SLACK = 2**18
"""Bytes of zeros behind the scales: it reads up to 128 columns and two blocks past their end, and
multiplies what it finds by zero, which is not zero if that is a NaN."""


def settings(rows_per_expert: float) -> list[Setting]:
    """The settings worth trying: the best two or more of a search over 12 to 24 for each shape."""
    if rows_per_expert <= 10:
        return [(16, 4, 4), (16, 4, 5), (16, 4, 6)]
    if rows_per_expert <= 40:
        return [(64, 4, 4), (64, 4, 3)]
    if rows_per_expert <= 200:
        return [(128, 4, 3), (64, 4, 3)]
    return [(128, 4, 3), (128, 8, 3), (128, 8, 4)]


class TritonKernels:
    """The package in a folder.

    Raises:
        Error: if it cannot be imported from there.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "triton_kernels").is_dir():
            raise Error(f"{folder} holds no package triton_kernels.")
        sys.path.insert(0, str(folder))
        import triton.language.target_info as target
        from triton.runtime.jit import JITFunction

        for name in ("is_hip_gfx1250", "is_hip_cdna4", "is_hip_cdna3"):
            if not hasattr(target, name):
                setattr(target, name, target.is_hip)
        for name in ("def_file_line_number", "def_file_col_number"):
            if not hasattr(JITFunction, name):
                setattr(JITFunction, name, 1)
        try:
            import triton_kernels.matmul as matmul
            import triton_kernels.matmul_details.opt_flags as flags
            import triton_kernels.tensor as tensor
            import triton_kernels.tensor_details.layout as layout
        except ImportError as e:
            raise Error(f"triton_kernels in {folder} cannot be imported: {e}") from e
        self._matmul, self._flags, self._tensor, self._layout = matmul, flags, tensor, layout

    def pack(self, raw: RawWeights, copies: int, warps: int) -> list[tuple[Any, Any]]:
        """(values, scales) in the layouts that it prefers, ``copies`` times."""
        t, layout = self._tensor, self._layout
        more = -raw.k % WHOLE
        q = _longer(raw.blocks.view(raw.experts, raw.n, raw.k // 2), more // 2)
        values = t.convert_layout(
            t.wrap_torch_tensor(q.transpose(-1, -2), dtype=t.FP4),
            layout.make_default_matmul_mxfp4_w_layout(mx_axis=-2),
        )
        scales = t.convert_layout(
            t.wrap_torch_tensor(_longer(raw.scales, more // BLOCK).transpose(-1, -2)),
            layout.make_default_matmul_mxfp4_w_scale_layout(mx_axis=-2, num_warps=warps),
        )
        return [(_clone(values), _clone(scales, SLACK)) for _ in range(copies)]

    def launches(
        self,
        packed: Sequence[tuple[Any, Any]],
        setting: Setting,
        x: torch.Tensor,
        y: torch.Tensor,
        offsets: Sequence[torch.Tensor],
    ) -> list[Callable[[], Any]]:
        """One for each list of offsets i32 ``[E+1]``; the metadata of a route are made ahead."""
        tokens, _, stages = setting
        x = _longer(x, -x.shape[1] % WHOLE)
        known = inspect.signature(self._matmul.PrecisionConfig).parameters
        block = {"b_microblock_size": BLOCK} if "b_microblock_size" in known else {}
        configs = [self._matmul.PrecisionConfig(b_mx_scale=s, **block) for _, s in packed]
        metadata = [
            self._tensor.make_ragged_tensor_metadata(o[1:] - o[:-1], x.shape[0])
            if len(o) > 2
            else None
            for o in offsets
        ]

        def launch(i: int) -> Any:
            self._flags.reset_opt_flags_constraints()
            self._flags.update_opt_flags_constraints({"block_m": tokens, "num_stages": stages})
            try:
                self._matmul.matmul(
                    x, packed[i % len(packed)][0], None, a_ragged_metadata=metadata[i],
                    precision_config=configs[i % len(packed)], c=y,
                )  # fmt: skip
            finally:
                self._flags.reset_opt_flags_constraints()

        return [partial(launch, i) for i in range(len(offsets))]


def _longer(data: torch.Tensor, more: int) -> torch.Tensor:
    """With ``more`` zeros at the end of each row."""
    return torch.nn.functional.pad(data, (0, more)) if more else data


def _clone(tensor: Any, slack: int = 0) -> Any:
    """The same with storage of its own and ``slack`` zeros behind it."""
    data = tensor.storage.data
    copied = data.new_zeros(data.numel() + slack).as_strided(data.shape, data.stride())
    other = copy.copy(tensor)
    other.storage = copy.copy(tensor.storage)
    other.storage.data = copied.copy_(data)
    return other
