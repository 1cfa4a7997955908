# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of MLIR: parse, run pipelines, watch each pass, and take kernels out."""

from __future__ import annotations

import ctypes
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from . import library
from ._typed import typed
from .errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from .compile import Compiler


class PtxKernel(NamedTuple):
    """A kernel that a pipeline left in a module."""

    name: str
    ptx: str


class PassRun(NamedTuple):
    """A pass that has run: itself in the words of a pipeline, its summary, the module after it."""

    pass_: str
    summary: str
    mlir: str


@typed
class Module:
    """A module of MLIR in a compiler; use it from the compiler's thread, and before it is closed.

    Made by `Compiler.parse`.
    """

    def __init__(self, compiler: Compiler, source: str | bytes) -> None:
        self._compiler, self._library = compiler, library.load()
        data = source.encode() if isinstance(source, str) else source
        self._handle: int | None = self._library.mxfp4_parse(compiler.use(), data, len(data))
        if not self._handle:
            raise compiler.failure("parsing the module")

    def __enter__(self) -> Module:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the module; it cannot be used afterwards."""
        if self._handle:
            self._library.mxfp4_module_destroy(self._handle)
            self._handle = None

    def _use(self) -> int:
        if not self._handle:
            raise Error("this Module was closed; parse it again.")
        return self._handle

    def __str__(self) -> str:
        """The module's MLIR."""
        return library.take_string(self._library.mxfp4_module_to_mlir(self._use()))

    def bytecode(self) -> bytes:
        """MLIR bytecode, which carries the version of the dialect; `Compiler.parse` reads it.

        Raises:
            Error: with the compiler's diagnostics.
        """
        size = ctypes.c_size_t()
        pointer = self._library.mxfp4_module_to_bytecode(self._use(), ctypes.byref(size))
        if not pointer:
            raise self._compiler.failure("writing bytecode")
        try:
            return ctypes.string_at(pointer, size.value)
        finally:
            self._library.mxfp4_string_free(pointer)

    def run(self, pipeline: str, trace: Callable[[PassRun], None] | None = None) -> None:
        """Run a pass pipeline on the module.

        Args:
            pipeline: such as "builtin.module(mxfp4-to-ptx{rows-hint=64})".
            trace: called after each pass. It may read this module, and must not run anything on
                it.

        Raises:
            Error: with the compiler's diagnostics; the module may be half lowered. What `trace`
                raises is raised when the pipeline has ended.
        """
        handle, words = self._use(), library.encoded(pipeline, "the pipeline")
        self._compiler.use()
        if trace is None:
            status = self._library.mxfp4_module_run(handle, words)
        else:
            raised: list[BaseException] = []

            def after(words: bytes, summary: bytes, mlir: bytes, _: object) -> None:
                try:
                    if not raised:
                        trace(PassRun(words.decode(), summary.decode(), mlir.decode()))
                except BaseException as e:  # cannot cross the C frames
                    raised.append(e)

            status = self._library.mxfp4_module_trace(handle, words, library.TraceFn(after), None)
            if raised:
                raise raised[0]
        if status:
            raise self._compiler.failure(f"the pipeline {pipeline}")

    def kernels(self) -> list[PtxKernel]:
        """The kernels that mxfp4-to-ptx has left, in the module's order."""
        found: list[PtxKernel] = []

        def keep(name: bytes, ptx: bytes, _: object) -> None:
            found.append(PtxKernel(name.decode(), ptx.decode()))

        self._library.mxfp4_module_kernels(self._use(), library.KernelFn(keep), None)
        return found

    def describe(self, options: str = "") -> list[dict[str, Any]]:
        """What the compiler knows of each operation that has a schedule.

        Layouts, the decode sequence bit by bit, and the schedules that other numbers of rows lead
        to; the format is in ``lib/Pipeline/Describe.cpp``. A trace may ask.

        Args:
            options: of the pipeline ``mxfp4-to-ptx``; chip, placement and instruction count.

        Raises:
            Error: with the compiler's diagnostics.
        """
        said = len(self._compiler.diagnostics)
        pointer = self._library.mxfp4_module_describe(
            self._use(), library.encoded(options, "options")
        )
        if not pointer:
            del self._compiler.diagnostics[:said]  # of a run that asks from its trace
            raise self._compiler.failure("describing the module")
        return json.loads(library.take_string(pointer))
