# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Differences between two versions of a module, for people: numbers of SSA values do not count."""

from __future__ import annotations

import difflib
import re
from enum import Enum
from typing import NamedTuple

_NAMES = re.compile(r"%[\w#.$-]+|\^bb\d+|#map\d*")


class Kind(Enum):
    """Whether the lines say the same."""

    SAME = "="
    CHANGED = "~"


class Change(NamedTuple):
    """A run of lines: as many before and after if it is the same, any numbers if not."""

    kind: Kind
    before: int
    after: int


def _key(line: str) -> str:
    """A line up to the names that printing makes up, which change with every line above."""
    return _NAMES.sub("%", line)


def differences(before: list[str], after: list[str]) -> list[Change]:
    """Runs of lines that are the same or changed, in order, which cover both versions."""
    a, b = [_key(line) for line in before], [_key(line) for line in after]
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=len(a) * len(b) > 1_000_000)
    changes: list[Change] = []
    at_a = at_b = 0
    for match in matcher.get_matching_blocks():
        if match.a > at_a or match.b > at_b:
            changes.append(Change(Kind.CHANGED, match.a - at_a, match.b - at_b))
        if match.size:
            changes.append(Change(Kind.SAME, match.size, match.size))
        at_a, at_b = match.a + match.size, match.b + match.size
    return changes
