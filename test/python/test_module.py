# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of MLIR through the C ABI; the library is needed as in test_compiler.py."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from mxfp4 import Compiler, Error, Layout, Problem, library
from mxfp4.compile import find_ptxas
from mxfp4.layer_spec import LayerSpec
from mxfp4.layout import FP8, pack_expert
from mxfp4.module import PassRun

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


@pytest.mark.parametrize("nested", ["module {%s}", "module attributes {t.a = [%s]} {}",
                                    "module attributes {t.a = tuple<%s>} {}"])  # fmt: skip
def test_text_of_any_depth_is_refused(nested: str) -> None:
    """MLIR's parser would overflow the stack."""
    first, last = nested.split("%s")
    opening, closing = {"m": (first, "}"), "[": ("[", "]"), "<": ("tuple<", ">")}[
        "m" if first.endswith("{") else first[-1]
    ]
    with Compiler() as compiler:
        for depth in (100, 1_001, 100_000):
            text = first + opening * depth + "i1" * (opening == "tuple<") + closing * depth + last
            if depth == 100:
                compiler.parse(text).close()
                continue
            with pytest.raises(Error, match="are nested more than 1000 deep"):
                compiler.parse(text)
        # Neither arrows and comparisons, nor strings and comments, are brackets.
        line = 'func.func private @f() -> () loc("[[<") // ((\n'
        many = "".join(line.replace("@f", f"@f{i}") for i in range(600))
        with compiler.parse(many) as module:
            assert "@f599" in str(module)


def test_deep_options_are_refused() -> None:
    """MLIR parses pipelines and schedules by recursion."""
    with Compiler() as compiler, compiler.parse(compiler.mlir(PROBLEM)) as module:
        for depth in (900, 1_001, 100_000):
            what = "deep" if depth > 1000 else "builtin.module"
            with pytest.raises(Error, match=what):
                module.run("builtin.module(" * depth + ")" * depth)
            for run in (
                lambda text: compiler.compile(compiler.mlir(PROBLEM), f"schedule={text}"),
                lambda text: module.run(
                    f"builtin.module(mxfp4-choose-schedule{{schedule={text}}})"
                ),
            ):
                with pytest.raises(Error, match=r"expects schedule=|nested more than 1000 deep"):
                    run("[" * depth + "]" * depth)


def test_a_trace_sees_every_pass_and_the_module_after_it() -> None:
    seen: list[PassRun] = []
    with Compiler() as compiler, compiler.parse(compiler.mlir(PROBLEM)) as module:
        module.run(PTX, seen.append)
        assert str(module) == seen[-1].mlir
    names = [re.match(r"[\w-]+", run.pass_).group() for run in seen]
    assert seen[0].summary == "Attach a schedule to each grouped matmul"
    assert names[0] == "mxfp4-choose-schedule"
    assert names[-1] == "mxfp4-serialize"
    after = dict(zip(names, (run.mlir for run in seen), strict=True))
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

        def fail(run: PassRun) -> None:
            raise ValueError(run.pass_)

        with pytest.raises(ValueError, match="canonicalize"):
            module.run("builtin.module(canonicalize)", fail)
        module.close()
        module.close()
        with pytest.raises(Error, match="this Module was closed"):
            str(module)


def test_threads_with_compilers_of_their_own() -> None:
    def lower(problem: Problem) -> str:
        with Compiler() as compiler, compiler.parse(compiler.mlir(problem)) as module:
            module.run(PTX, lambda run: None)
            return module.kernels()[0].ptx

    problems = [Problem(2, 64 + 32 * i, 96) for i in range(3)]
    alone = [lower(problem) for problem in problems]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lower, problems * 3)) == alone * 3


