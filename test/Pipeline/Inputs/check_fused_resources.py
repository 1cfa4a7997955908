# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble fused kernels for every schedule the chooser can return.

Each must use no stack, spill nothing and draw no warning from ptxas. Two forms of epilogue are
what a layer has, and go with maps of rows in every way; layouts of weights go round.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import every_kernel
from every_kernel import LAYOUTS, Case, k_of

# Gate and up in pairs of columns, as gpt-oss finishes them.
SWIGLU = """epilogue(%b : memref<32x{n}xbf16>) {{
    ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32):
      %limit = arith.constant 7.0 : f32
      %lower = arith.constant -7.0 : f32
      %one = arith.constant 1.0 : f32
      %alpha = arith.constant -1.702 : f32
      %0 = arith.addf %gate, %gate_bias : f32
      %1 = arith.addf %up, %up_bias : f32
      %2 = arith.minimumf %0, %limit : f32
      %3 = arith.minimumf %1, %limit : f32
      %4 = arith.maximumf %3, %lower : f32
      %5 = arith.addf %4, %one : f32
      %6 = arith.mulf %2, %alpha : f32
      %7 = math.exp %6 : f32
      %8 = arith.addf %7, %one : f32
      %9 = arith.divf %2, %8 : f32
      %10 = arith.mulf %5, %9 : f32
      mxfp4.yield %10 : f32 }}"""
# A bias, and the token's weight of the expert.
WEIGHTED = """epilogue(%b, %a : memref<32x{n}xbf16>, memref<?xf32>) {{
    ^bb0(%sum: f32, %bias: f32, %weight: f32):
      %0 = arith.addf %sum, %bias : f32
      %1 = arith.mulf %0, %weight : f32
      mxfp4.yield %1 : f32 }}"""


def fused(schedule: str, even: bool, gather: bool, scatter: bool, layout: tuple[str, str]) -> str:
    """A module: gate and up with an even N, or the second matmul with an odd one and ids."""
    n, k = (5760, k_of(45, schedule)) if even else (101, k_of(9, schedule))
    output = f"memref<?x{n // 2}xbf16>" if even else f"memref<?x{n}xf32>"
    blocks = f"memref<32x{-(-n // 64)}x{-(-k // 64)}x!mxfp4.block<{', '.join(layout)}>>"
    groups = 32 if even else 40
    types = {
        "x": f"memref<?x{k}xbf16>", "w": blocks, "o": f"memref<{groups + 1}xi32>",
        "i": f"memref<{groups}xi32>", "y": output, "e": "memref<1xi32>", "s": "memref<2xi32>",
        "g": "memref<?xi32>", "t": "memref<?xi32>", "b": f"memref<32x{n}xbf16>",
        "a": "memref<?xf32>",
    }  # fmt: skip
    clauses = {
        "activations": "x", "gather": "g", "weights": "w", "offsets": "o", "expert_ids": "i",
        "outs": "y", "scatter": "t", "error": "e", "workspace": "s",
    }  # fmt: skip
    has = {"gather": gather, "scatter": scatter, "expert_ids": not even}
    absent = {word for word in has if not has[word]}
    operands = " ".join(
        f"{word}(%{name} : {types[name]})" for word, name in clauses.items() if word not in absent
    )
    arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
    epilogue = (SWIGLU if even else WEIGHTED).format(n=n)
    return (
        f"func.func @fused({arguments}) {{\n  mxfp4.grouped_matmul {operands}\n    {epilogue}\n"
        "  return\n}\n"
    )


def cases() -> list[Case]:
    """Schedules of problems that gather with a map to gather, others without."""
    chosen = [(s, True) for s in every_kernel.schedules("--gather")]
    chosen += [(s, False) for s in every_kernel.schedules()]
    found = []
    for number, (schedule, gather) in enumerate(chosen):
        if schedule in every_kernel.OTHERS:  # what users attach may spill
            continue
        for even in (True, False):
            layout = LAYOUTS[(number + even) % 4]
            scatter = (number // 2 + even) % 2 == 0
            found.append(Case(schedule, fused(schedule, even, gather, scatter, layout)))
    return found


def assemble(case: Case, directory: Path) -> list[str]:
    """What is wrong with one kernel."""
    directory.mkdir()
    source = directory / "fused.mlir"
    source.write_text(case.problem)
    run = subprocess.run(
        ["mxfp4-compile", source, "--schedule", case.schedule, "--cubin", "-o", directory / "out"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        return [run.stderr.strip() or f"exit status {run.returncode}"]
    resources = json.loads((directory / "out" / "manifest.json").read_text())["resources"]
    wrong = [f"{key}={resources[key]}" for key in ("stack_bytes", "spill_bytes") if resources[key]]
    if not 0 < resources["registers"] <= 255:
        wrong.append(f"registers={resources['registers']}")
    return wrong + resources["warnings"]


def main() -> int:
    """Print every kernel that is not clean."""
    wanted = cases()
    if len(sys.argv) > 1:  # every so many only
        wanted = wanted[:: int(sys.argv[1])]
    failures = 0
    for case, wrong in every_kernel.for_each(wanted, assemble):
        if wrong:
            failures += 1
            print(f"{case.schedule}\n{case.problem}\n  " + "\n  ".join(wrong))
    print(f"{len(wanted)} kernels, {failures} not clean")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
