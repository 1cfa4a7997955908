# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutants of the compiler's source: which there are, and that a few meet their fate."""

from __future__ import annotations

import os
from pathlib import Path

import mutate_compiler
import pytest
from mutant_build import Bench, Build
from source_mutants import Mutant, every_mutant, mutants

ROOT = mutate_compiler.ROOT
BUILD = ROOT / "build"
TARGET = "lib/Core/Target.cpp"

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


def test_every_mutant_of_the_compiler_is_one_changed_line() -> None:
    found = every_mutant(ROOT, mutate_compiler.FOLDERS)
    assert len(found) > 2000
    assert {Path(m.file).parent.name for m in found} == {
        Path(folder).name for folder in mutate_compiler.FOLDERS
    }
    assert len({(m.file, m.line, m.kind, m.after) for m in found}) == len(found)
    texts = {m.file: (ROOT / m.file).read_text() for m in found}
    for m in found:
        before, after = texts[m.file].split("\n"), m.apply(texts[m.file]).split("\n")
        changed = [i for i, line in enumerate(before) if line != after[i]]
        assert changed == [m.line]
        assert len(before) == len(after)


def test_the_list_of_survivors_is_well_formed() -> None:
    for pattern, reason in mutate_compiler.reviewed():
        assert pattern.pattern.startswith("^lib/")
        assert reason.strip().endswith(".")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    if not (BUILD / "compile_commands.json").is_file():
        if os.environ.get("MXFP4_REQUIRE_LIBRARY") == "1":
            pytest.fail("build has no compile_commands.json")
        pytest.skip("there is no build")
    return Bench(Build(ROOT, BUILD), tmp_path_factory.mktemp("mutants") / "bench")


def target_mutant(after: str) -> Mutant:
    """The line that finds a target, changed."""
    lines = (ROOT / TARGET).read_text().split("\n")
    number = next(i for i, line in enumerate(lines) if "target.chip == chip" in line)
    return Mutant(TARGET, number, "test", lines[number], after)


def test_the_build_knows_what_holds_an_object(bench: Bench) -> None:
    build = bench.build
    holding = build.holding(build.object_of(TARGET))
    assert {"bin/mxfp4-opt", "bin/core-test", "lib/libmxfp4.so.1"} <= set(holding)
    assert build.holding(build.object_of("lib/CAPI/Packing.cpp")) == ["lib/libmxfp4.so.1"]


@pytest.mark.parametrize(
    ("after", "fate"),
    [
        ("    if (target.chip != chip)", "killed"),
        ("    if (target.chip == chip) // nothing else", "equal"),
        ("    if (target.chip == chips)", "invalid"),
    ],
)
def test_fates(bench: Bench, after: str, fate: str) -> None:
    source = (ROOT / TARGET).read_bytes()
    product = (BUILD / "bin" / "core-test").read_bytes()
    found, by = bench.fate(target_mutant(after))
    assert found == fate
    assert by.startswith("core-test") == (fate == "killed")
    assert (ROOT / TARGET).read_bytes() == source
    assert (BUILD / "bin" / "core-test").read_bytes() == product
