# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a simulation reports, of good kernels and of broken ones."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path
from typing import Any

import mxfp4
import numpy as np
import pytest
from kernels import Case, compile_kernel, needs_both
from mxfp4 import Error, Problem, Simulation, simulate
from mxfp4._sim_driver import SimDriver

pytestmark = needs_both
PROBLEM = Problem(3, 70, 672)
CASE = Case(PROBLEM, (5, 0, 20))


def run(ptx_change: tuple[str, str] | None = None, options: str = "", **more: Any) -> Simulation:
    """A simulation of the usual case, with the first of a piece of the PTX replaced."""
    artifact = compile_kernel(PROBLEM, options)
    if ptx_change:
        assert ptx_change[0] in artifact.ptx
        artifact = replace(artifact, ptx=artifact.ptx.replace(*ptx_change, 1))
    return simulate(artifact, CASE.activations(), CASE.weights(), CASE.offsets(), **more)


def test_a_good_kernel_has_a_clean_report() -> None:
    s = run()
    assert s.ok
    assert s.findings == []
    assert s.stored.all()
    report = s.report()
    assert "no hazards found" in report
    assert "1750 of 1750 results were stored" in report
    assert "Cost of the launch" in report
    assert "Cost of the launch" not in s.report(costs=False)


@pytest.mark.parametrize(
    ("options", "counted"),
    [("instruction=mma_sync", "mma_macs"), ("instruction=wgmma", "wgmma_macs")],
)
def test_statistics_count_the_work(options: str, counted: str) -> None:
    s = run(options=options)
    assert s.statistics[counted] >= 25 * 70 * 672
    # Every expert that has rows is read once at least, and the output is stored once.
    blocks = 2 * 2 * 11 * 2176
    assert s.statistics["bulk_load_bytes"] + s.statistics["async_copy_bytes"] >= blocks
    # Kernels that hand tiles out leave two counters behind.
    counters = 8 if options == "instruction=wgmma" else 0
    assert s.statistics["global_store_bytes"] == 25 * 70 * 2 + counters
    if counted == "wgmma_macs":
        # Each instruction reads 16 rows of activations for N tokens, once a warpgroup.
        assert s.statistics["shared_async_read_bytes"] == s.statistics[counted] // 64 * 2
        assert s.statistics["shared_async_write_bytes"] == s.statistics["bulk_load_bytes"]


def test_decoding_into_shared_memory_costs_its_traffic() -> None:
    register, shared = (
        run(options=f"instruction=mma_sync placement={p}") for p in ("register", "shared")
    )
    more = {k: shared.statistics[k] - register.statistics[k] for k in
            ("shared_store_bytes", "shared_load_bytes")}  # fmt: skip
    assert all(v > 2 * 70 * 672 for v in more.values())


def test_a_missing_wait_is_found_and_named() -> None:
    s = run(("cp.async.wait_group", "// cp.async.wait_group"), "instruction=mma_sync")
    assert not s.ok
    finding = s.findings[0]
    assert finding["check"] == "race"
    assert finding["severity"] == "error"
    assert "cp.async.wait_group has not waited for it" in finding["message"]
    assert finding["line"] > 0
    assert finding["block"][1:] == [0, 0]
    report = s.report(costs=False)
    assert "hazards found" in report
    assert f"kernel.ptx:{finding['line']}: error: " in report


def test_results_that_are_not_stored_are_missed() -> None:
    s = run(("st.global", "// st.global"), "instruction=mma_sync")
    assert not s.stored.all()
    assert f"{int(s.stored.sum())} of 1750 results were stored" in s.report()
    assert (s.y.view(np.uint16)[~s.stored] == 0xFFFF).all()


