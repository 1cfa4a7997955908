# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operators of torch for whole layers, on the CPU: registration, tracing, what they refuse."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

from layer_cases import Case  # noqa: E402
from mxfp4 import Error, PackedWeights, kernels, layer, torch_dispatch, torch_layer  # noqa: E402
from mxfp4.layer_bound import GIVEN  # noqa: E402
from mxfp4.layer_kernels import LayerKernels  # noqa: E402
from mxfp4.layer_spec import GPT_OSS, Activation, LayerSpec  # noqa: E402
from mxfp4.torch_op import from_numpy, to_numpy  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

SPEC = LayerSpec(8, 2, 64, 96, GPT_OSS, bias=True, correction=True, scoring="sigmoid", logits="f32")
T = 7


class Torch:
    """A layer's tensors in torch."""

    def __init__(self, rng: np.random.Generator, spec: LayerSpec = SPEC, tokens: int = T) -> None:
        self.case, self.text = Case(spec, tokens, rng), spec.text()
        own = {name: from_numpy(a) for name, a in self.case.own.items()}
        self.own = {"gate_up": from_numpy(np.array(self.case.gate_up.data)),
                    "down": from_numpy(np.array(self.case.down.data)), **own}  # fmt: skip
        self.x, self.logits = from_numpy(self.case.x), from_numpy(self.case.logits)
        shape = (tokens, spec.slots)
        self.ids = torch.from_numpy(
            np.array([rng.permutation(spec.experts)[: spec.slots] for _ in range(tokens)], np.int32)
        ).reshape(shape)
        self.weights = torch.from_numpy(rng.random(shape).astype(np.float32))
        self.given = {n: t for n, t in self.own.items() if n != "correction"}

    def moe(self, **changes: Any) -> Any:
        arguments = {"x": self.x, "logits": self.logits, **self.own,
                     "spec": self.text} | changes  # fmt: skip
        return torch.ops.mxfp4.moe(**arguments)

    def with_routing(self, **changes: Any) -> Any:
        arguments = {"x": self.x, "ids": self.ids, "weights": self.weights, **self.given,
                     "spec": self.text} | changes  # fmt: skip
        return torch.ops.mxfp4.moe_with_routing(**arguments)


@pytest.fixture
def data(rng: np.random.Generator) -> Torch:
    return Torch(rng)


def test_results_are_the_references(data: Torch) -> None:
    assert torch.equal(data.moe(), from_numpy(data.case.truth()))
    wanted = from_numpy(data.case.truth_of(data.ids.numpy(), data.weights.numpy()))
    assert torch.equal(data.with_routing(), wanted)
    assert torch.equal(data.with_routing(ids=data.ids.long(), some_absent=False), wanted)
    narrow = data.weights.bfloat16()
    assert torch.equal(data.with_routing(weights=narrow), data.with_routing(weights=narrow.float()))


def test_a_slot_without_an_expert_adds_nothing(data: Torch) -> None:
    ids, weights = data.ids.clone(), data.weights.clone()
    ids[:, 1] = -1
    weights[:, 1] = 0
    assert torch.equal(data.with_routing(ids=ids), data.with_routing(weights=weights))
    with pytest.raises(Error, match=r"ids has -1, .* some_absent=True"):
        data.with_routing(ids=ids, some_absent=False)
    ids[0, 0] = 8
    with pytest.raises(Error, match="ids must be from -1 to 7, got -1 to 8"):
        data.with_routing(ids=ids)


@pytest.mark.parametrize(
    "spec",
    [SPEC, LayerSpec(8, 2, 64, 96, Activation("relu2")), dataclasses.replace(SPEC, bias=False)],
)
def test_opcheck(rng: np.random.Generator, spec: LayerSpec) -> None:
    d = Torch(rng, spec)
    own = [d.own.get(n) for n in ("gate_up", "down", "gate_up_bias", "down_bias", "correction")]
    options = {"spec": spec.text()}
    found = torch.library.opcheck(torch_layer._moe, (d.x, d.logits, *own), options)
    assert set(found.values()) == {"SUCCESS"}
    arguments = (d.x, d.ids, d.weights, *own[:4])
    found = torch.library.opcheck(torch_layer._moe_with_routing, arguments, options)
    assert set(found.values()) == {"SUCCESS"}


