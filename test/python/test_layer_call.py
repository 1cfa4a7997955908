# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of a layer on torch's tensors, whose memory is the interpreter's in place of a GPU's."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

from driver_memory import file  # noqa: E402
from kernels import needs_both  # noqa: E402
from layer_cases import SMALL, Case, check_close, lazy  # noqa: E402
from mxfp4 import Error, kernels, lasting, layer, layer_bound, torch_layer  # noqa: E402
from mxfp4._runtime_library import NativeDriver  # noqa: E402
from mxfp4._sim_cuda import Memory  # noqa: E402
from mxfp4.chain import Prepared  # noqa: E402
from mxfp4.formats import bfloat16  # noqa: E402
from mxfp4.layer import Layer  # noqa: E402
from mxfp4.layer_kernels import LayerKernels  # noqa: E402
from mxfp4.layer_plan import LayerRunner, check_kernels  # noqa: E402
from mxfp4.layer_spec import PRESETS, LayerSpec  # noqa: E402
from mxfp4.torch_op import from_numpy, to_numpy  # noqa: E402

__all__ = ["file"]  # a fixture
pytestmark = needs_both
SPEC = dataclasses.replace(SMALL, bias=True, correction=True, scoring="sigmoid", logits="f32")
_DTYPES = {torch.uint8: np.uint8, torch.bfloat16: bfloat16, torch.float32: np.float32}


class Device:
    """A device of which torch knows nothing: tensors of the CPU in the interpreter's memory."""

    def __init__(self, memory: Memory, driver: NativeDriver) -> None:
        self.memory, self.driver = memory, driver
        self.runners: dict[int, LayerRunner] = {}
        self.grown: list[int] = []

    def put(self, array: np.ndarray) -> Any:
        """A tensor with these values."""
        return from_numpy(self.memory.copy(np.ascontiguousarray(array)))

    def empty(self, *shape: Any, dtype: Any, device: Any) -> Any:
        """As torch.empty, without values."""
        if 0 in shape:
            return torch.zeros(shape, dtype=dtype)
        return from_numpy(self.memory.array(tuple(shape), _DTYPES[dtype]))

    def empty_like(self, tensor: Any) -> Any:
        return self.empty(*tensor.shape, dtype=tensor.dtype, device=None)

    def runner(self, of: LayerKernels, device: Any) -> LayerRunner:
        return self.runners.setdefault(id(of), LayerRunner(of, 0, self.driver))


