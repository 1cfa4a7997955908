# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Amounts as messages and tables print them."""

from __future__ import annotations


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"
