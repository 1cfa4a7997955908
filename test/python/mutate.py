# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does the suite notice? Change one PTX instruction of a kernel at a time and see.

    python test/python/mutate.py [--sample N | --each N] [--schedule TEXT] [--jobs N] [--verbose]

For every schedule that the chooser can return one kernel is compiled, and every instruction is
deleted, its guard negated, its immediates and operands and opcode changed, one change at a time.
A mutant is killed when a case of `kernels` finds a hazard, a wrong result or a missing one. Those
that live are compared with ``survivors.txt``, which says for each kind why nothing can be seen;
the exit status is 0 if none is unexplained and at least 95 % of the rest were killed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kernels import (
    LAYOUTS,
    Case,
    compile_kernel,
    complaints,
    refusal_complaints,
    schedules,
    shares_unevenly,
    short,
    slices_of,
)
from kernels import tokens_of as tokens
from mxfp4 import Artifact, Error, Problem, simulate

SURVIVORS = Path(__file__).with_name("survivors.txt")
GOAL = 0.95

_INSTRUCTION = re.compile(r"^\s*(?:@(!?)(%p\d+)\s+)?([a-z][\w.:]*)\s*(.*);\s*$")
_IMMEDIATE = re.compile(r"(?<![\w%.$])-?\d+(?![\w.])")
_NUMBER = re.compile(r"(?<=%[a-z])\d+|(?<=%[a-z]{2})\d+|\$L\w+|(?<![\w%.$])-?\d+(?![\w.])")
_OPCODES = [
    ("add.", "sub."), ("sub.", "add."), ("and.", "or."), ("or.", "and."), ("xor.", "or."),
    ("shl.", "shr.u"), ("shr.u", "shl.b"), ("min.", "max."), ("max.", "min."),
    ("mul.rn.", "add.rn."), ("mul.lo.s", "add.s"), ("mad.lo.s", "mul.lo.s"),
    (".lt.", ".le."), (".le.", ".lt."), (".gt.", ".ge."), (".ge.", ".gt."), (".eq.", ".ne."),
    (".ne.", ".eq."), (".up.", ".down."), (".bfly.", ".idx."), ("mul.hi.", "mul.lo."),
]  # fmt: skip
# First of the two operands that are exchanged, where their order matters.
_SWAPPED = {"sub": 1, "setp.lt": 1, "setp.le": 1, "setp.gt": 1, "setp.ge": 1, "shl": 1, "shr": 1,
            "selp": 1, "mad": 2, "prmt": 1, "cvt.rn.bf16x2": 1}  # fmt: skip


def _changed(opcode: str, value: int, offset: bool) -> int:
    """Another immediate in a value's place, likely to matter."""
    if offset:
        return value + 16  # stays aligned
    if opcode.startswith("wgmma.mma"):
        return 1 - value  # all of them are flags
    if opcode.startswith("and"):
        return value & (value - 1)  # a bit less
    if opcode.startswith("add.s64") and value % 16 == 0:
        return value + 16  # addresses lose their low bits in descriptors
    return value - 1 if opcode.startswith(("bfe", "min")) else value + 1


@dataclass(frozen=True)
class Mutant:
    """One line of a kernel, changed.

    Attributes:
        line: counted from 0.
        kind: "delete", "guard", "immediate", "opcode", "swap" or "order".
        before: the instruction.
        after: the text that replaces it.
    """

    line: int
    kind: str
    before: str
    after: str

    def apply(self, ptx: str) -> str:
        """The kernel with this change."""
        lines = ptx.split("\n")
        lines[self.line] = self.after
        return "\n".join(lines)

    def __str__(self) -> str:
        text = lambda s: " ".join(s.split())  # noqa: E731
        return f"{self.kind}: {text(self.before)}  ->  {text(self.after) or '(nothing)'}"

    @property
    def shape(self) -> str:
        """Its text without numbers: unrolled copies of an instruction have one shape."""
        return _NUMBER.sub("#", str(self))


def mutants(ptx: str) -> Iterator[Mutant]:
    """Every mutant of a module's text."""
    lines = ptx.split("\n")
    begin = next(i for i, line in enumerate(lines) if line == "{")
    for i in range(begin, len(lines)):
        found = _INSTRUCTION.match(lines[i])
        if not found or found[3] == "ret":
            continue
        line, (sign, guard, opcode, operands) = lines[i], found.groups()
        changes = {"delete": [""]}
        if guard:
            changes["guard"] = [line.replace(f"@{sign}{guard}", f"@{'' if sign else '!'}{guard}")]
        start = found.start(4)
        for value in _IMMEDIATE.finditer(line, start):
            new = _changed(opcode, int(value[0]), line[value.start() - 1] == "+")
            other = line[: value.start()] + str(new) + line[value.end() :]
            changes.setdefault("immediate", []).append(other)
        for old, new in _OPCODES:
            if old in f"{opcode}.":
                other = f"{opcode}.".replace(old, new, 1).rstrip(".")
                changes.setdefault("opcode", []).append(line.replace(opcode, other, 1))
        parts = [p.strip() for p in operands.split(",")]
        for prefix, at in _SWAPPED.items():
            if f"{opcode}.".startswith(f"{prefix}.") and "{" not in operands:
                parts[at], parts[at + 1] = parts[at + 1], parts[at]
                changes["swap"] = [line[:start] + ", ".join(parts) + ";"]
        vectors = list(re.finditer(r"\{([^{}]*,[^{}]*)\}", operands))
        for v in vectors:
            items = [p.strip() for p in v[1].split(",")]
            items[0], items[1] = items[1], items[0]
            other = operands[: v.start(1)] + ", ".join(items) + operands[v.end(1) :]
            changes.setdefault("order", []).append(line[:start] + other + ";")
        for kind, others in changes.items():
            yield from (Mutant(i, kind, line, o) for o in dict.fromkeys(others) if o != line)


