# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Verify compiled kernels on a GPU against their definition.

Where the compiler is:  python -m mxfp4.verify --compile ARTIFACTS
Where the GPU is:       python -m mxfp4.verify ARTIFACTS

Every kernel runs every shape of its problem, on data that is exactly representable (results must
match bit for bit), on random data (elementwise bound against f64), and on scales over the whole
range, with poisoned outputs and guard bands; then repeats, graph replays, bad offsets and ids.
The exit status is 0 if all of it holds. --soak runs random launches of them all for some seconds
instead, --large weights and results past 2^31 elements.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from .._command import Parser, seed_number, told
from .._files import write_or_print
from ..artifact import Artifact
from ..errors import Error
from ..problem import Problem
from ..wanted import PLACEMENTS, Shelf, Wanted, compile_all, print_list
from .cases import LARGE, Case, cases, wanted


@told("python -m mxfp4.verify")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.verify", description=__doc__)
    parser.add_argument("artifacts", type=Path, nargs="?", help="folder of artifact folders")
    parser.add_argument("--list", action="store_true", help="print the needed kernels, one a line")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the needed kernels")
    parser.add_argument("--options", default="assemble=true", help="more compiler options")
    parser.add_argument("--shapes", default="", help="only shapes whose name contains this")
    parser.add_argument("--max-rows", type=int, help="only shapes with at most N rows")
    parser.add_argument("--small", action="store_true",
                        help="small shapes once, no repeats: for compute-sanitizer")  # fmt: skip
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="random launches instead")
    parser.add_argument("--seed", type=seed_number, default=1, help="of --soak")
    parser.add_argument("--large", action="store_true", help="more than 2^31 elements instead")
    parser.add_argument("--budget", type=float, default=150, help="seconds after which to stop")
    parser.add_argument("--json", type=Path, help="write all results here")
    o = parser.parse_args(arguments)
    try:
        if o.list:
            print_list([*wanted(), LARGE], o.options)
        elif o.compile:
            count = compile_all([*wanted(), LARGE], o.compile, o.options)
            print(f"compiled {count} kernels")
        elif o.artifacts:
            return run(o)
        else:
            parser.error("give a folder of artifacts, --list or --compile OUT")
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    return 0


def selected(o: argparse.Namespace) -> list[Case]:
    """The shapes that the command line asks for.

    Raises:
        Error: if none fits.
    """
    found = [c for c in cases() if o.shapes in c.name]
    if o.max_rows is not None:
        found = [c for c in found if c.rows <= o.max_rows]
    if o.small:
        size = lambda p: p.experts * p.n * p.k  # noqa: E731
        found = [c for c in found if c.rows <= 130 and size(c.problem) <= 1_200_000]
    if not found:
        raise Error("no shape fits --shapes, --max-rows and --small.")
    return found


class Report:
    """Counts checks, prints failures as they come."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.worst = 0.0

    def add(self, what: str, problems: list[str], **more: Any) -> None:
        """Record one check; an empty list of problems is a pass."""
        self.checks.append({"check": what, "problems": problems, **more})
        for problem in problems:
            print(f"FAIL {what}: {problem}", flush=True)

    @property
    def failed(self) -> int:
        """Number of failed checks."""
        return sum(bool(c["problems"]) for c in self.checks)


def run(o: argparse.Namespace) -> int:
    """Run the selected shapes; 0 if everything holds."""
    import torch

    if not torch.cuda.is_available():
        raise Error("torch sees no CUDA device; the verification runs on a GPU.")
    torch.backends.cuda.matmul.allow_tf32 = False
    if o.soak:
        from .soak import soak

        return soak(o.artifacts, o.soak, o.seed)
    if o.large:
        from .large import large

        return large(o.artifacts)
    shelf, report, start = Shelf(o.artifacts), Report(), time.perf_counter()
    chosen = selected(o)
    by_problem: dict[Problem, list[Case]] = {}
    for case in chosen:
        by_problem.setdefault(case.problem, []).append(case)
    finished = 0
    for problem, shapes in by_problem.items():
        if time.perf_counter() - start > o.budget:
            break
        try:
            _run_problem(shelf, problem, shapes, report, small=o.small)
        except (Error, RuntimeError) as e:
            report.add(problem.spec(), [f"{type(e).__name__}: {e}"])
            if "CUDA error" in str(e):  # the context is lost: nothing after it can be trusted
                break
        finished += len(shapes)
        torch.cuda.empty_cache()
    if finished < len(chosen):
        report.add("all shapes", [f"only {finished} of {len(chosen)} shapes were run"])
    seconds = time.perf_counter() - start
    if o.json:
        write_or_print(o.json, json.dumps({"seconds": seconds, "checks": report.checks}, indent=1))
    _summary(report, chosen[:finished], seconds)
    return 1 if report.failed else 0


def _kernels(shelf: Shelf, problem: Problem) -> list[tuple[str, Artifact]]:
    found: dict[str, Artifact] = {}
    for placement in PLACEMENTS:
        mine = [a for a in shelf.artifacts if Wanted(problem, placement, 1).serves(a)]
        if not mine:
            shelf.find(Wanted(problem, placement, 1))  # raises, saying what is missing
        found |= {Path(a.origin).name: a for a in mine}
    return list(found.items())


def _run_problem(
    shelf: Shelf, problem: Problem, shapes: list[Case], report: Report, small: bool
) -> None:
    from ..runtime import Kernel
    from . import gpu
    from .fp8 import data_for, kinds_of

    kinds = kinds_of(problem)
    data = {kind: data_for(problem, kind, guards=not small) for kind in kinds}
    for kind, d in data.items():
        report.add(f"pack {problem.spec()} {kind}", d.packer_problems())
    for name, artifact in _kernels(shelf, problem):
        kernel = Kernel.load(artifact)
        for case in shapes:
            for kind in kinds:
                problems, worst = gpu.check_case(kernel, case, data[kind])
                report.worst = max(report.worst, worst)
                report.add(f"{name}: {case.name} {kind}", problems, worst=worst)
        case = max(shapes, key=lambda c: c.rows)
        if case.rows < 2 or small:
            continue
        exact, random = data["exact"], data["random"]
        middle = sorted(shapes, key=lambda c: c.rows)[len(shapes) // 2]
        for repeated in {case, middle}:
            report.add(
                f"{name}: repeats {repeated.name}", gpu.check_repeats(kernel, repeated, random)
            )
        report.add(f"{name}: errors {case.name}", gpu.check_errors(kernel, case, exact))
        report.add(f"{name}: graph {case.name}", gpu.check_graph(kernel, case, exact))
        if artifact.manifest.fits_rows(case.rows):
            report.add(f"{name}: driver JIT", gpu.check_driver_jit(artifact, middle, exact))
            us = gpu.host_overhead_us(kernel, min(shapes, key=lambda c: c.rows or 9**9), exact)
            report.add(f"{name}: host time", [], host_us=us)


def _summary(report: Report, shapes: list[Case], seconds: float) -> None:
    host = sorted(c["host_us"] for c in report.checks if "host_us" in c)
    print(f"{len(shapes)} shapes, {len(report.checks)} checks, {report.failed} failed, "
          f"{seconds:.1f} s")  # fmt: skip
    print(f"largest error on random data: {report.worst:.3f} of the bound")
    if host:
        print(f"host time of a call: median {host[len(host) // 2]:.1f} us, least {host[0]:.1f} us")


if __name__ == "__main__":
    raise SystemExit(main())