def test_inputs_cannot_be_written() -> None:
    artifact = compile_kernel(PROBLEM, "instruction=mma_sync")
    names = [a.name for a in artifact.manifest.arguments]
    swap = {f"param_{names.index('y')}": f"param_{names.index('x')}"}
    ptx = artifact.ptx
    body = ptx.index("{", ptx.index(".entry"))
    for old, new in swap.items():
        ptx = ptx[:body] + ptx[body:].replace(old, new)
    s = simulate(replace(artifact, ptx=ptx), CASE.activations(), CASE.weights(), CASE.offsets())
    assert any("x" in f["message"] for f in s.findings), s.report(costs=False)
    assert not s.stored.any()


def test_broken_ptx_is_an_error_with_its_line() -> None:
    with pytest.raises(Error, match=r"kernel\.ptx:\d+: error: .*frobnicate"):
        run(("st.global", "frobnicate.global"))


def test_an_endless_kernel_is_given_up() -> None:
    s = run(max_instructions=100)
    assert "given up after 100 warp instructions" in s.report()


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 2**64), ("seed", -1), ("threads", 0), ("threads", 2**32 + 1), ("launches", 0),
     ("multiprocessors", 2**32 + 1), ("max_instructions", 2**64), ("out_rows", -1)],
)  # fmt: skip
def test_numbers_do_not_overflow(name: str, value: Any) -> None:
    with pytest.raises(Error, match=rf"{name} must be a whole number from \d+ to \d+, found "):
        run(**{name: value})


def test_no_rows_launch_nothing() -> None:
    x = CASE.activations()[:0]
    s = simulate(compile_kernel(PROBLEM, ""), x, CASE.weights(), np.zeros(4, np.int32))
    assert s.ok
    assert s.y.shape == (0, 70)
    assert s.report() == "nothing was launched: there are no rows\n"


def test_no_groups_launch_nothing() -> None:
    artifact = compile_kernel(replace(PROBLEM, groups=4, expert_ids=True), "")
    x, none = CASE.activations()[:0], np.zeros(0, np.int32)
    s = simulate(artifact, x, CASE.weights(), np.zeros(1, np.int32), none)
    assert s.ok
    assert s.y.shape == (0, 70)
    assert s.launched is None
    assert repr(s) == "Simulation(y bfloat16 [0, 70], 0 of 0 stored, error word 0, no hazards)"


def test_the_launcher_checks_as_it_does_on_a_gpu() -> None:
    artifact = compile_kernel(PROBLEM, "")
    other = Case(replace(PROBLEM, layout=mxfp4.Layout("nibble", "raw")), CASE.sizes)
    with pytest.raises(Error, match="weights are packed as"):
        simulate(artifact, CASE.activations(), other.weights(), CASE.offsets())
    with pytest.raises(Error, match=r"x must have shape \[R, 672\]"):
        simulate(artifact, CASE.activations()[:, :64], CASE.weights(), CASE.offsets())
    with pytest.raises(Error, match=r"x must be \[R, K\], got \[\]"):
        simulate(artifact, 3, CASE.weights(), CASE.offsets())
    with pytest.raises(Error, match="gather must be integers, got float64"):
        simulate(artifact, CASE.activations(), CASE.weights(), CASE.offsets(), gather=[1.5])
    with pytest.raises(Error, match="weights must be PackedWeights"):
        simulate(artifact, CASE.activations(), CASE.weights().data, CASE.offsets())


@pytest.mark.parametrize("dtype", ["<f2", "<u2", ">u2", "<i2", "object"])
def test_two_bytes_are_not_bf16(dtype: str) -> None:
    """Bits of another type are refused, and not read as those of bf16."""
    x = CASE.activations()
    given = None if dtype == "object" else x.view(dtype)
    told = "x must be a numpy array, got NoneType" if given is None else "x must be bf16, got"
    with pytest.raises(Error, match=told):
        simulate(compile_kernel(PROBLEM, ""), given, CASE.weights(), CASE.offsets())  # type: ignore[arg-type]


def test_an_artifact_on_disk_is_enough(tmp_path: Path) -> None:
    compile_kernel(PROBLEM, "").save(tmp_path / "kernel")
    s = simulate(tmp_path / "kernel", CASE.activations(), CASE.weights(), CASE.offsets())
    assert s.ok


