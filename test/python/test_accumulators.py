# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""No instruction touches an accumulator ahead of the wait for its wgmma, as ptxas emits them.

From a wait for all groups but one on, ptxas takes an accumulator to be complete if no loop is
around it, and moves what reads it ahead of the wait for the last group.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import sass
from mxfp4 import Problem
from mxfp4.bench.layer import spec
from mxfp4.bench.models import Model
from mxfp4.compile import Compiler
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layout import FP8

ACCUMULATIONS = ("", "fast", "promoted512", "promoted128")
ROWS = (8, 55, 128, 180)
"""For each group: tiles of one, two and three warpgroups that decode while others multiply."""


@pytest.fixture
def nvdisasm() -> Path:
    """The disassembler; where tests with models must run, it must be there."""
    found = sass.disassembler()
    if found is None:
        assert os.environ.get("MXFP4_REQUIRE_MODELS") != "1", "triton brings no nvdisasm"
        pytest.skip("no nvdisasm: the package triton is not installed")
    return found


def cubin_of(problem: Problem, rows: int, folder: Path) -> Path | None:
    """The kernel for ``rows`` rows of each of four groups, if it has a wgmma."""
    with Compiler() as compiler:
        made = compiler.compile(
            compiler.mlir(problem), f"rows-hint={4 * rows} assemble=true device=h200"
        )
    if "wgmma" not in made.ptx:
        return None
    assert made.cubin is not None
    path = folder / "kernel.cubin"
    path.write_bytes(made.cubin)
    return path


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("k", [64, 96, 128, 160, 256, 512])
def test_no_accumulator_is_touched_early(
    k: int, accumulation: str, nvdisasm: Path, tmp_path: Path
) -> None:
    seen = 0
    for output in ("bf16", "f32"):
        problem = Problem(4, 129, k, output=output)
        if accumulation:
            problem = replace(problem, layout=FP8, accumulation=accumulation)
        for rows in ROWS:
            cubin = cubin_of(problem, rows, tmp_path)
            if cubin is None:
                continue
            lines = sass.disassemble(nvdisasm, cubin)
            assert any("GMMA." in line for line in lines)
            assert not sass.touched(lines), f"{problem.spec()}, {rows} rows per group"
            seen += 1
    assert seen or k <= 64


@pytest.mark.parametrize("variant", ["", "fp8"])
def test_no_epilogue_touches_them_either(variant: str, nvdisasm: Path, tmp_path: Path) -> None:
    """Of layers with two steps of K, whose epilogues compute with sums."""
    layer = spec(Model(32, 4, 96, 96), variant)
    LayerKernels.compile(layer, 4096, assemble=True, device="h200").save(tmp_path / "layer")
    cubins = sorted((tmp_path / "layer").rglob("kernel.cubin"))
    assert len(cubins) > 10
    for cubin in cubins:
        assert not sass.touched(sass.disassemble(nvdisasm, cubin)), cubin.parent.name


def test_the_check_sees_reads_and_writes_of_accumulators() -> None:
    multiply = "HGMMA.64x16x16.F32.BF16 R24, R72, gdesc[UR20], R24"
    lines = [multiply, f"{multiply}, gsb0", multiply.replace("R24", "R40") + ", gsb0",
             "WARPGROUP.DEPBAR.LE gsb0, 0x1", "F2FP.BF16.F32.PACK_AB R11, R31, R28",
             "@P1 STG.E desc[UR18][R4.64], R41", "IMAD.MOV.U32 R47, RZ, RZ, RZ", "MOV R48, R39",
             "WARPGROUP.DEPBAR.LE gsb0, 0x0", "STG.E desc[UR18][R4.64], R40"]  # fmt: skip
    assert sass.touched(lines) == [lines[5], lines[6]]
    assert sass.touched([lines[1], lines[4], lines[0], lines[7]]) == [lines[4]]
    last = "QGMMA.64x8x32.F32.E5M2.E4M3 R8, R20, gdesc[UR4], R8, gsb0"
    assert sass.touched([last, "FADD R1, R2, R12", "FADD R1, R2, R11"]) == ["FADD R1, R2, R11"]
