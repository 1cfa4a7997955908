# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packing a checkpoint into a folder: whole files, resumable, verified, in bounded memory."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Checkpoint, Error, Layout, packed_checkpoint, packed_file, unpack
from mxfp4.make_checkpoint import Shape, make_checkpoint
from mxfp4.packed_checkpoint import INDEX, PackedCheckpoint
from packing import NAMES, pack
from safetensors.numpy import load_file, save_file


@pytest.mark.parametrize("verify", [True, False])
def test_everything_is_packed_and_found_again(source: Checkpoint, out: Path, verify: bool) -> None:
    seen = pack(source, out, verify=verify)
    assert seen.kept == dict.fromkeys(NAMES, False)
    assert seen.bytes == sum(map(packed_checkpoint.packed_bytes, source.experts.values()))
    found = PackedCheckpoint(out)
    assert list(found.files) == NAMES
    for name in NAMES:
        again, original = unpack(found.verify(name)), source[name].read_all()
        assert (again.blocks == original.blocks).all()
        assert (again.scales == original.scales).all()
    assert not list(out.glob("*.part"))
    # Any other reader of the format reads it, too.
    tensors = load_file(found.files[NAMES[0]])
    assert np.array_equal(tensors["packed"], found[NAMES[0]].data)


def test_what_is_there_is_kept(source: Checkpoint, out: Path, tmp_path: Path) -> None:
    pack(source, out, names=NAMES[:1])
    stamp = (out / f"{NAMES[0]}.safetensors").stat().st_mtime_ns
    seen = pack(source, out)
    assert [n for n, kept in seen.kept.items() if kept] == NAMES[:1]
    assert (out / f"{NAMES[0]}.safetensors").stat().st_mtime_ns == stamp
    assert all(pack(source, out).kept.values())
    # Times and places of the checkpoint's files do not matter, since its weights are the same.
    for file in source[NAMES[0]].files:
        os.utime(file, (1, 1))
    source.path.rename(tmp_path / "moved")
    seen = pack(Checkpoint(tmp_path / "moved"), out)
    assert all(seen.kept.values())
    assert seen.bytes == sum(map(packed_checkpoint.packed_bytes, source.experts.values()))


def test_nothing_is_replaced_without_a_word(source: Checkpoint, out: Path) -> None:
    pack(source, out)
    file = out / f"{NAMES[1]}.safetensors"
    before = file.read_bytes()

    def refused(text: str, **options: object) -> None:
        stamps = {p: p.stat().st_mtime_ns for p in out.iterdir()}
        with pytest.raises(Error, match=text + r".*Nothing was packed: choose .* --force"):
            pack(source, out, **options)
        assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == stamps

    raw = Layout("spread", "raw")
    refused(r"scales=folded\), and .*scales=raw\) is asked for \(and 3 more like that", layout=raw)
    file.write_bytes(b"broken")
    refused(r"gate_up_proj\.safetensors is there and cannot be kept: .*is not a whole")
    changed = bytearray(before)
    changed[-3000] ^= 4
    file.write_bytes(changed)
    refused("was changed since it was packed")
    assert all(pack(source, out, verify=False).kept.values()), "bytes are not looked at"
    file.write_bytes((out / f"{NAMES[0]}.safetensors").read_bytes())
    refused(f"holds '{NAMES[0]}'")
    assert [n for n, k in pack(source, out, force=True).kept.items() if not k] == [NAMES[1]]
    assert file.read_bytes() == before
    assert not any(pack(source, out, layout=raw, force=True).kept.values())
    assert all(pack(source, out, layout="auto").kept.values()), "raw is one that auto may choose"


