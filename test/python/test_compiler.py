# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C ABI against the numpy code.

These need ``libmxfp4.so``; they are skipped without it, unless MXFP4_REQUIRE_LIBRARY=1 says that
it must be there.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import bits, exact_activations, random_weights, split
from mxfp4 import Compiler, Error, Layout, Problem, library, pack
from mxfp4 import compile as compile_module
from mxfp4.compile import pack_expert_native, unpack_expert_native
from mxfp4.formats import bfloat16
from mxfp4.layout import pack_expert
from mxfp4.problem import FIELDS, fields
from mxfp4.reference import bounded_matmul, grouped_matmul, mismatches

if library.find() is None and os.environ.get("MXFP4_REQUIRE_LIBRARY") != "1":
    pytest.skip("libmxfp4.so was not found", allow_module_level=True)

LAYOUTS = [Layout(o, s) for o in ("spread", "nibble") for s in ("folded", "raw")]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize(("n", "k"), [(1, 32), (64, 64), (67, 96), (130, 2912)])
def test_native_packer_is_bit_exact(
    rng: np.random.Generator, layout: Layout, n: int, k: int
) -> None:
    top = 128 if layout.scales == "folded" else 255
    blocks, scales = (a[0] for a in random_weights(rng, 1, n, k, 0, top))
    packed = pack_expert_native(blocks, scales, layout)
    assert (packed == pack_expert(blocks, scales, layout)).all()
    codes, again = unpack_expert_native(packed, n, k, layout)
    assert (codes == blocks).all()
    assert (again == scales).all()


def test_native_packer_refuses_what_does_not_fit(rng: np.random.Generator) -> None:
    blocks, scales = (a[0] for a in random_weights(rng, 1, 4, 32, 129, 129))
    with pytest.raises(Error, match="the scales do not fit the encoding"):
        pack_expert_native(blocks, scales, Layout())


@pytest.mark.parametrize(
    ("layout", "output", "ids"),
    [
        (Layout("spread", "folded"), "bf16", None),
        (Layout("spread", "raw"), "bf16", [2, -1, 0, 1, 2]),
        (Layout("nibble", "raw"), "f32", None),
        (Layout("nibble", "folded"), "f32", [1]),
    ],
)
def test_executable_specification_equals_the_reference(
    rng: np.random.Generator, layout: Layout, output: str, ids: list[int] | None
) -> None:
    # Integers times E2M1 values times 2^-3 .. 2^3: every partial sum is exact in f32.
    weights = random_weights(rng, 3, 35, 96, 124, 128)
    rows, groups = 21, 3 if ids is None else len(ids)
    x, offsets = exact_activations(rng, rows, 96), split(rng, rows, groups)
    expert_ids = None if ids is None else np.array(ids, np.int32)
    dtype = bfloat16 if output == "bf16" else np.dtype(np.float32)
    problem = Problem(3, 35, 96, groups, layout, output, ids is not None)
    with Compiler() as compiler:
        run = compiler.jit(problem)
    y = run(x, pack(*weights, layout), offsets, expert_ids)
    assert y.dtype == dtype
    assert mismatches(y, grouped_matmul(x, weights, offsets, expert_ids, dtype)) == 0


def test_executable_specification_decodes_every_scale(rng: np.random.Generator) -> None:
    # One nonzero activation a row, so a result is one decoded weight, whatever its scale.
    blocks = rng.integers(0, 256, (1, 256, 1, 16), dtype=np.uint8)
    scales = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    x = np.eye(32, dtype=np.float32).astype(bfloat16)
    offsets = np.array([0, 32], np.int32)
    weights = pack(blocks, scales)
    with Compiler() as compiler:
        run = compiler.jit(Problem(1, 256, 32, layout=weights.layout))
    y = run(x, weights, offsets)
    finite = scales[0, :, 0] < 252  # above, 0 * inf makes sums NaN in f32 and here alike
    want = grouped_matmul(x, (blocks, scales), offsets)
    assert mismatches(y, want) == 0
    decoded = weights.decode(0).T
    nonzero = decoded != 0
    assert (
        bits(y)[:, finite][nonzero[:, finite]] == bits(decoded)[:, finite][nonzero[:, finite]]
    ).all()


def test_executable_specification_on_random_data(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 2, 33, 160, 100, 130)
    x = rng.standard_normal((7, 160), dtype=np.float32).astype(bfloat16)
    offsets = np.array([0, 3, 7], np.int32)
    packed = pack(*weights)
    with Compiler() as compiler:
        run = compiler.jit(Problem(2, 33, 160, layout=packed.layout))
    exact = bounded_matmul(x, weights, offsets)
    assert (np.abs(run(x, packed, offsets).astype(np.float64) - exact.value) <= exact.bound).all()
    with pytest.raises(Error, match="must not decrease"):
        run(x, packed, np.array([0, 8, 7], np.int32))
    with pytest.raises(Error, match=r"x must be bfloat16 \[R, 160\]"):
        run(x[:, :32], packed, offsets)


@pytest.mark.parametrize("placement", ["register", "shared"])
@pytest.mark.parametrize(
    "problem",
    [
        Problem(4, 2880, 2880),
        Problem(3, 35, 96, 5, Layout("spread", "raw"), "f32", True),
        Problem(1, 1, 32, layout=Layout("nibble", "folded")),
        Problem(2, 64, 96, columns="interleaved"),
        Problem(2, 64, 96, columns="apart"),
    ],
    ids=Problem.spec,
)
def test_compiling_gives_an_artifact_of_the_problem(
    tmp_path: Path, problem: Problem, placement: str
) -> None:
    with Compiler() as compiler:
        artifact = compiler.compile(compiler.mlir(problem), f"placement={placement}")
    assert problem.matches(artifact.manifest)
    assert Problem.parse(problem.spec()).spec() == problem.spec()
    assert artifact.manifest.columns == problem.columns
    assert artifact.manifest.schedule["placement"] == placement
    assert ".target sm_90a" in artifact.ptx
    artifact.save(tmp_path / "a")


