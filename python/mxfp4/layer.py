# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A mixture-of-experts layer on a GPU: four to six kernels, launched by one call."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, NamedTuple

from .artifact import Artifact
from .chain import Chain
from .errors import Error
from .layer_kernels import FEW_ROWS, LayerKernels
from .layer_spec import LayerSpec
from .loaded import LoadedKernel
from .routing_artifact import RoutingArtifact
from .runtime import _current_stream
from .weights import PackedWeights

_ALIGN = 256
_loaded: dict[int, tuple[Any, LoadedKernel]] = {}
_lock = threading.Lock()

_MEANING = {
    1: "offsets do not rise from 0 to the number of rows",
    2: "an expert id is not the number of an expert",
    4: "a row or a position does not exist",
}


def _kernel(artifact: Artifact | RoutingArtifact) -> LoadedKernel:
    """The kernel of an artifact, loaded once for all layers."""
    with _lock:
        found = _loaded.get(id(artifact))
        if found is None:
            found = _loaded[id(artifact)] = (artifact, LoadedKernel(artifact))
        return found[1]


class _Plan(NamedTuple):
    """How to launch a layer for a number of tokens.

    Attributes:
        chain: the kernels.
        rows: of each of them.
        bytes: of the memory between them.
        inside: (place, offset) of what is in that memory.
        fixed: (place, number) of numbers of rows.
        outside: places by the name of what the caller gives.
    """

    chain: Chain
    rows: tuple[int, ...]
    bytes: int
    inside: tuple[tuple[int, int], ...]
    fixed: tuple[tuple[int, int], ...]
    outside: dict[str, tuple[int, ...]]


def _sizes(spec: LayerSpec, tokens: int) -> dict[str, int]:
    """Bytes of what is between the kernels, by name."""
    rows = tokens * spec.slots
    return {
        "ids": 4 * rows, "gates": 4 * rows, "counts": 4 * 128 * spec.experts,
        "offsets": 4 * (spec.experts + 1), "tokens": 4 * rows, "positions": 4 * rows,
        "h": 2 * rows * spec.inner,
        # What is sorted is not needed any more when down's rows are written.
        "sorted": 2 * rows * spec.hidden, "y": 2 * rows * spec.hidden,
    }  # fmt: skip


_NAMES = {
    "route": {"logits": "logits", "bias": "correction", "ids": "ids", "weights": "gates",
              "offsets": "offsets", "tokens": "tokens", "positions": "positions"},
    "top_k": {"logits": "logits", "bias": "correction", "ids": "ids", "weights": "gates",
              "counts": "counts"},
    "sort": {"ids": "ids", "counts": "counts", "offsets": "offsets", "tokens": "tokens",
             "positions": "positions"},
    "permute": {"y": "x", "positions": "tokens", "weights": "ones", "out": "sorted"},
    "gate_up": {"x": "sorted", "weights": "gate_up", "offsets": "offsets", "y": "h",
                "epilogue0": "gate_up_bias"},
    "gate_up_gathered": {"x": "x", "gather": "tokens", "weights": "gate_up", "offsets": "offsets",
                         "y": "h", "epilogue0": "gate_up_bias"},
    "down": {"x": "h", "weights": "down", "offsets": "offsets", "y": "y",
             "epilogue0": "down_bias"},
    "combine": {"y": "y", "positions": "positions", "weights": "gates", "out": "out"},
}  # fmt: skip
"""What each argument of a kernel is in the layer."""


