# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Order a page of mlir-tblgen by level: what is near the program first, what is near PTX last.

usage: levels.py dialect|passes <PAGE

The level of an operation or a pass is the file, or the part of a file, that defines it, and the
order within a level is that of the file. One that no level has is an error.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

INCLUDE = Path(__file__).resolve().parents[1] / "include/mxfp4"
IR, TRANSFORMS = INCLUDE / "IR", INCLUDE / "Transforms"


class Level(NamedTuple):
    """A part of a page."""

    title: str
    said: str
    names: list[str]


def operations(file: str, first: str = "", end: str = "") -> list[str]:
    """Operations that a file defines, from one to another that is not among them."""
    names = re.findall(r"^def MXFP4_\w+Op : MXFP4_\w+<\"(\w+)\"", (IR / file).read_text(), re.M)
    begin = names.index(first) if first else 0
    return names[begin : names.index(end) if end else None]


def dialect() -> list[Level]:
    """Levels of operations."""
    return [
        Level("Graph", "What a program computes, on tensors or memrefs. Front ends and "
              "`mxfp4-raise` make these operations.",
              operations("MXFP4Ops.td") + operations("MXFP4ConversionOps.td")),
        Level("Graph: routing", "What is around the matmuls of a mixture-of-experts layer.",
              operations("MXFP4RoutingOps.td") + operations("MXFP4RowOps.td")),
        Level("Program", "The structure of a kernel: tiles of a CTA, the loop over K, roles of "
              "warps, and the rings by which roles meet. `mxfp4-tile` makes the first of these "
              "operations, and `mxfp4-lower-program` removes the last.",
              operations("MXFP4ProgramOps.td") + operations("MXFP4HandOutOps.td")
              + operations("MXFP4LoopOps.td") + operations("MXFP4RoleOps.td")
              + operations("MXFP4BringOps.td", end="wait_count")),
        Level("Tiles", "What a CTA copies, multiplies and stores.",
              operations("MXFP4TileOps.td")),
        Level("Fragments", "What a warp does with its part of a tile: load packed words, decode "
              "them in registers, multiply.", operations("MXFP4FragmentOps.td")),
        Level("Hopper", "TMA, mbarriers and wgmma.", operations("MXFP4HopperOps.td")
              + operations("MXFP4BringOps.td", first="wait_count")),
    ]  # fmt: skip


def definitions(file: str, first: str = "", end: str = "") -> list[str]:
    """Passes that a file defines, from one to another that is not among them."""
    text = (TRANSFORMS / f"{file}Passes.td").read_text()
    names = re.findall(r"^def \w+ : Pass<\"([\w-]+)\"", text, re.M)
    begin = names.index(first) if first else 0
    return names[begin : names.index(end) if end else None]


def passes() -> list[Level]:
    """Levels of passes, in the order in which they may run."""
    loops = "mxfp4-lower-to-loops"
    return [
        Level("Graph", "From a program to `mxfp4.grouped_matmul` on memrefs, with a schedule.",
              definitions("Raise") + definitions("Graph", end=loops)),
        Level("Graph: to the CPU and to linalg", "The executable specification, and the way back "
              "for stacks that go on without kernels.", definitions("Graph", first=loops)),
        Level("Program", "Kernels, and who does what in them.", definitions("Program")),
        Level("Fragments", "What each warp does, decode included.", definitions("Fragment")),
        Level("PTX", "Out of the dialect.", definitions("Ptx")),
    ]  # fmt: skip


def ordered(sections: dict[str, str], levels: list[Level]) -> str:
    """The sections below the headings of their levels."""
    named = [name for level in levels for name in level.names]
    for name in set(sections) ^ set(named) | {n for n in named if named.count(n) > 1}:
        sys.exit(f"levels.py: {name} must be in one level, and on the page")
    parts = [
        f"## {level.title}\n\n{level.said}\n\n{overview(sections, level)}\n"
        + "".join(sections[name] for name in level.names)
        for level in levels
    ]
    return "".join(parts)


def overview(sections: dict[str, str], level: Level) -> str:
    """A table of what a level has, with the summary of each."""
    lines = ["| | |", "| --- | --- |"]
    for name in level.names:
        summary = re.search(r"^_(.*)_$", sections[name], re.MULTILINE)
        lines.append(f"| `{name}` | {summary[1] if summary else ''} |")
    return "\n".join(lines) + "\n"


def split(text: str, heading: str) -> tuple[str, dict[str, str]]:
    """The text in front of the first section, and the sections by the names of headings."""
    before, *rest = re.split(rf"^(?={heading})", text, flags=re.MULTILINE)
    found = [(re.match(heading, section), section) for section in rest]
    return before, {match[1]: section for match, section in found if match}


def dialect_page(text: str) -> str:
    """The page of the dialect: operations by level, then attributes, types and enumerations."""
    start = text.index("## Operations\n")
    end = text.index("## Attributes\n")
    _, sections = split(text[start:end], r"### `mxfp4\.(\w+)`")
    return text[:start] + ordered(sections, dialect()) + text[end:]


def passes_page(text: str) -> str:
    """The page of passes, whose headings get a level deeper."""
    before, sections = split(text, r"## `-([\w-]+)`")
    deeper = {
        name: re.sub(r"^(##+ )", r"#\1", section, flags=re.MULTILINE)
        for name, section in sections.items()
    }
    return before + ordered(deeper, passes())


if __name__ == "__main__":
    pages = {"dialect": dialect_page, "passes": passes_page}
    if len(sys.argv) != 2 or sys.argv[1] not in pages:
        sys.exit(__doc__)
    sys.stdout.write(pages[sys.argv[1]](sys.stdin.read()))