@pytest.mark.parametrize(
    ("mlir", "options", "text"),
    [
        ("func.func @f( {", "", "error: "),
        ("module {}", "", "error: "),
        ("module {}", "no-such-option=1", "no-such-option"),
    ],
)
def test_diagnostics_reach_the_caller(mlir: str, options: str, text: str) -> None:
    with Compiler() as compiler:
        with pytest.raises(Error, match=text):
            compiler.compile(mlir, options)
        assert any(severity == "error" for severity, _ in compiler.diagnostics)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Problem(1, 4, 33).spec(), "multiple of 32"),
        (Problem(0, 4, 32).spec(), "experts"),
        ("experts=1 colour=red", "colour"),
    ],
)
def test_bad_problems_are_diagnosed(spec: str, text: str) -> None:
    with Compiler() as compiler, pytest.raises(Error, match=text):
        compiler.mlir(spec)


def test_problems_have_the_compilers_fields() -> None:
    assert set(fields()) - set(FIELDS) == {"gather", "scatter"}
    assert set(FIELDS) < set(fields())
    for name in fields():
        words = ("order", "scales", "output", "activations", "accumulation")
        if name not in ("experts", "n", "k", *words):
            assert Problem.parse(f"experts=2 n=64 k=64 {name}=1").spec()


def test_operands_of_a_problem_are_in_its_words_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler knows which there are: here one more than it has today."""
    monkeypatch.setattr("mxfp4.problem.fields", lambda: (*FIELDS, "row-scale"))
    problem = Problem.parse("experts=2 n=64 k=64 row-scale=1")
    assert problem.operands == {"row_scale"}
    assert Problem.parse(problem.spec()) == dataclasses.replace(problem, groups=2)
    assert problem.spec().endswith(" expert-ids=0 row-scale=1")
    assert problem.name.endswith("-bf16-row_scale")
    assert Problem.parse("experts=2 n=64 k=64 row-scale=0").operands == frozenset()
    with pytest.raises(Error, match="row-scale must be 0 or 1, got '2'"):
        Problem.parse("experts=2 n=64 k=64 row-scale=2")
    with pytest.raises(Error, match="unknown problem field 'row-scale'"), Compiler() as compiler:
        compiler.mlir(problem)


@pytest.mark.parametrize("field", ["experts=2", "k=64", "output=f32", "gather=1", "expert-ids=0"])
def test_fields_given_twice(field: str) -> None:
    """By Python and by the compiler, whose words these are, too; and so are the options."""
    spec = " ".join(dict.fromkeys(["experts=2", "n=64", "k=64", field])) + f" {field}"
    with pytest.raises(Error, match=f"problem field {field.split('=')[0]} is given twice"):
        Problem.parse(spec)
    with Compiler() as compiler, pytest.raises(Error, match="option opt-level is given twice"):
        compiler.compile("module {}", "opt-level=1 opt-level=1")


def test_a_closed_compiler_says_so() -> None:
    compiler = Compiler()
    compiler.close()
    compiler.close()
    with pytest.raises(Error, match="was closed"):
        compiler.mlir(Problem(1, 4, 32))


def test_two_threads_compile_at_once() -> None:
    expected: dict[int, str] = {}
    for n in (64, 130):
        with Compiler() as compiler:
            expected[n] = compiler.compile(compiler.mlir(Problem(2, n, 96))).ptx
    wrong: list[str] = []

    def work(n: int) -> None:
        for _ in range(3):
            with Compiler() as compiler:
                if compiler.compile(compiler.mlir(Problem(2, n, 96))).ptx != expected[n]:
                    wrong.append(f"{n}: another PTX")
                try:
                    compiler.compile("module {")
                    wrong.append(f"{n}: no error")
                except Error:
                    pass

    threads = [threading.Thread(target=work, args=(n,)) for n in expected]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("offsets", "ids", "told"),
    [
        ([0, 3, 2], [0, 1], "the offsets do not start at 0, decrease, or do not end at the number"),
        ([0, 1, 4], [0, 2], r"an expert id is outside -1 \.\. E-1"),
    ],
)
def test_what_the_library_refuses_is_a_sentence(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, offsets: list[int], ids: list[int],
    told: str,
) -> None:  # fmt: skip
    """Python checks first; here it does not."""
    monkeypatch.setattr("mxfp4.compile.check_routing", lambda *_: None)
    weights = pack(*random_weights(rng, 2, 37, 96, 124, 128))
    with Compiler() as compiler:
        kernel = compiler.jit(Problem(2, 37, 96, 2, weights.layout, expert_ids=True))
    groups = np.array(offsets, np.int32), np.array(ids, np.int32)
    with pytest.raises(Error, match=f"the executable specification did not run: {told}"):
        kernel(exact_activations(rng, 4, 96), weights, *groups)


def test_ptxas_of_the_package_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither a variable nor PATH has one, as in a virtual environment called by its path."""
    path = compile_module.find_ptxas()
    if path is None:
        pytest.skip("ptxas was not found")
    for name in ("MXFP4_PTXAS", "CUDA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("mxfp4._ptxas._packaged", lambda: path)
    with Compiler() as compiler:
        made = compiler.compile(compiler.mlir("experts=1 n=64 k=64"), "assemble=true")
        assert made.cubin
        assert "registers" in compiler.assemble(made.ptx)
