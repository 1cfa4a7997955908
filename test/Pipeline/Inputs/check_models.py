# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble what the chooser chooses for the layers of models, whole and cut for several GPUs.

Every number of rows of every layer is asked for, for several devices, with activations in bf16 and
in FP8, whose sums are fast or promoted every 512 of K; and of whole layers up to 16 rows for each
expert, in FP8 with a list of expert ids and every accumulation. Of the answers that are one kind of
kernel, one is assembled: the same schedule for as many groups, whose tiles each lane counts, and K
slices that share steps in the same way, with or without a last tile of fewer columns and a last
step of half a block. Each must use no stack, spill nothing, touch no accumulator early (assembled)
and draw no warning from ptxas, with one exception: ptxas serialises some kernels of promoted sums
of six steps, which costs them up to 1.6 % (docs/tuning/LayersFP8.md).

  check_models.py [--sample N]    every Nth kind only
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import assembled

sys.path.insert(0, str(Path(__file__).parents[3] / "python"))

from mxfp4 import Problem
from mxfp4.bench.models import MODELS, TENSOR_PARALLEL, Model
from mxfp4.compile import Compiler
from mxfp4.layout import FP8

DEVICES = ("h100-sxm", "h100-pcie", "h200", "h20")
"""Those of different numbers of SMs, or on either side of where decoding decides."""
ACCUMULATIONS = ("fast", "promoted512")
ACCUMULATIONS_WITH_IDS = (*ACCUMULATIONS, "promoted128")
MOST_TOKENS = 16384
MOST_ROWS_WITH_IDS = 16
"""Rows for each expert."""
FEW_EXPERTS = Model(8, 2, 4096, 14336)
"""ptxas allots registers otherwise where a kernel counts tiles of fewer than 16 groups."""


class Kind(NamedTuple):
    """What makes code of one schedule different, whatever the sizes."""

    schedule: str
    groups: int
    accumulation: str
    are_slices_alike: bool
    odd_steps: bool
    masked_columns: bool
    half_block: bool
    expert_ids: bool


def number(schedule: str, field: str) -> int:
    """A field of a schedule, 1 if it is not there."""
    found = re.search(rf"\b{field} = (\d+)", schedule)
    return int(found[1]) if found else 1


def kind(problem: Problem, schedule: str) -> Kind:
    """The kind of kernel of a problem."""
    step = 128 if problem.layout == FP8 else 64
    steps = -(-problem.k // step)
    return Kind(
        schedule,
        problem.experts,
        problem.accumulation,
        steps % number(schedule, "k_slices") == 0,
        bool(steps % 2),
        bool(problem.n % number(schedule, "rows")),
        bool(problem.k % step),
        problem.expert_ids,
    )


def problems() -> dict[Problem, int]:
    """The problems of all models, and the most rows of each."""
    found: dict[Problem, int] = {}
    for model in (*MODELS.values(), FEW_EXPERTS):
        for parts in TENSOR_PARALLEL:
            for bf16 in model.problems(parts).values():
                fp8 = [replace(bf16, layout=FP8, accumulation=how) for how in ACCUMULATIONS]
                for problem in (bf16, *fp8):
                    found[problem] = max(found.get(problem, 0), MOST_TOKENS * model.top)
        for bf16, how in itertools.product(model.problems().values(), ACCUMULATIONS_WITH_IDS):
            problem = replace(bf16, layout=FP8, accumulation=how, expert_ids=True)
            found[problem] = MOST_ROWS_WITH_IDS * model.experts
    return found


def choices(problem: Problem, most: int) -> Iterator[tuple[str, int]]:
    """Each schedule that some number of rows up to the most leads to, and one such number."""
    for device in DEVICES:
        with Compiler() as compiler, compiler.parse(compiler.mlir(problem)) as module:
            module.run(f"builtin.module(mxfp4-choose-schedule{{device={device}}})")
            (operation,) = module.describe()
        for choice in operation["choices"]:
            if choice["from"] <= most:
                yield choice["schedule"], choice["from"]


def assemble(problem: Problem, schedule: str) -> list[str]:
    """What is wrong with a kernel."""
    with Compiler() as compiler:
        made = compiler.compile(
            compiler.mlir(problem), f"schedule={schedule.replace(' ', '')} assemble=true"
        )
    found = made.manifest.resources
    wrong = [f"{key}={found[key]}" for key in ("stack_bytes", "spill_bytes") if found[key]]
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder, "kernel.cubin")
        cubin.write_bytes(made.cubin or b"")
        wrong += assembled.touched(cubin)
    return wrong + list(found["warnings"])


def is_known(problem: str, wrong: list[str]) -> bool:
    """Whether all that is wrong is that ptxas serialises promoted sums of six steps."""
    k = re.search(r"\bk=(\d+)", problem)
    is_case = k and 640 < int(k[1]) <= 768 and "accumulation=promoted512" in problem
    return bool(is_case) and all("(C7511)" in each for each in wrong)


def main() -> int:
    """Print every kernel that is not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=1, help="every Nth kind only")
    options = parser.parse_args()
    kinds: dict[Kind, Problem] = {}
    asked = 0
    for problem, most in problems().items():
        for schedule, _ in choices(problem, most):
            asked += 1
            kinds.setdefault(kind(problem, schedule), problem)
    wanted = list(kinds.items())[:: options.sample]
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = pool.map(lambda each: assemble(each[1], each[0].schedule), wanted)
        for (each, problem), wrong in zip(wanted, checked, strict=True):
            if wrong:
                failures += not is_known(problem.spec(), wrong)
                print(f"{each.schedule}\n  {problem.spec()}\n  " + "\n  ".join(wrong))
    print(
        f"{len(problems())} layers, {asked} ranges of rows, {len(kinds)} kinds of kernels; "
        f"{len(wanted)} assembled, {failures} not clean"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
