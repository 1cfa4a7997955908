# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ``import mxfp4`` alone gives: every public name, and every module that its text lists."""

from __future__ import annotations

import re
import subprocess
import sys

import mxfp4
import pytest

LISTED = re.findall(r"^``(\w+)`` ", str(mxfp4.__doc__), re.MULTILINE)


def test_modules_are_listed_once() -> None:
    assert len(LISTED) == len(set(LISTED)) > 20
    assert set(LISTED) == mxfp4._MODULES, "the text of the package and its names differ"


def test_listed_modules_are_there_without_an_import_of_their_own() -> None:
    light = [name for name in LISTED if not name.startswith("torch_")]
    code = f"import mxfp4; [getattr(mxfp4, name).__name__ for name in {light}]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def test_unknown_names_are_refused_and_known_ones_are_listed() -> None:
    with pytest.raises(AttributeError, match="no attribute 'kernel'"):
        getattr(mxfp4, "kernel")  # noqa: B009
    assert {"kernels", "grouped_matmul", "Error"} <= set(dir(mxfp4))
