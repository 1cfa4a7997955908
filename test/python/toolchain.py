# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compilers that tests call."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
LLVM = Path(os.environ.get("MXFP4_LLVM") or (TREE / "cmake" / "llvm-root").read_text().strip())
"""The prefix of the LLVM that mxfp4 is built with."""


def c_compiler() -> str:
    """A compiler of C; the test is skipped if there is none."""
    found = shutil.which("cc") or shutil.which(LLVM / "bin" / "clang")
    if found is None:
        pytest.skip("no C compiler for a library that the test needs")
    return found


def for_cmake() -> dict[str, str]:
    """The environment in which CMake finds a compiler, also where no package brings a `c++`."""
    clang = {"CC": str(LLVM / "bin" / "clang"), "CXX": str(LLVM / "bin" / "clang++")}
    return {} if shutil.which("c++") else clang
