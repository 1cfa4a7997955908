# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutants of the compiler's source: which there are, and that a few meet their fate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import mutate_compiler
import pytest
from mutant_build import HEADER, Build, MutantBuild, blamed
from mutant_tests import Bench, Recorded, Suite, Test, every_test
from source_mutants import Mutant, every_mutant, guarded, mutants
from toolchain import LLVM

ROOT = mutate_compiler.ROOT
BUILD = ROOT / "build"
TARGET = "lib/Core/Target.cpp"
CLANG = LLVM / "bin" / "clang++"

SOURCE = """\
#include "a + 1.h"
// A comment: a < b && c.
template <typename T> bool f(std::vector<T> a, int *b) {
  assert(b < 3 && "no + 1");
  for (int i = 0; i < *b; ++i)
    a.push_back(i + 1); // a == b
  if (!b || isa<T>(a))
    return true;
  g("x < y", '"', a,
    h(2));
  return *b == 3;
}
"""


def test_changes_are_where_code_is() -> None:
    found = [f"{m.line + 1} {m.kind}: {m.after.strip()}" for m in mutants("f.cpp", SOURCE)]
    assert found == [
        "5 compare: for (int i = 0; i <= *b; ++i)",
        "5 number: for (int i = 1; i < *b; ++i)",
        "6 arithmetic: a.push_back(i - 1); // a == b",
        "6 number: a.push_back(i + 2); // a == b",
        "7 logic: if (!b && isa<T>(a))",
        "7 negation: if (b || isa<T>(a))",
        "7 guard: if (false)",
        "8 word: return false;",
        "10 number: h(3));",
        "11 equal: return *b != 3;",
        "11 number: return *b == 4;",
    ]


def test_calls_are_deleted_where_they_are_statements() -> None:
    text = "void f() {\n  g(\n      h(1));\n  a.b(c)->d(e);\n  int x = y(z);\n  w(x);\n}\n"
    deleted = [m.line for m in mutants("f.cpp", text) if m.kind == "delete"]
    assert deleted == [3, 5]


EXPRESSIONS = [
    ("x = a * b + c - d;", " - ", "a * b + c - d", "a * b + c + d"),
    ("x = a * b + c - d;", " * ", "a * b", "a + b"),
    ("return a - b * c < d && e;", " < ", "a - b * c < d", "a - b * c <= d"),
    ("f(a, b || c && d)", " || ", "b || c && d", "b && c && d"),
    ("f(a, b || c && d)", " && ", "c && d", "c || d"),
    ("if (a < b || c > d || e)", " || ", "a < b || c > d", "a < b && c > d"),
    ("if (c)\n  x[i + 1] = 0;", " + ", "i + 1", "i - 1"),
    ("if (c)\n  return -a + *b;", " + ", "-a + *b", "-a - *b"),
    ("x = a ? b + c : d;", " + ", "b + c", "b - c"),
    ("for (int i = 0; i < n; ++i)", " < ", "i < n", "i <= n"),
    ("for (T t : u + v)", " + ", "u + v", "u - v"),
    ("auto f = [&](T t) { return t.x == 1; };", " == ", "t.x == 1", "t.x != 1"),
    ("x = map(a, [](T t) { return t; }) + b;", " + ", "map(a, [](T t) { return t; }) + b",
     "map(a, [](T t) { return t; }) - b"),
    ("S<T, 3> s = g<A, B<C>>(a) + b;", " + ", "g<A, B<C>>(a) + b", "g<A, B<C>>(a) - b"),
    ("x = a && // why\n    b;", " && ", "a && // why\n    b", "a || b"),
    ("f(-1);\ng() + h{1}.i();", " + ", "g() + h{1}.i()", "g() - h{1}.i()"),
    ("T t{a + b};", " + ", "a + b", "a - b"),
    ("s = \"a\" + b + \"c;\";", " + ", "\"a\" + b", "\"a\" - b"),
    ("if (!a.b(c)->d[e] && f)", "!", "!a.b(c)->d[e]", "bool(a.b(c)->d[e])"),
    ("x = y * std::min<T>(a, b) + c;", "std::min", "std::min<T>(a, b)", "std::max<T>(a, b)"),
    ("return failure();", "failure()", "failure()", "success()"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "whole", "changed"), EXPRESSIONS)
def test_guards_go_around_whole_expressions(text: str, at: str, whole: str, changed: str) -> None:
    line, column = text[: text.index(at)].count("\n"), text.index(at)
    column -= text.rfind("\n", 0, column) + 1
    rest = text.split("\n")[line][column + len(at) :]
    found = [m for m in mutants("f.cpp", text)
             if m.line == line and m.before[:column] == m.after[:column]
             and m.after.endswith(rest) and not m.after[column:].startswith(at)
             and m.kind not in ("guard", "number")]  # fmt: skip
    assert [(text[m.begin : m.end], m.changed) for m in found[:1]] == [(whole, changed)]


