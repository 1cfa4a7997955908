# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls with weights packed for activations in FP8, on the CPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mxfp4
import numpy as np
import pytest
from fp8_data import data, offsets_of
from mxfp4 import Error, fp8_reference
from mxfp4.formats import bfloat16
from mxfp4.layout import FP8, pack_expert
from mxfp4.layout_bytes import take_row_powers
from safetensors.numpy import save_file
from test_layout_bytes import weights as weights_of

torch = pytest.importorskip("torch")
from mxfp4 import torch_fp8, torch_pack  # noqa: E402
from mxfp4.torch_op import from_numpy, to_numpy  # noqa: E402

OFFSETS, IDS = offsets_of((5, 4, 3)), np.array([2, -1, 0], np.int32)


@pytest.mark.parametrize("ids", [None, IDS], ids=["", "ids"])
@pytest.mark.parametrize("out_dtype", ["bf16", "f32"])
def test_arrays_and_tensors(out_dtype: str, ids: np.ndarray | None) -> None:
    """Are the definition, with exact sums."""
    x, weights = data(3, 70, 160, 12)
    dtype = bfloat16 if out_dtype == "bf16" else np.float32
    wanted = fp8_reference.grouped_matmul(x, weights, OFFSETS, ids, dtype)
    y = mxfp4.grouped_matmul(x, weights, OFFSETS, ids, out_dtype)
    assert y.dtype == wanted.dtype
    assert np.array_equal(y, wanted)
    on_torch = weights.to_device("cpu")
    tids = None if ids is None else torch.from_numpy(ids)
    y = mxfp4.grouped_matmul(from_numpy(x), on_torch, torch.from_numpy(OFFSETS), tids, out_dtype)
    assert np.array_equal(to_numpy(y), wanted)
    out = torch.empty_like(y)
    mxfp4.grouped_matmul(from_numpy(x), on_torch, torch.from_numpy(OFFSETS), tids, out_dtype, out)
    assert torch.equal(out, y)


def test_what_rounding_activations_costs() -> None:
    """Results are near those of bf16, and not equal."""
    x, weights = data(2, 64, 256, 20)
    weights = mxfp4.pack(*mxfp4.unpack(weights), "fp8")
    offsets = offsets_of((12, 8))
    plain = mxfp4.pack(*mxfp4.unpack(weights))
    exact = mxfp4.reference.grouped_matmul(x, plain, offsets, out_dtype=np.float32)
    y = mxfp4.grouped_matmul(x, weights, offsets, out_dtype="f32")
    scale = np.sqrt(np.mean(exact**2, axis=0))
    error = np.sqrt(np.mean((y - exact) ** 2, axis=0)) / scale
    assert (error < 0.06).all()
    assert (error > 0.005).all()


def test_the_operator_is_one_for_torch() -> None:
    x, weights = data(3, 64, 96, 12)
    there = weights.to_device("cpu")
    arguments = (from_numpy(x), there.data, there.powers, torch.from_numpy(OFFSETS))
    torch.library.opcheck(torch.ops.mxfp4.grouped_matmul_fp8, arguments, {"n": 64})


