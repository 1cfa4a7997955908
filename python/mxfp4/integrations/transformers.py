# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""gpt-oss of Hugging Face transformers, with its experts on mxfp4 kernels.

::

    from mxfp4.integrations.transformers import load

    model = load("path/of/gpt-oss-20b", device="cuda")

`load` goes straight from the MXFP4 checkpoint to packed weights on the device, one expert at a
time: no dequantised weights and no second copy exist at any time. `replace_experts` does the same
to a model that is there already. Any number of tokens works; `prepare` loads all kernels, which
must be done before a CUDA graph is captured.

A block is one call of ``torch.ops.mxfp4.moe`` from the router's logits on (`Block`). Experts that
are called by themselves, with indices and weights, are one call of ``moe_with_routing``
(`Experts`). Weights that had to be packed in another layout, because their scales do not fold, run
as two matmuls with torch's operators around them.

Where layouts meet: row 2i of a checkpoint's ``gate_up_proj`` is gate i and row 2i + 1 is up i.
Packing keeps the order of rows, so the result has gate and up in even and odd columns, as
transformers' own experts do. An experts class that says otherwise of itself is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import kernels, layer, torch_layer, torch_pack
from ..checkpoint import Checkpoint, ExpertTensor, no_such_checkpoint
from ..errors import Error
from ..layer import LAYOUT
from ..layer_spec import Activation, LayerSpec
from ..layout import Layout
from ..packed_checkpoint import PackedCheckpoint
from ..problem import Problem
from ..torch_op import GroupedLinear
from ..weights import PackedWeights

try:
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
    from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP, GptOssTopKRouter
    from transformers.quantizers import HfQuantizer, register_quantization_config
    from transformers.quantizers.auto import register_quantizer
    from transformers.utils.quantization_config import QuantizationConfigMixin
except ImportError as e:
    raise Error(
        f"mxfp4.integrations.transformers needs transformers 5 ({e}); "
        "pip install 'transformers>=5.17'."
    ) from e

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
"""OWNER/NAME: a name without an owner is a folder."""

METHOD = "mxfp4_kernels"
"""What a loaded model's ``config.quantization_config`` gives as its method."""


class Experts(nn.Module):
    """The experts of one layer: the arguments and the result of transformers' ``GptOssExperts``.

    All sums are taken in a fixed order, so equal calls give equal bits.

    Attributes:
        spec: the layer, if the number of experts of each token is known.
        gate_up: H to 2I, gate in even and up in odd columns; None until weights are there.
        down: I to H, likewise.
        gate_up_proj_bias: ``[E, 2I]``.
        down_proj_bias: ``[E, H]``.
    """

    gate_up_proj_bias: torch.Tensor
    down_proj_bias: torch.Tensor

    def __init__(self, replaced: Any, slots: int | None = None) -> None:
        """Take over biases and numbers of a ``GptOssExperts``.

        Args:
            replaced: the module.
            slots: how many experts each token has.

        Raises:
            Error: if it is no such module, or its rows are not interleaved.
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
        self.spec = None if slots is None else LayerSpec(
            self.num_experts, slots, self.hidden, self.inner,
            Activation("swiglu", self.alpha, 1.0, self.limit), bias=True,
        )  # fmt: skip
        self._spec = "" if self.spec is None else self.spec.text()

    def is_fused(self, x: torch.Tensor, slots: int) -> bool:
        """Whether a call is one operator: its layer, layout and types are those of the kernels."""
        if self.gate_up is None or self.down is None:
            raise Error("these experts have no weights yet; load the model with load().")
        biases = (self.gate_up_proj_bias, self.down_proj_bias)
        return (
            self.spec is not None
            and slots == self.spec.slots
            and self.gate_up.layout == self.down.layout == LAYOUT
            and all(t.dtype == torch.bfloat16 for t in (x, *biases))
        )

    def from_logits(self, x: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """`forward` with the router's logits ``[T, E]`` in place of what it has selected."""
        assert self.gate_up is not None
        assert self.down is not None
        return torch_layer.moe(
            x, logits, self.gate_up.packed, self.down.packed, self.gate_up_proj_bias,
            self.down_proj_bias, spec=self._spec,
        )  # fmt: skip

    def set_weights(self, gate_up: PackedWeights, down: PackedWeights) -> None:
        """Take packed weights.

        Raises:
            Error: if their shapes are not this layer's.
        """
        shapes = {"gate_up_proj": (gate_up, 2 * self.inner, self.hidden),
                  "down_proj": (down, self.hidden, self.inner)}  # fmt: skip
        for name, (weights, n, k) in shapes.items():
            if weights.shape != (self.num_experts, n, k):
                raise Error(
                    f"{name} must have E, N, K = {self.num_experts}, {n}, {k} in this model, but "
                    f"the checkpoint's has {', '.join(map(str, weights.shape))}."
                )
        self.gate_up, self.down = GroupedLinear(gate_up), GroupedLinear(down)

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
                self.down.packed, self.gate_up_proj_bias, self.down_proj_bias, spec=self._spec,
                some_absent=False,
            )  # fmt: skip
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


