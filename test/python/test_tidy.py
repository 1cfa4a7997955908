# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""clang-tidy looks again at what has changed (tools/tidy.py), and at nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TIDY = Path(__file__).resolve().parents[2] / "tools/tidy.py"
COMPILER = shutil.which("cc") or shutil.which("clang-22") or ""
pytestmark = pytest.mark.skipif(
    not (COMPILER and shutil.which("ninja")), reason="a C compiler and ninja are needed"
)
# Writes down what it is asked for, and finds something where a file says "bad".
LINTER = """#!/bin/sh
echo "$4" >>"$(dirname "$0")/asked"
other="$(dirname "$0")/meanwhile"
test ! -e "$other" || cp "$other" "$4"
! cat "$4" "$(dirname "$4")/part.h" | grep -H bad
"""


class Project:
    """Two files, of which one includes a header."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.build = folder, folder / "build"
        self.build.mkdir()
        self.linter = folder / "linter"
        self.linter.write_text(LINTER)
        self.linter.chmod(0o755)
        (folder / ".clang-tidy").write_text("Checks: '*'\n")
        (folder / "part.h").write_text("int part;\n")
        (folder / "names").mkdir()
        (folder / "names/.clang-tidy").write_text("Checks: 'a'\n")
        (folder / "names/inner.h").write_text("int inner;\n")
        (folder / "one.c").write_text('#include "part.h"\n#include "names/inner.h"\n')
        (folder / "two.c").write_text("int two;\n")
        rules = [
            f"rule cc\n  command = {COMPILER} -MD -MF $out.d -o $out -c $in\n"
            "  depfile = $out.d\n  deps = gcc\n"
        ]
        entries = []
        for name in ("one", "two"):
            source = folder / f"{name}.c"
            rules.append(f"build {name}.o: cc {source}\n")
            command = f"{COMPILER} -o {name}.o -c {source}"
            entries.append({"directory": str(self.build), "command": command, "file": str(source)})
        (self.build / "build.ninja").write_text("".join(rules))
        self.entries = entries
        (self.build / "compile_commands.json").write_text(json.dumps(entries))
        self.make()

    def make(self) -> None:
        subprocess.run(["ninja", "-C", self.build], check=True, stdout=subprocess.DEVNULL)

    def write(self, name: str, text: str) -> None:
        """A file that is newer than its objects, however coarse the clock of files is."""
        made = [(self.build / f"{n}.o").stat().st_mtime for n in ("one", "two")]
        file = self.folder / name
        file.write_text(text)
        os.utime(file, (max(made) + 2, max(made) + 2))

    def settle(self) -> None:
        """Objects of sources that are older than they."""
        self.make()
        for file in self.folder.glob("*.[ch]"):
            os.utime(file, (1, 1))

    def run(self) -> tuple[int, list[str]]:
        """The exit status, and the files that clang-tidy looked at."""
        asked = self.folder / "asked"
        asked.unlink(missing_ok=True)
        files = [self.folder / "one.c", self.folder / "two.c"]
        done = subprocess.run([sys.executable, TIDY, self.linter, self.build, *files], check=False)
        lines = asked.read_text().splitlines() if asked.exists() else []
        return done.returncode, sorted(Path(line).stem for line in lines)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.settle()
    assert made.run() == (0, ["one", "two"])
    assert made.run() == (0, [])
    return made


def test_a_header_concerns_those_that_include_it(project: Project) -> None:
    project.write("part.h", "long part;\n")
    project.settle()
    assert project.run() == (0, ["one"])
    assert project.run() == (0, [])


def test_what_was_found_is_found_again(project: Project) -> None:
    project.write("two.c", "int bad;\n")
    project.settle()
    assert project.run() == (1, ["two"])
    assert project.run() == (1, ["two"])
    project.write("two.c", "int two;\n")
    project.settle()
    assert project.run() == (0, []), "as it was"


def test_what_is_newer_than_its_object_is_looked_at_each_time(project: Project) -> None:
    project.write("two.c", "long two;\n")
    assert project.run() == (0, ["two"])
    assert project.run() == (0, ["two"])


def test_a_configuration_concerns_those_that_include_headers_below_it(project: Project) -> None:
    (project.folder / "names/.clang-tidy").write_text("Checks: 'b'\n")
    assert project.run() == (0, ["one"])
    assert project.run() == (0, [])


def test_a_text_that_was_not_looked_at_is_not_clean(project: Project) -> None:
    project.write("two.c", "int bad;\n")
    project.settle()
    meanwhile = project.folder / "meanwhile"
    meanwhile.write_text("int two;\n")
    assert project.run() == (0, ["two"]), "somebody writes the file while it is looked at"
    meanwhile.unlink()
    project.write("two.c", "int bad;\n")
    project.settle()
    assert project.run() == (1, ["two"])


@pytest.mark.parametrize("what", ["configuration", "program", "command"])
def test_all_that_decides_counts(project: Project, what: str) -> None:
    if what == "configuration":
        (project.folder / ".clang-tidy").write_text("Checks: '-*'\n")
    elif what == "program":
        project.linter.write_text(LINTER + "# another version\n")
    else:
        changed = [e | {"command": e["command"] + " -DX"} for e in project.entries]
        (project.build / "compile_commands.json").write_text(json.dumps(changed))
    assert project.run() == (0, ["one", "two"])
    assert project.run() == (0, [])


def test_without_a_build_it_says_what_to_do(project: Project) -> None:
    (project.build / "compile_commands.json").unlink()
    done = subprocess.run(
        [sys.executable, TIDY, project.linter, project.build, "one.c"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "compile_commands.json; run cmake --preset release" in done.stderr
