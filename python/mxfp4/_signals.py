# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Signals that end a command: none is lost in a callback of C, and what is half written goes."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AT_ONCE = 2.0
"""Seconds in which a second request to end is part of the first: systemd sends SIGTERM and SIGHUP
together, and a closed terminal SIGHUP from the kernel and from the shell."""


class Stopped(BaseException):
    """Another process asked this one to end. No `except Exception` takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Stopped`, where they would end the process with files half
    written. What somebody else handles or ignores (nohup) stays so. A second one at once does not
    stop what cleans up behind the first."""
    replaced = []
    stopped = float("-inf")

    def stop(number: int, _: object) -> None:
        nonlocal stopped
        now = time.monotonic()
        if now - stopped >= _AT_ONCE:
            stopped = now
            raise Stopped(number)

    if threading.current_thread() is threading.main_thread():
        for number in _ENDING[1:]:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, stop)
                replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _waiting() -> Iterator[None]:
    """Let signals with handlers in Python wait, and then have each of those that came, once."""
    came: dict[int, None] = {}
    handlers: dict[int, Any] = {}

    def wait(number: int, _: object) -> None:
        came[number] = None

    try:
        for number in _ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, wait)
        yield
    finally:
        with ExitStack() as stack:  # goes on where a handler raises
            for late in reversed(came):
                stack.callback(signal.raise_signal, late)
            for waited, handler in handlers.items():
                if signal.getsignal(waited) is wait:  # else what was called set another
                    stack.callback(signal.signal, waited, handler)


def uninterrupted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of C that calls Python, whose signals wait until the call is over.

    ctypes prints what the handler of a signal raises in a callback, and forgets it: Ctrl-C would be
    lost, and the diagnostic that was told.
    """

    @functools.wraps(function, assigned=())
    def call(*arguments: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return function(*arguments)  # signals are the main thread's
        with _waiting():
            return function(*arguments)

    return call
