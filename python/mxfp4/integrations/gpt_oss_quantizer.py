# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How `mxfp4.integrations.transformers` takes part in transformers' loading of a gpt-oss model.

``from_pretrained`` takes a quantizer for a model's experts: it puts `Experts` in their place before
weights are read, so that transformers reads all else, and packs the experts' weights afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP
from transformers.quantizers import HfQuantizer, register_quantization_config
from transformers.quantizers.auto import register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from .. import torch_pack
from ..checkpoint import Checkpoint, ExpertTensor
from ..errors import Error
from ..layout import FP8
from ..names import shown
from ..packed_checkpoint import PackedCheckpoint
from ..weights import PackedWeights
from .gpt_oss_modules import Block, Experts

METHOD = "mxfp4_kernels"
"""What a loaded model's ``config.quantization_config`` gives as its method."""


def experts_of(model: nn.Module, kind: type | str) -> list[tuple[str, Any]]:
    """Names and modules of a class, given itself or by its name."""
    names = {kind} if isinstance(kind, str) else {kind.__name__}
    return [(n, m) for n, m in model.named_modules() if type(m).__name__ in names]


def replace_modules(
    model: nn.Module, activations: str, accumulation: str, activation_scale: str | float,
    batch_invariant: bool,
) -> None:  # fmt: skip
    """Put `Experts` without weights in the places of a model's own.

    Raises:
        Error: if it has none.
    """
    found = experts_of(model, "GptOssExperts")
    if not found:
        raise Error(f"{type(model).__name__} has no GptOssExperts to replace.")
    config: Any = getattr(model, "config", None)
    slots = None if config is None else int(config.num_experts_per_tok)
    for name, module in found:
        experts = Experts(
            module, slots, activations, accumulation, activation_scale, batch_invariant
        )
        model.set_submodule(name, experts)
        parent = name.rpartition(".")[0]
        block = model.get_submodule(parent)
        if type(block) is GptOssMLP:
            model.set_submodule(parent, Block(block, experts))


def fill(
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
    layers: Any = experts_of(model, Experts)
    if progress:
        from tqdm.auto import tqdm

        layers = tqdm(layers, unit="layer", desc="pack experts")
    for name, experts in layers:
        place = experts.down_proj_bias.device if device is None else device
        tensors = (source[f"{name}.{projection}"] for projection in ("gate_up_proj", "down_proj"))
        fp8 = experts.activations == "fp8"
        experts.set_weights(*(_on_device(t, place, packed, fp8) for t in tensors))


def _on_device(
    tensor: ExpertTensor, device: Any, packed: PackedCheckpoint | None, fp8: bool
) -> PackedWeights:
    if packed is not None:
        return packed.of(tensor).to_device(device)
    if not fp8:
        return torch_pack.pack(tensor, device)
    try:
        return torch_pack.pack(tensor, device, FP8)
    except Error as e:
        raise Error(f"{shown(tensor.name)}: {e}") from e


def _refuse_other_shapes(model: nn.Module, shapes: Mapping[str, list[int]]) -> None:
    """transformers compares no shapes where a quantizer takes part.

    Raises:
        Error: naming the first tensor that has another shape than the model had by its config.
    """
    for name, tensor in sorted(model.state_dict().items()):
        if name in shapes and list(tensor.shape) != shapes[name]:
            raise Error(
                f"{shown(name)} must have shape {shapes[name]} by the model's config, but the "
                f"checkpoint's has {list(tensor.shape)}."
            )


@register_quantization_config(METHOD)
class KernelsConfig(QuantizationConfigMixin):
    """How `load` tells ``from_pretrained`` to leave the experts to us."""

    def __init__(
        self,
        device: str | None = None,
        packed: str | None = None,
        progress: bool = False,
        activations: str = "bf16",
        accumulation: str = "promoted512",
        activation_scale: str | float = "row",
        batch_invariant: bool = False,
        **_: Any,
    ) -> None:
        self.quant_method: Any = METHOD  # transformers' type lists its own methods
        self.device, self.packed, self.progress = device, packed, progress
        self.activations, self.accumulation = activations, accumulation
        self.activation_scale, self.batch_invariant = activation_scale, batch_invariant


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
        wanted = self.quantization_config
        self._packed = None if wanted.packed is None else PackedCheckpoint(wanted.packed)
        replace_modules(
            model, wanted.activations, wanted.accumulation, wanted.activation_scale,
            wanted.batch_invariant,
        )  # fmt: skip
        ignored = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
        model._keys_to_ignore_on_load_unexpected = {*ignored, r"experts\..*_(blocks|scales)$"}
        self._shapes = {name: list(t.shape) for name, t in model.state_dict().items()}

    def _process_model_after_weight_loading(self, model: Any, **_: Any) -> None:
        wanted = self.quantization_config
        _refuse_other_shapes(model, self._shapes)
        fill(model, self._source, wanted.device, wanted.progress, self._packed)

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
