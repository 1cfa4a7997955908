# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files on full disks, behind links, and in place of devices."""

from __future__ import annotations

import ast
import dataclasses
import errno
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mxfp4 import Artifact, Error, Layout, Problem, Proof, compile_artifact, pack, packed_file
from mxfp4._files import write_together, write_whole
from mxfp4.cli import main
from mxfp4.explain import _write
from mxfp4.make_checkpoint import Shape, make_checkpoint
from toolchain import TREE

sys.path.insert(0, str(TREE / "tools"))
import generated

PROBLEM = Problem(1, 64, 64)
PROOF = Proof(127, 127, False)


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


def experts_of(fault: Exception) -> Iterator[np.ndarray]:
    """One expert of two, and then a fault."""
    yield np.zeros(Layout().shape(64, 64), np.uint8)
    raise fault


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "broken"), FileNotFoundError(2, "no", "src")])
def test_errors_of_the_source_are_left_as_they_are(fault: OSError, tmp_path: Path) -> None:
    """What is read while a file is written is another file, if it has a name or not."""
    name = fault.filename
    with pytest.raises(OSError, match=fault.strerror) as error:
        packed_file.write(tmp_path / "it", experts_of(fault), (2, 64, 64), Layout(), PROOF)
    assert error.value is fault
    assert fault.filename == name
    assert not list(tmp_path.iterdir())


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    def opened() -> Iterator[np.ndarray]:
        with (tmp_path / "source").open("rb") as file:
            yield np.frombuffer(file.read(), np.uint8)

    with pytest.raises(FileNotFoundError) as error:
        packed_file.write(tmp_path / "it", opened(), (1, 64, 64), Layout(), PROOF)
    assert error.value.filename == str(tmp_path / "source")


@pytest.mark.parametrize("kind", ["text", "weights"])
def test_a_folder_that_is_not_there(kind: str, artifact: Artifact, tmp_path: Path) -> None:
    """The error names the file, and not what is written in its place."""
    with pytest.raises(FileNotFoundError) as error:
        writers(artifact)[kind][1](tmp_path / "none")
    assert error.value.filename == str(tmp_path / "none" / "it")


@pytest.mark.parametrize("kind", ["text", "weights"])
def test_a_folder_that_is_a_file(kind: str, artifact: Artifact, tmp_path: Path) -> None:
    """Neither does removing what was never written."""
    (tmp_path / "none").write_text("")
    with pytest.raises(NotADirectoryError) as error:
        writers(artifact)[kind][1](tmp_path / "none")
    assert error.value.filename == str(tmp_path / "none" / "it")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o444])
@pytest.mark.parametrize("kind", ["text", "page", "artifact", "weights"])
def test_modes_stay(kind: str, mode: int, artifact: Artifact, tmp_path: Path) -> None:
    """Whoever may not read what there was may not read what takes its place."""
    name, write = writers(artifact)[kind]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("old")
    (tmp_path / name).chmod(mode)
    write(tmp_path)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert (tmp_path / name).stat().st_size >= 1000


