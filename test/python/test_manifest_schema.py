# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Manifests that the compiler writes are as docs/manifest.schema.json says, and others are not."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernels import needs_both
from mxfp4.compile import Compiler
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import LayerSpec
from mxfp4.layout import Layout
from mxfp4.problem import Problem
from routing_cases import dispatch_mlir
from test_quantize_rows import mlir as quantize_rows_mlir

jsonschema = pytest.importorskip("jsonschema")
pytestmark = needs_both
SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/manifest.schema.json").read_text())
CHECKER = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One of each kind: instructions, layouts, outputs, operands, and a layer's kernels."""
    found: dict[str, dict[str, Any]] = {}
    matmul, invariant = Problem(4, 192, 576), "batch-invariant=true rows-hint=20"
    plain = {o: f"{o} rows-hint=20" for o in (
        "instruction=wgmma", "instruction=mma_sync", "placement=shared", "assemble=1")}  # fmt: skip
    wanted: list[tuple[str, Problem, str]] = [(name, matmul, o) for name, o in plain.items()]
    for order in ("spread", "nibble"):
        for scales in ("folded", "raw"):
            layout = Layout(order, scales)
            wanted.append((f"{order} {scales}", Problem(2, 64, 96, None, layout, "f32"), ""))
    wanted.append(("invariant", dataclasses.replace(matmul, columns="apart"), invariant))
    wanted.append(("ids", Problem(4, 64, 96, groups=7, expert_ids=True), ""))
    with Compiler() as compiler:
        for name, problem, options in wanted:
            artifact = compiler.compile(compiler.mlir(problem), options)
            found[name] = dict(artifact.manifest.raw)
        quantize = compiler.compile_routing(quantize_rows_mlir(96, gather=True), "")
        found["quantize rows"] = dict(quantize.manifest.raw)
        for experts in (0, 32):  # with them, in one kernel with the sort
            moved = compiler.compile_routing(dispatch_mlir(4, 96, "fp8", experts), "rows-hint=4")
            found[f"quantize and scatter {experts}"] = dict(moved.manifest.raw)
    folder = tmp_path_factory.mktemp("layer")
    spec = LayerSpec(experts=8, slots=2, hidden=64, inner=64, bias=True)
    LayerKernels.compile(spec, max_tokens=200, sources=("logits", "some ids")).save(folder)
    for file in folder.glob("*/manifest.json"):
        found[f"layer {file.parent.name}"] = json.loads(file.read_text())
    return found


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_manifests_fit(manifests: dict[str, dict[str, Any]]) -> None:
    kinds = {m.get("operation", "grouped_matmul") for m in manifests.values()}
    assert kinds == {"grouped_matmul", *SCHEMA["properties"]["operation"]["enum"]}
    rules = {m["launch"]["grid"]["rule"] for m in manifests.values()}
    assert rules == {"persistent", "one", "per_rows"}
    for name, manifest in manifests.items():
        errors = [f"{list(e.path)}: {e.message}" for e in CHECKER.iter_errors(manifest)]
        assert not errors, f"{name}: {errors}"


def test_every_field_is_described(manifests: dict[str, dict[str, Any]]) -> None:
    """A field that the compiler adds must come into the schema and the page."""
    page = (Path(__file__).resolve().parents[2] / "docs/Artifacts.md").read_text()
    fields = {key for manifest in manifests.values() for key in manifest}
    assert fields == set(SCHEMA["properties"])
    assert not {field for field in fields if f"`{field}`" not in page}


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another version": lambda m: m.update(version=2),
    "no arguments": lambda m: m.pop("arguments"),
    "a rule of its own": lambda m: m["launch"]["grid"].update(rule="all"),
    "K of 40": lambda m: m["problem"].update(k=40),
    "a block in two dimensions": lambda m: m["launch"].update(block=[128, 1]),
    "an argument without a type": lambda m: m["arguments"][0].pop("dtype"),
    "a name with a blank": lambda m: m["arguments"][0].update(name="a b"),
    "a shape of words": lambda m: m["arguments"][0].update(shape=["many"]),
    "no weights": lambda m: m.pop("weights"),
    "columns of another kind": lambda m: m["weights"].update(columns="pairs"),
    "a batch that counts": lambda m: m["problem"].update(batch_invariant=False),
    "another order": lambda m: m["weights"].update(order="random"),
    "an unknown field of an argument": lambda m: m["arguments"][0].update(size=4),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_others_do_not_fit(manifests: dict[str, dict[str, Any]], damage: str) -> None:
    manifest = copy.deepcopy(manifests["instruction=wgmma"])
    DAMAGES[damage](manifest)
    assert not CHECKER.is_valid(manifest)
