# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shapes, rows and routings that options of the benchmark choose, and what is said of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_shapes import chosen, options
from hypothesis import given, settings
from hypothesis import strategies as st
from mxfp4 import Error, Layout, Problem
from mxfp4.bench import routing, shapes
from mxfp4.bench.cases import Case, cases, wanted
from mxfp4.bench.models import MODELS, TENSOR_PARALLEL


def test_a_shape_of_ones_own_in_each_spelling() -> None:
    few = ("--top", "2", "--tokens", "1", "64")
    (one, many) = chosen("--experts", "8", "--n", "28672", "--k", "4096", *few)
    assert (one.problem, one.tokens, one.rows) == (Problem(8, 28672, 4096), 1, 2)
    assert (many.rows, many.layer, many.routing) == (128, "28672x4096", "uniform")
    assert chosen("--problem", "experts=8 n=28672 k=4096", *few) == [one, many]
    block = chosen("--experts", "8", "--hidden", "4096", "--intermediate", "14336", *few)
    assert [(c.layer, c.problem.n, c.problem.k, c.tokens) for c in block] == [
        ("gate_up", 28672, 4096, 1), ("gate_up", 28672, 4096, 64),
        ("down", 4096, 14336, 1), ("down", 4096, 14336, 64),
    ]  # fmt: skip
    layer = ("--hidden", "4096", "--intermediate", "14336", "--layer", "down")
    assert chosen("--experts", "8", *layer, *few) == block[2:]
    raw = chosen("--problem", "experts=2 n=64 k=64 order=nibble scales=raw", "--tokens", "3")
    assert (raw[0].problem.layout, raw[0].rows) == (Layout("nibble", "raw"), 6)
    skewed = chosen("--experts", "8", "--n", "64", "--k", "64", "--routing", "zipf", *few)
    assert [c.routing for c in skewed] == ["zipf", "zipf"]
    assert skewed[1].sizes()[0] > 3 * skewed[1].sizes()[7]


def test_models_and_their_parts() -> None:
    block = chosen("--model", "deepseek-v4-flash", "--tokens", "16")
    assert [(c.problem, c.layer, c.top) for c in block] == [
        (Problem(256, 4096, 4096), "gate_up", 6), (Problem(256, 4096, 2048), "down", 6),
    ]  # fmt: skip
    # Experts are cut by whole blocks of 32: 90 of them are 23 at most on each of four GPUs.
    quarter = chosen("--model", "gpt-oss-20b", "--tensor-parallel", "4", "--tokens", "1")
    assert [(c.problem.n, c.problem.k) for c in quarter] == [(2 * 736, 2880), (2880, 736)]
    (plain,) = chosen("--model", "nemotron-3-super", "--layer", "gate_up", "--tokens", "1")
    assert (plain.problem.n, plain.rows) == (2688, 22), "one matrix, without a gate"
    for name in MODELS:
        for parts in TENSOR_PARALLEL:
            for case in chosen("--model", name, f"--tensor-parallel={parts}", "--tokens", "1"):
                assert case.problem.k % 32 == 0
                assert case.rows == MODELS[name].top
    again = shapes.words(options("--model", "kimi-k3", "--tensor-parallel", "8", "--top", "2"))
    assert chosen(*again) == chosen("--model", "kimi-k3", "--tensor-parallel", "8", "--top", "2")


def test_large_matmuls_have_short_graphs() -> None:
    def launches(*words: str) -> int:
        return len(chosen(*words)[0].routes())

    assert launches("--experts", "128", "--layer", "gate_up", "--tokens", "256") == 16
    assert launches("--experts", "32", "--layer", "down", "--tokens", "8192") == 4
    large = ("--experts", "896", "--n", "6144", "--k", "3584", "--top", "16")
    assert launches(*large, "--tokens", "1") == 16
    assert launches(*large, "--tokens", "16") == 8
    assert launches(*large, "--tokens", "256") == 2


def test_given_counts(tmp_path: Path) -> None:
    shape = ("--experts", "4", "--n", "64", "--k", "64")
    (case,) = chosen(*shape, "--counts", "5,0,3,8")
    assert (case.rows, case.tokens, case.top, case.routing) == (16, 16, 1, "counts")
    assert case.sizes() == [5, 0, 3, 8]
    assert all(sorted(sizes) == [0, 3, 5, 8] for sizes in case.routes())
    (tmp_path / "counts.txt").write_text("5 0\n3, 8\n")
    file = chosen(*shape, "--counts", str(tmp_path / "counts.txt"), "--top", "2")
    assert (file[0].counts, file[0].tokens) == ((5, 0, 3, 8), 8)
    for text in (b"5 0\n3 x", b"5 0\n3 \xff"):
        (tmp_path / "counts.txt").write_bytes(text)
        with pytest.raises(Error, match=r"counts\.txt must hold whole numbers, got"):
            chosen(*shape, "--counts", str(tmp_path / "counts.txt"))


def test_gpt_oss_with_other_token_counts() -> None:
    assert chosen() == cases()
    assert chosen("--tokens", "64") == [c for c in cases() if c.tokens == 64]
    other = chosen("--tokens", "100", "--experts", "32", "--layer", "down")
    assert [(c.tokens, c.routing) for c in other] == [(100, "uniform"), (100, "zipf")]
    assert len({w.name for w in wanted(other)}) == 2, "both placements"
    trained = chosen("--tokens", "100", "--routing", "trained")
    assert {(c.experts, c.layer, c.routing) for c in trained} == {
        (e, layer, "trained") for e in (32, 128) for layer in ("gate_up", "down")
    }


