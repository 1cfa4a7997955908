# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Epilogues of grouped matmuls that tests compile, as MLIR; needs no package.

Their operands are `columns` (a row of N for each expert), `per_row` and `scalar`; `e` and `n` are
to be filled in.
"""

import re

EPILOGUES = {
    "none": "",
    "bias": """epilogue(%columns : memref<{e}x{n}xbf16>) {{
    ^bb0(%sum: f32, %bias: f32):
      %0 = arith.addf %sum, %bias : f32
      mxfp4.yield %0 : f32 }}""",
    "weighted": """epilogue(%columns, %per_row, %scalar :
        memref<{e}x{n}xbf16>, memref<?xf32>, memref<f32>) {{
    ^bb0(%sum: f32, %bias: f32, %weight: f32, %factor: f32):
      %0 = arith.addf %sum, %bias : f32
      %1 = arith.mulf %0, %weight : f32
      %2 = arith.mulf %1, %factor : f32
      mxfp4.yield %2 : f32 }}""",
    # Exact where the sums are: max(gate + bias, 0) * (up + bias) * weight of the row.
    "pairs": """epilogue(%columns, %per_row : memref<{e}x{n}xbf16>, memref<?xf32>) {{
    ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32, %weight: f32):
      %zero = arith.constant 0.0 : f32
      %0 = arith.addf %gate, %gate_bias : f32
      %1 = arith.addf %up, %up_bias : f32
      %2 = arith.maximumf %0, %zero : f32
      %3 = arith.mulf %2, %1 : f32
      %4 = arith.mulf %3, %weight : f32
      mxfp4.yield %4 : f32 }}""",
    "swiglu": """epilogue(%columns : memref<{e}x{n}xbf16>) {{
    ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32):
      %limit = arith.constant 7.0 : f32
      %lower = arith.constant -7.0 : f32
      %one = arith.constant 1.0 : f32
      %alpha = arith.constant -1.702 : f32
      %0 = arith.addf %gate, %gate_bias : f32
      %1 = arith.addf %up, %up_bias : f32
      %2 = arith.minimumf %0, %limit : f32
      %3 = arith.minimumf %1, %limit : f32
      %4 = arith.maximumf %3, %lower : f32
      %5 = arith.addf %4, %one : f32
      %6 = arith.mulf %2, %alpha : f32
      %7 = math.exp %6 : f32
      %8 = arith.addf %7, %one : f32
      %9 = arith.divf %2, %8 : f32
      %10 = arith.mulf %5, %9 : f32
      mxfp4.yield %10 : f32 }}""",
}
"""Text by name."""

_PARTS = re.compile(
    r"epilogue\((?P<operands>.*?) :\s*(?P<types>.*?)\) \{\{\s*"
    r"\^bb0\((?P<arguments>.*?)\):\n(?P<body>.*)",
    re.DOTALL,
)


_PRODUCT = """
      %r = arith.mulf %scaled, %p : f32
"""
_PRODUCT_IN_BF16 = """
      %narrow = arith.truncf %scaled : f32 to bf16
      %power = arith.truncf %p : f32 to bf16
      %product = arith.mulf %narrow, %power : bf16
      %r = arith.extf %product : bf16 to f32
"""


def behind_scales(name: str, output: str) -> str:
    """An epilogue in FP8: of sums times the scale of the token and the power of the row.

    These are the operands `scales` and `powers`, in front of the others. Products with powers are
    spelled as the package spells them: of an output in bf16 in bf16, and in one step with a bias.
    """
    operands = "%powers, %scales : memref<{e}x{n}xf32>, memref<?xf32>"
    if name == "none":
        product = _PRODUCT_IN_BF16 if output == "bf16" else _PRODUCT
        return f"""epilogue({operands}) {{{{
    ^bb0(%sum: f32, %p: f32, %s: f32):
      %scaled = arith.mulf %sum, %s : f32{product}      mxfp4.yield %r : f32 }}}}"""
    if name == "bias":
        return """epilogue(%powers, %scales, %columns :
        memref<{e}x{n}xf32>, memref<?xf32>, memref<{e}x{n}xbf16>) {{
    ^bb0(%sum: f32, %p: f32, %s: f32, %bias: f32):
      %scaled = arith.mulf %sum, %s : f32
      %r = math.fma %scaled, %p, %bias : f32
      mxfp4.yield %r : f32 }}"""
    parts = _PARTS.match(EPILOGUES[name])
    assert parts is not None
    arguments = parts["arguments"].split(", ")
    count = 2 if arguments[0] == "%gate: f32" else 1
    sums = [argument.split(":")[0] for argument in arguments[:count]]
    scaled = "".join(
        f"      %t{i} = arith.mulf %raw{i}, %s : f32\n"
        f"      {sum_} = arith.mulf %t{i}, %p{i} : f32\n"
        for i, sum_ in enumerate(sums)
    )
    own = [f"%{kind}{i}: f32" for kind in ("raw", "p") for i in range(count)]
    names, types = operands.split(" : ")
    return (
        f"epilogue({names}, {parts['operands']} : {types}, {parts['types']}) {{{{\n"
        f"    ^bb0({', '.join([*own, '%s: f32', *arguments[count:]])}):\n{scaled}{parts['body']}"
    )
