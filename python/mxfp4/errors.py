# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package's exception."""

from __future__ import annotations


class Error(ValueError):
    """What was asked cannot be done.

    The message is a sentence: what was expected, what was given, and, where it is known, what to
    do about it.
    """
