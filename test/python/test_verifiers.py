# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operations whose operands do not fit each other: one type of a good program is changed at a time,
and the verifier must say what it requires."""

from __future__ import annotations

import re

import mxfp4
import pytest
from mxfp4 import library

pytestmark = pytest.mark.skipif(library.find() is None, reason="the compiler is not built")

MATMUL = {"x": "?x96xbf16", "w": "3x2x2x!mxfp4.block<spread, raw>", "o": "5xi32", "ids": "4xi32",
          "g": "10xi32", "t": "10xi32", "y": "7x70xbf16", "e": "1xi32"}  # fmt: skip
PROGRAMS = {
    "grouped_matmul": (
        "mxfp4.grouped_matmul activations(%x : {x}) gather(%g : {g}) weights(%w : {w}) "
        "offsets(%o : {o}) expert_ids(%ids : {ids}) outs(%y : {y}) scatter(%t : {t}) "
        "error(%e : {e})",
        MATMUL,
    ),
    "grouped_matmul of codes": (
        "mxfp4.grouped_matmul activations(%x : {x}) weights(%c, %s : {c}, {s}) "
        "offsets(%o : {o}) outs(%y : {y})",
        {"x": "10x96xbf16", "c": "4x70x3x16xi8", "s": "4x70x3xi8", "o": "5xi32", "y": "10x70xf32"},
    ),
    "pack": (
        "mxfp4.pack codes(%c : {c}) scales(%s : {s}) outs(%w : {w})",
        {"c": "4x70x3x16xi8", "s": "4x70x3xi8", "w": "4x2x2x!mxfp4.block<spread, raw>"},
    ),
    "unpack": (
        "mxfp4.unpack blocks(%w : {w}) outs(%c, %s : {c}, {s})",
        {"w": "4x2x2x!mxfp4.block<spread, raw>", "c": "4x70x3x16xi8", "s": "4x70x3xi8"},
    ),
    "quantize": (
        "mxfp4.quantize ins(%v : {v}) outs(%c, %s : {c}, {s})",
        {"v": "4x70x96xf32", "c": "4x70x3x16xi8", "s": "4x70x3xi8"},
    ),
    "dequantize": (
        "mxfp4.dequantize codes(%c : {c}) scales(%s : {s}) outs(%v : {v})",
        {"c": "4x70x3x16xi8", "s": "4x70x3xi8", "v": "4x70x96xf32"},
    ),
    "top_k": (
        "mxfp4.top_k logits(%l : {l}) bias(%b : {b}) scoring(sigmoid) outs(%i, %w : {i}, {w}) "
        "counts(%c : {c})",
        {"l": "8x6xf32", "b": "6xf32", "i": "8x2xi32", "w": "8x2xf32", "c": "128x6xi32"},
    ),
    "count_by_expert": (
        "mxfp4.count_by_expert ids(%i : {i}) outs(%c : {c})", {"i": "8x2xi32", "c": "128x6xi32"},
    ),
    "sort_by_expert": (
        "mxfp4.sort_by_expert ids(%i : {i}) counts(%c : {c}) outs(%o, %t, %p : {o}, {t}, {p}) "
        "error(%e : {e})",
        {"i": "8x2xi32", "c": "128x6xi32", "o": "7xi32", "t": "16xi32", "p": "8x2xi32",
         "e": "1xi32"},
    ),
    "combine": (
        "mxfp4.combine rows(%y : {y}) positions(%p : {p}) weights(%w : {w}) outs(%r : {r}) "
        "error(%e : {e})",
        {"y": "16x64xf32", "p": "8x2xi32", "w": "8x2xf32", "r": "8x64xbf16", "e": "1xi32"},
    ),
    "quantize_rows": (
        "mxfp4.quantize_rows values(%x : {x}) gather(%g : {g}) outs(%q, %s : {q}, {s}) "
        "error(%e : {e})",
        {"x": "5x96xbf16", "g": "8xi32", "q": "8x96xf8E4M3FN", "s": "8xf32", "e": "1xi32"},
    ),
}  # fmt: skip
# Sizes that nothing in the program says again.
FREE = {
    ("grouped_matmul", "w", 0), ("grouped_matmul", "y", 0), ("count_by_expert", "i", 0),
    ("count_by_expert", "i", 1), ("count_by_expert", "c", 1), ("quantize_rows", "x", 0),
}  # fmt: skip


def program(text: str, types: dict[str, str]) -> str:
    """A function with one operation on memory of these types."""
    written = {name: f"memref<{shape}>" for name, shape in types.items()}
    arguments = ", ".join(f"%{name}: {type_}" for name, type_ in written.items())
    return f"func.func @f({arguments}) {{\n  {text.format(**written)}\n  return\n}}\n"


def parts(shape: str) -> tuple[list[str], str]:
    """Sizes, and the element type."""
    found = re.match(r"((?:(?:\d+|\?)x)*)(.*)", shape)
    assert found
    return [size for size in found[1].split("x") if size], found[2]


def variants(what: str, types: dict[str, str]) -> list[tuple[str, str]]:
    """Names of operands with types that do not fit the others."""
    found = []
    for name, shape in types.items():
        sizes, element = parts(shape)
        others = [(sizes, "f64"), (["3", *sizes], element), (sizes[1:], element)]
        for i, size in enumerate(sizes):
            if size != "?" and (what, name, i) not in FREE:
                # More by an odd number, and so not a block's rounding away.
                others.append(([*sizes[:i], str(int(size) + 129), *sizes[i + 1 :]], element))
        found += [(name, "x".join([*s, e])) for s, e in others]
    return found


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_type_that_does_not_fit_is_refused(what: str) -> None:
    text, types = PROGRAMS[what]
    with mxfp4.Compiler() as compiler:
        compiler.parse(program(text, types)).close()
        for name, shape in variants(what, types):
            with pytest.raises(mxfp4.Error) as raised:
                compiler.parse(program(text, {**types, name: shape})).close()
            assert re.search(r"op (operand #\d+ must be|requires) ", str(raised.value)), (
                what, name, shape, str(raised.value))  # fmt: skip


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_size_that_is_not_known_fits(what: str) -> None:
    """Each size of each operand by itself."""
    text, types = PROGRAMS[what]
    fixed = {"e": "1", "c": "16" if "i8" in types.get("c", "") else "128"}
    with mxfp4.Compiler() as compiler:
        for name, shape in types.items():
            sizes, element = parts(shape)
            for i, size in enumerate(sizes):
                if fixed.get(name) == size:
                    continue
                unknown = "x".join([*sizes[:i], "?", *sizes[i + 1 :], element])
                compiler.parse(program(text, {**types, name: unknown})).close()
