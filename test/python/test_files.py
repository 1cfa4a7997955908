# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files on full disks, behind links, and in place of devices."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Artifact, Error, Problem, compile_artifact, pack
from mxfp4._files import write_whole
from mxfp4.cli import main
from mxfp4.explain import _write
from toolchain import TREE

PROBLEM = Problem(1, 64, 64)


@contextmanager
def little_room() -> Iterator[None]:
    """No file of more than 100 bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return compile_artifact(PROBLEM)


def writers(artifact: Artifact) -> dict[str, tuple[str, Callable[[Path], object]]]:
    """The file that each writes first, and how."""
    weights = pack(np.zeros((1, 64, 2, 16), np.uint8), np.full((1, 64, 2), 127, np.uint8))
    return {
        "text": ("it", lambda folder: write_whole(folder / "it", "x" * 1000)),
        "page": ("it", lambda folder: _write(folder / "it", "x" * 1000)),
        "artifact": ("it/kernel.ptx", lambda folder: artifact.save(folder / "it")),
        "weights": ("it", lambda folder: weights.save(folder / "it")),
    }


@pytest.mark.parametrize("kind", ["text", "page", "artifact", "weights"])
def test_full_disk(kind: str, artifact: Artifact, tmp_path: Path) -> None:
    """The error names the file, and nothing is left of it; what was there stays."""
    name, write = writers(artifact)[kind]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("precious")
    with little_room(), pytest.raises(OSError, match="large") as error:
        write(tmp_path)
    assert error.value.filename == str(tmp_path / name)
    assert (tmp_path / name).read_text() == "precious"
    assert not [path for path in tmp_path.rglob("*") if "part" in path.name]
    write(tmp_path)
    assert (tmp_path / name).stat().st_size >= 1000


def test_links_stay(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_text("old")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_devices_stay(artifact: Artifact, tmp_path: Path) -> None:
    """A file never takes the place of a device or a pipe."""
    reader, writer = os.pipe()
    write_whole(f"/dev/fd/{writer}", "through")
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"through"
    os.mkfifo(tmp_path / "it")
    with pytest.raises(Error, match="is a folder, a device or a pipe; give the name of a file"):
        writers(artifact)["weights"][1](tmp_path)
    assert (tmp_path / "it").is_fifo()


def needs_full() -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")


def test_command_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    needs_full()
    assert main(["explain", "experts=1 n=64 k=64", "-o", "/dev/full"]) == 1
    assert "error: /dev/full: No space left on device" in capsys.readouterr().err
    assert Path("/dev/full").is_char_device()


def test_output_without_room() -> None:
    """What is not printed is an error, too."""
    needs_full()
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [TREE / "build" / "bin" / "mxfp4-sim", "--help"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert run.returncode == 2
    assert "mxfp4-sim: cannot write the output: No space left on device" in run.stderr