def test_new_files_are_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "it", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "it").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1", "link"]
)
def test_standard_output_that_is_a_file(name: str, tmp_path: Path) -> None:
    """Is written to between what is printed before and after."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    code = (
        "from mxfp4._files import write_whole\n"
        "print('before')\n"
        f"write_whole({name!r}, 'written\\n')\n"
        "print('after')\n"
    )
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, cwd=tmp_path, check=True)
    assert (tmp_path / "out").read_text() == "before\nwritten\nafter\n"


def test_weights_do_not_take_the_place_of_an_open_file(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("old")
    weights = pack(np.zeros((1, 64, 2, 16), np.uint8), np.full((1, 64, 2), 127, np.uint8))
    with (
        (tmp_path / "it").open("r+") as file,
        pytest.raises(Error, match="give the name of a file to write"),
    ):
        weights.save(f"/dev/fd/{file.fileno()}")
    assert (tmp_path / "it").read_text() == "old"


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


def test_generated_pages(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What tools/docs writes is whole or as it was, whoever writes it."""
    page = tmp_path / "page.md"
    page.write_text("precious")
    with little_room():
        assert generated.settle(page, "page.md", "x" * 1000, False, "tools/docs") == 1
    assert "cannot write page.md: File too large; it is as it was" in capfd.readouterr().err
    assert page.read_text() == "precious"
    shell = (TREE / "tools/docs").read_text()
    body = shell[shell.index("# Writes a page") : shell.index("mode=write")]
    line = f"set -euo pipefail; mode=write stale=0; generate() {{ seq 1000; }}; {body} page page.md"
    for limit, left in (("ulimit -f 1", "precious"), ("true", "1\n2\n3\n")):
        done = subprocess.run(
            ["bash", "-c", f"{line.replace('mode=', limit + '; mode=', 1)}; exit $stale"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == (left == "precious"), done.stderr
        assert ("cannot write page.md; it is as it was" in done.stderr) == (left == "precious")
        assert page.read_text().startswith(left)
        assert list(tmp_path.iterdir()) == [page]


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


def test_nothing_is_written_in_place() -> None:
    """What the package writes goes through `write_whole`, or into a folder that is renamed."""
    into_folders = {"cache.py"}
    package = TREE / "python" / "mxfp4"
    found = {
        f"{file.relative_to(package)}:{node.lineno}"
        for file in package.rglob("*.py")
        if file.name not in into_folders
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("write_text", "write_bytes")
    }
    assert not found


def test_a_checkpoint_leaves_modes(tmp_path: Path) -> None:
    shape = Shape(num_hidden_layers=1, num_local_experts=1, hidden_size=64, intermediate_size=64,
                  vocab_size=0)  # fmt: skip
    names = ("config.json", "model.safetensors.index.json")
    for name in names:
        (tmp_path / name).write_text("old")
        (tmp_path / name).chmod(0o600)
    make_checkpoint(Named(tmp_path), shape)
    for name in names:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert json.loads((tmp_path / name).read_text())
    assert not list(tmp_path.glob(".*"))


def test_no_checkpoint_has_shards_of_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended ahead of any rename, an index that is there is of the shards that are there."""
    shape = Shape(num_hidden_layers=2, num_local_experts=1, hidden_size=64, intermediate_size=64,
                  vocab_size=0)  # fmt: skip
    other = dataclasses.replace(shape, num_local_experts=2)
    make_checkpoint(tmp_path / "old", shape)
    make_checkpoint(tmp_path / "new", other)
    whole = [contents(tmp_path / name) for name in ("old", "new")]
    real, left, indices = Path.replace, 0, set()

    def replace(path: Path, target: Any) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    for count in range(10):
        folder = tmp_path / str(count)
        shutil.copytree(tmp_path / "old", folder)
        left, ended = count, False
        try:
            make_checkpoint(folder, other)
            ended = True
        except KeyboardInterrupt:
            pass
        found = contents(folder)
        indices.add("model.safetensors.index.json" in found)
        assert "model.safetensors.index.json" not in found or found in whole, count
        if ended:
            break
    assert ended
    assert found == whole[1]
    assert indices == {False, True}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_file_that_cannot_take_its_place_leaves_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What speaks of others is gone, so that nothing takes new and old files for one."""
    files = {tmp_path / name: name for name in ("data", "manifest")}
    for file in files:
        file.write_text("old")

    def fail() -> None:
        assert [p.name for p in tmp_path.iterdir() if p.suffix != ".part"] == ["data"]
        raise OSError(errno.EIO, "no place")

    with pytest.raises(OSError, match="no place"):
        write_together(files, [tmp_path / "manifest"], fail)
    assert contents(tmp_path) == {"data": b"old"}


class Named:
    """A path that knows nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)
