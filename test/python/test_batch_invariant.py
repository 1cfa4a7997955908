# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A row's bits do not depend on the other rows, nor on their number, where that was asked for.

Data is random and sums are not exact, so that another order of addition shows.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import mxfp4
import numpy as np
import pytest
from driver_memory import file
from helpers import random_weights
from kernels import needs_both
from layer_cases import Case
from mxfp4 import Error, Problem, kernels
from mxfp4.formats import bfloat16
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import GPT_OSS, LayerSpec
from mxfp4.layer_steps import FEW_TOKENS, steps
from mxfp4.problem import Problem as Words

__all__ = ["file"]  # a fixture
E, N = 3, 200
SIZES = (1, 3, 24, 60, 100, 190, 330, 700)
"""Rows of calls: each regime of schedules has some."""


def bits_of_a_row(problem: Problem, rng: np.random.Generator) -> tuple[list[bytes], set[str]]:
    """Those of one row among as many others as `SIZES` says, and the schedules that ran."""
    weights = mxfp4.pack(*random_weights(rng, E, problem.n, problem.k, 118, 128), problem.layout)
    mine = rng.standard_normal(problem.k).astype(bfloat16)
    found, schedules = [], set()
    for rows in SIZES:
        kernel = mxfp4.compile_artifact(problem, f"rows-hint={rows}")
        x = rng.standard_normal((rows, problem.k)).astype(bfloat16)
        # The row is anywhere in the second group.
        start, end = np.sort(rng.integers(0, rows, 2)) + np.array([0, 1])
        offsets = np.array([0, start, end, rows], np.int32)
        at = int(rng.integers(start, end))
        x[at] = mine
        run = mxfp4.simulate(kernel, x, weights, offsets)
        assert run.findings == []
        found.append(run.y[at].tobytes())
        schedules.add(kernel.manifest.schedule["attribute"])
    return found, schedules


@needs_both
@pytest.mark.parametrize(
    ("k", "output"),
    [
        (256, "f32"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(576, "f32"), (544, "bf16"), (512, "f32"), (256, "bf16")]
        ),
    ],
)
def test_a_row_in_any_company(k: int, output: str, rng: np.random.Generator) -> None:
    """Steps of K that three slices would share, or two; with a part of a block; and mma.sync's."""
    problem = Problem(E, N, k, output=output, batch_invariant=True)
    found, schedules = bits_of_a_row(problem, rng)
    assert len(schedules) >= 3, "several regimes"
    assert len({s.split("instruction = ")[1].split(",")[0] for s in schedules}) == 1
    assert len(set(found)) == 1


@needs_both
@pytest.mark.slow
@pytest.mark.parametrize("order", ["spread", "nibble"])
def test_whatever_the_layout(order: str, rng: np.random.Generator) -> None:
    layout = mxfp4.Layout(order, "raw")
    problem = Problem(E, N, 576, layout=layout, output="f32", batch_invariant=True)
    assert len(set(bits_of_a_row(problem, rng)[0])) == 1


@needs_both
@pytest.mark.slow
@pytest.mark.parametrize("k", [576, 512])
def test_otherwise_the_company_counts(k: int, rng: np.random.Generator) -> None:
    """The kernels that are quickest add in different orders: the test above would notice."""
    problem = Problem(E, N, k, output="f32")
    assert len(set(bits_of_a_row(problem, rng)[0])) > 1


@needs_both
@pytest.mark.parametrize("source", [pytest.param("logits", marks=pytest.mark.slow), "some ids"])
def test_tokens_of_a_layer(file: Path, source: str, rng: np.random.Generator) -> None:
    """Routed by one kernel or by two, gathered or permuted, a token's result is the same."""
    spec = LayerSpec(4, 2, 512, 576, GPT_OSS, bias=True, batch_invariant=True)
    whole = Case(spec, FEW_TOKENS + 6, rng)
    ids = np.array([rng.permutation(4)[:2] for _ in range(whole.tokens)], np.int32)
    ids[rng.random(ids.shape) < 0.2] = -1
    given = {} if source == "logits" else {
        "given_ids": ids, "gates": rng.random(ids.shape).astype(np.float32)
    }  # fmt: skip
    ways, found = set(), {}
    for tokens in (1, 12, 20, whole.tokens):
        ways.add(tuple(steps(spec, tokens, source)))
        part = Case.__new__(Case)
        vars(part).update(vars(whole))
        part.tokens, part.x, part.logits = tokens, whole.x[:tokens], whole.logits[:tokens]
        found[tokens] = part.run(file, source, **{n: a[:tokens] for n, a in given.items()})
    assert len(ways) == (3 if source == "logits" else 2)
    for tokens, y in found.items():
        assert y.tobytes() == found[whole.tokens][:tokens].tobytes(), tokens


@needs_both
def test_kernels_are_told_apart() -> None:
    """The manifest says it, and a call gets what it asked for."""
    problem = Problem(E, N, 576, batch_invariant=True)
    kernel, plain = (
        mxfp4.compile_artifact(p, "rows-hint=1")
        for p in (problem, dataclasses.replace(problem, batch_invariant=False))
    )
    assert kernel.manifest.batch_invariant
    assert kernel.manifest.schedule["k_slices"] == 1
    assert not plain.manifest.batch_invariant
    assert plain.manifest.schedule["k_slices"] > 1
    assert problem.matches(kernel.manifest)
    assert not problem.matches(plain.manifest)
    assert problem.name != dataclasses.replace(problem, batch_invariant=False).name
    with pytest.raises(Error, match="requires k_slices = 1 for batch-invariant"):
        mxfp4.compile_artifact(problem, f"schedule={plain.manifest.schedule['attribute']}")
    found = kernels.ranges(dataclasses.replace(problem, k=256), 100)
    assert kernels.count_ranges(dataclasses.replace(problem, k=256), 100) == len(found)
    assert all(a.manifest.batch_invariant for a in found)


@needs_both
def test_a_layer_says_it(tmp_path: Path) -> None:
    """In its text and its folder."""
    spec = LayerSpec(4, 2, 512, 64, batch_invariant=True)
    assert LayerSpec.parse(spec.text()) == spec
    made = LayerKernels.compile(spec, 1)
    made.save(tmp_path)
    again = LayerKernels.load(tmp_path)
    assert again.spec.batch_invariant
    for artifacts in again.matmuls.values():
        assert all(a.manifest.batch_invariant for a in artifacts)


def test_the_problem_in_words_is_of_the_matmul_alone() -> None:
    problem = Words(2, 64, 96, batch_invariant=True)
    assert problem.options == "batch-invariant=true"
    assert "invariant" not in problem.spec()
    assert "invariant" in problem.name
