# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the compiler and gathers what the page shows. Nothing about kernels is known here."""

from __future__ import annotations

import re
from typing import Any

from .. import library
from ..compile import Compiler, find_ptxas
from ..errors import Error
from ..module import Module, PassRun
from .diff import Kind, differences
from .ptx import listing


def _pipeline_words(options: str) -> str:
    """Options as a pipeline's braces take them: no blanks inside an attribute."""
    return re.sub(r"<[^>]*>", lambda m: re.sub(r"\s+", "", m.group()), options).strip()


class _Lines:
    """A table of lines, each kept once, since most lines live through most passes."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def numbered(self, text: str) -> list[int]:
        numbers = self.numbers
        return [numbers.setdefault(_shortened(line), len(numbers)) for line in text.splitlines()]


def _shortened(line: str) -> str:
    """A line without the middle of long strings: a gpu.binary holds its PTX in one."""

    def cut(match: re.Match[str]) -> str:
        text = match.group()
        return f'{text[:60]} ... {len(text) - 2} characters ..."'

    return re.sub(r'"(?:[^"\\]|\\.){20000,}"', cut, line)


def _run(module: Module, pipeline: str, options: str) -> tuple[list[PassRun], list[dict[str, Any]]]:
    """Every pass, and what the compiler knew of the operations before they were lowered."""
    runs: list[PassRun] = []
    operations: list[dict[str, Any]] = []

    def after(run: PassRun) -> None:
        runs.append(run)
        if "mxfp4.grouped_matmul" in run.mlir:
            operations[:] = module.describe(options) or operations

    module.run(pipeline, after)
    return runs, operations


def _passes(source: str, runs: list[PassRun], lines: _Lines) -> list[dict[str, Any]]:
    """The passes with their differences: [kind, lines of before, lines of after] in order."""
    before, entries = source.splitlines(), []
    for run in runs:
        after = run.mlir.splitlines()
        changes = differences(before, after)
        entries.append(
            {
                "name": re.split(r"[^\w-]", run.pass_)[0],
                "words": run.pass_,
                "summary": run.summary,
                "lines": lines.numbered(run.mlir),
                "added": sum(c.after for c in changes if c.kind is Kind.CHANGED),
                "removed": sum(c.before for c in changes if c.kind is Kind.CHANGED),
                "changes": [[c.kind.value, c.before, c.after] for c in changes],
            }
        )
        before = after
    return entries


def collect(
    source: str | bytes,
    title: str,
    options: str = "",
    pipeline: str | None = None,
    simulation: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the page shows, as JSON; arguments and errors as `mxfp4.explain.explain`."""
    passes = pipeline or f"mxfp4-to-ptx{{{_pipeline_words(options)}}}"
    with Compiler() as compiler, compiler.parse(source) as module:
        text = str(module)
        runs, operations = _run(module, f"builtin.module({passes})", options)
        kernels = module.kernels()
        if not kernels:
            raise Error(
                f"the pipeline {passes} left no kernel: is there an mxfp4.grouped_matmul on "
                "memrefs, and does the pipeline end in mxfp4-to-ptx?"
            )
        lines = _Lines()
        start = lines.numbered(text)
        entries = _passes(text, runs, lines)
        assemble = find_ptxas() is not None
        chip = operations[0]["target"]["chip"] if operations else "sm_90a"
        return {
            "title": title,
            "version": library.load().mxfp4_version().decode(),
            "pipeline": passes,
            "lines": list(lines.numbers),
            "source": start,
            "passes": entries,
            # Kernels come out in the order of the operations.
            "kernels": [
                {
                    "name": kernel.name,
                    "operation": operations[i] if i < len(operations) else None,
                    "ptx": listing(kernel.ptx),
                    "resources": compiler.assemble(kernel.ptx, chip) if assemble else None,
                }
                for i, kernel in enumerate(kernels)
            ],
            "simulation": simulation,
        }
