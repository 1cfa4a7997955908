# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights in torch: states of modules, and packing on a device."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import random_weights

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

import mxfp4  # noqa: E402
from mxfp4 import Error, GroupedLinear, Layout, torch_pack  # noqa: E402
from mxfp4.make_checkpoint import Shape, make_checkpoint  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from torch_data import Data, E, K, N, data  # noqa: E402

__all__ = ["data"]  # a fixture


def test_a_module_keeps_its_layout(data: Data, rng: np.random.Generator) -> None:
    module = GroupedLinear(data.weights)
    assert torch.equal(module(data.tx, data.toffsets), data.truth())
    assert "E=3, N=70, K=96, fragment_major(order=spread, scales=folded)" in repr(module)
    other = GroupedLinear(Data(rng).weights)
    fused = dataclasses.replace(data.weights, rows="gate, up interleaved")
    assert GroupedLinear(fused.to_device("cpu")).weights.rows == fused.rows
    apart = GroupedLinear(dataclasses.replace(fused, rows="gate, then up").to_device("cpu"))
    with pytest.raises(
        Error, match=r"rows of the state's .* are 'gate, up interleaved', but those"
    ):
        apart.load_state_dict(GroupedLinear(fused.to_device("cpu")).state_dict())
    apart.load_state_dict(module.state_dict())  # which says nothing of them
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.packed, module.packed)
    assert other.proof == module.proof
    raw = GroupedLinear(mxfp4.pack(*data.raw, Layout("spread", "raw")))
    before = raw.packed.clone()
    with pytest.raises(Error, match="scales = 'folded', but this module's weights have 'raw'"):
        raw.load_state_dict(module.state_dict())
    state = raw.state_dict()
    del state["_extra_state"]
    with pytest.raises(Error, match="the state has packed, but no _extra_state, which says"):
        raw.load_state_dict(state, strict=False)
    assert torch.equal(raw.packed, before), "nothing was copied"
    moved = module.to(torch.float32).to("meta").weights
    assert (moved.data.dtype, moved.data.device.type) == (torch.uint8, "meta")


@pytest.mark.parametrize("how", ["file", "model", "torch"])
def test_a_state_is_saved_and_loaded(
    data: Data, rng: np.random.Generator, tmp_path: Path, how: str
) -> None:
    """As safetensors and torch do it, of a module inside of another."""
    from safetensors.torch import load_file, load_model, save_model
    from safetensors.torch import save_file as save_tensors

    def nested(weights: mxfp4.PackedWeights) -> torch.nn.Module:
        return torch.nn.ModuleDict({"a": torch.nn.Linear(2, 2), "experts": GroupedLinear(weights)})

    module, other = nested(data.weights), nested(Data(rng).weights)
    raw = nested(mxfp4.pack(*data.raw, Layout("spread", "raw")))
    assert all(isinstance(v, torch.Tensor) for v in module.state_dict().values())
    assert not torch.equal(other["experts"].packed, module["experts"].packed)
    file = tmp_path / "state"
    if how == "model":
        save_model(module, file)
        load_model(other, file)
    elif how == "file":
        save_tensors(module.state_dict(), file)
        other.load_state_dict(load_file(file))
    else:
        torch.save(module.state_dict(), file)
        other.load_state_dict(torch.load(file, weights_only=True))
    experts = other["experts"]
    assert torch.equal(experts.packed, module["experts"].packed)
    assert experts.proof == module["experts"].proof
    assert torch.equal(experts(data.tx, data.toffsets), data.truth())
    before = {name: tensor.clone() for name, tensor in raw.state_dict().items()}
    with pytest.raises(Error, match=r"experts\.packed has scales = 'folded', but .* have 'raw'"):
        load_model(raw, file) if how == "model" else raw.load_state_dict(module.state_dict())
    assert torch.equal(raw["experts"].packed, before["experts.packed"])


def test_states_of_version_0_1_0_are_read(data: Data, rng: np.random.Generator) -> None:
    module, other = GroupedLinear(data.weights), GroupedLinear(Data(rng).weights)
    layout = data.weights.layout
    old = {"n": N, "k": K, "order": layout.order, "scales": layout.scales,
           "proof": dict(vars(data.weights.proof))}  # fmt: skip
    other.load_state_dict({"packed": module.packed, "_extra_state": old})
    assert torch.equal(other.packed, module.packed)
    assert other.proof == data.weights.proof
    old["order"] = "nibble"
    with pytest.raises(Error, match="has order = 'nibble', but this module's weights have 'spread"):
        other.load_state_dict({"packed": module.packed, "_extra_state": old})


def bytes_of(text: str) -> torch.Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (7, "must be a uint8 tensor that GroupedLinear wrote, got int"),
        (torch.zeros(3), r"must be a uint8 tensor that GroupedLinear wrote, got torch\.float32"),
        (bytes_of(""), "is not what GroupedLinear wrote"),
        (bytes_of("[1]"), "is not what GroupedLinear wrote"),
        (bytes_of('{"format": "mxfp4-packed-state", "version": 2}'), "of version 2; this package"),
        (bytes_of('{"format": "other", "version": 1}'), "is 'other' of version 1; this package"),
        (bytes_of('{"format": "mxfp4-packed-state", "version": 1}'), "does not say what the pack"),
        ({"n": N}, "does not say what the packed weights mean"),
        ({"n": "70", "k": K, "order": "spread", "scales": "folded",
          "proof": {"scale_min": 1, "scale_max": 2, "has_nan": False}}, "expected numbers, got"),
        ({"n": N, "k": K, "order": "wide", "scales": "folded",
          "proof": {"scale_min": 1, "scale_max": 2, "has_nan": False}}, "layout order must be one"),
    ],
)  # fmt: skip
def test_a_broken_state_is_refused(data: Data, state: Any, text: str) -> None:
    module = GroupedLinear(data.weights)
    before, proof = module.packed.clone(), module.proof
    with pytest.raises(Error, match=text):
        module.load_state_dict({"packed": torch.zeros_like(before), "_extra_state": state})
    assert torch.equal(module.packed, before)
    assert module.proof == proof


@pytest.mark.parametrize("packed", [torch.zeros(E + 1, 2, 2, 2176, dtype=torch.uint8),
                                    torch.zeros(E, 2, 2, 2176)])  # fmt: skip
def test_a_state_of_other_shape_or_type_is_refused(data: Data, packed: torch.Tensor) -> None:
    module = GroupedLinear(data.weights)
    before, proof = module.packed.clone(), module.proof
    with pytest.raises(Error, match=r"packed is torch\..*, but this module's is torch\.uint8"):
        module.load_state_dict({"packed": packed, "_extra_state": module.get_extra_state()})
    assert torch.equal(module.packed, before)
    assert module.proof == proof


@pytest.mark.slow
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
