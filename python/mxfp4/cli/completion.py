# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 completion``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import Error

SUMMARY = "print a script that completes the command line"
DESCRIPTION = "Print a script with which a shell completes commands, options and file names."
EXAMPLES = """examples:
  bash:  mxfp4 completion bash > ~/.local/share/bash-completion/completions/mxfp4
  zsh:   mxfp4 completion zsh > ~/.zfunc/_mxfp4     (with ~/.zfunc in fpath)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError as e:
        raise Error("completion scripts are made by shtab: pip install shtab.") from e
    from . import parser

    whole = parser()
    _complete_files(whole, shtab.FILE)
    print(shtab.complete(whole, options.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser, how: Any) -> None:
    for action in parser._actions:
        if action.type is Path:
            action.complete = how  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, how)
