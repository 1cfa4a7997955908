# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How a kernel came about, as one page: every pass, the schedule, layouts, decode, PTX.

The page is one HTML file that needs nothing else: no network, no server.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .._files import read_input, write_whole
from .._typed import typed
from ..cli import _problem
from ..errors import Error

__all__ = ["DESCRIPTION", "EXAMPLES", "arguments", "explain", "run"]

DESCRIPTION = """Compile a problem and write a page that explains the kernel: the IR after every
pass with the differences marked, the schedule and why it was chosen, who holds which
weight in which bits, the decode sequence bit by bit, the PTX with its hot loop, and
what ptxas says of it.
"""
EXAMPLES = """examples:
  mxfp4 explain "experts=32 n=5760 k=2880" --rows-hint 4096 -o report.html
  mxfp4 explain moe.mlir --options "instruction=mma_sync" -o report.html
  mxfp4 explain layer.mlir -o report.html --pipeline \\
      "mxfp4-raise,mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"
"""


@typed
def explain(
    source: str | bytes,
    *,
    title: str = "a module",
    options: str = "",
    pipeline: str | None = None,
    simulation: dict[str, Any] | None = None,
) -> str:
    """The page that explains how a module is compiled, as HTML.

    Args:
        source: MLIR, text or bytecode.
        title: what the page says that it explains.
        options: "key=value" words, of the pipeline ``mxfp4-to-ptx``.
        pipeline: passes to run instead of ``mxfp4-to-ptx`` with these options; it must end in PTX.
        simulation: what the PTX interpreter counted, to be shown too: objects of numbers.

    Raises:
        Error: with the compiler's diagnostics.
    """
    from .collect import collect
    from .page import render

    return render(collect(source, title, options, pipeline, simulation))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``mxfp4 explain``."""
    _problem.arguments(parser, "rows expected in all groups")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE",
                        help="the page to write")  # fmt: skip
    parser.add_argument(
        "--options", default="", metavar="WORDS", help="options of the pipeline mxfp4-to-ptx"
    )
    parser.add_argument("--pipeline", help="passes to run instead; they must end in PTX")
    parser.add_argument("--simulation", type=Path, metavar="JSON",
                        help="what the PTX interpreter counted, to be shown too")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Write the page; returns the exit status.

    Raises:
        Error: if anything is wrong with the module or the options.
        OSError: if a file cannot be read or written.
    """
    words = options.options
    if options.pipeline and (words or options.device or options.rows_hint is not None):
        raise Error(
            "--pipeline has its own options: leave out --options, --device and --rows-hint."
        )
    if not options.pipeline:
        words = _problem.pipeline_options(options)
    title, source = _read_source(options)
    page = explain(
        source,
        title=title,
        options=words,
        pipeline=options.pipeline,
        simulation=_read_simulation(options.simulation),
    )
    _write(options.output, page)
    print(f"wrote {options.output}: {len(page.encode()) / 1024:.0f} KiB")
    return 0


def _read_source(options: argparse.Namespace) -> tuple[str, str | bytes]:
    """The page's title and the module."""
    problem, file = _problem.given(options)
    if problem is not None:
        from ..compile import Compiler

        with Compiler() as compiler:
            return problem, compiler.mlir(problem)
    if file is None:
        raise Error('give a problem ("experts= n= k="), a file of MLIR, or - for stdin.')
    return "stdin" if str(file) == "-" else str(file), read_input(file, "MLIR of one kernel")


def _read_simulation(file: Path | None) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        found = json.loads(read_input(file, "JSON with counts"))
    except (ValueError, RecursionError) as e:
        raise Error(f"{file} is no JSON: {e}.") from e
    if not isinstance(found, dict):
        raise Error(f"{file} must hold an object of counts, got {type(found).__name__}.")
    return found


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        Error: if its folder does not exist.
    """
    if not path.parent.is_dir():
        raise Error(f"cannot write {path}: the folder {path.parent} does not exist; make it first.")
    write_whole(path, text)
