# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does the suite notice? Change one line of the compiler's own source at a time and see.

    python test/python/mutate_compiler.py [--sample N] [--seed N] [--match REGEX] [--resume]

Needs a finished build. The source and the build stay as they are: the changed file is compiled in
a folder of its own (``build/mutants``), linked in front of the library that it belongs to, and
tested there. Tests run from the cheapest to the dearest, up to the first that fails:

    what lit has for the changed pass; lit for the dialect and all passes; unit tests; the C
    interface; the rest of lit; the compiler's tests in Python; the example; and, of kernels
    whose PTX is another, three in the interpreter.

The recorded hashes of PTX are no test here: whoever changes a kernel on purpose writes them anew. A
mutant that does not compile does not count, nor one whose object file is the same, byte for byte.
Those that live are compared with ``compiler_survivors.txt``, which says for each kind why nothing
can be seen; the exit status is 0 if none is unexplained and at least 95 % of the rest were
killed. Each fate goes to ``build/mutants/log.jsonl`` at once; with ``--resume`` what is there
already is not done again.
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
from pathlib import Path

from mutant_build import Bench, Build, end_all
from source_mutants import Mutant, every_mutant

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

    def __init__(self, file: Path, resume: bool) -> None:
        self.file, self.lock = file, threading.Lock()
        if not resume:
            file.unlink(missing_ok=True)
        lines = file.read_text().splitlines() if file.is_file() else []
        self.entries = {e["mutant"]: e for e in map(json.loads, lines)}

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


def run(build: Build, wanted: list[Mutant], log: Log, folder: Path, jobs: int) -> None:
    """Decides the fate of each mutant that the log does not have."""
    left = [m for m in wanted if log.name(m) not in log.entries]
    benches: queue.SimpleQueue[Bench] = queue.SimpleQueue()
    for number in range(min(jobs, max(1, len(left)))):
        benches.put(Bench(build, folder / f"bench-{number}"))

    def decide(mutant: Mutant) -> None:
        bench = benches.get()
        try:
            log.add(mutant, *bench.fate(mutant))
        finally:
            benches.put(bench)

    if left:
        first = benches.get()
        first.learn()
        benches.put(first)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(decide, left):
            pass


def report(wanted: list[Mutant], log: Log, verbose: bool) -> bool:
    """Prints the sums and the survivors that matter; False if there are too many."""
    known = reviewed()
    fates = {m: log.entries[log.name(m)]["fate"] for m in wanted}
    count = Counter(fates.values())
    lived = [m for m, fate in fates.items() if fate == "survived"]
    new = [m for m in lived if not any(p.search(str(m)) for p, _ in known)]
    for m in lived if verbose else new:
        print(f"  line {m.line + 1}: {m}")
    share = count["killed"] / max(1, count["killed"] + len(new))
    of_all = count["killed"] / max(1, count["killed"] + len(lived))
    print(f"{len(wanted)} mutants: {count['invalid']} do not compile, {count['equal']} give the "
          f"same object file; of the others {count['killed']} were killed, "
          f"{len(lived) - len(new)} live and are explained, {len(new)} are not: {share:.1%} of "
          f"eligible mutants killed ({of_all:.1%} of all)")  # fmt: skip
    return share >= GOAL and not new


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, help="mutants to try (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--match", default="", help="only mutants whose text has this pattern")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="a finished build")
    parser.add_argument("--resume", action="store_true", help="go on where the last run ended")
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
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "log.jsonl", o.resume)

    def stop(number: int, _: object) -> None:
        end_all()
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    run(Build(ROOT, o.build.resolve()), every, log, folder, o.jobs)
    return 0 if report(every, log, o.verbose) else 1


if __name__ == "__main__":
    sys.exit(main())
