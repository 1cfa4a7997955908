# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grouped matmuls with MXFP4 weights in JAX programs.

`grouped_matmul` is traced to a composite ``mxfp4.grouped_matmul``, with its specification in JAX as
the decomposition. XLA runs that on any device; ``mxfp4-raise`` finds the composite by its name in
what `stablehlo` gives, and makes the operation of it, without matching anything::

    text = stablehlo(model, x, codes, scales, offsets)
    mxfp4-opt --allow-unregistered-dialect --mxfp4-raise

`problems` says which kernels a program needs, and `compile_kernels` compiles them. Kernels take
JAX's arrays on a GPU by DLPack; see `mxfp4.runtime.Kernel`. This module needs ``jax`` 0.6 or later.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .._typed import typed
from ..artifact import Artifact
from ..compile import compile_artifact
from ..errors import Error
from ..layout import Layout
from ..problem import Problem

try:
    import jax
    import jax.numpy as jnp
except ImportError as e:  # pragma: no cover - says what to do
    raise Error("mxfp4.integrations.jax needs JAX: pip install jax.") from e

ENTRY = "mxfp4.grouped_matmul"
"""The name that ``mxfp4-raise`` knows."""


def decode(codes: jax.Array, scales: jax.Array) -> jax.Array:
    """Exact bf16 ``[..., K]`` of codes u8 ``[..., K/32, 16]`` and scales u8 ``[..., K/32]``.

    In integers, since XLA may flush the products of the smallest scales to zero; and without a
    table, which JAX would make an operand of the composite.
    """
    code = jnp.stack([codes & 15, codes >> 4], axis=-1).astype(jnp.int32)
    scale = scales.astype(jnp.int32)[..., None, None]
    magnitude = code & 7
    # A half is 2^-1; all others are 1.m times 2^(e - 1).
    exponent = scale + (magnitude >> 1) - 1
    digits = jnp.where(magnitude > 1, 128 + ((magnitude & 1) << 6), 128)
    normal = (exponent << 7) + digits - 128
    subnormal = digits >> jnp.clip(1 - exponent, 0, 7)
    bits = jnp.where(exponent > 0, jnp.minimum(normal, 0x7F80), subnormal)
    bits = jnp.where(exponent >= 255, 0x7F80, bits)
    bits = jnp.where(magnitude == 0, 0, bits) | ((code >> 3) << 15)
    bits = jnp.where(scale == 255, 0x7FC0, bits).astype(jnp.uint16)
    values = jax.lax.bitcast_convert_type(bits, jnp.bfloat16)
    return values.reshape(*scales.shape[:-1], -1)


def _specification(*operands: jax.Array, dtype: Any) -> jax.Array:
    x, codes, scales, offsets, *rest = operands
    weights = decode(codes, scales).swapaxes(1, 2)
    sizes = offsets[1:] - offsets[:-1]
    if not rest:
        y = jax.lax.ragged_dot(x, weights, sizes, preferred_element_type=jnp.float32)
        return y.astype(dtype)
    (ids,) = rest
    chosen = weights[jnp.maximum(ids, 0)]
    y = jax.lax.ragged_dot(x, chosen, sizes, preferred_element_type=jnp.float32)
    group = jnp.searchsorted(offsets[1:], jnp.arange(x.shape[0]), side="right")
    here = ids[jnp.minimum(group, ids.shape[0] - 1)] >= 0
    return jnp.where(here[:, None], y, 0).astype(dtype)


@cache
def _composite(dtype: Any) -> Callable[..., jax.Array]:
    def specification(*operands: jax.Array) -> jax.Array:
        return _specification(*operands, dtype=dtype)

    return jax.lax.composite(specification, name=ENTRY)


def grouped_matmul(
    x: jax.Array,
    codes: jax.Array,
    scales: jax.Array,
    offsets: jax.Array,
    expert_ids: jax.Array | None = None,
    dtype: Any = jnp.bfloat16,
) -> jax.Array:
    """``Y[r, n] = sum_k X[r, k] * W[e(r)][n, k]``, as a call that keeps its name.

    Args:
        x: bf16 ``[R, K]``, rows sorted by group.
        codes: u8 ``[E, N, K/32, 16]``, the lower nibble first, as checkpoints have them.
        scales: u8 ``[E, N, K/32]``, E8M0.
        offsets: i32 ``[G + 1]``, the first row of each group, from 0 to R.
        expert_ids: i32 ``[G]``, the expert of each group, -1 for rows of zeros; without it group
            g is expert g.
        dtype: of the result, bf16 or f32.

    Returns:
        ``[R, N]``.

    Raises:
        Error: if shapes or types do not fit.
    """
    named = {"x": x, "codes": codes, "scales": scales, "offsets": offsets}
    if expert_ids is not None:
        named["expert_ids"] = expert_ids
    _check(named)
    if jnp.dtype(dtype) not in (jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float32)):
        raise Error(f"dtype must be bfloat16 or float32, got {jnp.dtype(dtype)}.")
    return _composite(jnp.dtype(dtype))(*named.values())


