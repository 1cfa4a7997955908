# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble a kernel for every schedule the chooser can return, and every kind of problem.

Each must use no stack, spill nothing and draw no warning from ptxas.
"""

import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# The two kinds of shape exercise different code: whole tiles and pairs of
# columns, or masks everywhere, single columns and expert ids; the number is of k64 steps.
SHAPES = {
    "even": ("experts=32 n=5760", 45),
    "odd": ("experts=32 n=101 groups=40 expert-ids=1", 9),
}
# Users may attach schedules of their own; these are wgmma's extremes: the most
# accumulators, and the most CTAs.
OTHERS = [
    "#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 256, warps_rows = 8, "
    "warps_tokens = 1, stages = 4, placement = register, ctas = 1>",
    "#mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 4, placement = register, ctas = 3>",
]
LAYOUTS = list(itertools.product(("spread", "nibble"), ("folded", "raw")))
OUTPUTS = ("bf16", "f32")


def number(schedule: str, field: str, default: int = 0) -> int:
    """A field of a schedule."""
    found = re.search(rf"\b{field} = (\d+)", schedule)
    return int(found[1]) if found else default


def static_shared_bytes(schedule: str) -> int:
    """What the chooser leaves room for."""
    if "mma_sync" in schedule:
        return number(schedule, "rows") * 128 if "shared" in schedule else 0
    # More than four warpgroups of K slices: two programs.
    slices = number(schedule, "k_slices", 1)
    twice = slices > 1 and number(schedule, "warps_rows") * slices > 16
    return 2048 if twice and "register" in schedule else 1024


def k_of(steps: int, schedule: str) -> int:
    """K with so many k64 steps, or a few more so that the schedule's K slices share them."""
    slices = number(schedule, "k_slices", 1)
    shared = slices * -(-steps // slices)
    # Slices of more than four warpgroups may differ by a step.
    uneven = slices > 1 and number(schedule, "warps_rows") * slices > 16 and steps < 10
    return 64 * (shared + uneven) - 32 * (steps < 10)


def assemble(schedule: str, problem: str, directory: pathlib.Path) -> list[str]:
    """What is wrong with one kernel."""
    command = ["mxfp4-compile", "--problem", problem, "--schedule", schedule]
    run = subprocess.run(
        [*command, "--cubin", "-o", directory], capture_output=True, text=True, check=False
    )
    if run.returncode:
        return [run.stderr.strip() or f"exit status {run.returncode}"]
    resources = json.loads((directory / "manifest.json").read_text())["resources"]
    wrong = [f"{key}={resources[key]}" for key in ("stack_bytes", "spill_bytes") if resources[key]]
    if not 0 < resources["registers"] <= 255:
        wrong.append(f"registers={resources['registers']}")
    if resources["static_shared_bytes"] > static_shared_bytes(schedule):
        wrong.append(f"static_shared_bytes={resources['static_shared_bytes']}")
    return wrong + resources["warnings"]


def main() -> int:
    """Print every kernel that is not clean."""
    listing = subprocess.run(["mxfp4-compile", "--list-schedules"], capture_output=True, text=True)
    schedules = listing.stdout.splitlines()
    placements = {re.search(r"placement = (\w+)", s).group(1) for s in schedules}
    if placements != {"register", "shared"}:
        print(f"schedules of placements {sorted(placements)} only")
        return 1
    schedules += [schedule for schedule in OTHERS if schedule not in schedules]
    cases = [
        (
            schedule,
            f"{shape} k={k_of(steps, schedule)} order={order} scales={scales} output={output}",
        )
        for schedule in schedules
        for shape, steps in SHAPES.values()
        for order, scales in LAYOUTS
        for output in OUTPUTS
    ]
    failures = 0
    with (
        tempfile.TemporaryDirectory() as root,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        directories = [pathlib.Path(root) / str(i) for i in range(len(cases))]
        schedule_column, problem_column = zip(*cases, strict=True)
        results = pool.map(assemble, schedule_column, problem_column, directories)
        for (schedule, problem), wrong in zip(cases, results, strict=True):
            if wrong:
                failures += 1
                print(f"{schedule}\n  {problem}\n  " + "\n  ".join(wrong))
    print(f"{len(schedules)} schedules, {len(cases)} kernels, {failures} not clean")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
