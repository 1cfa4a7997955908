# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How a kernel came about, as one page: every pass, the schedule, layouts, decode, PTX.

The page is one HTML file that needs nothing else: no network, no server.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..errors import Error

__all__ = ["explain", "main"]

_DESCRIPTION = """\
Compiles a problem and writes a page that explains the kernel: the IR after every pass with the
differences marked, the schedule and why it was chosen, who holds which weight in which bits, the
decode sequence bit by bit, the PTX with its hot loop, and what ptxas says of it.
"""
_EXAMPLES = """\
examples:
  mxfp4 explain --problem "experts=32 n=5760 k=2880" --rows-hint 4096 -o report.html
  mxfp4 explain moe.mlir --options "instruction=mma_sync" -o report.html
  mxfp4 explain layer.mlir -o report.html --pipeline \\
      "mxfp4-raise,mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"
"""


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mxfp4 explain",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", help="MLIR with mxfp4.grouped_matmul; - for stdin")
    parser.add_argument("--problem", metavar="SPEC", help='instead: "experts= n= k= [scales= ...]"')
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the page to write")
    parser.add_argument("--rows-hint", type=int, metavar="N", help="rows expected in all groups")
    parser.add_argument(
        "--options", default="", metavar="WORDS", help="options of the pipeline mxfp4-to-ptx"
    )
    parser.add_argument("--pipeline", help="passes to run instead; they must end in PTX")
    parser.add_argument(
        "--simulation", metavar="JSON", help="what the PTX interpreter counted, to be shown too"
    )
    return parser


def _read_source(arguments: argparse.Namespace) -> tuple[str, str | bytes]:
    """The page's title and the module."""
    if arguments.problem:
        from ..compile import Compiler

        with Compiler() as compiler:
            return arguments.problem, compiler.mlir(arguments.problem)
    if arguments.file == "-":
        return "stdin", sys.stdin.buffer.read()
    return arguments.file, Path(arguments.file).read_bytes()


def _read_simulation(file: str | None) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        found = json.loads(Path(file).read_text())
    except ValueError as e:
        raise Error(f"{file} is no JSON: {e}.") from e
    if not isinstance(found, dict):
        raise Error(f"{file} must hold an object of counts, got {type(found).__name__}.")
    return found


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False
    ) as scratch:
        scratch.write(text)
    os.chmod(scratch.name, 0o666 & ~_umask())
    Path(scratch.name).replace(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def main(argv: list[str] | None = None) -> int:
    """The command line ``mxfp4 explain``; returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if (arguments.file is None) == (arguments.problem is None):
        parser.error("expected a file of MLIR or --problem, and not both")
    if arguments.pipeline and (arguments.options or arguments.rows_hint is not None):
        parser.error("--pipeline has its own options: leave out --options and --rows-hint")
    options = arguments.options
    if arguments.rows_hint is not None:
        options = f"{options} rows-hint={arguments.rows_hint}".strip()
    try:
        title, source = _read_source(arguments)
        page = explain(
            source,
            title=title,
            options=options,
            pipeline=arguments.pipeline,
            simulation=_read_simulation(arguments.simulation),
        )
        _write(Path(arguments.output), page)
    except (Error, OSError) as e:
        print(f"mxfp4 explain: {e}", file=sys.stderr)
        return 1
    print(f"wrote {arguments.output}: {len(page.encode()) / 1024:.0f} KiB")
    return 0