def test_trained_routers_are_between_uniform_and_zipf() -> None:
    """By the load of the busiest expert; tokens of one text crowd, tokens of many texts less so."""

    def busiest(tokens: int, how: str) -> float:
        case = Case(128, "gate_up", tokens, how)
        assert sum(case.sizes()) == case.rows
        assert case.sizes() == case.sizes()
        return max(case.sizes()) * 128 / case.rows

    for tokens in (256, 1024, 4096, 8192):
        loads = [busiest(tokens, how) for how in ("uniform", "trained", "zipf")]
        assert 1.15 * loads[0] < loads[1] < loads[2] / 2
    assert busiest(routing.TEXT, "trained") > 1.3 * busiest(8 * routing.TEXT, "trained")
    assert busiest(routing.TEXT, "trained") > 2 * busiest(routing.DECODING, "trained")


@given(
    st.integers(1, 40), st.integers(1, 50), st.integers(1, 40),
    st.sampled_from(shapes.ROUTINGS), st.integers(1, 5), st.integers(1, 5),
)  # fmt: skip
@settings(deadline=None)
def test_any_shape_has_all_of_its_rows(
    experts: int, tokens: int, top: int, routing: str, n: int, blocks: int
) -> None:
    top = min(top, experts)
    words = {"experts": experts, "n": n, "k": 32 * blocks, "tokens": tokens, "top": top}
    (case,) = chosen(*(f"--{k}={v}" for k, v in words.items()), f"--routing={routing}")
    assert case.rows == tokens * top == sum(case.sizes())
    assert len(case.sizes()) == experts
    assert routing != "uniform" or max(case.sizes()) <= tokens
    assert all(sorted(sizes) == sorted(case.sizes()) for sizes in case.routes())
    again = shapes.chosen(options(*shapes.words(options(
        *(f"--{k}={v}" for k, v in words.items()), f"--routing={routing}"))))  # fmt: skip
    assert again == [case], "the words of the options choose the same"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--experts 8", "no gpt-oss case is left by these options"),
        ("--experts 1 --tokens 64", "for a shape of your own, say --n and --k, or --hidden and"),
        ("--top 2", "--top goes with a shape of your own"),
        ("--counts 1,2", "--counts goes with a shape of your own"),
        ("--model gpt-os-20b", "did you mean 'gpt-oss-20b'"),
        ("--model kimi-k3 --experts 8", "--model says the number of experts"),
        ("--model kimi-k3 --n 64", "--model says the shape; leave out --n"),
        ("--tensor-parallel 2", "--tensor-parallel goes with --model"),
        ("--model kimi-k3 --tensor-parallel 0", "--tensor-parallel must be at least 1"),
        ("--n 64", "--n needs --experts and --k, too"),
        ("--experts 2 --k 64", "--experts --k needs --n, too"),
        ("--experts 2 --hidden 64", "--experts --hidden needs --intermediate, too"),
        ("--experts 2 --n 64 --k 64 --hidden 64", "says the shape; leave out --hidden"),
        ("--problem experts=2 --n 64", "says the shape; leave out --n"),
        ("--experts 2 --n 64 --k 60", "K must be a multiple of 32 .* 64x60 has K = 60"),
        ("--experts 2 --hidden 64 --intermediate 48", "but down has K = 48"),
        ("--experts 0 --n 64 --k 64", "--experts must be at least 1, got 0"),
        ("--experts 2 --n 64 --k 64 --tokens 4 -1", "--tokens must be at least 1, got -1"),
        ("--experts 2 --n 64 --k 64 --top 3", "--top must be at most the number of experts, 2"),
        ("--experts 2 --n 64 --k 64 --layer down", "--layer down is not among the layers 64x64"),
        ("--experts 2 --n 64 --k 64 --counts 1", "for each of the 2 experts, not all 0; got 1"),
        ("--experts 2 --n 64 --k 64 --counts 0,0", "not all 0; got 2 with a sum of 0"),
        ("--experts 2 --n 64 --k 64 --counts 1,x", "takes numbers with commas, or a file of num"),
        ("--experts 2 --n 64 --k 64 --counts 3,2 --top 2", "5 rows, which is no multiple of --to"),
        ("--experts 2 --n 64 --k 64 --counts 3,2 --tokens 4", "leave out --tokens"),
        ("--experts 2 --n 64 --k 64 --counts 3,2 --routing one", "leave out --routing"),
    ],
)
def test_what_does_not_fit_is_a_sentence(words: str, told: str) -> None:
    with pytest.raises(Error, match=told):
        chosen(*words.split())


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("experts=2 n=64 k=64 output=f32", "leave out groups=, expert-ids= and output="),
        ("experts=2 n=64 k=64 expert-ids=1", "leave out groups=, expert-ids= and output="),
        ("E=2 n=64 k=64", "unknown problem field 'E' .*did you mean 'experts'"),
        ("experts=2 n=64", "does not say k="),
    ],
)
def test_a_problem_that_cannot_be_measured(spec: str, told: str) -> None:
    with pytest.raises(Error, match=told):
        chosen("--problem", spec)
    with pytest.raises(Error, match="leave out --experts"):
        chosen("--problem", "experts=2 n=64 k=64", "--experts", "2")


def test_weights_of_a_graph_are_counted_once() -> None:
    (case,) = chosen("--experts", "4", "--n", "64", "--k", "64", "--counts", "5,0,3,8")
    each = 64 * 64 * 4.25 / 8
    assert case.rotated(1) == 4 * each, "three experts a launch, moved on: all four of one copy"
    assert case.rotated(16) == 3 * 16 * each
    assert np.isclose(case.traffic(), 3 * each + 2 * 16 * 128)
