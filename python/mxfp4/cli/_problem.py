# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How commands take a problem: the same words as the program ``mxfp4-compile``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import Error


def arguments(parser: argparse.ArgumentParser, rows: str) -> None:
    """Declare the problem, which may stand first or behind --problem, and --rows-hint."""
    parser.add_argument("source", nargs="?", type=Path, metavar="problem",
                        help='a problem, "experts= n= k=", or a file of MLIR')  # fmt: skip
    parser.add_argument("--problem", metavar="WORDS", help="the problem, instead of first")
    parser.add_argument("--device", default="", metavar="WORDS",
                        help="the GPU to choose for: h100-sxm (default), h100-pcie, h100-nvl, "
                        "h200, gh200, gh200-144gb, h20, facts such as multiprocessors=78,"
                        "bandwidth=4000, or native for this machine's")  # fmt: skip
    parser.add_argument("--rows-hint", "--rows", type=_rows, metavar="N", help=rows)


def _rows(text: str) -> int:
    """A number of rows.

    Raises:
        argparse.ArgumentTypeError: if the text is none.
    """
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a number of rows, 0 or more, got {text!r}")
    return int(text)


def given(options: argparse.Namespace) -> tuple[str | None, Path | None]:
    """The problem in words, or the file of MLIR; neither if nothing was given.

    Raises:
        Error: if both were, or if the file is a folder.
    """
    if options.source is not None and options.problem is not None:
        raise Error("give the problem once: as the first argument, or behind --problem.")
    if options.problem is not None:
        return options.problem, None
    if options.source is not None and "=" in str(options.source) and not options.source.exists():
        return str(options.source), None
    if options.source is not None and options.source.is_dir():
        said = 'expected a problem, "experts= n= k=", or a file of MLIR'
        raise Error(f"{said}; {options.source} is a folder.")
    return None, options.source


def pipeline_options(options: argparse.Namespace, *more: str) -> str:
    """The words of --options, with what --device and --rows-hint say.

    Raises:
        Error: if one of these is among the words, too.
    """
    from ..devices import option

    words = str(options.options).split()
    for flag, value in (("device", options.device), ("rows-hint", options.rows_hint)):
        if value not in ("", None) and any(word.startswith(f"{flag}=") for word in words):
            raise Error(f"--{flag} and {flag}= of --options say the same: give it once.")
    words += [option(options.device)]
    if options.rows_hint is not None:
        words.append(f"rows-hint={options.rows_hint}")
    return " ".join(word for word in (*words, *more) if word)
