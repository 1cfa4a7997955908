# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PTX for people: what kind of instruction each line is, and which loop is the hot one."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_LABEL = re.compile(r"^\s*(\$?[\w$]+):")
_INSTRUCTION = re.compile(r"^\s*(?:@!?%\w+\s+)?([a-z][\w.:]*)")
_BRANCH = re.compile(r"\bbra(?:\.uni)?\s+(\$?[\w$]+)")

# Patterns of opcodes, the first that fits. What is left over is "other".
_KINDS = [
    ("matrix", r"(mma\.sync|wgmma\.mma_async)"),
    ("sync", r"(wgmma\.|mbarrier|bar\.|barrier|fence|cp\.async\.(commit|wait)|setmaxnreg|elect)"),
    ("copy", r"(cp\.|ldmatrix|stmatrix|ld\.|st\.|ldu|red|atom)"),
    ("bf16x2", r"(mul|fma|add|sub)\S*bf16x2"),
    ("control", r"(bra|ret|setp|call|brx|exit)"),
    ("integer", r"(and|or|xor|not|shl|shr|shf|lop3|prmt|bfe|bfi|add|sub|mul|mad|min|max|neg|selp)"),
]
_KIND = [(name, re.compile(pattern)) for name, pattern in _KINDS]


def kind_of(opcode: str) -> str:
    """The kind of an instruction by its opcode, such as "matrix"."""
    return next((name for name, pattern in _KIND if pattern.match(opcode)), "other")


def opcodes(lines: list[str]) -> list[str | None]:
    """The opcode of each line of PTX; None for directives, labels, operands and braces."""
    found: list[str | None] = []
    continues = False  # inside an instruction of several lines, such as mma
    for line in lines:
        code = line.split("//")[0]
        match = None if continues or _LABEL.match(code) else _INSTRUCTION.match(code)
        found.append(match.group(1) if match else None)
        if match:
            continues = ";" not in code
        elif ";" in code:
            continues = False
    return found


class _Block:
    """A basic block: lines first .. last, and the blocks that may follow."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.after: list[int] = []


def _blocks(lines: list[str], codes: list[str | None]) -> list[_Block]:
    """The control flow of the kernels in a listing."""
    labels = {m.group(1): i for i, line in enumerate(lines) if (m := _LABEL.match(line))}
    ends = {i for i, code in enumerate(codes) if code and re.match(r"bra|ret|exit|brx", code)}
    starts = sorted({0, *labels.values(), *(i + 1 for i in ends if i + 1 < len(lines))})
    number = {start: i for i, start in enumerate(starts)}
    blocks = [_Block(s, e - 1) for s, e in zip(starts, [*starts[1:], len(lines)], strict=True)]
    for i, block in enumerate(blocks):
        code, line = codes[block.last] or "", lines[block.last].split("//")[0]
        target = _BRANCH.search(line)
        if target and target.group(1) in labels:
            block.after.append(number[labels[target.group(1)]])
        always = re.match(r"bra|ret|exit|brx", code) and not re.match(r"\s*@", line)
        if not always and i + 1 < len(blocks):
            block.after.append(i + 1)
    return blocks


def _dominators(blocks: list[_Block]) -> list[int]:
    """For each block the set of blocks on every way to it, as bits; 0 if there is no way."""
    everything = (1 << len(blocks)) - 1
    sets = [1] + [everything] * (len(blocks) - 1)
    before: list[list[int]] = [[] for _ in blocks]
    for i, block in enumerate(blocks):
        for j in block.after:
            before[j].append(i)
    changed = True
    while changed:
        changed = False
        for i in range(1, len(blocks)):
            meet = everything if before[i] else 0
            for j in before[i]:
                meet &= sets[j]
            meet |= 1 << i
            changed |= meet != sets[i]
            sets[i] = meet
    return sets


def loops(lines: list[str]) -> list[set[int]]:
    """The natural loops of a listing, each as the set of its lines."""
    blocks = _blocks(lines, opcodes(lines))
    sets = _dominators(blocks)
    bodies: dict[int, set[int]] = {}
    for i, block in enumerate(blocks):
        for head in block.after:
            if not sets[i] >> head & 1:
                continue
            body, todo = bodies.setdefault(head, {head}), [i]
            while todo:  # all that reaches the branch back without the head
                at = todo.pop()
                if at not in body:
                    body.add(at)
                    todo += [j for j, other in enumerate(blocks) if at in other.after]
    return [
        {line for i in body for line in range(blocks[i].first, blocks[i].last + 1)}
        for body in bodies.values()
    ]


def hot_loop(lines: list[str]) -> set[int]:
    """The lines of the innermost loop with the most matrix instructions; empty if none has any."""
    codes = opcodes(lines)
    matrix = {i for i, code in enumerate(codes) if code and kind_of(code) == "matrix"}
    busy = [loop for loop in loops(lines) if loop & matrix]
    inner = [loop for loop in busy if not any(other < loop for other in busy)]
    return max(inner, key=lambda loop: len(loop & matrix), default=set())


def listing(ptx: str) -> dict[str, Any]:
    """What the page shows of a kernel's PTX: lines, their kinds, and the hot loop's counts."""
    lines = ptx.expandtabs(4).splitlines()
    codes = opcodes(lines)
    hot = hot_loop(lines)
    kinds = [kind_of(code) if code else "" for code in codes]
    inside = [code for i in sorted(hot) if (code := codes[i])]
    return {
        "lines": lines,
        "kinds": kinds,
        "hot": sorted(hot),
        "hot_kinds": Counter(kind_of(code) for code in inside),
        "hot_opcodes": Counter(inside).most_common(),
    }
