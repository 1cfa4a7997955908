# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``torch.ops.mxfp4.moe`` and ``moe_with_routing``: a whole mixture-of-experts layer.

::

    moe(x, logits, gate_up, down, gate_up_bias, down_bias, correction, gate_up_powers,
        down_powers, *, spec) -> Tensor
    moe_with_routing(x, ids, weights, gate_up, down, gate_up_bias, down_bias, gate_up_powers,
                     down_powers, *, spec, some_absent=True) -> Tensor

Both are opaque to ``torch.compile`` and known to its tracer. ``spec`` is what `LayerSpec.text`
gives, to be asked once and not in code that is compiled. Packed weights are the bytes of
`PackedWeights.data` in the layout `mxfp4.layer.LAYOUT`, which is what `mxfp4.pack` makes of most
checkpoints; of a layer with activations in FP8 they are those of layout "fp8", which come with
`PackedWeights.powers`. On CUDA the operators launch the kernels of `mxfp4.layer`, which
`mxfp4.kernels` finds among those compiled ahead of time, or compiles when a call needs them; on the
CPU they run `mxfp4.layer_reference`.

``moe_with_routing`` takes the experts of each token, int32 or int64 ``[T, S]``, and their weights
``[T, S]``. An id of -1 is a slot without an expert, such as one on another device; where no id is
-1, ``some_absent=False`` is quicker for many tokens.

Importing this module imports torch and registers the operators.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from . import kernels, layer_reference
from .errors import Error
from .layer import LOGITS, check_tensor, check_weights, run, runner, weight_shapes
from .layer_bound import Bound
from .layer_plan import LayerRunner
from .layer_spec import LayerSpec
from .layer_steps import Source
from .layout import FOLDED_MAX
from .torch_dispatch import autograd_of, is_plain
from .torch_op import from_numpy, to_numpy
from .weights import PackedWeights, Proof

_MOST_LAYERS = 1024
"""Whose tensors are known, for each spec."""

_library = torch.library.Library("mxfp4", "FRAGMENT")
_TAGS = (torch.Tag.pt2_compliant_tag, torch.Tag.needs_fixed_stride_order)
_library.define(
    "moe(Tensor x, Tensor logits, Tensor gate_up, Tensor down, Tensor? gate_up_bias=None, "
    "Tensor? down_bias=None, Tensor? correction=None, Tensor? gate_up_powers=None, "
    "Tensor? down_powers=None, *, str spec) -> Tensor",
    tags=_TAGS,
)
_library.define(
    "moe_with_routing(Tensor x, Tensor ids, Tensor weights, Tensor gate_up, Tensor down, "
    "Tensor? gate_up_bias=None, Tensor? down_bias=None, Tensor? gate_up_powers=None, "
    "Tensor? down_powers=None, *, str spec, bool some_absent=True) -> Tensor",
    tags=_TAGS,
)

_Maybe = torch.Tensor | None
_PROOF = Proof(0, FOLDED_MAX, False)
_IDS = (torch.int32, torch.int64)
_GATES = (torch.float32, torch.bfloat16, torch.float16)


def _check_x(spec: LayerSpec, x: torch.Tensor) -> None:
    if x.dim() != 2 or x.dtype is not torch.bfloat16 or x.shape[1] != spec.hidden:
        raise Error(f"x must be torch.bfloat16 [T, {spec.hidden}], got {x.dtype} {list(x.shape)}.")


def _check_slots(
    name: str, tensor: torch.Tensor, shape: tuple[Any, ...], dtypes: tuple[torch.dtype, ...],
    device: torch.device,
) -> None:  # fmt: skip
    if tensor.dtype not in dtypes or tensor.shape != shape:
        raise Error(
            f"{name} must be {' or '.join(map(str, dtypes))} {list(shape)}, got {tensor.dtype} "
            f"{list(tensor.shape)}."
        )
    if tensor.device != device:
        raise Error(f"{name} must be on {device}, as x, got {tensor.device}.")


class _Weights:
    """Tensors of a layer that were checked; if they are moved, they are checked again.

    Attributes:
        bound: what launches the layer with them.
    """

    def __init__(
        self, known: _Known, own: Sequence[_Maybe], device: torch.device, forget: Any
    ) -> None:
        there = [(s[0], t) for s, t in zip(known.shapes, own, strict=False) if t is not None]
        addresses = {name: t.data_ptr() for name, t in there}
        self._device, self._addresses = device, list(addresses.values())
        # Before another tensor can have the place of one of these, and so its id.
        self._alive = [weakref.ref(t, forget) for _, t in there]
        self.bound = Bound(known.runner(device.index), addresses)

    def are(self, own: Sequence[_Maybe], device: torch.device) -> bool:
        """Whether these tensors, which are the same ones, are in the same place.

        A tensor that was given other, shorter storage has another address.
        """
        addresses = [t.data_ptr() for t in own if t is not None]
        return addresses == self._addresses and device == self._device


