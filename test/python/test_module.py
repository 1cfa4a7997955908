# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of MLIR through the C ABI; the library is needed as in test_compiler.py."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from mxfp4 import Compiler, Error, Problem, library

if library.find() is None and os.environ.get("MXFP4_REQUIRE_LIBRARY") != "1":
    pytest.skip("libmxfp4.so was not found", allow_module_level=True)

PROBLEM = Problem(2, 100, 96)
PTX = "builtin.module(mxfp4-to-ptx{rows-hint=16})"


def test_bytecode_is_the_module_again() -> None:
    with Compiler() as compiler:
        text = compiler.mlir(PROBLEM)
        with compiler.parse(text) as module:
            code = module.bytecode()
            assert str(module) == text
        assert code.startswith(b"ML\xefR")
        with compiler.parse(code) as module:
            assert str(module) == text


def test_a_trace_sees_every_pass_and_the_module_after_it() -> None:
    seen: list[tuple[str, str]] = []
    with Compiler() as compiler, compiler.parse(compiler.mlir(PROBLEM)) as module:
        module.run(PTX, lambda name, mlir: seen.append((name, mlir)))
        assert str(module) == seen[-1][1]
    names = [re.match(r"[\w-]+", name).group() for name, _ in seen]
    assert names[0] == "mxfp4-choose-schedule"
    assert names[-1] == "gpu-module-to-binary"
    after = dict(zip(names, (mlir for _, mlir in seen), strict=True))
    assert "mxfp4.grouped_matmul" in after["mxfp4-choose-schedule"]
    assert "mxfp4.tile_matmul" in after["mxfp4-tile"]
    # A pass inside a gpu.module is shown with the whole module too.
    assert "llvm.func @mxfp4_grouped_matmul" in after["mxfp4-lower-to-nvvm"]
    assert "gpu.launch_func" in after["mxfp4-lower-to-nvvm"]


def test_kernels_are_those_of_an_artifact() -> None:
    with Compiler() as compiler:
        text = compiler.mlir(PROBLEM)
        with compiler.parse(text) as module:
            assert module.kernels() == []
            module.run(PTX)
            [kernel] = module.kernels()
        assert kernel.ptx == compiler.compile(text, "rows-hint=16").ptx
    assert kernel.name == "mxfp4_grouped_matmul"


def test_errors_are_the_compilers() -> None:
    with Compiler() as compiler:
        with pytest.raises(
            Error, match=r"parsing the module failed:\nerror: -:1:1: custom op .nonsense. is"
        ):
            compiler.parse("nonsense")
        module = compiler.parse("module {}")
        with pytest.raises(Error, match="does not refer to a registered pass"):
            module.run("builtin.module(no-such-pass)")
        with pytest.raises(Error, match="expects placement=register or placement=shared"):
            module.run("builtin.module(mxfp4-choose-schedule{placement=here})")

        def fail(name: str, mlir: str) -> None:
            raise ValueError(name)

        with pytest.raises(ValueError, match="canonicalize"):
            module.run("builtin.module(canonicalize)", fail)
        module.close()
        module.close()
        with pytest.raises(Error, match="this Module was closed"):
            str(module)


def test_threads_with_compilers_of_their_own() -> None:
    def lower(problem: Problem) -> str:
        with Compiler() as compiler, compiler.parse(compiler.mlir(problem)) as module:
            module.run(PTX, lambda name, mlir: None)
            return module.kernels()[0].ptx

    problems = [Problem(2, 64 + 32 * i, 96) for i in range(3)]
    alone = [lower(problem) for problem in problems]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lower, problems * 3)) == alone * 3
