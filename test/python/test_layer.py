# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A whole layer by one call, launched by the library on the interpreter, against numpy."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mxfp4
import numpy as np
import pytest
from driver_memory import Memory, file
from helpers import random_weights
from kernels import needs_both
from mxfp4 import Compiler, Error, kernels, layer_kernels, layer_plan, layer_reference, routing
from mxfp4._runtime_library import NativeDriver
from mxfp4.activation import KIMI_K3
from mxfp4.formats import bfloat16
from mxfp4.layer_kernels import FEW_ROWS, FEW_TOKENS, LayerKernels, Source, steps
from mxfp4.layer_plan import LayerRunner
from mxfp4.layer_spec import GPT_OSS, PRESETS, Activation, LayerSpec
from mxfp4.routing import SCORINGS

__all__ = ["file"]  # a fixture
SMALL = LayerSpec(8, 2, 64, 96, GPT_OSS)
FEW, MORE = 5, 20  # tokens: at most and more than FEW_ROWS rows
ACTIVATIONS = {
    "gpt_oss": GPT_OSS,
    "silu": Activation("swiglu"),
    "silu_limit": Activation("swiglu", limit=1.5),
    "geglu_tanh": Activation("geglu_tanh"),
    "geglu_tanh_limit": Activation("geglu_tanh", limit=1.5),
    "situ": KIMI_K3,
    "situ_limit": Activation("situ", beta=0.75, limit=1.5),
    "situ_narrow": Activation("situ", beta=0.5, linear_beta=0.25),
    "relu2": Activation("relu2"),
    "relu2_limit": Activation("relu2", limit=1.5),
}


@cache
def lazy(spec: LayerSpec) -> LayerKernels:
    """Kernels that are compiled when a test needs them."""
    return LayerKernels(spec, lazy=True)


