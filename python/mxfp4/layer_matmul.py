# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The matmuls of a mixture-of-experts layer as text of the dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .activation import literal
from .manifest import ROW_COUNTERS

if TYPE_CHECKING:
    from .layer_spec import LayerSpec

_ATTRIBUTES = {"fast": "fast", "promoted512": "promoted 512", "promoted128": "promoted 128"}
"""Accumulations in the words of the dialect."""


def down_region(bias: bool, fp8: bool, scale: float | None) -> str:
    """The epilogue of the second matmul, or nothing.

    Args:
        bias: whether one is added.
        fp8: whether rows are in FP8, whose sums are multiplied with their scales.
        scale: the one of all rows in FP8; None if each has its own.
    """
    result = "%result"
    if scale is not None:
        # The factor is of a column: the compiler takes it out of what is done for each row.
        arguments = ["%sum", "%power"]
        lines = [
            f"%scale = arith.constant {literal(scale)} : f32",
            "%factor = arith.mulf %power, %scale : f32",
            f"{result} = math.fma %sum, %factor, %bias : f32" if bias
            else f"{result} = arith.mulf %sum, %factor : f32",
        ]  # fmt: skip
    elif fp8:
        result, arguments = "%scaled", ["%sum", "%power", "%scale"]
        lines = ["%of_row = arith.mulf %sum, %scale : f32"]
        if bias:
            lines.append(f"{result} = math.fma %of_row, %power, %bias : f32")
        else:
            # Products with a power of two are exact; in bf16 one instruction has two of them.
            lines += [
                "%narrow = arith.truncf %of_row : f32 to bf16",
                "%narrow_power = arith.truncf %power : f32 to bf16",
                "%product = arith.mulf %narrow, %narrow_power : bf16",
                f"{result} = arith.extf %product : bf16 to f32",
            ]
    elif bias:
        arguments, lines = ["%sum"], [f"{result} = arith.addf %sum, %bias : f32"]
    else:
        return ""
    head = ", ".join(f"{name}: f32" for name in arguments + ["%bias"] * bias)
    body = "\n      ".join([*lines, f"mxfp4.yield {result} : f32"])
    return f"{{\n    ^bb0({head}):\n      {body}\n    }}"


def matmul(
    spec: LayerSpec,
    name: str,
    n: int,
    k: int,
    out: int,
    gather: bool,
    region: str,
    columns: str = "",
    output: str = "bf16",
    row_scales: bool = True,
    through: bool = False,
    older_inputs: bool = False,
    counts: str = "",
) -> str:
    """A module with one matmul of a layer.

    Args:
        spec: the layer.
        name: of the function.
        n: columns of the sums.
        k: of the rows.
        out: columns of the output.
        gather: whether rows are read by index.
        region: the epilogue, or nothing.
        columns: how the block type says that gate and up are interleaved.
        output: its element type.
        row_scales: whether rows in FP8 have a scale each.
        through: whether there is memory through which rows may be gathered.
        older_inputs: what the operation promises by this name.
        counts: of the rows of experts: "stored", "awaited" or nothing.
    """
    e, layout, fp8 = spec.experts, spec.layout, spec.activations == "fp8"
    block = f"!mxfp4.block<{layout.order}, {layout.scales}{columns}>"
    rows, cols, _ = layout.shape(n, k)
    types = {
        "x": f"memref<?x{k}x{'f8E4M3FN' if fp8 else 'bf16'}>",
        "w": f"memref<{e}x{rows}x{cols}x{block}>",
        "o": f"memref<{e + 1}xi32>", "y": f"memref<?x{out}x{output}>", "e": "memref<1xi32>",
        "s": f"memref<{ROW_COUNTERS if through else 2}xi32>", "g": "memref<?xi32>",
        "p": f"memref<{e}x{n}xf32>", "a": "memref<?xf32>", "b": f"memref<{e}x{n}xbf16>",
        "c": f"memref<{e}xi32>",
    }  # fmt: skip
    types["t"] = types["x"]
    unused = {"g": not gather, "p": not fp8, "a": not (fp8 and row_scales), "b": not spec.bias,
              "t": not through, "c": not counts}  # fmt: skip
    used = [t for t in types if not unused.get(t)]
    operands = [t for t in used if t in "pab"]
    epilogue = f"epilogue {region}" if region else ""
    if operands:
        named = ", ".join(f"%{t}" for t in operands)
        epilogue = f"epilogue({named} : {', '.join(types[t] for t in operands)}) {region}"
    sums = f"accumulation = #mxfp4.accumulation<{_ATTRIBUTES[spec.accumulation]}>"
    properties = ", ".join(([sums] if fp8 else []) + (["older_inputs"] if older_inputs else []))
    arguments = ", ".join(f"%{t}: {types[t]}" for t in used)
    gathers = f"gather(%g : {types['g']}) " if gather else ""
    gathers += f"through(%t : {types['t']}) " if through else ""
    gathers += f"awaited(%c : {types['c']}) " if counts == "awaited" else ""
    stored = f"stored(%c : {types['c']}) " if counts == "stored" else ""
    return f"""func.func @{name}({arguments}) {{
  mxfp4.grouped_matmul activations(%x : {types["x"]}) {gathers}weights(%w : {types["w"]})
    offsets(%o : {types["o"]}) outs(%y : {types["y"]}) {stored}error(%e : {types["e"]})
    workspace(%s : {types["s"]}) {epilogue} {f"{{{properties}}}" if properties else ""}
  return
}}
"""
