# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""docs/Versions.md gives the numbers that the code has, and the code agrees with itself."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import mxfp4
import pytest
from mxfp4 import (
    Error,
    _runtime_library,
    _sim_library,
    artifact,
    library,
    packed_file,
    packed_folder,
)

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "Versions.md").read_text()


def written(file: str, pattern: str) -> str:
    """What a file of the tree says."""
    found = re.search(pattern, (ROOT / file).read_text())
    assert found, f"{file} has no {pattern}"
    return found[1]


def test_the_table_is_that_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([\d.]+) \|", PAGE, re.M))
    assert rows == {
        "package": written("CMakeLists.txt", r"project\(mxfp4 VERSION ([\d.]+)"),
        "C interface of the compiler": written(
            "include/mxfp4-c/mxfp4.h", r"define MXFP4_ABI_VERSION (\d+)"
        ),
        "C interface of the runtime": written(
            "include/mxfp4-c/Runtime.h", r"define MXFP4RT_ABI_VERSION (\d+)"
        ),
        "artifact (`manifest.json`)": written("lib/Pipeline/Manifest.cpp", r'\{"version", (\d+)\}'),
        "packed file": packed_file.VERSION,
        "bytecode of the dialect": written(
            "include/mxfp4/IR/MXFP4.h", r"kBytecodeVersion = (\d+);"
        ),
    }


def test_readers_and_writers_agree() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([\d.]+) \|", PAGE, re.M))
    assert mxfp4.__version__ == rows["package"]
    assert int(rows["C interface of the compiler"]) == library.ABI_VERSION
    assert int(rows["C interface of the runtime"]) == _runtime_library.ABI_VERSION
    assert int(rows["artifact (`manifest.json`)"]) == artifact.VERSION
    assert written("lib/Runtime/Manifest.cpp", r"&& \*version != (\d+)") == str(artifact.VERSION)


def test_manifests_of_version_3_are_read() -> None:
    """The file is what the compiler wrote before a kernel could read ahead of its wait."""
    text = (ROOT / "test/fuzz/corpus/artifact/matmul-version-3.json").read_text()
    old = json.loads(text)
    assert old["version"] == 3
    read = artifact.Manifest.parse(text)
    now = artifact.Manifest.parse(text.replace('"version": 3', f'"version": {artifact.VERSION}'))
    assert dataclasses.replace(read, raw=now.raw) == now
    with pytest.raises(Error, match="versions 3 and 4, got 2"):
        artifact.Manifest.parse(text.replace('"version": 3', '"version": 2'))


def test_smaller_formats() -> None:
    layer = written("python/mxfp4/layer_kernels.py", r'"mxfp4-layer", "version": (\d+)')
    state = written("python/mxfp4/torch_state.py", r"\nVERSION = (\d+)")
    assert f"packed files ({packed_folder.VERSION})" in PAGE
    assert f"layer's kernels ({layer})" in PAGE
    assert f"`GroupedLinear` ({state})" in PAGE
    assert f"interpreter ({_sim_library.API_VERSION})" in PAGE


def test_llvm_and_python_are_what_the_build_asks_for() -> None:
    llvm = written("CMakeLists.txt", r"find_package\(MLIR ([\d.]+) REQUIRED")
    assert f"now {llvm}," in PAGE
    assert (
        f"**Python** {written('python/pyproject.toml', r'requires-python = .>=([0-9.]+)')} " in PAGE
    )
    assert f"**ptxas** {written('tools/setup', r'nvcc==([0-9.]+)')} " in PAGE
    # The prefix of that LLVM stands in one file.
    major = llvm.split(".")[0]
    assert (ROOT / "cmake" / "llvm-root").read_text() == f"/usr/lib/llvm-{major}\n"
