# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A layer on OpenAI's ``triton_kernels``, in the steps of its own benchmark.

Router's matmul, top-k, tables of routing, gate_up with gather, bias and SwiGLU, down with bias and
scatter, weighted sum; see `_triton_kernels` for which versions of the package are known.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..errors import Error
from ._triton_kernels import Setting, TritonKernels, settings


class TritonLayers(TritonKernels):
    """Layers that compute what gpt-oss's do, on the package in a folder.

    Raises:
        Error: if it cannot be imported from there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        try:
            from triton_kernels.reduce import reduce
            from triton_kernels.swiglu import swiglu_fn
            from triton_kernels.topk import topk
        except ImportError as e:
            raise Error(f"triton_kernels in {folder} cannot be imported: {e}") from e
        self._reduce, self._topk = reduce, topk
        specs = self._matmul.FnSpecs("swiglu", swiglu_fn, ("alpha", "limit"), reduction_n=2)
        self._activation = self._matmul.FusedActivation(specs, (1.702, 7.0))

    def pack_layers(self, data: Any) -> list[dict[Any, Any]]:
        """Operands of each layer; scales in the layouts for 4 and for 8 warps."""
        made: list[dict[Any, Any]] = [{} for _ in range(data.copies)]
        for name, raw in data.raw.items():
            for warps in (4, 8):
                for i, (values, scales) in enumerate(self.pack(raw, data.copies, warps)):
                    config = self._matmul.PrecisionConfig(b_mx_scale=scales, b_microblock_size=32)
                    made[i][name, warps] = (values, config)
        return made

    def layer(self, packed: dict[Any, Any], data: Any, x: Any, i: int, how: Any) -> Any:
        """Hidden states of layer ``i``.

        ``how`` is whether cuBLAS takes the router's matmul, and a setting or the number of warps
        alone.
        """
        t, m = self._tensor, self._matmul
        cublas, how = how
        tokens, warps, stages = how if isinstance(how, tuple) else (None, how, None)
        if cublas:
            router = data.logits(x, i)
        else:
            router = m.matmul(x, data.router[i].T, data.router_bias[i].float(),
                              precision_config=m.PrecisionConfig())  # fmt: skip
        top = data.model.top
        chosen = self._topk(router, top, apply_softmax=True)
        order, sizes = chosen.mask_metadata.col_sorted_indx, chosen.mask_metadata.col_sum
        ragged = t.make_ragged_tensor_metadata(sizes, order.shape[0])
        constraints = {} if tokens is None else {"block_m": tokens, "num_stages": stages}
        with self._flags.scoped_opt_flags_constraints(constraints):
            values, config = packed["gate_up", warps]
            h = m.matmul(x, values, data.bias["gate_up"].float(), a_ragged_metadata=ragged,
                         gather_indx=order // top, precision_config=config,
                         fused_activation=self._activation)  # fmt: skip
            values, config = packed["down", warps]
            y = m.matmul(h, values, data.bias["down"].float(), a_ragged_metadata=ragged,
                         scatter_indx=order, precision_config=config)  # fmt: skip
        y = y.view(-1, top, y.shape[-1])
        weights = chosen.vals[:, :, None].expand(-1, -1, y.shape[-1])
        return self._reduce(y, dim=1, scale=weights)[0]

    def columns(self, data: Any, packed: list[dict[Any, Any]], x: Any, count: int) -> Any:
        """Runs by name: the package's own choice, and the best of some settings."""
        from .._gpu import capture, time_graph

        tokens = x.shape[0]
        own = 4 if tokens <= 512 else 8
        tried: dict[Any, float] = {}
        choices: list[Setting | int] = [own, *settings(tokens * data.model.top / data.experts)]
        for how in [(cublas, choice) for choice in choices for cublas in (False, True)]:
            try:
                graph = capture([
                    partial(self.layer, packed[i], data, x, i, how)
                    for i in range(count)
                ])  # fmt: skip
                tried[how] = time_graph(graph, count, 10.0)["median"]
            except Exception as e:
                torch.cuda.synchronize()
                print(f"triton_kernels with {how} failed: {e}")
        if not tried:
            return {}
        best = min(tried, key=lambda how: tried[how])
        return {
            "triton": lambda i: self.layer(packed[i], data, x, i, (False, own)),
            "triton tuned": lambda i: self.layer(packed[i], data, x, i, best),
        }
