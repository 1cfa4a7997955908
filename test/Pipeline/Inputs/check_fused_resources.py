# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile fused kernels for every schedule the chooser can return.

Each must use no stack, spill nothing and draw no warning from ptxas. Two forms of epilogue are
what a layer has, and go with maps of rows in every way; layouts of weights go round. In tall tiles,
whose registers are scarce, an odd N also comes without ids and with both outputs. Whether ptxas
spills a few bytes hangs on little. The kernels of layers that are published in MXFP4 are therefore
compiled as they are: each kind that a number of rows leads to, once for each matmul and epilogue.
In FP8 that is with either scale of what is between the matmuls, and of kernels that count with each
accumulation.

fused-clean.txt holds hashes of PTX that was clean before. What is not in it is assembled, which
only takes longer, so that the list needs no update for a change to be tested.

  check_fused_resources.py [--all] [--update]
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import assembled
import every_kernel
from check_models import Kind, kind
from every_kernel import LAYOUTS, Case, k_of

sys.path.append(str(Path(__file__).resolve().parents[2] / "python"))
sys.path.append(str(Path(__file__).resolve().parents[3] / "python"))
from epilogues import EPILOGUES
from mxfp4 import Problem
from mxfp4.compile import Compiler
from mxfp4.layer_spec import PRESETS, Activation, LayerSpec
from mxfp4.layer_steps import EARLY_ROWS
from mxfp4.layout import FP8

LIST = Path(__file__).with_name("fused-clean.txt")

MATMULS = ("gate_up", "down", "gate_up_gathered", "down_gathered")
COUNTED = ("gate_up_counted", "down_counted")
BROUGHT = ("gate_up_through", "gate_up_through_counted")
ACCUMULATIONS = ("fast", "promoted512", "promoted128")
SUMS = ({}, *({"activations": "fp8", "accumulation": how} for how in ACCUMULATIONS))
TALL = 128
"""Tokens of a tile that leaves few registers."""


def fused(
    schedule: str,
    even: bool,
    gather: bool,
    scatter: bool,
    layout: tuple[str, str],
    ids: bool | None = None,
    output: str = "f32",
) -> str:
    """A module: gate and up with an even N, or the second matmul with an odd one, by default with
    ids."""
    ids = not even if ids is None else ids
    n, k = (5760, k_of(45, schedule)) if even else (101, k_of(9, schedule))
    output = f"memref<?x{n // 2}xbf16>" if even else f"memref<?x{n}x{output}>"
    blocks = f"memref<32x{-(-n // 64)}x{-(-k // 64)}x!mxfp4.block<{', '.join(layout)}>>"
    groups = 40 if ids else 32
    types = {
        "x": f"memref<?x{k}xbf16>", "w": blocks, "o": f"memref<{groups + 1}xi32>",
        "i": f"memref<{groups}xi32>", "y": output, "e": "memref<1xi32>", "s": "memref<2xi32>",
        "g": "memref<?xi32>", "t": "memref<?xi32>", "columns": f"memref<32x{n}xbf16>",
        "per_row": "memref<?xf32>", "scalar": "memref<f32>",
    }  # fmt: skip
    clauses = {
        "activations": "x", "gather": "g", "weights": "w", "offsets": "o", "expert_ids": "i",
        "outs": "y", "scatter": "t", "error": "e", "workspace": "s",
    }  # fmt: skip
    has = {"gather": gather, "scatter": scatter, "expert_ids": ids}
    absent = {word for word in has if not has[word]}
    operands = " ".join(
        f"{word}(%{name} : {types[name]})" for word, name in clauses.items() if word not in absent
    )
    arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
    epilogue = EPILOGUES["swiglu" if even else "weighted"].format(e=32, n=n)
    return (
        f"func.func @fused({arguments}) {{\n  mxfp4.grouped_matmul {operands}\n    {epilogue}\n"
        "  return\n}\n"
    )


def bringing() -> list[Case]:
    """Each schedule with a warp that brings rows, of what FP8 stores by turns bf16 and E4M3."""
    found = []
    for number, sums in enumerate(SUMS):
        options = ["--accumulation", sums["accumulation"]] if sums else []
        for turn, schedule in enumerate(every_kernel.schedules("--through", *options)):
            if schedule in every_kernel.OTHERS or "placement = shared" in schedule:
                continue
            scale = {"activation_scale": "bound"} if number and turn % 2 else {}
            hidden = 45 * (128 if number else 64)
            spec = LayerSpec(32, 4, hidden, 2880, bias=True, **sums, **scale)
            found.append(Case(schedule, spec.gate_up_through()))
    return found


