# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmuls as programs write them that broadcast: copies of rows, and products that are summed."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_text import PLAIN, E, K, N, T, Variation, W, X, Y, function, generic, zeros

_ROWS, _WIDE = f"tensor<{T}x{K}xbf16>", f"tensor<{E}x{T}x{K}xf32>"
_W32 = W.replace("bf16", "f32")
_ALL = f"tensor<{E}x{T}x{N}x{K}xf32>"
_WEIGHTS = f"%ww = arith.extf %w : {W} to {_W32}\n"
_BATCHED = f"""{_WEIGHTS}  %y = linalg.batch_matmul indexing_maps = [
      affine_map<(e, t, n, k) -> (e, t, k)>, affine_map<(e, t, n, k) -> (e, n, k)>,
      affine_map<(e, t, n, k) -> (e, t, n)>]
      ins(%xw, %ww : {_WIDE}, {_W32}) outs(%zeros : {Y}) -> {Y}"""


def _product(more: str = "", result: str = "%ab") -> str:
    """Rows times weights, of every row with every column, as one tensor %p."""
    rows, weights = f"tensor<{E}x{T}x1x{K}xf32>", f"tensor<{E}x1x{N}x{K}xf32>"
    return f"""%xw = arith.extf %x : {X} to {_WIDE}
  {_WEIGHTS}
  %xe = tensor.expand_shape %xw [[0], [1, 2], [3]] output_shape [{E}, {T}, 1, {K}]
      : {_WIDE} into {rows}
  %we1 = tensor.expand_shape %ww [[0], [1, 2], [3]] output_shape [{E}, 1, {N}, {K}]
      : {_W32} into {weights}
  %pe = tensor.empty() : {_ALL}
  %p = linalg.generic {{indexing_maps = [affine_map<(e, t, n, k) -> (e, t, 0, k)>,
      affine_map<(e, t, n, k) -> (e, 0, n, k)>, affine_map<(e, t, n, k) -> (e, t, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%xe, %we1 : {rows}, {weights}) outs(%pe : {_ALL}) {{
    ^bb0(%a: f32, %b: f32, %o: f32):
      %ab = arith.mulf %a, %b : f32
      {more}
      linalg.yield {result} : f32
  }} -> {_ALL}
"""


def _sum(out: str = "%y", operation: str = "arith.addf") -> str:
    return f"""  {out} = linalg.generic {{indexing_maps = [affine_map<(e, t, n, k) -> (e, t, n, k)>,
      affine_map<(e, t, n, k) -> (e, t, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}}
      ins(%p : {_ALL}) outs(%zeros : {Y}) {{
    ^bb0(%a: f32, %sum: f32):
      %next = {operation} %a, %sum : f32
      linalg.yield %next : f32
  }} -> {Y}
"""


def _two_slots() -> str:
    """Two experts per token, whose weights torch-mlir multiplies as one matrix."""
    ids, gathered = f"tensor<{T}x2xi64>", f"tensor<{T}x2x{N}x{K}x"
    one, turned = f"tensor<{T}x1x{K}xf32>", f"tensor<{T}x{K}x2x{N}xf32>"
    flat, sums = f"tensor<{T}x{K}x{2 * N}xf32>", f"tensor<{T}x1x{2 * N}xf32>"
    return f"""%ge = tensor.empty() : {gathered}bf16>
  %g = linalg.generic {{indexing_maps = [affine_map<(t, s, n, k) -> (t, s)>,
      affine_map<(t, s, n, k) -> (t, s, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%ids : {ids}) outs(%ge : {gathered}bf16>) {{
    ^bb0(%id: i64, %o: bf16):
      %c0_i64 = arith.constant 0 : i64
      %c4_i64 = arith.constant 4 : i64
      %below = arith.cmpi slt, %id, %c0_i64 : i64
      %from_end = arith.addi %id, %c4_i64 : i64
      %mine = arith.select %below, %from_end, %id : i64
      %at = arith.index_cast %mine : i64 to index
      %n = linalg.index 2 : index
      %k = linalg.index 3 : index
      %v = tensor.extract %w[%at, %n, %k] : {W}
      linalg.yield %v : bf16
  }} -> {gathered}bf16>
  %gwe = tensor.empty() : {gathered}f32>
  %gw = linalg.generic {{indexing_maps = [affine_map<(t, s, n, k) -> (t, s, n, k)>,
      affine_map<(t, s, n, k) -> (t, s, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%g : {gathered}bf16>) outs(%gwe : {gathered}f32>) {{
    ^bb0(%a: bf16, %o: f32):
      %v = arith.extf %a : bf16 to f32
      linalg.yield %v : f32
  }} -> {gathered}f32>
  %te = tensor.empty() : {turned}
  %turned = linalg.transpose ins(%gw : {gathered}f32>) outs(%te : {turned})
      permutation = [0, 3, 1, 2]
  %flat = tensor.collapse_shape %turned [[0], [1], [2, 3]] : {turned} into {flat}
  %xw = arith.extf %x : {_ROWS} to tensor<{T}x{K}xf32>
  %xe = tensor.expand_shape %xw [[0], [1, 2]] output_shape [{T}, 1, {K}]
      : tensor<{T}x{K}xf32> into {one}
  {zeros(sums)}
  %sums = linalg.batch_matmul ins(%xe, %flat : {one}, {flat}) outs(%zeros : {sums}) -> {sums}
  %y = tensor.collapse_shape %sums [[0], [1, 2]] : {sums} into tensor<{T}x{2 * N}xf32>"""