@pytest.mark.slow
def test_every_mutant_of_the_compiler_is_one_changed_expression() -> None:
    found = every_mutant(ROOT, mutate_compiler.FOLDERS)
    assert len(found) > 2000
    assert {Path(m.file).parent.name for m in found} == {
        Path(folder).name for folder in mutate_compiler.FOLDERS
    }
    assert len({(m.file, m.line, m.kind, m.after) for m in found}) == len(found)
    for file in {m.file for m in found}:
        text = (ROOT / file).read_text()
        mine = dict(enumerate(m for m in found if m.file == file))
        # All of them stand in one text, whose lines are those of the file.
        whole = guarded(text, mine).text
        assert whole.count("\n") == text.count("\n")
        assert whole.count("mutated(") == len(mine)
        for m in mine.values():
            assert m.apply(text) != text


PROGRAM = """\
#include <algorithm>
#include <cstdio>
static void count(int &calls) {
  ++calls;
}
static int f(int a, int b, int &calls) {
  count(calls);
  if (a + 2 < b && !calls)
    return 100;
  int sum = 0;
  for (int i = 0; i <= std::max(a, b); ++i)
    sum += i * 2 - 1;
  return sum;
}
int main() {
  int calls = 0;
  const int found = f(2, 3, calls);
  std::printf("%d %d\\n", found, calls);
}
"""


@pytest.mark.slow
@pytest.mark.skipif(not CLANG.exists(), reason="no compiler")
def test_a_guarded_program_is_every_mutant(tmp_path: Path) -> None:
    """One build with all mutants prints what a build of each mutant by itself prints."""

    def output(text: str, *flags: str, **env: str) -> str:
        program = tmp_path / "program"
        (tmp_path / "f.cpp").write_text(text)
        if not env:
            subprocess.run([CLANG, "-w", *flags, tmp_path / "f.cpp", "-o", program], check=True)
        done = subprocess.run([program], env=env, capture_output=True, text=True, check=True)
        return done.stdout

    found = dict(enumerate(mutants("f.cpp", PROGRAM), 1))
    assert {m.kind for m in found.values()} >= {"compare", "logic", "arithmetic", "number",
                                                "word", "negation", "guard", "delete"}  # fmt: skip
    alone = {n: output(m.apply(PROGRAM)) for n, m in found.items()}
    whole = guarded(PROGRAM, found).text
    assert output(whole, "-include", str(HEADER)) == "8 1\n"
    reached = tmp_path / "reached"
    reached.write_bytes(bytes(len(found) + 1))
    assert output(whole, MXFP4_MUTANTS_REACHED=str(reached)) == "8 1\n"
    for number, mutant in found.items():
        assert output(whole, MXFP4_MUTANT=str(number)) == alone[number], mutant
        # What is behind && is not asked for if the left operand is false.
        behind = PROGRAM.index("!calls") == mutant.begin
        within = PROGRAM.index("return 100") < mutant.begin < PROGRAM.index(";\n  int sum")
        assert reached.read_bytes()[number] == (not behind and not within), mutant
    assert len(set(alone.values())) > 5


def test_a_compiler_s_errors_name_mutants() -> None:
    text = "int a = 1;\nint b = a +\n        2 * 3;\nint c[4];\n"
    found = {m.after.strip(): m for m in mutants("f.cpp", text)}
    names = ["int a = 2;", "int b = a -", "2 + 3;", "3 * 3;", "2 * 4;", "int c[5];"]
    assert list(found) == [n for n in found if n in names]
    tried = guarded(text, {names.index(n): m for n, m in found.items()})
    source, lines = Path("/x/f.cpp"), tried.text.split("\n")

    def said(line: int, part: str) -> set[int]:
        column = lines[line - 1].index(part) + 1
        return blamed(f"/x/f.cpp:{line}:{column}: error: no\n", source, tried)

    assert said(4, "5") == said(4, "c[") == said(4, "int") == {5}
    assert said(2, "a +") == said(2, "a -") == {1}
    assert said(3, "2 + 3") == {2}
    assert said(3, "? (4)") == {4}
    for elsewhere in ("/y/g.h:1:1", "/x/f.cpp:5:1"):
        message = f"{elsewhere}: error: no\n/x/f.cpp:1:9: note: from here\n"
        assert blamed(message, source, tried) == {0}


def test_the_list_of_survivors_is_well_formed() -> None:
    for pattern, reason in mutate_compiler.reviewed():
        assert pattern.pattern.startswith("^lib/")
        assert reason.strip().endswith(".")


