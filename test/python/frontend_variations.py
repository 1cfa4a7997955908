# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of the kinds that front ends emit, in spellings that none of the stored files has."""

from __future__ import annotations

from collections.abc import Iterator
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
    """

    name: str
    text: str
    options: str = "scales=2,254"
    remark: str = ""


def _numbers(values: list[float]) -> str:
    return ", ".join(repr(float(value)) for value in values)


def _decode(body: str, type_: str = "bf16", constants: str = "", nibble: str = "") -> str:
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


_AT = "%at = arith.index_cast %code : i32 to index\n"
_TABLE = f"%table = arith.constant dense<[{_numbers(ALL)}]> : tensor<16xf32>"
_LOOK_UP = _AT + "%number = tensor.extract %table[%at] : tensor<16xf32>\n"
_POWER = """%wide = arith.extui %scale : i8 to i32
      %bias = arith.constant 127 : i32
      %exponent = arith.subi %wide, %bias : i32
      %float = arith.sitofp %exponent : i32 to f32
      %power = math.exp2 %float : f32
"""
_BITS = """%wide = arith.extui %scale : i8 to i32
      %places = arith.constant 23 : i32
      %bits = arith.shli %wide, %places : i32
      %power = arith.bitcast %bits : i32 to f32
"""
_FINISH = """%product = arith.mulf %number, %power : f32
      %value = arith.truncf %product : f32 to bf16"""
PLAIN = _decode(_LOOK_UP + _BITS + _FINISH, constants=_TABLE)


def _function(decode: str, matmul: str, x: str, y: str, rest: str = "") -> str:
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


def _zeros(type_: str) -> str:
    return f"""%none = tensor.empty() : {type_}
  %zeros = linalg.fill ins(%zero : f32) outs(%none : {type_}) -> {type_}
