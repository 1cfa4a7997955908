# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A whole layer in the PTX interpreter: the kernels and the launcher of a GPU, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._runtime_library import NativeDriver
from ._sim_cuda import driver_file, run_layer
from ._typed import as_array, typed
from .errors import Error
from .formats import bfloat16
from .layer_kernels import LayerKernels
from .layer_plan import LayerRunner
from .weights import PackedWeights


@typed
def simulate_layer(
    kernels: LayerKernels,
    x: ArrayLike,
    logits: ArrayLike,
    gate_up: PackedWeights,
    down: PackedWeights,
    gate_up_bias: ArrayLike | None = None,
    down_bias: ArrayLike | None = None,
    correction: ArrayLike | None = None,
) -> NDArray[Any]:
    """Run the kernels of a call of `Layer` in the interpreter, one behind the other.

    The interpreter looks for hazards, also between kernels: what one reads before the kernel that
    writes it has ended. It takes seconds for a layer of a few hundred columns.

    Args:
        kernels: of the layer.
        x: hidden states, bf16 ``[T, H]``, on the host as all arrays.
        logits: of the router, ``[T, E]``, bf16 or f32 as ``kernels.spec.logits`` says.
        gate_up: packed weights ``[E, N, H]``; N = 2 I for activations of pairs, else I.
        down: packed weights ``[E, H, I]``.
        gate_up_bias: bf16 ``[E, N]``, if and only if the layer has biases.
        down_bias: bf16 ``[E, H]``, likewise.
        correction: f32 ``[E]``, if and only if the layer's selection has such a bias.

    Returns:
        Hidden states, bf16 ``[T, H]``.

    Raises:
        Error: if an argument does not fit the layer, a kernel or the interpreter is missing, or the
            interpreter finds a hazard, which the message describes.
    """
    s = kernels.spec
    x = np.atleast_1d(as_array("x", x))
    tokens, e, n = len(x), s.experts, s.columns
    wanted = {"x": (x, (tokens, s.hidden), bfloat16),
              "logits": (logits, (tokens, e), bfloat16 if s.logits == "bf16" else np.float32),
              "gate_up_bias": (gate_up_bias, (e, n) if s.bias else None, bfloat16),
              "down_bias": (down_bias, (e, s.hidden) if s.bias else None, bfloat16),
              "correction": (correction, (e,) if s.correction else None, np.float32)}  # fmt: skip
    arrays = {name: a for name, given in wanted.items() if (a := _array(name, *given)) is not None}
    arrays |= _weights("gate_up", gate_up, (e, n, s.hidden), kernels)
    arrays |= _weights("down", down, (e, s.hidden, s.inner), kernels)
    file = driver_file()
    runner = LayerRunner(kernels, 0, NativeDriver(str(file)))
    if tokens == 0:
        return np.zeros((0, s.hidden), bfloat16)
    plan = runner.plan(tokens)
    arrays["counting"] = np.arange(max(plan.counted, 1), dtype=np.int32)
    return run_layer(file, runner, plan, arrays, (tokens, s.hidden))


def _array(name: str, value: Any, shape: tuple[int, ...] | None, dtype: Any) -> Any:
    """What the caller gave for an argument that the layer has, or None."""
    if shape is None:
        if value is not None:
            raise Error(f"this layer takes no {name}; its LayerSpec says so.")
        return None
    if value is None:
        raise Error(f"this layer takes {name}, which is missing.")
    array = as_array(name, value)
    if array.shape != shape or array.dtype != dtype:
        raise Error(
            f"{name} must be {np.dtype(dtype)} {list(shape)}, got {array.dtype} "
            f"{list(array.shape)}."
        )
    return np.ascontiguousarray(array)


def _weights(
    name: str, weights: PackedWeights, shape: tuple[int, int, int], kernels: LayerKernels
) -> dict[str, Any]:
    """The arrays of packed weights."""
    if not isinstance(weights.data, np.ndarray):
        raise Error(f"{name} must be on the host, in a numpy array.")
    if weights.shape != shape or weights.layout != kernels.spec.layout:
        raise Error(
            f"{name} must have E, N, K = {', '.join(map(str, shape))} and the layout "
            f"{kernels.spec.layout}, got {', '.join(map(str, weights.shape))} and {weights.layout}."
        )
    found = {name: weights.data}
    if weights.powers is not None:
        found[f"{name}_powers"] = np.asarray(weights.powers)
    return found