def test_compiles_without_a_graph_break_and_once(rng: np.random.Generator) -> None:
    d = Torch(rng, tokens=11)
    compiled_graphs: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled_graphs.append(len(inputs))
        return graph.forward

    def block(x: Any, logits: Any, ids: Any, weights: Any) -> Any:
        y = d.moe(x=x * 2, logits=logits) + 1
        return d.with_routing(x=y, ids=ids, weights=weights)

    given = (d.x, d.logits, d.ids, d.weights)
    torch.compiler.reset()
    run = torch.compile(block, fullgraph=True, backend=backend, dynamic=True)
    for tokens in (11, 3, 5, 2):
        part = tuple(t[:tokens].clone() for t in given)
        assert torch.equal(run(*part), block(*part))
    assert len(compiled_graphs) == 1
    torch.compiler.reset()
    traced = torch.compile(block, fullgraph=True, backend="aot_eager", dynamic=True)
    assert torch.equal(traced(*given), block(*given))


def test_export(data: Torch) -> None:
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, tensor in data.own.items():
                self.register_buffer(name, tensor)

        def forward(self, x: Any, logits: Any) -> Any:
            own = dict(self.named_buffers())
            return torch.ops.mxfp4.moe(x, logits, **own, spec=SPEC.text())

    tokens = torch.export.Dim("tokens", min=2)
    sizes = {"x": {0: tokens}, "logits": {0: tokens}}
    exported = torch.export.export(Block(), (data.x, data.logits), dynamic_shapes=sizes)
    part = (data.x[:3], data.logits[:3])
    assert torch.equal(exported.module()(*part), Block()(*part))


def test_shapes_are_known_without_running(data: Torch) -> None:
    meta = {name: t.to("meta") for name, t in data.own.items()}
    y = torch.ops.mxfp4.moe(data.x.to("meta"), data.logits.to("meta"), **meta, spec=data.text)
    assert (y.shape, y.dtype, y.device.type) == ((T, 64), torch.bfloat16, "meta")


def test_views_and_no_tokens(data: Torch) -> None:
    wanted = data.moe()
    wide = torch.stack([data.x, data.x], dim=2)[:, :, 0]
    assert not wide.is_contiguous()
    assert torch.equal(data.moe(x=wide, logits=data.logits.T.contiguous().T), wanted)
    assert torch.equal(data.with_routing(ids=data.ids.T.contiguous().T), data.with_routing())
    assert data.moe(x=data.x[:0], logits=data.logits[:0]).shape == (0, 64)
    none = {"x": data.x[:0], "ids": data.ids[:0], "weights": data.weights[:0]}
    assert data.with_routing(**none).shape == (0, 64)


def test_there_is_no_gradient(data: Torch) -> None:
    x = data.x.clone().requires_grad_()
    for y in (data.moe(x=x), data.with_routing(x=x)):
        with pytest.raises(Error, match="no gradient: it is for inference"):
            y.float().sum().backward()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": torch.zeros(T, 64)}, r"x must be torch.bfloat16 \[T, 64\], got torch.float32 \[7, 64\]"),
    ({"x": torch.zeros(64).bfloat16()}, r"x must be torch.bfloat16 \[T, 64\]"),
    ({"x": torch.zeros(T, 96).bfloat16()}, r"x must be torch.bfloat16 \[T, 64\]"),
    ({"gate_up": torch.zeros(8, 3, 2, 2176, dtype=torch.uint8)},
     r"gate_up must be a contiguous torch.uint8 \[8, 3, 1, 2176\], got torch.uint8 \[8, 3, 2,"),
    ({"down": torch.zeros(8, 1, 2, 2176)}, "down must be a contiguous torch.uint8"),
    ({"down_bias": torch.zeros(8, 64)}, "down_bias must be a contiguous torch.bfloat16"),
    ({"down_bias": torch.zeros(64, 8).bfloat16().T}, r"down_bias .*not contiguous"),
    ({"gate_up_bias": None}, "this layer needs gate_up_bias"),
    ({"down": torch.zeros(8, 1, 2, 2176, dtype=torch.uint8, device="meta")},
     "down must be on cpu, as the other tensors, got meta"),
    ({"spec": "x"}, "the layer's text must be JSON"),
    ({"spec": dataclasses.replace(SPEC, bias=False).text()}, "this layer has no gate_up_bias"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "text"), WRONG)
