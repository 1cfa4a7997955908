# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What every command line of the package does: what goes wrong is told in a sentence.

Also that the output could not be written, as on a full disk, which Python tells in a stack of calls
when it exits, or, of help, not at all.
"""

from __future__ import annotations

import argparse
import errno
import functools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ._signals import Stopped, stoppable
from .errors import Error

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Parser(argparse.ArgumentParser):
    """The arguments of a command, whose description keeps its lines; help that cannot be printed is
    an error."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, **options})

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        # As a path, nothing is the folder that the command runs in: an unset variable of a shell.
        if action.type is Path and not arg_string:
            raise argparse.ArgumentError(action, "expected the name of a file or folder, got ''")
        return super()._get_value(action, arg_string)

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def seed_number(text: str) -> int:
    """The type of an argument that numpy's generators take."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(
            f"a seed must be a whole number of 0 or more, got {text!r}"
        )
    return int(text)


def guard(name: str, run: Callable[[], int]) -> int:
    """The exit status of a command: 1 after an error, which is told.

    Args:
        name: of the command, in front of the sentence.
        run: does what the command does; returns the exit status.
    """
    try:
        with stoppable():
            status = int(run())
    except SystemExit as e:  # of argparse, behind help or a message
        status = _flush(name, e.code if isinstance(e.code, int) else int(e.code is not None))
        if status != e.code:
            return status
        raise
    except BrokenPipeError:  # the reader, say head, has enough
        _forget_output()
        return 0
    except KeyboardInterrupt:
        _tell(name, "interrupted")
        status = 130
    except Stopped as e:
        _tell(name, f"stopped by {e}")
        status = 128 + e.number  # as a shell tells it
    except OSError as e:
        if e.filename is None and e.errno in _FULL:
            _forget_output()
        _tell(name, f"error: {sentence(e)}")
        status = 1
    except Error as e:
        _tell(name, f"error: {e}")
        status = 1
    return _flush(name, status)


def told(name: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a command's function one that `guard` calls."""

    def wrap(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def guarded(*arguments: Any, **named: Any) -> int:
            return guard(name, lambda: main(*arguments, **named))

        return guarded

    return wrap


def sentence(error: OSError) -> str:
    """What went wrong with a file; writers of the package say with which."""
    what = error.strerror or str(error)
    if error.filename is not None:
        return f"{error.filename}: {what}"
    return f"cannot write the output: {what}" if error.errno in _FULL else what


def _tell(name: str, text: str) -> None:
    print(f"{name}: {text}", file=sys.stderr)


def _flush(name: str, status: int) -> int:
    """Write out what was printed; the exit status."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
    except OSError as e:
        _forget_output()
        _tell(name, f"error: {sentence(e)}")
        return status or 1
    return status


def _forget_output() -> None:
    """Let Python not try once more, when it exits, to write what cannot be written."""
    with suppress(OSError, ValueError):  # nothing of the kind in place of the standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
