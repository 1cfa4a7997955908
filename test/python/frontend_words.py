# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Codes and scales that share words, eight codes or four scales in 32 bits, as MLX keeps them."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_text import E, N, Variation
from frontend_word_programs import K, Words, apart, in_body, loop

AWQ = [0, 4, 1, 5, 2, 6, 3, 7]
"""The nibbles of neighbouring codes."""

_DOWN = "%d = arith.shrui %word, %shift : i32\n%code = arith.andi %mask, %d : i32"


def _shift_by(position: str) -> str:
    """The code at a position of its word."""
    return f"""%two = arith.constant 2 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      {position}
      %at4 = arith.muli %nibble, %four : index
      %by = arith.index_cast %at4 : index to i32
      %down = arith.shrui %word, %by : i32
      %mask = arith.constant 15 : i32
      %code = arith.andi %down, %mask : i32"""


def _masked(operations: str, mask: int = 15) -> str:
    return f"%mask = arith.constant {mask} : i32\n{operations}\n"


_BYTE = """%eight = arith.constant 8 : i32
      %by8 = arith.divui %shift, %eight : i32
      %at8 = arith.muli %by8, %eight : i32
      %low8 = arith.shrui %word, %at8 : i32
      %byte = arith.trunci %low8 : i32 to i8"""


def _scale_of(width: int, last: str) -> str:
    """The scale byte of a word at the position of the block."""
    type_ = f"i{width}"
    words = 32 // 8
    return f"""%at_word = linalg.index 2 : index
      %per_block = arith.constant {words} : index
      %per_word = arith.constant {width // 8} : index
      %block = arith.divui %at_word, %per_block : index
      %in_word = arith.remui %block, %per_word : index
      %in_word_i = arith.index_cast %in_word : index to {type_}
      %bits8 = arith.constant 8 : {type_}
      %down_by = arith.muli %in_word_i, %bits8 : {type_}
      {last}"""