class _Known:
    """What a spec's text says, so that calls need not work it out.

    Attributes:
        spec: the layer.
        shapes: of its tensors.
        logits: their type.
    """

    def __init__(self, text: str) -> None:
        self.spec = spec = LayerSpec.parse(text)
        self.shapes, self.logits = weight_shapes(spec), LOGITS[spec.logits]
        self._runners: dict[int, LayerRunner] = {}
        self._layers: dict[tuple[int, ...], _Weights] = {}

    def runner(self, device: int) -> LayerRunner:
        """What launches the layer on a device."""
        found = self._runners.get(device)
        if found is None:
            found = self._runners[device] = runner(kernels.layer_kernels(self.spec), device)
        return found

    def weights(self, own: Sequence[_Maybe], device: torch.device) -> _Weights:
        """A layer's own tensors on a device, which are checked when they are first seen.

        Raises:
            Error: if one is missing, is not the layer's, or does not fit.
        """
        key = tuple(map(id, own))
        found = self._layers.get(key)
        if found is None or not found.are(own, device):
            check_weights(self.shapes, own, device)
            if len(self._layers) >= _MOST_LAYERS:
                self._layers.clear()

            def forget(_: Any, layers: Any = self._layers) -> None:
                layers.pop(key, None)

            found = self._layers[key] = _Weights(self, own, device, forget)
        return found


_known = lru_cache(maxsize=1024)(_Known)


