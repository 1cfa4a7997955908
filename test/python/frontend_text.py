# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The parts that programs of `frontend_variations` are built from: a decode, and a matmul."""

from __future__ import annotations

from dataclasses import dataclass

E, N, K, T = 4, 96, 64, 8
CODES, SCALES = f"tensor<{E}x{N}x2x16xi8>", f"tensor<{E}x{N}x2xi8>"
VALUES = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
ALL = VALUES + [-value for value in VALUES]


@dataclass(frozen=True)
class Variation:
    """A program and what becomes of it.

    Attributes:
        text: a function of rows, codes and scales.
        options: promises that it needs.
        remark: what is said where it is not raised; empty if it is.
        matmuls: how many matmuls, each a kernel of its own, it becomes where it is raised.
    """

    name: str
    text: str
    options: str = "scales=2,254"
    remark: str = ""
    matmuls: int = 1


def numbers(values: list[float]) -> str:
    """The elements of a dense constant."""
    return ", ".join(repr(float(value)) for value in values)


def decode(body: str, type_: str = "bf16", constants: str = "", nibble: str = "") -> str:
    """A decode of `%code` (i32) and `%scale` (i8) in one body, to `%w`."""
    nibble = (
        nibble
        or """%half = linalg.index 4 : index
      %half8 = arith.index_cast %half : index to i8
      %four = arith.constant 4 : i8
      %by = arith.muli %half8, %four : i8
      %shifted = arith.shrui %byte, %by : i8
      %fifteen = arith.constant 15 : i8
      %code8 = arith.andi %shifted, %fifteen : i8
      %code = arith.extui %code8 : i8 to i32"""
    )
    return f"""
  {constants}
  %we = tensor.empty() : tensor<{E}x{N}x2x16x2x{type_}>
  %wd = linalg.generic {{
      indexing_maps = [affine_map<(e, n, b, j, h) -> (e, n, b, j)>,
                       affine_map<(e, n, b, j, h) -> (e, n, b)>,
                       affine_map<(e, n, b, j, h) -> (e, n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}}
      ins(%c, %s : {CODES}, {SCALES}) outs(%we : tensor<{E}x{N}x2x16x2x{type_}>) {{
    ^bb0(%byte: i8, %scale: i8, %out: {type_}):
      {nibble}
      {body}
      linalg.yield %value : {type_}
  }} -> tensor<{E}x{N}x2x16x2x{type_}>
  %w = tensor.collapse_shape %wd [[0], [1], [2, 3, 4]]
      : tensor<{E}x{N}x2x16x2x{type_}> into tensor<{E}x{N}x{K}x{type_}>
"""


AT = "%at = arith.index_cast %code : i32 to index\n"
TABLE = f"%table = arith.constant dense<[{numbers(ALL)}]> : tensor<16xf32>"
LOOK_UP = AT + "%number = tensor.extract %table[%at] : tensor<16xf32>\n"
POWER = """%wide = arith.extui %scale : i8 to i32
      %bias = arith.constant 127 : i32
      %exponent = arith.subi %wide, %bias : i32
      %float = arith.sitofp %exponent : i32 to f32
      %power = math.exp2 %float : f32
"""
BITS = """%wide = arith.extui %scale : i8 to i32
      %places = arith.constant 23 : i32
      %bits = arith.shli %wide, %places : i32
      %power = arith.bitcast %bits : i32 to f32
"""
FINISH = """%product = arith.mulf %number, %power : f32
      %value = arith.truncf %product : f32 to bf16"""
PLAIN = decode(LOOK_UP + BITS + FINISH, constants=TABLE)


def function(decode: str, matmul: str, x: str, y: str, rest: str = "") -> str:
    """A program: a decode to `%w`, and a matmul that gives `%y`."""
    return f"""func.func @main(%x: {x}, %c: {CODES}, %s: {SCALES}{rest}) -> {y} {{
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  {decode}
  {matmul}
  return %y : {y}
}}
"""


def zeros(type_: str) -> str:
    """A tensor of zeros, `%zeros`."""
    return f"""%none = tensor.empty() : {type_}
  %zeros = linalg.fill ins(%zero : f32) outs(%none : {type_}) -> {type_}
"""


def generic(ins: str, types: str, maps: str, out: str, loops: str, dtype: str = "bf16") -> str:
    """A contraction that sums products in f32; `maps` and `loops` are those of linalg."""
    kinds = ", ".join('"reduction"' if loop == "k" else '"parallel"' for loop in loops.split(", "))
    maps_ = ", ".join(f"affine_map<({loops}) -> ({m})>" for m in maps.split("; "))
    return f"""%y = linalg.generic {{indexing_maps = [{maps_}], iterator_types = [{kinds}]}}
      ins({ins} : {types}) outs(%zeros : {out}) {{
    ^bb0(%a: {dtype}, %b: bf16, %sum: f32):
      %aw = arith.extf %a : {dtype} to f32
      %bw = arith.extf %b : bf16 to f32
      %ab = arith.mulf %aw, %bw : f32
      %next = arith.addf %sum, %ab : f32
      linalg.yield %next : f32
  }} -> {out}"""


W, X, Y = f"tensor<{E}x{N}x{K}xbf16>", f"tensor<{E}x{T}x{K}xbf16>", f"tensor<{E}x{T}x{N}xf32>"
BATCHED = zeros(Y) + generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, t, n", Y, "e, t, n, k")


PLAIN_BITS_OF = dict.fromkeys(
    ("decode-table-copysign", "decode-fpowi"), function(PLAIN, BATCHED, X, Y)
)
"""A program that computes the same, for those with operations that no pass takes to the CPU."""
