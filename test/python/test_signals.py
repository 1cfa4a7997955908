# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ctrl-C and requests to end: no half of a file stays, and no signal is lost."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import needs_both
from mxfp4 import _signals
from mxfp4._signals import Stopped, stoppable, uninterrupted
from mxfp4.compile import Compiler
from mxfp4.module import PassRun
from mxfp4.problem import Problem

PACKING = """
import os, signal, sys
import numpy as np
from mxfp4 import Layout
from mxfp4._command import guard
from mxfp4.weights import Proof
from mxfp4.packed_file import write

def experts():
    yield np.zeros((1, 1, 2176), np.uint8)
    print(len(os.listdir(sys.argv[1])))
    os.kill(os.getpid(), int(sys.argv[2]))
    yield np.zeros((1, 1, 2176), np.uint8)

def pack():
    write(sys.argv[1] + "/w.safetensors", experts(), (2, 64, 64), Layout(), Proof(127, 127, False))
    return 0

sys.exit(guard("pack", lambda: guard("pack it", pack)))
"""


@pytest.fixture(autouse=True)
def _ended_by_signals() -> Iterator[None]:
    """Signals end a program, also where the tests run in the background or under ``nohup``, which
    ignore some, and programs that they start then do so, too."""
    ends = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGTERM: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in ends.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [
        (signal.SIGINT, 130, "pack it: interrupted"),
        (signal.SIGTERM, 143, "pack it: stopped by SIGTERM"),
        (signal.SIGHUP, 129, "pack it: stopped by SIGHUP"),
    ],
)
def test_half_a_file_goes(number: int, status: int, told: str, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", PACKING, str(tmp_path), str(int(number))]
    run = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.strip()) == (status, told)
    assert run.stdout.strip() == "1", "there was half a file"
    assert not list(tmp_path.iterdir())


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup."""
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(Stopped, match="SIGTERM"):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, old)


def test_a_second_request_at_once_does_not_stop_cleaning_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As systemd sends SIGTERM and SIGHUP."""
    cleaned: list[int] = []

    def clean_up() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGHUP)
            cleaned.append(1)

    old = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with stoppable(), pytest.raises(Stopped, match="SIGTERM"):
            clean_up()
        assert cleaned == [1]
        monkeypatch.setattr(_signals, "_AT_ONCE", 0.0)
        with stoppable(), pytest.raises(Stopped, match="SIGHUP"):
            clean_up()
        assert cleaned == [1], "one that comes later is another request"
    finally:
        signal.signal(signal.SIGHUP, old)


def test_every_signal_that_came_is_handled_later() -> None:
    """Also where the handler of another raises; and a handler that a callback sets stays."""
    came: list[str] = []

    def mine(number: int, _: object) -> None:
        came.append(signal.Signals(number).name)

    def callback() -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            signal.raise_signal(number)
        signal.signal(signal.SIGHUP, later)
        came.append("the end")
        return 7

    def later(number: int, _: object) -> None: ...

    old = {n: signal.signal(n, mine) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(KeyboardInterrupt):
            uninterrupted(ctypes.CFUNCTYPE(ctypes.c_int)(callback))()
        assert came == ["the end", "SIGTERM"]
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGHUP) is later
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def test_a_callback_is_not_interrupted() -> None:
    done: list[str] = []

    def callback() -> int:
        signal.raise_signal(signal.SIGINT)
        done.append("the rest")
        return 7

    with pytest.raises(KeyboardInterrupt):
        uninterrupted(ctypes.CFUNCTYPE(ctypes.c_int)(callback))()
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    found: list[int] = []
    quiet = uninterrupted(ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 7))
    thread = threading.Thread(target=lambda: found.append(quiet()))
    thread.start()
    thread.join()
    assert [*found, quiet()] == [7, 7]


@needs_both
def test_no_pass_is_missed_and_no_interrupt_is_lost() -> None:
    traced: list[str] = []

    def trace(run: PassRun) -> None:
        traced.append(run.pass_)
        if len(traced) == 1:
            signal.raise_signal(signal.SIGINT)
            traced.append("went on")

    with Compiler() as compiler, compiler.parse(compiler.mlir(Problem(2, 64, 64))) as module:
        with pytest.raises(KeyboardInterrupt):
            module.run("builtin.module(mxfp4-to-ptx)", trace)
        assert traced[1] == "went on"
        assert len(traced) > 5
        assert module.kernels()