def _checked_input(
    known: _Known, x: torch.Tensor, logits: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Dense hidden states and logits."""
    shape = x.shape
    if (
        len(shape) == 2
        and shape[1] == known.spec.hidden
        and logits.shape == (shape[0], known.spec.experts)
        and x.dtype is torch.bfloat16
        and logits.dtype is known.logits
        and x.is_contiguous()
        and logits.is_contiguous()
        and logits.device == x.device
    ):
        return x, logits
    _check_x(known.spec, x)
    x, logits = x.contiguous(), logits.contiguous()
    wanted = (x.shape[0], known.spec.experts)
    check_tensor("logits", logits, wanted, known.logits, x.device)
    return x, logits


def _checked(
    x: torch.Tensor, logits: torch.Tensor, gate_up: torch.Tensor, down: torch.Tensor,
    gate_up_bias: _Maybe = None, down_bias: _Maybe = None, correction: _Maybe = None,
    gate_up_powers: _Maybe = None, down_powers: _Maybe = None, *, spec: str,
) -> tuple[_Known, torch.Tensor, torch.Tensor, tuple[_Maybe, ...]]:  # fmt: skip
    """The layer, dense hidden states and logits, and the layer's own tensors.

    Everything is checked that needs no values. The number of tokens may be a tracer's symbol.
    """
    known = _known(spec)
    x, logits = _checked_input(known, x, logits)
    own = (gate_up, down, gate_up_bias, down_bias, gate_up_powers, down_powers, correction)
    check_weights(known.shapes, own, x.device)
    return known, x, logits, own


def _checked_slots(
    known: _Known, x: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Dense hidden states, ids i32 and weights f32."""
    _check_x(known.spec, x)
    shape = (x.shape[0], known.spec.slots)
    _check_slots("ids", ids, shape, _IDS, x.device)
    _check_slots("weights", weights, shape, _GATES, x.device)
    ids = ids if ids.dtype is torch.int32 else ids.int()
    weights = weights if weights.dtype is torch.float32 else weights.float()
    return x.contiguous(), ids.contiguous(), weights.contiguous()


# What torch.compile's programs allocate with: without the dispatcher, on the current device.
_empty_strided = getattr(torch._C._dynamo.guards, "_empty_strided_cuda", None)
_current_device = getattr(torch._C, "_cuda_getDevice", None)


def _like(x: torch.Tensor) -> torch.Tensor:
    """A new tensor for a result."""
    if _empty_strided is None or _current_device is None or x.get_device() < 0:
        return torch.empty_like(x)
    if x.get_device() != _current_device():
        return torch.empty_like(x)
    tokens, hidden = x.shape
    # The function takes tuples, and nothing that is derived from them.
    return _empty_strided((tokens, hidden), (hidden, 1), torch.bfloat16)


def _checked_routing(
    x: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor, gate_up: torch.Tensor,
    down: torch.Tensor, gate_up_bias: _Maybe = None, down_bias: _Maybe = None,
    gate_up_powers: _Maybe = None, down_powers: _Maybe = None, *, spec: str,
    some_absent: bool = True,
) -> tuple[_Known, torch.Tensor, torch.Tensor, torch.Tensor, tuple[_Maybe, ...]]:  # fmt: skip
    """The same with ids i32 and weights f32 in place of logits."""
    known = _known(spec)
    x, ids, weights = _checked_slots(known, x, ids, weights)
    own = (gate_up, down, gate_up_bias, down_bias, gate_up_powers, down_powers)
    check_weights(known.shapes, own, x.device)
    return known, x, ids, weights, own


def _fake(*arguments: Any, **options: Any) -> torch.Tensor:
    _, x, *_ = _checked(*arguments, **options)
    return x.new_empty(x.shape)


def _fake_routing(*arguments: Any, **options: Any) -> torch.Tensor:
    _, x, *_ = _checked_routing(*arguments, **options)
    return x.new_empty(x.shape)


def _cuda(
    x: torch.Tensor, logits: torch.Tensor, gate_up: torch.Tensor, down: torch.Tensor,
    gate_up_bias: _Maybe = None, down_bias: _Maybe = None, correction: _Maybe = None,
    gate_up_powers: _Maybe = None, down_powers: _Maybe = None, *, spec: str,
) -> torch.Tensor:  # fmt: skip
    known = _known(spec)
    x, logits = _checked_input(known, x, logits)
    own = (gate_up, down, gate_up_bias, down_bias, gate_up_powers, down_powers, correction)
    bound = known.weights(own, x.device).bound
    return run(bound, "logits", x, _like(x), logits.data_ptr())


def _cuda_routing(
    x: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor, gate_up: torch.Tensor,
    down: torch.Tensor, gate_up_bias: _Maybe = None, down_bias: _Maybe = None,
    gate_up_powers: _Maybe = None, down_powers: _Maybe = None, *, spec: str,
    some_absent: bool = True,
) -> torch.Tensor:  # fmt: skip
    known = _known(spec)
    x, ids, weights = _checked_slots(known, x, ids, weights)
    own = (gate_up, down, gate_up_bias, down_bias, gate_up_powers, down_powers)
    bound = known.weights(own, x.device).bound
    source: Source = "some ids" if some_absent else "ids"
    return run(bound, source, x, _like(x), ids.data_ptr(), weights.data_ptr())


def _arrays(known: _Known, own: Sequence[_Maybe]) -> dict[str, Any]:
    """The layer's own tensors for the reference, which decodes experts one by one."""
    names = [shape[0] for shape in known.shapes]
    found: dict[str, Any] = {
        n: None if t is None else to_numpy(t) for n, t in zip(names, own, strict=False)
    }
    spec = known.spec
    for name, n, k in (
        ("gate_up", spec.columns, spec.hidden),
        ("down", spec.hidden, spec.inner),
    ):
        powers = found.pop(f"{name}_powers")
        found[name] = PackedWeights(found[name], n, k, spec.layout, _PROOF, powers=powers)
    return found


def _cpu(*arguments: Any, **options: Any) -> torch.Tensor:
    known, x, logits, own = _checked(*arguments, **options)
    return from_numpy(
        layer_reference.layer(known.spec, to_numpy(x), to_numpy(logits), **_arrays(known, own))
    )


def _cpu_routing(*arguments: Any, some_absent: bool = True, **options: Any) -> torch.Tensor:
    known, x, ids, weights, own = _checked_routing(*arguments, **options)
    given = to_numpy(ids)
    if not some_absent and (given < 0).any():
        raise Error("ids has -1, a slot without an expert; call it with some_absent=True.")
    arrays = _arrays(known, own)
    arrays["weights"] = np.asarray(to_numpy(weights), np.float32)
    return from_numpy(layer_reference.experts(known.spec, to_numpy(x), given, **arrays))


def _register() -> None:
    for name, fake, cuda, cpu in (
        ("moe", _fake, _cuda, _cpu),
        ("moe_with_routing", _fake_routing, _cuda_routing, _cpu_routing),
    ):
        torch.library.register_fake(f"mxfp4::{name}", fake, lib=_library)
        _library.impl(name, cuda, "CUDA")
        _library.impl(name, cpu, "CPU")
        operator = getattr(torch.ops.mxfp4, name).default
        _library.impl(name, autograd_of(operator, cuda, f"mxfp4.{name}"), "Autograd")


_register()
_moe = torch.ops.mxfp4.moe.default
_moe_with_routing = torch.ops.mxfp4.moe_with_routing.default


def moe(*tensors: Any, spec: str) -> torch.Tensor:
    """``torch.ops.mxfp4.moe``, at less than the price of torch's dispatcher where none is needed.

    The dispatcher and the check for gradients take longer than the launch of a layer.
    """
    return _cuda(*tensors, spec=spec) if is_plain(*tensors) else _moe(*tensors, spec=spec)


def moe_with_routing(*tensors: Any, spec: str, some_absent: bool = True) -> torch.Tensor:
    """``torch.ops.mxfp4.moe_with_routing``, likewise."""
    call = _cuda_routing if is_plain(*tensors) else _moe_with_routing
    return call(*tensors, spec=spec, some_absent=some_absent)
