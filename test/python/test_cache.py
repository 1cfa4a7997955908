# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cache of compiled kernels: what is kept, what is dropped, and who may share it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import PTX, artifact, manifest, without_shapes
from mxfp4 import Compiler, Error, Problem, library
from mxfp4 import compile as compile_module
from mxfp4._linked import linked
from mxfp4.cache import Cache, cache_limit
from mxfp4.compile import compile_artifact

needs_library = pytest.mark.skipif(
    library.find() is None and os.environ.get("MXFP4_REQUIRE_LIBRARY") != "1",
    reason="libmxfp4.so was not found",
)
CODE = b"\x7fELF code"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**6)


def test_what_is_stored_comes_back(cache: Cache) -> None:
    assert cache.load("a") is None
    cache.store("a", artifact(cubin=CODE))
    found = cache.load("a")
    assert found is not None
    assert (found.ptx, found.cubin, found.manifest.n) == (PTX, CODE, 70)
    assert [e.name for e in cache.entries()] == ["a"]
    assert sorted(p.name for p in cache.folder.iterdir()) == ["a"], "no scratch is left"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("kernel.cubin", b"\x7fELF cxde"),  # nothing but the digest can tell
        ("kernel.ptx", b""),
        ("manifest.json", b"{"),
        ("digest", b"\xff\xfe"),
        ("kernel.ptx", None),
        ("digest", None),
        ("more", b"x"),
    ],
)
def test_a_damaged_entry_is_dropped(cache: Cache, file: str, content: bytes | None) -> None:
    cache.store("a", artifact(cubin=CODE))
    if content is None:
        (cache.folder / "a" / file).unlink()
    else:
        (cache.folder / "a" / file).write_bytes(content)
    assert cache.load("a") is None
    assert list(cache.folder.iterdir()) == []
    cache.store("a", artifact(cubin=CODE))
    assert cache.load("a") is not None


def test_the_least_recently_used_go_first(cache: Cache) -> None:
    cache.store("0", artifact(cubin=CODE))
    cache.limit = 3 * cache.size() + 10
    for key in "12":
        cache.store(key, artifact(cubin=CODE))
    for age, key in enumerate("210"):
        os.utime(cache.folder / key, (1e9 - age, 1e9 - age))
    assert cache.load("0") is not None, "used now"
    cache.store("3", artifact(cubin=CODE))
    assert {e.name for e in cache.entries()} == {"0", "2", "3"}
    assert cache.size() <= cache.limit


