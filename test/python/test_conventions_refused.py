# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is no MXFP4 expert, or not a whole set of them: an error, or a note of what was left out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from helpers import Raw, random_weights, write_safetensors
from mxfp4 import Checkpoint, Error
from mxfp4.conventions import NAMINGS, Naming
from mxfp4.formats import Quantized
from publishers import OURS, Tensors, apart, equal, one, pair


@pytest.fixture
def mlp(rng: np.random.Generator) -> dict[str, Quantized]:
    """Gate, up and down of three experts; 12 experts would sort as text, and do below."""
    return {"gate": random_weights(rng, 3, 6, 64), "up": random_weights(rng, 3, 6, 64),
            "down": random_weights(rng, 3, 64, 32)}  # fmt: skip


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
         r"w2\.weight must have dtype U8 or I8 or F4 or U32 to be MXFP4 .* got F32"),
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


@pytest.mark.parametrize(("scales", "bits"), [(("BF16", 4), 16), (("F16", 1), 16), (("U8", 2), 8)])
def test_affine_weights_of_mlx_are_refused(
    tmp_path: Path, scales: tuple[str, int], bits: int
) -> None:
    """Also where codes and scales alone would be MXFP4: the biases are part of the weights."""
    dtype, groups = scales
    beside: Raw = (dtype, (2, 4, groups), bytes(8 * groups * bits // 8))
    up = "l.switch_mlp.up_proj"
    tensors: Tensors = {f"{up}.weight": ("U32", (2, 4, 8), bytes(256)), f"{up}.bias": beside,
                        f"{up}.scales": beside, f"{up}.biases": beside}  # fmt: skip
    write_safetensors(tmp_path / "m.safetensors", tensors)
    source = Checkpoint(tmp_path / "m.safetensors")
    assert not source.experts
    with pytest.raises(Error, match=r"up_proj\.biases is of MLX's affine .* expected its mode"):
        source.require()
    del tensors[f"{up}.biases"]
    write_safetensors(tmp_path / "m.safetensors", tensors)
    assert bool(Checkpoint(tmp_path / "m.safetensors").experts) == (dtype == "U8")


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
        (("U32", (2, 4, 8), 32), ("BF16", (2, 4, 1), 16), "INT4 or INT8"),
        (("U32", (2, 4, 16), 32), ("U8", (2, 4, 2), 8), "MXFP8"),
        (("U32", (2, 4, 8), 32), ("U8", (2, 4, 4), 8), "NVFP4"),
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


def test_other_layers_of_mlx(tmp_path: Path, rng: np.random.Generator) -> None:
    """Experts are read, what is quantised otherwise is left out, and what does not fit is said."""
    q = random_weights(rng, 2, 64, 64)
    layer, mlx = "model.layers.0", next(naming for naming in NAMINGS if naming.used_by == "MLX")
    affine: Tensors = {
        f"{layer}.self_attn.q_proj.weight": ("U32", (64, 16), bytes(64 * 64)),
        f"{layer}.self_attn.q_proj.scales": ("BF16", (64, 1), bytes(128)),
        f"{layer}.self_attn.q_proj.biases": ("BF16", (64, 1), bytes(128)),
        f"{layer}.mlp.router.weight": ("U32", (2, 16), bytes(128)),
        f"{layer}.mlp.router.scales": ("BF16", (2, 1), bytes(4)),
        f"{layer}.mlp.experts.gate_proj.bias": ("BF16", (2, 64), bytes(256)),
    }
    names = [f"{layer}.mlp.experts.{name}_proj" for name in ("gate", "up", "down")]
    experts: Tensors = {}
    for name in names:
        experts |= pair(name, q, mlx, "U32")
    write_safetensors(tmp_path / "m.safetensors", {**affine, **experts})
    source = Checkpoint(tmp_path / "m.safetensors")
    assert list(source.experts) == [f"{layer}.mlp.experts.{n}_proj" for n in ("down", "gate_up")]
    assert equal(source[names[2]].read_all(), q)
    codes = (names[0] + mlx.codes, names[0] + mlx.scales)
    form = r"gate_proj\.weight must have shape \[E, N, K/32, 4\] or \[E, N, K/8\], got \[2, 64, 7\]"
    fit = r"gate_proj\.scales must have shape \[2, 63, 2\]"
    for shape, text in (((2, 64, 7), form), ((2, 63, 8), fit)):
        odd = ("U32", shape, bytes(4 * int(np.prod(shape))))
        write_safetensors(tmp_path / "o.safetensors", {**experts, codes[0]: odd})
        with pytest.raises(Error, match=text):
            Checkpoint(tmp_path / "o.safetensors")


@pytest.mark.parametrize(
    ("lost", "text"),
    [
        (("weight", "scales"), r"l\.switch_mlp\.gate_proj needs l\.switch_mlp\.up_proj, but it is "
                               r"missing\. If this is one file of several"),
        (("scales",), r"needs .*, but l\.switch_mlp\.up_proj\.weight has no scales\."),
    ],
)  # fmt: skip
def test_stacks_of_gates_without_ups(
    tmp_path: Path, rng: np.random.Generator, lost: tuple[str, ...], text: str
) -> None:
    """A model whose gates were packed alone would run and be wrong."""
    q, mlx = random_weights(rng, 2, 64, 64), next(n for n in NAMINGS if n.used_by == "MLX")
    tensors: Tensors = {}
    for name in ("gate", "up", "down"):
        tensors |= pair(f"l.switch_mlp.{name}_proj", q, mlx, "U32")
    for end in lost:
        del tensors[f"l.switch_mlp.up_proj.{end}"]
    path = tmp_path / "m.safetensors"
    write_safetensors(path, tensors)
    with pytest.raises(Error, match=text):
        Checkpoint(path)
    if len(lost) == 2:
        values = ("BF16", (2, 64, 64), bytes(2 * 2 * 64 * 64))
        write_safetensors(path, tensors | {"l.switch_mlp.up_proj.weight": values})
        assert "l.switch_mlp.gate_proj" in Checkpoint(path).experts


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
        "odd_scale": ("U8", (1,), bytes(1)),
        "mlp.down_proj.weight": ("I32", (2, 2), bytes(16)),
        "mlp.down_proj.weight_scale": ("U8", (2, 2), bytes(4)),
        "mlp.up_proj.weight": ("U8", (2, 16), bytes(32)),
        "mlp.up_proj.weight_scale": ("U8", (4,), bytes(4)),
        "flat": ("U8", (16,), bytes(16)),
        "flat_scale": ("U8", (1,), bytes(1)),
        "deep.weight": ("U8", (1, 1, 2, 16), bytes(32)),
        "deep.scale": ("U8", (1, 1, 2, 1), bytes(2)),
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


@pytest.mark.parametrize(
    ("first", "second"), list(permutations(OURS, 2)), ids=lambda row: row.scales
)
def test_two_forms_of_one_matrix(
    rng: np.random.Generator, tmp_path: Path, first: Naming, second: Naming
) -> None:
    """Which of two is meant is asked; neither is said to miss what it has."""
    forms: Tensors = {}
    for name in ("model.experts.0.up", "model.experts.0.down"):
        q = one(random_weights(rng, 1, 64, 64), 0)
        forms |= {**pair(name, q, first), **pair(name, q, second)}
    write_safetensors(tmp_path / "m.safetensors", forms)
    with pytest.raises(Error, match=r"beside .*; which ones are meant\?"):
        Checkpoint(tmp_path / "m.safetensors")
