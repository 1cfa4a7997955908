# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reading checkpoints: good ones, and ones that lie."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mxfp4 import Checkpoint, Error, PackedWeights, dequantize, unpack
from mxfp4.make_checkpoint import Shape, main, make_checkpoint
from mxfp4.packed_checkpoint import pack_checkpoint
from safetensors.numpy import load_file, save_file

GATE_UP = "model.layers.1.mlp.experts.gate_up_proj"
DOWN = "model.layers.0.mlp.experts.down_proj"
SHAPE = Shape(num_hidden_layers=2, num_local_experts=3, hidden_size=64, intermediate_size=96)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_checkpoint(tmp_path, SHAPE, seed=5)
    return tmp_path


def test_a_written_checkpoint_has_the_real_form(folder: Path) -> None:
    checkpoint = Checkpoint(folder)
    names = [f"model.layers.{i}.mlp.experts.{p}_proj" for i in (0, 1) for p in ("down", "gate_up")]
    assert list(checkpoint.experts) == names
    assert checkpoint[GATE_UP].shape == (3, 192, 64)
    assert checkpoint[DOWN].shape == (3, 64, 96)
    assert checkpoint.read(f"{GATE_UP}_bias").shape == (3, 192)
    assert checkpoint.read("model.layers.0.mlp.router.weight").dtype.name == "bfloat16"
    config = json.loads((folder / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "mxfp4"
    assert config["num_local_experts"] == 3
    values = dequantize(*checkpoint[GATE_UP].read_all(), np.float32)
    assert abs(values.std() * 8 - 1) < 0.05  # 1/sqrt(K)


def test_experts_are_read_one_at_a_time(folder: Path) -> None:
    tensor = Checkpoint(folder)[GATE_UP]
    raw = load_file(folder / "model-00002-of-00002.safetensors")
    whole = tensor.read_all()
    assert (whole.blocks == raw[f"{GATE_UP}_blocks"]).all()
    for e, one in enumerate(tensor):
        assert (one.blocks == whole.blocks[e]).all()
        assert (one.scales == whole.scales[e]).all()
    packed = tensor.pack()
    assert (unpack(packed).blocks == whole.blocks).all()
    assert (packed.decode(1) == tensor.decode(1)).all()


def test_one_file_or_a_folder_without_an_index(folder: Path) -> None:
    file = folder / "model-00001-of-00002.safetensors"
    assert DOWN in Checkpoint(file).experts
    (folder / "model.safetensors.index.json").unlink()
    assert len(Checkpoint(folder).experts) == 4
    (folder / "copy.safetensors").write_bytes(file.read_bytes())
    with pytest.raises(Error, match=r"is in both .*copy\.safetensors"):
        Checkpoint(folder)


def test_equal_seeds_give_equal_bytes(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    make_checkpoint(other, SHAPE, seed=5)
    for file in folder.iterdir():
        assert (other / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_whole_model_has_the_names_and_shapes_of_the_real_one(tmp_path: Path) -> None:
    shape = Shape(1, 4, 64, 96, vocab_size=50, num_attention_heads=4, num_key_value_heads=2,
                  head_dim=32)  # fmt: skip
    make_checkpoint(tmp_path, shape, codes=True)
    checkpoint = Checkpoint(tmp_path)
    for name, expected in {
        "model.embed_tokens.weight": (50, 64),
        "lm_head.weight": (50, 64),
        "model.norm.weight": (64,),
        "model.layers.0.self_attn.q_proj.weight": (128, 64),
        "model.layers.0.self_attn.k_proj.bias": (64,),
        "model.layers.0.self_attn.o_proj.weight": (64, 128),
        "model.layers.0.self_attn.sinks": (4,),
        "model.layers.0.post_attention_layernorm.weight": (64,),
    }.items():
        assert checkpoint.read(name).shape == expected, name
    values = dequantize(*checkpoint[DOWN].read_all(), np.float32)
    assert 0.5 < values.std() * 96**0.5 < 2
    with pytest.raises(Error, match="heads must be a positive multiple of key-value heads"):
        Shape(num_attention_heads=3, num_key_value_heads=2)


def test_unknown_names(folder: Path) -> None:
    checkpoint = Checkpoint(folder)
    with pytest.raises(Error, match=r"has no MXFP4 expert tensor 'x'; it has: model\.layers\.0"):
        checkpoint["x"]
    with pytest.raises(Error, match="has no tensor 'x'"):
        checkpoint.read("x")
    with pytest.raises(Error, match=r"expert must be 0 \.\. 2, got 3"):
        checkpoint[GATE_UP].read(3)


def test_nothing_there(tmp_path: Path) -> None:
    missing = (
        r"gpt-oss-20b does not exist\. Expected a \.safetensors file or a folder with some\. "
        r"A model of the .* hub becomes such a folder by: hf download OWNER/gpt-oss-20b"
    )
    with pytest.raises(Error, match=missing):
        Checkpoint(tmp_path / "gpt-oss-20b")
    with pytest.raises(Error, match="path must not hold a NUL character, got one at 1"):
        Checkpoint("a\0b")
    with pytest.raises(Error, match=r"is no checkpoint: expected a \.safetensors file"):
        Checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4808762012\n",
         "a pointer of Git LFS to one; fetch the file"),
        (b"GGUF\3\0\0\0" + bytes(99), "a GGUF file, which is not read"),
        (b"PK\3\4" + bytes(99), r"a file of torch\.save; load it with torch"),
        (b"\n<!DOCTYPE html>\n<html></html>", "a page of HTML or XML"),
    ],
)  # fmt: skip
def test_what_has_the_place_of_a_file(folder: Path, data: bytes, text: str) -> None:
    (folder / "model-00002-of-00002.safetensors").write_bytes(data)
    with pytest.raises(Error, match=f"00002.*is no safetensors file, but {text}"):
        Checkpoint(folder)


def test_folders_of_other_forms(folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    with pytest.raises(Error, match=r"or a folder with some\.$"):
        Checkpoint(outer)
    shutil.copytree(folder, outer / "original", ignore=lambda *_: ["outer"])
    with pytest.raises(Error, match=r"some\. The folder original in it has some\.$"):
        Checkpoint(outer)
    (outer / "consolidated.00.pth").write_bytes(b"")
    with pytest.raises(Error, match=r"some\. It has consolidated\.00\.pth, whose form is not read"):
        Checkpoint(outer)


@pytest.mark.parametrize("kept", [0, 7, 200, -1])
def test_truncated_files(folder: Path, kept: int) -> None:
    file = folder / "model-00002-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(Error, match=r"00002.*is not a whole safetensors file.*truncated"):
        Checkpoint(folder)


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library says of such a file that it does not exist."""

    opened = Path.open

    def refuse(path: Path, *rest: Any, **options: Any) -> Any:
        if path.suffix == ".safetensors":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, *rest, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(Error, match=r"00001.* cannot be read: Permission denied\."):
        Checkpoint(folder)


def test_a_header_that_lies_about_its_bytes(folder: Path) -> None:
    file = folder / "model-00001-of-00002.safetensors"
    data = file.read_bytes()
    assert b'"shape":[3,64,3,16]' in data
    file.write_bytes(data.replace(b'"shape":[3,64,3,16]', b'"shape":[3,64,5,16]'))
    with pytest.raises(Error, match="is not a whole safetensors file"):
        Checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"mlp.experts.x_blocks": np.zeros((2, 4, 1, 16), np.uint8)},
            "x_blocks has no matching mlp.experts.x_scales",
        ),
        (
            {"mlp.experts.x_scales": np.zeros((2, 4, 1), np.uint8)},
            "x_scales has no matching mlp.experts.x_blocks",
        ),
        (
            {
                "x_blocks": np.zeros((2, 4, 1, 16), np.float32),
                "x_scales": np.zeros((2, 4, 1), np.uint8),
            },
            "x_blocks must have dtype U8 or I8 or F4 or U32 to be MXFP4 with x_scales .*, got F32",
        ),
        (
            {
                "x_blocks": np.zeros((2, 4, 1, 16), np.uint8),
                "x_scales": np.zeros((2, 4, 1), np.uint16),
            },
            "x_scales must have dtype U8 or F8_E8M0 to be MXFP4 with x_blocks .*, got U16",
        ),
        (
            {"x_blocks": np.zeros((2, 4, 9), np.uint8), "x_scales": np.zeros((2, 4, 1), np.uint8)},
            r"x_blocks must have shape \[E, N, K/32, 16\] or \[E, N, K/2\], got \[2, 4, 9\]",
        ),
        (
            {
                "x_blocks": np.zeros((2, 4, 1, 16), np.uint8),
                "x_scales": np.zeros((2, 4, 2), np.uint8),
            },
            r"x_scales must have shape \[2, 4, 1\] to fit x_blocks, got \[2, 4, 2\]",
        ),
    ],
)
def test_pairs_that_do_not_fit(tmp_path: Path, change: dict[str, np.ndarray], text: str) -> None:
    save_file(change, tmp_path / "model.safetensors")
    with pytest.raises(Error, match=text):
        Checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("index", "text"),
    [
        ("{", "is not a safetensors index"),
        ("[]", "is not a safetensors index"),
        ('{"weight_map": ["a"]}', "is not a safetensors index"),
        ("[" * 100000, "is not a safetensors index"),
        ('{"weight_map": {"a": "../a.safetensors"}}', "no plain file name"),
        ('{"weight_map": {"a": "sub/a.safetensors"}}', "no plain file name"),
        ('{"weight_map": {"a": "a\\\\..\\\\b"}}', "no plain file name"),
        ('{"weight_map": {"a": "a\\u0000"}}', "no plain file name"),
        ('{"weight_map": {"a": "\\ud800"}}', "no plain file name"),
        ('{"weight_map": {"a": ""}}', "no plain file name"),
        (json.dumps({"weight_map": {"a": "x" * 300}}), "no plain file name"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "no plain file name"),
        ('{"weight_map": {"a": "gone.safetensors"}}', "does not exist"),
        (
            '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}',
            "says that a is in model-00001-of-00002.safetensors, but it is not",
        ),
    ],
)
def test_lying_indexes(folder: Path, index: str, text: str) -> None:
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(Error, match=text):
        Checkpoint(folder)


def test_an_index_that_cannot_be_read(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    with index.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Error, match="has more than 128 MiB; expected a safetensors index"):
        Checkpoint(folder)
    index.unlink()
    index.symlink_to("/proc/self/mem")
    with pytest.raises(Error, match=r"is not a safetensors index.*Input/output error"):
        Checkpoint(folder)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--experts", "2", "--hidden", "32", "--intermediate", "32"]
    assert main([str(tmp_path / "new"), *arguments]) == 0
    assert Checkpoint(tmp_path / "new")["model.layers.0.mlp.experts.gate_up_proj"].shape[1] == 64
    with pytest.raises(SystemExit):
        main([str(tmp_path / "bad"), "--hidden", "33"])
    assert "positive multiples of 32; got 1, 4, 33, 2880" in capsys.readouterr().err


def test_dtypes_that_numpy_lacks(tmp_path: Path) -> None:
    # Found by fuzzing: safetensors names a numpy dtype that does not exist.
    def write(name: str) -> Path:
        tensor = {"dtype": "F4", "shape": [2, 32], "data_offsets": [0, 32]}
        meta = {"format": "mxfp4-packed-weights", "version": "3", "n": "1", "k": "32",
                "rows": "as stored", "order": "spread", "scales": "raw", "digest": "",
                "proof": '{"scale_min": 1, "scale_max": 2, "has_nan": false}'}  # fmt: skip
        known = {"__metadata__": meta} if name == "packed" else {}
        header = json.dumps({**known, name: tensor}).encode()
        path = tmp_path / "model.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(32))
        return path

    with pytest.raises(Error, match="x is of dtype F4, which numpy cannot hold"):
        Checkpoint(write("x")).read("x")
    with pytest.raises(Error, match="packed weights must be U8, got F4"):
        PackedWeights.load(write("packed"))


def test_a_file_whose_names_are_there_twice(tmp_path: Path) -> None:
    entry = '{"dtype": "U8", "shape": [%s], "data_offsets": [0, 4]}'
    header = f'{{"a": {entry % "4"}, "a": {entry % "2, 2"}}}'.encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(Error, match="is not a whole safetensors file: a name is there twice"):
        Checkpoint(file)


def test_a_file_that_shrinks_or_goes(folder: Path) -> None:
    checkpoint = Checkpoint(folder)
    file = folder / "model-00001-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(Error, match="is cut off; the file changed since it was opened"):
        checkpoint[DOWN].read(2)
    file.unlink()
    with pytest.raises(Error, match="cannot be read: No such file"):
        checkpoint[DOWN].digest()


def test_packed_weights_are_no_checkpoint(folder: Path, tmp_path: Path) -> None:
    pack_checkpoint(Checkpoint(folder), tmp_path / "packed")
    for path in (tmp_path / "packed", tmp_path / "packed" / f"{DOWN}.safetensors"):
        with pytest.raises(Error, match=r"is packed already, .* `mxfp4 inspect` shows"):
            Checkpoint(path)


def test_notes_count_what_is_alike() -> None:
    checkpoint = Checkpoint.__new__(Checkpoint)
    for count, more in ((1, ""), (2, " (and 1 alike)"), (3, " (and 2 alike)")):
        checkpoint.left_out = {f"layers.{i}.w_scale": f"layer {i}." for i in range(count)}
        assert checkpoint.notes() == ["layer 0." + more]
