# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The torch operator, on the CPU: registration, tracing, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import exact_activations, random_weights, split

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

import mxfp4  # noqa: E402
from mxfp4 import Error, GroupedLinear, Layout, reference, torch_op, torch_pack  # noqa: E402
from mxfp4.make_checkpoint import Shape, make_checkpoint  # noqa: E402
from mxfp4.torch_op import from_numpy, to_numpy  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

E, N, K, R = 3, 70, 96, 11


class Data:
    """Weights, activations, offsets and ids, in numpy and in torch."""

    def __init__(self, rng: np.random.Generator, ids: list[int] | None = None) -> None:
        self.raw = random_weights(rng, E, N, K, 124, 128)
        self.weights = mxfp4.pack(*self.raw).to_device("cpu")
        self.x = exact_activations(rng, R, K)
        self.offsets = split(rng, R, E if ids is None else len(ids))
        self.ids = None if ids is None else np.array(ids, np.int32)
        self.tx, self.toffsets = from_numpy(self.x), from_numpy(self.offsets)
        self.tids = None if self.ids is None else from_numpy(self.ids)

    def truth(self, dtype: Any = mxfp4.formats.bfloat16) -> Any:
        return from_numpy(reference.grouped_matmul(self.x, self.raw, self.offsets, self.ids, dtype))

    def arguments(self) -> tuple[Any, ...]:
        return self.tx, self.weights.data, self.toffsets, self.tids

    def options(self) -> dict[str, Any]:
        return {"n": N, "order": self.weights.layout.order, "scales": self.weights.layout.scales}


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    return Data(rng)


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


def test_a_module_keeps_its_layout(data: Data, rng: np.random.Generator) -> None:
    module = GroupedLinear(data.weights)
    assert torch.equal(module(data.tx, data.toffsets), data.truth())
    assert "E=3, N=70, K=96, fragment_major(order=spread, scales=folded)" in repr(module)
    other = GroupedLinear(Data(rng).weights)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.packed, module.packed)
    assert other.proof == module.proof
    raw = GroupedLinear(mxfp4.pack(*data.raw, Layout("spread", "raw")))
    before = raw.packed.clone()
    with pytest.raises(Error, match="scales = 'folded', but this module's weights have 'raw'"):
        raw.load_state_dict(module.state_dict())
    state = raw.state_dict()
    del state["_extra_state"]
    with pytest.raises(Error, match="packed has n = None, but"):
        raw.load_state_dict(state, strict=False)
    assert torch.equal(raw.packed, before), "nothing was copied"
    moved = module.to(torch.float32).to("meta").weights
    assert (moved.data.dtype, moved.data.device.type) == (torch.uint8, "meta")


def test_packing_onto_a_device_holds_few_experts(tmp_path: Path) -> None:
    # The meta device holds no bytes: what is left is the host's memory.
    code = """
import sys
from mxfp4.checkpoint import Checkpoint
from mxfp4.torch_pack import pack
for folder in sys.argv[1:]:
    for tensor in Checkpoint(folder).experts.values():
        pack(tensor, "meta")
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    folders = []
    for experts in (4, 64):
        folders.append(tmp_path / str(experts))
        make_checkpoint(folders[-1], Shape(1, experts, 512, 1024), codes=True)
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", code, *folders]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    few, many = (int(line) * 1024 for line in run.stdout.split())
    size = (folders[1] / "model-00001-of-00001.safetensors").stat().st_size
    assert many - few < size / 5, (few, many, size)


def test_packing_on_a_device_is_packing(rng: np.random.Generator, tmp_path: Path) -> None:
    raw = random_weights(rng, 3, 70, 96, 90, 255)
    tensors = {"a_blocks": raw.blocks, "a_scales": raw.scales}
    save_file(tensors, tmp_path / "c.safetensors")
    tensor = mxfp4.Checkpoint(tmp_path / "c.safetensors")["a"]
    for layout in ("auto", Layout("nibble", "raw")):
        here, there = mxfp4.pack(*raw, layout), torch_pack.pack(tensor, "cpu", layout)
        assert (here.layout, here.proof, here.shape) == (there.layout, there.proof, there.shape)
        assert np.array_equal(here.data, there.data.numpy())
    with pytest.raises(Error, match="folded scales need every scale byte <= 128"):
        torch_pack.pack(tensor, "cpu", Layout())
