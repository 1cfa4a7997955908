# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What becomes of other threads where a process forks, and where Python ends.

A child has the thread alone that forked. So `lock` gives locks that are free in a child whoever
held them, and guard what changes by one assignment; and forking waits for the compiler's functions,
because C++ has locks of its own. Python ends a daemon thread when it next runs Python. In C++ that
calls Python the process would crash then, so that Python waits, before it ends, until no daemon
thread is in such a function, and each goes no further than to its end.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

_LONGEST = 10.0
"""Seconds to wait for other threads: C++ may have called a function of the user's that waits."""

_guard = threading.RLock()
_changed = threading.Condition(_guard)
_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_inside: dict[int, _Inside] = {}
_stops: list[Callable[[bool], None]] = []
_is_ending = False


class _Inside:
    """A thread that is in functions of C++."""

    def __init__(self, keeps_forks: bool) -> None:
        self.depth = 1
        self.keeps_forks = keeps_forks
        self.is_daemon = threading.current_thread().daemon


def lock(made: Any) -> Any:
    """A Lock or an RLock, which is free in a child whose parent's other thread held it."""
    _locks.add(made)
    return made


def calls_python(function: Callable[..., Any], keeps_forks: bool = False) -> Callable[..., Any]:
    """A function of C++ that may call Python, for any thread.

    Args:
        function: by ctypes.
        keeps_forks: whether forking waits until no other thread is in it.
    """

    @functools.wraps(function, assigned=())
    def call(*arguments: Any) -> Any:
        _enter(keeps_forks)
        try:
            return function(*arguments)
        finally:
            _leave()

    return call


class CallsPython:
    """A library of which any function may call Python."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        function = calls_python(getattr(self._library, name))
        setattr(self, name, function)
        return function


def stop_with(stop: Callable[[bool], None]) -> None:
    """Where Python ends, call ``stop(True)``, wait for daemon threads, and call ``stop(False)``."""
    _stops.append(stop)


def _enter(keeps_forks: bool) -> None:
    thread = threading.get_ident()
    with _guard:
        if thread in _inside:
            _inside[thread].depth += 1
            return
        entering = _Inside(keeps_forks)
        goes_on = not (_is_ending and entering.is_daemon)
        if goes_on:
            _inside[thread] = entering
    if not goes_on:
        _wait_for_the_end()


def _leave() -> None:
    thread = threading.get_ident()
    with _guard:
        leaving = _inside[thread]
        leaving.depth -= 1
        if leaving.depth:
            return
        del _inside[thread]
        _changed.notify_all()
        goes_on = not (_is_ending and leaving.is_daemon)
    if not goes_on:
        _wait_for_the_end()


def _wait_for_the_end() -> None:
    """Stay here, where no C++ is, until the process is gone."""
    threading.Event().wait()


def _before_fork() -> None:
    own = threading.get_ident()
    _guard.acquire()
    _changed.wait_for(
        lambda: not any(i.keeps_forks for thread, i in _inside.items() if thread != own), _LONGEST
    )


def _in_child() -> None:
    own = threading.get_ident()
    for thread in _inside.keys() - {own}:
        del _inside[thread]
    _guard.release()
    for held in _locks:
        is_owned = getattr(held, "_is_owned", bool)  # a plain lock does not know
        if not is_owned():
            held._at_fork_reinit()


def _end() -> None:
    global _is_ending
    with _guard:
        _is_ending = True
        for stop in _stops:
            stop(True)
        _changed.wait_for(lambda: not any(i.is_daemon for i in _inside.values()), _LONGEST)
        for stop in _stops:
            stop(False)


os.register_at_fork(before=_before_fork, after_in_parent=_guard.release, after_in_child=_in_child)
atexit.register(_end)