@pytest.mark.parametrize("order", ["spread", "nibble"])
def test_the_block_is_described_as_the_independent_packer_packs_it(order: str) -> None:
    layout = Layout(order, "raw")
    with (
        Compiler() as compiler,
        compiler.parse(compiler.mlir(Problem(1, 64, 64, layout=layout))) as module,
    ):
        assert module.describe() == []
        module.run("builtin.module(mxfp4-choose-schedule)")
        [operation] = module.describe("instruction=wgmma")
    block = operation["block"]
    rng = np.random.default_rng(1)
    for row, k, code in zip(*(rng.integers(0, n, 200) for n in (64, 64, 16)), strict=True):
        # One code that is not zero, and one scale that is not like the others.
        codes = np.zeros((64, 2, 16), np.uint8)
        codes[row, k // 32, k % 32 // 2] = code << 4 * (k % 2)
        scales = np.full((64, 2), 127, np.uint8)
        scales[row, k // 32] = 99
        packed = pack_expert(codes, scales, layout).reshape(-1)
        word, slot, scale = block["cells"][64 * row + k]
        value = sum((int(code) >> i & 1) << b for i, b in enumerate(block["code_bits"][slot]))
        assert int.from_bytes(packed[word : word + 4].tobytes(), "little") == value
        assert not packed[:word].any()
        assert not packed[word + 4 : block["code_bytes"]].any()
        assert packed[scale] == 99
        thread, element = divmod(block["owners"][64 * row + k], 32)
        assert (16 * thread + 4 * (element // 8), element % 8) == (word, slot)


@pytest.mark.parametrize("activations", ["bf16", "fp8"])
@pytest.mark.parametrize("name", ["", "gate_up", "gate_up_gathered", "gate_up_through", "down"])
def test_choices_cover_every_number_of_rows_and_are_what_compiling_chooses(
    name: str, activations: str
) -> None:
    """Also where threads gather rows or a warp brings them, whichever schedule is attached."""
    layout = FP8 if activations == "fp8" else Layout()
    spec = LayerSpec(32, 4, 2880, 2880, bias=True, activations=activations)
    with Compiler() as compiler:
        problem = Problem(32, 5760, 2880, layout=layout)
        text = getattr(spec, name)() if name else compiler.mlir(problem)
        with compiler.parse(text) as module:
            module.run("builtin.module(mxfp4-choose-schedule)")
            choices = module.describe()[0]["choices"]
        with compiler.parse(text) as module:
            module.run("builtin.module(mxfp4-choose-schedule{rows-hint=32768})")
            (described,) = module.describe()
            brings = "bring_bytes" in described["schedule"]["attribute"]
            assert brings == (name == "gate_up_through")
            assert described["choices"] == choices
        assert choices[0]["from"] == 1
        assert "to" not in choices[-1]
        for choice, after in zip(choices, [*choices[1:], None], strict=True):
            assert after is None or after["from"] == choice["to"] + 1
            for rows in (choice["from"], choice.get("to", 1 << 40)):
                with compiler.parse(text) as module:
                    module.run(f"builtin.module(mxfp4-choose-schedule{{rows-hint={rows}}})")
                    assert module.describe()[0]["schedule"]["attribute"] == choice["schedule"]


def test_assembler_report_is_the_manifests() -> None:
    with Compiler() as compiler:
        if not find_ptxas():
            with pytest.raises(Error, match="a cubin needs ptxas"):
                compiler.assemble("")
            return
        artifact = compiler.compile(compiler.mlir(PROBLEM), "assemble=true")
        report = compiler.assemble(artifact.ptx)
        assert report.pop("ptxas") == artifact.manifest.versions["ptxas"]
        assert report == artifact.manifest.resources
        with pytest.raises(Error, match=r"assembling failed:\nerror: ptxas .* failed"):
            compiler.assemble("no PTX")


@pytest.mark.parametrize("scales", ["folded", "raw"])
def test_described_bits_are_what_moves_of_bits_do(scales: str) -> None:
    problem = Problem(2, 64, 64, layout=Layout("spread", scales))
    with Compiler() as compiler, compiler.parse(compiler.mlir(problem)) as module:
        module.run("builtin.module(mxfp4-choose-schedule)")
        steps = module.describe()[0]["decode"]["steps"]
    checked = set()
    for step in steps:
        # Where each bit of a value comes from, -1 for a zero: the inputs' bits are 0 to 63.
        values = [list(range(32)), list(range(32, 64))]
        for instruction in step["instructions"]:
            bits, old = instruction["bits"], values[instruction["lhs"]]
            by = instruction.get("immediate")
            values.append(bits)
            if old is None or by is None:
                continue
            moved = {
                "and": lambda old, by: [b if by >> i & 1 else -1 for i, b in enumerate(old)],
                "rotl": lambda old, by: old[32 - by :] + old[: 32 - by],
                "shl": lambda old, by: [-1] * by + old[: 32 - by],
                "shr": lambda old, by: old[by:] + [-1] * by,
            }.get(instruction["op"])
            if moved:
                assert bits == moved(old, by)
                checked.add(instruction["op"])
    assert {"and", "rotl"} <= checked
