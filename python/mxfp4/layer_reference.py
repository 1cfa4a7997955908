# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a mixture-of-experts layer means, in numpy: what kernels are compared with.

Sums and activations are taken in f64 here, where kernels compute in f32, or in FP8 with fewer bits
(docs/Numerics.md); `tensor_core_sums` takes sums in FP8 as kernels do. Values are rounded where
kernels round them: once behind each matmul, to bf16, and once at the end; with activations in FP8
also the rows that a matmul reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import fp8_reference, fp8_sums, routing
from ._typed import as_array, integers, shaped, typed
from .errors import Error
from .formats import bfloat16
from .fp8 import QuantizedRows, encode_e4m3, float8_e4m3, quantize_rows
from .layer_spec import Activation, LayerSpec
from .reference import ExpertSource, as_source
from .weights import PackedWeights


@typed
def activate(activation: Activation, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is between the matmuls, on sums ``[R, N]`` with their bias.

    Raises:
        Error: if they have another shape, or of pairs N is odd.
    """
    sums = shaped("sums", sums, "R", "N")
    if activation.pairs and sums.shape[1] % 2:
        raise Error(f"{activation.kind} needs pairs of sums, got {list(sums.shape)}.")
    limit = np.inf if activation.limit is None else activation.limit
    # Comparisons, because numpy's minimum takes either of 0 and -0: NaN and -0 stay what they are.
    first = sums[:, ::2] if activation.pairs else sums
    first = np.where(first > limit, limit, first)
    if activation.kind == "relu2":
        return np.where(first < 0.0, 0.0, first) ** 2
    up = sums[:, 1::2]
    up = np.where(up > limit, limit, up)
    up = np.where(up < -limit, -limit, up)
    if activation.kind == "swiglu":
        with np.errstate(over="ignore"):
            gate = first / (1 + np.exp(-activation.alpha * first))
        # As kernels have it, which decides the signs of zeros.
        if activation.shift in (0.0, 1.0):
            return gate * up + gate if activation.shift else gate * up
        return gate * (up + activation.shift)
    if activation.kind == "situ":
        beta, linear = activation.beta, activation.linear_beta
        with np.errstate(over="ignore"):
            gate = beta * np.tanh(first / beta) / (1 + np.exp(-first))
        return gate * (up if linear is None else linear * np.tanh(up / linear))
    root = np.sqrt(2 / np.pi)
    return 0.5 * first * (1 + np.tanh(root * (first + 0.044715 * first**3))) * up


@typed
def experts(
    spec: LayerSpec,
    x: ArrayLike,
    ids: ArrayLike,
    weights: ArrayLike,
    gate_up: ExpertSource,
    down: ExpertSource,
    gate_up_bias: ArrayLike | None = None,
    down_bias: ArrayLike | None = None,
) -> NDArray[Any]:
    """Hidden states, bf16 ``[T, H]``, from the experts of each token and their weights.

    Raises:
        Error: if an id is neither -1 nor the number of an expert, or shapes do not fit.
    """
    x, ids = shaped("x", x, "T", spec.hidden), integers("ids", ids, "T", spec.slots)
    if len(x) != len(ids):
        raise Error(f"x has {len(x)} tokens, but ids has {len(ids)}.")
    sizes = {"gate_up": (spec.columns, spec.hidden), "down": (spec.hidden, spec.inner)}
    gate_up, down = as_source(gate_up), as_source(down)
    for name, source in (("gate_up", gate_up), ("down", down)):
        wanted = (spec.experts, *sizes[name])
        if tuple(source.shape) != wanted:
            raise Error(
                f"{name} must be weights of E, N, K = {list(wanted)}, got {list(source.shape)}."
            )
    for name, bias in (("gate_up", gate_up_bias), ("down", down_bias)):
        if bias is not None:
            shaped(f"{name}_bias", bias, spec.experts, sizes[name][0])
    sorted_ = routing.sort_by_expert(ids, spec.experts)
    if sorted_.error:
        raise Error(f"ids must be from -1 to {spec.experts - 1}, got {ids.min()} to {ids.max()}.")
    y = np.zeros((ids.size, spec.hidden), bfloat16)
    for expert in np.flatnonzero(np.diff(sorted_.offsets)).tolist():
        span = slice(sorted_.offsets[expert], sorted_.offsets[expert + 1])
        sums = _matmul(spec, x[sorted_.tokens[span]], gate_up, expert, gate_up_bias)
        rows = _matmul(
            spec, between(spec, activate(spec.activation, sums)), down, expert, down_bias
        )
        y[span] = rows.astype(np.float32).astype(bfloat16)
    return routing.combine(y, sorted_.positions, weights)


_as_tensor_cores: ContextVar[bool] = ContextVar("as_tensor_cores", default=False)


@contextmanager
def tensor_core_sums() -> Iterator[None]:
    """Within it, sums of FP8 products lose what the tensor cores lose (`fp8_sums`).

    Also in torch's operators on the CPU. It is for weights packed with layout "fp8", and slow.
    """
    before = _as_tensor_cores.set(True)
    try:
        yield
    finally:
        _as_tensor_cores.reset(before)


@typed
def between(spec: LayerSpec, inner: NDArray[np.float64]) -> NDArray[Any] | QuantizedRows:
    """What the first matmul stores of rows ``[R, I]`` of the activation's results."""
    scale = spec.inner_scale
    if scale is None:
        return inner.astype(np.float32).astype(bfloat16)
    codes = encode_e4m3(inner / scale).view(float8_e4m3)
    return QuantizedRows(codes, np.full(len(inner), scale, np.float32))


def _sums_of_tensor_cores(
    quantized: QuantizedRows, weights: ExpertSource, expert: int, accumulation: str
) -> NDArray[np.float64]:
    if not isinstance(weights, PackedWeights) or weights.powers is None:
        raise Error('sums of tensor cores are those of weights packed with layout "fp8".')
    codes, left = quantized.codes.astype(np.float64), fp8_reference.left_of(weights, expert)
    sums = fp8_sums.matmul(codes, left, fp8_reference.PROMOTIONS[accumulation])
    scaled = sums * quantized.scales[:, None] * np.asarray(weights.powers[expert])[None]
    return scaled.astype(np.float64)


def _matmul(
    spec: LayerSpec,
    rows: NDArray[Any] | QuantizedRows,
    weights: ExpertSource,
    expert: int,
    bias: ArrayLike | None,
) -> NDArray[np.float64]:
    fp8 = spec.activations == "fp8"
    if fp8 and not isinstance(rows, QuantizedRows):
        rows = quantize_rows(rows)
    if isinstance(rows, QuantizedRows) and _as_tensor_cores.get():
        sums = _sums_of_tensor_cores(rows, weights, int(expert), spec.accumulation)
    else:
        wide = rows.values() if isinstance(rows, QuantizedRows) else rows.astype(np.float64)
        sums = wide @ weights.decode(int(expert)).astype(np.float64).T
    return sums if bias is None else sums + as_array("bias", bias)[expert].astype(np.float64)


@typed
def layer(
    spec: LayerSpec,
    x: ArrayLike,
    logits: ArrayLike,
    gate_up: ExpertSource,
    down: ExpertSource,
    gate_up_bias: ArrayLike | None = None,
    down_bias: ArrayLike | None = None,
    correction: ArrayLike | None = None,
) -> NDArray[Any]:
    """Hidden states, bf16 ``[T, H]``, from hidden states and the router's logits."""
    ids, weights = routing.top_k(
        logits, spec.slots, spec.scoring, correction, spec.renormalize, spec.scale
    )
    wide = weights.astype(np.float32)
    return experts(spec, x, ids, wide, gate_up, down, gate_up_bias, down_bias)
