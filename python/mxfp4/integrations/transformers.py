# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""gpt-oss of Hugging Face transformers, with its experts on mxfp4 kernels.

::

    from mxfp4.integrations.transformers import load

    model = load("path/of/gpt-oss-20b", device="cuda")

`load` goes straight from the MXFP4 checkpoint to packed weights on the device, one expert at a
time: no dequantised weights and no second copy exist at any time. `replace_experts` does the same
to a model that is there already. Any number of tokens works; `prepare` loads all kernels, which
must be done before a CUDA graph is captured.

With ``activations="fp8"`` the rows that each expert's matmuls read are rounded to E4M3
(docs/Numerics.md), and ``accumulation`` says how the tensor cores add: "promoted512" (default),
"promoted128" or "fast"; ``activation_scale`` is that of `LayerSpec`, and so is
``batch_invariant``, which goes with bf16, too. The weights are the same MXFP4
weights, exactly; a checkpoint with a row whose scales E5M2 cannot hold is refused. The modules are
those of `gpt_oss_modules`.
"""

from __future__ import annotations

import os
import re
from typing import Any

import torch
from torch import nn

from .. import kernels, layer
from .._typed import typed
from ..checkpoint import Checkpoint, no_such_checkpoint
from ..errors import Error
from ..layer_spec import LayerSpec
from ..layout import Layout
from ..names import shown
from ..problem import Problem, check_accumulation

try:
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

    from .gpt_oss_modules import Experts
    from .gpt_oss_quantizer import KernelsConfig, experts_of, fill, replace_modules
except ImportError as e:
    raise Error(
        f"mxfp4.integrations.transformers needs transformers 5 ({e}); "
        "pip install 'transformers>=5.17'."
    ) from e

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
"""OWNER/NAME: a name without an owner is a folder."""


@typed
def load(
    checkpoint: str | os.PathLike[str],
    *,
    device: Any = None,
    packed: str | os.PathLike[str] | None = None,
    progress: bool = False,
    activations: str = "bf16",
    accumulation: str | None = None,
    activation_scale: str | float = "row",
    batch_invariant: bool = False,
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
        activations: of the experts' matmuls, "bf16" or "fp8".
        accumulation: how sums of FP8 products are taken, "promoted512" (default), "promoted128" or
            "fast"; for "fp8" alone.
        activation_scale: of what is between the matmuls of an expert, "row" (default), "bound" or a
            number, see `LayerSpec`; for "fp8" alone. Experts that do not run as one operator, such
            as those called with hidden states that are not bf16, have a scale for each row and
            warn.
        batch_invariant: whether the bits that experts give for a token may not depend on the other
            tokens of a call, see `LayerSpec`. The router's matmul and attention are torch's, which
            promises no such thing. Experts that do not run as one operator warn.
        options: of ``from_pretrained``.

    Raises:
        Error: if the checkpoint is not there or no gpt-oss in MXFP4, its tensors do not fit its
            config or some are missing, ``packed`` is of other weights or for other activations,
            or, for "fp8", a row of weights has scales that E5M2 cannot hold.
    """
    sums = _accumulation(activations, accumulation)
    _check_scale(activations, activation_scale)
    name = os.fspath(checkpoint)
    if not os.path.exists(name) and not _HUB_NAME.fullmatch(name):
        raise no_such_checkpoint(name)
    config = options.pop("config", None) or _config(name)
    found = getattr(config, "quantization_config", None)
    method = found.get("quant_method") if isinstance(found, dict) else None
    _refuse_mlx(name, config)
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
    quantization = KernelsConfig(
        None if device is None else str(device),
        folder,
        progress,
        activations,
        sums,
        activation_scale,
        batch_invariant,
    )
    if options.pop("output_loading_info", False):
        raise Error("load takes no output_loading_info: tensors that are missing are an error.")
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        name, config=config, quantization_config=quantization, output_loading_info=True, **options
    )
    model, info = loaded
    _refuse_missing(name, sorted(info["missing_keys"]))
    return model if device is None else model.to(device)