def load(
    checkpoint: str | os.PathLike[str],
    *,
    device: Any = None,
    packed: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **options: Any,
) -> PreTrainedModel:
    """Load a gpt-oss model in bf16 with its experts in packed MXFP4.

    Args:
        checkpoint: a folder, or a name of the Hugging Face hub, ``OWNER/NAME``.
        device: where the model goes; without it, ``device_map`` may say so (it needs accelerate),
            or else the CPU.
        packed: a folder that `mxfp4 pack` made of the checkpoint; without it, the experts are
            packed now. The checkpoint's experts are read and their digests compared with those of
            the packed weights, so that weights of another checkpoint are refused.
        progress: show a progress bar of the experts.
        options: of ``from_pretrained``.

    Raises:
        Error: if the checkpoint is not there or no gpt-oss in MXFP4, its tensors do not fit its
            config, or ``packed`` is of other weights.
    """
    name = os.fspath(checkpoint)
    if not os.path.exists(name) and not _HUB_NAME.fullmatch(name):
        raise no_such_checkpoint(name)
    config = options.pop("config", None) or AutoConfig.from_pretrained(name)
    found = getattr(config, "quantization_config", None)
    method = found.get("quant_method") if isinstance(found, dict) else None
    if config.model_type != "gpt_oss" or method != "mxfp4":
        raise Error(
            f"{name} must be a gpt_oss model quantised by mxfp4, but its config.json says "
            f"{config.model_type!r} and {method!r}."
        )
    del config.quantization_config
    dtype = options.setdefault("dtype", torch.bfloat16)
    if dtype not in (torch.bfloat16, "bfloat16"):
        raise Error(f"the kernels take bfloat16 activations; dtype must be that, got {dtype}.")
    folder = None if packed is None else os.fspath(packed)
    quantization = KernelsConfig(None if device is None else str(device), folder, progress)
    model = AutoModelForCausalLM.from_pretrained(
        name, config=config, quantization_config=quantization, **options
    )
    return model if device is None else model.to(device)


def replace_experts(
    model: nn.Module, checkpoint: str | os.PathLike[str], *, progress: bool = False
) -> nn.Module:
    """Put packed weights from a checkpoint in the place of a model's dequantised ones.

    Args:
        model: a gpt-oss model, in bf16; it is changed.
        checkpoint: a folder or file that `Checkpoint` reads.
        progress: show a progress bar.

    Returns:
        ``model``.

    Raises:
        Error: if the model has no such experts, or the checkpoint does not fit it.
    """
    source = Checkpoint(checkpoint)
    _replace_modules(model)
    _fill(model, source, None, progress)
    return model


def problems(
    experts: int, hidden: int, inner: int, top: int, layout: Layout | None = None
) -> list[tuple[Problem, bool]]:
    """What the kernels of a layer compute, and whether they only serve single tokens."""
    layout = layout or Layout()
    found = []
    for n, k in ((2 * inner, hidden), (hidden, inner)):
        found.append((Problem(experts, n, k, layout=layout), False))
        found.append((Problem(experts, n, k, top, layout, expert_ids=True), True))
    return found


