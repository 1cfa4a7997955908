# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Signals that end a command: none is lost in a callback of C, and what is half written goes."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Another process asked this one to end. No `except Exception` takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _stop(number: int, _: object) -> None:
    raise Stopped(number)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Stopped`, where they would end the process with files half
    written. What somebody else handles or ignores (nohup) stays so."""
    replaced = []
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING[1:]:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _stop)
                replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _waiting() -> Iterator[None]:
    """Let signals with handlers in Python wait."""
    came: list[int] = []
    handlers: dict[int, Any] = {}
    try:
        for number in _ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, lambda n, _: came.append(n))
        yield
    finally:
        for waited, handler in handlers.items():
            signal.signal(waited, handler)
        if came:
            signal.raise_signal(came[0])


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