def words() -> Iterator[Variation]:
    """A name, a program, and the remark if there is one."""
    promise = "scales=2,254"

    def raised(name: str, program: Words) -> Variation:
        return Variation(f"words-{name}", program.text(), promise)

    def refused(name: str, remark: str, program: Words) -> Variation:
        return Variation(f"words-{name}", program.text(), promise, remark)

    yield raised("mlx", Words())
    yield raised("16", Words(width=16))
    yield raised("64", Words(width=64))
    yield raised("awq", Words(order=AWQ))
    yield raised("by-position", Words(code=_shift_by("%nibble = linalg.index 3 : index")))
    yield raised("high-first", Words(order=list(reversed(range(8)))))
    yield raised("any-order", Words(order=[3, 1, 7, 0, 2, 5, 6, 4]))
    yield raised(
        "signed-shift",
        Words(code=_masked("%d = arith.shrsi %word, %shift : i32\n"
                           "%code = arith.andi %mask, %d : i32")),
    )  # fmt: skip
    yield raised(
        "mask-first",
        Words(code=_masked("%there = arith.shli %mask, %shift : i32\n"
                           "%kept = arith.andi %word, %there : i32\n"
                           "%code = arith.shrui %kept, %shift : i32")),
    )  # fmt: skip
    yield raised(
        "up-and-down",
        Words(
            code="""%c28 = arith.constant 28 : i32
      %by = arith.subi %c28, %shift : i32
      %up = arith.shli %word, %by : i32
      %code = arith.shrui %up, %c28 : i32"""
        ),
    )
    yield raised(
        "narrowed",
        Words(
            code="""%down = arith.shrui %word, %shift : i32
      %code4 = arith.trunci %down : i32 to i4
      %code = arith.extui %code4 : i4 to i32"""
        ),
    )
    nibble = """%four8 = arith.constant 4 : i32
      %odd = arith.andi %shift, %four8 : i32
      %odd8 = arith.trunci %odd : i32 to i8
      %half8 = arith.shrui %byte, %odd8 : i8
      %fifteen = arith.constant 15 : i8
      %code8 = arith.andi %half8, %fifteen : i8
      %code = arith.extui %code8 : i8 to i32"""
    yield raised("bytes-first", Words(code=f"{_BYTE}\n{nibble}"))
    yield raised(
        "scales-16",
        Words(scale_width=16, scale=_scale_of(16, """%own = arith.shrui %scales, %down_by : i16
      %only8 = arith.trunci %own : i16 to i8
      %wide = arith.extui %only8 : i8 to i32""")),
    )  # fmt: skip
    yield raised(
        "scales-32",
        Words(scale_width=32, scale=_scale_of(32, """%only = arith.constant 255 : i32
      %own = arith.shrsi %scales, %down_by : i32
      %wide = arith.andi %own, %only : i32""")),
    )  # fmt: skip
    yield raised(
        "scales-checked",
        Words(scale_width=32, scale=_scale_of(32, """%only = arith.constant 255 : i32
      %most = arith.constant 32 : i32
      %none = arith.constant 0 : i32
      %fits = arith.cmpi ult, %down_by, %most : i32
      %moved = arith.shrui %scales, %down_by : i32
      %own = arith.select %fits, %moved, %none : i32
      %wide = arith.andi %own, %only : i32""")),
    )  # fmt: skip
    yield Variation("words-apart", apart(), promise)
    yield Variation("words-loop", loop(), promise)
    yield Variation("words-in-body", in_body(), promise)
    yield refused(
        "no-mask",
        "on all 32 bits of a number at once",
        Words(
            code=_masked(
                "%down = arith.shrui %word, %shift : i32\n%code = arith.minui %mask, %down : i32"
            ),
        ),
    )
    yield refused(
        "one-bit-less",
        "the decode is not exact",
        Words(code=_masked(_DOWN, 7)),
    )
    yield refused(
        "arithmetic",
        "the decode is not exact: code 1 ",
        Words(number="%number = arith.uitofp %code : i32 to f32", table=""),
    )
    yield refused(
        "one-nibble-twice",
        "each nibble of a word must be the code of one position",
        Words(order=[0, 1, 2, 3, 4, 5, 6, 6]),
    )
    yield refused(
        "sign",
        "the decode is not exact",
        Words(
            code="""%c28 = arith.constant 28 : i32
      %by = arith.subi %c28, %shift : i32
      %up = arith.shli %word, %by : i32
      %code = arith.shrsi %up, %c28 : i32""",
            number="%number = arith.sitofp %code : i32 to f32",
        ),
    )
    yield refused(
        "columns",
        "each word must have the codes of 8 neighbouring positions along K",
        Words(
            code=_shift_by("%n = linalg.index 1 : index\n%nibble = arith.remui %n, %eight : index"),
            words_at="e, n floordiv 8, w * 8 + i",
            words=f"tensor<{E}x{N // 8}x{K}xi32>",
        ),
    )
    yield refused(
        "across-words",
        "each word must have the codes of 8 neighbouring positions along K",
        Words(
            code=_shift_by("""%w0 = linalg.index 2 : index
      %i0 = linalg.index 3 : index
      %half = arith.divui %i0, %four : index
      %w4 = arith.remui %w0, %four : index
      %w8 = arith.muli %w4, %two : index
      %nibble = arith.addi %w8, %half : index"""),
            words_at="e, n, (w floordiv 4) * 4 + i mod 4",
        ),
    )
    masked = (
        "%only = arith.constant 255 : i32\n%own = arith.shrui %scales, %down_by : i32\n"
        "%wide = arith.andi %own, %only : i32"
    )
    unmasked = "%wide = arith.shrui %scales, %down_by : i32"
    for name, bits, last, remark in (
        ("between", 4, masked, "no code and no scale begins at"),
        ("unmasked", 8, unmasked, "mask the shifted word"),
        (
            "too-far",
            16,
            masked,
            "a number of 32 bits is shifted by a position that may be larger",
        ),
    ):
        yield refused(
            f"scale-{name}",
            remark,
            Words(
                scale_width=32,
                scale=_scale_of(32, last).replace("constant 8 : i32", f"constant {bits} : i32"),
            ),
        )
