# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``grouped_matmul``: one call, on GPU tensors and on numpy arrays."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from . import fp8_reference, library, reference
from .compile import Compiler, CpuKernel
from .errors import Error
from .formats import bfloat16
from .kernels import kernel_for, problem_of
from .layout import FP8
from .problem import Problem, check_accumulation
from .runtime import Kernel
from .tensors import describe, is_host, is_torch
from .weights import PackedWeights

_log = logging.getLogger(__name__)
_cpu: dict[Problem, CpuKernel] = {}


def grouped_matmul(
    x: Any,
    weights: PackedWeights,
    offsets: Any,
    expert_ids: Any = None,
    out_dtype: Any = None,
    out: Any = None,
    *,
    kernel: Kernel | None = None,
    stream: Any = None,
    batch_invariant: bool = False,
    accumulation: str | None = None,
) -> Any:
    """``Y[r, n] = sum_k X[r, k] * W[e(r)][n, k]`` with bf16 activations and MXFP4 weights.

    With weights packed with layout "fp8" each row of activations is rounded to FP8 first, with a
    scale of its own (docs/Numerics.md); then it takes torch tensors, or numpy arrays, for which
    sums are exact.

    On a GPU the call launches a kernel on the caller's stream and returns at once; without
    ``kernel``, `mxfp4.kernels` says which one, and may compile it on first use.
    On numpy arrays and torch's CPU tensors it runs the executable specification if the compiler
    library is found, else the numpy reference; `cpu_path` says which.
    On torch tensors it is the operator ``torch.ops.mxfp4.grouped_matmul``, which ``torch.compile``
    knows, unless ``out``, ``kernel`` or ``stream`` is given.

    Args:
        x: bf16 ``[R, K]``, rows sorted by group.
        weights: packed, where ``x`` is.
        offsets: i32 ``[G+1]``; group g is rows ``offsets[g] .. offsets[g+1]``.
        expert_ids: i32 ``[G]`` or None (G = E, group g is expert g); rows of id -1 yield 0.
        out_dtype: bf16 (default) or f32, as a dtype or its name.
        out: where to write, ``[R, N]``.
        kernel: run this kernel.
        stream: see `Kernel`.
        batch_invariant: whether the bits of a row may not depend on the other rows of the call,
            nor on how many there are: kernels of another set run then, which add over K in one
            order. Without it equal calls have equal bits.
        accumulation: how the tensor cores add FP8 products, "fast", "promoted512" (default) or
            "promoted128"; for weights packed with layout "fp8" alone.

    Returns:
        ``[R, N]``; on a GPU it is ready when the stream is. Without groups (``offsets`` is [0],
        ``expert_ids`` is empty) it is ``[0, N]``, and nothing is compiled or launched.

    Raises:
        Error: if anything does not fit. Offsets and ids on a GPU are checked by the kernel, which
            stores nothing for bad ones; `Kernel.check` tells.
    """
    if not isinstance(weights, PackedWeights):
        raise Error(f"weights must be PackedWeights, got {type(weights).__name__}; see pack().")
    output = _output_name(out_dtype, out)
    for name, tensor in (("x", x), ("offsets", offsets), ("expert_ids", expert_ids)):
        if not hasattr(tensor, "shape") and (tensor is not None or name != "expert_ids"):
            raise Error(
                f"{name} must be an array or a tensor, got {type(tensor).__name__}; use "
                f"numpy.array({name}, dtype) or torch.tensor({name}, dtype=...)."
            )
    if weights.layout == FP8:
        if kernel is not None or stream is not None:
            raise Error("with activations in FP8 a call chooses its kernels and torch's stream.")
        sums = "promoted512" if accumulation is None else accumulation
        y = _in_fp8(x, weights, offsets, expert_ids, output, batch_invariant, sums)
        return y if out is None else _copied(y, out)
    if accumulation is not None:
        raise Error(
            f"accumulation is a choice for FP8: the weights are packed as {weights.layout}."
        )
    plain = out is None and kernel is None and stream is None
    if is_torch(x) and (plain or x.device.type == "cpu"):
        from .torch_op import grouped_matmul as torch_matmul

        y = torch_matmul(x, weights, offsets, expert_ids, output, batch_invariant)
        return y if out is None else _copied(y, out)
    if is_torch(x):
        from .torch_dispatch import refuse_derivatives

        refuse_derivatives("mxfp4.grouped_matmul", x)
    groups = None if expert_ids is None else int(np.prod(expert_ids.shape))
    problem = problem_of(weights, output, groups, batch_invariant)
    if is_host(x):
        return on_cpu(problem, x, weights, offsets, expert_ids, out)
    if kernel is None and groups == 0:
        return _without_groups(problem, x, offsets, out)
    if kernel is None:
        kernel = kernel_for(problem, int(x.shape[0]), x.device.index if is_torch(x) else None)
    elif kernel.manifest.output != output and (out_dtype is not None or out is not None):
        raise Error(f"the kernel's output is {kernel.manifest.output}, but {output} was asked for.")
    elif batch_invariant and not kernel.manifest.batch_invariant:
        raise Error("the kernel was not compiled with batch-invariant=true, which was asked for.")
    return kernel(x, weights, offsets, out, expert_ids, stream)


