# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole checkpoints packed for activations in FP8: folders, their digests, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Checkpoint, Error, PackedWeights, packed_checkpoint, packed_file, unpack
from mxfp4.formats import dequantize
from mxfp4.layout import FP8
from mxfp4.packed_checkpoint import PackedCheckpoint
from mxfp4.packing import pack as pack_weights
from packing import NAMES, pack
from safetensors.numpy import load_file, save_file
from said import Said


@pytest.fixture
def zeros(source: Checkpoint, tmp_path: Path) -> Checkpoint:
    """With blocks of zeros whose scales E5M2 could not hold next to the others of their rows."""
    folder = tmp_path / "zeros"
    shutil.copytree(source.path, folder)
    file = next(iter(source[NAMES[0]].files))
    tensors = load_file(folder / file.name)
    blocks, scales = (tensors[f"{NAMES[0]}_{kind}"] for kind in ("blocks", "scales"))
    blocks[1, 3, 0], scales[1, 3, 0] = 0x80, 240  # some of the zeros are minus zeros
    blocks[2, 5], scales[2, 5] = 0, (3, 250)
    save_file(tensors, folder / file.name, {"format": "pt"})
    return Checkpoint(folder)


def widen(source: Checkpoint, folder: Path, rows: int = 2) -> Checkpoint:
    """With rows whose scales are 30 powers of two apart."""
    shutil.copytree(source.path, folder)
    file = next(iter(source[NAMES[2]].files))
    tensors = load_file(folder / file.name)
    blocks, scales = (tensors[f"{NAMES[2]}_{kind}"] for kind in ("blocks", "scales"))
    blocks[2, 7 : 7 + rows] |= 0x11
    scales[2, 7 : 7 + rows] = (97, 127)
    save_file(tensors, folder / file.name, {"format": "pt"})
    return Checkpoint(folder)


@pytest.mark.parametrize("verify", [True, False])
def test_everything_is_packed_and_found_again(source: Checkpoint, out: Path, verify: bool) -> None:
    seen = pack(source, out, layout="fp8", verify=verify)
    assert seen.kept == dict.fromkeys(NAMES, False)
    sizes = {n: packed_checkpoint.packed_bytes(source[n], FP8) for n in NAMES}
    assert seen.bytes == sum(sizes.values())
    found = PackedCheckpoint(out)
    for name in NAMES:
        weights, original = found.verify(name, source[name]), source[name].read_all()
        assert weights.layout == FP8
        assert weights.data.nbytes + weights.powers.nbytes == sizes[name]
        alone = pack_weights(*original, "fp8")
        assert np.array_equal(weights.data, alone.data)
        assert np.array_equal(weights.powers, alone.powers)
        assert weights.proof == alone.proof
        again = unpack(weights)
        assert (again.blocks == original.blocks).all()
        assert (again.scales == original.scales).all()
        assert found.digest(name) == source[name].digest()
        assert np.array_equal(found.of(source[name]).powers, weights.powers)
    assert all(pack(source, out, layout=FP8).kept.values()), "the layout by its other name"
    assert all(PackedWeights.load(f).powers is not None for f in found.files.values())


def test_zeros_keep_no_scale_and_digests_hold(
    source: Checkpoint, zeros: Checkpoint, out: Path
) -> None:
    pack(zeros, out, layout="fp8")
    name, packed = NAMES[0], PackedCheckpoint(out)
    weights, original = packed.verify(name, zeros[name]), zeros[name].read_all()
    for e in range(3):
        found = weights.unpack(e)
        assert (found.blocks == original.blocks[e]).all(), "signs of zeros, too"
        mine, theirs = dequantize(*found), dequantize(original.blocks[e], original.scales[e])
        assert np.array_equal(mine, theirs)
    assert not (weights.unpack(1).scales == original.scales[1]).all()
    assert packed.digest(name) == zeros[name].digest() != source[name].digest()
    packed.verify(name)
    assert all(pack(zeros, out, layout="fp8").kept.values())
    with pytest.raises(Error, match="was packed from other weights than the checkpoint has"):
        packed.of(source[name])
    # Another scale of zeros makes another checkpoint, though packed bytes are the same.
    with pytest.raises(Error, match="was packed from other weights than the checkpoint has now"):
        pack(source, out, layout="fp8")


