# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A layer that a program calls by its name means what a layer means, and becomes its kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from frontends import opt, run_on_cpu
from mxfp4 import formats, layer_reference
from mxfp4.layer_spec import LayerSpec
from mxfp4.reference import as_source

T, E, S, H, INNER = 8, 4, 2, 64, 32
_ELEMENTS = {"bfloat16": "bf16", "float32": "f32", "uint8": "i8"}
TYPES = {
    "x": (T, H), "logits": (T, E), "gc": (E, 2 * INNER, H // 32, 16), "gs": (E, 2 * INNER, H // 32),
    "dc": (E, H, INNER // 32, 16), "ds": (E, H, INNER // 32), "gb": (E, 2 * INNER), "db": (E, H),
}  # fmt: skip


def data() -> dict[str, Any]:
    """Numbers of a size that layers have."""
    rng = np.random.default_rng(11)
    made: dict[str, Any] = {}
    for name, shape in TYPES.items():
        if name in ("gc", "dc"):
            made[name] = rng.integers(0, 256, shape, np.uint8)
        elif name in ("gs", "ds"):
            made[name] = rng.integers(122, 126, shape).astype(np.uint8)
        else:
            made[name] = rng.standard_normal(shape).astype(formats.bfloat16)
    return made


def _type(array: Any) -> str:
    sizes = "x".join(map(str, array.shape))
    return f"tensor<{sizes}x{_ELEMENTS[array.dtype.name]}>"


def program(given: dict[str, Any]) -> str:
    """A call of the entry in a function of its own."""
    types = ", ".join(_type(array) for array in given.values())
    arguments = ", ".join(f"%{name}: {_type(array)}" for name, array in given.items())
    values = ", ".join(f"%{name}" for name in given)
    y = _type(given["x"])
    return f"""func.func @main({arguments}) -> {y} {{
  %y = func.call @mxfp4.moe({values}) {{mxfp4.layer = {{slots = {S} : i64}}}} : ({types}) -> {y}
  return %y : {y}
}}
func.func private @mxfp4.moe({types}) -> {y}
"""


def test_the_entry_computes_a_layer() -> None:
    """gpt-oss's layer on the CPU, within the rounding of bf16."""
    given = data()
    constants = "\n".join(
        f'%{name} = arith.constant dense<"0x{array.tobytes().hex().upper()}"> : {_type(array)}'
        for name, array in given.items()
    )
    types = ", ".join(_type(array) for array in given.values())
    values = ", ".join(f"%{name}" for name in given)
    y = _type(given["x"])
    driver = f"""func.func private @printF32(f32)
func.func private @printNewline()
func.func @run() {{
  {constants}
  %y = call @main({values}) : ({types}) -> {y}
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = arith.constant {T} : index
  %h = arith.constant {H} : index
  scf.for %i = %c0 to %t step %c1 {{
    scf.for %j = %c0 to %h step %c1 {{
      %e = tensor.extract %y[%i, %j] : {y}
      %f = arith.extf %e : bf16 to f32
      func.call @printF32(%f) : (f32) -> ()
      func.call @printNewline() : () -> ()
    }}
  }}
  return
}}
"""
    raised, said = opt(program(given) + driver, "mxfp4-raise")
    assert "mxfp4.combine" in raised, said
    # Six digits are printed, which tell values of bf16 apart.
    printed = np.array(run_on_cpu(raised).split(), np.float32).reshape(T, H)
    got = printed.astype(formats.bfloat16).astype(np.float64)
    weights = [as_source((given[c], given[s])) for c, s in (("gc", "gs"), ("dc", "ds"))]
    spec = LayerSpec(E, S, H, INNER, bias=True)
    wanted = layer_reference.layer(
        spec, given["x"], given["logits"], *weights, given["gb"], given["db"]
    ).astype(np.float64)
    assert np.abs(wanted).max() > 1
    assert (np.abs(got - wanted) <= 2.0**-6 * np.abs(wanted).max()).all()
    assert np.mean(got == wanted) > 0.9


def test_the_entry_becomes_the_fused_kernels() -> None:
    """Routing, two matmuls with all that is around them, and the weighted sum."""
    passes = "mxfp4-raise,mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx{rows-hint=16}"
    lowered, said = opt(program(data()), passes)
    assert lowered.count(".entry") == 4, said
    assert lowered.count("gpu.launch_func") == 4
