# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Experts as publishers store them: one set of weights in every form must be read as the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Raw, random_weights, write_safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mxfp4 import Checkpoint, Error, unpack
from mxfp4.checkpoint import INDEX
from mxfp4.conventions import MLPS, NAMINGS, Naming
from mxfp4.formats import Quantized
from mxfp4.packed_checkpoint import PackedCheckpoint, pack_checkpoint

OURS = [naming for naming in NAMINGS if naming.used_by]
SINGLE = [naming for naming in OURS if naming.codes.startswith(".w")]
TRIED = [naming for naming in NAMINGS if not naming.scales.endswith("_inv")]
"""Names of one matrix an expert."""

Tensors = dict[str, Raw]


def pair(
    base: str,
    q: Quantized,
    naming: Naming,
    codes: str = "U8",
    scales: str = "U8",
    flat: bool = True,
) -> Tensors:
    """Codes and scales as two tensors of a file."""
    *lead, groups = q.scales.shape
    size = 32 if codes == "F4" else 16
    shape = (*lead, groups * size) if flat else (*lead, groups, size)
    return {base + naming.codes: (codes, shape, q.blocks.tobytes()),
            base + naming.scales: (scales, q.scales.shape, q.scales.tobytes())}  # fmt: skip


def one(q: Quantized, expert: int) -> Quantized:
    return Quantized(q.blocks[expert], q.scales[expert])


def apart(group: str, weights: dict[str, Quantized], naming: Naming, **options: str) -> Tensors:
    """A tensor for each expert and matrix."""
    tensors: Tensors = {}
    for projection, q in weights.items():
        for e in range(len(q.scales)):
            tensors |= pair(f"{group}.{e}.{projection}", one(q, e), naming, **options)  # type: ignore[arg-type]
    return tensors


def equal(a: Quantized, b: Quantized) -> bool:
    return np.array_equal(a.blocks, b.blocks) and np.array_equal(a.scales, b.scales)


@pytest.fixture
def mlp(rng: np.random.Generator) -> dict[str, Quantized]:
    """Gate, up and down of three experts; 12 experts would sort as text, and do below."""
    return {"gate": random_weights(rng, 3, 6, 64), "up": random_weights(rng, 3, 6, 64),
            "down": random_weights(rng, 3, 64, 32)}  # fmt: skip


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("scales", ["U8", "F8_E8M0"])
@pytest.mark.parametrize("codes", ["U8", "I8", "F4"])
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


@pytest.mark.parametrize("types", [("U8", "U8"), ("I8", "F8_E8M0"), ("F4", "F8_E8M0")])
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


def removed(*names: str) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        for name in names:
            del tensors[name]

    return change


