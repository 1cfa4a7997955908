# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Disks that are full: every command that prints or writes says so, and leaves nothing behind.

The disks are real: file systems in memory of a few pages, or of a few files. Where a user may not
mount one, limits on the size of files stand for them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from toolchain import TREE, c_compiler

BIN = TREE / "build" / "bin"
PROBLEM = "experts=1 n=64 k=64"
FULL = re.compile("No space left on device|are free there")
MODULE = "".join(f"func.func @f{i}() {{ return }}\n" for i in range(400))

PRINTING = {
    "mxfp4-opt": "mxfp4-opt in.mlir",
    "mxfp4-opt, bytecode": "mxfp4-opt --emit-bytecode in.mlir",
    "mxfp4-opt, help": "mxfp4-opt --help",
    "mxfp4-opt, version": "mxfp4-opt --version",
    "mxfp4-opt, dialects": "mxfp4-opt --show-dialects",
    "mxfp4-opt, passes": "mxfp4-opt --list-passes",
    "mxfp4-compile, help": "mxfp4-compile --help",
    "mxfp4-compile, devices": "mxfp4-compile --list-devices",
    "mxfp4-compile, schedules": "mxfp4-compile --list-schedules",
    "mxfp4-compile, MLIR": f"mxfp4-compile '{PROBLEM}' --emit-mlir",
    "mxfp4-compile": f"mxfp4-compile '{PROBLEM}' -o out",
    "mxfp4-sim, help": "mxfp4-sim --help",
    "mxfp4-sim": "mxfp4-sim kernel.ptx --report",
    "mxfp4, help": "mxfp4 --help",
    "mxfp4, version": "mxfp4 --version",
    "mxfp4 compile, help": "mxfp4 compile --help",
    "mxfp4 compile": f"mxfp4 compile '{PROBLEM}' --rows-hint 1 -o out",
    "mxfp4 explain": f"mxfp4 explain '{PROBLEM}' -o out.html",
    "mxfp4 completion": "mxfp4 completion bash",
    "mxfp4.bench, list": "python -m mxfp4.bench --list --experts 32 --tokens 1",
    "mxfp4.bench.layer, help": "python -m mxfp4.bench.layer --help",
    "mxfp4.verify, list": "python -m mxfp4.verify --list",
    "mxfp4.make_checkpoint": "python -m mxfp4.make_checkpoint out --layers 1 --experts 1"
    " --hidden 64 --intermediate 64 --vocabulary 0 --codes",
}
"""Commands that print, by what they print."""

WRITING = {
    "mxfp4-opt": ("mxfp4-opt in.mlir -o {}/a.mlir", 1),
    "mxfp4-compile": (f"mxfp4-compile '{PROBLEM}' -o {{}}/a/b", 2),
    "mxfp4-sim": ("mxfp4-sim kernel.ptx --arg extra:iota:9000 --dump 0:{}/dump", 1),
    "mxfp4 compile": (f"mxfp4 compile '{PROBLEM}' -o {{}}/a", 2),
    "mxfp4 explain": (f"mxfp4 explain '{PROBLEM}' -o {{}}/a.html", 1),
    "mxfp4 pack": ("mxfp4 pack checkpoint -o {}/a", 2),
    "mxfp4.make_checkpoint": (
        "python -m mxfp4.make_checkpoint {}/a --layers 2 --experts 1 --hidden 64"
        " --intermediate 64 --vocabulary 0 --codes", 2),
}  # fmt: skip
"""Commands that write into a folder, and how many files and folders at least."""


