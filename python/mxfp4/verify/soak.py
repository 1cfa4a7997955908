# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random launches for as long as one likes: every result exact, and none that hangs.

Each round picks a few kernels and shapes at random and launches them, one behind the other and at
the same time, on two streams with nothing in between, as a model would.
Then every output is compared.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import torch

from ..artifact import Artifact
from ..problem import Problem
from ..runtime import Kernel
from ..wanted import Shelf
from .cases import Case, cases
from .fp8 import data_for
from .gpu import Data, Output, Rows

AT_ONCE = 6
"""Launches of a round."""

PATIENCE = 60.0
"""Seconds without a finished round after which the run is given up: something hangs."""

REPORT = 60.0
"""Seconds between two lines that say how far it is: a run that is cut off is not lost."""

ROUTINGS = ("even", "random", "skewed", "ends", "first", "middle", "last")


class Soak:
    """Random launches of all kernels of a shelf."""

    def __init__(self, shelf: Shelf, seed: int) -> None:
        self._random = random.Random(seed)
        ids = {c.problem: c.ids for c in cases()}
        self._problems = [(p, i, self._kernels(shelf, p)) for p, i in ids.items()]
        self._data: dict[tuple[Problem, str], Data] = {}
        self._streams = [torch.cuda.Stream() for _ in range(2)]
        self.rounds = self.launches = 0
        self._progress = time.monotonic()

    @staticmethod
    def _kernels(shelf: Shelf, problem: Problem) -> list[Kernel]:
        mine: dict[str, Artifact] = {
            Path(a.origin).name: a for a in shelf.artifacts if problem.matches(a.manifest)
        }
        return [Kernel.load(a) for a in mine.values()]

    def _draw(self) -> tuple[Kernel, Case, Data]:
        r = self._random
        problem, ids, kernels = r.choice([p for p in self._problems if p[2]])
        most = 6000 if problem.n * problem.k * problem.experts < 4_000_000 else 2000
        rows = min(most, int(2 ** r.uniform(0, 13)))
        kind = r.choice(("exact", "single"))
        data = self._data.get((problem, kind))
        if data is None:
            data = self._data[problem, kind] = data_for(problem, kind)
        return r.choice(kernels), Case(problem, rows, r.choice(ROUTINGS), ids), data

    def round(self) -> list[str]:
        """Launch a few and check them all: what is wrong."""
        drawn = [self._draw() for _ in range(AT_ONCE)]
        jobs: list[tuple[Kernel, Case, Data, Rows, Output, Any, Any]] = []
        for kernel, case, data in drawn:
            ids = None if case.ids is None else data.device_ints(case.ids)
            jobs.append((kernel, case, data, data.activations(case.rows), data.output(case.rows),
                         data.device_ints(case.offsets()), ids))  # fmt: skip
        torch.cuda.synchronize()
        for i, (kernel, _, data, x, y, offsets, ids) in enumerate(jobs):
            stream = self._streams[i % 2]
            data.launch(kernel, x, offsets, y, ids, stream)
        torch.cuda.synchronize()
        found = []
        for kernel, case, data, x, y, _, _ in jobs:
            wrong = data.compare(y.tensor, x, case.offsets(), case.ids)["wrong"]
            if wrong or y.unwritten() or y.guards_touched() or kernel.error_word():
                name = Path(kernel.artifact.origin).name
                found.append(f"{name}: {case.name} {data.kind}: {wrong} elements are wrong, "
                             f"{y.unwritten()} were not written")  # fmt: skip
        self.rounds += 1
        self.launches += len(jobs)
        self._progress = time.monotonic()
        return found

    def watch(self) -> None:
        """End the process if no round ends for a long time: a hung kernel cannot be waited for."""

        def look() -> None:
            while True:
                time.sleep(1)
                if time.monotonic() - self._progress > PATIENCE:
                    print(f"FAIL soak: a round after {self.rounds} hangs", flush=True)
                    os._exit(3)

        threading.Thread(target=look, daemon=True).start()


def soak(folder: Path, seconds: float, seed: int) -> int:
    """Run for some seconds; 0 if nothing was wrong."""
    run = Soak(Shelf(folder), seed)
    run.watch()
    start, failed, told = time.monotonic(), 0, 1

    def tell(after: float) -> None:
        print(f"soak: {after:.0f} s, {run.rounds} rounds, {run.launches} launches, {failed} wrong",
              flush=True)  # fmt: skip

    while (took := time.monotonic() - start) < seconds:
        if took >= told * REPORT:
            tell(took)
            told += 1
        for problem in run.round():
            failed += 1
            print(f"FAIL soak round {run.rounds} (seed {seed}): {problem}", flush=True)
    tell(took)
    return 1 if failed else 0
