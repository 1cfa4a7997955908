# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package's exception."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class Error(ValueError):
    """What was asked cannot be done.

    The message is a sentence: what was expected, what was given, and, where it is known, what to
    do about it.
    """


def alternatives(given: str, what: str, names: Sequence[str]) -> str:
    """What follows "unknown WHAT 'given'" in a message: the nearest name, and all names."""
    known = ", ".join(names)
    near = _nearest(given, names)
    guess = f"; did you mean {near!r}? The " if near else "; the "
    return f"{guess}{what}s are {known}."


def _nearest(given: str, names: Sequence[str]) -> str | None:
    plain = {name.lower().replace("_", "-"): name for name in names}
    asked = given.lower().replace("_", "-")
    begins = [name for text, name in plain.items() if asked and text.startswith(asked)]
    close = difflib.get_close_matches(asked, plain, 1, 0.7)
    return plain.get(asked) or next(iter(begins), None) or (plain[close[0]] if close else None)
