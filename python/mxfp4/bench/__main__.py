# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measure compiled kernels against other kernels and the read bandwidth.

Where the compiler is:  python -m mxfp4.bench --compile ARTIFACTS
Where the GPU is:       python -m mxfp4.bench ARTIFACTS --json bench.json --markdown bench.md

Both take the same options for the shapes: gpt-oss layers, or others (`shapes`).

Times are microseconds a launch: medians of CUDA-graph replays that take their weights from device
memory. Every result is checked against f64 in the same run; a wrong one has no time. Columns:
``register`` and ``shared``: ours, weights decoded in registers or into shared memory; ``triton``:
OpenAI's triton_kernels, from the folder that --triton names; ``bf16``: torch's grouped matmul on
decoded weights; ``dense``: cuBLAS with the same rows, from 4096 on, and one expert's decoded
weights; ``read``: reading as many bytes as the packed weights, activations and output have. With
--fp8 also, of rows that are in FP8 already: ``fp8`` and ``fp8 fast``: ours, with sums that are
promoted every 512 of K, or never; ``dense fp8`` and ``dense fp8 fast``: torch._scaled_mm; with
--humming ``humming fp8``: humming-kernels.

Columns of a case take short turns, all at about the same clock. At the power limit that is not the
clock at which a kernel runs for long: --steady times each alone, with its power and its clock.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from .._command import Parser, told
from .._files import write_or_print
from ..devices import option as device_option
from ..errors import Error
from ..problem import Problem
from ..wanted import PLACEMENTS, Shelf, compile_all, print_list
from . import shapes
from .cases import SUMS, Case, in_fp8, wanted

COLUMNS = {"register": "ours, register", "shared": "ours, shared", "triton": "Triton",
           "bf16": "torch bf16 grouped", "dense": "cuBLAS bf16 dense", "fp8": "ours, FP8",
           "fp8 fast": "ours, FP8 fast", "humming fp8": "humming FP8",
           "dense fp8": "cuBLAS FP8 dense", "dense fp8 fast": "cuBLAS FP8 dense, fast",
           "read": "read"}  # fmt: skip
RATIOS = ("shared", "triton", "bf16", "dense", "fp8", "fp8 fast", "read")
"""Columns whose time is given as a multiple of ours."""
FP8 = ("fp8", "fp8 fast", "humming fp8", "dense fp8", "dense fp8 fast")
"""Columns of --fp8."""


@told("python -m mxfp4.bench")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.bench", description=__doc__)
    parser.add_argument("artifacts", type=Path, nargs="?", help="folder of artifact folders")
    parser.add_argument("--list", action="store_true", help="print the needed kernels, one a line")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the needed kernels")
    parser.add_argument("--options", default="assemble=true", help="more compiler options")
    parser.add_argument("--device", default="", metavar="WORDS",
                        help="GPU to compile for: h100-sxm (default), h200, native")  # fmt: skip
    parser.add_argument("--columns", nargs="*", choices=COLUMNS, help="only these columns")
    parser.add_argument("--triton", type=Path, metavar="FOLDER", help="that has triton_kernels")
    parser.add_argument("--fp8", action="store_true",
                        help="compile, and measure, matmuls in FP8, too")  # fmt: skip
    parser.add_argument("--humming", action="store_true",
                        help="with --fp8: humming-kernels in FP8, too")  # fmt: skip
    parser.add_argument("--budget", type=float, default=400, help="seconds after which to stop")
    parser.add_argument("--window", type=float, default=50, help="milliseconds of each timing")
    parser.add_argument("--steady", type=float, default=0, metavar="SECONDS",
                        help="also time each column alone, without a pause")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    shapes.arguments(parser)
    o = parser.parse_args(arguments)
    if o.steady < 0:
        parser.error(f"--steady must not be negative, got {o.steady:g}.")
    if o.humming and not o.fp8:
        parser.error("--humming is a column of --fp8; whole layers have one, too.")
    if o.layer == shapes.WHOLE:
        parser.error("whole layers are measured by python -m mxfp4.bench.layer")
    try:
        chosen = shapes.chosen(o)
        if o.list:
            print_list(wanted(chosen, o.fp8), o.options)
        elif o.compile:
            options = f"{o.options} {device_option(o.device)}".strip()
            print(f"compiled {compile_all(wanted(chosen, o.fp8), o.compile, options)} kernels")
        elif o.artifacts:
            return run(o, chosen)
        else:
            parser.error("give a folder of artifacts, --list or --compile OUT")
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    return 0


