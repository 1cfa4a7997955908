# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A mixture-of-experts layer on a GPU: four to seven kernels, launched by one call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import torch

from . import kernels as choice
from ._threads import lock
from ._typed import typed
from .errors import Error
from .lasting import lasting
from .layer_bound import Bound
from .layer_kernels import LayerKernels
from .layer_plan import LayerRunner
from .layer_spec import LayerSpec
from .layer_steps import Source
from .layout import Layout
from .loaded import LoadedKernel
from .runtime import _current_stream as _stream_of
from .torch_dispatch import refuse_derivatives
from .weights import AS_STORED, INTERLEAVED, PackedWeights

LAYOUT = Layout("spread", "folded")
"""Of the weights of layers with activations in bf16; `LayerSpec.layout` is that of any layer."""

_FIRST_CONSTANTS = 1 << 12


class _Constants:
    """Numbers that the kernels of all layers on a device read: 0, 1, 2 and so on.

    The host copies the numbers and waits for the copy, so that all streams may read them. Older
    copies stay, because CUDA graphs may read them.
    """

    def __init__(self, device: int) -> None:
        self._device, self._lock = device, lock(threading.Lock())
        self._kept: list[Any] = []
        self.count, self.addresses = 0, {"counting": 0}

    def grow(self, count: int) -> None:
        """Have at least ``count`` constants."""
        with self._lock:
            if count <= self.count:
                return
            _refuse_in_capture("its constants are", self._device)
            most = max(_FIRST_CONSTANTS, 1 << (count - 1).bit_length())
            numbers = torch.arange(most, dtype=torch.int32)
            there = lasting(self._device, numbers.nbytes)
            there.copy_(numbers.view(torch.uint8))
            self.addresses = {"counting": there.data_ptr()}
            self._kept.append(there)
            self.count = most


_constants = cache(_Constants)


def _refuse_in_capture(what: str, device: int) -> None:
    if choice.capturing():
        raise Error(
            f"the layer is not ready on cuda:{device} for this many tokens, because {what} not "
            "loaded, and cannot be made ready while a CUDA graph is captured. Before, call "
            "prepare() or the layer with as many tokens."
        )


_runners: dict[tuple[int, int], LayerRunner] = {}


def runner(kernels: LayerKernels, device: int) -> LayerRunner:
    """What launches a layer's kernels on a device; layers of the same kernels share it."""
    found = _runners.get((id(kernels), device))
    if found is None:
        before = partial(_refuse_in_capture, "its kernels are", device)
        made = LayerRunner(kernels, device, before_loading=before)
        found = _runners.setdefault((id(kernels), device), made)
    return found


def _constants_of(device: int, count: int) -> dict[str, int]:
    constants = _constants(device)
    if count > constants.count:
        constants.grow(count)
    return constants.addresses


def _memory(device: int, size: int) -> torch.Tensor:
    return torch.empty(size, dtype=torch.uint8, device=torch.device("cuda", device))


# A function of C, where there is one: each call of a layer asks.
_current_stream = getattr(torch._C, "_cuda_getCurrentRawStream", _stream_of)


def run(
    bound: Bound, source: Source, x: torch.Tensor, out: torch.Tensor, *given: int
) -> torch.Tensor:
    """Launch a layer on torch's current stream; tensors were checked.

    Args:
        bound: the layer's weights.
        source: where experts come from.
        x: hidden states.
        out: where the result goes.
        given: addresses of everything else that the call brings, as `layer_bound.GIVEN` says.

    Raises:
        Error: if a launch fails.
    """
    tokens = x.shape[0]
    if tokens:
        addresses = (*given, x.data_ptr(), out.data_ptr())
        stream = _current_stream(bound.of.device)
        bound.launch(source, tokens, addresses, stream, _constants_of, _memory)
    return out


def prepare(of: LayerRunner, max_tokens: int, source: Source = "logits") -> list[LoadedKernel]:
    """Make all kernels ready for calls of up to ``max_tokens``; returns what was made ready.

    Then no call compiles or loads anything, and all can be captured in a CUDA graph.

    Raises:
        Error: if a kernel is missing and cannot be compiled.
    """
    for tokens in of.kernels.starts(max_tokens, source):
        of.plan(tokens, source)
    if max_tokens > 0:
        _constants(of.device).grow(max_tokens * of.spec.slots)
    return of.loaded


