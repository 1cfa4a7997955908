# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The modules that `mxfp4.integrations.transformers` puts into a gpt-oss model.

A block is one call of ``torch.ops.mxfp4.moe`` from the router's logits on (`Block`). Experts that
are called by themselves, with indices and weights, are one call of ``moe_with_routing``
(`Experts`). Weights that had to be packed in another layout, because their scales do not fold, run
as two matmuls with torch's operators around them.

Where layouts meet: row 2i of a checkpoint's ``gate_up_proj`` is gate i and row 2i + 1 is up i.
Packing keeps the order of rows, so the result has gate and up in even and odd columns, as
transformers' own experts do. An experts class that says otherwise of itself is refused.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn
from torch.compiler import is_compiling
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssTopKRouter

from .. import torch_layer
from ..errors import Error
from ..layer_spec import Activation, LayerSpec
from ..torch_op import GroupedLinear
from ..weights import PackedWeights


class Experts(nn.Module):
    """The experts of one layer: the arguments and the result of transformers' ``GptOssExperts``.

    All sums are taken in a fixed order, so equal calls give equal bits.

    Attributes:
        activations: of both matmuls, "bf16" or "fp8".
        accumulation: of FP8 products.
        activation_scale: of what is between the matmuls in FP8, where a call is one operator;
            else each row has its own scale, which a warning says.
        batch_invariant: whether a token's bits may not depend on other tokens, where a call is one
            operator; else they may, which a warning says.
        spec: the layer, if the number of experts of each token is known.
        gate_up: H to 2I, gate in even and up in odd columns; None until weights are there.
        down: I to H, likewise.
        gate_up_proj_bias: ``[E, 2I]``.
        down_proj_bias: ``[E, H]``.
    """

    gate_up_proj_bias: torch.Tensor
    down_proj_bias: torch.Tensor

    def __init__(
        self, replaced: Any, slots: int | None = None, activations: str = "bf16",
        accumulation: str = "promoted512", activation_scale: str | float = "row",
        batch_invariant: bool = False,
    ) -> None:  # fmt: skip
        """Take over biases and numbers of a ``GptOssExperts``.

        Args:
            replaced: the module.
            slots: how many experts each token has.
            activations: as in `LayerSpec`.
            accumulation: as in `LayerSpec`.
            activation_scale: as in `LayerSpec`.
            batch_invariant: as in `LayerSpec`.

        Raises:
            Error: if it is no such module, its rows are not interleaved, or `LayerSpec` refuses the
                options.
        """
        super().__init__()
        try:
            self.gate_up_proj_bias = replaced.gate_up_proj_bias
            self.down_proj_bias = replaced.down_proj_bias
            self.alpha, self.limit = float(replaced.alpha), float(replaced.limit)
            self.num_experts = int(replaced.num_experts)
        except AttributeError as e:
            raise Error(f"{type(replaced).__name__} is not like GptOssExperts: {e}.") from e
        self.hidden, self.inner = replaced.hidden_size, replaced.intermediate_size
        if getattr(replaced, "is_concatenated", False):
            raise Error(
                f"{type(replaced).__name__} has all gates before all ups, but mxfp4 checkpoints "
                "of gpt-oss interleave them."
            )
        self.gate_up: GroupedLinear | None = None
        self.down: GroupedLinear | None = None
        self.activations, self.accumulation = activations, accumulation
        self.activation_scale, self.batch_invariant = activation_scale, batch_invariant
        self._warned = False
        # One slot stands for an unknown number of them: the options must fit together all the same.
        spec = LayerSpec(
            self.num_experts, 1 if slots is None else slots, self.hidden, self.inner,
            Activation("swiglu", self.alpha, 1.0, self.limit), bias=True,
            activations=activations, accumulation=accumulation, activation_scale=activation_scale,
            batch_invariant=batch_invariant,
        )  # fmt: skip
        self.spec = None if slots is None else spec
        self._spec = "" if self.spec is None else self.spec.text()

    def is_fused(self, x: torch.Tensor, slots: int) -> bool:
        """Whether a call is one operator: its layer, layout and types are those of the kernels."""
        if self.gate_up is None or self.down is None:
            raise Error("these experts have no weights yet; load the model with load().")
        biases = (self.gate_up_proj_bias, self.down_proj_bias)
        return (
            self.spec is not None
            and slots == self.spec.slots
            and self.gate_up.layout == self.down.layout == self.spec.layout
            and all(t.dtype == torch.bfloat16 for t in (x, *biases))
        )

    def from_logits(self, x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """`forward` with the router's logits ``[T, E]`` in place of what it has selected."""
        assert self.gate_up is not None
        assert self.down is not None
        return torch_layer.moe(
            x, logits, self.gate_up.packed, self.down.packed, self.gate_up_proj_bias,
            self.down_proj_bias, None, self.gate_up.powers, self.down.powers, spec=self._spec,
        )  # fmt: skip

    def set_weights(self, gate_up: PackedWeights, down: PackedWeights) -> None:
        """Take packed weights.

        Raises:
            Error: if their shapes are not this layer's, or they are for other activations.
        """
        shapes = {"gate_up_proj": (gate_up, 2 * self.inner, self.hidden),
                  "down_proj": (down, self.hidden, self.inner)}  # fmt: skip
        for name, (weights, n, k) in shapes.items():
            if weights.shape != (self.num_experts, n, k):
                raise Error(
                    f"{name} must have E, N, K = {self.num_experts}, {n}, {k} in this model, but "
                    f"the checkpoint's has {', '.join(map(str, weights.shape))}."
                )
            if weights.layout.activations != self.activations:
                found = weights.layout.activations
                raise Error(
                    f"{name} is packed for activations in {found}, but this model's are in "
                    f'{self.activations}; load it with activations="{found}", or pack it with '
                    f"mxfp4 pack --activations {self.activations}."
                )
        self.gate_up = GroupedLinear(gate_up, self.accumulation)
        self.down = GroupedLinear(down, self.accumulation)

    def forward(
        self,
        hidden_states: torch.Tensor,
        router_indices: torch.Tensor,
        routing_weights: torch.Tensor,
    ) -> torch.Tensor:
        """Apply each token's experts and add up their results.

        Args:
            hidden_states: bf16 ``[T, H]``.
            router_indices: i64 ``[T, k]``, each token's experts.
            routing_weights: ``[T, k]``.

        Returns:
            bf16 ``[T, H]``.
        """
        tokens, top = router_indices.shape
        if self.is_fused(hidden_states, top):
            assert self.gate_up is not None
            assert self.down is not None
            return torch_layer.moe_with_routing(
                hidden_states, router_indices, routing_weights, self.gate_up.packed,
                self.down.packed, self.gate_up_proj_bias, self.down_proj_bias,
                self.gate_up.powers, self.down.powers, spec=self._spec, some_absent=False,
            )  # fmt: skip
        if not self._warned and not is_compiling():
            self._warned = True
            self._warn()
        flat = router_indices.reshape(-1)
        if tokens == 1:  # each of its experts is a group: there is nothing to sort
            x = hidden_states.expand(top, -1).contiguous()
            offsets = torch.arange(top + 1, dtype=torch.int32, device=x.device)
            y = self._mlp(x, offsets, flat, flat.int())
            return (y * routing_weights.reshape(-1, 1)).sum(dim=0, keepdim=True)
        experts, order = torch.sort(flat, stable=True)
        bounds = torch.arange(self.num_experts + 1, device=flat.device)
        offsets = torch.searchsorted(experts, bounds, out_int32=True)
        y = self._mlp(hidden_states[order // top], offsets, experts, None)
        y = y * routing_weights.reshape(-1)[order, None]
        by_token = torch.empty_like(y).index_copy_(0, order, y)
        return by_token.view(tokens, top, -1).sum(dim=1)

    def _warn(self) -> None:
        """Say what was asked for that two matmuls do not give."""
        lost = []
        if self.activation_scale != "row":
            lost.append((f"activation_scale={self.activation_scale!r}",
                         "each row has a scale of its own"))  # fmt: skip
        if self.batch_invariant:
            lost.append(("batch_invariant=True", "a token's bits may depend on other tokens"))
        for option, instead in lost:
            warnings.warn(
                f"{option} is of experts that run as one operator; these run as two matmuls, "
                "because the number of each token's experts, the layout or a type is not the "
                f"layer's, so that {instead}.",
                stacklevel=3,
            )

    def _mlp(
        self,
        x: torch.Tensor,
        offsets: torch.Tensor,
        experts: torch.Tensor,
        ids: torch.Tensor | None,
    ) -> torch.Tensor:
        """Rows ``[R, H]`` through their experts, i64 ``[R]``; rounds where GptOssExperts does."""
        if self.gate_up is None or self.down is None:
            raise Error("these experts have no weights yet; load the model with load().")
        both = self.gate_up(x, offsets, ids) + self.gate_up_proj_bias[experts]
        gate = both[..., ::2].clamp(max=self.limit)
        up = both[..., 1::2].clamp(min=-self.limit, max=self.limit)
        inner = (up + 1) * (gate * torch.sigmoid(gate * self.alpha))
        return self.down(inner, offsets, ids) + self.down_proj_bias[experts]


class Router(GptOssTopKRouter):
    """transformers' router, which may leave the selection to the layer.

    It is a module of its own because transformers records the logits of such modules.
    """

    def forward(
        self, hidden_states: torch.Tensor, select: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Logits, and scores and indices of the experts or None without ``select``."""
        if select:
            return super().forward(hidden_states)
        return nn.functional.linear(hidden_states, self.weight, self.bias), None, None


class Block(nn.Module):
    """A router and its experts: the arguments and the result of transformers' ``GptOssMLP``."""

    def __init__(self, replaced: Any, experts: Experts) -> None:
        super().__init__()
        self.router, self.experts = replaced.router, experts
        if type(self.router) is GptOssTopKRouter:
            self.router.__class__ = Router  # its parameters may have no memory yet

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Hidden states, and the router's scores or None if the layer has selected the experts.

        No part of transformers reads these scores.
        """
        x = hidden_states.reshape(-1, hidden_states.shape[-1])
        experts, router = self.experts, self.router
        watched = experts._forward_hooks or experts._forward_pre_hooks
        if (
            not watched
            and isinstance(router, Router)
            and router.weight.dtype == torch.bfloat16
            and experts.is_fused(x, router.top_k)
        ):
            logits, scores, _ = router(x, select=False)
            y = experts.from_logits(x, logits)
        else:
            _, scores, indices = router(x)
            y = experts(x, indices, scores)
        return y.reshape(hidden_states.shape), scores
