# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A layer on humming-kernels, vLLM's newest backend for such weights, in vLLM's steps.

Known is 0.1.20, which compiles its kernels on the device, with tiles of its own heuristics for each
number of tokens. Its weights are padded as in vLLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import Error
from ._vllm_steps import Route, VllmSteps, combine, swiglu

PARTS = ("weight", "weight_scale", "weight_scale_2", "zero_point", "bias")
PADDING = {"pad_n_to_multiple": 256, "pad_k_to_multiple": 128}


class HummingLayers:
    """Layers of gpt-oss on humming's kernels that take rows by index.

    Args:
        steps: vLLM's operators.
        data: of the benchmark.
        slots: experts of a token.
        tokens: numbers of tokens that are measured.

    Raises:
        Error: if the package is not there.
    """

    def __init__(self, steps: VllmSteps, data: Any, slots: int, tokens: Sequence[int]) -> None:
        try:
            from humming import config, layer, ops
            from humming.kernel.humming import HummingKernel
            from humming.testing.tuning import generate_heuristics_configs
        except ImportError as e:
            raise Error(f"humming-kernels cannot be imported: {e}") from e
        self._steps, self._data, self._slots, self._ops = steps, data, slots, ops
        self._weights: dict[str, list[dict[str, Any]]] = {}
        self._kernels: dict[tuple[str, int], tuple[Any, int]] = {}
        self._locks: dict[str, Any] = {}
        compute = config.ComputeConfig(gemm_type=config.GemmType("indexed"))
        for name, raw in data.raw.items():
            made = layer.HummingLayer(
                shape_n=raw.n, shape_k=raw.k, weight_config={"quant_method": "mxfp4"},
                num_experts=raw.experts, has_bias=True, torch_dtype=torch.bfloat16, **PADDING,
            ).cuda()  # fmt: skip
            codes = raw.blocks.reshape(raw.experts, raw.n, -1)
            made.load_from_tensors(
                {"weight": codes, "weight_scale": raw.scales, "bias": data.bias[name]}
            )
            made.transform()
            own = {part: getattr(made, part, None) for part in PARTS}
            first = {part: None if t is None else t.data for part, t in own.items()}
            self._weights[name] = [first] + [
                {part: None if t is None else t.clone() for part, t in first.items()}
                for _ in range(data.copies - 1)
            ]
            rows = [n * slots for n in tokens]
            chosen = generate_heuristics_configs(made.humming_config, compute, rows)
            ready = HummingKernel.prepare_kernels(
                made.humming_config.to_str(), compute.to_str(),
                [(0, 1 << 30, choice) for choice in chosen], device=0,
            ).reshape(-1, 4)  # fmt: skip
            for i, n in enumerate(tokens):
                self._kernels[name, n] = ready[i].clone(), chosen[i]["block_shape"][0]
            self._locks[name] = made.locks

    def layer(self, x: torch.Tensor, i: int) -> torch.Tensor:
        """Hidden states of layer ``i``."""
        tokens, slots = x.shape[0], self._slots
        weights, ids = self._steps.choose(self._data.logits(x, i), slots)
        routes: dict[int, Route] = {}

        def matmul(name: str, rows: torch.Tensor, slots: int) -> torch.Tensor:
            kernel, block = self._kernels[name, tokens]
            if block not in routes:
                routes[block] = self._steps.align(ids, self._data.experts, block)
            by_row, by_tile, padded = routes[block]
            shape = (tokens * self._slots, self._data.raw[name].n)
            out = torch.empty(shape, dtype=torch.bfloat16, device=x.device)
            self._ops.launch_kernel(
                configs=kernel, inputs=rows, outputs=out, sorted_ids=by_row, expert_ids=by_tile,
                num_tokens_padded=padded, expert_layout=None, top_k=slots,
                locks=self._locks[name], **self._weights[name][i],
            )  # fmt: skip
            return out

        h = swiglu(matmul("gate_up", x, slots))
        return combine(matmul("down", h, 1), weights)
