# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""JSON from outside, however deep: errors of this package, wherever it is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mxfp4
import pytest
from mxfp4 import Artifact, Error
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import LayerSpec
from mxfp4.routing_artifact import RoutingArtifact

PACKAGE = Path(mxfp4.__file__).parent
OWN = ("take_string", "mxfp4SimModuleParamsJson", "DiagnosticsJson", "StatsJson", "loads(compiled)")
"""Of the calls that give JSON which the project's libraries wrote."""
DEEP = {
    "lists": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
}


def _readers(tree: ast.AST, caught: str = "") -> Iterator[tuple[ast.Call, str]]:
    """Calls of ``json.loads``, and what the nearest ``try`` around each catches."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.loads", "json.load"):
            yield node, caught
        if isinstance(node, ast.Try):
            types = [ast.unparse(h.type) for h in node.handlers if h.type]
            yield from _readers(ast.Module(node.body, []), " ".join(types) or caught)
            rest = [*node.handlers, *node.orelse, *node.finalbody]
            yield from _readers(ast.Module(rest, []), caught)
        else:
            yield from _readers(node, caught)


def test_every_reader_of_foreign_json_expects_depth() -> None:
    """The parser gives up by a RecursionError, which is no ValueError."""
    found = 0
    for file in sorted(PACKAGE.rglob("*.py")):
        for call, caught in _readers(ast.parse(file.read_text())):
            if any(name in ast.unparse(call) for name in OWN):
                continue
            found += 1
            assert "RecursionError" in caught, f"{file.name}:{call.lineno}"
    assert found > 8


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_files(text: str, tmp_path: Path) -> None:
    for name in ("manifest.json", "layer.json", "kernel.ptx"):
        (tmp_path / name).write_text(text)
    for read in (Artifact.load, RoutingArtifact.load, LayerKernels.load):
        with pytest.raises(Error):
            read(tmp_path)
    with pytest.raises(Error, match="must be JSON"):
        LayerSpec.parse(text)
