# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Experts as publishers store them: one set of weights in every form must be read as the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import random_weights, write_safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mxfp4 import Checkpoint, Error, unpack
from mxfp4.checkpoint import INDEX
from mxfp4.conventions import MLPS, NAMINGS, Naming
from mxfp4.formats import Quantized
from mxfp4.packed_checkpoint import PackedCheckpoint, pack_checkpoint
from publishers import SINGLE, TRIED, Tensors, apart, equal, pair


@pytest.fixture
def mlp(rng: np.random.Generator) -> dict[str, Quantized]:
    """Gate, up and down of three experts; 12 experts would sort as text, and do below."""
    return {"gate": random_weights(rng, 3, 6, 64), "up": random_weights(rng, 3, 6, 64),
            "down": random_weights(rng, 3, 64, 32)}  # fmt: skip


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("scales", ["U8", "F8_E8M0"])
@pytest.mark.parametrize("codes", ["U8", "I8", "F4", "U32"])
@pytest.mark.parametrize("naming", TRIED, ids=lambda n: n.codes + n.scales)
def test_stacks(
    tmp_path: Path, rng: np.random.Generator, naming: Naming, codes: str, scales: str, flat: bool
) -> None:
    q = random_weights(rng, 3, 5, 96)
    name = "block.0.mlp.mlp1" + ("_weight" if "." in naming.codes else "")
    file = tmp_path / "m.safetensors"
    write_safetensors(file, pair(name, q, naming, codes, scales, flat))
    (tensor,) = Checkpoint(file).experts.values()
    assert (tensor.name, tensor.shape) == (name, (3, 5, 96))
    assert tensor.rows == "as stored"
    assert equal(tensor.read_all(), q)


@pytest.mark.parametrize(
    "types", [("U8", "U8"), ("I8", "F8_E8M0"), ("F4", "F8_E8M0"), ("U32", "U8")]
)
@pytest.mark.parametrize("names", MLPS, ids=lambda m: m.gate)
@pytest.mark.parametrize("naming", SINGLE, ids=lambda n: n.codes + n.scales)
def test_experts_apart(
    tmp_path: Path, mlp: dict[str, Quantized], naming: Naming, names: object, types: tuple[str, str]
) -> None:
    weights = {getattr(names, role): q for role, q in mlp.items()}
    group = "layers.1.ffn.experts"
    codes, scales = types
    tensors = apart(group, weights, naming, codes=codes, scales=scales)
    shards = [{}, {}, {}]
    for i, (name, tensor) in enumerate(tensors.items()):
        shards[i % 3][name] = tensor  # gate and up, codes and scales come from different files
    for i, shard in enumerate(shards):
        write_safetensors(tmp_path / f"{i}.safetensors", shard)
    where = {name: f"{i}.safetensors" for i, shard in enumerate(shards) for name in shard}
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": where}))
    source = Checkpoint(tmp_path)
    both, down = (source[f"{group}.{getattr(names, role)}"] for role in ("together", "down"))
    assert list(source.experts) == sorted([both.name, down.name])
    assert (both.shape, both.rows) == ((3, 12, 64), "gate, up interleaved")
    assert (down.shape, down.rows) == ((3, 64, 32), "as stored")
    whole = both.read_all()
    for rows, role in ((slice(0, None, 2), "gate"), (slice(1, None, 2), "up")):
        assert equal(Quantized(whole.blocks[:, rows], whole.scales[:, rows]), mlp[role])
    assert equal(down.read_all(), mlp["down"])
    # Packed, compared, taken up again, and known again.
    packed = pack_checkpoint(source, tmp_path / "packed")
    kept = []
    pack_checkpoint(source, tmp_path / "packed", on_start=lambda _, k: kept.append(k))
    assert kept == [True, True]
    for tensor in (both, down):
        assert packed.of(tensor).rows == packed.verify(tensor.name, tensor).rows == tensor.rows
        assert equal(unpack(packed[tensor.name]), tensor.read_all())
        assert tensor.pack().rows == tensor.rows


def test_equal_weights_have_one_digest_however_they_are_stored(
    tmp_path: Path, mlp: dict[str, Quantized]
) -> None:
    fused = Quantized(*(np.stack([g, u], axis=2).reshape(3, 12, *g.shape[2:])
                        for g, u in zip(mlp["gate"], mlp["up"], strict=True)))  # fmt: skip
    forms = [pair("experts.gate_up_proj", fused, NAMINGS[0], flat=False),
             pair("experts.gate_up_proj", fused, NAMINGS[1], "I8"),
             {**pair("experts.gate_proj", mlp["gate"], NAMINGS[0]),
              **pair("experts.up_proj", mlp["up"], NAMINGS[0])}]  # fmt: skip
    for i, tensors in enumerate(forms):
        write_safetensors(tmp_path / f"{i}.safetensors", tensors)
    found = [Checkpoint(tmp_path / f"{i}.safetensors")["experts.gate_up_proj"] for i in range(3)]
    assert len({tensor.digest() for tensor in found}) == 1
    assert found[2].rows == "gate, up interleaved"
    swapped = {**pair("experts.gate_proj", mlp["up"], NAMINGS[0]),
               **pair("experts.up_proj", mlp["gate"], NAMINGS[0])}  # fmt: skip
    write_safetensors(tmp_path / "s.safetensors", swapped)
    assert Checkpoint(tmp_path / "s.safetensors")["experts.gate_up_proj"].digest() != (
        found[0].digest()
    )


