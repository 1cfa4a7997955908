# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages of which parts are generated: written anew, or compared."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path


def write(page: Path, name: str, text: str) -> int:
    """Write a page so that it is whole or as it was; 0, or 1 after a message."""
    scratch = page.with_name(f".{page.name}.part")
    try:
        scratch.write_text(text)
        scratch.replace(page)
    except OSError as e:
        scratch.unlink(missing_ok=True)
        print(f"cannot write {name}: {e.strerror}; it is as it was", file=sys.stderr)
        return 1
    return 0


def settle(page: Path, name: str, text: str, check: bool, command: str) -> int:
    """Write a page, or say how it differs from what would be written.

    Args:
        page: the file.
        name: what messages call the page.
        text: what it should contain.
        check: compare and write nothing.
        command: what writes the page, for the message.

    Returns:
        0, or 1 if `check` found a difference or the page could not be written.
    """
    if not check:
        return write(page, name, text)
    lines = page.read_text().splitlines(), text.splitlines()
    difference = "\n".join(difflib.unified_diff(*lines, name, "generated", "", ""))
    if difference:
        print(f"{difference}\n{name} is out of date; run {command}", file=sys.stderr)
    return 1 if difference else 0