def test_the_folder_is_looked_through_now_and_then(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the first kernel, and after each sixteenth of the limit."""
    looked: list[int] = []
    by_age = Cache._by_age
    monkeypatch.setattr(Cache, "_by_age", lambda self: looked.append(1) or by_age(self))
    cache.store("first", artifact(cubin=CODE))
    size = cache.size()
    cache.limit = 16 * 5 * size
    looked.clear()
    for number in range(12):
        cache.store(str(number), artifact(cubin=CODE))
    assert len(looked) == 2, "after six each"
    cache.limit = 2 * size
    cache.store("last", artifact(cubin=CODE))
    assert cache.size() <= cache.limit


def test_scratch_of_dead_processes_is_removed(cache: Cache) -> None:
    for name, age in ((".scratch-dead", 7200), (".scratch-alive", 60)):
        (cache.folder / name).mkdir(parents=True)
        os.utime(cache.folder / name, (time.time() - age,) * 2)
    cache.store("a", artifact())
    assert sorted(p.name for p in cache.folder.iterdir()) == [".scratch-alive", "a"]


def test_what_another_process_dropped_first_leaves_no_scratch(cache: Cache) -> None:
    cache.store("a", artifact())
    cache._drop(cache.folder / "b")
    assert [p.name for p in cache.folder.iterdir()] == ["a"]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache", 10**6)
    cache.store("a", artifact())
    assert cache.load("a") is None


def test_the_first_of_two_wins(cache: Cache) -> None:
    cache.store("a", artifact())
    cache.store("a", artifact(without_shapes(manifest(problem__n=71))))
    found = cache.load("a")
    assert found is not None
    assert found.manifest.n == 70
    assert [p.name for p in cache.folder.iterdir()] == ["a"]


def test_the_limit_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXFP4_CACHE_MB", "3")
    assert cache_limit() == 3_000_000
    monkeypatch.setenv("MXFP4_CACHE_MB", "a lot")
    with pytest.raises(Error, match="must be a whole number of megabytes, got 'a lot'"):
        cache_limit()


def test_a_key_names_all_that_a_kernel_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "ptxas"
    tool.write_text("13.0")
    monkeypatch.setenv("MXFP4_LIBRARY", str(tool))
    monkeypatch.setenv("MXFP4_PTXAS", str(tool))
    key = compile_module._cache_key
    keys = [key(Problem(2, 64, 64), "a=1 b=2"), key(Problem(2, 64, 96), "a=1 b=2")]
    assert key(Problem(2, 64, 64), "b=2 a=1") == keys[0]
    keys.append(key(Problem(2, 64, 64), "a=1 b=3"))
    for name, value in (
        (f"{compile_module.__name__}.__version__", "another"),
        (f"{compile_module.__name__}.find_ptxas", lambda: None),
        (f"{library.__name__}.identity", lambda: "another"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(name, value)
            keys.append(key(Problem(2, 64, 64), "a=1 b=2"))
    before = library.identity()
    tool.write_text("13.1 is larger")
    assert library.identity() != before
    assert len(set(keys)) == len(keys)


@needs_library
def test_a_key_names_the_libraries_of_mlir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those that the loader takes; another file of the name makes another key."""
    compiler = library.find()
    assert compiler is not None
    told = subprocess.run(["ldd", compiler], capture_output=True, text=True, check=True).stdout
    loaded = dict(re.findall(r"^\s*(\S+) => (\S+)", told, re.MULTILINE))
    found = linked(compiler)
    assert {file.name.partition(".")[0] for file in found} >= {"libMLIR", "libLLVM"}
    for file in found:
        assert file.samefile(loaded[file.name])
    before = library.identity()
    for file in found:
        (tmp_path / file.name).write_bytes(b"another")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
        assert library.identity() != before
        before = library.identity()


@needs_library
@pytest.mark.parametrize("kept", [0, 5, 6, 0x20, 0x3A, 0x40, 0x80, 0x200, 0x1000])
def test_a_library_that_is_cut_off_is_linked_with_nothing(kept: int, tmp_path: Path) -> None:
    compiler = library.find()
    assert compiler is not None
    with compiler.open("rb") as file:
        (tmp_path / "it").write_bytes(file.read(kept))
    assert linked(tmp_path / "it") == []


@needs_library
def test_compiled_kernels_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXFP4_CACHE", str(tmp_path))
    forget = compile_module._compile_cached.cache_clear
    forget()
    first = compile_artifact(Problem(2, 64, 64), "rows-hint=8")
    forget()
    monkeypatch.setattr(Compiler, "compile", None)  # a second compilation would fail
    again = compile_artifact(Problem(2, 64, 64), "rows-hint=8")
    forget()
    assert (again.ptx, again.cubin) == (first.ptx, first.cubin)


def test_processes_share_the_cache(tmp_path: Path) -> None:
    code = """
import sys, mxfp4
go = sys.stdin.readline()
print(hash(mxfp4.compile_artifact(mxfp4.Problem(2, 64, 64), "rows-hint=8").ptx))
"""
    environment = {**os.environ, "MXFP4_CACHE": str(tmp_path), "PYTHONHASHSEED": "1",
                   "PYTHONPATH": ":".join(sys.path)}  # fmt: skip
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, text=True, env=environment, **pipes) for _ in range(4)]
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in running]
    assert [err for _, err in said] == [""] * 4
    assert len({out for out, _ in said}) == 1
    assert len(list(tmp_path.iterdir())) == 1, "one entry and no scratch"