def test_twelve_experts_and_one_without_a_gate(tmp_path: Path, rng: np.random.Generator) -> None:
    weights = {
        "up_proj": random_weights(rng, 12, 2, 32),
        "down_proj": random_weights(rng, 12, 2, 32),
    }
    file = tmp_path / "m.safetensors"
    write_safetensors(file, apart("m.experts", weights, SINGLE[1]))
    source = Checkpoint(file)
    assert list(source.experts) == ["m.experts.down_proj", "m.experts.up_proj"]
    for name, q in weights.items():
        assert source[f"m.experts.{name}"].rows == "as stored"
        assert equal(source[f"m.experts.{name}"].read_all(), q)


def test_memory_does_not_grow_with_experts_apart(tmp_path: Path) -> None:
    code = """
import sys
from mxfp4.checkpoint import Checkpoint
from mxfp4.packed_checkpoint import pack_checkpoint
for _ in range(2):
    pack_checkpoint(Checkpoint(sys.argv[1]), sys.argv[2])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    peaks = []
    n, k = 512, 1024
    for experts in (4, 48):
        file, target = tmp_path / f"c{experts}.safetensors", tmp_path / f"p{experts}"
        tensors: Tensors = {}
        for name in ("gate_proj", "up_proj", "down_proj"):
            for e in range(experts):
                base = f"l.0.mlp.experts.{e}.{name}"
                tensors[f"{base}.weight"] = ("U8", (n, k // 2), os.urandom(n * k // 2))
                tensors[f"{base}.weight_scale"] = ("U8", (n, k // 32), bytes(n * k // 32))
        write_safetensors(file, tensors)
        del tensors
        command = [sys.executable, "-c", code, file, target]
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        peaks.append(int(run.stdout) * 1024)
    size = (tmp_path / "c48.safetensors").stat().st_size
    assert peaks[1] - peaks[0] < size / 10, (peaks, size)


PARTS = st.sampled_from(["experts", "0", "1", "2", "10", "00", "w1", "w2", "w3", "gate_proj", "x",
                         "up_proj", "down_proj", "gate_up_proj", "mlp"])  # fmt: skip
ENDS = st.sampled_from([e for n in NAMINGS for e in (n.codes, n.scales)] + ["", ".weight_scale_2"])
NAMES = st.builds(lambda parts, end: ".".join(parts) + end, st.lists(PARTS, max_size=5), ENDS)
TYPES = st.sampled_from([("U8", 8), ("I8", 8), ("F4", 4), ("F8_E8M0", 8), ("F8_E4M3", 8),
                         ("BF16", 16), ("I32", 32), ("U32", 32)])  # fmt: skip
SHAPES = st.sampled_from([(), (1,), (2, 1), (2, 16), (2, 32), (4, 16), (2, 2, 16), (2, 2, 1),
                          (2, 2, 1, 16), (2, 2, 1, 32), (0, 16), (2, 2), (2, 8)])  # fmt: skip


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(NAMES, st.tuples(TYPES, SHAPES), max_size=14))
def test_any_tensors_are_read_or_refused(
    tmp_path: Path, tensors: dict[str, tuple[tuple[str, int], tuple[int, ...]]]
) -> None:
    file = tmp_path / "m.safetensors"
    raw = {name: (dtype, shape, bytes(int(np.prod(shape)) * bits // 8))
           for name, ((dtype, bits), shape) in tensors.items()}  # fmt: skip
    write_safetensors(file, raw)
    try:
        source = Checkpoint(file)
    except Error:
        return
    used: set[str] = set()
    for tensor in source.experts.values():
        experts, n, k = tensor.shape
        whole = tensor.read_all()
        assert whole.blocks.shape == (experts, n, k // 32, 16)
        assert whole.scales.shape == (experts, n, k // 32)
        mine = {stored.name for stored in tensor.matrices.stored()}
        assert not mine & used, "a tensor belongs to one stack"
        used |= mine
        assert sum(len(raw[name][2]) for name in mine) == tensor.nbytes
    if source.experts:
        target = file.with_suffix(f".{len(list(tmp_path.iterdir()))}")
        packed = pack_checkpoint(source, target)
        assert set(PackedCheckpoint(target).files) == set(source.experts)
        for tensor in source.experts.values():
            packed.verify(tensor.name, tensor)