def _check(named: dict[str, Any]) -> None:
    shape = np.shape(named["codes"])
    if len(shape) != 4 or shape[3] != 16:
        raise Error(f"codes must be uint8 [E, N, K/32, 16], got {list(shape)}.")
    experts, n, blocks, _ = shape
    groups = np.shape(named["offsets"])[:1]
    ids = "expert_ids" in named
    expected: dict[str, tuple[Any, tuple[Any, ...], str]] = {
        "x": (jnp.bfloat16, (None, blocks * 32), f"[R, {blocks * 32}]"),
        "codes": (jnp.uint8, shape, "[E, N, K/32, 16]"),
        "scales": (jnp.uint8, (experts, n, blocks), f"[{experts}, {n}, {blocks}]"),
        "offsets": (jnp.int32, (None if ids else experts + 1,), "[G + 1]"),
        "expert_ids": (jnp.int32, (groups[0] - 1 if groups else None,), "[G]"),
    }
    for name, value in named.items():
        dtype, wanted, text = expected[name]
        given = np.shape(value)
        fits = len(given) == len(wanted) and all(
            w in (None, g) for w, g in zip(wanted, given, strict=True)
        )
        if not fits or jnp.result_type(value) != jnp.dtype(dtype):
            raise Error(
                f"{name} must be {jnp.dtype(dtype).name} {text}, got {jnp.result_type(value)} "
                f"{list(given)}."
            )


def stablehlo(function: Callable[..., Any], *arguments: Any) -> str:
    """A program as StableHLO in the generic form, which ``mxfp4-opt`` reads.

    Args:
        function: of JAX's arrays.
        arguments: arrays, or `jax.ShapeDtypeStruct` in their place.
    """
    module: Any = jax.jit(function).lower(*arguments).compiler_ir("stablehlo")
    return str(module.operation.get_asm(print_generic_op_form=True))


def generic(program: str | bytes) -> str:
    """StableHLO in the generic form, which ``mxfp4-opt`` reads.

    Args:
        program: StableHLO in text of any form, or as bytecode: what ``jax.export`` gives.
    """
    from jax.interpreters import mlir
    from jaxlib.mlir import ir

    with mlir.make_ir_context():
        module = ir.Module.parse(program)
        return str(module.operation.get_asm(print_generic_op_form=True))


def _tool() -> Path:
    """mxfp4-opt."""
    package = Path(__file__).resolve().parents[1]
    named = os.environ.get("MXFP4_OPT") or shutil.which("mxfp4-opt")
    places = [Path(named)] if named else [package.parents[1] / "build" / "bin" / "mxfp4-opt"]
    for place in places:
        if place.is_file():
            return place
    raise Error(
        "mxfp4-opt is not there, which reads JAX's programs. Build it (cmake --build), and put it "
        "on the PATH or name it in MXFP4_OPT."
    )


_MATMUL = re.compile(
    r"mxfp4\.grouped_matmul activations\([^:]*: tensor<(?:\d+|\?)x(?P<k>\d+)xbf16>\) "
    r"weights\([^:]*: tensor<(?P<experts>\d+)x(?P<n>\d+)x\d+x16xi8>, [^)]*\) "
    r"offsets\([^:]*: tensor<(?P<offsets>\d+)xi32>\)(?P<ids> expert_ids\([^)]*\))?.*"
    r"-> tensor<\S*x(?P<output>bf16|f32)>"
)


@typed
def problems(function: Callable[..., Any], *arguments: Any) -> list[Problem]:
    """The problems of a program's grouped matmuls, in its order; equal ones once.

    Raises:
        Error: if there is no compiler, or it does not read the program.
    """
    return problems_of(stablehlo(function, *arguments))


def problems_of(program: str) -> list[Problem]:
    """The same of a program in the generic form; see `generic`.

    Raises:
        Error: if there is no compiler, or it does not read the program.
    """
    run = subprocess.run(
        [_tool(), "--allow-unregistered-dialect", "--mxfp4-raise"],
        input=program, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise Error(f"mxfp4-opt does not read the program: {run.stderr.strip()}")
    found: dict[Problem, None] = {}
    for m in _MATMUL.finditer(run.stdout):
        groups = int(m["offsets"]) - 1 if m["ids"] else None
        problem = Problem(
            int(m["experts"]), int(m["n"]), int(m["k"]), groups=groups,
            expert_ids=bool(m["ids"]), output=m["output"],
        )  # fmt: skip
        found[problem] = None
    return list(found)


@typed
def compile_kernels(
    function: Callable[..., Any],
    *arguments: Any,
    layout: Layout | None = None,
    options: str = "",
) -> list[Artifact]:
    """The kernels of a program, from its code to PTX.

    Args:
        function: see `stablehlo`.
        arguments: of the function.
        layout: of packed weights; the default one if None, see `mxfp4.pack`.
        options: of the compiler, such as "rows-hint=64".

    Raises:
        Error: if there is no grouped matmul in it, or no compiler.
    """
    found = problems(function, *arguments)
    if not found:
        raise Error("this program calls no mxfp4.integrations.jax.grouped_matmul.")
    layout = layout or Layout()
    return [compile_artifact(replace(problem, layout=layout), options) for problem in found]