Shapes = tuple[tuple[str, tuple[int, ...], torch.dtype, bool], ...]


def weight_shapes(spec: LayerSpec) -> Shapes:
    """Name, shape and type of a layer's tensors, and whether the layer has them."""
    e, bf16, fp8 = spec.experts, torch.bfloat16, spec.activations == "fp8"

    def packed(n: int, k: int) -> tuple[int, ...]:
        return (e, *spec.layout.shape(n, k))

    return (
        ("gate_up", packed(spec.columns, spec.hidden), torch.uint8, True),
        ("down", packed(spec.hidden, spec.inner), torch.uint8, True),
        ("gate_up_bias", (e, spec.columns), bf16, spec.bias),
        ("down_bias", (e, spec.hidden), bf16, spec.bias),
        ("gate_up_powers", (e, spec.columns), torch.float32, fp8),
        ("down_powers", (e, spec.hidden), torch.float32, fp8),
        ("correction", (e,), torch.float32, spec.correction),
    )


def check_weights(shapes: Shapes, given: Sequence[Any], device: torch.device) -> None:
    """Check a layer's own tensors, given in the order of their shapes.

    Raises:
        Error: if one is missing, is not the layer's, or does not fit.
    """
    for (name, shape, dtype, wanted), tensor in zip(shapes, given, strict=False):
        if (tensor is not None) != wanted:
            raise Error(f"this layer {'needs' if wanted else 'has no'} {name}.")
        if tensor is not None:
            check_tensor(name, tensor, shape, dtype, device)


def check_tensor(
    name: str, tensor: Any, shape: tuple[Any, ...], dtype: torch.dtype, device: torch.device
) -> None:
    """Check a tensor, whose number of tokens may be a tracer's symbol.

    Raises:
        Error: if it does not fit.
    """
    if not isinstance(tensor, torch.Tensor):
        raise Error(f"{name} must be a torch tensor, got {type(tensor).__name__}.")
    if tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_contiguous():
        dense = "" if tensor.is_contiguous() else ", not contiguous"
        raise Error(
            f"{name} must be a contiguous {dtype} {list(shape)}, got {tensor.dtype} "
            f"{list(tensor.shape)}{dense}."
        )
    if tensor.device != device:
        raise Error(f"{name} must be on {device}, as the other tensors, got {tensor.device}.")


LOGITS = {"bf16": torch.bfloat16, "f32": torch.float32}
"""Types of logits by the spec's names."""


