# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decoded weights of which numbers select experts, layers or columns, as front ends spell it."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_text import BATCHED, PLAIN, E, K, N, T, Variation, W, X, Y, function, generic, zeros


def _gather(body: str, inputs: str = "", maps: str = "", arguments: str = "", weights: str = W,
            of: str = "%w") -> str:  # fmt: skip
    """Weights `%g`: elements of `of` at `%a, %b, %k0`, or, of layers, at `%l, %a, %n0, %k0`."""
    at = "%a, %b, %k0" if weights == W else "%l, %a, %n0, %k0"
    all_maps = f"{maps}affine_map<(e, n, k) -> (e, n, k)>"
    return f"""
  %ge = tensor.empty() : {W}
  %g = linalg.generic {{indexing_maps = [{all_maps}],
      iterator_types = ["parallel", "parallel", "parallel"]}} {inputs} outs(%ge : {W}) {{
    ^bb0({arguments}%o: bf16):
      %e0 = linalg.index 0 : index
      %n0 = linalg.index 1 : index
      %k0 = linalg.index 2 : index
      {body}
      %v = tensor.extract {of}[{at}] : {weights}
      linalg.yield %v : bf16
  }} -> {W}
"""


_SELECTED = BATCHED.replace("%x, %w", "%x, %g")
_TABLE = ", ".join(str((7 * row + 3) % N) for row in range(N))
_LAYERS = f"tensor<2x2x{N}x{K}xbf16>"
_SPLIT = f"""
  %layers = tensor.expand_shape %w [[0, 1], [2], [3]] output_shape [2, 2, {N}, {K}]
      : {W} into {_LAYERS}
"""


def _reversed(dim: int, extent: int) -> str:
    index, other = ("%e0", "%n0")[dim], ("%n0", "%e0")[dim]
    mine, rest = ("%a", "%b")[dim], ("%b", "%a")[dim]
    return f"""%last = arith.constant {extent - 1} : index
      {mine} = arith.subi %last, {index} : index
      %none = arith.constant 0 : index
      {rest} = arith.addi {other}, %none : index"""


def selections() -> Iterator[Variation]:
    """The program's rows, columns or experts in another order than that of its weights."""

    def program(text: str, rest: str = "") -> str:
        return function(PLAIN, text + _SELECTED, X, Y, rest)

    yield Variation("experts-reversed", program(_gather(_reversed(0, E))))
    yield Variation(
        "columns-reversed",
        program(_gather(_reversed(1, N), f"ins(%w : {W})",
                        "affine_map<(e, n, k) -> (e, n, k)>, ", "%unread: bf16, ")),
    )  # fmt: skip
    permuted = _gather(
        "%a = arith.addi %e0, %c0 : index\n%b = arith.index_cast %id : i32 to index",
        f"ins(%order : tensor<{N}xi32>)", "affine_map<(e, n, k) -> (n)>, ", "%id: i32, ",
    )  # fmt: skip
    table = f"%order = arith.constant dense<[{_TABLE}]> : tensor<{N}xi32>\n"
    yield Variation("columns-permuted", program(table + permuted))
    yield Variation(
        "columns-by-argument",
        program(permuted.replace("%order", "%ids"), f", %ids: tensor<{N}xi32>"),
        remark="not as whole slices that numbers in a tensor select",
    )
    both = """%id0 = arith.index_cast %id : i32 to index
      %number = arith.remui %id0, %c4 : index
      %two = arith.constant 2 : index
      %l = arith.remui %number, %two : index
      %a = arith.divui %number, %two : index"""
    ids = f"tensor<{E}xi32>"
    yield Variation(
        "layers-and-experts",
        program(
            _SPLIT + _gather(both, f"ins(%ids : {ids})", "affine_map<(e, n, k) -> (e)>, ",
                             "%id: i32, ", _LAYERS, "%layers"),
            f", %ids: {ids}",
        ),
    )  # fmt: skip
    one = f"tensor<2x{N}x{K}xbf16>"
    out = f"tensor<{T}x{N}xf32>"
    yield Variation(
        "layer-then-experts",
        function(
            PLAIN,
            _SPLIT
            + f"""
  %slice = tensor.extract_slice %layers[1, 0, 0, 0] [1, 2, {N}, {K}] [1, 1, 1, 1]
      : {_LAYERS} to tensor<1x2x{N}x{K}xbf16>
  %layer = tensor.collapse_shape %slice [[0, 1], [2], [3]]
      : tensor<1x2x{N}x{K}xbf16> into {one}
  %ge = tensor.empty() : tensor<{T}x{N}x{K}xbf16>
  %g = linalg.generic {{indexing_maps = [affine_map<(t, n, k) -> (t)>,
      affine_map<(t, n, k) -> (t, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%ids : tensor<{T}xi32>) outs(%ge : tensor<{T}x{N}x{K}xbf16>) {{
    ^bb0(%id: i32, %o: bf16):
      %one = arith.constant 1 : i32
      %low = arith.andi %id, %one : i32
      %at = arith.index_cast %low : i32 to index
      %n0 = linalg.index 1 : index
      %k0 = linalg.index 2 : index
      %v = tensor.extract %layer[%at, %n0, %k0] : {one}
      linalg.yield %v : bf16
  }} -> tensor<{T}x{N}x{K}xbf16>
"""
            + zeros(out)
            + generic("%x, %g", f"tensor<{T}x{K}xbf16>, tensor<{T}x{N}x{K}xbf16>",
                      "t, k; t, n, k; t, n", out, "t, n, k"),
            f"tensor<{T}x{K}xbf16>",
            out,
            f", %ids: tensor<{T}xi32>",
        ),
    )  # fmt: skip
    wide, wide_out = f"tensor<{E}x{N + 32}x{K}xbf16>", f"tensor<{E}x{T}x{N + 32}xf32>"
    padded = f"""
  %none16 = arith.constant 0.0 : bf16
  %g = tensor.pad %w low[0, 8, 0] high[0, 24, 0] {{
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %none16 : bf16
  }} : {W} to {wide}
"""
    product = generic("%x, %g", f"{X}, {wide}", "e, t, k; e, n, k; e, t, n", wide_out, "e, t, n, k")
    yield Variation(
        "columns-padded", function(PLAIN, padded + zeros(wide_out) + product, X, wide_out)
    )
    part = f"tensor<{E}x{N - 32}x{K}xbf16>"
    sliced = f"""
  %part = tensor.extract_slice %w[0, 24, 0] [{E}, {N - 32}, {K}] [1, 1, 1] : {W} to {part}
  %none16 = arith.constant 0.0 : bf16
  %g = tensor.pad %part low[0, 8, 0] high[0, 24, 0] {{
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %none16 : bf16
  }} : {part} to {W}
"""
    yield Variation("columns-sliced-and-padded", program(sliced))
    turned, taller = f"tensor<{E}x{K}x{N}xbf16>", f"tensor<{E}x{K}x{N + 32}xbf16>"
    moved = f"""
  %none16 = arith.constant 0.0 : bf16
  %te = tensor.empty() : {turned}
  %t = linalg.transpose ins(%w : {W}) outs(%te : {turned}) permutation = [0, 2, 1]
  %g = tensor.pad %t low[0, 0, 8] high[0, 0, 24] {{
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %none16 : bf16
  }} : {turned} to {taller}
"""
    maps = "e, t, k; e, k, n; e, t, n"
    product = generic("%x, %g", f"{X}, {taller}", maps, wide_out, "e, t, n, k")
    yield Variation(
        "columns-padded-and-transposed",
        function(PLAIN, moved + zeros(wide_out) + product, X, wide_out),
    )