@pytest.mark.parametrize("what", ["codes", "scales", "powers", "unpacked", "source"])
def test_changes_are_found_out(source: Checkpoint, out: Path, what: str) -> None:
    pack(source, out, layout="fp8")
    file = PackedCheckpoint(out).files[NAMES[1]]
    data = bytearray(file.read_bytes())
    weights = packed_file.open_weights(file)
    if what == "powers":
        data[-2] ^= 0x80  # of an exponent
    elif what in ("unpacked", "source"):
        digest = packed_file.metadata(file)[what].encode()
        last = b"0" if digest[-1:] != b"0" else b"1"
        assert digest in data
        data = data.replace(digest, digest[:-1] + last)
    else:
        data[weights.data.offset + (5 if what == "codes" else 4096 + 1)] ^= 1
    del weights
    file.write_bytes(data)
    told = r"digest|metadata|scales that E5M2 does not hold|other weights|not what the checkpoint"
    for against in (None, source[NAMES[1]]):
        with pytest.raises(Error, match=told):
            PackedCheckpoint(out).verify(NAMES[1], against)


def test_rows_are_refused_before_anything_is_packed(
    source: Checkpoint, out: Path, tmp_path: Path
) -> None:
    wide = widen(source, tmp_path / "wide")
    assert list(wide[NAMES[2]].rows_beyond_fp8()) == [(2, 7, 97, 127), (2, 8, 97, 127)]
    assert not list(wide[NAMES[0]].rows_beyond_fp8())
    with pytest.raises(Error) as told:
        pack(wide, out, layout="fp8")
    assert str(told.value) == (
        f"{NAMES[2]}: expert 2: row 7 has scales from 2^-30 to 2^0, 30 powers of two apart; E5M2 "
        "holds a row exactly if they are at most 26 apart. 2 rows of 1 of 4 tensors do not fit. "
        "Nothing was packed: pack this checkpoint for activations in bf16."
    )
    assert not list(out.glob("*.safetensors"))
    others = [n for n in NAMES if n != NAMES[2]]
    pack(wide, out, layout="fp8", names=others)
    assert list(PackedCheckpoint(out).files) == others


def test_nan_is_refused(source: Checkpoint, out: Path, tmp_path: Path) -> None:
    wide = widen(source, tmp_path / "wide", 1)
    file = next(iter(wide[NAMES[2]].files))
    tensors = load_file(file)
    tensors[f"{NAMES[2]}_scales"][2, 7, 0] = 255
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(
        Error, match="row 7 has a scale that is NaN, which E5M2 weights cannot hold"
    ):
        pack(Checkpoint(file.parent), out, layout="fp8")


def test_one_layout_is_not_taken_for_the_other(source: Checkpoint, out: Path) -> None:
    pack(source, out, layout="fp8")
    with pytest.raises(Error, match="has the weights for activations in FP8, and those for bf16"):
        pack(source, out)
    pack(source, out, force=True)
    assert PackedCheckpoint(out)[NAMES[0]].layout.activations == "bf16"
    with pytest.raises(Error, match=r"order=spread, .* and .*order=bytes, .* is asked for"):
        pack(source, out, layout="fp8")
    pack(source, out, layout="fp8", force=True)
    assert PackedCheckpoint(out).verify(NAMES[0], source[NAMES[0]]).layout == FP8


def test_the_command(source: Checkpoint, out: Path, tmp_path: Path) -> None:
    said = Said("pack", source.path, "-o", out, "--activations", "fp8")
    assert "4 tensors, " in said.out
    assert "; for activations in FP8" in said.out
    checked = Said("inspect", out, "--verify", "--checkpoint", source.path)
    assert "relative" in checked.out
    assert "bit for bit" in checked.out
    assert "all digests fit" in Said("inspect", out, "--verify").out
    told = json.loads(Said("inspect", out, "--json").out)["tensors"]
    sizes = {t["name"]: t["bytes"] for t in told}
    assert sizes == {n: packed_checkpoint.packed_bytes(source[n], FP8) for n in NAMES}
    assert ": folded, fp8" in Said("inspect", source.path, "--scales").out
    wide = widen(source, tmp_path / "wide")
    assert "2 rows not for fp8" in Said("inspect", wide.path, "--scales").out
    Said("pack", wide.path, "-o", tmp_path / "q", "--activations", "fp8").error(
        "2 rows of 1 of 4 tensors do not fit"
    )
    for option in (("--scales", "raw"), ("--order", "nibble")):
        Said("pack", source.path, "-o", out, "--activations", "fp8", *option).error(
            "--order and --scales are of weights for activations in bf16"
        )
