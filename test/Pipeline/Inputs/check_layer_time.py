# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile times to PTX of what belongs together: the kernels of a layer, and FP8 next to bf16.

A time is that of the processor in this process, which other programs lengthen less than they do
the time on the clock, and the least of several.

    check_layer_time.py layer|fp8
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "python"))

from mxfp4 import Problem, devices
from mxfp4.compile import Compiler
from mxfp4.layer_spec import LayerSpec
from mxfp4.layer_steps import routing_options, steps
from mxfp4.layout import FP8

RUNS = 3
TURNS = 30
"""The most turns of quotients, whose parts take turns, where other programs disturb some."""
LAYER_MS = 600
SLACK = 1.5
"""Of a time in milliseconds, which a slow machine lengthens, and a busy one by a quarter."""
AS_LONG = 1.2
"""The most of a quotient, without slack: its parts are measured in turns on one machine."""


def milliseconds(compile_it: Callable[[], Any], runs: int = RUNS) -> float:
    """The least of several times."""
    times = []
    for _ in range(runs):
        began = time.process_time()
        compile_it()
        times.append(time.process_time() - began)
    return 1000 * min(times)


def layer(compiler: Compiler) -> bool:
    """All kernels of gpt-oss's layers, for few tokens and for many.

    With 4096 tokens gate_up has a program for short groups.
    """
    slow = False
    for experts, tokens in ((32, 1), (32, 64), (32, 8192), (128, 4096)):
        spec = LayerSpec(experts, slots=4, hidden=2880, inner=2880, bias=True)
        names = steps(spec, tokens)
        total = 0.0
        for name in names:
            is_matmul = name.startswith(("gate_up", "down"))
            how = compiler.compile if is_matmul else compiler.compile_routing
            options = (
                f"rows-hint={4 * tokens} {devices.option('h200')}"
                if is_matmul
                else routing_options(spec, name)
            )
            mlir = getattr(spec, name)()
            total += milliseconds(lambda how=how, mlir=mlir, options=options: how(mlir, options))
        print(f"layer, {experts} experts, {tokens} tokens: {len(names)} kernels, "
              f"{total:.0f} ms (goal {LAYER_MS})")  # fmt: skip
        slow |= total >= SLACK * LAYER_MS
    return slow


def fp8(compiler: Compiler) -> bool:
    """Activations in FP8 with each way to add, as a multiple of bf16."""
    slow = False
    for rows in (4096, 16384, 32768):
        problems = [Problem(32, 5760, 2880)] + [
            Problem(32, 5760, 2880, layout=FP8, accumulation=how) for how in ("fast", "promoted512")
        ]
        compiles = [
            partial(compiler.compile, compiler.mlir(problem), f"rows-hint={rows}")
            for problem in problems
        ]
        least = [float("inf")] * len(compiles)
        for turn in range(TURNS):
            times = [milliseconds(compile_it, runs=1) for compile_it in compiles]
            least = list(map(min, least, times))
            limit = AS_LONG * least[0]
            if turn + 1 >= RUNS and max(least) < limit:
                break
        else:
            slow = True
        bf16, *others = least
        fast, promoted = (ms / bf16 for ms in others)
        print(f"fp8, {rows} rows: bf16 {bf16:.0f} ms, fast {fast:.2f} times as long "
              f"(goal {AS_LONG}), promoted512 {promoted:.2f} (goal {AS_LONG})")  # fmt: skip
    return slow


def main() -> int:
    """Fail if the least time is past the limit."""
    with Compiler() as compiler:
        return int({"layer": layer, "fp8": fp8}[sys.argv[1]](compiler))


if __name__ == "__main__":
    sys.exit(main())
