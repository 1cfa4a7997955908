# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs whose codes and scales share words, by how they read them."""

from __future__ import annotations

from dataclasses import dataclass, field

from frontend_text import AT, FINISH, LOOK_UP, TABLE, E, N, T, generic, zeros

K = 128
W, X, Y = (
    f"tensor<{E}x{N}x{K}xbf16>",
    f"tensor<{E}x{T}x{K}xbf16>",
    f"tensor<{E}x{T}x{N}xf32>",
)
MATMUL = zeros(Y) + generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, t, n", Y, "e, t, n, k")


@dataclass
class Words:
    """A program whose codes are in words.

    Attributes:
        width: bits of a word.
        code: operations from `%word`, and `%shift` of its nibble, to `%code`, an i32.
        order: the nibble of each code of a word.
        scale_width: bits of a word of scales.
        scale: operations from `%scales`, a word, to `%wide`, an i32.
        words_at: where a word is, at loops over e, n, w (word) and i (in it).
        words: the shape of words, if it is not e, n, words along K.
    """

    width: int = 32
    code: str = ""
    order: list[int] = field(default_factory=list)
    scale_width: int = 8
    scale: str = ""
    number: str = LOOK_UP
    table: str = TABLE
    words_at: str = "e, n, w"
    words: str = ""
    matmul: str = MATMUL

    def text(self) -> str:
        """The program."""
        width, count = self.width, self.width // 4
        type_ = f"i{width}"
        order = self.order or list(range(count))
        shifts = ", ".join(str(4 * nibble) for nibble in order)
        blocks = K // 32 * 8 // self.scale_width
        codes = self.words or f"tensor<{E}x{N}x{K // count}x{type_}>"
        scales = f"tensor<{E}x{N}x{blocks}xi{self.scale_width}>"
        code = self.code or (
            f"%mask = arith.constant 15 : {type_}\n%down = arith.shrui %word, %shift : {type_}\n"
            f"%part = arith.andi %down, %mask : {type_}\n" + _to_i32("%part", "%code", width)
        )
        scale = self.scale or "%wide = arith.extui %scales : i8 to i32"
        apart = f"tensor<{E}x{N}x{K // count}x{count}xbf16>"
        words_per_scales = 32 // count * (self.scale_width // 8)
        return f"""func.func @main(%x: {X}, %c: {codes}, %s: {scales}) -> {Y} {{
  %zero = arith.constant 0.0 : f32
  {self.table}
  %shifts = arith.constant dense<[{shifts}]> : tensor<{count}x{type_}>
  %we = tensor.empty() : {apart}
  %wd = linalg.generic {{
      indexing_maps = [affine_map<(e, n, w, i) -> ({self.words_at})>,
                       affine_map<(e, n, w, i) -> (e, n, w floordiv {words_per_scales})>,
                       affine_map<(e, n, w, i) -> (i)>,
                       affine_map<(e, n, w, i) -> (e, n, w, i)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%c, %s, %shifts : {codes}, {scales}, tensor<{count}x{type_}>) outs(%we : {apart}) {{
    ^bb0(%word: {type_}, %scales: i{self.scale_width}, %shift: {type_}, %out: bf16):
      {code}
      {scale}
      {self.number}
      %places = arith.constant 23 : i32
      %bits = arith.shli %wide, %places : i32
      %power = arith.bitcast %bits : i32 to f32
      {FINISH}
      linalg.yield %value : bf16
  }} -> {apart}
  %w = tensor.collapse_shape %wd [[0], [1], [2, 3]] : {apart} into {W}
  {self.matmul}
  return %y : {Y}
}}
"""


def _to_i32(value: str, to: str, width: int) -> str:
    if width == 32:
        return f"%none32 = arith.constant 0 : i32\n{to} = arith.addi {value}, %none32 : i32\n"
    cast = "trunci" if width > 32 else "extui"
    return f"{to} = arith.{cast} {value} : i{width} to i32\n"


def _decoded(codes: str, scales: str, leading: str) -> str:
    """Values `%w` of words `%c` and scales `%s`, one operation on tensors after the other."""
    word, apart = f"tensor<{leading}x{K // 8}xi32>", f"tensor<{leading}x{K // 8}x8xi32>"
    number, wide = apart.replace("i32", "f32"), f"tensor<{leading}x{K // 32}xi32>"
    loops = "e, n" if "x" in leading else "n"
    kinds = ", ".join(['"parallel"'] * (loops.count(",") + 3))
    all_ = f"affine_map<({loops}, w, i) -> ({loops}, w, i)>"
    values = f"tensor<{leading}x{K}xbf16>"
    return f"""
  %down_e = tensor.empty() : {apart}
  %down = linalg.generic {{indexing_maps = [affine_map<({loops}, w, i) -> ({loops}, w)>,
      affine_map<({loops}, w, i) -> (i)>, {all_}], iterator_types = [{kinds}]}}
      ins({codes}, %shifts : {word}, tensor<8xi32>) outs(%down_e : {apart}) {{
    ^bb0(%word: i32, %shift: i32, %o: i32):
      %moved = arith.shrsi %word, %shift : i32
      linalg.yield %moved : i32
  }} -> {apart}
  %fifteen = arith.constant dense<15> : {apart}
  %code = arith.andi %down, %fifteen : {apart}
  %number_e = tensor.empty() : {number}
  %numbers = linalg.generic {{indexing_maps = [{all_}, {all_}], iterator_types = [{kinds}]}}
      ins(%code : {apart}) outs(%number_e : {number}) {{
    ^bb0(%code32: i32, %o: f32):
      {AT.replace("%code", "%code32")}
      %looked = tensor.extract %table[%at] : tensor<16xf32>
      linalg.yield %looked : f32
  }} -> {number}
  %wide = arith.extui {scales} : {wide.replace("i32", "i8")} to {wide}
  %places = arith.constant dense<23> : {wide}
  %bits = arith.shli %wide, %places : {wide}
  %powers = arith.bitcast %bits : {wide} to {wide.replace("i32", "f32")}
  %product_e = tensor.empty() : {apart.replace("i32", "bf16")}
  %products = linalg.generic {{indexing_maps = [{all_},
      affine_map<({loops}, w, i) -> ({loops}, w floordiv 4)>, {all_}], iterator_types = [{kinds}]}}
      ins(%numbers, %powers : {number}, {wide.replace("i32", "f32")})
      outs(%product_e : {apart.replace("i32", "bf16")}) {{
    ^bb0(%number: f32, %power: f32, %o: bf16):
      {FINISH}
      linalg.yield %value : bf16
  }} -> {apart.replace("i32", "bf16")}
  %w = tensor.collapse_shape %products {"[[0], [1], [2, 3]]" if "x" in leading else "[[0], [1, 2]]"}
      : {apart.replace("i32", "bf16")} into {values}"""


