# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random weights and hidden states of whole layers, and what a layer gives in f32."""

from __future__ import annotations

from typing import Any

from . import routing
from .models import Model

_SMALL = 3e8
"""Weights of all experts' `down` below which there are 8 layers: what one token reads of fewer
would stay in L2."""
_MOST_BYTES = 60e9
"""Of packed weights of all layers, in both of their forms."""


def copies_of(model: Model) -> int:
    """How many layers have weights of their own."""
    weights = model.experts * model.hidden * model.inner
    packed = 2 * 3 * weights * 17 / 32
    return max(1, min(8 if weights < _SMALL else 4, int(_MOST_BYTES / packed)))


class Data:
    """Random weights of a layer in several copies, and a router for each.

    Args:
        model: sizes of the layer, whose first matmul has gate and up.
        copies: layers with weights of their own.
        routing: "uniform"; "zipf", where each token draws distinct experts, that of rank i with a
            chance of 1/i, and each layer has an order of ranks of its own; or "trained", the model
            of trained routers in `routing`, drawn anew for each layer.
    """

    def __init__(self, model: Model, copies: int, routing: str = "uniform") -> None:
        import torch

        from .._gpu import DEVICE, RawWeights

        self.model, self.copies = model, copies
        self.experts = experts = model.experts
        draw = torch.Generator(device=DEVICE).manual_seed(experts)

        def noise(*shape: int) -> Any:
            return torch.randn(shape, device=DEVICE, generator=draw)

        self.raw: dict[str, RawWeights] = {}
        self.bias: dict[str, Any] = {}
        for name, problem in model.problems().items():
            n, k = problem.n, problem.k
            shape = (experts, n, k // 32)
            blocks = torch.randint(0, 256, (*shape, 16), dtype=torch.uint8, device=DEVICE,
                                   generator=draw)  # fmt: skip
            # Codes have a mean square of 8.6: sums have about the variance of gpt-oss's.
            middle = {"gate_up": 121, "down": 120}[name]
            scales = torch.randint(middle - 1, middle + 2, shape, device=DEVICE, generator=draw)
            self.raw[name] = RawWeights(blocks, scales.to(torch.uint8))
            self.bias[name] = (noise(experts, n) / 4).bfloat16()
        root = model.hidden**0.5
        self.router = [(noise(experts, model.hidden) * 2 / root).bfloat16() for _ in range(copies)]
        self.router_bias = [(noise(experts) / 10).bfloat16() for _ in range(copies)]
        self._routing = routing

    def hidden(self, tokens: int) -> Any:
        """Hidden states bf16 ``[T, H]``."""
        import torch

        from .._gpu import DEVICE

        draw = torch.Generator(device=DEVICE).manual_seed(tokens)
        x = torch.randn((tokens, self.model.hidden), device=DEVICE, generator=draw)
        return (x if self._routing == "uniform" else self._steered(x, draw)).bfloat16()

    def _steered(self, x: Any, draw: Any) -> Any:
        """The hidden states nearest to x that make all layers choose experts as `routing` says."""
        import torch

        logits = routing.drawn(self._routing, len(x), self.experts, self.copies, draw)
        wanted = [of - bias.double() for of, bias in zip(logits, self.router_bias, strict=True)]
        routers, wide = torch.cat(self.router).double(), x.double()
        missing = torch.cat(wanted, dim=1) - wide @ routers.T
        return (wide + torch.linalg.solve(routers @ routers.T, missing.T).T @ routers).float()

    def logits(self, x: Any, layer: int) -> Any:
        """Of a layer's router."""
        import torch

        return torch.nn.functional.linear(x, self.router[layer], self.router_bias[layer])

    def truth(self, x: Any, layer: int) -> tuple[Any, Any]:
        """f32 ``[T, H]``, and which tokens' choice of experts rounding cannot change."""
        import torch

        wide = x.float()
        logits = wide @ self.router[layer].float().T + self.router_bias[layer].float()
        top = self.model.top
        best = logits.topk(top + 1, dim=-1)
        clear = best.values[:, top - 1] - best.values[:, top] > 0.04
        weights, index = best.values[:, :top].softmax(-1), best.indices[:, :top]
        out = torch.zeros_like(wide)
        for e in range(self.experts):
            t, s = (index == e).nonzero(as_tuple=True)
            if not len(t):
                continue
            sums = wide[t] @ self.raw["gate_up"].expert(e, torch.float32).T
            sums += self.bias["gate_up"][e].float()
            gate, up = sums[:, ::2].clamp(max=7.0), sums[:, 1::2].clamp(-7.0, 7.0)
            inner = (up + 1) * gate * torch.sigmoid(1.702 * gate)
            y = inner @ self.raw["down"].expert(e, torch.float32).T + self.bias["down"][e].float()
            out.index_add_(0, t, y * weights[t, s, None])
        return out, clear