class Layer:
    """A layer with its weights, on torch's tensors.

    A call launches on torch's current stream and returns at once; it reads no device memory and
    can be captured in a CUDA graph after a call with as many tokens, or after `prepare`. Equal
    calls give equal bits. There is no gradient.

    Args:
        kernels: of the layer; None for those that `mxfp4.kernels` finds or compiles.
        gate_up: packed weights, ``[E, 2I, H]`` with gate and up interleaved (2n and 2n + 1), or
            ``[E, I, H]`` without gates.
        down: packed weights ``[E, H, I]``.
        gate_up_bias: bf16 ``[E, N]`` of the first matmul, if and only if the layer has biases.
        down_bias: likewise of the second.
        correction: f32 ``[E]``, if and only if the layer has one.
        spec: the layer, if no kernels are given.

    Raises:
        Error: if something does not fit the layer.
    """

    @typed
    def __init__(
        self, kernels: LayerKernels | None, gate_up: PackedWeights, down: PackedWeights,
        gate_up_bias: Any = None, down_bias: Any = None, correction: Any = None,
        spec: LayerSpec | None = None,
    ) -> None:  # fmt: skip
        if kernels is None:
            if spec is None:
                raise Error("a layer needs its kernels or its spec.")
            kernels = choice.layer_kernels(spec)
        self.spec = spec = kernels.spec
        for name, weights, shape in (
            ("gate_up", gate_up, (spec.experts, spec.columns, spec.hidden)),
            ("down", down, (spec.experts, spec.hidden, spec.inner)),
        ):
            if weights.shape != shape:
                raise Error(f"{name} must have shape {list(shape)}, got {list(weights.shape)}.")
            if weights.layout != spec.layout:
                raise Error(f"{name} must be packed as {spec.layout}, got {weights.layout}.")
            _check_rows(name, weights, spec.activation.pairs and name == "gate_up")
        self.device = _device_of(gate_up)
        self._kept = {
            "gate_up": gate_up.data, "down": down.data, "gate_up_bias": gate_up_bias,
            "down_bias": down_bias, "gate_up_powers": gate_up.powers, "down_powers": down.powers,
            "correction": correction,
        }  # fmt: skip
        check_weights(weight_shapes(spec), list(self._kept.values()), self.device)
        own = {name: t.data_ptr() for name, t in self._kept.items() if t is not None}
        self._bound = Bound(runner(kernels, self.device.index), own)

    def __call__(
        self, x: torch.Tensor, logits: torch.Tensor, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Hidden states of a layer.

        Args:
            x: bf16 ``[T, H]``.
            logits: of the router, ``[T, E]``.
            out: bf16 ``[T, H]``; a new tensor if None.

        Raises:
            Error: if a tensor does not fit, or a launch fails.
        """
        spec = self.spec
        out = self._checked(x, out)
        check_tensor("logits", logits, (x.shape[0], spec.experts), LOGITS[spec.logits], self.device)
        refuse_derivatives("a layer", x, logits)
        return run(self._bound, "logits", x, out, logits.data_ptr())

    def with_routing(
        self, x: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor,
        out: torch.Tensor | None = None, some_absent: bool = True,
    ) -> torch.Tensor:  # fmt: skip
        """The same with experts that the caller has chosen.

        Args:
            x: bf16 ``[T, H]``.
            ids: i32 ``[T, S]``, experts of each token; -1 for a slot without one.
            weights: f32 ``[T, S]``.
            out: bf16 ``[T, H]``; a new tensor if None.
            some_absent: whether ids may be -1. Without such ids, False is quicker for many
                tokens; with them, `check` reports them then, and the result means nothing.

        Raises:
            Error: if a tensor does not fit, or a launch fails.
        """
        out, shape = self._checked(x, out), (x.shape[0], self.spec.slots)
        check_tensor("ids", ids, shape, torch.int32, self.device)
        check_tensor("weights", weights, shape, torch.float32, self.device)
        refuse_derivatives("a layer", x, weights)
        source: Source = "some ids" if some_absent else "ids"
        return run(self._bound, source, x, out, ids.data_ptr(), weights.data_ptr())

    def _checked(self, x: Any, out: Any) -> torch.Tensor:
        """The output of a call, whose hidden states are checked."""
        if not isinstance(x, torch.Tensor) or x.dim() != 2:
            raise Error(f"x must be a torch tensor [T, {self.spec.hidden}], got {_words(x)}.")
        shape = (x.shape[0], self.spec.hidden)
        check_tensor("x", x, shape, torch.bfloat16, self.device)
        if out is None:
            return torch.empty_like(x)
        check_tensor("out", out, shape, torch.bfloat16, self.device)
        return out

    def prepare(self, max_tokens: int, source: Source = "logits") -> None:
        """Make all kernels ready for calls of up to ``max_tokens``.

        Raises:
            Error: if a kernel is missing and cannot be compiled.
        """
        prepare(self._bound.of, max_tokens, source)

    def check(self) -> None:
        """Wait for the device, and raise if a kernel of this layer met bad values.

        Kernels are shared by layers of equal specs.

        Raises:
            Error: saying what was wrong.
        """
        self._bound.of.check()


def _check_rows(name: str, weights: PackedWeights, pairs: bool) -> None:
    """A gated activation takes neighbouring rows for gate and up; nothing else has them."""
    if weights.rows != AS_STORED and (weights.rows == INTERLEAVED) != pairs:
        wanted = f'"{INTERLEAVED}"' if pairs else "neither gate nor up"
        advice = ', which pack(gate_up="apart") makes of it' if pairs else ""
        raise Error(
            f"the rows of {name} must be {wanted} for this activation{advice}, got "
            f'"{weights.rows}".'
        )


def _device_of(weights: PackedWeights) -> torch.device:
    place = getattr(weights.data, "device", None)
    if not isinstance(place, torch.device) or place.type != "cuda":
        raise Error(
            f"a layer's weights must be on a CUDA device, got {place or 'an array'}; use "
            "weights.to_device()."
        )
    return place


def _words(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else str(list(shape))
