# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hashes of PTX that lit's tests of all kernels keep from run to run (assembled.py)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "Pipeline/Inputs"))
import assembled
from every_kernel import Case


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the compiler's place, ahead of others in PATH."""
    file = tmp_path / "build/bin/mxfp4-compile"
    file.parent.mkdir(parents=True)
    shutil.copy(shutil.which("true") or "", file)
    monkeypatch.setenv("PATH", str(file.parent), prepend=":")
    return file


def test_what_the_same_compiler_makes_is_not_compiled_again(compiler: Path, tmp_path: Path) -> None:
    asked, said = [], {"wrong": ""}

    def compile_case(case: Case, directory: Path, *_: str) -> str:
        asked.append(case)
        if said["wrong"]:
            return said["wrong"]
        directory.mkdir(exist_ok=True)
        (directory / "kernel.ptx").write_text(f"{case.problem}")
        return ""

    def ptx_of(case: Case) -> tuple[str, str]:
        assembled.maker.cache_clear()
        return assembled.ptx_of(case, tmp_path / "made", compile_case)

    one, other = Case("s", "one"), Case("s", "other")
    found = {case: ptx_of(case) for case in (one, other)}
    assert found[one][1] != found[other][1]
    assert {case: ptx_of(case) for case in (one, other)} == found
    assert asked == [one, other]
    with compiler.open("ab") as file:  # another compiler
        file.write(b"x")
    said["wrong"] = "a fault"
    assert ptx_of(one) == ("a fault", "")
    said["wrong"] = ""
    assert ptx_of(one) == found[one]
    assert asked == [one, other, one, one], "faults are not kept"
    assembled.maker.cache_clear()
