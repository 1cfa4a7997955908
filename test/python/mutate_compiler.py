# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does the suite notice? Change one expression of the compiler's own source at a time and see.

    python test/python/mutate_compiler.py [--sample N] [--seed N] [--match REGEX] [--resume]

Needs a finished build, which stays as it is. Works in ``build/mutants``, in three steps:

1.  Build once (`mutant_build`). Every file that has mutants of the sample is compiled with all of
    them in it, each behind a guard: ``a < b`` becomes ``(mutated(17) ? (a <= b) : (a < b))``. The
    variable MXFP4_MUTANT of the environment chooses the one to be. What cannot be guarded is left
    out and counted: what does not compile, and what must be a constant.
2.  Record (`mutant_tests`). Each test runs once with no mutant chosen, and the guards tell which
    mutants it reaches: programs of unit tests, lit tests and files of Python tests.
3.  Decide. For each mutant those tests run that reach it, from the cheapest to the dearest, up to
    the first that fails. A mutant that no test reaches lives. Where the PTX of kernels is another,
    three of these kernels run in the interpreter.

The recorded hashes of PTX are no test here: whoever changes a kernel on purpose writes them anew.
Those mutants that live, and whose object file, compiled alone, is another than without them, are
compared with ``compiler_survivors.txt``, which says for each kind why nothing can be seen. The
exit status is 0 if none is unexplained and at least 95 % of the rest were killed. Each step writes
down at once what it finds; with ``--resume`` nothing is done twice. What a mutant does can be seen
by ``MXFP4_MUTANT=17 build/mutants/bin/mxfp4-opt ...``; survivors are printed with their number.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import queue
import random
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from mutant_build import Build, MutantBuild, end_all
from mutant_tests import Bench, Suite, Test, every_test
from source_mutants import Mutant, every_mutant

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).with_name("compiler_survivors.txt")
FOLDERS = ["lib/Core", "lib/IR", "lib/Transforms", "lib/Pipeline", "lib/CAPI"]
GOAL = 0.95


def reviewed() -> list[tuple[re.Pattern[str], str]]:
    """(pattern over a mutant's text, reason) for each line of the list."""
    rows = [r for r in SURVIVORS.read_text().splitlines() if r.strip() and not r.startswith("#")]
    pairs = [r.split(" :: ", 1) for r in rows]
    return [(re.compile(pattern), reason) for pattern, reason in pairs]


class Log:
    """The fates of mutants, one JSON object a line.

    A mutant is known by its line number too, since the same change can be made in several places.
    """

    def __init__(self, file: Path, retry: bool) -> None:
        self.file, self.lock = file, threading.Lock()
        lines = file.read_text().splitlines() if file.is_file() else []
        self.entries = {e["mutant"]: e for e in map(json.loads, lines)}
        if retry:
            known = [pattern for pattern, _ in reviewed()]
            for name, entry in list(self.entries.items()):
                text = name.split(": ", 1)[1]
                if entry["fate"] == "survived" and not any(p.search(text) for p in known):
                    del self.entries[name]

    @staticmethod
    def name(mutant: Mutant) -> str:
        """What the log calls a mutant."""
        return f"{mutant.line + 1}: {mutant}"

    def add(self, mutant: Mutant, fate: str, by: str) -> None:
        """Writes a fate down."""
        entry = {"mutant": self.name(mutant), "fate": fate, "by": by}
        with self.lock, self.file.open("a") as out:
            self.entries[entry["mutant"]] = entry
            out.write(json.dumps(entry) + "\n")
            print(f"{fate:10} {by:40.40} {mutant.file}:{entry['mutant']}", flush=True)


def everywhere(benches: list[Bench], work: Iterable[T], do: Callable[[Bench, T], None]) -> None:
    """Does something with each piece of work, on as many benches as there are."""
    free: queue.SimpleQueue[Bench] = queue.SimpleQueue()
    for bench in benches:
        free.put(bench)

    def one(piece: T) -> None:
        bench = free.get()
        try:
            do(bench, piece)
        finally:
            free.put(bench)

    with concurrent.futures.ThreadPoolExecutor(len(benches)) as pool:
        for _ in pool.map(one, work):
            pass


