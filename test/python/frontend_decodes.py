# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Decodes of the kinds that front ends emit, in spellings that none of the stored files has."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_text import ALL, AT, BITS, FINISH, LOOK_UP, POWER, TABLE, VALUES, decode, numbers


def _computed_tables() -> str:
    """A table of codes with a dimension of one, and one of scales that is rounded from f64."""
    scales = numbers([2.0 ** (byte - 127) for byte in range(255)] + [0.0])
    constants = f"""{TABLE}
  %column = tensor.expand_shape %table [[0, 1]] output_shape [16, 1]
      : tensor<16xf32> into tensor<16x1xf32>
  %exact = arith.constant dense<[{scales}]> : tensor<256xf64>
  %empty = tensor.empty() : tensor<256xf32>
  %powers = linalg.generic {{indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}}
      ins(%exact : tensor<256xf64>) outs(%empty : tensor<256xf32>) {{
    ^bb0(%from: f64, %out: f32):
      %rounded = arith.truncf %from : f64 to f32
      linalg.yield %rounded : f32
  }} -> tensor<256xf32>"""
    look_up = (
        AT + "%none = arith.constant 0 : index\n"
        "%number = tensor.extract %column[%at, %none] : tensor<16x1xf32>\n"
        "%byte_of = arith.extui %scale : i8 to i32\n"
        "%at_scale = arith.index_cast %byte_of : i32 to index\n"
        "%power = tensor.extract %powers[%at_scale] : tensor<256xf32>\n"
    )
    return decode(look_up + FINISH, constants=constants)