def test_misfits_are_sentences(data: Torch, change: dict[str, Any], text: str) -> None:
    with pytest.raises(Error, match=text):
        data.moe(**change)
    with pytest.raises(Error, match=text):
        data.with_routing(**change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"logits": torch.zeros(T, 8).bfloat16()}, r"logits must be a contiguous torch.float32"),
        ({"logits": torch.zeros(T, 9)}, r"logits must be .* \[7, 8\], got torch.float32 \[7, 9\]"),
        ({"correction": torch.zeros(7)}, r"correction must be .* \[8\], got torch.float32 \[7\]"),
        ({"correction": None}, "this layer needs correction"),
    ],
)
def test_misfits_of_the_router(data: Torch, change: dict[str, Any], text: str) -> None:
    with pytest.raises(Error, match=text):
        data.moe(**change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ids": torch.zeros(T, 2)}, r"ids must be torch.int32 or torch.int64 \[7, 2\]"),
        ({"ids": torch.zeros(T, 3, dtype=torch.int32)}, r"ids must be .* \[7, 2\].*\[7, 3\]"),
        ({"weights": torch.zeros(T, 2).double()}, r"weights must be torch.float32 or"),
        ({"weights": torch.zeros(T, 2, device="meta")}, "weights must be on cpu, as x, got meta"),
    ],
)
def test_misfits_of_what_the_caller_brings(data: Torch, change: dict[str, Any], text: str) -> None:
    with pytest.raises(Error, match=text):
        data.with_routing(**change)