def wanted(specs: Iterable[LayerSpec]) -> list[tuple[LayerSpec, str]]:
    """The matmuls of layers, in bf16 and in FP8."""
    found: list[tuple[LayerSpec, str]] = []
    for plain in specs:
        found += [(plain, name) for name in MATMULS + COUNTED + BROUGHT]
        for sums in SUMS[1:]:
            spec = replace(plain, **sums)
            one = replace(spec, activation_scale="bound")
            found += [(one, name) for name in COUNTED]
            if sums in SUMS[1:-1]:
                found += itertools.product((spec, one), MATMULS)
    return [(s, name) for s, name in found if s.counts_rows or not name.endswith("_counted")]


LayerKind = tuple[str, Activation | None, bool, str | float, Kind]
"""A matmul of a layer, its activation, bias and scale between the matmuls, and what makes code of
its schedule different."""


def kernels(matmuls: Iterable[tuple[LayerSpec, str]], devices: Iterable[str]) -> list[Case]:
    """Each kind of kernel that matmuls of layers have, once."""
    found: dict[LayerKind, Case] = {}
    for spec, name in matmuls:
        module = getattr(spec, name)()
        activation = spec.activation if name.startswith("gate_up") else None
        for device in devices:
            with Compiler() as compiler, compiler.parse(module) as parsed:
                parsed.run(f"builtin.module(mxfp4-choose-schedule{{device={device}}})")
                (operation,) = parsed.describe()
            for choice in operation["choices"]:
                if name.endswith("_counted") and choice.get("to", sys.maxsize) < EARLY_ROWS:
                    continue
                schedule = choice["schedule"]
                own = name, activation, spec.bias, spec.activation_scale
                key = (*own, kind(problem(spec, name), schedule))
                found.setdefault(key, Case(schedule, module))
    return list(found.values())


def layers() -> list[Case]:
    """Those of layers of `PRESETS`."""
    return kernels(wanted(PRESETS.values()), ("h100-sxm", "h200"))


def problem(spec: LayerSpec, name: str) -> Problem:
    """A matmul of a layer without its epilogue."""
    up = name.startswith("gate_up")
    n, k = (spec.columns, spec.hidden) if up else (spec.hidden, spec.inner)
    fp8 = {"layout": FP8, "accumulation": spec.accumulation} if spec.activations == "fp8" else {}
    return Problem(spec.experts, n, k, **fp8)


def cases() -> list[Case]:
    """Schedules of problems that gather with a map to gather, others without."""
    chosen = [(s, True) for s in every_kernel.schedules("--gather")]
    chosen += [(s, False) for s in every_kernel.schedules()]
    found = layers() + bringing()
    # Schedules that only kernels with an epilogue have. Those with a warp that brings rows cannot
    # run without it, and are in `found`.
    listed = {s for s, _ in chosen}
    own = dict.fromkeys(c.schedule for c in found)
    others = [s for s in own if "fp8" not in s and "bring_bytes" not in s]
    chosen += [(s, False) for s in others if s not in listed]
    for number, (schedule, gather) in enumerate(chosen):
        if schedule in every_kernel.OTHERS:  # what users attach may spill
            continue
        if "short_to" in schedule:  # of matmuls alone: rows are brought in `found`
            continue
        for even in (True, False):
            layout = LAYOUTS[(number + even) % 4]
            scatter = (number // 2 + even) % 2 == 0
            found.append(Case(schedule, fused(schedule, even, gather, scatter, layout)))
        if every_kernel.number(schedule, "tokens") < TALL:
            continue
        for output in ("f32", "bf16"):
            module = fused(schedule, False, gather, True, LAYOUTS[number % 4], False, output)
            found.append(Case(schedule, module))
    return found


def compile_case(case: Case, out: Path, *options: str) -> str:
    """Compile one kernel. Returns what is wrong, or nothing."""
    source = out.with_name("fused.mlir")
    source.write_text(case.problem)
    run = subprocess.run(
        ["mxfp4-compile", source, "--schedule", case.schedule, *options, "-o", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return (run.stderr.strip() or f"exit status {run.returncode}") if run.returncode else ""


def main() -> int:
    """Print every kernel that is not clean."""
    title = "Hashes of the PTX of fused kernels; see check_fused_resources.py."
    return assembled.check(title, LIST, cases(), compile_case)


if __name__ == "__main__":
    sys.exit(main())