def decodes() -> Iterator[tuple[str, str, str, str]]:
    """A name, a decode, promises, and the remark if there is one."""
    promise = "scales=2,254"
    turned = numbers(ALL[8:] + ALL[:8])
    yield (
        "table-turned",
        decode(
            "%flip = arith.constant 8 : i32\n%other = arith.xori %code, %flip : i32\n"
            "%at = arith.index_cast %other : i32 to index\n"
            "%number = tensor.extract %table[%at] : tensor<16xf32>\n" + BITS + FINISH,
            constants=f"%table = arith.constant dense<[{turned}]> : tensor<16xf32>",
        ),
        promise,
        "",
    )
    yield (
        "table-copysign",
        decode(
            "%seven = arith.constant 7 : i32\n%low = arith.andi %code, %seven : i32\n"
            "%at = arith.index_cast %low : i32 to index\n"
            "%size = tensor.extract %table[%at] : tensor<8xf32>\n"
            "%c28 = arith.constant 28 : i32\n%signs = arith.shli %code, %c28 : i32\n"
            "%sign = arith.bitcast %signs : i32 to f32\n"
            "%number = math.copysign %size, %sign : f32\n" + BITS + FINISH,
            constants=f"%table = arith.constant dense<[{numbers(VALUES)}]> : tensor<8xf32>",
        ),
        promise,
        "",
    )
    yield (
        "table-doubled-integers",
        decode(
            AT + "%twice = tensor.extract %table[%at] : tensor<16xi8>\n"
            "%double = arith.sitofp %twice : i8 to f32\n%h = arith.constant 0.5 : f32\n"
            "%number = arith.mulf %double, %h : f32\n" + BITS + FINISH,
            constants="%table = arith.constant dense<[0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4,"
            " -6, -8, -12]> : tensor<16xi8>",
        ),
        promise + " unsigned-zero",
        "",
    )
    yield ("exp2", decode(LOOK_UP + POWER + FINISH, constants=TABLE), promise, "")
    yield ("tables-computed", _computed_tables(), promise, "")
    yield (
        "f64",
        decode(
            LOOK_UP + BITS + "%n64 = arith.extf %number : f32 to f64\n"
            "%p64 = arith.extf %power : f32 to f64\n%product = arith.mulf %n64, %p64 : f64\n"
            "%value = arith.truncf %product : f64 to bf16",
            constants=TABLE,
        ),
        promise,
        "",
    )
    yield (
        "fpowi",
        decode(
            LOOK_UP + "%wide = arith.extui %scale : i8 to i32\n%bias = arith.constant 127 : i32\n"
            "%exponent = arith.subi %wide, %bias : i32\n%two = arith.constant 2.0 : f32\n"
            "%power = math.fpowi %two, %exponent : f32, i32\n" + FINISH,
            constants=TABLE,
        ),
        promise,
        "",
    )
    yield (
        "division",
        decode(
            LOOK_UP + "%wide = arith.extui %scale : i8 to i32\n%top = arith.constant 254 : i32\n"
            "%down = arith.subi %top, %wide : i32\n%places = arith.constant 23 : i32\n"
            "%bits = arith.shli %down, %places : i32\n%inverse = arith.bitcast %bits : i32 to f32\n"
            "%product = arith.divf %number, %inverse : f32\n"
            "%value = arith.truncf %product : f32 to bf16",
            constants=TABLE,
        ),
        "scales=2,253",
        "",
    )
    bytes_ = ", ".join(
        f"[{float(ALL[byte & 15])!r}, {float(ALL[byte >> 4])!r}]" for byte in range(256)
    )
    yield (
        "table-of-bytes",
        decode(
            "%wide8 = arith.extui %byte : i8 to i32\n%at = arith.index_cast %wide8 : i32 to index\n"
            "%half = linalg.index 4 : index\n"
            "%number = tensor.extract %table[%at, %half] : tensor<256x2xf32>\n" + BITS + FINISH,
            constants=f"%table = arith.constant dense<[{bytes_}]> : tensor<256x2xf32>",
            nibble="%unused = arith.constant 0 : i32",
        ),
        promise,
        "",
    )
    yield (
        "high-nibble-first",
        decode(
            "%half = linalg.index 4 : index\n%half8 = arith.index_cast %half : index to i8\n"
            "%four = arith.constant 4 : i8\n%one8 = arith.constant 1 : i8\n"
            "%turned = arith.subi %one8, %half8 : i8\n%by = arith.muli %turned, %four : i8\n"
            "%shifted = arith.shrui %byte, %by : i8\n%fifteen = arith.constant 15 : i8\n"
            "%code8 = arith.andi %shifted, %fifteen : i8\n%code = arith.extui %code8 : i8 to i32\n"
            + LOOK_UP
            + BITS
            + FINISH,
            constants=TABLE,
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
        decode(
            "%seven = arith.constant 7 : i32\n%low = arith.andi %code, %seven : i32\n"
            f"%m0 = arith.constant 0.0 : f32\n{magnitude}\n%neg = arith.negf %m8 : f32\n"
            "%is = arith.cmpi ugt, %code, %seven : i32\n"
            "%number = arith.select %is, %neg, %m8 : f32\n" + BITS + FINISH
        ),
        promise,
        "",
    )
    yield (
        "exponent-sum",
        decode(
            LOOK_UP + "%wide = arith.extui %scale : i8 to i32\n%bias = arith.constant 127 : i32\n"
            "%exponent = arith.subi %wide, %bias : i32\n%places = arith.constant 23 : i32\n"
            "%more = arith.shli %exponent, %places : i32\n"
            "%bits = arith.bitcast %number : f32 to i32\n"
            "%moved = arith.addi %bits, %more : i32\n%made = arith.bitcast %moved : i32 to f32\n"
            "%none = arith.cmpf oeq, %number, %zero : f32\n"
            "%product = arith.select %none, %number, %made : f32\n"
            "%value = arith.truncf %product : f32 to bf16",
            constants=TABLE,
        ),
        "scales=2,252",
        "",
    )
    for name, wrong_code, remark in (("", None, ""), ("-wrong", 9, "code 9 with scale byte 200")):
        products = [
            [v * 2.0 ** (s - 127) * (1 + ((code, s) == (wrong_code, 200)))
             for code, v in enumerate(ALL)]
            for s in range(255)
        ]  # fmt: skip
        rows = ", ".join(f"[{numbers(row)}]" for row in products)
        yield (
            f"table-of-both{name}",
            decode(
                AT + "%s64 = arith.index_castui %scale : i8 to index\n"
                "%number = tensor.extract %table[%s64, %at] : tensor<255x16xf32>\n"
                "%value = arith.truncf %number : f32 to bf16",
                constants=f"%table = arith.constant dense<[{rows}]> : tensor<255x16xf32>",
            ),
            promise,
            remark,
        )
    wrong = numbers([*VALUES[:7], 5.0, *ALL[8:]])
    yield (
        "wrong-table",
        decode(
            LOOK_UP + BITS + FINISH,
            constants=f"%table = arith.constant dense<[{wrong}]> : tensor<16xf32>",
        ),
        promise,
        "code 7",
    )
    yield (
        "wrong-bias",
        decode(LOOK_UP + POWER.replace("127", "126") + FINISH, constants=TABLE),
        promise,
        "code 1",
    )
    yield (
        "f16-product",
        decode(
            LOOK_UP + BITS + "%n16 = arith.truncf %number : f32 to f16\n"
            "%p16 = arith.truncf %power : f32 to f16\n%h = arith.mulf %n16, %p16 : f16\n"
            "%product = arith.extf %h : f16 to f32\n%value = arith.truncf %product : f32 to bf16",
            constants=TABLE,
        ),
        promise,
        "promise that scale bytes are",
    )