def test_cuda_launches_the_layers_kernels(data: Torch, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operators hand to a layer's launch on CUDA, on tensors of the CPU."""
    calls: list[tuple[Any, ...]] = []

    def run(bound: Any, source: Any, x: Any, out: Any, *given: int) -> Any:
        named = dict(zip(GIVEN[source], given, strict=False))
        calls.append((bound.of, source, bound.own | named))
        return out

    made = LayerKernels(SPEC)
    monkeypatch.setattr(torch_layer, "run", run)
    torch_layer._known.cache_clear()
    monkeypatch.setattr(torch_layer, "runner", lambda kernels, device: (kernels, device))
    monkeypatch.setattr(kernels, "layer_kernels", lambda spec: {SPEC: made}[spec])
    own = [data.own[n] for n in ("gate_up", "down", "gate_up_bias", "down_bias", "correction")]
    text = {"spec": SPEC.text()}
    y = torch_layer._cuda(data.x, data.logits, *own, **text)
    assert (y.shape, y.dtype) == (data.x.shape, torch.bfloat16)
    torch_layer._cuda_routing(data.x, data.ids, data.weights, *own[:4], **text)
    torch_layer._cuda_routing(data.x, data.ids, data.weights, *own[:4], **text, some_absent=False)
    torch_layer._known.cache_clear()
    assert [source for _, source, _ in calls] == ["logits", "some ids", "ids"]
    assert all(of[0] is made for of, _, _ in calls)
    assert calls[0][2] == {n: t.data_ptr() for n, t in data.own.items()} | {
        "logits": data.logits.data_ptr()
    }
    assert calls[1][2] == {n: t.data_ptr() for n, t in data.given.items()} | {
        "given_ids": data.ids.data_ptr(), "gates": data.weights.data_ptr()
    }  # fmt: skip


def test_the_dispatcher_is_left_out_where_nothing_needs_it(
    data: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [data.own[n] for n in ("gate_up", "down", "gate_up_bias", "down_bias", "correction")]
    wanted = data.moe()
    assert torch.equal(torch_layer.moe(data.x, data.logits, *own, spec=data.text), wanted)
    called: list[str] = []
    monkeypatch.setattr(torch_layer, "_cuda", lambda *a, **o: called.append("moe"))
    monkeypatch.setattr(torch_layer, "_cuda_routing", lambda *a, **o: called.append("routing"))
    monkeypatch.setattr(torch_dispatch, "_is_on_cuda", lambda tensor: True)
    torch_layer.moe(data.x, data.logits, *own, spec=data.text)
    routing = (data.x, data.ids, data.weights, *own[:4])
    torch_layer.moe_with_routing(*routing, spec=data.text)
    assert called == ["moe", "routing"]
    # A gradient is recorded, a mode listens, a compiler traces: torch must see the operator.
    x = data.x.clone().requires_grad_()
    assert torch_layer.moe(x, data.logits, *own, spec=data.text).requires_grad
    with torch.no_grad():
        torch_layer.moe(x, data.logits, *own, spec=data.text)
    assert len(called) == 3
    with FlopCounterMode(display=False):
        assert torch.equal(torch_layer.moe(data.x, data.logits, *own, spec=data.text), wanted)
    run = torch.compile(
        lambda x: torch_layer.moe(x, data.logits, *own, spec=data.text),
        fullgraph=True, backend="aot_eager",
    )  # fmt: skip
    assert torch.equal(run(data.x), wanted)
    assert len(called) == 3


def test_results_are_allocated_without_the_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function of the CPU that is the sibling of CUDA's."""
    sibling, devices = torch._C._dynamo.guards._empty_strided_cpu, [0, 1, -1]
    made: list[Any] = []
    monkeypatch.setattr(torch_layer, "_empty_strided", lambda *a: made.append(a) or sibling(*a))
    monkeypatch.setattr(torch_layer, "_current_device", lambda: 0)
    x = torch.zeros(3, 64).bfloat16()
    for device in devices:
        monkeypatch.setattr(torch.Tensor, "get_device", lambda self, device=device: device)
        y = torch_layer._like(x)
        assert (y.shape, y.dtype, y.is_contiguous()) == (x.shape, x.dtype, True)
    assert made == [((3, 64), (64, 1), torch.bfloat16)]


def test_the_operator_spares_the_second_dispatch_on_cuda(
    data: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dispatched to first on CUDA, called with tensors of the CPU."""
    own = [data.own[n] for n in ("gate_up", "down", "gate_up_bias", "down_bias", "correction")]
    wanted, called = data.moe(), []
    kernel = torch_dispatch.autograd_of(
        torch_layer._moe, lambda *a, **o: called.append(o), "mxfp4.moe"
    )
    monkeypatch.setattr(torch_dispatch, "_is_on_cuda", lambda tensor: True)
    kernel(data.x, data.logits, *own, spec=data.text)
    assert called == [{"spec": data.text}]
    with FlopCounterMode(display=False):
        y = kernel(data.x, data.logits, *own, spec=data.text)
    assert torch.equal(y, wanted)
    x = data.x.clone().requires_grad_()
    y = kernel(x, data.logits, *own, spec=data.text)
    assert torch.equal(y, wanted)
    with pytest.raises(Error, match="has no gradient"):
        y.sum().backward()
    assert len(called) == 1
    with torch.no_grad():
        kernel(x, data.logits, *own, spec=data.text)
    assert len(called) == 2


def test_a_layer_takes_what_fits(data: Torch) -> None:
    kernels_of = LayerKernels(SPEC)
    case = data.case
    with pytest.raises(Error, match=r"must be on a CUDA device, got cpu; use weights\.to_dev"):
        layer.Layer(kernels_of, case.gate_up, case.down)
    on_cpu = [w.to_device("cpu") for w in (case.gate_up, case.down)]
    with pytest.raises(Error, match="must be on a CUDA device, got cpu"):
        layer.Layer(kernels_of, *on_cpu)
    with pytest.raises(Error, match=r"gate_up must have shape \[8, 192, 64\], got \[8, 64, 96\]"):
        layer.Layer(kernels_of, case.down, case.down)
    other = PackedWeights(case.gate_up.data, 192, 64, layer.Layout("nibble", "raw"),
                          case.gate_up.proof)  # fmt: skip
    with pytest.raises(Error, match="gate_up must be packed as"):
        layer.Layer(kernels_of, other, case.down)
    apart = dataclasses.replace(case.gate_up, rows="gate, then up")
    with pytest.raises(Error, match=r'rows of gate_up must be "gate, up interleaved" .* which pack'
                       r'\(gate_up="apart"\) makes of it, got "gate, then up"'):  # fmt: skip
        layer.Layer(kernels_of, apart, case.down)
    mixed = dataclasses.replace(case.down, rows="gate, up interleaved")
    with pytest.raises(
        Error, match=r"rows of down must be neither gate nor up .*, got .*interleav"
    ):
        layer.Layer(kernels_of, case.gate_up, mixed)
    flat = LayerKernels(dataclasses.replace(SPEC, inner=192, activation=Activation("relu2")))
    with pytest.raises(Error, match=r"gate_up must be neither gate nor up"):
        layer.Layer(flat, dataclasses.replace(case.gate_up, rows="gate, up interleaved"),
                    case.gate_up)  # fmt: skip
    with pytest.raises(Error, match="a layer needs its kernels or its spec"):
        layer.Layer(None, case.gate_up, case.down)


def test_arrays_are_shared_with_the_reference(data: Torch) -> None:
    known = torch_layer._Known(data.text)
    arrays = torch_layer._arrays(known, [data.own.get(shape[0]) for shape in known.shapes])
    assert arrays["gate_up"].data.ctypes.data == data.own["gate_up"].data_ptr()
    assert np.array_equal(arrays["down"].decode(3), data.case.down.decode(3))
    assert np.array_equal(arrays["correction"], to_numpy(data.own["correction"]))