def test_several_host_threads_give_the_same_bits() -> None:
    one, two = (run(threads=n, multiprocessors=3) for n in (1, 2))
    assert two.ok
    assert one.y.tobytes() == two.y.tobytes()


def test_a_missing_interpreter_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from mxfp4 import _sim_library

    monkeypatch.setenv("MXFP4_SIM_LIBRARY", "/nowhere/libmxfp4-sim.so")
    _sim_library.load_interpreter.cache_clear()
    with pytest.raises(Error, match="the PTX interpreter was not found; looked for /nowhere"):
        run()
    _sim_library.load_interpreter.cache_clear()


def test_memory_of_the_driver() -> None:
    driver = SimDriver()
    assert driver.cuMemcpyDtoH(0, 0x1234, 4) == (700,)
    _, address = driver.cuMemAlloc(8)
    assert driver.cuMemsetD32(address + 8, 0, 1) == (700,)
    assert driver.cuMemsetD32(address + 4, 7, 1) == (0,)
    word = ctypes.c_int32()
    assert driver.cuMemcpyDtoH(ctypes.addressof(word), address + 4, 4) == (0,)
    assert word.value == 7
    array = driver.memory[0]
    assert array.known is not None
    assert array.known.tolist() == [0xF0]
    assert driver.cuMemFree(address) == (0,)
    assert driver.cuMemFree(address) == (1,)
    with pytest.raises(AttributeError, match="has no cuGraphLaunch"):
        _ = driver.cuGraphLaunch


def test_shared_memory_beyond_the_default_must_be_asked_for() -> None:
    artifact = compile_kernel(PROBLEM, "instruction=wgmma rows-hint=30000")
    driver = SimDriver()
    code, module = driver.cuModuleLoadData(artifact.ptx.encode())
    assert code == 0
    _, function = driver.cuModuleGetFunction(module, artifact.manifest.entry.encode())
    launch = (1, 1, 1, 384, 1, 1, artifact.manifest.dynamic_shared_bytes, 0, 0, 0)
    assert driver.cuLaunchKernel(function, *launch) == (1,)
    assert b"limit is 49152" in driver.cuGetErrorString(1)[1]


def test_memory_is_touched_after_the_launch_ahead() -> None:
    """Launches are programmatic: a kernel that does not wait is told so, whatever the results."""
    s = run(ptx_change=("griddepcontrol.wait;", ""))
    assert "dependency" in {f["check"] for f in s.findings}
    assert "passed griddepcontrol.wait" in s.report()


def test_launches_with_attributes_have_clusters() -> None:
    ptx = b"""
.version 8.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 out)
{
  .reg .b32 %r<4>;
  .reg .b64 %d<4>;
  ld.param.b64 %d1, [out];
  mov.u32 %r1, %cluster_nctarank;
  mov.u32 %r2, %ctaid.x;
  mul.wide.u32 %d2, %r2, 4;
  add.s64 %d3, %d1, %d2;
  st.global.b32 [%d3], %r1;
  ret;
}
"""
    driver = SimDriver()
    _, module = driver.cuModuleLoadData(ptx)
    _, function = driver.cuModuleGetFunction(module, b"k")
    out = driver.allocate(np.zeros(4, np.int32), "out")
    config, attribute = driver.CUlaunchConfig(), driver.CUlaunchAttribute()
    attribute.id = driver.CUlaunchAttributeID.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
    d = attribute.value.clusterDim
    d.x, d.y, d.z = 2, 1, 1
    config.gridDimX, config.gridDimY, config.gridDimZ = 4, 1, 1
    config.blockDimX, config.blockDimY, config.blockDimZ = 1, 1, 1
    config.sharedMemBytes, config.hStream = 0, 0
    config.attrs = [attribute]
    value = ctypes.c_uint64(out.memory.address)
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(value))
    assert driver.cuLaunchKernelEx(config, function, ctypes.addressof(pointers), 0) == (0,)
    assert driver.launches[0].findings == []
    assert out.numpy().tolist() == [2, 2, 2, 2]