@pytest.fixture
def device(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    with Memory(file) as memory:
        made = Device(memory, NativeDriver(str(file)))
        count = 256
        addresses = {"counting": made.put(np.arange(count, dtype=np.int32)).data_ptr()}
        grown: list[int] = []
        constants = SimpleNamespace(count=count, addresses=addresses, grow=grown.append)
        monkeypatch.setattr(layer, "_constants", lambda index: constants)
        monkeypatch.setattr(layer, "_device_of", lambda weights: weights.data.device)
        monkeypatch.setattr(layer, "_current_stream", lambda index: 0)
        monkeypatch.setattr(kernels, "layer_kernels", lazy)
        for module in (layer, torch_layer):
            monkeypatch.setattr(module, "runner", made.runner)
        monkeypatch.setattr(torch, "empty", made.empty)
        monkeypatch.setattr(
            layer_bound, "lasting", lambda _, size: made.empty(size, dtype=torch.uint8, device=None)
        )
        monkeypatch.setattr(torch, "empty_like", made.empty_like)
        made.grown = grown
        for cache in (torch_layer._known, layer_bound.kept):
            cache.cache_clear()
        yield made
        for cache in (torch_layer._known, layer_bound.kept):
            cache.cache_clear()


class Given:
    """A case on a device."""

    def __init__(self, device: Device, spec: LayerSpec, tokens: int, seed: int = 5) -> None:
        rng = np.random.default_rng(seed)
        self.case, self.spec = Case(spec, tokens, rng), spec
        self.gate_up = dataclasses.replace(
            self.case.gate_up, data=device.put(self.case.gate_up.data)
        )
        self.down = dataclasses.replace(self.case.down, data=device.put(self.case.down.data))
        self.own = {name: device.put(a) for name, a in self.case.own.items()}
        self.x, self.logits = device.put(self.case.x), device.put(self.case.logits)
        ids = np.array([rng.permutation(spec.experts)[: spec.slots] for _ in range(tokens)])
        self.ids = device.put(ids.astype(np.int32).reshape(tokens, spec.slots))
        self.weights = device.put(rng.random((tokens, spec.slots)).astype(np.float32))

    def layer(self) -> Layer:
        return Layer(None, self.gate_up, self.down, **self.own, spec=self.spec)

    def tensors(self) -> list[Any]:
        names = ("gate_up_bias", "down_bias", "correction")
        return [self.gate_up.data, self.down.data, *(self.own.get(name) for name in names)]


@pytest.mark.parametrize("tokens", [1, 5, 20, 70])
def test_a_layer_is_called(device: Device, tokens: int) -> None:
    given = Given(device, SPEC, tokens)
    called = given.layer()
    y = called(given.x, given.logits)
    check_close(to_numpy(y), given.case.truth())
    out = device.empty_like(y)
    assert called(given.x, given.logits, out) is out
    assert torch.equal(out, y), "equal calls give equal bits"
    wanted = given.case.truth_of(to_numpy(given.ids), to_numpy(given.weights))
    for absent in (True, False):
        y = called.with_routing(given.x, given.ids, given.weights, some_absent=absent)
        check_close(to_numpy(y), wanted)
    called.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt-oss-20b", "deepseek-v4-flash", "kimi-k3"])
@pytest.mark.parametrize("tokens", [2, 9])
def test_the_operators_agree_on_the_gpu_and_the_cpu(device: Device, name: str, tokens: int) -> None:
    spec = dataclasses.replace(PRESETS[name], experts=16, hidden=64, inner=64)
    given = Given(device, spec, tokens)
    own, text = given.tensors(), spec.text()
    y = torch_layer._cuda(given.x, given.logits, *own, spec=text)
    check_close(to_numpy(y), to_numpy(torch_layer._cpu(given.x, given.logits, *own, spec=text)))
    ids = given.ids.clone()
    ids[0, 1] = ids[-1, 0] = -1
    routing = (device.put(to_numpy(ids)), given.weights)
    y = torch_layer._cuda_routing(given.x, *routing, *own[:4], spec=text)
    wanted = torch_layer._cpu_routing(given.x, *routing, *own[:4], spec=text)
    check_close(to_numpy(y), to_numpy(wanted))
    device.runner(kernels.layer_kernels(spec), 0).check()


def test_no_tokens_launch_nothing(device: Device) -> None:
    given = Given(device, SPEC, 1)
    called = given.layer()
    assert called(given.x[:0], given.logits[:0]).shape == (0, SPEC.hidden)
    none = given.ids[:0], given.weights[:0]
    assert called.with_routing(given.x[:0], *none).shape == (0, SPEC.hidden)
    assert not device.runner(lazy(SPEC), 0).loaded


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": torch.zeros(64).bfloat16()}, r"x must be a torch tensor \[T, 64\], got \[64\]"),
        ({"x": np.zeros((2, 64))}, r"x must be a torch tensor \[T, 64\], got \[2, 64\]"),
        ({"x": None}, r"x must be a torch tensor \[T, 64\], got NoneType"),
        ({"x": torch.zeros(2, 64)}, r"x must be a contiguous torch.bfloat16 .*, got torch.f"),
        ({"x": torch.zeros(64, 2).bfloat16().T}, r"x must be .*\[2, 64\], not contiguous"),
        ({"x": torch.zeros(2, 64, device="meta").bfloat16()}, "x must be on cpu, as the other ten"),
        ({"x": torch.zeros(2, 64).bfloat16().requires_grad_()}, "a layer has no gradient"),
        ({"logits": torch.zeros(3, 8)}, r"logits must be .* \[2, 8\], got torch.float32 \[3, 8\]"),
        ({"logits": torch.zeros(2, 8).bfloat16()}, r"logits must be .*float32 .*got torch.bf"),
        ({"logits": np.zeros((2, 8))}, "logits must be a torch tensor, got ndarray"),
        ({"out": torch.zeros(2, 96).bfloat16()}, r"out must be .* \[2, 64\], got .* \[2, 96\]"),
    ],
)  # fmt: skip
def test_misfits_are_sentences(device: Device, change: dict[str, Any], text: str) -> None:
    given = Given(device, SPEC, 2)
    arguments = {"x": given.x, "logits": given.logits} | change
    with pytest.raises(Error, match=text):
        given.layer()(**arguments)


