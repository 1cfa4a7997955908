# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command ``mxfp4``: one module for each of its commands.

A module has `SUMMARY`, `DESCRIPTION` and `EXAMPLES`, `arguments` to declare its options, and `run`,
whose result is the exit status: 0 if all went well, 1 if something was found wrong. Modules import
what is heavy in `run`, so that help is there at once.
"""

from __future__ import annotations

import argparse
import importlib

from .. import __version__
from .._command import Parser, guard
from ..errors import alternatives

COMMANDS = ("inspect", "pack", "compile", "run", "bench", "doctor", "explain", "completion")

DESCRIPTION = """Mixture-of-experts layers and grouped GEMMs with MXFP4 weights, on Hopper GPUs.

The usual way of a model:
  mxfp4 doctor                        what works on this machine
  mxfp4 inspect gpt-oss-20b           what a checkpoint holds
  mxfp4 pack gpt-oss-20b -o packed    pack its experts, once
  mxfp4 run gpt-oss-20b               run a layer and compare it with a decode in numpy
  mxfp4 compile --checkpoint gpt-oss-20b -o kernels    for machines without the compiler
"""

ENVIRONMENT = """environment:
  MXFP4_KERNELS      folders of kernels compiled ahead of time, separated by ':'
  MXFP4_CACHE        where compiled kernels are kept (default ~/.cache/mxfp4)
  MXFP4_CACHE_MB     how many MB of them (default 512)
  MXFP4_LIBRARY      the compiler, libmxfp4.so
  MXFP4_SIM_LIBRARY  the PTX interpreter, libmxfp4-sim.so
  MXFP4_RUNTIME_LIBRARY    the launcher, libmxfp4rt.so
  MXFP4_PTXAS        NVIDIA's assembler
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(prog="mxfp4", description=DESCRIPTION, epilog=ENVIRONMENT)
    top.add_argument("--version", action="version", version=f"mxfp4 {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f".{name}", __name__)
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
        )
        module.arguments(command)
        command.set_defaults(run=module.run)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what a user did wrong is told in a sentence."""
    return guard("mxfp4", lambda: _run(arguments))


def _run(arguments: list[str] | None) -> int:
    whole = parser()
    options, unknown = whole.parse_known_args(arguments)
    if unknown:
        _refuse(whole, options.command, unknown)
    return guard(f"mxfp4 {options.command}", lambda: options.run(options))


def _refuse(whole: argparse.ArgumentParser, command: str, unknown: list[str]) -> None:
    """Exit as argparse does, and say which options the command has."""
    commands = next(a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    parser: argparse.ArgumentParser = commands.choices[command]
    word = next((w for w in unknown if w.startswith("-")), unknown[0]).partition("=")[0]
    names = [s for a in parser._actions for s in a.option_strings if s.startswith("--")]
    if word.startswith("-"):
        parser.error(f"unknown option {word!r}{alternatives(word, 'option', names)}")
    parser.error(f"unexpected argument {word!r}; see --help.")


def table(rows: list[list[str]], right: set[int] = frozenset()) -> str:  # type: ignore[assignment]
    """Rows in aligned columns, the first of them a heading; columns in ``right`` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (c.rjust(w) if i in right else c.ljust(w)
                 for i, (c, w) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