def test_other_files_of_the_folder_are_left_alone(source: Checkpoint, out: Path) -> None:
    out.mkdir()
    save_file({"a": np.zeros(1)}, out / "model.safetensors")
    (out / "x.safetensors").write_bytes(b"something")
    (out / "y.safetensors").symlink_to(out / "nothing")
    source[NAMES[0]].pack().save(out / "mine.safetensors")
    pack(source, out)
    assert list(PackedCheckpoint(out).files) == NAMES
    assert (out / "x.safetensors").read_bytes() == b"something"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(
    source: Checkpoint, out: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, number: int,
) -> None:  # fmt: skip
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(packed_checkpoint.fcntl, "flock", flock)
    if number != errno.ENOLCK:  # nor does it wait for the disk
        monkeypatch.setattr(packed_file.os, "fsync", flock)
    out.mkdir()
    other = out / f"{NAMES[0]}.safetensors.0123abcd.part"
    other.write_bytes(b"another process, which no lock keeps away, writes this")
    pack(source, out)
    assert "has no locks" in caplog.text
    assert "do not pack into this folder from two processes" in caplog.text
    assert list(PackedCheckpoint(out).files) == NAMES
    assert other.exists()
    monkeypatch.undo()
    pack(source, out, names=NAMES[:1], force=True)
    assert other.exists(), "only what is packed again is tidied up"
    pack(source, out, names=NAMES[:1], force=True, layout=Layout("nibble", "raw"))
    assert not other.exists()


def test_an_interrupted_run_leaves_whole_files_only(
    source: Checkpoint, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    real = packed_checkpoint.pack_expert

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(packed_checkpoint, "pack_expert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack(source, out)
    assert sorted(p.name for p in out.iterdir()) == [".lock", f"{NAMES[0]}.safetensors"]
    with pytest.raises(Error, match=f"has no {INDEX}"):
        PackedCheckpoint(out)
    assert list(pack(source, out).kept.values()) == [True, False, False, False]


def test_a_killed_run_is_taken_up(source: Checkpoint, out: Path) -> None:
    out.mkdir()
    (out / f"{NAMES[0]}.safetensors.0123abcd.part").write_bytes(b"half")
    pack(source, out)
    assert sorted(PackedCheckpoint(out).files) == NAMES
    assert not list(out.glob("*.part"))


def test_a_wrong_file_never_gets_its_name(
    source: Checkpoint, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = packed_checkpoint.pack_expert

    def flips_a_code(*arguments: object) -> np.ndarray:
        packed = real(*arguments)  # type: ignore[arg-type]
        packed[0, 0, 0] ^= 1
        return packed

    monkeypatch.setattr(packed_checkpoint, "pack_expert", flips_a_code)
    with pytest.raises(Error, match=r"part: expert 0 is not what the checkpoint has"):
        pack(source, out)
    assert not out.exists()


def test_errors(
    source: Checkpoint, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Error, match="has no MXFP4 expert tensor 'x'"):
        pack(source, out, names=["x"])
    save_file({"a": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(Error, match=r"has no MXFP4 expert tensors\. Found: a "):
        pack(Checkpoint(tmp_path / "other.safetensors"), out)
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(packed_checkpoint.shutil, "disk_usage", lambda _: usage(0, 0, 1000))
        with pytest.raises(Error, match=r"needs [0-9.]+ kB, but only [0-9.]+ k?B are free"):
            pack(source, out)
    pack(source, out)
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Error, match="another process is packing into"):
            pack(source, out)
    with pytest.raises(Error, match="has no packed tensor 'x'"):
        PackedCheckpoint(out)["x"]


def test_files_are_written_whole(tmp_path: Path, rng: np.random.Generator) -> None:
    layout, proof = Layout(), packed_file.Proof(1, 2, False)
    expert = np.zeros((1, 1, 2176), np.uint8)
    file = tmp_path / "a.safetensors"
    for experts, text in (([expert], "expected 2 experts"), ([expert[0]], "must be packed as")):
        with pytest.raises(Error, match=text):
            packed_file.write(file, experts, (2, 1, 32), layout, proof)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_checkpoint(tmp_path: Path) -> None:
    code = """
import sys
from mxfp4.checkpoint import Checkpoint
from mxfp4.packed_checkpoint import pack_checkpoint
pack_checkpoint(Checkpoint(sys.argv[1]), sys.argv[2])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    peaks = []
    for experts in (4, 64):
        source, target = tmp_path / f"c{experts}", tmp_path / f"p{experts}"
        shape = Shape(1, experts, hidden_size=512, intermediate_size=1024)
        make_checkpoint(source, shape, codes=True)
        command = [sys.executable, "-c", code, source, target]
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        peaks.append(int(run.stdout) * 1024)
    size = (tmp_path / "c64" / "model-00001-of-00001.safetensors").stat().st_size
    assert size > 50e6
    assert peaks[1] - peaks[0] < size / 10, (peaks, size)