class Case:
    """Random weights, hidden states and logits of a layer."""

    def __init__(self, spec: LayerSpec, tokens: int, rng: np.random.Generator) -> None:
        self.spec, self.tokens = spec, tokens
        e = spec.experts
        self.gate_up = mxfp4.pack(*random_weights(rng, e, spec.columns, spec.hidden, 120, 124))
        self.down = mxfp4.pack(*random_weights(rng, e, spec.hidden, spec.inner, 120, 124))
        self.x = rng.standard_normal((tokens, spec.hidden)).astype(bfloat16)
        # All logits of a token are apart, and so are their scores.
        order = np.array([rng.permutation(e) for _ in range(tokens)]).reshape(tokens, e)
        logits = (order * (8.0 / e) - 4).astype(np.float32)
        self.logits = logits.astype(bfloat16 if spec.logits == "bf16" else np.float32)
        bias = rng.standard_normal((e, spec.columns + spec.hidden)).astype(bfloat16)
        self.own: dict[str, Any] = {}
        if spec.bias:
            self.own["gate_up_bias"] = np.ascontiguousarray(bias[:, : spec.columns])
            self.own["down_bias"] = np.ascontiguousarray(bias[:, spec.columns :])
        if spec.correction:
            self.own["correction"] = rng.permutation(e).astype(np.float32) / 8

    def truth(self) -> np.ndarray:
        """Of the router's logits."""
        s = self.spec
        return layer_reference.layer(s, self.x, self.logits, self.gate_up, self.down, **self.own)

    def truth_of(self, ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Of experts that the caller brings."""
        own = {name: a for name, a in self.own.items() if name != "correction"}
        return layer_reference.experts(
            self.spec, self.x, ids, weights, self.gate_up, self.down, **own
        )

    def run(self, file: Path, source: Source = "logits", **given: np.ndarray) -> np.ndarray:
        """On the interpreter."""
        runner = LayerRunner(lazy(self.spec), 0, NativeDriver(str(file)))
        plan = runner.plan(self.tokens, source)
        arrays = {"x": self.x, "logits": self.logits, "gate_up": self.gate_up.data,
                  "down": self.down.data, **self.own, **given,
                  "counting": np.arange(plan.counted, dtype=np.int32)}  # fmt: skip
        with Memory(file) as memory:
            held = {name: memory.copy(a) for name, a in arrays.items() if a.size}
            held["out"] = memory.array((self.tokens, self.spec.hidden), bfloat16)
            scratch = memory.array((plan.bytes,), np.uint8)
            scratch[:] = 0xFF  # NaN, and numbers of no row
            addresses = {name: a.ctypes.data for name, a in held.items()}
            plan.launch(scratch.ctypes.data, addresses, 0)
            runner.check()
            return held["out"].copy()


def check_close(got: np.ndarray, wanted: np.ndarray) -> None:
    """Within some roundings to bf16 of what is between."""
    wide, true = got.astype(np.float64), wanted.astype(np.float64)
    assert np.isfinite(true).all()
    assert true.any()
    scale = np.abs(true).max(axis=1, keepdims=True)
    assert (np.abs(wide - true) <= 2**-6 * scale).all(), np.abs(wide - true).max() / scale.max()


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
        monkeypatch.setitem(layer_kernels.FEW_COUNTS, "bf16", 0)
    sorts = ["sort_dispatch"] if few_counts else ["sort", "dispatch"]
    assert steps(spec, tokens)[:-3] == ["top_k", *sorts]
    case = Case(spec, tokens, rng)
    check_close(case.run(file), case.truth())


@needs_both
def test_rows_are_brought_into_order_while_gate_up_multiplies(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_kernels, "BROUGHT_TOKENS", 200)
    monkeypatch.setattr(layer_kernels, "BROUGHT_ROWS", 1)
    spec = LayerSpec(2, 1, 512, 32, GPT_OSS, bias=True)
    assert "dispatch" in steps(spec, 199)[-4]
    assert steps(spec, 200) == ["top_k", "sort", "gate_up_through", "down", "combine"]
    kernel = lazy(spec).matmul("gate_up_through", 200)
    assert "through_maps" in kernel.manifest.operands
    case = Case(spec, 200, rng)
    check_close(case.run(file), case.truth())


def test_from_when_on_rows_are_brought_into_order() -> None:
    few, many = LayerSpec(32, 4, 2880, 2880), LayerSpec(256, 4, 2880, 2880)
    for spec, start in ((few, 4096), (many, 8192)):
        for source in ("logits", "ids"):
            assert "gate_up_through" not in steps(spec, start - 1, source)
            assert "gate_up_through" in steps(spec, start, source)
        assert "gate_up_through" not in steps(spec, 8192, "some ids")
        in_fp8 = dataclasses.replace(spec, activations="fp8")
        assert "gate_up_through" not in steps(in_fp8, 8192)
    assert "gate_up_through" not in steps(LayerSpec(32, 4, 4096, 2880), 8192)


@pytest.fixture
def brings_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are brought from 200 tokens on."""
    monkeypatch.setattr(layer_kernels, "BROUGHT_TOKENS", 200)
    monkeypatch.setattr(layer_kernels, "BROUGHT_ROWS", 1)


BROUGHT = LayerSpec(2, 1, 512, 32, GPT_OSS)
NO_ROOM = LayerSpec(8, 2, 2048, 128)


@needs_both
def test_kernels_of_an_earlier_version_are_enough(
    brings_early: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(layer_kernels, "BROUGHT_TOKENS", 10**6)
        old = LayerKernels.compile(BROUGHT, 300)
    assert not {"gate_up_through", "sort"} & {*old.matmuls, *old.routing}
    old.save(tmp_path)
    monkeypatch.setattr(mxfp4.library, "find", lambda: None)
    for lazily in (False, True):
        found = LayerKernels.load(tmp_path)
        found.lazy = lazily
        assert found.has(300)
        names = [name for name, _ in found.chosen(300)]
        assert names == ["top_k", "sort_dispatch", "gate_up", "down", "combine"]
        assert list(found.starts(300))[-1] <= 300
    with pytest.raises(Error, match="no kernel top_k of this layer"):
        LayerKernels(BROUGHT).chosen(300)


@needs_both
def test_kernels_that_cannot_bring_rows_are_not_launched(
    file: Path, monkeypatch: pytest.MonkeyPatch, brings_early: None, rng: np.random.Generator
) -> None:
    """For lack of room, which the compiler finds: another kernel brings rows then."""
    spec = dataclasses.replace(BROUGHT, hidden=256)
    dispatched = ["top_k", "sort_dispatch", "gate_up", "down", "combine"]
    assert "gate_up_through" in steps(spec, 200)
    made = LayerKernels.compile(spec, 300)
    for artifact in made.matmuls["gate_up_through"]:
        assert "through_maps" not in artifact.manifest.operands
    assert "sort" not in made.routing, "nothing needs it"
    for kernels_of in (made, LayerKernels(spec, lazy=True)):
        for tokens in (199, 200, 300):
            assert [name for name, _ in kernels_of.chosen(tokens)] == dispatched
            assert kernels_of.has(tokens)
    assert max(a.manifest.rows_hint[1] for a in made.matmuls["gate_up"]) >= 300
    case = Case(spec, 200, rng)
    check_close(case.run(file), case.truth())
    # A folder that has nothing else still runs.
    del made.matmuls["gate_up"]
    made.routing["sort"] = lazy(spec).routing_kernel("sort")
    assert made.chosen(300)[2][0] == "gate_up_through"


@needs_both
@pytest.mark.parametrize("device", ["", "h200"])
def test_three_warpgroups_leave_no_room_for_rows(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = mxfp4.devices.option(device)
    monkeypatch.setattr(mxfp4.devices, "option_for", lambda: option)
    names = [name for name, _ in LayerKernels(NO_ROOM, lazy=True).chosen(4096)]
    assert names == ["top_k", "sort_dispatch", "gate_up", "down", "combine"]


@needs_both
@pytest.mark.parametrize("tokens", [199, 200, 300])
def test_kernels_that_bring_rows_are_compiled_for_calls_that_need_them(
    brings_early: None, tokens: int
) -> None:
    made = LayerKernels.compile(BROUGHT, tokens)
    through = made.matmuls.get("gate_up_through", [])
    assert bool(through) == (tokens >= 200)
    hints = [a.manifest.rows_hint or (0, 0) for a in through]
    assert all(high >= 200 for _, high in hints)
    assert all(low <= tokens for low, _ in hints)
    for rows in range(200, tokens + 1):
        assert any(low <= rows <= high for low, high in hints)
    up = [a.manifest.rows_hint or (0, 0) for a in made.matmuls["gate_up"]]
    assert all(any(low <= r <= high for low, high in up) for r in range(FEW_ROWS + 1, 200))
    assert all(made.has(t) and made.chosen(t) for t in made.starts(tokens))


@needs_both
def test_kernels_that_gather_are_kept_where_only_some_bring(
    brings_early: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether rows are brought may depend on how many there are."""
    monkeypatch.setattr(
        layer_kernels, "_brings", lambda artifact: artifact.manifest.rows_hint[1] >= 4000
    )
    made = LayerKernels.compile(BROUGHT, 4000)
    assert {"sort", "sort_dispatch"} <= set(made.routing)
    ways = {made.chosen(t)[-3][0] for t in made.starts(4000) if t >= 200}
    assert ways == {"gate_up", "gate_up_through"}
    up = [a.manifest.rows_hint or (0, 0) for a in made.matmuls["gate_up"]]
    assert max(high for _, high in up) >= 4000


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
    case = Case(dataclasses.replace(SMALL, bias=True), tokens, rng)
    ids = np.array([rng.permutation(SMALL.experts)[: SMALL.slots] for _ in range(tokens)], np.int32)
    ids[rng.random(ids.shape) < missing] = -1
    gates = rng.random(ids.shape).astype(np.float32)
    wanted = case.truth_of(ids, gates)
    sources: list[Source] = ["some ids"] if missing else ["ids", "some ids"]
    for source in sources:
        got = case.run(file, source, given_ids=ids, gates=gates)
        if missing == 1:
            assert not got.astype(np.float32).any()
        else:
            check_close(got, wanted)
        none_here = (ids < 0).all(axis=1)
        assert not got[none_here].astype(np.float32).any()


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


@needs_both
@pytest.mark.parametrize("value", [1, 7, 1e-5, 1e16, 2.5e-7, 0.1, 3])
def test_any_number_is_a_constant(value: float) -> None:
    activation = Activation("swiglu", alpha=value, shift=-value, limit=value)
    spec = LayerSpec(2, 1, 32, 32, activation, scale=value)
    assert LayerSpec.parse(spec.text()) == spec
    with Compiler() as compiler:
        for text in (spec.gate_up(), spec.top_k()):
            with compiler.parse(text) as module:
                assert str(module)


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


def test_presets_have_the_shapes_that_are_published() -> None:
    flash = PRESETS["deepseek-v4-flash"]
    assert (flash.experts, flash.slots, flash.hidden, flash.inner) == (256, 6, 4096, 2048)
    assert flash.columns == 4096
    assert (flash.scoring, flash.scale, flash.activation.limit) == ("sqrt_softplus", 1.5, 10.0)
    assert PRESETS["gpt-oss-120b"].activation == GPT_OSS
    kimi = PRESETS["kimi-k3"]
    assert (kimi.experts, kimi.slots, kimi.hidden, kimi.inner) == (896, 16, 3584, 3072)
    assert (kimi.scoring, kimi.correction, kimi.renormalize) == ("sigmoid", True, True)
    assert kimi.activation == Activation("situ", beta=4.0, linear_beta=25.0)


def test_situ_is_what_its_publisher_computes() -> None:
    """In torch's words, f64: soft limits around gate * sigmoid(gate) * up."""
    torch = pytest.importorskip("torch")
    sums = np.random.default_rng(4).standard_normal((5, 64)) * 20
    gate, up = torch.from_numpy(sums[:, ::2].copy()), torch.from_numpy(sums[:, 1::2].copy())
    wanted = 4 * torch.tanh(gate / 4) * torch.sigmoid(gate) * (25 * torch.tanh(up / 25))
    got = layer_reference.activate(KIMI_K3, sums)
    assert np.allclose(got, wanted.numpy(), rtol=1e-12, atol=0)
    without = layer_reference.activate(Activation("situ", beta=4.0), sums)
    assert np.allclose(without, (4 * torch.tanh(gate / 4) * torch.sigmoid(gate) * up).numpy())


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


def test_specs_are_texts() -> None:
    for spec in (SMALL, *PRESETS.values()):
        assert LayerSpec.parse(spec.text()) == spec
    short = '{"experts": 8, "slots": 2, "hidden": 64, "inner": 96}'
    assert LayerSpec.parse(short) == dataclasses.replace(SMALL, activation=GPT_OSS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the layer's text must be JSON"),
        ("[1]", "a layer must be an object with some of experts, slots"),
        ('{"expert": 1}', "a layer must be an object with some of"),
        ('{"experts": 8}', "a layer needs slots; it has experts"),
        ('{"experts": true, "slots": 1, "hidden": 64, "inner": 64}', "experts of a layer must be"),
        ('{"experts": 2.5, "slots": 1, "hidden": 64, "inner": 64}', "experts of a layer must be"),
        ('{"experts": 8, "slots": 1, "hidden": 60, "inner": 64}', "hidden must be a multiple"),
        ('{"experts": 8, "slots": 9, "hidden": 64, "inner": 64}', "slots must be 1 to 8"),
        ('{"experts": 64, "slots": 33, "hidden": 64, "inner": 64}', "slots must be 1 to 32"),
        ('{"experts": 1025, "slots": 1, "hidden": 64, "inner": 64}', "experts must be 1 to 1024"),
        ('{"experts": 0, "slots": 1, "hidden": 64, "inner": 64}', "experts must be 1 to 1024"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "scale": "1"}',
         "scale of a layer must be of type float"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"kind": "x"}}',
         "the activation must be one of"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"limit": "1"}}',
         "limit of an activation must be of type"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"alpha": NaN}}',
         "alpha of an activation must be finite"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"limit": -1}}',
         "limit of an activation must not be negative"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"linear_beta": 0}}',
         "linear_beta of an activation must be from 2\\^-64 to 2\\^64, got 0"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "batch_invariant": 1}',
         "batch_invariant of a layer must be of type bool"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "scale": Infinity}',
         "scale must be finite"),
    ],
)  # fmt: skip
def test_wrong_texts_are_sentences(text: str, message: str) -> None:
    with pytest.raises(Error, match=message):
        LayerSpec.parse(text)


