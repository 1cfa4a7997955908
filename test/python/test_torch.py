# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The torch operator, on the CPU: registration, tracing, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import exact_activations, random_weights, split
from mxfp4.layout import pack_expert

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

import mxfp4  # noqa: E402
from mxfp4 import Error, GroupedLinear, torch_op, torch_pack  # noqa: E402
from mxfp4.torch_op import from_numpy, to_numpy  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from torch_data import Data, E, K, N, R, data  # noqa: E402

__all__ = ["data"]  # a fixture


@pytest.mark.parametrize("ids", [None, [2, -1, 0, 1, 2]])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_results_are_the_references(rng: np.random.Generator, ids: Any, dtype: Any) -> None:
    d = Data(rng, ids)
    name = {torch.bfloat16: mxfp4.formats.bfloat16, torch.float32: np.float32}[dtype]
    y = mxfp4.grouped_matmul(d.tx, d.weights, d.toffsets, d.tids, dtype)
    assert y.dtype == dtype
    assert torch.equal(y, d.truth(name))
    out = torch.empty_like(y)
    assert mxfp4.grouped_matmul(d.tx, d.weights, d.toffsets, d.tids, out=out) is out
    assert torch.equal(out, y)


@pytest.mark.parametrize("ids", [None, [2, -1, 0, 1, 2]])
def test_opcheck(rng: np.random.Generator, ids: Any) -> None:
    d = Data(rng, ids)
    operator = torch.ops.mxfp4.grouped_matmul.default
    found = torch.library.opcheck(operator, d.arguments(), d.options())
    assert set(found.values()) == {"SUCCESS"}
    options = {**d.options(), "out_dtype": torch.float32}
    assert set(torch.library.opcheck(operator, d.arguments(), options).values()) == {"SUCCESS"}


def test_compiles_without_a_graph_break(data: Data) -> None:
    # All of torch.compile but inductor's code, which needs a C++ compiler that torch accepts.
    def layer(x: Any, offsets: Any) -> Any:
        return mxfp4.grouped_matmul(x * 2, data.weights, offsets) + 1

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    assert torch.equal(compiled(data.tx, data.toffsets), layer(data.tx, data.toffsets))
    few = torch.tensor([0, 2, 2, 5], dtype=torch.int32)
    assert torch.equal(compiled(data.tx[:5], few), layer(data.tx[:5], few))
    none = torch.zeros(4, dtype=torch.int32)
    assert compiled(data.tx[:0], none).shape == (0, N)


def test_shapes_are_known_without_running(data: Data) -> None:
    x, weights, offsets, _ = (t if t is None else t.to("meta") for t in data.arguments())
    y = torch.ops.mxfp4.grouped_matmul(x, weights, offsets, **data.options())
    assert (y.shape, y.dtype, y.device.type) == ((R, N), torch.bfloat16, "meta")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": torch.zeros(R, K)}, r"x must be bfloat16 \[R, K\], got torch.float32 \[11, 96\]"),
        ({"x": torch.zeros(K).bfloat16()}, r"x must be bfloat16 \[R, K\]"),
        ({"x": torch.zeros(R, 33).bfloat16()}, "K must be a positive multiple of 32"),
        ({"x": torch.zeros(R, 160).bfloat16()},
         r"N = 70, for x with K = 160, must be uint8 \[E, 2, 3, 2176\], got torch.uint8 \[3, 2, 2"),
        ({"n": 64}, r"must be uint8 \[E, 1, 2, 2176\]"),
        ({"offsets": torch.zeros(3, dtype=torch.int32)}, r"offsets must be int32 \[4\]"),
        ({"offsets": torch.zeros(4, dtype=torch.int64)}, r"offsets must be int32 \[4\]"),
        ({"expert_ids": torch.zeros(2, dtype=torch.int64)}, r"expert_ids must be int32 \[2\]"),
        ({"expert_ids": torch.zeros(2, dtype=torch.int32)}, r"offsets must be int32 \[3\]"),
        ({"offsets": torch.zeros(4, dtype=torch.int32, device="meta")},
         "offsets must be on cpu, where x is, got meta"),
        ({"order": "other"}, "layout order must be one of"),
        ({"scales": "other"}, "layout scales must be one of"),
        ({"out_dtype": torch.float16}, r"dtype must be bfloat16 or float32, got torch\.float16"),
        ({"offsets": torch.tensor([0, 3, 2, R], dtype=torch.int32)}, "offsets must not decrease"),
    ],
)  # fmt: skip
def test_misfits_are_sentences(data: Data, change: dict[str, Any], text: str) -> None:
    given = dict(zip(("x", "weights", "offsets", "expert_ids"), data.arguments(), strict=True))
    given |= data.options() | change
    with pytest.raises(Error, match=text):
        torch.ops.mxfp4.grouped_matmul(**given)
    if "decrease" not in text and "meta" not in text:  # all else is known before the run
        meta = {k: v.to("meta") if isinstance(v, torch.Tensor) else v for k, v in given.items()}
        with pytest.raises(Error, match=text):
            torch.ops.mxfp4.grouped_matmul(**meta)