def cell(column: dict[str, Any]) -> str:
    """A time, or a dash."""
    return f"{column['median']:.1f}" if "median" in column else "failed" if column else "-"


def table(rows: list[dict[str, Any]]) -> str:
    """The results as a markdown table; columns of --fp8 only if one was measured."""
    known = [c for c in COLUMNS if c not in FP8 or any(c in row for row in rows)]
    others = [c for c in RATIOS if c in known]
    head = ["E", "layer", "T", "routing", "rows", *(f"{COLUMNS[c]}, us" for c in known)]
    head += ["TFLOP/s", "GB/s", *(f"{c} / register" for c in others)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [str(row[k]) for k in ("experts", "layer", "tokens", "routing", "rows")]
        cells += [cell(row.get(c, {})) for c in known]
        us = row.get("register", {}).get("median")
        if us:
            cells += [f"{row['flops'] / us / 1e6:.0f}", f"{row['bytes'] / us / 1e3:.0f}"]
            for other in others:
                theirs = row.get(other, {}).get("median")
                cells.append(f"{theirs / us:.2f}" if theirs else "-")
        else:
            cells += ["-"] * (2 + len(others))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def steady_table(rows: list[dict[str, Any]]) -> str:
    """What `--steady` measured, as a markdown table; nothing if it measured nothing."""
    timed = [c for c in COLUMNS if any("steady" in row.get(c, {}) for row in rows)]
    others = [c for c in timed if c in RATIOS]
    head = ["E", "layer", "T", "routing", *(f"{COLUMNS[c]}, alone, us" for c in timed)]
    head += [f"{c} / register" for c in others]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        found = {c: row[c]["steady"] for c in timed if "steady" in row.get(c, {})}
        if not found:
            continue
        cells = [str(row[k]) for k in ("experts", "layer", "tokens", "routing")]
        cells += [_with_power(found[c]) if c in found else "-" for c in timed]
        us = found.get("register", {}).get("median")
        cells += [f"{found[c]['median'] / us:.2f}" if us and c in found else "-" for c in others]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" if timed else ""


def _with_power(told: dict[str, float]) -> str:
    power = f" ({told['watts']:.0f} W, {told['mhz']:.0f} MHz)" if "watts" in told else ""
    return f"{told['median']:.1f}{power}"


def failures(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each column that failed."""
    return [
        f"E={row['experts']} {row['layer']} T={row['tokens']} {row['routing']} {name}: "
        f"{row[name]['error']}"
        for row in rows
        for name in COLUMNS
        if "error" in row.get(name, {})
    ]


def cached(rows: list[dict[str, Any]], cache: int) -> list[str]:
    """A sentence for each row whose weights stay in a cache of this size."""
    return [
        f"E={row['experts']} {row['layer']} T={row['tokens']} {row['routing']}: the weights that "
        f"a graph reads, {row['rotated'] / 1e6:.1f} MB, stay in the L2 cache of {cache / 1e6:.0f} "
        "MB; the times do not include reading them from memory."
        for row in rows
        if row["rotated"] < cache
    ]


def device_facts() -> dict[str, str]:
    """Driver, power limit and clocks, as nvidia-smi tells them; nothing where there is none."""
    from .._gpu import nvidia_smi

    wanted = "driver_version,power.limit,clocks.max.sm,clocks.sm,temperature.gpu"
    try:
        told = subprocess.run(
            nvidia_smi(wanted), capture_output=True, text=True, check=True, timeout=20,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(wanted.split(","), (v.strip() for v in told.split(",")), strict=False))


def columns(o: argparse.Namespace, shelf: Shelf, chosen: list[Case]) -> list[str]:
    """The columns to measure: those asked for, or all that kernels and --triton allow.

    Raises:
        Error: if the kernels are of none of the cases' problems, and what they are of.
    """
    left_out = {"read", *(() if o.triton else ("triton",)), *(() if o.fp8 else FP8)}
    left_out |= set() if o.humming else {"humming fp8"}
    names = [c for c in o.columns or COLUMNS if c not in left_out]
    problems = dict.fromkeys(c.problem for c in chosen)
    _need_fp8(o, shelf, names, list(problems))
    for placement in set(PLACEMENTS) & set(names):
        lacking = [p for p in problems if not shelf.has(p, placement)]
        if not lacking:
            continue
        if placement == "register":
            raise Error(
                f"the kernels in {o.artifacts} are for {shelf.problems()}, and none is for "
                f"{lacking[0].spec()}. Where the compiler is, run this command with --compile "
                f"{o.artifacts} in place of {o.artifacts} first."
            )
        if not o.columns:
            print(f"{o.artifacts} has no kernels that decode into shared memory for all shapes; "
                  'their column, "shared", is left out (--compile makes them).')  # fmt: skip
            names.remove(placement)
    return names


def _need_fp8(
    o: argparse.Namespace, shelf: Shelf, names: list[str], problems: list[Problem]
) -> None:  # fmt: skip
    """Check that the kernels of our columns in FP8 are there.

    Raises:
        Error: if not.
    """
    for name in SUMS:
        lacking = [p for p in problems if not shelf.has(in_fp8(p, name), "register")]
        if name in names and lacking:
            raise Error(
                f"{o.artifacts} has no kernel for {in_fp8(lacking[0], name).spec()}. Where the "
                f"compiler is, run this command with --fp8 --compile {o.artifacts} first."
            )


def run(o: argparse.Namespace, chosen: list[Case]) -> int:
    """Measure; 0 if everything was measured and right."""
    import torch

    shelf = Shelf(o.artifacts)
    names = columns(o, shelf, chosen)
    if not torch.cuda.is_available():
        raise Error("torch sees no CUDA device; the benchmark runs on a GPU.")
    torch.backends.cuda.matmul.allow_tf32 = False
    from .gpu import Bench

    start = time.perf_counter()
    bench = Bench(shelf, o.budget, o.window, o.triton, o.steady)
    rows: list[dict[str, Any]] = []
    stopped = ""
    for case in chosen:
        if bench.out_of_time():
            stopped = f"stopped after {o.budget:.0f} s with {len(rows)} of {len(chosen)} cases"
            break
        try:
            rows.append(bench.case(case, names))
        except Exception as e:
            stopped = f"stopped by an error in {case}: {type(e).__name__}: {e}"
            break
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    alone = steady_table(rows)
    text = table(rows) + ("\n" + alone if alone else "")
    properties = torch.cuda.get_device_properties(0)
    facts = {"gpu": properties.name, "multiprocessors": properties.multi_processor_count,
             "torch": torch.__version__, "cuda": torch.version.cuda,
             "python": platform.python_version(), "date": time.strftime("%Y-%m-%d"),
             **device_facts(), "read_gbps_4GiB": bench.ceiling(),
             "seconds": time.perf_counter() - start}  # fmt: skip
    notes = cached(rows, getattr(properties, "L2_cache_size", 50 * 2**20))
    if o.json:
        write_or_print(o.json, json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n")
    if o.markdown:
        write_or_print(o.markdown, text)
    bad = failures(rows) + ([stopped] if stopped else [])
    print("\n" + text + "\n" + "\n".join([json.dumps(facts), *notes, *bad]))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