@pytest.mark.parametrize(("n", "k"), [(1, 32), (64, 128), (70, 160), (200, 2880)])
def test_packing_in_torch(n: int, k: int, rng: np.random.Generator) -> None:
    """Gives the same bytes and powers, and refuses the same rows."""
    raw = weights_of(rng, n, k, 80, 106)
    raw.blocks[n // 2], raw.blocks[0, 0] = 0x80, 0
    reduced, powers = take_row_powers(*raw)
    blocks, scales = (torch.from_numpy(part) for part in raw)
    found, there = torch_pack.take_row_powers(blocks, scales)
    assert np.array_equal(found.numpy(), reduced)
    assert np.array_equal(there.numpy(), powers)
    packed = torch_pack.pack_expert(blocks, found, FP8)
    assert np.array_equal(packed.numpy(), pack_expert(raw.blocks, reduced, FP8))
    raw.blocks[-1], raw.scales[-1, 0] = 0x11, 255
    with pytest.raises(Error, match=f"row {n - 1} has a scale that is NaN"):
        torch_pack.take_row_powers(blocks, scales)


def test_a_tensor_is_packed_in_torch(tmp_path: Path, rng: np.random.Generator) -> None:
    """As in numpy, and an expert that does not fit is named."""
    experts = [weights_of(rng, 70, 160, 80, 106) for _ in range(2)]
    blocks, scales = (np.stack(parts) for parts in zip(*experts, strict=True))
    save_file({"a_blocks": blocks, "a_scales": scales}, tmp_path / "c.safetensors")
    tensor = mxfp4.Checkpoint(tmp_path / "c.safetensors")["a"]
    there, here = torch_pack.pack(tensor, "cpu", FP8), tensor.pack(FP8)
    assert np.array_equal(there.data.numpy(), here.data)
    assert np.array_equal(there.powers.numpy(), here.powers)
    blocks[1, 7, 0], scales[1, 7, 0] = 0x11, 255
    save_file({"a_blocks": blocks, "a_scales": scales}, tmp_path / "d.safetensors")
    with pytest.raises(Error, match="expert 1: row 7 has a scale that is NaN"):
        torch_pack.pack(mxfp4.Checkpoint(tmp_path / "d.safetensors")["a"], "cpu", FP8)


RAGGED = [(5, 12), (4, 7), (2, 9), (7, 30)]
"""Numbers of groups and rows of calls. Of equal numbers, torch makes one symbol: none is E = 3."""


def calls(k: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """Activations, offsets and ids of calls with other numbers of rows and groups."""
    for groups, rows in RAGGED:
        x, _ = data(3, 64, k, rows)
        sizes = (rows - groups + 1, *[1] * (groups - 1))
        ids = torch.arange(groups, dtype=torch.int32) % 4 - 1
        yield from_numpy(x), torch.from_numpy(offsets_of(sizes)), ids


def test_a_module_of_one_order_of_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights = data(3, 70, 160, 12)
    asked: list[bool] = []

    def operator(x: Any, *_: Any, **options: Any) -> Any:
        asked.append(options["batch_invariant"])
        return x

    monkeypatch.setattr(torch_fp8, "_operator", operator)
    for invariant in (False, True):
        module = mxfp4.GroupedLinear(weights, batch_invariant=invariant)
        module(from_numpy(x), torch.zeros(4))
    assert asked == [False, True]


@pytest.mark.parametrize(("dynamic", "most"), [(None, 2), (True, 1)])
@pytest.mark.parametrize("made", ["module", "weights", "function"])
def test_a_module_is_compiled_in_one_graph(made: str, dynamic: bool | None, most: int) -> None:
    """Also where the compiled code makes weights of a module's parts, or calls the function.

    The first call may find numbers, the second generalises; after it nothing is compiled.
    """
    _, weights = data(3, 70, 160, 12)
    module = mxfp4.GroupedLinear(weights, "fast")
    there = weights.to_device("cpu")

    def of_weights(x: torch.Tensor, offsets: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        held = module.weights
        same = mxfp4.PackedWeights(
            held.data, held.n, held.k, held.layout, mxfp4.Proof(0, 254, False), powers=held.powers
        )
        return mxfp4.grouped_matmul(x, same, offsets, ids)

    def of_function(x: torch.Tensor, offsets: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return mxfp4.grouped_matmul(x, there, offsets, ids)

    called = {"module": module, "weights": of_weights, "function": of_function}[made]
    compiled: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(len(inputs))
        return graph.forward

    torch.compiler.reset()
    run = torch.compile(called, fullgraph=True, dynamic=dynamic, backend=backend)
    for arguments in calls(160):
        assert torch.equal(run(*arguments), called(*arguments))
    assert len(compiled) <= most, compiled
    torch.compiler.reset()


@pytest.mark.parametrize("strict", [True, False])
def test_a_module_is_exported(strict: bool) -> None:
    """With dynamic sizes, which fails if any of them is made a number."""
    _, weights = data(3, 70, 160, 12)
    module = mxfp4.GroupedLinear(weights, "promoted128")
    shapes = {name: {0: torch.export.Dim.AUTO} for name in ("x", "offsets", "expert_ids")}
    first = next(calls(160))
    program = torch.export.export(module, first, dynamic_shapes=shapes, strict=strict)
    [call] = [n for n in program.graph.nodes if "mxfp4" in str(n.target)]
    assert call.target is torch.ops.mxfp4.grouped_matmul_fp8.default
    assert call.kwargs["accumulation"] == "promoted128"
    for arguments in calls(160):
        assert torch.equal(program.module()(*arguments), module(*arguments))


def test_no_rows_need_no_kernel_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    # No GPU: the implementation is called as the dispatcher would.
    def kernel_for(*asked: Any) -> Any:
        raise AssertionError(f"a kernel was asked for: {asked}")

    monkeypatch.setattr(torch_fp8, "kernel_for", kernel_for)
    x, weights = data(3, 70, 160, 12)
    there, rows = weights.to_device("cpu"), from_numpy(x)
    none, ids = torch.zeros(4, dtype=torch.int32), torch.zeros(0, dtype=torch.int32)
    y = torch_fp8._cuda(rows[:0], there.data, there.powers, none, n=70)
    assert (y.shape, y.dtype) == ((0, 70), torch.bfloat16)
    with pytest.raises(Error, match="there are no groups, so x must have no rows, got 12"):
        torch_fp8._cuda(rows, there.data, there.powers, none[:1], ids, n=70)
    with pytest.raises(AssertionError, match="a kernel was asked for"):
        torch_fp8._cuda(rows, there.data, there.powers, torch.from_numpy(OFFSETS), n=70)


def test_errors() -> None:
    x, weights = data(3, 64, 96, 12)
    there, offsets = weights.to_device("cpu"), torch.from_numpy(OFFSETS)
    with pytest.raises(Error, match="accumulation must be one of"):
        mxfp4.grouped_matmul(from_numpy(x), there, offsets, accumulation="slow")
    with pytest.raises(Error, match="x is a torch tensor, but the weights are not"):
        mxfp4.grouped_matmul(from_numpy(x), weights, offsets)
    plain = mxfp4.pack(*mxfp4.unpack(weights))
    with pytest.raises(Error, match="accumulation is a choice for FP8"):
        mxfp4.grouped_matmul(x, plain, OFFSETS, accumulation="fast")
    with pytest.raises(Error, match=r"powers must be float32 \[3, 64\]"):
        torch.ops.mxfp4.grouped_matmul_fp8(
            from_numpy(x), there.data, there.powers[:2], offsets, n=64
        )
    with pytest.raises(Error, match="out must be"):
        mxfp4.grouped_matmul(x, weights, OFFSETS, out=np.empty((12, 65), bfloat16))
    grad = from_numpy(x).requires_grad_()
    y = mxfp4.grouped_matmul(grad, there, offsets)
    with pytest.raises(Error, match="has no gradient"):
        y.sum().backward()
    assert dataclasses.replace(there, data=there.data).powers is there.powers


@pytest.mark.parametrize("bias", [False, True])
def test_operators_of_layers(bias: bool, rng: np.random.Generator) -> None:
    """Take powers of rows beside packed bytes, and only for such layers."""
    from mxfp4 import layer_reference, torch_layer
    from mxfp4.layer_spec import GPT_OSS, LayerSpec
    from test_layer_fp8 import Fp8Case

    spec = LayerSpec(8, 2, 64, 96, GPT_OSS, bias=bias, activations="fp8")
    case = Fp8Case(spec, 9, rng)
    up, down = case.gate_up.to_device("cpu"), case.down.to_device("cpu")
    biases = [
        from_numpy(case.own[name]) if bias else None for name in ("gate_up_bias", "down_bias")
    ]
    powers = (up.powers, down.powers)
    x, logits = from_numpy(case.x), from_numpy(case.logits)
    y = torch_layer.moe(x, logits, up.data, down.data, *biases, None, *powers, spec=spec.text())
    own = {name: a for name, a in case.own.items() if name.endswith("bias")}
    wanted = layer_reference.layer(spec, case.x, case.logits, case.gate_up, case.down, **own)
    assert np.array_equal(to_numpy(y), wanted)
    ids = torch.topk(logits.float(), 2).indices
    weights = torch.softmax(torch.topk(logits.float(), 2).values, -1)
    routed = torch_layer.moe_with_routing(
        x, ids, weights, up.data, down.data, *biases, *powers, spec=spec.text()
    )
    assert np.allclose(to_numpy(routed).astype(np.float32), wanted.astype(np.float32), atol=2e-2)
    with pytest.raises(Error, match="this layer needs gate_up_powers"):
        torch_layer.moe(x, logits, up.data, down.data, *biases, spec=spec.text())
