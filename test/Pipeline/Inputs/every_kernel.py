# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every kernel that tests of all schedules compile: schedules times shapes, layouts and outputs.

The list is read from the compiler (`mxfp4-compile --list-schedules`), so that a new schedule is
tested because the chooser can return it.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

# The two kinds of shape exercise different code: whole tiles and pairs of columns, or masks
# everywhere, single columns and expert ids; the number is of k64 steps.
SHAPES = {
    "even": ("experts=32 n=5760", 45),
    "odd": ("experts=32 n=101 groups=40 expert-ids=1", 9),
}
# Users may attach schedules of their own; these are wgmma's extremes: the most accumulators, and
# the most CTAs. Their text is of the first format, and must go on to mean the same kernels.
OTHERS = [
    "#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 256, warps_rows = 8, "
    "warps_tokens = 1, stages = 4, placement = register, ctas = 1>",
    "#mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 4, placement = register, ctas = 3>",
]
LAYOUTS = list(itertools.product(("spread", "nibble"), ("folded", "raw")))
OUTPUTS = ("bf16", "f32")


class Case(NamedTuple):
    """One kernel: a schedule as `--schedule` takes it, a problem as `--problem` takes it."""

    schedule: str
    problem: str


def number(schedule: str, field: str, default: int = 0) -> int:
    """A field of a schedule."""
    found = re.search(rf"\b{field} = (\d+)", schedule)
    return int(found[1]) if found else default


def shares_unevenly(schedule: str) -> bool:
    """Whether K slices may have different numbers of steps: those that do not overlap decode."""
    return number(schedule, "k_slices", 1) > 1 and "overlap_decode = true" not in schedule


def k_of(steps: int, schedule: str) -> int:
    """K with this number of k64 steps, or a few more so that the schedule's K slices share them."""
    slices = number(schedule, "k_slices", 1)
    shared = slices * -(-steps // slices)
    uneven = shares_unevenly(schedule) and steps < 10
    return 64 * (shared + uneven) - 32 * (steps < 10)


def schedules(*options: str) -> list[str]:
    """Every schedule that the chooser can return, for both placements, and OTHERS."""
    listing = subprocess.run(
        ["mxfp4-compile", "--list-schedules", *options], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    placements = {re.search(r"placement = (\w+)", line)[1] for line in listing}
    if placements != {"register", "shared"}:
        raise SystemExit(f"schedules of placements {sorted(placements)} only")
    return listing + [schedule for schedule in OTHERS if schedule not in listing]


def cases() -> list[Case]:
    """Every kernel."""
    return [
        Case(
            schedule,
            f"{shape} k={k_of(steps, schedule)} order={order} scales={scales} output={output}",
        )
        for schedule in schedules()
        for shape, steps in SHAPES.values()
        for order, scales in LAYOUTS
        for output in OUTPUTS
    ]


def quarter(wanted: list[Case]) -> list[Case]:
    """Of all cases, each schedule with both shapes, and each of these with two kinds of problem.

    The two differ in order, scales and output. Kinds go round: a schedule has all four layouts
    with its two shapes, and four schedules in a row have all eight kinds with each.
    """
    kinds = len(LAYOUTS) * len(OUTPUTS)
    turns = (0, 3, 1, 2)  # the first of two kinds, whose numbers add up to 7
    found = []
    for i, case in enumerate(wanted):
        schedule, shape = divmod(i // kinds, len(SHAPES))
        first = turns[(schedule + shape) % len(turns)]
        if i % kinds in (first, kinds - 1 - first):
            found.append(case)
    return found


def compile_case(case: Case, directory: Path, *options: str) -> str:
    """Compile one kernel into a directory. Returns what is wrong, or nothing."""
    command = ["mxfp4-compile", "--problem", case.problem, "--schedule", case.schedule]
    run = subprocess.run(
        [*command, *options, "-o", directory], capture_output=True, text=True, check=False
    )
    if run.returncode:
        return run.stderr.strip() or f"exit status {run.returncode}"
    return ""


def for_each(
    wanted: list[Case], work: Callable[[Case, Path], list[str]]
) -> Iterator[tuple[Case, list[str]]]:
    """What `work` says of each case, given an empty directory, on all cores; in order."""
    with (
        tempfile.TemporaryDirectory() as root,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        directories = [Path(root) / str(i) for i in range(len(wanted))]
        yield from zip(wanted, pool.map(work, wanted, directories), strict=True)
