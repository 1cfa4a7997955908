# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 explain``: the command line of `mxfp4.explain`."""

from __future__ import annotations

import argparse
import importlib.util

from ..errors import Error

SUMMARY = "write a page that shows how a kernel comes to be"
DESCRIPTION = None
EXAMPLES = None


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: `main` hands them all to `hand_over`."""


def run(options: argparse.Namespace) -> int:
    """Without arguments."""
    return hand_over([])


def hand_over(arguments: list[str]) -> int:
    """Call `mxfp4.explain.main`, which has options and help of its own.

    Raises:
        Error: if it is not there.
    """
    if importlib.util.find_spec("mxfp4.explain") is None:
        raise Error("this installation of mxfp4 has no mxfp4.explain.")
    module = importlib.import_module("mxfp4.explain")
    return int(module.main(arguments) or 0)
