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
    "dispatch": (
        "mxfp4.dispatch values(%x : {x}) positions(%p : {p}) outs(%r : {r}) error(%e : {e})",
        {"x": "8x64xf32", "p": "8x2xi32", "r": "16x64xf32", "e": "1xi32"},
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
SCHEDULE = (
    "#mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, "
    "stages = 9, placement = register, ctas = 1, k_slices = 3>"
)
SHARED = ", #gpu.address_space<workgroup>"
PROGRAMS |= {
    "build_tile_table": (
        f"mxfp4.build_tile_table %t offsets(%o) rows(%r) {{{{schedule = {SCHEDULE}}}}} : "
        "{t}, {o}",
        {"t": f"6xi32{SHARED}", "o": "5xi32"},
    ),
    "tile_count": ("mxfp4.tile_count %t groups 4 columns 3 : {t}", {"t": f"6xi32{SHARED}"}),
    "bulk_copy_weights": (
        "mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b : {w} to {s}, {b}",
        {"w": "2x1x1x!mxfp4.block<spread, folded>",
         "s": f"6x1x!mxfp4.block<spread, folded>{SHARED}", "b": f"6xi64{SHARED}"},
    ),
}  # fmt: skip
ON_KERNELS = ("build_tile_table", "tile_count", "bulk_copy_weights")
# Sizes that nothing in the program says again.
FREE = {
    ("grouped_matmul", "w", 0), ("grouped_matmul", "y", 0), ("count_by_expert", "i", 0),
    ("count_by_expert", "i", 1), ("count_by_expert", "c", 1), ("quantize_rows", "x", 0),
    ("bulk_copy_weights", "w", 0), ("bulk_copy_weights", "w", 1), ("bulk_copy_weights", "w", 2),
    ("bulk_copy_weights", "s", 0), ("bulk_copy_weights", "s", 1), ("bulk_copy_weights", "b", 0),
}  # fmt: skip


def program(text: str, types: dict[str, str]) -> str:
    """A function with one operation on memory of these types."""
    written = {name: f"memref<{shape}>" for name, shape in types.items()}
    arguments = ", ".join(f"%{name}: {type_}" for name, type_ in written.items())
    arguments += "".join(f", %{n}: {t}" for n, t in (("i", "index"), ("r", "i32"))
                         if n not in types)  # fmt: skip
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
        memory = SHARED if element.endswith(SHARED) else ""
        others = [(sizes, f"f64{memory}"), (["3", *sizes], element), (sizes[1:], element)]
        if what in ON_KERNELS:
            # The other memory, and elements that are apart from each other.
            plain = element.removesuffix(SHARED)
            others.append((sizes, plain if memory else plain + SHARED))
            strides = ", ".join(["2"] * len(sizes))
            others.append((sizes, f"{plain}, strided<[{strides}]>{memory}"))
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


@pytest.mark.parametrize("what", [name for name in PROGRAMS if name not in ON_KERNELS])
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


@pytest.mark.parametrize(
    ("number", "fits"),
    [(16, False), (24, True), (25, False), (32, True), (256, True), (264, False)],
)
def test_registers_of_a_role(number: int, fits: bool) -> None:
    """Both ends, and what is between two that fit."""
    text = f"""func.func @f() {{
  mxfp4.warp_roles {{
    mxfp4.role "a" warps 4 registers {number} {{
    ^bb0(%warp: index):
    }}
    mxfp4.role "b" warps 1 {{
    ^bb0(%warp: index):
    }}
  }}
  return
}}"""
    with mxfp4.Compiler() as compiler:
        if fits:
            compiler.parse(text).close()
        else:
            with pytest.raises(mxfp4.Error, match=f"from 24 to 256 registers .* has {number}"):
                compiler.parse(text)


@pytest.mark.parametrize(("groups", "fits"), [(1, True), (2, False), (3, False)])
def test_tables_have_entries_for_their_groups(groups: int, fits: bool) -> None:
    """Of one group three entries, or five where full tiles come first."""
    for entries in (3, 5):
        text = program("mxfp4.tile_count %t groups GROUPS columns 3 : {t}",
                       {"t": f"{entries}xi32{SHARED}"}).replace("GROUPS", str(groups))  # fmt: skip
        with mxfp4.Compiler() as compiler:
            if fits or (groups, entries) == (3, 5):
                compiler.parse(text).close()
            else:
                with pytest.raises(mxfp4.Error, match=f"requires a table of its {groups} groups"):
                    compiler.parse(text)