def _plan(kernels: LayerKernels, tokens: int, device: int) -> _Plan:
    spec, chosen = kernels.spec, kernels.chosen(tokens)
    chain = Chain([_kernel(artifact) for _, artifact in chosen], device)
    places: dict[str, int] = {}
    end = 0
    for name, size in _sizes(spec, tokens).items():
        if name == "y":
            places[name] = places["sorted"]
            continue
        places[name] = end
        end += -(-size // _ALIGN) * _ALIGN
    rows: list[int] = []
    inside: list[tuple[int, int]] = []
    fixed: list[tuple[int, int]] = []
    outside: dict[str, list[int]] = {}
    for number, (name, artifact) in enumerate(chosen):
        of_rows = name in ("permute", "gate_up", "gate_up_gathered", "down")
        rows.append(tokens * spec.slots if of_rows else tokens)
        for argument in artifact.manifest.arguments:
            if argument.provider != "caller":
                continue
            place = chain.place(number, argument.name)
            if argument.name == "x_rows":
                fixed.append((place, tokens))
                continue
            what = _NAMES[name][argument.name]
            if what in places:
                inside.append((place, places[what]))
            else:
                outside.setdefault(what, []).append(place)
    frozen = {name: tuple(found) for name, found in outside.items()}
    return _Plan(chain, tuple(rows), end, tuple(inside), tuple(fixed), frozen)


class Layer:
    """A layer with its weights, on torch's tensors.

    A call launches on torch's current stream and returns at once; it reads no device memory and
    can be captured in a CUDA graph. Equal calls give equal bits.

    Args:
        kernels: of the layer.
        gate_up: packed weights, ``[E, 2I, H]`` with gate and up interleaved (2n and 2n + 1), or
            ``[E, I, H]`` without gates.
        down: packed weights ``[E, H, I]``.
        gate_up_bias, down_bias: bf16 ``[E, N]``, if and only if the layer has them.
        correction: f32 ``[E]``, if and only if the layer has one.

    Raises:
        Error: if something does not fit the layer.
    """

    def __init__(
        self, kernels: LayerKernels, gate_up: PackedWeights, down: PackedWeights,
        gate_up_bias: Any = None, down_bias: Any = None, correction: Any = None,
    ) -> None:  # fmt: skip
        import torch

        self.spec = spec = kernels.spec
        self._kernels = kernels
        for name, weights, shape in (
            ("gate_up", gate_up, (spec.experts, spec.columns, spec.hidden)),
            ("down", down, (spec.experts, spec.hidden, spec.inner)),
        ):
            if weights.shape != shape:
                raise Error(f"{name} must have shape {list(shape)}, got {list(weights.shape)}.")
            layout = kernels.matmuls[name][0].manifest.layout
            if weights.layout != layout:
                raise Error(f"{name} must be packed as {layout}, got {weights.layout}.")
        self.device = gate_up.data.device
        bf16, f32 = torch.bfloat16, torch.float32
        given = {
            "gate_up_bias": (gate_up_bias, (spec.experts, spec.columns), bf16, spec.bias),
            "down_bias": (down_bias, (spec.experts, spec.hidden), bf16, spec.bias),
            "correction": (correction, (spec.experts,), f32, spec.correction),
        }
        self._kept: dict[str, Any] = {"gate_up": gate_up.data, "down": down.data}
        for name, (tensor, shape, dtype, wanted) in given.items():
            if (tensor is not None) != wanted:
                raise Error(f"this layer {'needs' if wanted else 'has no'} {name}.")
            if tensor is not None:
                self._check(name, tensor, shape, dtype)
                self._kept[name] = tensor
        self._own = {name: t.data_ptr() for name, t in self._kept.items()}
        self._ones = 0
        self._plan = lru_cache(maxsize=None)(
            lambda tokens: _plan(kernels, tokens, self.device.index or 0)
        )
        self._logits = bf16 if spec.logits == "bf16" else f32

    def _check(self, name: str, tensor: Any, shape: tuple[int, ...], dtype: Any) -> None:
        if tuple(tensor.shape) != shape or tensor.dtype != dtype or not tensor.is_contiguous():
            raise Error(
                f"{name} must be dense {dtype} {list(shape)}, got {tensor.dtype} "
                f"{list(tensor.shape)}."
            )
        if tensor.device != self.device:
            raise Error(f"{name} must be on {self.device}, as the weights, got {tensor.device}.")

    def __call__(self, x: Any, logits: Any, out: Any = None) -> Any:
        """Hidden states of a layer.

        Args:
            x: bf16 ``[T, H]``.
            logits: of the router, ``[T, E]``.
            out: bf16 ``[T, H]``; a new tensor if None.

        Raises:
            Error: if a tensor does not fit, or a launch fails.
        """
        import torch

        spec, tokens = self.spec, x.shape[0]
        self._check("x", x, (tokens, spec.hidden), torch.bfloat16)
        self._check("logits", logits, (tokens, spec.experts), self._logits)
        if out is None:
            out = torch.empty_like(x)
        else:
            self._check("out", out, (tokens, spec.hidden), torch.bfloat16)
        if not tokens:
            return out
        plan = self._plan(tokens)
        memory = torch.empty(plan.bytes, dtype=torch.uint8, device=self.device)
        base = memory.data_ptr()
        self._grow_ones(tokens * spec.slots)
        values = [0] * plan.chain.size
        for place, offset in plan.inside:
            values[place] = base + offset
        for place, number in plan.fixed:
            values[place] = number
        given = {**self._own, "x": x.data_ptr(), "logits": logits.data_ptr(), "out": out.data_ptr()}
        for name, found in plan.outside.items():
            for place in found:
                values[place] = given[name]
        plan.chain.launch(plan.rows, values, _current_stream(self.device.index or 0))
        return out

    def _grow_ones(self, rows: int) -> None:
        """The weights of `permute`: one for each row."""
        if rows > FEW_ROWS and rows > self._ones:
            import torch

            self._ones = 1 << (rows - 1).bit_length()
            ones = torch.ones(self._ones, dtype=torch.float32, device=self.device)
            self._kept.setdefault("ones", []).append(ones)  # graphs may read older ones
            self._own["ones"] = ones.data_ptr()

    def check(self) -> None:
        """Wait for the device, and raise if a kernel of any layer met bad values.

        Raises:
            Error: saying what was wrong.
        """
        for _, kernel in list(_loaded.values()):
            for device in kernel.devices:
                word = kernel.error_word(device)
                if word:
                    what = [text for bit, text in _MEANING.items() if word & bit]
                    raise Error(f"{kernel.manifest.entry}: {'; '.join(what)}.")