def command(words: str) -> str:
    """A line for the shell."""
    name, _, rest = words.partition(" ")
    if name in ("mxfp4", "python"):
        module = "-m mxfp4" if name == "mxfp4" else ""
        return f"{shlex.quote(sys.executable)} {module} {rest}"
    return f"{shlex.quote(str(BIN / name))} {rest}"


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line in the shell, with a cache of kernels of its own."""
    known = {**os.environ, "PYTHONPATH": str(TREE / "python"), "MXFP4_CACHE": str(folder / "cache")}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=known | environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What commands read."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "in.mlir").write_text(MODULE)
    (folder / "kernel.ptx").write_text(
        ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k() {\n  ret;\n}\n"
    )
    made = run(command(WRITING["mxfp4.make_checkpoint"][0].format(".")), folder)
    assert made.returncode == 0, made.stderr
    (folder / "a").rename(folder / "checkpoint")
    return folder


@pytest.fixture(scope="module")
def packed(inputs: Path) -> Path:
    """What packing leaves where there is room."""
    done = run(command(WRITING["mxfp4 pack"][0].format("packed")), inputs)
    assert done.returncode == 0, done.stderr
    return inputs / "packed" / "a"


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize("kind", PRINTING)
def test_output_without_room(kind: str, buffered: bool, inputs: Path) -> None:
    """A sentence and a failing status, whether Python writes lines at once or all at the end."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    words = PRINTING[kind]
    done = run(
        f"{command(words)} >/dev/full", inputs, PYTHONUNBUFFERED="" if buffered else "1",
        COLUMNS="80",
    )  # fmt: skip
    assert done.returncode not in (0, 120), done.stderr
    told = [line for line in done.stderr.splitlines() if "No space left on device" in line]
    assert len(told) == 1, done.stderr
    assert "cannot write the output: No space left on device" in told[0]
    assert told[0].startswith(words.partition(" ")[0])
    for noise in ("LLVM ERROR", "Traceback", "Exception ignored", "Stack dump"):
        assert noise not in done.stderr


@cache
def may_mount() -> bool:
    """Whether this user can have a file system of its own, as root or in a name space."""
    line = f"{private()} 'mount -t tmpfs -o size=4k tmpfs /mnt'"
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False).returncode == 0


def private() -> str:
    """The start of a line whose mounts nobody else sees."""
    return "unshare -m bash -c" if os.geteuid() == 0 else "unshare -rm bash -c"


def tree(text: str) -> list[str]:
    """Names that find printed behind a mark, and what old files contain."""
    return sorted(text.partition("LEFT\n")[2].split())


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITING)
def test_every_little_disk(kind: str, inputs: Path, packed: Path, tmp_path: Path) -> None:
    """Each number of pages, and then of files, up to enough: all is there, or nothing is."""
    if not may_mount():
        pytest.skip("this user may not mount a file system")
    words, least = WRITING[kind]
    line = command(words.format(tmp_path))
    whole: list[str] = []
    # Files of tensors are kept, because the next try packs the others alone.
    tensors = [f"{tmp_path}/a/{file.name}" for file in packed.glob("*.safetensors")]
    remains = [f"{tmp_path}/a", f"{tmp_path}/a/.lock", *tensors] if kind == "mxfp4 pack" else []
    for limit, counts in (("size={}k", range(4, 2000, 4)), ("nr_inodes={}", range(1, 40))):
        failures = 0
        steps = iter(counts)
        for count in steps:
            script = (
                f"mount -t tmpfs -o {limit.format(count)} tmpfs {tmp_path}; {line}; code=$?; "
                f"echo LEFT; find {tmp_path} -mindepth 1; exit $code"
            )
            done = run(f"{private()} {shlex.quote(script)}", inputs)
            left = tree(done.stdout)
            if done.returncode == 0:
                whole = whole or left
                assert left == whole
                break
            failures += 1
            assert all(name in remains for name in left), f"{limit.format(count)}: {left}"
            told = [line for line in done.stderr.splitlines() if FULL.search(line)]
            assert len(told) == 1, done.stderr
            assert str(tmp_path) in told[0]
            for noise in ("LLVM ERROR", "Traceback", "Stack dump"):
                assert noise not in done.stderr
            for _ in range(failures**2):  # larger and larger steps
                next(steps, None)
        else:
            pytest.fail(f"no {limit} of up to {counts[-1]} was enough: {done.stderr}")
        assert failures >= 1
        assert len(whole) >= least


