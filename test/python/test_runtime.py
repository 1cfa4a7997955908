# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The launcher, with a driver made of Python and with a stub of libcuda: no GPU."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import (
    PTX,
    ROW_SCALE,
    DlTensor,
    FakeDriver,
    JaxTensor,
    Tensor,
    arguments,
    artifact,
    function_manifest,
    manifest,
    packed,
    with_argument,
    with_ids,
)
from mxfp4 import Error, Kernel, Layout
from mxfp4._runtime_library import load_runtime
from toolchain import c_compiler


@pytest.fixture
def driver() -> FakeDriver:
    function_manifest[0] = manifest()
    return FakeDriver()


def test_a_launch_passes_everything_in_order(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    assert ("cuFuncSetAttribute", b"mxfp4_grouped_matmul", "shared", 65536) in driver.calls
    assert ("cuFuncSetAttribute", b"mxfp4_grouped_matmul", "carveout", 58) in driver.calls
    before = len(driver.calls)
    given = arguments()
    assert kernel(**given) is given["out"]
    (launch,) = driver.launches
    assert launch["values"] == [0x1000, 0x2000, 0x3000, 0x4000, driver.ERROR, 9]
    assert launch["grid"] == (264, 1, 1)
    assert launch["block"] == (128, 1, 1)
    assert (launch["shared"], launch["stream"]) == (65536, 77)
    assert not driver.contexts
    per_call = driver.names()[before:]
    assert not any("Sync" in n or "Alloc" in n or "Mem" in n for n in per_call), per_call


def test_no_rows_launch_nothing(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    kernel(**arguments(rows=0))
    assert driver.launches == []


def test_no_groups_launch_nothing(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(with_ids()), driver=driver)
    given = arguments(rows=0) | {"offsets": Tensor((1,), "<i4"), "expert_ids": Tensor((0,), "<i4")}
    assert kernel(**given) is given["out"]
    assert driver.launches == []
    with pytest.raises(Error, match=r"expert_ids must have shape \[5\], got \[0\]"):
        kernel(**given | {"x": Tensor((1, 96), "<V2"), "out": Tensor((1, 70), "<V2")})
    with pytest.raises(Error, match=r"offsets must have shape \[1\], got \[6\]"):
        kernel(**given | {"offsets": Tensor((6,), "<i4")})


def test_expert_ids_are_passed_when_the_kernel_takes_them(driver: FakeDriver) -> None:
    function_manifest[0] = with_ids()
    kernel = Kernel.load(artifact(with_ids()), driver=driver)
    given = arguments()
    given["offsets"] = Tensor((6,), "<i4", 0x3000)
    with pytest.raises(Error, match=r"takes expert_ids: pass expert_ids="):
        kernel(**given)
    kernel(**given, expert_ids=Tensor((5,), "<i4", 0x5000))
    assert driver.launches[0]["values"][3] == 0x5000
    with pytest.raises(Error, match=r"expert_ids must have shape \[5\], got \[3\]"):
        kernel(**given, expert_ids=Tensor((3,), "<i4", 0x5000))


def test_operands_are_known_by_the_manifest_alone(driver: FakeDriver) -> None:
    text = with_argument(ROW_SCALE)
    function_manifest[0] = text
    kernel = Kernel.load(artifact(text), driver=driver)
    given = arguments()
    kernel(**given, row_scale=Tensor((9,), "<f4", 0x6000))
    assert driver.launches[0]["values"] == [0x1000, 0x2000, 0x3000, 0x6000, 0x4000, 0xE000, 9]
    for value, message in (
        (Tensor((8,), "<f4"), r"row_scale must have shape \[9\], got \[8\]"),
        (Tensor((9,), "<i4"), "row_scale must be f32, got i32"),
        (Tensor((9,), "<f4", 0x6002), "row_scale must be aligned to 4 bytes"),
    ):
        with pytest.raises(Error, match=message):
            kernel(**given, row_scale=value)
    with pytest.raises(Error, match="this kernel takes row_scale: pass row_scale="):
        kernel(**given)
    with pytest.raises(Error, match=r"takes no bias \(.*it takes row_scale\); .* with bias=1"):
        kernel(**given, row_scale=Tensor((9,), "<f4"), bias=Tensor((70,), "<f4"))
    assert len(driver.launches) == 1


def test_a_nullable_operand_may_be_left_out(driver: FakeDriver) -> None:
    text = with_argument({**ROW_SCALE, "nullable": True})
    function_manifest[0] = text
    kernel = Kernel.load(artifact(text), driver=driver)
    kernel(**arguments(), row_scale=Tensor((9,), "<f4", 0x6000))
    kernel(**arguments())
    assert [launch["values"][3] for launch in driver.launches] == [0x6000, 0]


def test_an_argument_that_the_launcher_does_not_know(driver: FakeDriver) -> None:
    counters = {**ROW_SCALE, "name": "counters", "provider": "launcher"}
    with pytest.raises(Error, match="expects its launcher to provide counters, which this version"):
        Kernel.load(artifact(with_argument(counters)), driver=driver)
    text = with_argument({**counters, "nullable": True})
    function_manifest[0] = text
    Kernel.load(artifact(text), driver=driver)(**arguments())
    assert driver.launches[0]["values"][3] == 0


def test_arrays_of_jax(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    given = arguments() | {"x": JaxTensor((9, 96), 4, 16, 0x9000, device=0)}
    kernel(**given)
    assert driver.launches[0]["values"][0] == 0x9000


def test_dlpack_tensors(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    given = arguments()
    given["x"] = DlTensor((9, 96), 4, 16, 0x9000, device=1)
    given["offsets"] = DlTensor((4,), 0, 32, 0xA000, device=1, strides=(1,))
    kernel(**given)
    assert driver.launches[0]["values"][0] == 0x9000
    assert driver.launches[0]["values"][2] == 0xA000
    assert ("cuDevicePrimaryCtxRetain", 1) in driver.calls, "made ready on the tensors' device"
    given["offsets"] = DlTensor((4,), 0, 32, 0xA000, device=0)
    with pytest.raises(Error, match=r"all tensors must be on one device, got x on 1, offsets on 0"):
        kernel(**given)
    given["x"] = DlTensor((9, 96), 4, 16, 0x9000, kind=1)
    with pytest.raises(Error, match=r"x must be on a CUDA device.*DLPack device type 1"):
        kernel(**given)
    given["x"] = DlTensor((9, 96), 4, 16, 0x9000, strides=(192, 1))
    with pytest.raises(Error, match="x must be dense and row-major"):
        kernel(**given)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("x", Tensor((9, 96), "<f4"), "x must be bf16, got f32"),
        ("x", Tensor((9, 64), "<V2"), r"x must have shape \[R, 96\], got \[9, 64\]"),
        ("x", Tensor((96,), "<V2"), r"x must have shape \[R, 96\], got \[96\]"),
        ("x", Tensor((9, 96), "<V2", 0x1008), "x must be aligned to 16 bytes, got address 0x1008"),
        ("x", Tensor((9, 96), "<V2", strides=(384, 2)), "x must be dense and row-major"),
        ("x", Tensor((2**31, 96), "<V2"), r"x must have at most \d+ rows for this kernel"),
        ("x", np.zeros((9, 96), np.float32), "DLPack device type 1"),
        ("x", [1, 2], "x must be a tensor on a CUDA device .* got list"),
        ("offsets", Tensor((4,), "<i8"), "offsets must be i32, got <i8"),
        ("offsets", Tensor((3,), "<i4"), r"offsets must have shape \[4\], got \[3\]"),
        ("out", Tensor((9, 70), "<f4"), "y must be bf16, got f32"),
        ("out", Tensor((8, 70), "<V2"), r"y must have shape \[9, 70\], got \[8, 70\]"),
        ("out", Tensor((9, 70), "<V2", 0x4002), "y must be aligned to 4 bytes"),
        ("out", None, "pass out=: x is not a torch tensor"),
        ("stream", None, "pass stream=: x is not a torch tensor"),
        ("stream", "main", "stream must be an integer handle or a stream object"),
        ("weights", np.zeros(3), "weights must be PackedWeights, got ndarray"),
        ("weights", packed(Layout("nibble", "raw")),
         r"packed as fragment_major\(order=nibble, scales=raw\), but the kernel reads "
         r"fragment_major\(order=spread, scales=folded\)"),
        ("weights", packed(experts=4), "E, N, K = 3, 70, 96, but the weights have 4, 70, 96"),
        ("weights", packed(n=71), "E, N, K = 3, 70, 96, but the weights have 3, 71, 96"),
        ("expert_ids", Tensor((3,), "<i4"), r"takes no expert_ids \(.*takes none\).*expert-ids=1"),
    ],
)  # fmt: skip
def test_misfits_are_refused_before_the_launch(
    driver: FakeDriver, name: str, value: Any, text: str
) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    given = arguments() | {name: value}
    with pytest.raises(Error, match=text):
        kernel(**given)
    assert driver.launches == []


@pytest.mark.parametrize(
    ("columns", "rows", "reads"),
    [
        ("interleaved", "gate, then up", "interleaved"),
        ("apart", "gate, up interleaved", "apart"),
        ("plain", "gate, then up", ""),
        ("interleaved", "gate, up interleaved", ""),
        ("interleaved", "as stored", ""),
        ("apart", "as stored", ""),
    ],
)
def test_orders_of_columns(driver: FakeDriver, columns: str, rows: str, reads: str) -> None:
    """What the kernel and the weights say of gate and up; nothing, one of them may say."""
    kernel = Kernel.load(artifact(manifest(weights__columns=columns)), driver=driver)
    assert kernel.manifest.columns == columns
    given = arguments() | {"weights": dataclasses.replace(packed(), rows=rows)}
    if not reads:
        kernel(**given)
        return
    with pytest.raises(Error, match=rf'rows .* "{rows}", but the kernel is for .* {reads}; pack'):
        kernel(**given)
    assert driver.launches == []


def test_streams_of_other_libraries(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    streams = [
        SimpleNamespace(cuda_stream=5),
        SimpleNamespace(ptr=6),
        SimpleNamespace(__cuda_stream__=lambda: (0, 7)),
    ]
    for stream in streams:
        kernel(**arguments() | {"stream": stream})
    assert [launch["stream"] for launch in driver.launches] == [5, 6, 7]


@pytest.mark.parametrize(
    ("word", "text"),
    [(1, "offsets do not start at 0"), (2, "expert id is outside"), (8, "unknown error 8")],
)
def test_the_error_word_becomes_a_sentence(driver: FakeDriver, word: int, text: str) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    kernel.check()
    driver.word = word
    with pytest.raises(Error, match=text):
        kernel.check()
    kernel.check()  # reading it cleared it
    driver.word = word
    assert kernel.error_word(clear=False) == word
    assert driver.word == word


def test_the_wrong_gpu() -> None:
    with pytest.raises(Error, match="was compiled for sm_90a, but device 0 is sm_80"):
        Kernel.load(artifact(), driver=FakeDriver((8, 0)))
    with pytest.raises(Error, match="device 2 does not exist; this machine has 2"):
        Kernel.load(artifact(), device=2, driver=FakeDriver())
    big = artifact(manifest(launch__dynamic_shared_bytes=300000))
    with pytest.raises(Error, match=r"needs 300000 bytes of shared memory .* has 232448"):
        Kernel.load(big, driver=FakeDriver())


def test_cubin_first_then_ptx(driver: FakeDriver) -> None:
    both = artifact(cubin=b"\x7fELF code")
    Kernel.load(both, driver=driver)
    images = [c[1] for c in driver.calls if c[0] == "cuModuleLoadData"]
    assert images == [b"\x7fELF code"]
    driver.cubin_fits = False
    Kernel.load(both, driver=driver)
    images = [c[1] for c in driver.calls if c[0] == "cuModuleLoadData"]
    assert images[1:] == [b"\x7fELF code", PTX.encode() + b"\0"]


def test_driver_failures_are_sentences() -> None:
    with pytest.raises(Error, match=r"could not be loaded: cuModuleLoadData failed: a text of the"):
        Kernel.load(artifact(), driver=FakeDriver(fail={"cuModuleLoadData": 218}))
    driver = FakeDriver(fail={"cuLaunchKernelEx": 700})
    kernel = Kernel.load(artifact(), driver=driver)
    with pytest.raises(Error, match=r"cuLaunchKernelEx failed: .* \(CUDA error 700\)"):
        kernel(**arguments())
    assert not driver.contexts, "the context is put back"


def test_threads_do_not_mix_their_arguments(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    driver._cuCtxGetCurrent = lambda: (0, 100)  # type: ignore[method-assign]
    driver.contexts.append(100)

    def work(base: int) -> None:
        for i in range(300):
            given = arguments(rows=base + i)
            given["x"] = Tensor((base + i, 96), "<V2", 16 * (base + i))
            kernel(**given)

    threads = [threading.Thread(target=work, args=(b,)) for b in (1000, 5000)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(driver.launches) == 600
    assert all(v["values"][0] == 16 * v["values"][5] for v in driver.launches)


def test_what_a_driver_raises_reaches_the_caller(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    driver._cuLaunchKernelEx = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        kernel(**arguments())
    assert not driver.contexts
    del driver._cuLaunchKernelEx
    kernel(**arguments())


def test_a_driver_of_python_goes_with_its_kernel() -> None:
    driver = FakeDriver()
    kernel = Kernel.load(artifact(), driver=driver)
    gone = weakref.ref(driver)
    del driver, kernel
    assert gone() is None


def test_a_launcher_that_does_not_do_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXFP4_RUNTIME_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(
        Error, match=r"library was not found; .*_LIBRARY names .*none\.so, which is no"
    ):
        load_runtime.__wrapped__()
    (tmp_path / "none.so").write_bytes(b"no library")
    with pytest.raises(Error, match="could not be loaded as the launcher's library"):
        load_runtime.__wrapped__()


def test_the_drivers_library_is_given_everything(tmp_path: Path) -> None:
    # A libcuda that prints what it is given.
    compiler = c_compiler()
    here = Path(__file__).resolve().parent
    stub = [compiler, "-shared", "-fPIC", "-o", tmp_path / "libcuda.so.1", here / "stub_cuda.c"]
    subprocess.run([*stub, "-ldl"], check=True)
    code = """
from fakes import arguments, artifact
from mxfp4 import Error, Kernel
kernel = Kernel.load(artifact(cubin=b"\\x7fELF code"))
kernel.check()
kernel(**arguments())
try:
    kernel.check()
except Error as e:
    print(e)
kernel.check()
"""
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "load ELF",
        "function mxfp4_grouped_matmul",
        "attribute 8 65536",
        "attribute 9 58",
        "launch grid=264,1,1 block=128,1,1 shared=65536 stream=77 attribute=6:1",
        "values 0x1000 0x2000 0x3000 0x4000 error rows=9",
        "grouped_matmul: an expert id is outside -1 .. E-1; the rows of its group were not stored.",
    ]
