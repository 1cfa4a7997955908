# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A column for humming-kernels with activations in FP8, on rows that are sorted by expert.

Known is 0.1.20, which compiles its kernels on the device, with tiles of its own heuristics for a
number of rows. It rounds rows to E4M3 itself, before the clock runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .._gpu import RawWeights
from ..errors import Error
from ._humming_layer import PADDING, PARTS


class HummingFp8:
    """One stack of weights in humming's form.

    Args:
        raw: the weights.
        copies: of them.

    Raises:
        Error: if the package is not there.
    """

    def __init__(self, raw: RawWeights, copies: int) -> None:
        try:
            from humming import config, layer, ops
            from humming.kernel.humming import HummingKernel
            from humming.testing.tuning import generate_heuristics_configs
        except ImportError as e:
            raise Error(f"humming-kernels cannot be imported: {e}") from e
        self._ops, self._kernel, self._choose = ops, HummingKernel, generate_heuristics_configs
        self._compute = config.ComputeConfig(gemm_type=config.GemmType("grouped_contiguous"))
        self._round = layer.HummingLayerMethod.may_quant_input
        made = layer.HummingLayer(
            shape_n=raw.n, shape_k=raw.k, weight_config={"quant_method": "mxfp4"},
            input_config={"quant_method": "humming", "dtype": "float8e4m3"},
            num_experts=raw.experts, torch_dtype=torch.bfloat16, **PADDING,
        ).cuda()  # fmt: skip
        codes = raw.blocks.reshape(raw.experts, raw.n, -1)
        made.load_from_tensors({"weight": codes, "weight_scale": raw.scales})
        made.transform()
        self._layer = made
        own = {part: getattr(made, part, None) for part in PARTS}
        first = {part: None if t is None else t.data for part, t in own.items()}
        self._weights = [first] + [
            {part: None if t is None else t.clone() for part, t in first.items()}
            for _ in range(copies - 1)
        ]

    def launches(
        self, x: torch.Tensor, offsets: Sequence[torch.Tensor], out: torch.Tensor
    ) -> tuple[list[Callable[[], Any]], dict[str, Any]]:  # fmt: skip
        """A launch for each route, and what was chosen."""
        layer = self._layer
        codes, scales = self._round(layer, inputs=x)
        config = layer.humming_config
        (chosen,) = self._choose(config, self._compute, [x.shape[0]])
        ready = self._kernel.prepare_kernels(
            config.to_str(), self._compute.to_str(), [(0, 1 << 30, chosen)], device=0
        ).reshape(-1, 4)[0].clone()  # fmt: skip

        def launch(i: int) -> Callable[[], Any]:
            layout = offsets[i].long()
            return lambda: self._ops.launch_kernel(
                configs=ready, inputs=codes, input_scale=scales, outputs=out, sorted_ids=None,
                expert_ids=None, num_tokens_padded=None, expert_layout=layout, top_k=1,
                locks=layer.locks, **self._weights[i % len(self._weights)],
            )  # fmt: skip

        known = ("mma_type", "block_shape", "warp_shape", "num_stages", "use_warp_spec", "use_tma")
        told = {name: chosen[name] for name in known if name in chosen}
        return [launch(i) for i in range(len(offsets))], told