@dataclass(frozen=True)
class Subject:
    """A kernel and the cases that it must pass; the quickest to tell come first."""

    name: str
    artifact: Artifact
    cases: tuple[Case, ...]
    limit: int

    def complaints(self, ptx: str) -> list[str]:
        """The first things wrong with a text in the kernel's place."""
        artifact = replace(self.artifact, ptx=ptx)
        for i, case in enumerate(self.cases):
            # What one launch leaves behind, the next may bear, and the third not.
            found = complaints(artifact, case, 1 + i, 1 + 2 * (i % 2), self.limit)
            if found:
                return found
        return refusal_complaints(artifact, artifact.manifest.groups, self.limit)

    def fate(self, mutant: Mutant) -> str:
        """ "killed"; "survived"; "unreached" if no case executes it; "invalid" if it is no PTX."""
        try:
            if self.complaints(mutant.apply(self.artifact.ptx)):
                return "killed"
        except Error as e:
            return "invalid" if "kernel.ptx:" in str(e) else "killed"
        trap = replace(mutant, after="trap;")
        return "survived" if self.complaints(trap.apply(self.artifact.ptx)) else "unreached"


def subject(schedule: str, number: int) -> Subject:
    """The kernel of a schedule: layouts, outputs and evenness of N go round with its number."""
    layout, groups = LAYOUTS[number % 4], 95
    # Instructions that wgmma's last, peeled step has of its own would see padding alone if K
    # ended in half a block; its copies need no mask for that. Those of mma.sync do. Eleven
    # steps, of each K slice too, end a ring of any other number of stages elsewhere in every
    # tile, and at times in the middle of a pair of steps; thirteen do where there are 11 stages.
    tall = int(re.search(r"rows = (\d+)", schedule)[1]) > 192
    n = (257, 258)[number // 2 % 2] + (192 if tall else 0)  # two tiles
    # Of two programs, the one with tiles of six blocks: all of them, and three columns of two.
    n += 64 if shares_unevenly(schedule) else 0
    steps = 13 if "stages = 11," in schedule else 11
    k = 64 * (steps * slices_of(schedule) + shares_unevenly(schedule))
    k = k if "wgmma" in schedule else 544
    problem = Problem(4, n, k, groups, layout, ("bf16", "f32")[number % 2], True)
    t, half = tokens(schedule), tokens(schedule) // 2 + 1
    ids = tuple((3 * g + 2) % 5 - 1 for g in range(groups))
    # Every fragment of a tile is the last one of some group.
    ladder = [8 * (g // 2) + 2 * (g // 2 % 4) + g % 2 for g in range(t // 4)]
    # And every width of wgmma is full, or has one token only.
    edges = [8 * (g // 2) + (1, 8)[g % 2] for g in range(t // 4)]

    def padded(sizes: list[int]) -> tuple[int, ...]:
        return tuple([*sizes, *[0] * groups][:groups])

    def at(**sizes: int) -> tuple[int, ...]:
        return tuple(sizes.get(f"g{g}", 0) for g in range(groups))

    cases = [
        Case(problem, at(g0=5, g1=7, g94=1), ids),
        Case(problem, at(g2=2, g3=1, g33=t, g64=1, g70=9), ids, "single", 2),
        # Full tiles on both sides of every step of the scan over lanes, of three groups each, and
        # just enough rows for the list of full ones.
        Case(problem, at(g0=t, g6=half, g7=half, g8=half, g26=t, g31=2 * t + 1, g32=1, g50=t + 1,
                         g63=t + 1, g70=3 * t, g94=t), ids, seed=3),
        Case(problem, at(g94=1), ids, "single", 4),
        Case(problem, at(g4=3), ids, seed=5),
        *(Case(problem, padded(ladder), ids, seed=seed) for seed in (7, 1)),
        Case(problem, padded(edges), tuple(g % problem.experts for g in range(groups)), seed=9),
        # The longest by far: late, and at an even place, where it is launched once.
        Case(problem, (1,) * groups, ids, "single", 6),
        # Copies of mma.sync ask for each row whether it is there: x ends in every sixteen of them.
        *(Case(problem, at(g94=rows), ids, seed=10) for rows in range(9, t, 16)
          if "mma_sync" in schedule),
    ]  # fmt: skip
    try:
        artifact = compile_kernel(problem, f"schedule={schedule}")
    except Error as e:
        # This number of groups needs room: the chooser takes it from the stages, too.
        if "of shared memory" not in str(e):
            raise
        less = slices_of(schedule)
        fewer = re.sub(r"stages = (\d+)", lambda m: f"stages = {int(m[1]) - less}", schedule)
        artifact = compile_kernel(problem, f"schedule={fewer}")
    one_a_line = re.sub(r",\s*\n\s*|\n\t\t+", lambda m: ", " if "," in m[0] else " ", artifact.ptx)
    artifact = replace(artifact, ptx=one_a_line)
    most = 0
    for case in cases:
        run = simulate(artifact, case.activations(), case.weights(), case.offsets(),
                       case.expert_ids(), multiprocessors=len(cases), races=False)  # fmt: skip
        most = max(most, int(run.statistics["warp_instructions"]))
    name = f"{short(schedule)} {layout.order}-{layout.scales} {problem.output} n={problem.n}"
    found = Subject(name, artifact, tuple(cases), 4 * most + 10000)
    if wrong := found.complaints(artifact.ptx):
        raise SystemExit(f"{name} fails as it is:\n" + "\n".join(wrong))
    return found


def reviewed() -> list[tuple[re.Pattern[str], str]]:
    """(pattern over a mutant's text, reason) for each line of the list."""
    rows = [r for r in SURVIVORS.read_text().splitlines() if r.strip() and not r.startswith("#")]
    pairs = [r.split(" :: ", 1) for r in rows]
    return [(re.compile(pattern), reason) for pattern, reason in pairs]


_subject: Subject


def _begin(chosen: Subject) -> None:
    global _subject
    _subject = chosen


def _fate(mutant: Mutant) -> str:
    return _subject.fate(mutant)


def pick(every: list[Mutant], sample: int, each: int, seed: int) -> list[Mutant]:
    """Those to run: all, `sample` of them, or `each` of every shape; 0 is no limit."""
    rng = random.Random(seed)
    if each:
        shapes: dict[str, list[Mutant]] = {}
        for m in every:
            shapes.setdefault(m.shape, []).append(m)
        return [m for like in shapes.values() for m in rng.sample(like, min(each, len(like)))]
    return rng.sample(every, sample) if 0 < sample < len(every) else every


def run(chosen: Subject, wanted: list[Mutant], jobs: int) -> list[tuple[Mutant, str]]:
    """The fate of each mutant."""
    with multiprocessing.get_context("fork").Pool(jobs, _begin, (chosen,)) as pool:
        return list(zip(wanted, pool.imap(_fate, wanted, 4), strict=True))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    few = parser.add_mutually_exclusive_group()
    few.add_argument("--sample", type=int, default=0, help="mutants of each kernel (default: all)")
    few.add_argument("--each", type=int, default=0, help="mutants of each shape in each kernel, "
                     "a shape being a mutant's text without numbers")  # fmt: skip
    parser.add_argument("--schedule", default="", help="only schedules whose name contains this")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--verbose", action="store_true", help="also list explained survivors")
    o = parser.parse_args()
    known, killed, explained, unexplained = reviewed(), 0, 0, []
    for number, schedule in enumerate(schedules()):
        if o.schedule not in short(schedule):
            continue
        chosen = subject(schedule, number)
        every = list(mutants(chosen.artifact.ptx))
        wanted = pick(every, o.sample, o.each, o.seed + number)
        fates = run(chosen, wanted, o.jobs)
        lived = [m for m, fate in fates if fate == "survived"]
        dead = [m for m, fate in fates if fate == "unreached"]
        mine = sum(fate == "killed" for _, fate in fates)
        new = [m for m in lived if not any(p.search(str(m)) for p, _ in known)]
        print(f"{chosen.name}: {len(wanted)} of {len(every)} mutants, {mine} killed, "
              f"{len(lived) - len(new)} explained, {len(new)} not, "
              f"{len({m.line for m in dead})} instructions unreached, "
              f"{sum(fate == 'invalid' for _, fate in fates)} invalid", flush=True)  # fmt: skip
        for m in lived if o.verbose else new:
            print(f"  line {m.line + 1}: {m}", flush=True)
        killed, explained = killed + mine, explained + len(lived) - len(new)
        unexplained += new
    lived = explained + len(unexplained)
    share = killed / max(1, killed + len(unexplained))
    print(f"{killed} killed, {lived} survived, {explained} of them explained: {share:.1%} of "
          f"eligible mutants killed ({killed / max(1, killed + lived):.1%} of all)")  # fmt: skip
    return 0 if share >= GOAL and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