def test_weights_must_be_torch_too(data: Data) -> None:
    with pytest.raises(Error, match=r"the weights are not; use weights\.to_device"):
        mxfp4.grouped_matmul(data.tx, mxfp4.pack(*data.raw), data.toffsets)


def test_numpy_rows_take_weights_of_torch_on_the_cpu(data: Data) -> None:
    y = mxfp4.grouped_matmul(data.x, data.weights, data.offsets)
    assert torch.equal(from_numpy(y), data.truth())


def test_there_is_no_gradient(data: Data) -> None:
    x = data.tx.clone().requires_grad_()
    y = mxfp4.grouped_matmul(x, data.weights, data.toffsets)
    with pytest.raises(Error, match="has no gradient: it is for inference"):
        y.sum().backward()


def test_views_and_strides(data: Data) -> None:
    wide = torch.zeros(R, 2 * K).bfloat16()
    wide[:, ::2] = data.tx
    y = mxfp4.grouped_matmul(wide[:, ::2], data.weights, data.toffsets)
    assert torch.equal(y, data.truth())
    assert np.shares_memory(to_numpy(y), to_numpy(y[:]))


def test_cuda_launches_the_kernel_of_its_rows(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    # No GPU: the implementation is called as the dispatcher would.
    def kernel_for(*asked: Any) -> Any:
        return lambda x, weights, offsets, expert_ids: (asked, weights, expert_ids)

    monkeypatch.setattr(torch_op, "kernel_for", kernel_for)
    asked, weights, ids = torch_op._cuda(*data.arguments(), **data.options())
    assert asked == (mxfp4.Problem(E, N, K, layout=data.weights.layout), R, None)
    assert (weights.shape, weights.layout, ids) == ((E, N, K), data.weights.layout, None)
    asked, _, _ = torch_op._cuda(*data.arguments(), **data.options(), batch_invariant=True)
    assert asked[0] == mxfp4.Problem(E, N, K, layout=data.weights.layout, batch_invariant=True)


RAGGED = [(5, 11), (3, 4), (9, 11), (2, 30), (7, 7), (17, 2), (4, 50)]


def test_a_module_of_one_order_of_sums(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = Data(rng)
    asked: list[Any] = []

    def operator(x: Any, *_: Any, **options: Any) -> Any:
        asked.append(options["batch_invariant"])
        return x

    monkeypatch.setattr(torch_op, "_operator", operator)
    for module in (GroupedLinear(d.weights), GroupedLinear(d.weights, batch_invariant=True)):
        module(d.tx, d.toffsets)
        assert ("batch_invariant" in repr(module)) == asked[-1]
    assert asked == [False, True]


def test_a_module_takes_tensors_alone(rng: np.random.Generator) -> None:
    d = Data(rng)
    module = GroupedLinear(d.weights)
    with pytest.raises(Error, match=r"x must be a torch tensor, got ndarray; use torch\.as_tensor"):
        module(d.tx.float().numpy(), d.toffsets)
    with pytest.raises(Error, match="x must be a torch tensor, got NoneType"):
        module(None, d.toffsets)
    with pytest.raises(Error, match="offsets must be a torch tensor, got list"):
        module(d.tx, [0, 3, 8])
    with pytest.raises(Error, match="expert_ids must be a torch tensor, got tuple"):
        module(d.tx, d.toffsets, (0, 1))
    assert torch.fx.symbolic_trace(module) is not None


@pytest.mark.parametrize(("dynamic", "most"), [(None, 2), (True, 1)])
@pytest.mark.parametrize("with_ids", [True, False])
def test_other_numbers_of_groups_and_rows_compile_nothing_anew(
    rng: np.random.Generator, dynamic: bool | None, most: int, with_ids: bool
) -> None:
    """The first call may find numbers, the second generalises; after it nothing is compiled."""
    d = Data(rng)
    module = GroupedLinear(d.weights)
    compiled: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(len(inputs))
        return graph.forward

    def layer(x: Any, offsets: Any, ids: Any) -> Any:
        return module(x * 2, offsets, ids) + mxfp4.grouped_matmul(x, d.weights, offsets, ids)

    torch.compiler.reset()
    run = torch.compile(layer, fullgraph=True, backend=backend, dynamic=dynamic)
    for groups, rows in RAGGED:
        groups = groups if with_ids else E
        x = from_numpy(exact_activations(rng, rows, K))
        offsets = from_numpy(split(rng, rows, groups))
        ids = torch.randint(-1, E, (groups,), dtype=torch.int32) if with_ids else None
        assert torch.equal(run(x, offsets, ids), layer(x, offsets, ids))
    assert len(compiled) <= most, compiled
    torch.compiler.reset()


def test_shapes_are_symbols_to_a_tracer(rng: np.random.Generator) -> None:
    """Exported with dynamic sizes, which fails if any of them is made a number."""
    d = Data(rng, [2, -1, 0, 1, 2])

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = GroupedLinear(d.weights)

        def forward(self, x: Any, offsets: Any, ids: Any) -> Any:
            return self.experts(x, offsets, ids)

    rows, groups = torch.export.Dim("rows", min=2), torch.export.Dim("groups", min=2)
    sizes = {"x": {0: rows}, "offsets": {0: groups + 1}, "ids": {0: groups}}
    exported = torch.export.export(Layer(), (d.tx, d.toffsets, d.tids), dynamic_shapes=sizes)
    other = Data(rng, [1, 2])
    y = exported.module()(other.tx[:4], torch.tensor([0, 3, 4], dtype=torch.int32), other.tids)
    assert torch.equal(y, Layer()(other.tx[:4], torch.tensor([0, 3, 4], dtype=torch.int32),
                                  other.tids))  # fmt: skip


@pytest.mark.parametrize("out", [False, True])
def test_no_groups_give_no_rows(data: Data, out: bool) -> None:
    x, offsets, ids = data.tx[:0], torch.zeros(1, dtype=torch.int32), data.toffsets[:0]
    there = torch.empty(0, N, dtype=torch.bfloat16) if out else None
    y = mxfp4.grouped_matmul(x, data.weights, offsets, ids, out=there)
    assert (y.shape, y.dtype) == ((0, N), torch.bfloat16)
    assert GroupedLinear(data.weights)(x, offsets, ids).shape == (0, N)
    with pytest.raises(Error, match="offsets must end at the number of rows, 11, got 0"):
        mxfp4.grouped_matmul(data.tx, data.weights, offsets, ids)


def test_no_rows_need_no_kernel_on_a_gpu(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    # No GPU: the implementation is called as the dispatcher would.
    def kernel_for(*asked: Any) -> Any:
        raise AssertionError(f"a kernel was asked for: {asked}")

    monkeypatch.setattr(torch_op, "kernel_for", kernel_for)
    none, ids = torch.zeros(4, dtype=torch.int32), data.toffsets[:0]
    x, weights, options = data.tx, data.weights.data, data.options()
    assert torch_op._cuda(x[:0], weights, none, **options).shape == (0, N)
    y = torch_op._cuda(x[:0], weights, none[:1], ids, out_dtype=torch.float32, **options)
    assert (y.shape, y.dtype) == ((0, N), torch.float32)
    with pytest.raises(Error, match="there are no groups, so x must have no rows, got 11"):
        torch_op._cuda(x, weights, none[:1], ids, **options)


@pytest.mark.parametrize("layout", ["auto", "fp8"])
def test_activations_must_be_dense(data: Data, layout: str) -> None:
    """A sentence ahead of the operator, because a plain call on a GPU spares it."""
    weights = mxfp4.pack(*data.raw, layout).to_device("cpu")
    with pytest.raises(Error, match=r"x must be dense, got layout torch\.sparse_coo; pass x\.to_d"):
        mxfp4.grouped_matmul(data.tx.to_sparse(), weights, data.toffsets)


@pytest.mark.parametrize("name", ["offsets", "ids"])
def test_indices_must_be_torch_too(rng: np.random.Generator, name: str) -> None:
    d = Data(rng, [2, -1, 0, 1, 2])
    offsets, ids = (d.offsets, d.tids) if name == "offsets" else (d.toffsets, d.ids)
    with pytest.raises(Error, match=r"must be a torch tensor, as x is, got ndarray; use torch\.as"):
        mxfp4.grouped_matmul(d.tx, d.weights, offsets, ids)


def test_the_repr_of_weights_is_a_line(data: Data) -> None:
    packed = mxfp4.pack(*data.raw)
    start = "PackedWeights(E=3, N=70, K=96, fragment_major(order=spread, scales=folded), scales 12"
    assert repr(packed).startswith(start)
    assert repr(packed).endswith(", 0.0 MB in a numpy.ndarray)")
    assert repr(data.weights).endswith(", 0.0 MB in a torch.Tensor on cpu)")


@pytest.mark.parametrize(("n", "k"), [(1, 32), (64, 128), (70, 160), (200, 2880)])
@pytest.mark.parametrize("scales", ["folded", "raw"])
@pytest.mark.parametrize("order", ["spread", "nibble"])
def test_packing_in_torch(
    tmp_path: Path, rng: np.random.Generator, order: str, scales: str, n: int, k: int
) -> None:
    """Gives the bytes of numpy's, of one expert and of a checkpoint's tensor."""
    layout = mxfp4.Layout(order, scales)
    raw = random_weights(rng, 2, n, k, high=128 if scales == "folded" else 255)
    wanted = pack_expert(raw.blocks[0], raw.scales[0], layout)
    packed = torch_pack.pack_expert(*(torch.from_numpy(part[0]) for part in raw), layout)
    assert np.array_equal(packed.numpy(), wanted)
    save_file({"a_blocks": raw.blocks, "a_scales": raw.scales}, tmp_path / "c.safetensors")
    tensor = mxfp4.Checkpoint(tmp_path / "c.safetensors")["a"]
    there, here = torch_pack.pack(tensor, "cpu", layout), tensor.pack(layout)
    assert np.array_equal(there.data.numpy(), here.data)
    assert (there.layout, there.proof, there.shape) == (layout, here.proof, (2, n, k))


@pytest.mark.parametrize(
    ("device", "count", "text"),
    [
        ("cuda", 0, "torch sees no CUDA GPU, but the device 'cuda' was asked for; `mxfp4 doctor`"),
        ("cuda:3", 1, "torch sees 1 CUDA GPU, but the device 'cuda:3' was asked for"),
        (torch.device("cuda", 2), 2, "torch sees 2 CUDA GPUs, but the device 'cuda:2' was"),
        ("gpu", 1, "expected a torch device such as .*, got 'gpu'"),
        (None, 1, "expected a torch device such as .*, got None"),
    ],
)
def test_a_device_that_is_not_there_is_a_sentence(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Any, count: int, text: str
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    with pytest.raises(Error, match=text):
        mxfp4.pack(*data.raw).to_device(device)
    save_file(
        {"a_blocks": data.raw.blocks, "a_scales": data.raw.scales}, tmp_path / "c.safetensors"
    )
    with pytest.raises(Error, match=text):
        torch_pack.pack(mxfp4.Checkpoint(tmp_path / "c.safetensors")["a"], device)