def test_equal_specs_have_equal_texts() -> None:
    def spec(kind: Any) -> LayerSpec:
        activation = Activation("situ", kind(1), kind(0), kind(7), kind(2), kind(3))
        return LayerSpec(8, 2, 64, 96, activation, scale=kind(2), activations="fp8",
                         activation_scale=kind(1))  # fmt: skip

    for kind in (int, np.float32, np.int64, np.float16):
        assert spec(kind) == spec(float)
        assert spec(kind).text() == spec(float).text()
    assert LayerSpec.parse(spec(int).text()).text() == spec(int).text()
    for name in ("alpha", "shift", "limit", "beta", "linear_beta"):
        for wrong in (True, "1", 1j, np.True_, [1.0]):
            with pytest.raises(Error, match=f"{name} .*must be a number"):
                Activation("situ", **{name: wrong})
        with pytest.raises(Error, match=f"{name} of an activation must be finite"):
            Activation("situ", **{name: 10**400})
    for name in ("alpha", "shift", "beta"):
        with pytest.raises(Error, match=f"{name} .*must be a number"):
            Activation("situ", **{name: None})


def test_an_activation_is_no_text() -> None:
    with pytest.raises(Error, match=r"activation must be an Activation, .* got 'relu2'"):
        LayerSpec(8, 2, 64, 64, activation="relu2")  # type: ignore[arg-type]


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