def test_misfits_of_what_the_caller_brings(device: Device) -> None:
    given = Given(device, SPEC, 2)
    called = given.layer()
    with pytest.raises(Error, match=r"ids must be a contiguous torch.int32 .*, got torch.int64"):
        called.with_routing(given.x, given.ids.long(), given.weights)
    with pytest.raises(Error, match=r"weights must be a contiguous torch.float32 \[2, 2\]"):
        called.with_routing(given.x, given.ids, given.weights[:1])
    with pytest.raises(Error, match="this layer needs correction"):
        Layer(None, given.gate_up, given.down, given.own["gate_up_bias"], given.own["down_bias"],
              spec=SPEC)  # fmt: skip


def test_an_address_that_a_kernel_cannot_take_launches_nothing(device: Device) -> None:
    given = Given(device, SPEC, 2)
    odd = from_numpy(device.memory.array((2 * 64 + 1,), bfloat16))[1:].view(2, 64)
    odd.copy_(given.x)
    with pytest.raises(Error, match="align"):
        given.layer()(odd, given.logits)


def test_nothing_is_loaded_while_a_graph_is_captured(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "capturing", lambda: True)
    spec = dataclasses.replace(SMALL, inner=32)
    made = LayerRunner(
        LayerKernels(spec, lazy=True), 0, NativeDriver(str(file)),
        before_loading=lambda: layer._refuse_in_capture("its kernels are", 0),
    )  # fmt: skip
    with pytest.raises(Error, match=r"not ready on cuda:0 for this many tokens, because its"):
        made.plan(3)
    assert not made.kernels.count(), "nor compiled"
    constants = layer._Constants(0)
    with pytest.raises(Error, match="because its constants are not"):
        constants.grow(1)
    monkeypatch.setattr(kernels, "capturing", lambda: False)
    made.plan(3)
    monkeypatch.setattr(kernels, "capturing", lambda: True)
    assert made.plan(3).rows == [3, 6, 6, 3]
    assert made.plan(2).rows == [2, 4, 4, 2], "another number of tokens on the same kernels"


