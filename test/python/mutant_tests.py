# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tests that mutants of the compiler have to pass, and which of them reach which mutant, for
`mutate_compiler`."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mutant_build import Build, MutantBuild, Outcome, execute

# Lit tests that build the project once more, measure time, want a whole build, or have every kernel
# assembled.
LIT_LEFT_OUT = r"compile-time|resources|package/|embed|one-test"
# Python tests of this tool and of the other mutants, of the package as it is installed, of pages in
# a browser, which takes more memory than a test may, and those that take minutes and test kernels,
# of which `Bench.kernels` chooses.
PYTHON_LEFT_OUT = (
    "mutat|wheel|_page|test_kernels|test_ragged|test_readme|test_laws|test_plot|test_bench"
)
PYTHON_OPTIONS = ("--routing=2", "--fused=2")
DIGESTS = "digests"
KERNELS = 3  # whose PTX is another, and that are tried
BATCH = 12  # lit tests that one lit runs


@dataclass(frozen=True)
class Test:
    """A program of unit tests, a lit test or a file of Python tests.

    Attributes:
        kind: "unit", "lit", "python" or "digests".
        name: of the program or the file, relative to the tests of its kind.
    """

    __test__ = False  # to pytest

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Recorded:
    """What a test does on the compiler as it is: seconds, and the mutants that it reaches."""

    seconds: float
    reached: frozenset[int]
    text: str  # of the digests
    began: float  # in seconds since 1970


def every_test(build: Build) -> list[Test]:
    """All tests that can notice a change of the compiler."""
    tests = build.root / "test"
    units = [Path(p).name for p in build.links if re.fullmatch(r"bin/.*-test", p)]
    suffixes = (".mlir", ".ptx", ".test")
    lit = [
        str(p.relative_to(tests))
        for p in sorted(tests.glob("*/**/*"))
        if p.suffix in suffixes and not re.search(r"Inputs|inputs|/laws/|/fuzz/", str(p))
    ]
    python = [p.name for p in sorted((tests / "python").glob("test_*.py"))]
    return [
        *(Test("unit", u) for u in sorted(units)),
        *(Test("lit", t) for t in lit if not re.search(LIT_LEFT_OUT, t)),
        *(Test("python", p) for p in python if not re.search(PYTHON_LEFT_OUT, p)),
        Test("digests", DIGESTS),
    ]  # fmt: skip