def _starts() -> str:
    """A slice of weights for each row, as JAX gathers it under vmap: by its starts, kept inside."""
    ids, starts = f"tensor<{T}xi32>", f"tensor<{T}x3xi32>"
    column, mine = f"tensor<{T}x1xi32>", f"tensor<{T}x{N}x{K}xbf16>"
    sums = f"tensor<{T}x{N}xf32>"
    inserts = "".join(
        f"""%s{dim + 1} = tensor.insert_slice {what} into %s{dim}[0, {dim}] [{T}, 1] [1, 1]
      : {column} into {starts}
  """
        for dim, what in enumerate(("%column", "%none0", "%none0"))
    )
    limits = "".join(
        f"""%i{dim} = tensor.extract %s3[%t, %c{dim}] : {starts}
      %j{dim} = arith.index_cast %i{dim} : i32 to index
      %l{dim} = arith.maxsi %j{dim}, %c0 : index
      %h{dim} = arith.minsi %l{dim}, %{("c3", "c0", "c0")[dim]} : index
      """
        for dim in range(3)
    )
    return f"""%c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %none0 = arith.constant dense<0> : {column}
  %column = tensor.expand_shape %ids [[0, 1]] output_shape [{T}, 1] : {ids} into {column}
  %s0 = tensor.empty() : {starts}
  {inserts}
  %ge = tensor.empty() : {mine}
  %g = linalg.generic {{indexing_maps = [affine_map<(t, n, k) -> (t, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}} outs(%ge : {mine}) {{
    ^bb0(%o: bf16):
      %t = linalg.index 0 : index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      {limits}
      %an = arith.addi %h1, %n : index
      %ak = arith.addi %h2, %k : index
      %v = tensor.extract %w[%h0, %an, %ak] : {W}
      linalg.yield %v : bf16
  }} -> {mine}
  {zeros(sums)}
""" + generic("%x, %g", f"{_ROWS}, {mine}", "t, k; t, n, k; t, n", sums, "t, n, k")


def _numbers_of_no_expert() -> str:
    """`jnp.take` with numbers below 0 and above the last expert: their rows are NaN."""
    ids, kept, mine = f"tensor<{T}xi32>", f"tensor<{T}xi1>", f"tensor<{T}x{N}x{K}xbf16>"
    one, each = "affine_map<(t) -> (t)>", "affine_map<(t, n, k) -> (t, n, k)>"
    sums = f"tensor<{T}x{N}xf32>"
    loops = 'iterator_types = ["parallel", "parallel", "parallel"]'
    return f"""%two = arith.constant 2 : i32
  %three = arith.constant 3 : i32
  %none32 = arith.constant 0 : i32
  %nan = arith.constant 0x7FC0 : bf16
  %me = tensor.empty() : {ids}
  %numbers = linalg.generic {{indexing_maps = [{one}, {one}], iterator_types = ["parallel"]}}
      ins(%ids : {ids}) outs(%me : {ids}) {{
    ^bb0(%id: i32, %o: i32):
      %twice = arith.muli %id, %two : i32
      %number = arith.subi %twice, %three : i32
      linalg.yield %number : i32
  }} -> {ids}
  %ke = tensor.empty() : {kept}
  %kept = linalg.generic {{indexing_maps = [{one}, {one}], iterator_types = ["parallel"]}}
      ins(%numbers : {ids}) outs(%ke : {kept}) {{
    ^bb0(%id: i32, %o: i1):
      %inside = arith.cmpi ule, %id, %three : i32
      linalg.yield %inside : i1
  }} -> {kept}
  %ge = tensor.empty() : {mine}
  %g = linalg.generic {{indexing_maps = [affine_map<(t, n, k) -> (t)>, {each}], {loops}}}
      ins(%numbers : {ids}) outs(%ge : {mine}) {{
    ^bb0(%id: i32, %o: bf16):
      %low = arith.maxsi %id, %none32 : i32
      %number = arith.minsi %low, %three : i32
      %at = arith.index_cast %number : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%at, %n, %k] : {W}
      linalg.yield %v : bf16
  }} -> {mine}
  %f = linalg.generic {{indexing_maps = [affine_map<(t, n, k) -> (t)>, {each}, {each}], {loops}}}
      ins(%kept, %g : {kept}, {mine}) outs(%ge : {mine}) {{
    ^bb0(%keep: i1, %a: bf16, %o: bf16):
      %v = arith.select %keep, %a, %nan : bf16
      linalg.yield %v : bf16
  }} -> {mine}
  {zeros(sums)}
""" + generic("%x, %f", f"{_ROWS}, {mine}", "t, k; t, n, k; t, n", sums, "t, n, k")


