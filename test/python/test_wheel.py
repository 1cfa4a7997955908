# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pip installs: wheels without a compiler, built here, and the one with it.

The latter takes minutes to build; tools/check does, and names its folder in MXFP4_WHEELS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fakes import artifact
from mxfp4.make_checkpoint import Shape, make_checkpoint
from toolchain import c_compiler, for_cmake

TREE = Path(__file__).resolve().parents[2]
WHEELS = os.environ.get("MXFP4_WHEELS")


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel without a compiler was unpacked."""
    pytest.importorskip("scikit_build_core")
    folder = tmp_path_factory.mktemp("light")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    # Debian 12's pip does not know -C.
    options = ["--no-build-isolation", "--no-deps", "--config-settings=wheel.cmake=false",
               "-w", str(folder)]  # fmt: skip
    subprocess.run([*pip, *options, str(TREE / "python")], check=True, capture_output=True)
    return unpacked(folder)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the wheel that runs kernels, which is built without LLVM."""
    pytest.importorskip("scikit_build_core")
    folder = tmp_path_factory.mktemp("runtime")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    options = ["--no-build-isolation", "--no-deps", "-w", str(folder)]
    environment = {**os.environ, **for_cmake(), "MXFP4_RUNTIME_ONLY": "1"}
    environment.pop("CMAKE_PREFIX_PATH", None)
    subprocess.run(
        [*pip, *options, str(TREE / "python")], check=True, capture_output=True, env=environment
    )
    return unpacked(folder)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the wheel with the compiler."""
    if not WHEELS:
        pytest.skip("MXFP4_WHEELS names no folder with the wheel; tools/check builds one")
    folder = tmp_path_factory.mktemp("full")
    for wheel in Path(WHEELS).glob("*.whl"):
        shutil.copy(wheel, folder)
    return unpacked(folder)


def unpacked(folder: Path) -> Path:
    (wheel,) = folder.glob("mxfp4-*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder / "site")
    return folder / "site"


# Without the hook of an editable installation, which would find the source tree first.
COMMAND = """
import sys
sys.meta_path = [f for f in sys.meta_path if "editable" not in type(f).__module__]
from mxfp4.cli import main
sys.exit(main())
"""


def mxfp4(site: Path, *words: object, **environment: object) -> tuple[int, str]:
    """Run the command from a folder that is not the source tree; status and output."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("MXFP4_", "PYTHON"))}
    run = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        capture_output=True, text=True, cwd=site.parent,
        env={**keep, "PYTHONPATH": str(site), **{k: str(v) for k, v in environment.items()}},
    )  # fmt: skip
    assert "Traceback" not in run.stderr, run.stderr
    return run.returncode, run.stdout + run.stderr


def test_the_light_wheel_has_no_compiler_and_says_so(light: Path, tmp_path: Path) -> None:
    assert not list(light.rglob("*.so"))
    assert (light.parent / "site" / "mxfp4" / "cli" / "pack.py").is_file()
    metadata = next(light.glob("*.dist-info"))
    assert "py3-none-any" in (metadata / "WHEEL").read_text()
    assert "mxfp4 = mxfp4.cli:main" in (metadata / "entry_points.txt").read_text()
    status, said = mxfp4(light, "doctor", MXFP4_CACHE=tmp_path)
    assert status == 0, said
    assert "no     compile to PTX, needs compiler" in said
    assert str(light) in said, "not the source tree's package"
    status, said = mxfp4(light, "compile", "experts=1 n=64 k=64", "-o", tmp_path / "k")
    assert status == 1
    assert "no compiler to make one" in said


@pytest.mark.slow
def test_the_light_wheel_does_the_rest(light: Path, tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "c", Shape(1, 2, 64, 64), codes=True)
    assert mxfp4(light, "pack", tmp_path / "c", "-o", tmp_path / "p")[0] == 0
    status, said = mxfp4(light, "run", tmp_path / "c", "--cpu", "--rows", "3")
    assert status == 1
    assert "no kernel can run here, and comparing numpy with numpy would show nothing" in said
    artifact().save(tmp_path / "k" / "one")
    assert "a folder of kernels" in mxfp4(light, "inspect", tmp_path / "k")[1]
    status, said = mxfp4(light, "doctor", MXFP4_KERNELS=tmp_path / "k", MXFP4_CACHE=tmp_path)
    assert "1 compiled ahead of time" in said


@pytest.mark.slow
def test_the_wheel_without_llvm_has_the_launcher(runtime: Path, tmp_path: Path) -> None:
    assert [p.name for p in runtime.rglob("*.so")] == ["libmxfp4rt.so"]
    status, said = mxfp4(runtime, "doctor", MXFP4_CACHE=tmp_path)
    assert status == 0, said
    assert f"launcher        {runtime}/mxfp4/lib/libmxfp4rt.so" in said
    assert "no     compile to PTX, needs compiler" in said


def test_the_wheel_compiles(full: Path, tmp_path: Path) -> None:
    assert (full / "mxfp4" / "lib" / "libmxfp4.so").is_file()
    for name in ("libmxfp4-sim.so", "libmxfp4-sim-cuda.so", "libmxfp4rt.so"):
        assert (full / "mxfp4" / "lib" / name).is_file()
    assert "py3-none-linux" in (next(full.glob("*.dist-info")) / "WHEEL").read_text()
    status, said = mxfp4(full, "doctor", MXFP4_CACHE=tmp_path)
    assert status == 0, said
    assert f"compiler        {full}/mxfp4/lib/libmxfp4.so" in said
    status, said = mxfp4(full, "compile", "experts=2 n=64 k=64", "-o", tmp_path / "k")
    assert status == 0, said
    assert "kernels in" in said


def test_a_missing_mlir_is_a_sentence(light: Path, tmp_path: Path) -> None:
    compiler = c_compiler()
    (tmp_path / "empty.c").write_text("int x;")
    build = [compiler, "-shared", "-fPIC", tmp_path / "empty.c", "-o"]
    soname = "-Wl,-soname,libMLIR.so.22.1"
    subprocess.run([*build, tmp_path / "libMLIR.so", soname], check=True)
    links = [f"-L{tmp_path}", "-Wl,--no-as-needed", "-lMLIR"]
    subprocess.run([*build, tmp_path / "libmxfp4.so", *links], check=True)
    status, said = mxfp4(light, "compile", "experts=1 n=64 k=64", "-o", tmp_path / "k",
                         MXFP4_LIBRARY=tmp_path / "libmxfp4.so", LD_LIBRARY_PATH="")  # fmt: skip
    assert status == 1
    assert "it needs LLVM's and MLIR's shared libraries, version 22.1: install Debian's" in said
    assert "could not be loaded as the mxfp4 compiler: libMLIR.so.22.1" in said