def replaced(name: str, dtype: str, *shape: int, bits: int = 8) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        tensors[name] = (dtype, shape, bytes(int(np.prod(shape)) * bits // 8))

    return change


def both(*changes: Callable[[Tensors], None]) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        for one_change in changes:
            one_change(tensors)

    return change


E = "l.experts"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (removed(f"{E}.1.w2.weight", f"{E}.1.w2.scale"), "expert 1 misses w2, which other"),
        (removed(f"{E}.2.w2.weight", f"{E}.2.w2.scale"), "expert 2 misses w2, which other"),
        (removed(*(f"{E}.1.{w}.{t}" for w in ("w1", "w2", "w3") for t in ("weight", "scale"))),
         r"experts up to 2 are there, but expert 1 misses all of w1, w2, w3\. If this is one file"),
        (removed(*(f"{E}.{e}.w3.{t}" for e in range(3) for t in ("weight", "scale"))),
         "w1 is there for all experts, but w3 is missing"),
        (removed(*(f"{E}.{e}.w2.{t}" for e in range(3) for t in ("weight", "scale"))),
         "w1 is there for all experts, but w2 is missing"),
        (removed(f"{E}.1.w2.scale"), r"l\.experts\.1\.w2\.weight has no matching l\.experts\.1"),
        (removed(f"{E}.1.w2.weight"), r"l\.experts\.1\.w2\.scale has no matching l\.experts\.1"),
        (both(replaced(f"{E}.1.w2.weight", "I8", 62, 16),
              replaced(f"{E}.1.w2.scale", "U8", 62, 1)),
         r"all experts must have one shape, but w2 is N, K = \[64, 32\] .* 0 and \[62, 32\] for"),
        (both(*(both(replaced(f"{E}.{e}.w3.weight", "I8", 7, 32),
                     replaced(f"{E}.{e}.w3.scale", "U8", 7, 2)) for e in range(3))),
         r"w1 and l\.experts\.w3 must have one shape, got E, N, K = \[3, 6, 64\] and \[3, 7, 64\]"),
        (replaced(f"{E}.0.w2.scale", "BF16", 64, 1, bits=16),
         r"w2 must be MXFP4 as it is for other experts, but .*BF16.* is INT4 or INT8"),
        (replaced(f"{E}.0.w2.scale", "U16", 64, 1, bits=16),
         r"w2\.scale must have dtype U8 or F8_E8M0 to be MXFP4 with .*I8.*, got U16"),
        (replaced(f"{E}.0.w2.weight", "F32", 64, 16, bits=32),
         r"w2\.weight must have dtype U8 or I8 or F4 to be MXFP4 .* got F32"),
        (both(replaced(f"{E}.2.w1.weight", "U8", 6, 32),
              replaced(f"{E}.2.w1.scale", "F8_E4M3", 6, 4)),
         r"2\.w1 must be MXFP4 as it is for other experts, but .* is NVFP4, which is not read"),
        (replaced(f"{E}.0.w2.scale", "U8", 64, 3),
         r"w2\.scale must have shape \[64, 1\] to fit l\.experts\.0\.w2\.weight, got \[64, 3\]"),
        (replaced(f"{E}.0.w2.weight", "I8", 64, 15),
         r"w2\.weight must have shape \[N, K/32, 16\] or \[N, K/2\], got \[64, 15\]"),
        (replaced(f"{E}.0.w2.weight", "I8", 64, 16, 1),
         r"w2\.weight must have shape \[N, K/32, 16\] or \[N, K/2\], got \[64, 16, 1\]"),
        (replaced(f"{E}.0.w2.weight", "I8", 0, 16), "must have shape"),
        (replaced(f"{E}.w2_blocks", "U8", 1, 2, 16), "w2_blocks has no matching"),
        (both(replaced(f"{E}.w2_blocks", "U8", 1, 2, 16),
              replaced(f"{E}.w2_scales", "U8", 1, 2, 1)),
         r"l\.experts\.w2 is there both as a stack and for each expert"),
        (both(replaced(f"{E}.w13_blocks", "U8", 1, 2, 16),
              replaced(f"{E}.w13_scales", "U8", 1, 2, 1)),
         r"l\.experts\.w13 is there both whole and as w1 and w3"),
        (both(replaced(f"{E}.999999.w1.weight", "I8", 6, 32),
              replaced(f"{E}.999999.w1.scale", "U8", 6, 2)),
         "experts up to 999999 are there, but expert 3 misses all of w1"),
        (replaced(f"{E}.1.w2.weight_global_scale", "F32", 1, bits=32),
         r"w2 must be MXFP4 as .*, but .* also needs l\.experts\.1\.w2\.weight_global_scale"),
    ],
)  # fmt: skip
def test_sets_that_are_not_whole(
    tmp_path: Path, mlp: dict[str, Quantized], change: Callable[[Tensors], None], text: str
) -> None:
    weights = {"w1": mlp["gate"], "w3": mlp["up"], "w2": mlp["down"]}
    tensors = apart(E, weights, NAMINGS[4], codes="I8", scales="U8")
    change(tensors)
    write_safetensors(tmp_path / "m.safetensors", tensors)
    with pytest.raises(Error, match=text):
        Checkpoint(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("codes", "scales", "name"),
    [
        (("U8", (2, 4, 32), 8), ("F8_E4M3", (2, 4, 4), 8), "NVFP4"),
        (("F4", (2, 4, 64), 4), ("F8_E4M3", (2, 4, 4), 8), "NVFP4"),
        (("F8_E4M3", (2, 4, 64), 8), ("F8_E8M0", (2, 4, 2), 8), "MXFP8"),
        (("U8", (2, 4, 64), 8), ("U8", (2, 4, 2), 8), "MXFP8"),
        (("U8", (2, 4, 48), 8), ("U8", (2, 4, 2), 8), "MXFP6"),
        (("F8_E4M3", (2, 4, 64), 8), ("F32", (2, 1, 1), 32), "FP8"),
        (("I32", (2, 4, 8), 32), ("BF16", (2, 4, 2), 16), "INT4 or INT8"),
        (("I8", (2, 4, 32), 8), ("F16", (2, 4, 1), 16), "INT4 or INT8"),
        (("U8", (2, 4, 32), 8), ("U8", (2, 4, 4), 8), "4-bit codes with a power of two"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("single", [False, True])
def test_other_formats_are_named(
    tmp_path: Path, codes: tuple, scales: tuple, name: str, single: bool
) -> None:
    def tensor(dtype: str, shape: tuple[int, ...], bits: int) -> Raw:
        shape = shape[single:]
        return dtype, shape, bytes(int(np.prod(shape)) * bits // 8)

    base = "l.0.experts.0.w1" if single else "l.0.experts.w1"
    tensors = {f"{base}.weight": tensor(*codes), f"{base}.weight_scale": tensor(*scales)}
    write_safetensors(tmp_path / "m.safetensors", tensors)
    source = Checkpoint(tmp_path / "m.safetensors")
    assert source.experts == {}
    with pytest.raises(
        Error, match=rf"no MXFP4 expert tensors\. Found: .* is {name}.*which is not"
    ):
        source.require()


def test_unrelated_tensors_are_no_error(tmp_path: Path, rng: np.random.Generator) -> None:
    q = random_weights(rng, 2, 4, 32)
    stray: Tensors = {
        "model.layers.0.self_attn.kv_scales": ("F32", (2,), bytes(8)),
        "model.layers.0.self_attn.k_scales": ("U8", (2, 4, 1), bytes(8)),
        "visual.num_blocks": ("I64", (1,), bytes(8)),
        "visual.patch_blocks": ("U8", (2, 2, 1, 16), bytes(64)),
        "cache.x_blocks": ("F32", (2, 2), bytes(16)),
        "cache.x_scales": ("F32", (2, 2), bytes(16)),
        "cache.y_blocks": ("I64", (8,), bytes(64)),
        "cache.y_scales": ("U8", (8,), bytes(8)),
        "cache.z_blocks": ("U8", (2, 3, 5), bytes(30)),
        "cache.z_scales": ("U8", (3, 2), bytes(6)),
        "model.layers.0.mlp.experts.act_scales": ("U8", (2, 4), bytes(8)),
        "model.layers.0.mlp.experts.bias_blocks": ("U8", (2, 4), bytes(8)),
        "model.layers.0.mlp.experts.lut_blocks": ("BF16", (1, 1, 1, 16), bytes(32)),
        "model.norm.scale": ("BF16", (4,), bytes(8)),
        "q_proj.weight": ("F8_E4M3", (2, 2), bytes(4)),
        "q_proj.weight_scale_inv": ("F32", (1, 1), bytes(4)),
        "k_proj.weight": ("U8", (2, 16), bytes(32)),
        "k_proj.weight_scale": ("U8", (2, 1), bytes(2)),
        "odd": ("F6_E2M3", (4,), bytes(3)),
        "": ("U8", (1,), bytes(1)),
        "experts": ("U8", (0,), b""),
        "experts.0.w1.input_scale": ("F32", (), bytes(4)),
    }
    write_safetensors(tmp_path / "m.safetensors", {**pair("experts.x", q, NAMINGS[0]), **stray})
    source = Checkpoint(tmp_path / "m.safetensors")
    assert list(source.experts) == ["experts.x"]
    assert equal(source["experts.x"].read_all(), q)
    notes = "\n".join(source.notes())
    assert "k_proj.weight (U8 [2, 16]) is one matrix, and no stack of experts" in notes
    assert "k_scales (U8 [2, 4, 1]) has no matching" in notes
    assert "q_proj" not in notes


def test_nothing_found_says_what_was_wanted(tmp_path: Path) -> None:
    name = "model.layers.{}.mlp.experts.{}.up_proj.weight"
    tensors: Tensors = {name.format(i, e): ("BF16", (2, 2), bytes(8))
                        for i in range(3) for e in range(2)}  # fmt: skip
    tensors |= {f"other{i}": ("F32", (1,), bytes(4)) for i in range(9)}
    write_safetensors(tmp_path / "m.safetensors", tensors)
    with pytest.raises(Error) as e:
        Checkpoint(tmp_path / "m.safetensors").require()
    text = str(e.value)
    found = text.index("Found: model.layers.0.mlp.experts.0.up_proj.weight (BF16 [2, 2]), other0")
    assert "and 5 more kinds of tensors" in text[found:]
    for naming in OURS:
        assert f"NAME{naming.codes} with NAME{naming.scales} ({naming.used_by})" in text
    write_safetensors(tmp_path / "e.safetensors", {})
    with pytest.raises(Error, match="Found: no tensors"):
        Checkpoint(tmp_path / "e.safetensors").require()


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
                         ("BF16", 16), ("I32", 32)])  # fmt: skip
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