def products() -> Iterator[Variation]:
    """Matmuls of weights that one plain decode gives."""
    copied = f"""%xr = arith.extf %x : {_ROWS} to tensor<{T}x{K}xf32>
  %xe = tensor.empty() : {_WIDE}
  %xw = linalg.broadcast ins(%xr : tensor<{T}x{K}xf32>) outs(%xe : {_WIDE}) dimensions = [0]
"""
    text = copied + zeros(Y) + _BATCHED
    yield Variation("rows-widened-and-copied", function(PLAIN, text, _ROWS, Y))
    # Copies that are no whole loop of the matmul are rows of their own.
    rows, sums = f"tensor<{E * T}x{K}xbf16>", f"tensor<{E * T}x{N}xf32>"
    text = f"""%xe = tensor.empty() : {X}
  %xc = linalg.broadcast ins(%x : {_ROWS}) outs(%xe : {X}) dimensions = [0]
  %xf = tensor.collapse_shape %xc [[0, 1], [2]] : {X} into {rows}
  %one = tensor.extract_slice %w[1, 0, 0] [1, {N}, {K}] [1, 1, 1] : {W} to tensor<{N}x{K}xbf16>
  {zeros(sums)}
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
      affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%xf, %one : {rows}, tensor<{N}x{K}xbf16>) outs(%zeros : {sums}) -> {sums}"""
    yield Variation("rows-repeated", function(PLAIN, text, _ROWS, sums))
    yield Variation("product-and-sum", function(PLAIN, _product() + zeros(Y) + _sum(), X, Y))
    named = f"""%xw = arith.extf %x : {X} to {_WIDE}
  {_WEIGHTS}
  %pe = tensor.empty() : {_ALL}
  %xa = linalg.broadcast ins(%xw : {_WIDE}) outs(%pe : {_ALL}) dimensions = [2]
  %wa = linalg.broadcast ins(%ww : {_W32}) outs(%pe : {_ALL}) dimensions = [1]
  %p = linalg.mul ins(%xa, %wa : {_ALL}, {_ALL}) outs(%pe : {_ALL}) -> {_ALL}
  {zeros(Y)}
  %y = linalg.reduce {{ arith.addf }} ins(%p : {_ALL}) outs(%zeros : {Y}) dimensions = [3]"""
    yield Variation("product-and-reduce", function(PLAIN, named, X, Y))
    yield Variation(
        "two-slots",
        function(
            PLAIN, _two_slots(), _ROWS, f"tensor<{T}x{2 * N}xf32>", f", %ids: tensor<{T}x2xi64>"
        ),
    )
    yield Variation("starts-of-slices", function(
        PLAIN, _starts(), _ROWS, f"tensor<{T}x{N}xf32>", f", %ids: tensor<{T}xi32>"))  # fmt: skip
    text, sums = _numbers_of_no_expert(), f"tensor<{T}x{N}xf32>"
    ids = f", %ids: tensor<{T}xi32>"
    yield Variation("numbers-of-no-expert", function(PLAIN, text, _ROWS, sums, ids))
    one = "%one = arith.constant 1.0 : f32\n%more = arith.addf %ab, %one : f32"
    no = "what it adds is no f32 product"
    text = _product(one, "%more") + zeros(Y) + _sum()
    yield Variation("sum-of-more-than-a-product", function(PLAIN, text, X, Y), remark=no)
    text = _product() + zeros(Y) + _sum(operation="arith.maximumf")
    yield Variation(
        "largest-product", function(PLAIN, text, X, Y), remark="it yields something else"
    )
    twice = _product() + zeros(Y) + _sum("%first")
    twice += _sum("%second", "arith.maximumf").replace("%next", "%most")
    text = f"{twice}  %y = arith.addf %first, %second : {Y}"
    yield Variation("product-of-two-uses", function(PLAIN, text, X, Y), remark=no)
