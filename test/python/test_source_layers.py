# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C++ sources keep to the layers of docs/Architecture.md; a pass is a file and a lit test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/Architecture.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", PAGE, re.MULTILINE))
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
TABLES = "include/mxfp4/Transforms/*.td"


def allowed(layer: str) -> set[str]:
    """The layers that one may use, itself among them."""
    found = {layer}
    for other in re.findall(r"`(\w+)`", ROWS[layer]):
        found |= allowed(other)
    return found


def sources(layer: str) -> list[Path]:
    """The files of a layer."""
    folders = (ROOT / "lib" / layer, ROOT / "include/mxfp4" / layer)
    return [p for folder in folders for p in folder.glob("*") if p.suffix in (".cpp", ".h", ".td")]


def forbidden(layer: str, text: str) -> list[str]:
    """Includes of a source that its layer may not have."""
    others = set(ROWS) - allowed(layer)
    return [
        included
        for included in INCLUDE.findall(text)
        if (m := re.match(r"mxfp4/(\w+)/", included)) and m[1] in others
    ]


@pytest.mark.parametrize("layer", ROWS)
def test_a_layer_uses_those_below_it(layer: str) -> None:
    files = sources(layer)
    assert len(files) > 5
    wrong = {p.name: bad for p in files if (bad := forbidden(layer, p.read_text()))}
    assert not wrong
    assert not [p for p in files if re.search(r'#include "[^"]*\.cpp"', p.read_text())]


def test_the_page_has_the_layers_and_misuse_is_noticed() -> None:
    assert set(ROWS) == {"Core", "IR", "Transforms", "Pipeline", "Runtime", "Sim"}
    assert allowed("Pipeline") == {"Core", "IR", "Transforms", "Pipeline"}
    text = '#include "mxfp4/Core/Names.h"\n#include "mxfp4/Pipeline/Pipeline.h"\n'
    assert forbidden("IR", text) == ["mxfp4/Pipeline/Pipeline.h"]
    assert not forbidden("Pipeline", text)
    assert forbidden("Sim", text) == INCLUDE.findall(text)


def test_a_pass_is_a_file_and_a_lit_test() -> None:
    tables = "".join(p.read_text() for p in ROOT.glob(TABLES))
    passes = re.findall(r'^def (\w+)\s*:\s*Pass<\s*"mxfp4-([\w-]+)"', tables, re.MULTILINE)
    assert len(passes) > 20
    defines = re.compile(r"^#define GEN_PASS_DEF_(\w+)", re.MULTILINE)
    where = {
        p.stem: defines.findall(p.read_text()) for p in sources("Transforms") if p.suffix == ".cpp"
    }
    for pass_, name in passes:
        assert where.get(pass_) == [pass_.upper()], f"lib/Transforms/{pass_}.cpp, and it alone"
        assert (ROOT / f"test/Transforms/{name}.mlir").is_file()


def test_ptx_is_written_as_text_in_one_file() -> None:
    writes = re.compile(r"InlineAsmOp|InlinePtxOp|asm volatile")
    folders = ("Core", "IR", "Transforms", "Pipeline")
    found = [p.name for layer in folders for p in sources(layer) if writes.search(p.read_text())]
    assert found == ["PtxText.cpp"]