def test_a_second_call_takes_other_tensors(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays in place is right for tensors elsewhere, and for all sources."""
    given, plans = Given(device, SPEC, 5), []
    called = given.layer()
    called(given.x, given.logits)
    plan = called._bound.of.plan
    monkeypatch.setattr(called._bound.of, "plan", lambda *a: plans.append(a) or plan(*a))
    other = Case(SPEC, 5, np.random.default_rng(9))
    other.gate_up, other.down, other.own = given.case.gate_up, given.case.down, given.case.own
    x, logits = device.put(other.x), device.put(other.logits)
    check_close(to_numpy(called(x, logits)), other.truth())
    assert not plans, "the first call has put everything in place"
    wanted = given.case.truth_of(to_numpy(given.ids), to_numpy(given.weights))
    for _ in range(2):
        y = called.with_routing(given.x, given.ids, given.weights)
        check_close(to_numpy(y), wanted)
        check_close(to_numpy(called(given.x, given.logits)), given.case.truth())
    assert plans == [(5, "some ids")]


def test_a_repeated_call_takes_few_steps(device: Device) -> None:
    """Each function of Python costs the host a twentieth of a launch."""
    given = Given(device, SPEC, 5)
    own, text, entered = given.tensors(), SPEC.text(), []

    def call() -> Any:
        return torch_layer._cuda(given.x, given.logits, *own, spec=text)

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and "mxfp4" in frame.f_globals["__name__"]:
            entered.append(frame.f_code.co_name)

    wanted = call()
    sys.setprofile(note)
    try:
        y = call()
    finally:
        sys.setprofile(None)
    assert torch.equal(y, wanted)
    made = ["_checked_input", "weights", "are", "_like", "run", "launch", "__call__"]
    assert [name for name in entered if name in made] == made
    assert len([name for name in entered if not name.startswith("<")]) <= 12, entered


def test_memory_between_kernels(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept for each stream, but neither for large calls nor for graphs."""
    given, made = Given(device, SPEC, 5), []
    called, empty, kept = given.layer(), torch.empty, []
    lasting = layer_bound.lasting
    monkeypatch.setattr(torch, "empty", lambda *s, **k: made.append(s) or empty(*s, **k))
    monkeypatch.setattr(layer_bound, "lasting", lambda *a: kept.append(a) or lasting(*a))
    size = called._bound.of.plan(5, "logits").bytes
    for stream in (0, 7, 0, 7):
        monkeypatch.setattr(layer, "_current_stream", lambda index, stream=stream: stream)
        called(given.x, given.logits)
    assert kept == [(0, layer_bound.KEPT_BYTES)] * 2
    assert not made, "what is kept is not of torch's pools"
    # The library launches nothing of what is kept on a stream that is captured.
    with monkeypatch.context() as captured:
        captured.setattr(Prepared, "__call__", lambda *a: False)
        check_close(to_numpy(called(given.x, given.logits)), given.case.truth())
    assert made == [(size,)]
    with monkeypatch.context() as captured:
        captured.setattr(kernels, "capturing", lambda: True)
        captured.setattr(layer, "_current_stream", lambda index: 9)
        called(given.x, given.logits)
    assert made[1:] == [(size,)]
    for name, most in (("KEPT_BYTES", size - 1), ("_MOST_STREAMS", 2)):
        monkeypatch.setattr(layer_bound, name, most)
        monkeypatch.setattr(layer, "_current_stream", lambda index, name=name: len(name))
        y = called(given.x, given.logits)
        check_close(to_numpy(y), given.case.truth())
    assert made[2:] == [(size,)] * 2


def test_tensors_of_an_operator_are_checked_again_when_they_change(device: Device) -> None:
    given = Given(device, SPEC, 2)
    own, text = given.tensors(), SPEC.text()

    def call() -> Any:
        return torch_layer._cuda(given.x, given.logits, *own, spec=text)

    def weights() -> Any:
        # No powers of rows in front of the correction.
        arranged = (*own[:4], None, None, own[4] if len(own) > 4 else None)
        return torch_layer._known(text).weights(arranged, given.x.device)

    call()
    first = weights()
    call()
    assert weights() is first
    own[2] = device.put(given.case.own["gate_up_bias"] * 0)
    call()
    assert weights() is not first
    kept = own[3]
    own[3] = None
    with pytest.raises(Error, match="needs down_bias"):
        call()
    own[3] = kept
    kept.data = kept.data[:, :-1]
    kept.data = device.put(np.zeros((3, 3), bfloat16))
    with pytest.raises(Error, match="down_bias must be a contiguous"):
        call()


def test_all_kernels_are_made_ready_ahead(device: Device) -> None:
    of = device.runner(lazy(SMALL), 0)
    found = layer.prepare(of, 70)
    count = of.kernels.count()
    loaded = len(found)
    for tokens in range(1, 71):
        of.plan(tokens)
    assert (of.kernels.count(), len(of.loaded)) == (count, loaded)
    assert device.grown == [140]


def test_memory_that_lasts_is_the_drivers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not torch's, whose pools come and go."""
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    found = {lasting.allocate(0, 1 << 20, str(file)) for _ in range(3)}
    assert len(found) == 3
    assert 0 not in found
    with pytest.raises(Error, match=r"gave no 16 bytes on device 99: error \d+"):
        lasting.allocate(99, 16, str(file))
    with pytest.raises(Error, match="cannot be loaded"):
        lasting.allocate(0, 16, "/no/such/driver.so")


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (1, r"k: offsets do not rise from 0 to the number of rows \(.*\)\."),
        (2, r"k: an expert id is not the number of an expert\."),
        (4, r"k: a row or a position does not exist\."),
        (6, r"k: an expert id .* of an expert; a row or a position does not exist\."),
    ],
)
def test_each_bit_of_an_error_word_has_a_sentence(word: int, sentence: str) -> None:
    good = SimpleNamespace(
        devices=[0], manifest=SimpleNamespace(entry="other"), error_word=lambda device: 0
    )
    wrong = SimpleNamespace(
        devices=[0, 1],
        manifest=SimpleNamespace(entry="k"),
        error_word=lambda device: word * device,
    )
    check_kernels([good])
    with pytest.raises(Error, match=f"^{sentence}$"):
        check_kernels([good, wrong])
