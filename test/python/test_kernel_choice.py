# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kernel a call runs, with a driver made of Python."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import FakeDriver, Tensor, arguments, artifact, function_manifest, manifest, packed
from mxfp4 import (
    Artifact,
    Error,
    Layout,
    Problem,
    fp8_kernels,
    grouped_matmul,
    kernels,
    library,
    prepare,
)

PROBLEM = Problem(3, 70, 96)


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kernels, "_loaded", {})
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.delenv("MXFP4_KERNELS", raising=False)
    yield
    function_manifest[0] = manifest()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    monkeypatch.setattr("mxfp4.runtime.load_driver", lambda: fake)
    return fake


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A compiler whose kernels serve 1..64, 65..1000 and all rows above."""
    options: list[str] = []

    def compile_artifact(problem: Problem, text: str) -> Artifact:
        options.append(text)
        rows = int(text.removeprefix("rows-hint="))
        hint = [0, 64] if rows <= 64 else [65, 1000] if rows <= 1000 else [1001, 2**63 - 1]
        return artifact(manifest(problem__rows_hint=hint))

    monkeypatch.setattr(library, "find", lambda: Path("libmxfp4.so"))
    monkeypatch.setattr(kernels, "compile_artifact", compile_artifact)
    return options


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "find", lambda: None)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Two artifacts compiled ahead of time: for 0..64 and 65..1000 rows."""
    for name, hint in (("few", [0, 64]), ("many", [65, 1000])):
        artifact(manifest(problem__rows_hint=hint)).save(tmp_path / name)
    return tmp_path


def test_one_kernel_for_each_range_of_rows(driver: FakeDriver, compiled: list[str]) -> None:
    few = kernels.kernel_for(PROBLEM, 3)
    assert kernels.kernel_for(PROBLEM, 64) is few
    assert kernels.kernel_for(PROBLEM, 0) is few
    assert kernels.kernel_for(PROBLEM, 65) is not few
    assert compiled == ["rows-hint=3", "rows-hint=65"]
    assert kernels.kernel_for(PROBLEM, 3, device=1) is not few
    assert ("cuDevicePrimaryCtxRetain", 1) in driver.calls, "made ready where it will run"


def test_calls_take_the_kernel_of_their_rows(driver: FakeDriver, compiled: list[str]) -> None:
    for rows in (9, 64, 65):
        grouped_matmul(**arguments(rows))
    assert compiled == ["rows-hint=9", "rows-hint=65"]
    assert len(driver.launches) == 3


def test_preparing_compiles_every_range_and_calls_none(
    driver: FakeDriver, compiled: list[str]
) -> None:
    found = prepare(packed(), device=0)
    assert compiled == ["rows-hint=1", "rows-hint=65", "rows-hint=1001"]
    assert [k.manifest.rows_hint[0] for k in found if k.manifest.rows_hint] == [0, 65, 1001]
    before = len(driver.calls)
    for rows in (1, 64, 65, 5000):
        assert kernels.kernel_for(PROBLEM, rows, 0) in found
    assert prepare(packed(), device=0) == found
    assert len(driver.calls) == before
    assert prepare(packed(), max_rows=64, device=0) == found[:1]


def test_ranges_of_a_problem(compiled: list[str]) -> None:
    assert len(kernels.ranges(PROBLEM, 1000)) == 2
    assert len(kernels.ranges(PROBLEM, 0)) == 1


@pytest.mark.usefixtures("driver", "no_compiler")
def test_kernels_compiled_ahead_of_time(shelf: Path) -> None:
    assert kernels.add(shelf) == 2
    few, many = kernels.kernel_for(PROBLEM, 2), kernels.kernel_for(PROBLEM, 65)
    assert Path(few.artifact.origin).name == "few"
    assert Path(many.artifact.origin).name == "many"
    # Any kernel is right for any rows: without a compiler the nearest serves.
    assert kernels.kernel_for(PROBLEM, 10**6) is many
    assert [Path(k.artifact.origin).name for k in prepare(packed())] == ["few", "many"]
    with pytest.raises(Error, match=r"no kernel for experts=3 .* n=71 .* no compiler .*mxfp4 comp"):
        kernels.kernel_for(Problem(3, 71, 96), 2)
    with pytest.raises(Error, match=r"no kernel for .* order=nibble"):
        kernels.kernel_for(Problem(3, 70, 96, layout=Layout("nibble", "raw")), 2)


def test_the_compiler_fills_gaps(driver: FakeDriver, compiled: list[str], shelf: Path) -> None:
    kernels.add(shelf)
    kernels.kernel_for(PROBLEM, 100)
    assert compiled == []
    kernels.kernel_for(PROBLEM, 1001)
    assert compiled == ["rows-hint=1001"]


@pytest.mark.usefixtures("driver", "no_compiler")
def test_the_environment_names_folders(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXFP4_KERNELS", f"{shelf / 'few'}:{shelf / 'many'}")
    assert len(prepare(packed(), device=0)) == 2
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.setenv("MXFP4_KERNELS", str(tmp_path / "nothing"))
    with pytest.raises(Error, match="nothing has no artifacts"):
        kernels.kernel_for(Problem(3, 70, 128), 2)


def test_a_torch_that_is_being_imported_captures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", SimpleNamespace())
    assert not kernels.capturing()
    assert PROBLEM.spec()


def test_nothing_is_loaded_in_a_capture(
    driver: FakeDriver, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = kernels.kernel_for(PROBLEM, 8)
    capturing = {"is_initialized": lambda: True, "is_current_stream_capturing": lambda: True}
    torch = SimpleNamespace(cuda=SimpleNamespace(**capturing))
    monkeypatch.setitem(__import__("sys").modules, "torch", torch)
    assert kernels.kernel_for(PROBLEM, 9) is ready
    with pytest.raises(Error, match=r"kernel for 65 rows of .* cannot be while a CUDA graph is "
                                    r"captured.*call mxfp4\.prepare"):  # fmt: skip
        kernels.kernel_for(PROBLEM, 65)
    assert compiled == ["rows-hint=8"]


def test_no_rounding_is_loaded_in_a_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number of columns has a kernel of its own."""
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(fp8_kernels, "_loaded", {})
    monkeypatch.setattr(fp8_kernels, "Quantizer", lambda *key: made.append(key) or key)
    assert fp8_kernels.quantizer(64, 1) == (64, 1)
    monkeypatch.setattr(kernels, "capturing", lambda: True)
    assert fp8_kernels.quantizer(64, 1) == (64, 1)
    with pytest.raises(Error, match=r"rows of 96 values .* cannot be while a CUDA graph is captur"):
        fp8_kernels.quantizer(96, 1)
    assert made == [(64, 1)]


def test_errors_of_all_kernels(driver: FakeDriver, compiled: list[str]) -> None:
    grouped_matmul(**arguments(9))
    kernels.check()
    driver.word = 1
    with pytest.raises(Error, match="offsets do not start at 0"):
        kernels.check()
    kernels.check()


def test_choices_are_logged(
    driver: FakeDriver, compiled: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "mxfp4"):
        kernels.kernel_for(PROBLEM, 7)
    assert "rows 7" in caplog.text


def test_weights_say_their_device(driver: FakeDriver, compiled: list[str]) -> None:
    weights = packed()
    weights.data.device = SimpleNamespace(index=1)
    prepare(weights, 1)
    assert ("cuDevicePrimaryCtxRetain", 1) in driver.calls
    assert isinstance(weights.data, Tensor)
