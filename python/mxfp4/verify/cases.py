# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is verified: problems, row counts and routings. Pure data; no GPU and no numpy."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

from ..layout import FP8, Layout
from ..problem import Problem
from ..wanted import PLACEMENTS, Wanted

FOLDED = Layout("spread", "folded")
RAW = Layout("spread", "raw")
NIBBLE = Layout("nibble", "folded")
NIBBLE_RAW = Layout("nibble", "raw")


_FAST, _PROMOTED, _OFTEN = (
    partial(Problem, layout=FP8, accumulation=how) for how in ("fast", "promoted512", "promoted128")
)


@dataclass(frozen=True)
class Case:
    """One shape: a problem, rows and how they are routed.

    Attributes:
        problem: what the kernel is for.
        rows: R.
        routing: "even", "random", "first", "middle", "last" (all rows in one group), "ends" (the
            first and last group share them) or "skewed" (most in one, a few elsewhere).
        ids: expert id of each group, -1 for none; None without ids.
    """

    problem: Problem
    rows: int
    routing: str
    ids: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """For reports."""
        p = self.problem
        ids = "" if self.ids is None else f" ids={','.join(map(str, self.ids[:8]))}"
        return f"{p.spec()} rows={self.rows} {self.routing}{ids}"

    def offsets(self) -> list[int]:
        """G+1 numbers from 0 to R."""
        groups = self.problem.experts if self.problem.groups is None else self.problem.groups
        return offsets_of(self.routing, self.rows, groups)