_CODES, _SCALES = f"tensor<{E}x{N}x{K // 8}xi32>", f"tensor<{E}x{N}x{K // 32}xi8>"
_BEFORE = f"""func.func @main(%x: {X}, %c: {_CODES}, %s: {_SCALES}) -> {Y} {{
  %zero = arith.constant 0.0 : f32
  {TABLE}
  %shifts = arith.constant dense<[{", ".join(str(4 * i) for i in range(8))}]> : tensor<8xi32>"""


def apart() -> str:
    """One operation on tensors after the other."""
    return f"""{_BEFORE}
  {_decoded("%c", "%s", f"{E}x{N}")}
  {MATMUL}
  return %y : {Y}
}}
"""


def loop() -> str:
    """The same for an expert at a time."""
    rows, sums = f"tensor<{T}x{K}xbf16>", f"tensor<{T}x{N}xf32>"
    words, scales = f"tensor<{N}x{K // 8}xi32>", f"tensor<{N}x{K // 32}xi8>"
    matmul = zeros(sums) + generic(
        "%xe, %w", f"{rows}, tensor<{N}x{K}xbf16>", "t, k; n, k; t, n", sums, "t, n, k"
    )
    return f"""{_BEFORE}
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant {E} : index
  %empty = tensor.empty() : {Y}
  %y = scf.for %i = %c0 to %c4 step %c1 iter_args(%all = %empty) -> ({Y}) {{
    %xe = tensor.extract_slice %x[%i, 0, 0] [1, {T}, {K}] [1, 1, 1] : {X} to {rows}
    %ce = tensor.extract_slice %c[%i, 0, 0] [1, {N}, {K // 8}] [1, 1, 1] : {_CODES} to {words}
    %se = tensor.extract_slice %s[%i, 0, 0] [1, {N}, {K // 32}] [1, 1, 1] : {_SCALES} to {scales}
    {_decoded("%ce", "%se", f"{N}")}
    {matmul.replace("%y = ", "%ye = ")}
    %next = tensor.insert_slice %ye into %all[%i, 0, 0] [1, {T}, {N}] [1, 1, 1] : {sums} into {Y}
    scf.yield %next : {Y}
  }}
  return %y : {Y}
}}
"""


def in_body() -> str:
    """The decode in the body of the sum, of words that run along K first, as GPTQ has them."""
    words, scales = f"tensor<{E}x{K // 8}x{N}xi32>", f"tensor<{E}x{K // 32}x{N}xi8>"
    return f"""func.func @main(%x: {X}, %c: {words}, %s: {scales}) -> {Y} {{
  %zero = arith.constant 0.0 : f32
  {TABLE}
  {zeros(Y)}
  %y = linalg.generic {{indexing_maps = [affine_map<(e, t, n, k) -> (e, t, k)>,
      affine_map<(e, t, n, k) -> (e, k floordiv 8, n)>,
      affine_map<(e, t, n, k) -> (e, k floordiv 32, n)>, affine_map<(e, t, n, k) -> (e, t, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}}
      ins(%x, %c, %s : {X}, {words}, {scales}) outs(%zeros : {Y}) {{
    ^bb0(%a: bf16, %word: i32, %scale: i8, %sum: f32):
      %k = linalg.index 3 : index
      %k32 = arith.index_cast %k : index to i32
      %seven = arith.constant 7 : i32
      %four = arith.constant 4 : i32
      %nibble = arith.andi %k32, %seven : i32
      %by = arith.muli %nibble, %four : i32
      %down = arith.shrui %word, %by : i32
      %mask = arith.constant 15 : i32
      %code = arith.andi %down, %mask : i32
      {LOOK_UP}
      %wide = arith.extui %scale : i8 to i32
      %places = arith.constant 23 : i32
      %bits = arith.shli %wide, %places : i32
      %power = arith.bitcast %bits : i32 to f32
      {FINISH}
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %value : bf16 to f32
      %ab = arith.mulf %aw, %bw : f32
      %next = arith.addf %sum, %ab : f32
      linalg.yield %next : f32
  }} -> {Y}
  return %y : {Y}
}}
"""
