# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``grouped_matmul``: one call, on GPU tensors and on numpy arrays."""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import Any

import numpy as np

from . import library, reference
from .compile import Compiler, CpuKernel, Problem, compile_artifact
from .errors import Error
from .formats import bfloat16
from .runtime import Kernel
from .tensors import is_host
from .weights import PackedWeights

_log = logging.getLogger(__name__)
_kernels: dict[Problem, list[Kernel]] = {}
_cpu: dict[Problem, CpuKernel] = {}
_lock = threading.Lock()


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
) -> Any:
    """``Y[r, n] = sum_k X[r, k] * W[e(r)][n, k]`` with bf16 activations and MXFP4 weights.

    On a GPU the call launches a kernel on the caller's stream and returns at once; without
    ``kernel``, one is compiled on first use for each problem and range of row counts, and cached.
    On numpy arrays it runs the executable specification if the compiler library is found, else
    the numpy reference; `cpu_path` says which.

    Args:
        x: bf16 ``[R, K]``, rows sorted by group.
        weights: packed, where ``x`` is.
        offsets: i32 ``[G+1]``; group g is rows ``offsets[g] .. offsets[g+1]``.
        expert_ids: i32 ``[G]`` or None (G = E, group g is expert g); rows of id -1 yield 0.
        out_dtype: bf16 (default) or f32, as a dtype or its name.
        out: where to write, ``[R, N]``.
        kernel: run this kernel.
        stream: see `Kernel`.

    Returns:
        ``[R, N]``; on a GPU it is ready when the stream is.

    Raises:
        Error: if anything does not fit. Offsets and ids on a GPU are checked by the kernel, which
            stores nothing for bad ones; `Kernel.check` tells.
    """
    if not isinstance(weights, PackedWeights):
        raise Error(f"weights must be PackedWeights, got {type(weights).__name__}; see pack().")
    output = _output_name(out_dtype, out)
    groups = None if expert_ids is None else int(expert_ids.shape[0])
    problem = Problem(*weights.shape, groups, weights.layout, output, expert_ids is not None)
    if is_host(x):
        return _on_cpu(problem, x, weights, offsets, expert_ids, out)
    if kernel is None:
        kernel = kernel_for(problem, int(x.shape[0]))
    elif kernel.manifest.output != output and (out_dtype is not None or out is not None):
        raise Error(f"the kernel's output is {kernel.manifest.output}, but {output} was asked for.")
    return kernel(x, weights, offsets, out, expert_ids, stream)


def _output_name(out_dtype: Any, out: Any) -> str:
    asked = out_dtype if out_dtype is not None else getattr(out, "dtype", None)
    if asked is None:
        return "bf16"
    text = str(np.dtype(asked)) if isinstance(asked, type) else str(asked).removeprefix("torch.")
    name = {"bfloat16": "bf16", "float32": "f32", "bf16": "bf16", "f32": "f32"}.get(text)
    if name is None:
        raise Error(f"the output dtype must be bfloat16 or float32, got {asked}.")
    return name


def kernel_for(problem: Problem, rows: int) -> Kernel:
    """A kernel whose schedule was chosen for this many rows, compiled if there is none yet.

    Raises:
        Error: if it must be compiled and the compiler is not there, or fails.
    """
    for kernel in _kernels.get(problem, ()):
        if kernel.manifest.fits_rows(rows):
            return kernel
    artifact = compile_artifact(problem, f"rows-hint={max(rows, 1)}")
    kernel = Kernel(artifact)
    with _lock:
        _kernels.setdefault(problem, []).append(kernel)
    _log.debug("kernel for %s, rows %s: %s", problem.spec(), rows, artifact.manifest.schedule)
    return kernel


def cpu_path() -> str:
    """What runs on numpy arrays, and why."""
    found = library.find()
    if found is not None:
        return f"executable specification, compiled by {found}"
    return "numpy reference, since libmxfp4.so was not found"


@cache
def _log_path() -> None:
    _log.debug("grouped_matmul on the CPU: %s", cpu_path())


def _on_cpu(
    problem: Problem, x: Any, weights: PackedWeights, offsets: Any, expert_ids: Any, out: Any
) -> Any:
    _log_path()
    offsets = np.asarray(offsets)
    ids = None if expert_ids is None else np.asarray(expert_ids)
    if library.find() is None:
        dtype = bfloat16 if problem.output == "bf16" else np.float32
        y = reference.grouped_matmul(x, weights, offsets, ids, dtype)
    else:
        run = _cpu.get(problem)
        if run is None:
            with Compiler() as compiler:
                run = _cpu.setdefault(problem, compiler.jit(problem))
        y = run(x, weights, offsets, ids)
    if out is None:
        return y
    if out.shape != y.shape or out.dtype != y.dtype:
        raise Error(f"out must be {y.dtype} {list(y.shape)}, got {out.dtype} {list(out.shape)}.")
    out[...] = y
    return out