def offsets_of(routing: str, rows: int, groups: int) -> list[int]:
    """Offsets of a named routing; the same for the same arguments."""
    rng = random.Random(f"{routing}/{rows}/{groups}")
    sizes = [0] * groups
    if routing == "even":
        sizes = [rows // groups + (g < rows % groups) for g in range(groups)]
    elif routing == "random":
        for _ in range(rows):
            sizes[rng.randrange(groups)] += 1
    elif routing == "skewed":
        for _ in range(rows):
            sizes[groups // 3 if rng.random() < 0.9 else rng.randrange(groups)] += 1
    elif routing == "ends":
        sizes[0] += rows // 2
        sizes[-1] += rows - rows // 2
    else:
        sizes[{"first": 0, "middle": groups // 2, "last": groups - 1}[routing]] = rows
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    return offsets


# (problem, [(rows, routing), ...]). Odd shapes first; every K of the promise with several E.
_PLAIN: list[tuple[Problem, list[tuple[int, str]]]] = [
    (Problem(1, 1, 32), [(1, "even"), (33, "even")]),
    (Problem(1, 33, 32), [(0, "even"), (7, "even"), (64, "even"), (130, "even")]),
    (Problem(1, 7, 96), [(1, "even"), (65, "even"), (1000, "even")]),
    (Problem(1, 2881, 2912), [(31, "even"), (257, "even")]),
    (Problem(1, 5760, 2880), [(1, "even"), (4096, "even")]),
    (Problem(4, 129, 96), [(0, "even"), (1, "last"), (5, "ends"), (100, "random"), (512, "even")]),
    (Problem(4, 101, 2848), [(3, "middle"), (63, "skewed"), (200, "random"), (700, "first")]),
    (Problem(4, 64, 2880), [(4, "even"), (127, "random"), (1024, "ends")]),
    (Problem(4, 257, 2912), [(9, "random"), (129, "last"), (640, "skewed")]),
    (Problem(32, 31, 32), [(1, "middle"), (32, "even"), (300, "random"), (4096, "random")]),
    (Problem(32, 135, 96), [(2, "ends"), (64, "random"), (999, "skewed"), (2048, "even")]),
    (Problem(4, 65, 3008), [(30, "random"), (200, "skewed")]),  # 47 steps: no K slices
    (Problem(32, 193, 2848), [(16, "random"), (128, "last"), (1025, "random")]),
    (Problem(32, 65, 2912), [(31, "random"), (96, "first"), (1500, "skewed")]),
    (
        Problem(32, 2880, 2880),
        [(0, "even"), (4, "random"), (64, "random"), (256, "random"), (4096, "skewed")],
    ),
    (Problem(4, 100, 96, layout=RAW), [(1, "first"), (77, "random"), (260, "skewed")]),
    (Problem(4, 515, 32, layout=RAW), [(32, "first"), (90, "random")]),
    (Problem(4, 67, 2880, layout=RAW), [(13, "random"), (333, "even")]),
    (Problem(4, 70, 96, layout=NIBBLE), [(50, "random"), (129, "ends")]),
    (Problem(4, 70, 160, layout=NIBBLE_RAW), [(50, "random"), (129, "skewed")]),
    (Problem(4, 99, 96, output="f32"), [(1, "middle"), (150, "random")]),
    (_PROMOTED(1, 1, 32), [(1, "even"), (33, "even")]),
    (_FAST(1, 33, 32), [(0, "even"), (7, "even"), (130, "even")]),
    (_PROMOTED(1, 2881, 2912), [(31, "even"), (257, "even")]),
    (_FAST(1, 5760, 2880), [(1, "even"), (2048, "even")]),
    (_OFTEN(4, 129, 96), [(1, "last"), (5, "ends"), (100, "random"), (512, "even")]),
    (_PROMOTED(4, 101, 2848), [(3, "middle"), (63, "skewed"), (700, "first")]),
    (_FAST(4, 64, 2880), [(4, "even"), (127, "random"), (1024, "ends")]),
    (_OFTEN(4, 65, 3008), [(30, "random"), (200, "skewed")]),
    (_PROMOTED(32, 135, 96), [(2, "ends"), (64, "random"), (999, "skewed")]),
    (_FAST(32, 65, 2912), [(31, "random"), (96, "first"), (1500, "skewed")]),
    (_OFTEN(32, 193, 2848), [(16, "random"), (128, "last"), (1025, "random")]),
    (
        _PROMOTED(32, 2880, 2880),
        [(0, "even"), (4, "random"), (64, "random"), (256, "random"), (4096, "skewed")],
    ),
    (_PROMOTED(4, 99, 96, output="f32"), [(1, "middle"), (150, "random")]),
    (_FAST(4, 70, 1184, output="f32"), [(50, "random"), (129, "ends")]),
]

_WITH_IDS: list[tuple[Problem, tuple[int, ...], list[tuple[int, str]]]] = [
    (
        Problem(4, 129, 96, 6, expert_ids=True),
        (3, -1, 0, 0, -1, 2),
        [(0, "even"), (6, "even"), (97, "random"), (500, "skewed")],
    ),
    (
        Problem(32, 100, 2880, 8, expert_ids=True),
        (31, 0, 7, -1, 7, 30, 1, -1),
        [(8, "even"), (200, "random"), (1111, "skewed")],
    ),
    (Problem(4, 33, 32, 5, RAW, expert_ids=True), (-1,) * 5, [(40, "random")]),
    (
        Problem(32, 63, 2848, 40, FOLDED, "f32", True),
        tuple((7 * g) % 33 - 1 for g in range(40)),
        [(40, "even"), (444, "random")],
    ),
    (
        _PROMOTED(4, 129, 96, 6, expert_ids=True),
        (3, -1, 0, 0, -1, 2),
        [(0, "even"), (6, "even"), (97, "random"), (500, "skewed")],
    ),
    (
        _FAST(32, 100, 2880, 8, output="f32", expert_ids=True),
        (31, 0, 7, -1, 7, 30, 1, -1),
        [(8, "even"), (200, "random"), (1111, "skewed")],
    ),
]


def cases() -> list[Case]:
    """All shapes."""
    plain = [Case(p, rows, how) for p, shapes in _PLAIN for rows, how in shapes]
    listed = [Case(p, rows, how, ids) for p, ids, shapes in _WITH_IDS for rows, how in shapes]
    return plain + listed


LARGE = Wanted(Problem(256, 5760, 2880), "register", 400_000)
"""4.2e9 weights, 2.3 GB packed, and 2.3e9 results: past 2^31 of both."""

ROWS_PER_GROUP = (1, 6, 30, 55, 80, 128, 180)
"""One for each regime of the chooser."""


def wanted() -> list[Wanted]:
    """The kernels needed: for each problem and placement, a schedule of every regime."""
    found: dict[Wanted, None] = {}
    for problem in dict.fromkeys(c.problem for c in cases()):
        groups = problem.experts if problem.groups is None else problem.groups
        for placement in PLACEMENTS:
            for rows in ROWS_PER_GROUP:
                found[Wanted(problem, placement, rows * groups)] = None
    return list(found)
