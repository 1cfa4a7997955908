# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rows in FP8: the loops, the kernels in the interpreter, and a chain, against numpy."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import native
import numpy as np
import pytest
from driver_memory import file
from kernels import needs_both
from mxfp4 import Compiler, Error, Problem, fp8, library
from mxfp4 import kernels as kernels_module
from mxfp4._runtime_library import NativeDriver
from mxfp4._sim_cuda import Memory
from mxfp4.chain import Chain
from mxfp4.compile import find_ptxas
from mxfp4.formats import bfloat16
from mxfp4.fp8_kernels import Quantizer
from mxfp4.layout import FP8
from mxfp4.loaded import LoadedKernel
from mxfp4.routing_artifact import RoutingArtifact, simulate_routing

__all__ = ["file"]  # a fixture


def mlir(k: int | str, gather: bool = False) -> str:
    """A module with an ``mxfp4.quantize_rows``; k "?" is of any size."""
    x, codes = f"memref<?x{k}xbf16>", f"memref<?x{k}xf8E4M3FN>"
    gathered = "gather(%g : memref<?xi32>)" if gather else ""
    return f"""
func.func @quantize{"_gathered" if gather else ""}(%x: {x}, %g: memref<?xi32>, %q: {codes},
    %s: memref<?xf32>, %e: memref<1xi32>) attributes {{llvm.emit_c_interface}} {{
  mxfp4.quantize_rows values(%x : {x}) {gathered} outs(%q, %s : {codes}, memref<?xf32>)
      error(%e : memref<1xi32>)
  return
}}"""


