# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What find_package(MXFP4) says to projects that ask for too much, or have not enabled C.

usage: check_find.py CMAKE PREFIX SOURCE-FOLDER SCRATCH-FOLDER CMAKE-OPTION...
"""

from __future__ import annotations

import filecmp
import pathlib
import shutil
import subprocess
import sys

CMAKE, PREFIX, SOURCE, SCRATCH = sys.argv[1:5]
OPTIONS = sys.argv[5:]

CASES = [
    ("C CXX", "REQUIRED COMPONENTS Nothing", "mxfp4 has no component Nothing; use Pipeline, "),
    ("C CXX", "REQUIRED COMPONENTS Runtime Nothing", "mxfp4 has no component Nothing; use "),
    ("C CXX", "REQUIRED COMPONENTS Runtime IR OPTIONAL_COMPONENTS Nothing", ""),
    ("CXX", "REQUIRED COMPONENTS Runtime Runtime", ""),
    ("CXX", "REQUIRED", "write project(... LANGUAGES C CXX), or ask for COMPONENTS Runtime"),
    ("C CXX", "9.1 REQUIRED", "compatible with requested version"),
]


def configure(languages: str, words: str) -> str:
    """Configure a project that finds the package; empty if that worked, else what was said."""
    folder = pathlib.Path(SCRATCH) / "find"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.22)\nproject(p LANGUAGES {languages})\n"
        f"find_package(MXFP4 {words})\n"
    )
    build = str(folder / "build")
    command = [CMAKE, "-S", str(folder), "-B", build, f"-DCMAKE_PREFIX_PATH={PREFIX}"]
    run = subprocess.run([*command, *OPTIONS], capture_output=True, text=True)
    return "" if run.returncode == 0 else " ".join(run.stderr.split()) or "no message"


def check_runtime_over_whole() -> None:
    """The package file of a build of the runtime may replace that of the whole."""
    folder = pathlib.Path(SCRATCH) / "runtime-only"
    command = [CMAKE, "-S", SOURCE, "-B", str(folder), "-DMXFP4_RUNTIME_ONLY=ON", *OPTIONS]
    subprocess.run(command, check=True, capture_output=True)
    (whole,) = pathlib.Path(PREFIX).rglob("MXFP4Config.cmake")
    assert filecmp.cmp(whole, folder / "MXFP4Config.cmake", shallow=False)


def main() -> None:
    """Check each case."""
    for languages, words, wanted in CASES:
        said = configure(languages, words)
        assert bool(said) == bool(wanted), f"{languages}, {words}: {said}"
        assert wanted in said, f"{languages}, {words}: {said}"
    check_runtime_over_whole()


main()
