# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Matmuls of the kinds that front ends emit, in spellings that none of the stored files has."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_text import BATCHED, PLAIN, E, K, N, T, Variation, W, X, Y, function, generic, zeros


def _strided() -> Iterator[Variation]:
    """Slices of the weights that take every second expert or row."""
    for what, experts, n, steps in (("experts", 2, 48, [2, 1, 1]), ("rows", E - 1, 48, [1, 2, 1])):
        part = f"tensor<{experts}x{n}x{K}xbf16>"
        rows, result = f"tensor<{experts}x{T}x{K}xbf16>", f"tensor<{experts}x{T}x{n}xf32>"
        cut = f"%part = tensor.extract_slice %w[1, 1, 0] [{experts}, {n}, {K}] {steps}"
        product = generic(
            "%x, %part", f"{rows}, {part}", "e, t, k; e, n, k; e, t, n", result, "e, t, n, k"
        )
        text = function(PLAIN, f"{cut} : {W} to {part}\n{zeros(result)}{product}", rows, result)
        yield Variation(f"every-second-of-{what}", text)


def matmuls() -> Iterator[Variation]:
    """Matmuls of weights that one plain decode gives."""
    wt = f"tensor<{E}x{K}x{N}xbf16>"
    yield Variation(
        "k-major",
        function(
            PLAIN,
            f"""%te = tensor.empty() : {wt}
  %t = linalg.transpose ins(%w : {W}) outs(%te : {wt}) permutation = [0, 2, 1]
  {zeros(Y)}
  %y = linalg.batch_matmul ins(%x, %t : {X}, {wt}) outs(%zeros : {Y}) -> {Y}""",
            X,
            Y,
        ),
    )
    fused = BATCHED.replace("%ab = arith.mulf %aw, %bw : f32\n", "")
    fused = fused.replace("arith.addf %sum, %ab", "math.fma %aw, %bw, %sum")
    yield Variation("fma", function(PLAIN, fused, X, Y))
    yield from _strided()
    x, y, flat = f"tensor<{T}x{K}xbf16>", f"tensor<{T}x{E * N}xf32>", f"tensor<{E * N}x{K}xbf16>"
    yield Variation(
        "flattened-experts",
        function(
            PLAIN,
            f"%f = tensor.collapse_shape %w [[0, 1], [2]] : {W} into {flat}\n"
            + zeros(y)
            + generic("%x, %f", f"{x}, {flat}", "t, k; n, k; t, n", y, "t, n, k"),
            x,
            y,
        ),
    )
    yield Variation(
        "bias-as-initial-value",
        function(
            PLAIN,
            f"""%none = tensor.empty() : {Y}
  %zeros = linalg.broadcast ins(%bias : tensor<{E}x{N}xf32>) outs(%none : {Y}) dimensions = [1]
  """
            + generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, t, n", Y, "e, t, n, k"),
            X,
            Y,
            f", %bias: tensor<{E}x{N}xf32>",
        ),
    )
    turned = f"tensor<{E}x{N}x{T}xf32>"
    yield Variation(
        "result-transposed",
        function(
            PLAIN,
            zeros(turned)
            + generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, n, t", turned, "e, n, t, k"),
            X,
            turned,
        ),
    )
    half = X.replace("bf16", "f16")
    yield Variation("f16-rows", function(
        PLAIN, zeros(Y) + generic("%x, %w", f"{half}, {W}", "e, t, k; e, n, k; e, t, n", Y,
                                    "e, t, n, k", "f16"), half, Y),
        "scales=2,254 bf16-rows")  # fmt: skip
    yield Variation("f16-rows-unpromised", function(
        PLAIN, zeros(Y) + generic("%x, %w", f"{half}, {W}", "e, t, k; e, n, k; e, t, n", Y,
                                    "e, t, n, k", "f16"), half, Y),
        remark="bf16-rows")  # fmt: skip
    everywhere = f"tensor<{E}x{T}x{N}xf32>"
    yield Variation(
        "every-row-by-every-expert",
        function(
            PLAIN,
            zeros(everywhere)
            + generic("%x, %w", f"{x}, {W}", "t, k; e, n, k; e, t, n", everywhere, "e, t, n, k"),
            x,
            everywhere,
        ),
    )
    one, row = f"tensor<{E}x{K}xbf16>", f"tensor<{E}x{N}xf32>"
    yield Variation(
        "one-row-an-expert",
        function(
            PLAIN,
            zeros(row) + generic("%x, %w", f"{one}, {W}", "e, k; e, n, k; e, n", row, "e, n, k"),
            one,
            row,
        ),
    )
    for kind in ("for", "forall"):
        body = f"""%xe = tensor.extract_slice %x[%start, 0] [%size, {K}] [1, 1]
        : tensor<?x{K}xbf16> to tensor<?x{K}xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, {N}, {K}] [1, 1, 1] : {W} to tensor<{N}x{K}xbf16>
    %pe = tensor.empty(%size) : tensor<?x{N}xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x{N}xf32>) -> tensor<?x{N}xf32>
    %p = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
        affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
        ins(%xe, %wx : tensor<?x{K}xbf16>, tensor<{N}x{K}xbf16>)
        outs(%pz : tensor<?x{N}xf32>) -> tensor<?x{N}xf32>"""
        offsets = """%b32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %n32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %b32 : i32 to index
    %end = arith.index_cast %n32 : i32 to index
    %size = arith.subi %end, %start : index
    """
        begin = f"""%rows = tensor.dim %x, %c0 : tensor<?x{K}xbf16>
  %init = tensor.empty(%rows) : tensor<?x{N}xf32>
  %iz = linalg.fill ins(%zero : f32) outs(%init : tensor<?x{N}xf32>) -> tensor<?x{N}xf32>
"""
        insert = (
            f"%p into %o[%start, 0] [%size, {N}] [1, 1] : tensor<?x{N}xf32> into tensor<?x{N}xf32>"
        )
        loop = {
            "for": f"%y = scf.for %e = %c0 to %c4 step %c1 iter_args(%o = %iz) -> "
            f"(tensor<?x{N}xf32>) {{\n{offsets}{body}\n%q = tensor.insert_slice {insert}\n"
            f"scf.yield %q : tensor<?x{N}xf32>\n}}",
            "forall": f"%y = scf.forall (%e) in (4) shared_outs(%o = %iz) -> "
            f"(tensor<?x{N}xf32>) {{\n{offsets}{body}\nscf.forall.in_parallel {{\n"
            f"tensor.parallel_insert_slice {insert}\n}}\n}}",
        }[kind]
        yield Variation(
            f"scf-{kind}",
            function(
                PLAIN,
                begin + loop,
                f"tensor<?x{K}xbf16>",
                f"tensor<?x{N}xf32>",
                ", %offsets: tensor<5xi32>",
            ),
        )
    part, result = f"tensor<{T}x{K}xbf16>", f"tensor<{T}x{N}xf32>"
    yield Variation(
        "scf-forall-reversed",
        function(
            PLAIN,
            f"""%none = tensor.empty() : {result}
  %zeros = linalg.fill ins(%zero : f32) outs(%none : {result}) -> {result}
  %init = tensor.empty() : {Y}
  %y = scf.forall (%i) in (4) shared_outs(%o = %init) -> ({Y}) {{
    %last = arith.constant 3 : index
    %e = arith.subi %last, %i : index
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, {T}, {K}] [1, 1, 1] : {X} to {part}
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, {N}, {K}] [1, 1, 1] : {W} to tensor<{N}x{K}xbf16>
    %p = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
        affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
        ins(%xe, %wx : {part}, tensor<{N}x{K}xbf16>) outs(%zeros : {result}) -> {result}
    scf.forall.in_parallel {{
      tensor.parallel_insert_slice %p into %o[%e, 0, 0] [1, {T}, {N}] [1, 1, 1]
          : {result} into {Y}
    }}
  }}""",
            X,
            Y,
        ),
    )
    masked = f"tensor<{T}x{N}xf32>"
    yield Variation(
        "masks",
        function(
            PLAIN,
            f"""%none = tensor.empty() : {masked}
  %zeros = linalg.fill ins(%zero : f32) outs(%none : {masked}) -> {masked}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%o = %zeros) -> ({masked}) {{
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, {N}, {K}] [1, 1, 1] : {W} to tensor<{N}x{K}xbf16>
    %p = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
        affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
        ins(%x, %wx : {x}, tensor<{N}x{K}xbf16>) outs(%zeros : {masked}) -> {masked}
    %q = linalg.generic {{indexing_maps = [affine_map<(t, n) -> (t)>, affine_map<(t, n) -> (t, n)>,
        affine_map<(t, n) -> (t, n)>], iterator_types = ["parallel", "parallel"]}}
        ins(%experts, %p : tensor<{T}xi32>, {masked}) outs(%o : {masked}) {{
      ^bb0(%mine: i32, %new: f32, %old: f32):
        %at = arith.index_cast %mine : i32 to index
        %here = arith.cmpi eq, %at, %e : index
        %r = arith.select %here, %new, %old : f32
        linalg.yield %r : f32
    }} -> {masked}
    scf.yield %q : {masked}
  }}""",
            x,
            masked,
            f", %experts: tensor<{T}xi32>",
        ),
    )
    part = f"tensor<{E}x{T}x32xbf16>"
    wpart = f"tensor<{E}x{N}x32xbf16>"
    yield Variation(
        "halves-of-k",
        function(
            PLAIN,
            f"""
  %xa = tensor.extract_slice %x[0, 0, 0] [{E}, {T}, 32] [1, 1, 1] : {X} to {part}
  %xb = tensor.extract_slice %x[0, 0, 32] [{E}, {T}, 32] [1, 1, 1] : {X} to {part}
  %wa = tensor.extract_slice %w[0, 0, 0] [{E}, {N}, 32] [1, 1, 1] : {W} to {wpart}
  %wb = tensor.extract_slice %w[0, 0, 32] [{E}, {N}, 32] [1, 1, 1] : {W} to {wpart}
  {zeros(Y)}
  %ya = linalg.batch_matmul indexing_maps = [affine_map<(e, t, n, k) -> (e, t, k)>,
      affine_map<(e, t, n, k) -> (e, n, k)>, affine_map<(e, t, n, k) -> (e, t, n)>]
      ins(%xa, %wa : {part}, {wpart}) outs(%zeros : {Y}) -> {Y}
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, t, n, k) -> (e, t, k)>,
      affine_map<(e, t, n, k) -> (e, n, k)>, affine_map<(e, t, n, k) -> (e, t, n)>]
      ins(%xb, %wb : {part}, {wpart}) outs(%ya : {Y}) -> {Y}""",
            X,
            Y,
        ),
        matmuls=2,
    )
    yield Variation(
        "one-hot",
        function(
            PLAIN,
            zeros(masked)
            + f"""
  %y = linalg.generic {{indexing_maps = [affine_map<(t, n, e, k) -> (t, k)>,
      affine_map<(t, n, e, k) -> (e, n, k)>, affine_map<(t, n, e, k) -> (t, e)>,
      affine_map<(t, n, e, k) -> (t, n)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}}
      ins(%x, %w, %hot : {x}, {W}, tensor<{T}x{E}xf32>) outs(%zeros : {masked}) {{
    ^bb0(%a: bf16, %b: bf16, %h: f32, %sum: f32):
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %ab = arith.mulf %aw, %bw : f32
      %abh = arith.mulf %ab, %h : f32
      %next = arith.addf %sum, %abh : f32
      linalg.yield %next : f32
  }} -> {masked}""",
            x,
            masked,
            f", %hot: tensor<{T}x{E}xf32>",
        ),
        remark="is not raised",
    )