def prepare(model: nn.Module, max_tokens: int = 2**14) -> int:
    """Load all kernels that a model needs, for as many tokens at once; how many there are.

    Args:
        model: of `load` or `replace_experts`, on its device.
        max_tokens: the largest number of tokens in one forward pass, over the whole batch.

    Raises:
        Error: if a kernel is missing and cannot be compiled.
    """
    config: Any = model.config
    top = int(config.num_experts_per_tok)
    found: list[Any] = []
    for _, experts in _experts_of(model, Experts):
        x = experts.down_proj_bias
        if experts.gate_up is not None and experts.is_fused(x, top):
            if x.is_cuda:
                of = layer.runner(kernels.layer_kernels(experts.spec), x.device.index)
                found += layer.prepare(of, max_tokens, "logits")
                found += layer.prepare(of, max_tokens, "ids")
            continue
        for linear in (experts.gate_up, experts.down):
            if linear is None:
                raise Error("these experts have no weights yet; load the model with load().")
            found += kernels.prepare(linear.weights, max_tokens * top)
            found += kernels.prepare(linear.weights, top, groups=top)
    return len({id(kernel) for kernel in found})


def _experts_of(model: nn.Module, kind: type | str) -> list[tuple[str, Any]]:
    """Names and modules of a class, given itself or by its name."""
    names = {kind} if isinstance(kind, str) else {kind.__name__}
    return [(n, m) for n, m in model.named_modules() if type(m).__name__ in names]


def _replace_modules(model: nn.Module) -> None:
    found = _experts_of(model, "GptOssExperts")
    if not found:
        raise Error(f"{type(model).__name__} has no GptOssExperts to replace.")
    config: Any = getattr(model, "config", None)
    slots = None if config is None else int(config.num_experts_per_tok)
    for name, module in found:
        experts = Experts(module, slots)
        model.set_submodule(name, experts)
        parent = name.rpartition(".")[0]
        block = model.get_submodule(parent)
        if type(block) is GptOssMLP:
            model.set_submodule(parent, Block(block, experts))


def _fill(
    model: nn.Module,
    source: Checkpoint,
    device: Any,
    progress: bool,
    packed: PackedCheckpoint | None = None,
) -> None:
    """Give all experts their weights, where ``device`` says or else where their biases are.

    Raises:
        Error: if they do not fit, or ``packed`` is of other weights than ``source``.
    """
    layers: Any = _experts_of(model, Experts)
    if progress:
        from tqdm.auto import tqdm

        layers = tqdm(layers, unit="layer", desc="pack experts")
    for name, experts in layers:
        place = experts.down_proj_bias.device if device is None else device
        tensors = (source[f"{name}.{projection}"] for projection in ("gate_up_proj", "down_proj"))
        experts.set_weights(*(_on_device(t, place, packed) for t in tensors))


def _on_device(tensor: ExpertTensor, device: Any, packed: PackedCheckpoint | None) -> PackedWeights:
    if packed is None:
        return torch_pack.pack(tensor, device)
    return packed.of(tensor).to_device(device)


@register_quantization_config(METHOD)
class KernelsConfig(QuantizationConfigMixin):
    """How `load` tells ``from_pretrained`` to leave the experts to us."""

    def __init__(
        self,
        device: str | None = None,
        packed: str | None = None,
        progress: bool = False,
        **_: Any,
    ) -> None:
        self.quant_method: Any = METHOD  # transformers' type lists its own methods
        self.device, self.packed, self.progress = device, packed, progress


@register_quantizer(METHOD)
class KernelsQuantizer(HfQuantizer):
    """Puts `Experts` into a model before its weights are read, and packs theirs afterwards."""

    requires_calibration = False
    quantization_config: KernelsConfig

    def _process_model_before_weight_loading(
        self, model: Any, checkpoint_files: Sequence[str] | None = None, **_: Any
    ) -> None:
        if not checkpoint_files:
            raise Error("the model has no checkpoint files to take its experts from.")
        files = [Path(f) for f in checkpoint_files]
        self._source = Checkpoint(files[0] if len(files) == 1 else files[0].parent)
        packed = self.quantization_config.packed
        self._packed = None if packed is None else PackedCheckpoint(packed)
        _replace_modules(model)
        ignored = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
        model._keys_to_ignore_on_load_unexpected = {*ignored, r"experts\..*_(blocks|scales)$"}

    def _process_model_after_weight_loading(self, model: Any, **_: Any) -> None:
        wanted = self.quantization_config
        _fill(model, self._source, wanted.device, wanted.progress, self._packed)

    @property
    def is_trainable(self) -> bool:
        """Packed weights are for inference."""
        return False

    @property
    def is_compileable(self) -> bool:
        """Generation with a static cache may compile the model."""
        return True

    def is_serializable(self, *_: Any, **__: Any) -> bool:
        """The checkpoint is there already; `mxfp4 pack` writes packed weights."""
        return False