class Bench:
    """A folder where one test at a time runs on the products of a `MutantBuild`."""

    def __init__(self, made: MutantBuild, folder: Path) -> None:
        self.made, self.folder, build = made, folder, made.build
        self.tests = build.root / "test"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "lit").mkdir(parents=True)
        site = (build.folder / "test" / "lit.site.cfg.py").read_text()
        site = site.replace(f'r"{build.folder}/test', f'r"{folder}')
        site = site.replace(f'r"{build.folder}"', f'r"{made.folder}"')
        site += ("import os\nconfig.environment.update({k: v for k, v in os.environ.items() "
                 "if k.startswith('MXFP4_MUTANT')})\n")  # fmt: skip
        (folder / "lit" / "lit.site.cfg.py").write_text(site)
        tools = re.search(r'llvm_tools = r"(.*)"', site)
        assert tools
        self.lit = [f"{tools[1]}/lit", "-q", "-j1", "--max-failures=1"]
        lib = made.folder / "lib"
        self.env = os.environ | {
            "LD_LIBRARY_PATH": str(lib), "MXFP4_LIBRARY": str(lib / "libmxfp4.so"),
            "MXFP4_SIM_LIBRARY": str(lib / "libmxfp4-sim.so"), "MXFP4_BUILD": str(made.folder),
            "MXFP4_CACHE": str(folder / "cache"), "MXFP4_REQUIRE_LIBRARY": "1",
            "PYTHONPATH": str(build.root / "python"), "GTEST_FAIL_FAST": "1",
        }  # fmt: skip

    def run(self, tests: Sequence[Test], more: dict[str, str], limit: float) -> Outcome:
        """Runs tests of one kind up to the first that fails; `more` is for their environment."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        names, kind = [t.name for t in tests], tests[0].kind
        pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        python = self.tests / "python"
        command = {
            "unit": [self.made.folder / "bin" / names[0]],
            "lit": [*self.lit, *(self.folder / "lit" / n for n in names)],
            "python": [*pytest, *PYTHON_OPTIONS, *(python / n for n in names)],
            "kernel": [*pytest, python / "test_kernels.py", "-k", names[0]],
            "digests": [sys.executable, python / "ptx_digests.py"],
        }[kind]
        return execute(command, self.made.build.folder, self.env | more, limit)

    def record(self, test: Test) -> Recorded:
        """Runs a test on the compiler as it is.

        Raises:
            RuntimeError: if the test fails; it would kill every mutant that it reaches.
        """
        file = self.folder / "reached"
        file.write_bytes(bytes(len(self.made.mutants) + 1))
        began = time.time()
        done = self.run([test], {"MXFP4_MUTANTS_REACHED": str(file)}, 1800)
        took = round(time.time() - began, 2)
        # 5 is pytest's word for a file whose tests are all skipped.
        if done.failure and not (test.kind == "python" and done.status == 5):
            raise RuntimeError(f"{test} fails on the compiler as it is:\n{done.text}")
        reached = frozenset(i for i, byte in enumerate(file.read_bytes()) if byte)
        return Recorded(took, reached, done.text if test.kind == "digests" else "", began)

    def written(self, test: Test) -> float:
        """When a test was last changed, in seconds since 1970."""
        folder = {"unit": self.made.build.folder / "bin", "lit": self.tests}
        name = "ptx_digests.py" if test.kind == "digests" else test.name
        return (folder.get(test.kind, self.tests / "python") / name).stat().st_mtime

    def kernels(self, number: int, before: str) -> str:
        """What the interpreter says of kernels whose PTX is another than before; nothing if no
        test of theirs fails. "other PTX" tells that there are such kernels."""
        after = self.run([Test("digests", DIGESTS)], {"MXFP4_MUTANT": str(number)}, 1800).text
        same = set(after.splitlines())
        names = dict.fromkeys(d.split()[0] for d in before.splitlines() if d not in same)
        for name in list(names)[:KERNELS]:
            done = self.run([Test("kernel", name)], {"MXFP4_MUTANT": str(number)}, 1800)
            if done.failure:
                return done.failure
        return "other PTX" if names else ""


class Suite:
    """The tests with what was recorded of each, and those that fail on the compiler as it is."""

    def __init__(self, known: dict[Test, Recorded]) -> None:
        self.known = known
        self.failing: list[Test] = []

    @staticmethod
    def read(file: Path, wanted: Sequence[Test], written: Callable[[Test], float]) -> Suite:
        """What `add` has written, of tests that are the same still."""
        rows = [json.loads(row) for row in file.read_text().splitlines()] if file.exists() else []
        known = {}
        for r in rows:
            test = Test(r["kind"], r["name"])
            if test in wanted and written(test) < r["began"]:
                known[test] = Recorded(r["seconds"], frozenset(r["reached"]), r["text"], r["began"])
        return Suite(known)

    def add(self, file: Path, test: Test, recorded: Recorded) -> None:
        """Writes down what was recorded of a test."""
        self.known[test] = recorded
        row = asdict(test) | asdict(recorded) | {"reached": sorted(recorded.reached)}
        with file.open("a") as out:
            out.write(json.dumps(row) + "\n")

    def reaching(self, number: int, source: str) -> list[Test]:
        """The tests that reach a mutant of a file: those that bear the file's name, then the
        quickest first."""
        stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", Path(source).stem).lower()
        found = [t for t, r in self.known.items() if number in r.reached and t.kind != "digests"]
        kinds = ("unit", "lit", "python")

        def order(test: Test) -> tuple[int, float]:
            own = test.kind == "lit" and Path(test.name).stem.startswith(stem)
            return (-1 if own else kinds.index(test.kind)), self.known[test].seconds

        return sorted(found, key=order)

    def batches(self, tests: Sequence[Test]) -> Iterator[list[Test]]:
        """Tests in their order, several lit tests at a time because lit takes time to start."""
        batch: list[Test] = []
        for test in tests:
            whole = len(batch) == BATCH or sum(self.known[t].seconds for t in batch) > 5
            if batch and (whole or {test.kind, batch[0].kind} != {"lit"}):
                yield batch
                batch = []
            batch.append(test)
        if batch:
            yield batch

    def fate(self, bench: Bench, number: int) -> tuple[str, str]:
        """ "killed", with what failed; "equal" if the object file is the same; "survived"."""
        mutant = bench.made.mutants[number]
        tests = self.reaching(number, mutant.file)
        for batch in self.batches(tests):
            limit = 30 + 10 * sum(self.known[t].seconds for t in batch)
            done = bench.run(batch, {"MXFP4_MUTANT": str(number)}, limit)
            if done.failure:
                return "killed", f"{batch[0].kind}: {done.failure}"
        digests, wrong = self.known.get(Test("digests", DIGESTS)), ""
        if digests and number in digests.reached:
            wrong = bench.kernels(number, digests.text)
        if wrong and wrong != "other PTX":
            return "killed", f"kernels: {wrong}"
        if bench.made.same_object(number):
            return "equal", ""
        return "survived", wrong or (f"{len(tests)} tests reach it" if tests else "not reached")