@cache
def compiled(k: int, gather: bool = False) -> RoutingArtifact:
    with Compiler() as compiler:
        return compiler.compile_routing(mlir(k, gather), "")


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Of any sizes, with and without rows to gather."""
    folder: Path = tmp_path_factory.mktemp("loops")
    return native.build(mlir("?") + mlir("?", gather=True), folder)


def rows_of_all_kinds(rng: np.random.Generator, rows: int, k: int) -> np.ndarray:
    """Of all sizes of numbers, with rows of zeros, outliers, NaN and infinities among them."""
    x = rng.standard_normal((rows, k)) * 2.0 ** rng.integers(-140, 120, (rows, 1))
    x = x.astype(np.float32)
    kind, at = rng.integers(0, 8, rows), rng.integers(0, k, rows)
    special = {0: 0.0, 1: np.nan, 2: np.inf, 3: -np.inf, 4: 3e38, 5: -0.0}
    for row in range(rows):
        if kind[row] in special:
            x[row, at[row]] = special[kind[row]]
        if kind[row] == 6:
            x[row] = 0
    return x.astype(bfloat16)


def every_bf16(k: int) -> np.ndarray:
    """Each of the 65536, in rows of values of one exponent each and in rows of all."""
    bits = np.arange(1 << 16, dtype=np.uint16)
    near, far = bits.reshape(-1, k), bits.reshape(k, -1).T
    return np.concatenate([near, far.reshape(-1, k)]).view(bfloat16)


def check(codes: np.ndarray, scales: np.ndarray, error: int, wanted: fp8.QuantizedRows) -> None:
    assert np.array_equal(scales.view(np.uint32), wanted.scales.view(np.uint32))
    assert np.array_equal(codes.view(np.uint8), wanted.codes.view(np.uint8))
    assert error == wanted.error


def run_loops(loops: ctypes.CDLL, x: np.ndarray, gather: np.ndarray | None = None) -> None:
    rows = len(x) if gather is None else len(gather)
    codes = native.garbage((rows, x.shape[1]), fp8.float8_e4m3)
    scales, error = native.garbage((rows,), np.float32), np.zeros(1, np.int32)
    name = "quantize" if gather is None else "quantize_gathered"
    some = np.zeros(0, np.int32) if gather is None else gather
    native.call(loops, name, x, some, codes, scales, error)
    check(codes, scales, int(error[0]), fp8.quantize_rows(x, gather))


def run_kernel(
    x: np.ndarray,
    gather: np.ndarray | None = None,
    grid: tuple[int, int, int] | None = None,
    seed: int = 1,
) -> bytes:
    kernel = compiled(x.shape[1], gather is not None)
    given = {} if gather is None else {"gather": gather}
    rows = len(x) if gather is None else len(gather)
    run = simulate_routing(kernel, rows, grid=grid, seed=seed, x=x, **given)
    assert run.findings == []
    assert all(stored.all() for stored in run.stored.values())
    codes, scales = run.outputs["codes"], run.outputs["scales"]
    check(codes, scales, run.error, fp8.quantize_rows(x, gather))
    return codes.tobytes() + scales.tobytes()


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (40, 96), (33, 2880), (0, 64)])
def test_loops(shape: tuple[int, int], loops: ctypes.CDLL, rng: np.random.Generator) -> None:
    """The specification, with and without rows to gather."""
    rows, k = shape
    x = rows_of_all_kinds(rng, rows, k)
    run_loops(loops, x)
    run_loops(loops, x, rng.integers(-1, rows + 1, 2 * rows + 3).astype(np.int32))


def test_loops_of_every_bf16(loops: ctypes.CDLL) -> None:
    run_loops(loops, every_bf16(128))
    run_loops(loops, every_bf16(64))


@pytest.mark.parametrize("k", [1, 2, 6, 31, 36, 64, 256, 576, 1056, 2880, 4096, 7168, 32768])
def test_kernel(k: int, rng: np.random.Generator) -> None:
    """Bit for bit, for every width of vectors, and rows of one warp to 32."""
    run_kernel(rows_of_all_kinds(rng, 3 if k > 8000 else 17, k))


def test_kernel_of_every_bf16() -> None:
    run_kernel(every_bf16(128))


@pytest.mark.parametrize("k", [36, 64, 2880])
def test_gathered(k: int, rng: np.random.Generator) -> None:
    """Rows more than once, in any order, and rows that do not exist."""
    x = rows_of_all_kinds(rng, 9, k)
    run_kernel(x, rng.integers(0, 9, 20).astype(np.int32))
    run_kernel(x, np.array([3, -1, 9, 2**31 - 1, -(2**31), 0], np.int32))
    run_kernel(x[:1], np.array([1, 1], np.int32))


@pytest.mark.parametrize("grid", [1, 3, 50])
def test_any_grid_is_correct(grid: int, rng: np.random.Generator) -> None:
    """A CTA takes several rows, or none, and warps run in any order."""
    x = rows_of_all_kinds(rng, 11, 2880)
    runs = {run_kernel(x, grid=(grid, 1, 1), seed=seed) for seed in (1, 2, 3)}
    assert len(runs) == 1


def test_no_rows() -> None:
    kernel = compiled(64)
    run = simulate_routing(kernel, 0, x=np.zeros((0, 64), bfloat16))
    assert run.findings == []


def test_manifest(tmp_path: Path) -> None:
    """Saved and loaded."""
    kernel = compiled(2880)
    kernel.save(tmp_path)
    m = RoutingArtifact.load(tmp_path).manifest
    assert m == kernel.manifest
    assert (m.operation, m.problem) == ("quantize_rows", {"k": 2880, "gather": False})
    assert [(a.name, a.dtype, a.shape) for a in m.arguments[:3]] == [
        ("x", "bf16", ("rows", 2880)), ("codes", "e4m3", ("rows", 2880)),
        ("scales", "f32", ("rows",)),
    ]  # fmt: skip
    assert (m.inputs, m.outputs) == (("x",), ("codes", "scales"))
    assert (m.grid(0), m.grid(7), m.block) == ((1, 1, 1), (7, 1, 1), (96, 1, 1))
    m = compiled(64, gather=True).manifest
    assert [a.name for a in m.arguments] == [
        "x", "gather", "codes", "scales", "error", "x_rows", "rows"
    ]  # fmt: skip
    assert m.arguments[0].shape == ("x_rows", 64)
    assert m.inputs == ("x", "gather")


def test_wrong_inputs() -> None:
    with pytest.raises(Error, match=r"x must be bf16 \[2, 64\], got float32 \[2, 64\]"):
        simulate_routing(compiled(64), 2, x=np.zeros((2, 64), np.float32))
    with pytest.raises(Error, match="requires at most 4096 vectors of 8 columns"):
        compiled(32776)


@needs_both
@pytest.mark.parametrize("tokens", [1, 70])
def test_chain(file: Path, tokens: int, rng: np.random.Generator) -> None:
    """Launched by the C library, with a kernel that gathers from what is in memory."""
    k, rows = 96, 2 * tokens
    driver = NativeDriver(str(file))
    kernels = [LoadedKernel(artifact, driver) for artifact in (compiled(k), compiled(k, True))]
    chain = Chain(kernels)
    values = [0] * chain.size
    with Memory(file) as memory:
        x = memory.copy(rows_of_all_kinds(rng, tokens, k))
        gather = memory.copy(rng.integers(0, tokens, rows).astype(np.int32))
        plain = memory.array((tokens, k), np.uint8), memory.array((tokens,), np.float32)
        gathered = memory.array((rows, k), np.uint8), memory.array((rows,), np.float32)
        for number, (codes, scales) in enumerate((plain, gathered)):
            for name, array in (("x", x), ("codes", codes), ("scales", scales)):
                values[chain.place(number, name)] = array.ctypes.data
        values[chain.place(1, "gather")] = gather.ctypes.data
        values[chain.place(1, "x_rows")] = tokens
        chain.launch([tokens, rows], values, 0)
        check(*plain, 0, fp8.quantize_rows(x))
        check(*gathered, 0, fp8.quantize_rows(x, gather))
        assert [kernel.error_word() for kernel in kernels] == [0, 0]


@needs_both
def test_kernels_for_machines_without_a_compiler(
    file: Path, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem in FP8 that is compiled ahead of time comes with what rounds its rows."""
    k, rows = 96, 5
    problem = Problem(2, 64, k, layout=FP8)
    folders = kernels_module.compile_ranges(problem, tmp_path, 1)
    assert (tmp_path / f"quantize-k{k}" / "kernel.ptx").is_file()
    assert tmp_path / f"quantize-k{k}" not in folders
    monkeypatch.setattr(kernels_module, "_shelf", None)
    monkeypatch.delenv("MXFP4_KERNELS", raising=False)
    monkeypatch.setattr(library, "find", lambda: None)
    with pytest.raises(
        Error, match=f"run mxfp4 compile with a problem of activations=fp8 and k={k}"
    ):
        Quantizer(k)
    assert kernels_module.add(tmp_path) == len(folders) + 1
    assert kernels_module.artifact_for(problem, 1).manifest.layout == FP8
    with pytest.raises(Error, match="k=64"):
        Quantizer(64)
    quantize = Quantizer(k, driver=NativeDriver(str(file)))
    with Memory(file) as memory:
        x = memory.copy(rows_of_all_kinds(rng, rows, k))
        codes, scales = memory.array((rows, k), np.uint8), memory.array((rows,), np.float32)
        quantize(rows, *(a.ctypes.data for a in (x, codes, scales)), 0)
        check(codes, scales, 0, fp8.quantize_rows(x))


@pytest.mark.slow
@pytest.mark.skipif(find_ptxas() is None, reason="ptxas was not found")
def test_nothing_spills() -> None:
    """Values stay in registers from the load to the store, in rows of any length."""
    with Compiler() as compiler:
        for k in (1, 36, 4095, 2880, 7168, 16384, 32768):
            for gather in (False, True):
                found = compiler.assemble(compiled(k, gather).ptx)
                assert (found["spill_bytes"], found["stack_bytes"]) == (0, 0), (k, gather)