def _refuse_mlx(name: str, config: Any) -> None:
    """MLX has other names for gpt-oss's tensors, and quantises more than the experts.

    Raises:
        Error: if a checkpoint is MLX's, whatever its mode.
    """
    found = getattr(config, "quantization", None)
    if isinstance(found, dict) and "group_size" in found:
        mode = shown(found.get("mode", "affine"))
        raise Error(
            f"{name} is quantised by MLX (mode {mode}), whose tensors have other names; expected a "
            'checkpoint of transformers, whose config.json has "quant_method": "mxfp4": load the '
            "one that MLX's was made of, such as openai/gpt-oss-20b. The experts of MLX's mode "
            "mxfp4 are read by `mxfp4 pack` and mxfp4.Checkpoint."
        )


def _refuse_missing(name: str, missing: list[str]) -> None:
    """transformers gives what a checkpoint does not have random values, and goes on.

    Raises:
        Error: naming the first tensors.
    """
    if missing:
        rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise Error(
            f"{name} has no {', '.join(map(shown, missing[:3]))}{rest}, which would have random "
            "values; expected a whole checkpoint, with the names that transformers has for gpt-oss."
        )


def _config(name: str) -> Any:
    """The configuration of a checkpoint.

    Raises:
        Error: if transformers stumbles over a value; what it refuses itself, it explains.
    """
    try:
        return AutoConfig.from_pretrained(name)
    except (AttributeError, LookupError, TypeError) as e:
        raise Error(
            f"the config.json of {name} has a value that transformers cannot read "
            f"({type(e).__name__}: {shown(e)}); expected the file that belongs to the checkpoint."
        ) from e


def _accumulation(activations: str, accumulation: str | None) -> str:
    """The accumulation that these options mean.

    Raises:
        Error: if they do not fit together, or one is unknown.
    """
    if activations not in ("bf16", "fp8"):
        raise Error(f'activations must be "bf16" or "fp8", got {activations!r}.')
    if accumulation is None:
        return "promoted512"
    if activations != "fp8":
        raise Error(
            'accumulation is a choice with activations="fp8": sums of bf16 products are in f32.'
        )
    check_accumulation(accumulation)
    return accumulation


def _check_scale(activations: str, scale: str | float) -> None:
    """Raise an error if experts of gpt-oss cannot have such a scale."""
    LayerSpec(1, 1, 32, 32, activations=activations, activation_scale=scale)


@typed
def replace_experts(
    model: nn.Module, checkpoint: str | os.PathLike[str], *, progress: bool = False,
    activations: str = "bf16", accumulation: str | None = None,
    activation_scale: str | float = "row", batch_invariant: bool = False,
) -> nn.Module:  # fmt: skip
    """Put packed weights from a checkpoint in the place of a model's dequantised ones.

    Args:
        model: a gpt-oss model, in bf16; it is changed.
        checkpoint: a folder or file that `Checkpoint` reads.
        progress: show a progress bar.
        activations: as in `load`.
        accumulation: as in `load`.
        activation_scale: as in `load`.
        batch_invariant: as in `load`.

    Returns:
        ``model``.

    Raises:
        Error: if the model has no such experts, or the checkpoint does not fit it.
    """
    sums = _accumulation(activations, accumulation)
    _check_scale(activations, activation_scale)
    source = Checkpoint(checkpoint)
    replace_modules(model, activations, sums, activation_scale, batch_invariant)
    fill(model, source, None, progress)
    return model


@typed
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


@typed
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
    for _, experts in experts_of(model, Experts):
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
            sums = experts.accumulation
            found += kernels.prepare(linear.weights, max_tokens * top, accumulation=sums)
            found += kernels.prepare(linear.weights, top, groups=top, accumulation=sums)
    return len({id(kernel) for kernel in found})