def test_tests_run_that_reach_a_mutant_from_the_cheapest_to_the_dearest() -> None:
    def recorded(seconds: float, *reached: int) -> Recorded:
        return Recorded(seconds, frozenset(reached), "", 0)

    known = {
        Test("python", "test_a.py"): recorded(1, 1),
        Test("lit", "IR/a.mlir"): recorded(0.5, 1),
        Test("lit", "Transforms/share-tiles.mlir"): recorded(3, 1),
        Test("lit", "IR/b.mlir"): recorded(0.2, 1, 2),
        Test("unit", "core-test"): recorded(9, 1),
        Test("unit", "capi-test"): recorded(1, 2),
        Test("digests", "digests"): recorded(1, 1),
    }
    suite = Suite(known)
    order = suite.reaching(1, "lib/Transforms/ShareTiles.cpp")
    assert [t.name for t in order] == [
        "Transforms/share-tiles.mlir", "core-test", "IR/b.mlir", "IR/a.mlir", "test_a.py",
    ]  # fmt: skip
    assert [len(b) for b in suite.batches(order)] == [1, 1, 2, 1]
    assert not suite.reaching(3, "lib/Transforms/ShareTiles.cpp")


class FakeBench:
    """Notes which tests are recorded; one fails."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def record(self, test: Test) -> Recorded:
        self.ran.append(test.name)
        if test.name == "bad.mlir":
            raise RuntimeError("bad.mlir fails")
        return Recorded(1, frozenset({1, 3}), "", 10)

    def written(self, test: Test) -> float:
        return 20 if test.name == "changed.mlir" else 5


def test_what_is_recorded_is_not_run_again(tmp_path: Path) -> None:
    """But what has changed since is, and what failed, which kills no mutant."""
    names = ["bad.mlir", "changed.mlir", "good.mlir"]
    tests, file = [Test("lit", n) for n in names], tmp_path / "tests.jsonl"
    first, second = FakeBench(), FakeBench()
    for bench in (first, second):
        suite = mutate_compiler.record([bench], file, tests)  # type: ignore[list-item]
        assert suite.failing == [tests[0]]
        assert set(suite.known) == set(tests[1:])
        assert set(suite.reaching(3, "lib/Core/Target.cpp")) == set(tests[1:])
        assert not suite.reaching(2, "lib/Core/Target.cpp")
    assert sorted(first.ran) == names
    assert sorted(second.ran) == names[:2]


@pytest.fixture(scope="module")
def build() -> Build:
    if not (BUILD / "compile_commands.json").is_file():
        if os.environ.get("MXFP4_REQUIRE_LIBRARY") == "1":
            pytest.fail("build has no compile_commands.json")
        pytest.skip("there is no build")
    return Build(ROOT, BUILD)


def test_the_build_knows_what_holds_an_object(build: Build) -> None:
    holding = build.holding(build.object_of(TARGET))
    assert {"bin/mxfp4-opt", "bin/core-test", "lib/libmxfp4.so.1"} <= set(holding)
    assert build.holding(build.object_of("lib/CAPI/Packing.cpp")) == ["lib/libmxfp4.so.1"]


def test_tests_of_all_kinds_are_found(build: Build) -> None:
    found = every_test(build)
    wanted = {"unit": "core-test", "lit": "Transforms/tile.mlir", "python": "test_compiler.py"}
    assert {Test(kind, name) for kind, name in wanted.items()} <= set(found)
    assert not [t for t in found if "mutat" in t.name]


def target_mutant(after: str) -> Mutant:
    """The condition that finds a target, changed."""
    text = (ROOT / TARGET).read_text()
    begin = text.index("target.chip == chip")
    end = begin + len("target.chip == chip")
    return Mutant(TARGET, text.count("\n", 0, begin), "test", "", after, begin, end, after)


@pytest.mark.slow
def test_fates(build: Build, tmp_path: Path) -> None:
    """Killed by the unit tests, the same object file, and not to be guarded."""
    source = (ROOT / TARGET).read_bytes()
    product = (BUILD / "bin" / "core-test").read_bytes()
    changes = ["target.chip != chip", "chip == target.chip || target.chip == chip",
               "target.chip == chips"]  # fmt: skip
    made = MutantBuild(build, tmp_path / "made", [target_mutant(c) for c in changes], 1)
    made.make(["bin/core-test"])
    assert made.left_out == {3}
    bench, core = Bench(made, tmp_path / "bench"), Test("unit", "core-test")
    recorded = bench.record(core)
    assert {1, 2} <= recorded.reached
    suite = Suite({core: recorded})
    fate, by = suite.fate(bench, 1)
    assert fate == "killed"
    assert by.startswith("unit")
    assert suite.fate(bench, 2)[0] in ("equal", "survived")
    assert Suite({}).fate(bench, 1) == ("survived", "not reached")
    assert (ROOT / TARGET).read_bytes() == source
    assert (BUILD / "bin" / "core-test").read_bytes() == product