def _in_fp8(
    x: Any, weights: PackedWeights, offsets: Any, expert_ids: Any, output: str,
    batch_invariant: bool, accumulation: str,
) -> Any:  # fmt: skip
    """`grouped_matmul` with activations in FP8."""
    if is_torch(x):
        from .torch_fp8 import grouped_matmul as torch_matmul

        return torch_matmul(x, weights, offsets, expert_ids, output, batch_invariant, accumulation)
    if not is_host(x):
        raise Error(
            f"with activations in FP8 x must be torch's or numpy's, got {type(x).__name__}."
        )
    check_accumulation(accumulation)  # which changes no exact sum
    ids = None if expert_ids is None else _host_array("expert_ids", expert_ids)
    return fp8_reference.grouped_matmul(
        x, _on_host(weights), _host_array("offsets", offsets), ids, fp8_reference.OUTPUTS[output]
    )


def _copied(y: Any, out: Any) -> Any:
    """A result in the caller's memory."""
    kinds = [("a tensor of torch" if is_torch(a) else "an array of numpy") for a in (y, out)]
    if kinds[0] != kinds[1]:
        raise Error(f"out must be {kinds[0]}, as x is, got {kinds[1]}.")
    if tuple(out.shape) != tuple(y.shape) or out.dtype != y.dtype:
        raise Error(f"out must be {y.dtype} {list(y.shape)}, got {out.dtype} {list(out.shape)}.")
    if not is_torch(out) and not out.flags.writeable:
        raise Error("out is read-only; pass an array that may be written to.")
    out[...] = y
    return out


def _without_groups(problem: Problem, x: Any, offsets: Any, out: Any) -> Any:
    """`grouped_matmul` on a device without groups: checks, and no launch."""
    shapes = [("x", x, (0, problem.k)), ("offsets", offsets, (1,))]
    shapes += [] if out is None else [("out", out, (0, problem.n))]
    for name, tensor, shape in shapes:
        found = describe(tensor, name).shape
        if found != shape:
            raise Error(f"without groups {name} must have shape {list(shape)}, got {list(found)}.")
    if out is not None:
        return out
    if not is_torch(x):
        raise Error("pass out=: x is not a torch tensor, so no output can be made like it.")
    from .torch_op import DTYPES

    return x.new_empty((0, problem.n), dtype=DTYPES[problem.output])


def _output_name(out_dtype: Any, out: Any) -> str:
    if out_dtype is None and out is None:
        return "bf16"
    if out_dtype is not None or is_host(out) or is_torch(out):
        asked = out_dtype if out_dtype is not None else out.dtype
    else:
        asked = describe(out, "out").dtype
    text = str(np.dtype(asked)) if isinstance(asked, type) else str(asked).removeprefix("torch.")
    name = {"bfloat16": "bf16", "float32": "f32", "bf16": "bf16", "f32": "f32"}.get(text)
    if name is None:
        raise Error(f"the output dtype must be bfloat16 or float32, got {asked}.")
    return name


def cpu_path() -> str:
    """What runs on numpy arrays, and why."""
    found = library.find()
    if found is not None:
        return f"executable specification, compiled by {found}"
    return "numpy reference, since libmxfp4.so was not found"


@cache
def _log_path() -> None:
    _log.debug("grouped_matmul on the CPU: %s", cpu_path())


def _host_array(name: str, tensor: Any) -> np.ndarray:
    """A numpy array of what is in the host's memory."""
    if is_host(tensor):
        return np.asarray(tensor)
    if is_torch(tensor) and tensor.device.type == "cpu":
        return np.asarray(tensor.numpy())
    place = getattr(tensor, "device", f"a {type(tensor).__name__}")
    raise Error(f"x is a numpy array, but {name} is on {place}; pass both in one place.")


def _on_host(weights: PackedWeights) -> PackedWeights:
    """The weights with a numpy array, if their bytes are in the host's memory."""
    data = weights.data
    if is_host(data):
        return weights
    place = getattr(data, "device", f"a {type(data).__name__}")
    if not is_torch(data) or data.device.type != "cpu":
        raise Error(
            f"x is a numpy array, but the weights are on {place}; pass x as a tensor there, or use "
            "weights that were not moved with to_device."
        )
    powers = weights.powers
    if is_torch(powers):
        powers = powers.numpy()
    return replace(weights, data=data.numpy(), powers=powers)


def on_cpu(
    problem: Problem, x: Any, weights: PackedWeights, offsets: Any, expert_ids: Any, out: Any = None
) -> Any:
    """`grouped_matmul` on numpy arrays."""
    _log_path()
    weights = _on_host(weights)
    offsets = _host_array("offsets", offsets)
    ids = None if expert_ids is None else _host_array("expert_ids", expert_ids)
    if library.find() is None or problem.groups == 0:  # the specification has groups
        dtype = bfloat16 if problem.output == "bf16" else np.float32
        y = reference.grouped_matmul(x, weights, offsets, ids, dtype)
    else:
        run = _cpu.get(problem)
        if run is None:
            with Compiler() as compiler:
                run = _cpu.setdefault(problem, compiler.jit(problem))
        y = run(x, weights, offsets, ids)
    return y if out is None else _copied(y, out)
