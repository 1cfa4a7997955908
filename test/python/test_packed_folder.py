# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packed folders: weights are known by their content, and files are what their index says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Checkpoint, Error, packed_file
from mxfp4.packed_checkpoint import INDEX, PackedCheckpoint
from packing import NAMES, pack
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


def other_weights(source: Checkpoint, folder: Path, which: int = 0, place: int = 0) -> Checkpoint:
    """A checkpoint with the same names, sizes and times of its files, and one byte changed."""
    shutil.copytree(source.path, folder)
    file = next(iter(source[NAMES[0]].files))
    tensor = list(source[NAMES[0]].matrices.stored())[which]
    data = bytearray(file.read_bytes())
    data[tensor.offset + place * (tensor.size - 1)] ^= 0x10
    stamp = file.stat()
    (folder / file.name).write_bytes(data)
    os.utime(folder / file.name, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    return Checkpoint(folder)


@pytest.mark.parametrize("place", ["first byte", "last byte"])
@pytest.mark.parametrize("which", ["codes", "scales"])
def test_weights_are_known_by_their_content(
    source: Checkpoint, out: Path, tmp_path: Path, which: str, place: str
) -> None:
    other = other_weights(source, tmp_path / "other", which == "scales", place == "last byte")
    pack(source, out)
    packed = PackedCheckpoint(out)
    assert packed.digest(NAMES[0]) == source[NAMES[0]].digest() != other[NAMES[0]].digest()
    with pytest.raises(Error, match=r"was packed from other weights than the checkpoint has now\."):
        pack(other, out)
    with pytest.raises(Error, match="was packed from other weights than the checkpoint has as"):
        packed.of(other[NAMES[0]])
    with pytest.raises(Error, match=r"expert . is not what the checkpoint has"):
        packed.verify(NAMES[0], other[NAMES[0]])
    packed.verify(NAMES[0], source[NAMES[0]])
    assert np.array_equal(packed.of(other[NAMES[1]]).data, packed[NAMES[1]].data), "as it was"
    # A digest that was written into the file is found out.
    file = packed.files[NAMES[0]]
    data = file.read_bytes()
    forged = data.replace(source[NAMES[0]].digest().encode(), other[NAMES[0]].digest().encode())
    assert forged != data
    file.write_bytes(forged)
    with pytest.raises(Error, match="the digest does not fit"):
        packed_file.verify(file)
    tensors, found = load_file(file), packed_file.metadata(file)
    weights = packed_file.open_weights(file)
    meaning = packed_file._Meaning(weights.shape, weights.layout, weights.proof)
    for expert in packed_file.experts(weights):
        meaning.add(expert)
    save_file(tensors, file, {**found, "digest": meaning.digest(found)})
    with pytest.raises(Error, match="not those whose digest the metadata has"):
        packed_file.verify(file)


def test_a_file_of_another_packing_is_found_out(
    source: Checkpoint, out: Path, tmp_path: Path
) -> None:
    other = other_weights(source, tmp_path / "other")
    pack(source, out)
    pack(other, tmp_path / "q")
    file = f"{NAMES[0]}.safetensors"
    shutil.copy(tmp_path / "q" / file, out / file)
    with pytest.raises(Error, match=r"other weights than mxfp4-packed\.json says: one of both"):
        PackedCheckpoint(out)[NAMES[0]]
    pack(source, out, force=True)
    PackedCheckpoint(out).verify(NAMES[0], source[NAMES[0]])


def test_a_checkpoint_can_be_read_beside_packed_weights(source: Checkpoint, tmp_path: Path) -> None:
    save_file({"x_blocks": np.zeros((1, 1, 1, 16), np.uint8),
               "x_scales": np.zeros((1, 1, 1), np.uint8)},
              tmp_path / "model.safetensors")  # fmt: skip
    pack(source, tmp_path)
    assert list(Checkpoint(tmp_path).experts) == ["x"]
    assert list(PackedCheckpoint(tmp_path).files) == NAMES
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(Error, match="is packed already"):
        Checkpoint(tmp_path)


def test_the_checkpoints_own_folder_is_refused(source: Checkpoint, tmp_path: Path) -> None:
    before = sorted(p.name for p in source.path.iterdir())
    (tmp_path / "link").symlink_to(source.path)
    blobs, hub = tmp_path / "blobs", tmp_path / "hub"
    shutil.copytree(source.path, blobs)
    hub.mkdir()
    for file in blobs.glob("*.safetensors"):
        (hub / file.name).symlink_to(file)
    for checkpoint, folder in ((source, source.path), (source, tmp_path / "link"),
                               (Checkpoint(hub), hub), (Checkpoint(hub), blobs),
                               (Checkpoint(next(iter(source[NAMES[0]].files))), source.path)
                               ):  # fmt: skip
        with pytest.raises(Error, match="has the checkpoint's own files; packed weights need"):
            pack(checkpoint, folder)
    assert sorted(p.name for p in source.path.iterdir()) == before
    pack(source, source.path / "packed")
    assert list(Checkpoint(source.path)) == list(PackedCheckpoint(source.path / "packed")) == NAMES


@pytest.mark.parametrize(
    ("index", "text"),
    [
        ("{", "is not an index of packed tensors"),
        ("[]", "is not an index of packed tensors"),
        ("[" * 100000, "is not an index of packed tensors"),
        ('{"format": "x", "version": 2, "tensors": {}}', "and version 2, got"),
        ('{"format": "mxfp4-packed-checkpoint", "version": 1, "tensors": {}}',
         "Version 1 has no digest of the checkpoint .* pack the checkpoint again"),
        ('{"format": "mxfp4-packed-checkpoint", "version": 2, "tensors": '
         '{"a": {"file": "a.safetensors"}}}', r"names a\.safetensors, which is not there"),
        *(('{"format": "mxfp4-packed-checkpoint", "version": 2, "tensors": '
           f'{{"a": {{"file": "{file}"}}}}}}', r"the file of a must be a\.safetensors, got")
          for file in ("b", "../a.safetensors", "/etc/passwd", "", "a\\u0000", "x" * 300)),
    ],
)  # fmt: skip
def test_lying_indexes(tmp_path: Path, index: str, text: str) -> None:
    (tmp_path / INDEX).write_text(index)
    with pytest.raises(Error, match=text):
        PackedCheckpoint(tmp_path)


def test_an_index_that_cannot_be_read(tmp_path: Path) -> None:
    with (tmp_path / INDEX).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Error, match="has more than 128 MiB; expected an index of packed tensors"):
        PackedCheckpoint(tmp_path)
    (tmp_path / INDEX).unlink()
    (tmp_path / INDEX).symlink_to("/proc/self/mem")
    with pytest.raises(Error, match=r"is not an index of packed tensors .*Input/output error"):
        PackedCheckpoint(tmp_path)


