# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The IR behind each pass of `mxfp4-to-ptx` is whole.

What a pass leaves is printed and read again, as text and as bytecode, and says the same; and the
passes that follow make the same PTX of what was read. So nothing that a kernel depends on is
anywhere but in the IR, and verifiers accept every state that users may stop at, print and go on
from.
"""

from __future__ import annotations

import re
from functools import cache

import fp8_matmul
import fused
import pytest
from kernels import needs_both
from mxfp4 import Problem
from mxfp4.compile import Compiler
from mxfp4.fp8 import quantize_mlir
from mxfp4.module import PassRun
from routing_cases import TopK, combine_mlir, count_mlir, dispatch_mlir, sort_mlir, top_k_mlir

pytestmark = needs_both

DEQUANTIZE = """func.func @decode(%c: memref<4x2x16xi8>, %s: memref<4x2xi8>,
    %y: memref<4x64xbf16>) {
  mxfp4.dequantize codes(%c : memref<4x2x16xi8>) scales(%s : memref<4x2xi8>)
      outs(%y : memref<4x64xbf16>)
  return
}
"""
IDS = Problem(3, 229, 384, 5, expert_ids=True, output="f32")
KINDS: dict[str, tuple[Problem | str, str]] = {
    "wgmma": (Problem(3, 229, 384), "rows-hint=4096"),
    "two programs": (Problem(3, 256, 576), "rows-hint=200"),
    "two kinds of tiles": (Problem(128, 5760, 576), "rows-hint=1024 device=h200"),
    "ids and mma.sync": (IDS, "rows-hint=16 instruction=mma_sync"),
    "shared": (Problem(3, 229, 384), "rows-hint=64 placement=shared"),
    "batch-invariant": (Problem(3, 229, 384), "rows-hint=64 batch-invariant=true"),
    "row maps and swiglu": (
        fused.Form(epilogue="swiglu", gather=True, scatter=True).mlir(),
        "rows-hint=512",
    ),
    "few rows with an epilogue": (fused.Form(epilogue="pairs", groups=4).mlir(), "rows-hint=4"),
    "fp8": (fp8_matmul.Form().mlir(), "rows-hint=4096"),
    "fp8, few rows": (
        fp8_matmul.Form(accumulation="fast", epilogue="pairs").mlir(),
        "rows-hint=16",
    ),
    "fp8 row maps": (fp8_matmul.Form(gather=True, scatter=True, groups=4).mlir(), "rows-hint=64"),
    "quantize_rows": (quantize_mlir("q", 64, gather=True), ""),
    "dequantize": (DEQUANTIZE, ""),
    "top_k": (top_k_mlir(TopK(32, 4, bias=True)), "rows-hint=64"),
    "sort": (sort_mlir(128, 8, counts=True), "rows-hint=4096"),
    "count": (count_mlir(128, 8), "rows-hint=4096"),
    "dispatch": (dispatch_mlir(4, 96), "rows-hint=4096"),
    "dispatch with the sort": (dispatch_mlir(4, 96, "fp8", 32), "rows-hint=4"),
    "combine": (combine_mlir(4, 96), "rows-hint=4096"),
}


@cache
def stops(kind: str) -> tuple[list[PassRun], list[str]]:
    """The passes as they ran, and the PTX that they made."""
    source, options = KINDS[kind]
    found: list[PassRun] = []
    with Compiler() as compiler:
        text = compiler.mlir(source) if isinstance(source, Problem) else source
        module = compiler.parse(text)
        module.run(f"builtin.module(mxfp4-to-ptx{{{options}}})", found.append)
        return found, [kernel.ptx for kernel in module.kernels()]


@pytest.mark.parametrize("kind", KINDS)
def test_each_stop_reads_back(kind: str) -> None:
    """As text and as bytecode."""
    runs, ptx = stops(kind)
    assert len(runs) > 15
    assert ptx
    with Compiler() as compiler:
        for run in runs:
            with compiler.parse(run.mlir) as module:
                assert str(module) == run.mlir, run.pass_
                with compiler.parse(module.bytecode()) as again:
                    assert str(again) == run.mlir, f"bytecode behind {run.pass_}"


def _words(run: PassRun) -> str:
    """A pass as a pipeline on the module has it; what makes a kernel runs on its module."""
    return f"gpu.module({run.pass_})" if run.pass_ == "mxfp4-lower-to-nvvm" else run.pass_


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=[] if k == "sort" else [pytest.mark.slow]) for k in KINDS],
)
def test_each_stop_goes_on(kind: str) -> None:
    """To the same PTX."""
    runs, ptx = stops(kind)
    assert len(ptx) == 1, "passes of one kernel follow one another"
    words = [_words(run) for run in runs]
    with Compiler() as compiler:
        for done, run in enumerate(runs[:-1], 1):
            module = compiler.parse(run.mlir)
            module.run(f"builtin.module({','.join(words[done:])})")
            made = [kernel.ptx for kernel in module.kernels()]
            assert list(map(_plain, made)) == list(map(_plain, ptx)), f"from behind {run.pass_}"


def _plain(ptx: str) -> str:
    """PTX without comments."""
    return re.sub(r"//[^\n]*", "", ptx)
