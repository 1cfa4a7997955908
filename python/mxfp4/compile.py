# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiler: from a problem's shape to a kernel, or to the executable specification."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import __version__, library
from ._ptxas import find_ptxas, unlisted_ptxas, with_ptxas
from ._threads import lock
from ._typed import typed
from .artifact import Artifact, Manifest
from .cache import Cache, cache_folder, cache_limit
from .errors import Error
from .formats import bfloat16
from .layout import Layout
from .module import Module
from .problem import Problem
from .reference import check_routing
from .routing_artifact import RoutingArtifact, RoutingManifest
from .weights import PackedWeights

__all__ = ["Compiler", "CpuKernel", "Problem", "compile_artifact", "find_ptxas"]

_MEANING = {
    1: "the offsets do not start at 0, decrease, or do not end at the number of rows",
    2: "an expert id is outside -1 .. E-1",
    3: "expert_ids must be given exactly if the problem has them",
}
"""Of the status of mxfp4_cpu_run, as the C header lists it."""
_SEVERITY = ("note", "warning", "error")


@typed
class Compiler:
    """One instance of the compiler; use it from one thread at a time, and close it.

    Attributes:
        diagnostics: (severity, message) of everything the compiler said, severity being "note",
            "warning" or "error".
    """

    def __init__(self) -> None:
        self._library = library.load()
        self.diagnostics: list[tuple[str, str]] = []
        said = self.diagnostics

        def report(severity: int, message: bytes, _: Any) -> None:
            said.append((_SEVERITY[min(max(severity, 0), 2)], message.decode(errors="replace")))

        self._report = library.DiagnosticFn(report)  # must outlive the compiler
        self._handle: int | None = self._library.mxfp4_compiler_create(self._report, None)
        if not self._handle:
            raise Error("the compiler could not be created; is memory short?")

    def __enter__(self) -> Compiler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the compiler; it cannot be used afterwards."""
        if self._handle:
            self._library.mxfp4_compiler_destroy(self._handle)
            self._handle = None

    def use(self) -> int:
        """The C handle, for one call; forgets earlier diagnostics.

        Raises:
            Error: if the compiler was closed.
        """
        if not self._handle:
            raise Error("this Compiler was closed; make a new one.")
        self.diagnostics.clear()
        return self._handle

    def failure(self, what: str) -> Error:
        """An error with what the compiler said."""
        said = "\n".join(f"{severity}: {text}" for severity, text in self.diagnostics)
        return Error(f"{what} failed:\n{said or 'the compiler gave no reason'}")

    def mlir(self, problem: Problem | str) -> str:
        """A module with the function ``@grouped_matmul`` of a problem (or of its spec).

        Raises:
            Error: with the compiler's diagnostics.
        """
        spec = problem if isinstance(problem, str) else problem.spec()
        pointer = self._library.mxfp4_problem_to_mlir(
            self.use(), library.encoded(spec, "the problem")
        )
        if not pointer:
            raise self.failure(f"making MLIR of the problem ({spec})")
        return library.take_string(pointer)

    def parse(self, source: str | bytes) -> Module:
        """A module from MLIR text or bytecode.

        Raises:
            Error: with the compiler's diagnostics.
        """
        return Module(self, source)

    def assemble(self, ptx: str, chip: str = "sm_90a") -> dict[str, Any]:
        """Assemble PTX and return what ptxas reports, as the "resources" of a manifest.

        Raises:
            Error: with the compiler's diagnostics, if ptxas is not found or refuses.
        """
        texts = library.encoded(ptx, "ptx"), library.encoded(chip, "chip")
        path = unlisted_ptxas()
        found = library.encoded(path, "ptxas") if path else None
        pointer = self._library.mxfp4_assemble(self.use(), *texts, found)
        if not pointer:
            raise self.failure("assembling")
        return json.loads(library.take_string(pointer))

    def compile(self, mlir: str, options: str = "") -> Artifact:
        """Compile a module's text to PTX, and to a cubin with the option ``assemble=true``.

        Args:
            mlir: the module.
            options: of the pipeline ``mxfp4-to-ptx``, for example "placement=register".

        Raises:
            Error: with the compiler's diagnostics.
        """
        text, ptx, cubin = self._compile(mlir, options)
        manifest = Manifest.parse(text, "the compiler's manifest")
        return Artifact(manifest, ptx, cubin, "the compiled kernel")

    def compile_routing(self, mlir: str, options: str = "") -> RoutingArtifact:
        """The same for a module with one of ``mxfp4.top_k``, ``mxfp4.count_by_expert``,
        ``mxfp4.sort_by_expert``, ``mxfp4.dispatch``, ``mxfp4.quantize_rows`` and ``mxfp4.combine``,
        or with a sort and the top_k of its ids, or what stores in its rows.

        The former become one kernel if ``rows-hint`` in `options` is at most 64 times the slots,
        the latter up to 8192 tokens, while min(tokens, 4096) times the experts is at most 131072
        (32768 of ``mxfp4.quantize_rows``).

        Raises:
            Error: with the compiler's diagnostics.
        """
        text, ptx, cubin = self._compile(mlir, options)
        manifest = RoutingManifest.parse(text, "the compiler's manifest")
        return RoutingArtifact(manifest, ptx, cubin, "the compiled kernel")

    def compile_kernel(self, mlir: str, options: str = "") -> Artifact | RoutingArtifact:
        """`compile` or `compile_routing`, by what the module has.

        Raises:
            Error: with the compiler's diagnostics.
        """
        compiled, ptx, cubin = self._compile(mlir, options)
        what, origin = "the compiler's manifest", "the compiled kernel"
        if "operation" in json.loads(compiled):
            return RoutingArtifact(RoutingManifest.parse(compiled, what), ptx, cubin, origin)
        return Artifact(Manifest.parse(compiled, what), ptx, cubin, origin)

    def _compile(self, mlir: str, options: str) -> tuple[str, str, bytes | None]:
        """Manifest, PTX and maybe a cubin."""
        lib = self._library
        words = with_ptxas(options)
        texts = library.encoded(mlir, "the module"), library.encoded(words, "options")
        handle = lib.mxfp4_compile(self.use(), *texts)
        if not handle:
            raise self.failure("compiling")
        try:
            size = ctypes.c_size_t()
            code = lib.mxfp4_artifact_cubin(handle, ctypes.byref(size))
            cubin = ctypes.string_at(code, size.value) if code else None
            text = lib.mxfp4_artifact_manifest(handle).decode()
            ptx = lib.mxfp4_artifact_ptx(handle).decode()
        finally:
            lib.mxfp4_artifact_destroy(handle)
        return text, ptx, cubin

    def jit(self, problem: Problem) -> CpuKernel:
        """The executable specification of a problem, compiled for this CPU.

        Raises:
            Error: with the compiler's diagnostics.
        """
        mlir = self.mlir(problem)
        handle = self._library.mxfp4_jit(self.use(), library.encoded(mlir, "the module"))
        if not handle:
            raise self.failure("compiling the executable specification")
        return CpuKernel(self._library, handle, problem)


class CpuKernel:
    """The executable specification, plain loops on the CPU. Slow, and exact in f32."""

    def __init__(self, lib: ctypes.CDLL, handle: int, problem: Problem) -> None:
        self._library, self._handle, self.problem = lib, handle, problem

    def __del__(self) -> None:
        if self._handle:
            self._library.mxfp4_cpu_destroy(self._handle)
            self._handle = 0

    def __call__(
        self,
        x: NDArray[Any],
        weights: PackedWeights,
        offsets: NDArray[np.int32],
        expert_ids: NDArray[np.int32] | None = None,
    ) -> NDArray[Any]:
        """Run on numpy arrays; arguments and errors as `mxfp4.grouped_matmul`."""
        p = self.problem
        if weights.shape != (p.experts, p.n, p.k) or weights.layout != p.layout:
            raise Error(f"the weights do not fit the problem this was compiled for ({p.spec()}).")
        if x.dtype != bfloat16 or x.ndim != 2 or x.shape[1] != p.k:
            raise Error(f"x must be bfloat16 [R, {p.k}], got {x.dtype} {list(x.shape)}.")
        if (expert_ids is not None) != p.expert_ids:
            raise Error("expert_ids must be given exactly if the problem has them.")
        check_routing(len(x), p.experts, offsets, expert_ids)
        if len(offsets) != (p.experts if p.groups is None else p.groups) + 1:
            raise Error(f"offsets has {len(offsets)} entries, but the problem is {p.spec()}.")
        y = np.empty((len(x), p.n), bfloat16 if p.output == "bf16" else np.float32)
        arrays = [np.ascontiguousarray(a) for a in (x, weights.data, offsets)]
        ids = None if expert_ids is None else np.ascontiguousarray(expert_ids)
        ints = ctypes.POINTER(ctypes.c_int32)
        status = self._library.mxfp4_cpu_run(
            self._handle,
            arrays[0].ctypes.data,
            len(x),
            arrays[1].ctypes.data,
            arrays[2].ctypes.data_as(ints),
            None if ids is None else ids.ctypes.data_as(ints),
            y.ctypes.data,
        )
        if status:  # what check_routing has let through
            why = _MEANING.get(status, f"the library returned status {status}")
            raise Error(f"the executable specification did not run: {why}.")
        return y


@typed
def pack_expert_native(
    blocks: NDArray[np.uint8], scales: NDArray[np.uint8], layout: Layout
) -> NDArray[np.uint8]:
    """The compiler's own packer, for one expert; see `mxfp4.layout.pack_expert`.

    Raises:
        Error: if the scales do not fit the layout or an argument is bad.
    """
    n, k = scales.shape[0], scales.shape[1] * 32
    out = np.empty(layout.shape(n, k), np.uint8)
    pointer = ctypes.POINTER(ctypes.c_uint8)
    codes, bytes_ = np.ascontiguousarray(blocks), np.ascontiguousarray(scales)
    status = library.load().mxfp4_pack(
        codes.ctypes.data_as(pointer), bytes_.ctypes.data_as(pointer), n, k,
        layout.order.encode(), layout.scales.encode(), out.ctypes.data_as(pointer),
    )  # fmt: skip
    if status:
        reasons = {1: "the scales do not fit the encoding", 2: "an argument is bad"}
        raise Error(f"packing failed: {reasons.get(status, f'status {status}')}.")
    return out


@typed
def unpack_expert_native(
    packed: NDArray[np.uint8], n: int, k: int, layout: Layout
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The compiler's own unpacker, for one expert; see `mxfp4.layout.unpack_expert`.

    Raises:
        Error: if an argument is bad.
    """
    blocks = np.empty((n, k // 32, 16), np.uint8)
    scales = np.empty((n, k // 32), np.uint8)
    pointer = ctypes.POINTER(ctypes.c_uint8)
    data = np.ascontiguousarray(packed)
    status = library.load().mxfp4_unpack(
        data.ctypes.data_as(pointer), n, k, layout.order.encode(), layout.scales.encode(),
        blocks.ctypes.data_as(pointer), scales.ctypes.data_as(pointer),
    )  # fmt: skip
    if status:
        raise Error(f"unpacking failed with status {status}.")
    return blocks, scales


_compiling = lock(threading.Lock())


@cache
def _compile_cached(problem: Problem, options: str) -> Artifact:
    kept = Cache(cache_folder(), cache_limit())
    key = _cache_key(problem, options)
    artifact = kept.load(key)
    if artifact is None:
        with Compiler() as compiler:
            artifact = compiler.compile(compiler.mlir(problem), options)
        kept.store(key, artifact)
    return artifact


def _cache_key(source: Problem | str, options: str) -> str:
    """A name for everything that the compiled kernel depends on."""
    maker = [__version__, library.identity(), _stamp(find_ptxas())]
    spec = source if isinstance(source, str) else source.spec()
    text = repr((spec, sorted(options.split()), maker))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stamp(file: str | None) -> tuple[int, ...]:
    try:
        found = os.stat(file) if file else None
    except OSError:
        found = None
    return (found.st_size, found.st_mtime_ns) if found else ()


@typed
def compile_artifact(problem: Problem, options: str = "") -> Artifact:
    """Compile a problem, or take it from the cache in memory or on disk (`cache_folder`).

    The kernel is assembled to a cubin if ptxas is found; if not, the driver compiles the PTX when
    the kernel is loaded.

    Args:
        problem: what to compile for.
        options: of the pipeline ``mxfp4-to-ptx``, for example "placement=register rows-hint=64".

    Raises:
        Error: if the compiler is not there, or with its diagnostics.
    """
    with _compiling:
        return _compile_cached(problem, _assembled(f"{problem.options} {options}".strip()))


def _assembled(options: str) -> str:
    """With ``assemble=true`` where ptxas is, unless the options say."""
    if "assemble=" not in options and find_ptxas():
        return f"{options} assemble=true".strip()
    return options


@typed
def compile_text(mlir: str, options: str = "") -> Artifact:
    """`compile_artifact` for a module with one ``mxfp4.grouped_matmul``; kept on disk alone."""
    return _kept(mlir, _assembled(options), Artifact.load, Compiler.compile)


@typed
def compile_routing_text(mlir: str, options: str = "") -> RoutingArtifact:
    """The same for what `Compiler.compile_routing` takes."""
    return _kept(mlir, _assembled(options), RoutingArtifact.load, Compiler.compile_routing)


_A = TypeVar("_A", Artifact, RoutingArtifact)


def _kept(
    mlir: str,
    options: str,
    load: Callable[[Path], _A],
    compile_it: Callable[[Compiler, str, str], _A],
) -> _A:
    """An artifact from the cache on disk, else compiled and stored there."""
    kept = Cache(cache_folder(), cache_limit())
    key = _cache_key(mlir, options)
    with _compiling:
        artifact = kept.load(key, load)
        if artifact is None:
            with Compiler() as compiler:
                artifact = compile_it(compiler, mlir, options)
            kept.store(key, artifact)
    return artifact
