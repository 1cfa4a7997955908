# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What options of the benchmark choose, as tests ask for it."""

from __future__ import annotations

import argparse

from mxfp4.bench import shapes
from mxfp4.bench.cases import Case


def options(*words: str) -> argparse.Namespace:
    """Words of a command as options."""
    parser = argparse.ArgumentParser()
    shapes.arguments(parser)
    return parser.parse_args(words)


def chosen(*words: str) -> list[Case]:
    """The cases that they choose."""
    return shapes.chosen(options(*words))
