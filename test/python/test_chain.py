# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains of launches, on a libcuda that prints what it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toolchain import c_compiler

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver."""
    compiler = c_compiler()
    file = tmp_path_factory.mktemp("stub") / "libcuda.so.1"
    command = [compiler, "-shared", "-fPIC", "-o", file, HERE / "stub_cuda.c", "-ldl"]
    subprocess.run(command, check=True)
    return file


def output(stub: Path, code: str) -> list[str]:
    """Lines that a program prints, with those of the driver; both write them as they come."""
    begin = f"""
import json
from fakes import artifact, manifest
from mxfp4 import Error, Kernel
from mxfp4._runtime_library import NativeDriver
from mxfp4.chain import Chain
driver = NativeDriver({str(stub)!r})
one, two = Kernel.load(artifact(), driver=driver), Kernel.load(artifact(), driver=driver)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    run = subprocess.run(
        [sys.executable, "-c", begin + code], capture_output=True, text=True, env=env
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    return [line for line in lines if not line.startswith(("load", "function", "attribute"))]


def test_kernels_are_launched_in_order(stub: Path) -> None:
    launched = "launch grid=264,1,1 block=128,1,1 shared=65536 stream=77 attribute=6:1"
    code = """
chain = Chain([one, two, one])
values = [0] * chain.size
for i in range(3):
    for j, name in enumerate(("x", "weights", "offsets", "y")):
        values[chain.place(i, name)] = 0x1000 * (i + 1) + 0x100 * j
chain.launch([9, 0, 11], values, 77)
chain.launch([9, 10, 11], values, 77)
chain.prepare([9, 0, 11], values)([], 77)
places = [(chain.place(0, "x"), chain.place(2, "x")), ()]
for place in places[0]:
    values[place] = 0
prepared = chain.prepare([9, 0, 11], values, places)
assert prepared([0x9000, 5], 77)
"""
    shown = [
        f"values {0x1000 * i:#x} {0x1000 * i + 0x100:#x} {0x1000 * i + 0x200:#x} "
        f"{0x1000 * i + 0x300:#x} "
        for i in (1, 2, 3)
    ]
    found = output(stub, code)
    shown += [shown[i].replace(f"{0x1000 * (i + 1):#x}", "0x9000") for i in (0, 2)]
    assert found[::2] == [launched] * 9
    calls = [(0, 9), (2, 11), (0, 9), (1, 10), (2, 11), (0, 9), (2, 11), (3, 9), (4, 11)]
    for line, (i, rows) in zip(found[1::2], calls, strict=True):
        assert line.startswith(shown[i])
        assert line.endswith(f" rows={rows}")


def test_what_does_not_fit_launches_nothing(stub: Path) -> None:
    code = """
def refused(call):
    try:
        call()
    except Error as e:
        print(json.dumps(str(e)))

chain = Chain([one, two])
values = [0x1000] * chain.size
refused(lambda: Chain([]))
refused(lambda: chain.place(1, "bias"))
refused(lambda: chain.place(1, "error"))
refused(lambda: chain.launch([9], values, 0))
refused(lambda: chain.launch([9, 9], values[1:], 0))
values[chain.place(1, "x")] = 0x1008
refused(lambda: chain.launch([9, 9], values, 0))
values[chain.place(1, "x")] = 0
refused(lambda: chain.launch([9, 9], values, 0))
refused(lambda: chain.launch([9, -1], values, 0))
refused(lambda: chain.prepare([9], values))
values[chain.place(1, "x")] = 0x1000
refused(lambda: chain.prepare([9, 9], values, [[chain.place(1, "x")]])([0], 0))
refused(lambda: chain.launch([9, 2.5], values, 0))
"""
    sentences = [json.loads(line) for line in output(stub, code)]
    expected = [
        "a chain needs at least one kernel.",
        "kernel 1 of the chain takes no bias; it takes x, weights, offsets, y.",
        "kernel 1 of the chain takes no error; it takes x, weights, offsets, y.",
        "this chain takes 2 numbers of rows and 12 values, got 1 and 12.",
        "this chain takes 2 numbers of rows and 12 values, got 2 and 11.",
        "x must be aligned to 16 bytes, got address 0x1008; copy it into a tensor of its own.",
        "x is null; pass the address of memory on the device.",
        "rows must be 0 to 2147483647 for this kernel, got -1; pass fewer at a time, or compile a "
        "kernel for more rows.",
        "this chain takes 2 numbers of rows and 12 values, got 1 and 12.",
        "x is null; pass the address of memory on the device.",
    ]
    assert sentences[:-1] == expected
    assert sentences[-1].startswith("values and numbers of rows must be whole numbers: ")


@pytest.mark.slow
def test_the_time_of_launches_is_measured(stub: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from mxfp4 import library
    from mxfp4.verify import launches

    if library.find() is None:
        pytest.skip("there is no compiler for the kernels")
    assert launches.main([str(tmp_path), "--compile", "--stub", "none"]) == 0
    command = [sys.executable, "-m", "mxfp4.verify.launches", tmp_path, "--stub", stub]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stdout.splitlines() if " us  " in line]
    assert len(lines) == 18
    assert all(0 < float(line.split()[0]) < 1000 for line in lines)
