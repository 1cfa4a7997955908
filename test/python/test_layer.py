# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A whole layer by one call, launched by the library on the interpreter, against numpy."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import mxfp4
import numpy as np
import pytest
from driver_memory import file
from kernels import needs_both
from layer_cases import ACTIVATIONS, FEW, MORE, SMALL, Case, check_close, lazy
from mxfp4 import Error, kernels, layer_plan, layer_steps, routing
from mxfp4._runtime_library import NativeDriver
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_plan import LayerRunner
from mxfp4.layer_spec import PRESETS, Activation, LayerSpec
from mxfp4.layer_steps import FEW_ROWS, FEW_TOKENS, Source, steps
from mxfp4.routing import SCORINGS

__all__ = ["file"]  # a fixture


@needs_both
@pytest.mark.parametrize("tokens", [1, FEW, MORE])
def test_gpt_oss(file: Path, rng: np.random.Generator, tokens: int) -> None:
    case = Case(dataclasses.replace(SMALL, bias=True), tokens, rng)
    names = steps(SMALL, tokens)
    assert ("sort_dispatch" in names) == (tokens == MORE)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("few_counts", [True, False])
def test_many_tokens_are_routed_by_two_kernels(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, few_counts: bool
) -> None:
    spec = dataclasses.replace(SMALL, slots=1, inner=32)
    tokens = FEW_TOKENS + 1
    if not few_counts:
        monkeypatch.setitem(layer_steps.FEW_COUNTS, "bf16", 0)
    sorts = ["sort_dispatch"] if few_counts else ["sort", "dispatch"]
    assert steps(spec, tokens)[:-3] == ["top_k", *sorts]
    case = Case(spec, tokens, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("tokens", [FEW, MORE])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(file: Path, rng: np.random.Generator, name: str, tokens: int) -> None:
    spec = dataclasses.replace(SMALL, activation=ACTIVATIONS[name], bias=tokens == FEW)
    case = Case(spec, tokens, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize("scoring", SCORINGS)
def test_scorings(file: Path, rng: np.random.Generator, scoring: str, correction: bool) -> None:
    spec = dataclasses.replace(
        SMALL, scoring=scoring, correction=correction, scale=1.5, inner=32,
        logits="f32" if correction else "bf16", renormalize=scoring == "sigmoid",
    )  # fmt: skip
    case = Case(spec, FEW, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("tokens", [1, FEW, MORE, FEW_TOKENS + 1])
@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
def test_experts_that_the_caller_brings(
    file: Path, rng: np.random.Generator, tokens: int, missing: float
) -> None:
    Case(dataclasses.replace(SMALL, bias=True), tokens, rng).check_given(file, rng, missing)


@needs_both
def test_ids_that_are_missing_unannounced_are_reported(
    file: Path, rng: np.random.Generator
) -> None:
    case = Case(SMALL, MORE, rng)
    ids = np.full((MORE, SMALL.slots), -1, np.int32)
    gates = np.ones(ids.shape, np.float32)
    with pytest.raises(Error, match=r"offsets do not rise .*ids of -1 must be announced"):
        case.run(file, "ids", given_ids=ids, gates=gates)
    ids[:] = SMALL.experts
    with pytest.raises(Error, match="an expert id is not the number of an expert"):
        case.run(file, "some ids", given_ids=ids, gates=gates)


def test_one_check_is_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {0: 2, 1: 5}
    kernel = SimpleNamespace(
        devices=(0, 1), error_word=words.pop, manifest=SimpleNamespace(entry="mxfp4_sort")
    )
    monkeypatch.setattr(kernels, "_loaded", {})
    monkeypatch.setattr(layer_plan, "_loaded", {1: (None, kernel)})
    with pytest.raises(Error, match=r"not the number of an expert\. mxfp4_sort: offsets .*; a row"):
        kernels.check()
    assert not words, "both devices were read"


@needs_both
@pytest.mark.parametrize("name", PRESETS)
def test_published_layers_made_narrow(file: Path, rng: np.random.Generator, name: str) -> None:
    """All of their experts, scorings and activations, in matrices that the interpreter runs."""
    spec = dataclasses.replace(PRESETS[name], hidden=64, inner=64)
    case = Case(spec, 3, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) for name in PRESETS if name != "gpt-oss-120b"],
)
def test_published_layers_at_their_width(file: Path, rng: np.random.Generator, name: str) -> None:
    """Their matrices as they are, of one expert, for which memory and the interpreter do."""
    spec = dataclasses.replace(PRESETS[name], experts=1, slots=1)
    case = Case(spec, 1, rng)
    check_close(case.run(file), case.truth())


@needs_both
def test_sixteen_of_896_experts(file: Path, rng: np.random.Generator) -> None:
    """The largest router that is published (Kimi-K3's), around another activation than its own."""
    spec = LayerSpec(896, 16, 64, 32, Activation("swiglu"), scoring="sigmoid", correction=True,
                     renormalize=True, logits="f32")  # fmt: skip
    case = Case(spec, 2, rng)
    check_close(case.run(file), case.truth())


@pytest.mark.slow
@needs_both
@pytest.mark.parametrize("seed", range(16))
def test_generated_layers(file: Path, seed: int) -> None:
    """Shapes, scorings, activations and sources of experts in any combination."""
    rng = np.random.default_rng(seed)
    experts = int(rng.choice([1, 2, 5, 8, 33, 128]))
    kind = ("swiglu", "geglu_tanh", "situ", "relu2")[seed % 4]
    numbers = [float(n) for n in rng.uniform(0.5, 2, 3)]
    limit = None if rng.random() < 0.5 else numbers[0]
    own = {
        "swiglu": {"alpha": numbers[1], "shift": numbers[2]},
        "situ": {"beta": numbers[1], "linear_beta": numbers[2] if seed % 8 < 4 else None},
    }
    spec = LayerSpec(
        experts, int(rng.integers(1, min(experts, 9) + 1)), *(32 * rng.integers(1, 5, 2)).tolist(),
        Activation(kind, limit=limit, **own.get(kind, {})), *(rng.random(1) < 0.5).tolist(),
        scoring=str(rng.choice(SCORINGS)), correction=bool(rng.random() < 0.5),
        renormalize=bool(rng.random() < 0.5), scale=float(rng.choice([1.0, 2.5])), logits="f32",
    )  # fmt: skip
    case = Case(spec, int(rng.choice([1, 2, 3, 17, 40])), rng)
    check_close(case.run(file), case.truth())
    ids, gates = routing.top_k(case.logits, spec.slots, "softmax_selected")
    ids[rng.random(ids.shape) < 0.3] = -1
    ids[0, 0] = 0  # somebody is here
    gates = gates.astype(np.float32)
    wanted = case.truth_of(ids, gates)
    got = case.run(file, "some ids", given_ids=ids, gates=gates)
    assert not got[(ids < 0).all(axis=1)].astype(np.float32).any()
    wide, true = got.astype(np.float64), wanted.astype(np.float64)
    assert (np.abs(wide - true) <= 2**-6 * np.abs(true).max()).all()


@needs_both
def test_a_plan_is_made_once_and_kernels_are_shared(file: Path) -> None:
    loading: list[int] = []
    runner = LayerRunner(
        lazy(SMALL), 0, NativeDriver(str(file)), before_loading=lambda: loading.append(1)
    )
    plan = runner.plan(3)
    assert runner.plan(3) is plan
    before = len(loading)
    assert before
    other = runner.plan(2)
    assert other.chain is plan.chain, "both run the same kernels"
    assert len(loading) == before, "nothing was loaded"
    assert other.bytes <= plan.bytes


@needs_both
@pytest.mark.parametrize("tokens", [2, 40])
def test_no_memory_has_gate_and_up(file: Path, tokens: int) -> None:
    """Between the kernels there is room for the activation's results, and not for both of them."""
    spec = dataclasses.replace(SMALL, hidden=32, inner=512)
    plan = LayerRunner(lazy(spec), 0, NativeDriver(str(file))).plan(tokens)
    results = 2 * tokens * spec.slots * spec.inner  # bytes, in bf16
    assert results <= plan.bytes < 2 * results
    (up,) = (a for name, a in lazy(spec).chosen(tokens) if name.startswith("gate_up"))
    (y,) = (argument for argument in up.manifest.arguments if argument.name == "y")
    assert y.shape[-1] == spec.inner == spec.columns // 2


@needs_both
def test_kernels_compiled_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = dataclasses.replace(SMALL, inner=32)
    made = LayerKernels.compile(spec, 12, sources=("logits", "some ids"))
    made.save(tmp_path / "layer")
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.setattr(kernels, "_layers", {})
    monkeypatch.setenv("MXFP4_KERNELS", str(tmp_path))
    assert kernels.count() == made.count() > 5
    monkeypatch.setattr(mxfp4.library, "find", lambda: None)
    found = kernels.layer_kernels(spec)
    sources: list[Source] = ["logits", "some ids"]
    for source in sources:
        for tokens in (1, 8, 9, 12):
            chosen = found.chosen(tokens, source)
            assert [name for name, _ in chosen] == steps(spec, tokens, source)
            for (_, a), (_, b) in zip(chosen, made.chosen(tokens, source), strict=True):
                assert a.ptx == b.ptx
    with pytest.raises(Error, match="no kernel top_k of this layer"):
        kernels.layer_kernels(spec).chosen(FEW_TOKENS + 1)
    with pytest.raises(Error, match="no kernel count of this layer"):
        kernels.layer_kernels(spec).chosen(FEW_TOKENS + 1, "some ids")
    with pytest.raises(Error, match=r"no kernel route of this layer .* MXFP4_KERNELS"):
        kernels.layer_kernels(SMALL).chosen(1)


@needs_both
def test_a_folder_may_be_added_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = dataclasses.replace(SMALL, inner=32)
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.setattr(kernels, "_layers", {})
    known = kernels.layer_kernels(spec)
    made = LayerKernels.compile(spec, 1)
    made.save(tmp_path)
    assert kernels.add(tmp_path) == made.count() == known.count()
    assert known.has(1)
    assert not known.has(FEW_ROWS)


def test_scores_decide_as_the_reference_says() -> None:
    """The reference of a layer uses the routing that kernels are compared with."""
    spec = LayerSpec(4, 2, 32, 32, Activation("relu2"))
    rng = np.random.default_rng(3)
    case = Case(spec, 6, rng)
    ids, weights = routing.top_k(case.logits, 2, spec.scoring)
    assert np.array_equal(case.truth(), case.truth_of(ids, weights.astype(np.float32)))
    dense = np.zeros((6, 32))
    for t in range(6):
        for s in range(2):
            e = ids[t, s]
            up = case.x[t].astype(np.float64) @ case.gate_up.decode(e).astype(np.float64).T
            h = np.maximum(up, 0) ** 2
            dense[t] += weights[t, s] * (h @ case.down.decode(e).astype(np.float64).T)
    check_close(case.truth(), dense)