def rewritten(file: Path, **metadata: str) -> None:
    """Write a file again with other metadata."""
    with safe_open(file, "numpy") as opened:
        found = opened.metadata() | metadata
    save_file(load_file(file), file, found)


def test_a_changed_file_is_noticed(source: Checkpoint, out: Path) -> None:
    pack(source, out)
    found = PackedCheckpoint(out)
    file = found.files[NAMES[0]]
    data = bytearray(file.read_bytes())
    data[-3000] ^= 4
    file.write_bytes(data)
    with pytest.raises(Error, match="the digest does not fit"):
        found.verify(NAMES[0])
    pack(source, out, force=True)
    rewritten(file, version="2")
    with pytest.raises(Error, match=r"digest of the checkpoint.*; pack the weights again"):
        found[NAMES[0]]
    rewritten(file, version="3", name="another")
    with pytest.raises(Error, match=r"must hold 'model.*', but it holds 'another'; pack again"):
        found[NAMES[0]]
    rewritten(file, name=NAMES[0], rows="somehow")
    with pytest.raises(Error, match="rows must be one of"):
        found[NAMES[0]]
    pack(source, out, force=True)
    tensors = load_file(file)
    meta = packed_file.metadata(file)
    save_file({"packed": tensors["packed"].view(np.int8)}, file, meta)
    with pytest.raises(Error, match="must be U8, got I8"):
        found[NAMES[0]]


@pytest.mark.parametrize("place", ["tensor", "index"])
@pytest.mark.parametrize("force", [False, True])
def test_a_folder_where_a_file_belongs(
    source: Checkpoint, out: Path, place: str, force: bool
) -> None:
    """It is found before anything is packed."""
    name = INDEX if place == "index" else f"{NAMES[1]}.safetensors"
    (out / name).mkdir(parents=True)
    with pytest.raises(Error, match="is a folder, and a file of this name is to be written"):
        pack(source, out, force=force)
    assert os.listdir(out) == [name]


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link", "folder"])
def test_a_lock_that_is_no_file(source: Checkpoint, out: Path, tmp_path: Path, kind: str) -> None:
    """Neither waited for, nor written through."""
    out.mkdir()
    elsewhere = tmp_path / "elsewhere"
    if kind == "pipe":
        os.mkfifo(out / ".lock")
    elif kind == "folder":
        (out / ".lock").mkdir()
    else:
        (out / ".lock").symlink_to(elsewhere)
    if kind == "link":
        elsewhere.write_text("theirs")
    with pytest.raises(Error, match="must be a plain file, which locks the folder"):
        pack(source, out)
    assert os.listdir(out) == [".lock"]
    assert elsewhere.exists() == (kind == "link")


@pytest.mark.parametrize("kind", ["file", "below a file", "circle", "dangling link"])
def test_what_cannot_become_a_folder(source: Checkpoint, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    if kind == "circle":
        place.symlink_to(place)
    elif kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.write_text("theirs")
    with pytest.raises(Error, match="cannot become a folder"):
        pack(source, place / "below" if kind == "below a file" else place)
    assert kind not in ("file", "below a file") or place.read_text() == "theirs"
    assert not (tmp_path / "nowhere").exists()
