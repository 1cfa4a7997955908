# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages of which parts are generated: written anew, or compared."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path


def settle(page: Path, name: str, text: str, check: bool, command: str) -> int:
    """Write a page, or say how it differs from what would be written.

    Args:
        page: the file.
        name: what messages call the page.
        text: what it should contain.
        check: compare and write nothing.
        command: what writes the page, for the message.

    Returns:
        0, or 1 if `check` found a difference.
    """
    if not check:
        page.write_text(text)
        return 0
    lines = page.read_text().splitlines(), text.splitlines()
    difference = "\n".join(difflib.unified_diff(*lines, name, "generated", "", ""))
    if difference:
        print(f"{difference}\n{name} is out of date; run {command}", file=sys.stderr)
    return 1 if difference else 0