"""


def _generic(ins: str, types: str, maps: str, out: str, loops: str, dtype: str = "bf16") -> str:
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
BATCHED = _zeros(Y) + _generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, t, n", Y, "e, t, n, k")


PLAIN_BITS_OF = dict.fromkeys(
    ("decode-table-copysign", "decode-fpowi"), _function(PLAIN, BATCHED, X, Y)
)
"""A program that computes the same, for those with operations that no pass takes to the CPU."""


def _decodes() -> Iterator[tuple[str, str, str, str]]:
    """A name, a decode, promises, and the remark if there is one."""
    promise = "scales=2,254"
    turned = _numbers(ALL[8:] + ALL[:8])
    yield (
        "table-turned",
        _decode(
            "%flip = arith.constant 8 : i32\n%other = arith.xori %code, %flip : i32\n"
            "%at = arith.index_cast %other : i32 to index\n"
            "%number = tensor.extract %table[%at] : tensor<16xf32>\n" + _BITS + _FINISH,
            constants=f"%table = arith.constant dense<[{turned}]> : tensor<16xf32>",
        ),
        promise,
        "",
    )
    yield (
        "table-copysign",
        _decode(
            "%seven = arith.constant 7 : i32\n%low = arith.andi %code, %seven : i32\n"
            "%at = arith.index_cast %low : i32 to index\n"
            "%size = tensor.extract %table[%at] : tensor<8xf32>\n"
            "%c28 = arith.constant 28 : i32\n%signs = arith.shli %code, %c28 : i32\n"
            "%sign = arith.bitcast %signs : i32 to f32\n"
            "%number = math.copysign %size, %sign : f32\n" + _BITS + _FINISH,
            constants=f"%table = arith.constant dense<[{_numbers(VALUES)}]> : tensor<8xf32>",
        ),
        promise,
        "",
    )
    yield (
        "table-doubled-integers",
        _decode(
            _AT + "%twice = tensor.extract %table[%at] : tensor<16xi8>\n"
            "%double = arith.sitofp %twice : i8 to f32\n%h = arith.constant 0.5 : f32\n"
            "%number = arith.mulf %double, %h : f32\n" + _BITS + _FINISH,
            constants="%table = arith.constant dense<[0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4,"
            " -6, -8, -12]> : tensor<16xi8>",
        ),
        promise + " unsigned-zero",
        "",
    )
    yield ("exp2", _decode(_LOOK_UP + _POWER + _FINISH, constants=_TABLE), promise, "")
    yield (
        "f64",
        _decode(
            _LOOK_UP + _BITS + "%n64 = arith.extf %number : f32 to f64\n"
            "%p64 = arith.extf %power : f32 to f64\n%product = arith.mulf %n64, %p64 : f64\n"
            "%value = arith.truncf %product : f64 to bf16",
            constants=_TABLE,
        ),
        promise,
        "",
    )
    yield (
        "fpowi",
        _decode(
            _LOOK_UP + "%wide = arith.extui %scale : i8 to i32\n%bias = arith.constant 127 : i32\n"
            "%exponent = arith.subi %wide, %bias : i32\n%two = arith.constant 2.0 : f32\n"
            "%power = math.fpowi %two, %exponent : f32, i32\n" + _FINISH,
            constants=_TABLE,
        ),
        promise,
        "",
    )
    yield (
        "division",
        _decode(
            _LOOK_UP + "%wide = arith.extui %scale : i8 to i32\n%top = arith.constant 254 : i32\n"
            "%down = arith.subi %top, %wide : i32\n%places = arith.constant 23 : i32\n"
            "%bits = arith.shli %down, %places : i32\n%inverse = arith.bitcast %bits : i32 to f32\n"
            "%product = arith.divf %number, %inverse : f32\n"
            "%value = arith.truncf %product : f32 to bf16",
            constants=_TABLE,
        ),
        "scales=2,253",
        "",
    )
    bytes_ = ", ".join(
        f"[{float(ALL[byte & 15])!r}, {float(ALL[byte >> 4])!r}]" for byte in range(256)
    )
    yield (
        "table-of-bytes",
        _decode(
            "%wide8 = arith.extui %byte : i8 to i32\n%at = arith.index_cast %wide8 : i32 to index\n"
            "%half = linalg.index 4 : index\n"
            "%number = tensor.extract %table[%at, %half] : tensor<256x2xf32>\n" + _BITS + _FINISH,
            constants=f"%table = arith.constant dense<[{bytes_}]> : tensor<256x2xf32>",
            nibble="%unused = arith.constant 0 : i32",
        ),
        promise,
        "",
    )
    yield (
        "high-nibble-first",
        _decode(
            "%half = linalg.index 4 : index\n%half8 = arith.index_cast %half : index to i8\n"
            "%four = arith.constant 4 : i8\n%one8 = arith.constant 1 : i8\n"
            "%turned = arith.subi %one8, %half8 : i8\n%by = arith.muli %turned, %four : i8\n"
            "%shifted = arith.shrui %byte, %by : i8\n%fifteen = arith.constant 15 : i8\n"
            "%code8 = arith.andi %shifted, %fifteen : i8\n%code = arith.extui %code8 : i8 to i32\n"
            + _LOOK_UP
            + _BITS
            + _FINISH,
            constants=_TABLE,
            nibble="%unused = arith.constant 0 : i32",
        ),
        promise,
        "",
    )
    magnitude = "\n".join(
        f"%v{i} = arith.constant {float(v)!r} : f32\n%i{i} = arith.constant {i} : i32\n"
        f"%is{i} = arith.cmpi eq, %low, %i{i} : i32\n"
        f"%m{i + 1} = arith.select %is{i}, %v{i}, %m{i} : f32"
        for i, v in enumerate(VALUES)
    )
    yield (
        "selects",
        _decode(
            "%seven = arith.constant 7 : i32\n%low = arith.andi %code, %seven : i32\n"
            f"%m0 = arith.constant 0.0 : f32\n{magnitude}\n%neg = arith.negf %m8 : f32\n"
            "%is = arith.cmpi ugt, %code, %seven : i32\n"
            "%number = arith.select %is, %neg, %m8 : f32\n" + _BITS + _FINISH
        ),
        promise,
        "",
    )
    yield (
        "exponent-sum",
        _decode(
            _LOOK_UP + "%wide = arith.extui %scale : i8 to i32\n%bias = arith.constant 127 : i32\n"
            "%exponent = arith.subi %wide, %bias : i32\n%places = arith.constant 23 : i32\n"
            "%more = arith.shli %exponent, %places : i32\n"
            "%bits = arith.bitcast %number : f32 to i32\n"
            "%moved = arith.addi %bits, %more : i32\n%made = arith.bitcast %moved : i32 to f32\n"
            "%none = arith.cmpf oeq, %number, %zero : f32\n"
            "%product = arith.select %none, %number, %made : f32\n"
            "%value = arith.truncf %product : f32 to bf16",
            constants=_TABLE,
        ),
        "scales=2,252",
        "",
    )
    wrong = _numbers([*VALUES[:7], 5.0, *ALL[8:]])
    yield (
        "wrong-table",
        _decode(
            _LOOK_UP + _BITS + _FINISH,
            constants=f"%table = arith.constant dense<[{wrong}]> : tensor<16xf32>",
        ),
        promise,
        "code 7",
    )
    yield (
        "wrong-bias",
        _decode(_LOOK_UP + _POWER.replace("127", "126") + _FINISH, constants=_TABLE),
        promise,
        "code 1",
    )
    yield (
        "f16-product",
        _decode(
            _LOOK_UP + _BITS + "%n16 = arith.truncf %number : f32 to f16\n"
            "%p16 = arith.truncf %power : f32 to f16\n%h = arith.mulf %n16, %p16 : f16\n"
            "%product = arith.extf %h : f16 to f32\n%value = arith.truncf %product : f32 to bf16",
            constants=_TABLE,
        ),
        promise,
        "promise that scale bytes are",
    )


def _matmuls() -> Iterator[Variation]:
    wt = f"tensor<{E}x{K}x{N}xbf16>"
    yield Variation(
        "k-major",
        _function(
            PLAIN,
            f"""%te = tensor.empty() : {wt}
  %t = linalg.transpose ins(%w : {W}) outs(%te : {wt}) permutation = [0, 2, 1]
  {_zeros(Y)}
  %y = linalg.batch_matmul ins(%x, %t : {X}, {wt}) outs(%zeros : {Y}) -> {Y}""",
            X,
            Y,
        ),
    )
    x, y, flat = f"tensor<{T}x{K}xbf16>", f"tensor<{T}x{E * N}xf32>", f"tensor<{E * N}x{K}xbf16>"
    yield Variation(
        "flattened-experts",
        _function(
            PLAIN,
            f"%f = tensor.collapse_shape %w [[0, 1], [2]] : {W} into {flat}\n"
            + _zeros(y)
            + _generic("%x, %f", f"{x}, {flat}", "t, k; n, k; t, n", y, "t, n, k"),
            x,
            y,
        ),
    )
    yield Variation(
        "bias-as-initial-value",
        _function(
            PLAIN,
            f"""%none = tensor.empty() : {Y}
  %zeros = linalg.broadcast ins(%bias : tensor<{E}x{N}xf32>) outs(%none : {Y}) dimensions = [1]
  """
            + _generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, t, n", Y, "e, t, n, k"),
            X,
            Y,
            f", %bias: tensor<{E}x{N}xf32>",
        ),
    )
    turned = f"tensor<{E}x{N}x{T}xf32>"
    yield Variation(
        "result-transposed",
        _function(
            PLAIN,
            _zeros(turned)
            + _generic("%x, %w", f"{X}, {W}", "e, t, k; e, n, k; e, n, t", turned, "e, n, t, k"),
            X,
            turned,
        ),
    )
    half = X.replace("bf16", "f16")
    yield Variation("f16-rows", _function(
        PLAIN, _zeros(Y) + _generic("%x, %w", f"{half}, {W}", "e, t, k; e, n, k; e, t, n", Y,
                                    "e, t, n, k", "f16"), half, Y),
        "scales=2,254 bf16-rows")  # fmt: skip
    yield Variation("f16-rows-unpromised", _function(
        PLAIN, _zeros(Y) + _generic("%x, %w", f"{half}, {W}", "e, t, k; e, n, k; e, t, n", Y,
                                    "e, t, n, k", "f16"), half, Y),
        remark="bf16-rows")  # fmt: skip
    everywhere = f"tensor<{E}x{T}x{N}xf32>"
    yield Variation(
        "every-row-by-every-expert",
        _function(
            PLAIN,
            _zeros(everywhere)
            + _generic("%x, %w", f"{x}, {W}", "t, k; e, n, k; e, t, n", everywhere, "e, t, n, k"),
            x,
            everywhere,
        ),
    )
    one, row = f"tensor<{E}x{K}xbf16>", f"tensor<{E}x{N}xf32>"
    yield Variation(
        "one-row-an-expert",
        _function(
            PLAIN,
            _zeros(row) + _generic("%x, %w", f"{one}, {W}", "e, k; e, n, k; e, n", row, "e, n, k"),
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
            _function(
                PLAIN,
                begin + loop,
                f"tensor<?x{K}xbf16>",
                f"tensor<?x{N}xf32>",
                ", %offsets: tensor<5xi32>",
            ),
        )
    masked = f"tensor<{T}x{N}xf32>"
    yield Variation(
        "masks",
        _function(
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
        _function(
            PLAIN,
            f"""
  %xa = tensor.extract_slice %x[0, 0, 0] [{E}, {T}, 32] [1, 1, 1] : {X} to {part}
  %xb = tensor.extract_slice %x[0, 0, 32] [{E}, {T}, 32] [1, 1, 1] : {X} to {part}
  %wa = tensor.extract_slice %w[0, 0, 0] [{E}, {N}, 32] [1, 1, 1] : {W} to {wpart}
  %wb = tensor.extract_slice %w[0, 0, 32] [{E}, {N}, 32] [1, 1, 1] : {W} to {wpart}
  {_zeros(Y)}
  %ya = linalg.batch_matmul indexing_maps = [affine_map<(e, t, n, k) -> (e, t, k)>,
      affine_map<(e, t, n, k) -> (e, n, k)>, affine_map<(e, t, n, k) -> (e, t, n)>]
      ins(%xa, %wa : {part}, {wpart}) outs(%zeros : {Y}) -> {Y}
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, t, n, k) -> (e, t, k)>,
      affine_map<(e, t, n, k) -> (e, n, k)>, affine_map<(e, t, n, k) -> (e, t, n)>]
      ins(%xb, %wb : {part}, {wpart}) outs(%ya : {Y}) -> {Y}""",
            X,
            Y,
        ),
        remark="slice whole rows",
    )
    yield Variation(
        "one-hot",
        _function(
            PLAIN,
            _zeros(masked)
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


def variations() -> list[Variation]:
    """Decodes with one matmul, and matmuls with one decode."""
    found = [
        Variation(f"decode-{name}", _function(decode, BATCHED, X, Y), options, remark)
        for name, decode, options, remark in _decodes()
    ]
    return found + list(_matmuls())
