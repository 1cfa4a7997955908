# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processes that fork, or end, while other threads are at work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mxfp4
import pytest
from kernels import needs_both
from mxfp4._sim_driver import SimDriver

PACKAGE = Path(mxfp4.__file__).parent


def run(code: str) -> None:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")


HOLDING = """import os, signal, threading, time
held = threading.Event()
def in_thread(context):
    def work():
        with context:
            held.set()
            time.sleep(0.3)
    thread = threading.Thread(target=work)
    thread.start()
    held.wait()
    return thread
def child_of_fork(function):
    if not (child := os.fork()):
        signal.alarm(10)
        os._exit(7 if function() else 8)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
LOCKS = {
    "the compiler's": "from mxfp4 import compile; of = compile._compiling",
    "of all kernels": "from mxfp4 import kernels; of = kernels._lock",
    "of plans": "from mxfp4 import layer_plan; of = layer_plan._lock",
    "of a layer": """from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import LayerSpec
of = LayerKernels(LayerSpec(8, 2, 64, 96))._lock""",
}


@pytest.mark.parametrize("which", LOCKS)
def test_a_lock_that_another_thread_holds_is_free_in_a_child(which: str) -> None:
    run(f"""{HOLDING}
{LOCKS[which]}
thread = in_thread(of)
assert child_of_fork(lambda: of.acquire(timeout=5)) == 7
assert not of.acquire(blocking=False)
thread.join()
assert of.acquire(blocking=False)
""")


def test_a_lock_of_the_thread_that_forks_stays_its_own() -> None:
    run(f"""{HOLDING}
from mxfp4 import _threads
of = _threads.lock(threading.RLock())
with of:
    if not (child := os.fork()):
        thread = threading.Thread(target=lambda: held.set() if of.acquire(blocking=False) else 0)
        thread.start()
        thread.join()
        os._exit(8 if held.is_set() else 7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
""")


def test_all_locks_are_known() -> None:
    """Of whatever file: one that is not would never be released in a child."""
    for file in PACKAGE.glob("*.py"):
        made = re.findall(r"(?m)^(.*)threading\.R?Lock\(\)", file.read_text())
        assert all(before.endswith("lock(") for before in made) or file.name == "_threads.py", file


def test_forking_waits_for_the_compiler() -> None:
    """It has locks of its own, which nothing frees in a child."""
    run(f"""{HOLDING}
from mxfp4 import _threads
ended = []
def function():
    held.set()
    time.sleep(0.3)
    ended.append(1)
thread = threading.Thread(target=_threads.calls_python(function, keeps_forks=True))
thread.start()
held.wait()
assert child_of_fork(lambda: ended and not _threads._inside) == 7
thread.join()
""")


SIMULATING = """import sys, threading, time
sys.path[:0] = {path}
from test_simulator import CASE, PROBLEM, compile_kernel, simulate
from dataclasses import replace
artifact = compile_kernel(PROBLEM, "")
if {endless}:
    at = artifact.ptx.index("ld.param")
    artifact = replace(artifact, ptx=artifact.ptx[:at] + "$L__END:\\nbra.uni $L__END;\\n"
                                     + artifact.ptx[at:])
began = threading.Event()
def work():
    while True:
        began.set()
        simulate(artifact, CASE.activations(), CASE.weights(), CASE.offsets(),
                 max_instructions=2**60)
threading.Thread(target=work, daemon=True).start()
began.wait()
time.sleep({delay})
"""


@needs_both
@pytest.mark.parametrize("delay", [0.02, 0.05, 0.11])
def test_python_ends_while_a_thread_simulates(delay: float) -> None:
    """Ending a thread in the middle of C++ would end the process by a signal."""
    run(SIMULATING.format(path=sys.path, endless=False, delay=delay))


@needs_both
def test_python_ends_while_a_thread_simulates_without_end() -> None:
    run(SIMULATING.format(path=sys.path, endless=True, delay=0.2))


@needs_both
def test_what_runs_at_the_end_may_simulate() -> None:
    """Functions of atexit that were given before the package was imported run last."""
    run(f"""import atexit
def last():
    assert simulate(artifact, CASE.activations(), CASE.weights(), CASE.offsets()).ok
atexit.register(last)
{SIMULATING.format(path=sys.path, endless=False, delay=0.05)}""")


@needs_both
def test_launches_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that a launch alone used is forgotten, and so is what the launch cost."""
    from test_simulator import run as simulate_case

    forgotten: list[int] = []
    free = SimDriver.cuMemFree

    def freed(driver: SimDriver, address: int) -> tuple[int]:
        forget = driver._sim.mxfp4SimStreamForget

        class Sim:
            def mxfp4SimStreamForget(self, stream: int, at: int, size: int) -> None:
                forgotten.append(size)
                forget(stream, at, size)

        assert driver.launches == []
        sim, driver._sim = driver._sim, Sim()  # type: ignore[assignment]
        try:
            return free(driver, address)
        finally:
            driver._sim = sim

    monkeypatch.setattr(SimDriver, "cuMemFree", freed)
    assert simulate_case(launches=3).ok
    assert forgotten[:3] == [25 * 70 * 2] * 3
