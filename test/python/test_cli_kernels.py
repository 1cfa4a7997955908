# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels through ``mxfp4 inspect``: of matmuls, of routing, of layers, and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import artifact
from mxfp4 import Compiler
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import LayerSpec
from said import Said
from test_cli import needs_library

SPEC = LayerSpec(experts=8, slots=2, hidden=64, inner=96)
FP8 = LayerSpec(8, 2, 64, 96, activations="fp8", accumulation="fast", activation_scale="bound")


def test_a_kernel_and_a_folder_of_them(tmp_path: Path) -> None:
    artifact(cubin=b"\x7fELF").save(tmp_path / "a" / "one")
    said = Said("inspect", tmp_path / "a")
    assert "a folder of kernels" in said.out
    assert "1..64  mma_sync     any" in said.out
    said = Said("inspect", tmp_path / "a" / "one")
    assert "E = 3, N = 70, K = 96, output bf16\n" in said.out
    assert "scheduled for 1 .. 64; right for any number\n" in said.out
    assert "epilogue    none\n" in said.out
    assert "chosen for any" in said.out
    for path in (tmp_path / "a", tmp_path / "a" / "one"):
        for option in ("--verify", "--scales"):
            Said("inspect", path, option).error("are of weights, and")
    kind = json.loads(Said("inspect", tmp_path / "a" / "one", "--json").out)
    assert kind["manifest"]["entry"] == "mxfp4_grouped_matmul"


@needs_library
def test_what_a_kernel_was_compiled_for(tmp_path: Path) -> None:
    words = "experts=2 n=64 k=128 activations=fp8 accumulation=promoted128"
    for path, mlir, options in (
        ("fp8", None, "device=h200 batch-invariant=true"),
        ("fused", SPEC.gate_up_gathered(), "rows-hint=8"),
    ):
        with Compiler() as compiler:
            made = compiler.compile(mlir or compiler.mlir(words), options)
        made.save(tmp_path / path)
    said = Said("inspect", tmp_path / "fp8").out
    assert "activations fp8, sums promoted128\n" in said
    assert "chosen for h200; right on any GPU of the target" in said
    assert "a row's bits do not depend on other rows (batch-invariant)" in said
    said = Said("inspect", tmp_path / "fused").out
    assert "output bf16, gathers rows\n" in said
    assert "activations bf16\n" in said
    assert "on pairs of columns: arith.minimumf," in said
    assert "math.exp" in said
    assert "gate and up interleaved" in said
    assert "batch-invariant" not in said
    assert "fp8, sums promoted128" in Said("inspect", tmp_path).out


@needs_library
def test_a_file_with_an_operation_of_routing_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "top_k.mlir").write_text(SPEC.top_k())
    said = Said("compile", tmp_path / "top_k.mlir", "-o", tmp_path / "k")
    assert said.status == 0, said.err
    assert "1 kernels in" in said.out
    assert "operation   mxfp4.top_k\n" in Said("inspect", tmp_path / "k" / "top_k").out
    (tmp_path / "gate_up.mlir").write_text(SPEC.gate_up())
    said = Said("compile", tmp_path / "gate_up.mlir", "-o", tmp_path / "k", "--rows-hint", "20")
    assert said.status == 0, said.err
    assert "epilogue    on pairs" in Said("inspect", tmp_path / "k" / "gate_up").out


@pytest.mark.slow
@needs_library
def test_layers_and_kernels_of_routing(tmp_path: Path) -> None:
    LayerKernels.compile(SPEC, 4).save(tmp_path / "narrow")
    LayerKernels.compile(FP8, 4, device="h20").save(tmp_path / "eight")
    with Compiler() as compiler:
        compiler.compile_routing(SPEC.top_k()).save(tmp_path / "alone")
    said = Said("inspect", tmp_path / "narrow")
    assert said.status == 0, said.err
    assert "kernels of a layer" in said.out
    assert "experts 8, slots 2, hidden 64, inner 96" in said.out
    assert "device      h100-sxm\n" in said.out
    for name in ("route", "gate_up_gathered-0", "down-0", "combine"):
        assert f"\n{name} " in said.out, said.out
    said = Said("inspect", tmp_path)
    lines = [line.split() for line in said.out.splitlines()]
    assert ["narrow", "4", "bf16", "h100-sxm"] in lines
    assert ["eight", "5", "fp8,", "fast,", "scale", "bound", "h20"] in lines
    assert ["alone", "top_k"] in [line[:2] for line in lines]
    content = json.loads(Said("inspect", tmp_path, "--json").out)
    assert [layer["name"] for layer in content["layers"]] == ["eight", "narrow"]
    assert content["layers"][0]["spec"]["activation_scale"] == "bound"
    assert content["routing"][0]["operation"] == "top_k"
    said = Said("inspect", tmp_path / "narrow" / "route")
    assert "operation   mxfp4.route\n" in said.out
    assert "one CTA of 1024 threads" in said.out
    assert "a CTA for each" in Said("inspect", tmp_path / "narrow" / "combine").out
    (tmp_path / "narrow" / "layer.json").write_text("[]")
    Said("inspect", tmp_path / "narrow").error("has no kernels of a layer that can be read")
    (tmp_path / "alone" / "manifest.json").write_text("{")
    Said("inspect", tmp_path / "alone").error("manifest.json")