def record(benches: list[Bench], file: Path, wanted: list[Test]) -> Suite:
    """Runs the tests that have not been recorded, the dearest kind first so that all end at about
    the same time. One that fails is left out, and the whole run fails."""
    suite = Suite.read(file, wanted, benches[0].written)

    def one(bench: Bench, test: Test) -> None:
        try:
            recorded = bench.record(test)
        except RuntimeError as e:
            print(e, flush=True)
            suite.failing.append(test)
            return
        suite.add(file, test, recorded)
        print(f"{recorded.seconds:6.1f} s, {len(recorded.reached):4} mutants: {test}", flush=True)

    everywhere(benches, [t for t in reversed(wanted) if t not in suite.known], one)
    return suite


def run(made: MutantBuild, log: Log, jobs: int, tests: str) -> list[Test]:
    """Decides the fate of each mutant that the log does not have; tests that fail without any."""
    made.make()
    for number in made.left_out:
        if log.name(made.mutants[number]) not in log.entries:
            log.add(made.mutants[number], "left out", "")
    left = [n for n, m in made.mutants.items() if log.name(m) not in log.entries]
    benches = [Bench(made, made.folder / f"bench-{i}") for i in range(max(1, jobs))]
    wanted = [t for t in every_test(made.build) if re.search(tests, str(t))]
    suite = record(benches, made.folder / "tests.jsonl", wanted) if left else Suite({})

    def decide(bench: Bench, number: int) -> None:
        log.add(made.mutants[number], *suite.fate(bench, number))

    everywhere(benches, left, decide)
    return suite.failing


def report(wanted: list[Mutant], log: Log, verbose: bool) -> bool:
    """Prints the sums and the survivors that matter; False if there are too many."""
    known = reviewed()
    fates = {m: log.entries[log.name(m)]["fate"] for m in wanted}
    count = Counter(fates.values())
    lived = [m for m, fate in fates.items() if fate == "survived"]
    new = [m for m in lived if not any(p.search(str(m)) for p, _ in known)]
    for m in lived if verbose else new:
        print(f"  {wanted.index(m) + 1} line {m.line + 1}: {m}")
    share = count["killed"] / max(1, count["killed"] + len(new))
    of_all = count["killed"] / max(1, count["killed"] + len(lived))
    print(f"{len(wanted)} mutants: {count['left out']} cannot be guarded, {count['equal']} give "
          f"the same object file; of the others {count['killed']} were killed, "
          f"{len(lived) - len(new)} live and are explained, {len(new)} are not: {share:.1%} of "
          f"eligible mutants killed ({of_all:.1%} of all)")  # fmt: skip
    return share >= GOAL and not new


def clear(folder: Path, mutants: list[Mutant], resume: bool) -> None:
    """Removes what earlier runs have written down, unless it is to be gone on with. What tests
    reach is known by a mutant's number, and so for one sample alone."""
    folder.mkdir(parents=True, exist_ok=True)
    sample, now = folder / "sample.txt", "\n".join(Log.name(m) for m in mutants)
    if not resume:
        (folder / "log.jsonl").unlink(missing_ok=True)
    if not resume or not sample.is_file() or sample.read_text() != now:
        (folder / "tests.jsonl").unlink(missing_ok=True)
    sample.write_text(now)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, help="mutants to try (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--match", default="", help="only mutants whose text has this pattern")
    parser.add_argument("--tests", default="", help="only tests whose name has this pattern")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="a finished build")
    parser.add_argument("--resume", action="store_true", help="go on where the last run ended")
    parser.add_argument("--retry", action="store_true", help="the same, and try those again that "
                        "live unexplained, after changed tests are recorded")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print mutants, and try none")
    parser.add_argument("--verbose", action="store_true", help="also list explained survivors")
    o = parser.parse_args()
    every = [m for m in every_mutant(ROOT, FOLDERS) if re.search(o.match, str(m))]
    if 0 < o.sample < len(every):
        every = random.Random(o.seed).sample(every, o.sample)
    if o.list:
        print("\n".join(f"{m.line + 1}: {m}" for m in every))
        return 0
    folder = o.build.resolve() / "mutants"
    clear(folder, every, o.resume or o.retry)
    log = Log(folder / "log.jsonl", o.retry)

    def stop(number: int, _: object) -> None:
        end_all()
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    build = Build(ROOT, o.build.resolve())
    failing = run(MutantBuild(build, folder, every, o.jobs), log, o.jobs, o.tests)
    for test in failing:
        print(f"left out, because the test fails on the compiler as it is: {test}")
    return 0 if report(every, log, o.verbose) and not failing else 1


if __name__ == "__main__":
    sys.exit(main())