@pytest.mark.parametrize("kind", WRITING)
def test_files_that_may_not_grow(kind: str, inputs: Path, tmp_path: Path) -> None:
    """A limit on the size of a file is a full disk to a program: what was there stays."""
    words, _ = WRITING[kind]
    line = command(words.format(tmp_path))
    first = run(line, inputs)
    assert first.returncode == 0, first.stderr
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert before
    if kind == "mxfp4 pack":  # which leaves what is packed alone, and writes its index anew
        before = {p: data for p, data in before.items() if p.name != ".lock"}
    largest = max(map(len, before.values()))
    least = min(map(len, before.values()))
    for blocks in {0, least // 1024 // 2, largest // 1024 // 2, (largest - 1) // 1024}:
        done = run(f"ulimit -f {blocks}; {line}", inputs)
        after = {
            p: p.read_bytes() for p in tmp_path.rglob("*") if p.name != ".lock" and p.is_file()
        }
        assert after == before
        if kind == "mxfp4 pack" and blocks * 1024 >= least:
            continue
        assert done.returncode not in (0, 120)
        assert re.search("File too large|temporary directory writable and not full", done.stderr)
        for noise in ("LLVM ERROR", "Traceback", "Stack dump"):
            assert noise not in done.stderr


IN_PLACE = {
    "mxfp4-opt": ("mxfp4-opt in.mlir -o {}/a", "a"),
    "mxfp4-compile": (f"mxfp4-compile '{PROBLEM}' -o {{}}", "kernel.ptx"),
    "mxfp4-sim": ("mxfp4-sim kernel.ptx --arg extra:iota:900 --dump 0:{}/dump", "dump"),
}
"""Commands of C++ that write, and a file that they write."""


@pytest.mark.parametrize("kind", IN_PLACE)
def test_a_mounted_file_is_written_in_place(kind: str, inputs: Path, tmp_path: Path) -> None:
    """No other file can take its place, as in containers; none is left next to it."""
    if not may_mount():
        pytest.skip("this user may not mount a file system")
    words, name = IN_PLACE[kind]
    (tmp_path / "known").mkdir()
    assert run(command(words.format(tmp_path / "known")), inputs).returncode == 0
    folder = tmp_path / "here"
    folder.mkdir()
    for file in (tmp_path / "mounted", folder / name):
        file.write_text("old, and long enough to show when it is not cut off" * 1000)
    script = f"mount --bind {tmp_path}/mounted {folder}/{name}; {command(words.format(folder))}"
    done = run(f"{private()} {shlex.quote(script)}", inputs)
    assert done.returncode == 0, done.stderr
    known = (tmp_path / "known" / name).read_bytes()
    assert (tmp_path / "mounted").read_bytes() == known
    assert sorted(os.listdir(folder)) == sorted(os.listdir(tmp_path / "known"))


LATE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int close(int descriptor) {
  char link[64], name[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t size = readlink(link, name, sizeof name - 1);
  int status = ((int (*)(int))dlsym(RTLD_NEXT, "close"))(descriptor);
  if (size > 0 && strstr(name, ".tmp")) {
    errno = ENOSPC;
    status = -1;
  }
  return status;
}
"""
"""A file system in a network, which may find out when a file is closed that there is no room."""


@pytest.mark.parametrize("kind", IN_PLACE)
def test_no_room_that_is_found_out_late(kind: str, inputs: Path, tmp_path: Path) -> None:
    words, name = IN_PLACE[kind]
    (tmp_path / "late.c").write_text(LATE)
    late = tmp_path / "late.so"
    make = [c_compiler(), "-shared", "-fPIC", "-o", late, tmp_path / "late.c", "-ldl"]
    subprocess.run(make, check=True)
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / name).write_text("old")
    done = run(command(words.format(folder)), inputs, LD_PRELOAD=str(late))
    assert done.returncode not in (0, 120)
    assert f"cannot write '{folder / name}': No space left on device" in done.stderr
    assert os.listdir(folder) == [name]
    assert (folder / name).read_text() == "old"
