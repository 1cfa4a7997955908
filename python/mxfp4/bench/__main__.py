# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measure compiled kernels on gpt-oss shapes, against torch's bf16 and the read bandwidth.

Where the compiler is:  python -m mxfp4.bench --compile ARTIFACTS
Where the GPU is:       python -m mxfp4.bench ARTIFACTS --json bench.json --markdown bench.md

Times are microseconds a launch: medians of CUDA-graph replays that take their weights from device
memory. Every result is checked against f64 in the same run; a wrong one has no time.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

from ..errors import Error
from ..wanted import Shelf, compile_all, print_list
from .cases import cases, wanted

COLUMNS = {"register": "ours, register", "shared": "ours, shared", "bf16": "torch bf16",
           "read": "read"}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m mxfp4.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("artifacts", type=Path, nargs="?", help="folder of artifact folders")
    parser.add_argument("--list", action="store_true", help="print the needed kernels, one a line")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the needed kernels")
    parser.add_argument("--options", default="assemble=true", help="more compiler options")
    parser.add_argument("--experts", type=int, help="only this number of experts")
    parser.add_argument("--layer", help="only gate_up or down")
    parser.add_argument("--tokens", type=int, nargs="*", help="only these token counts")
    parser.add_argument("--budget", type=float, default=200, help="seconds after which to stop")
    parser.add_argument("--window", type=float, default=50, help="milliseconds of each timing")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    o = parser.parse_args(arguments)
    try:
        if o.list:
            print_list(wanted(), o.options)
        elif o.compile:
            print(f"compiled {compile_all(wanted(), o.compile, o.options)} kernels")
        elif o.artifacts:
            return run(o)
        else:
            parser.error("give a folder of artifacts, --list or --compile OUT")
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    return 0


def cell(column: dict[str, Any]) -> str:
    """A time, or that there is none."""
    return f"{column['median']:.1f}" if "median" in column else "failed"


def table(rows: list[dict[str, Any]]) -> str:
    """The results as a markdown table."""
    head = ["E", "layer", "T", "rows", *(f"{c}, us" for c in COLUMNS.values())]
    head += ["TFLOP/s", "GB/s", "shared / register", "bf16 / register"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [str(row[k]) for k in ("experts", "layer", "tokens", "rows")]
        cells += [cell(row.get(c, {})) for c in COLUMNS]
        us = row.get("register", {}).get("median")
        if us:
            cells += [f"{row['flops'] / us / 1e6:.0f}", f"{row['bytes'] / us / 1e3:.0f}"]
            for other in ("shared", "bf16"):
                theirs = row.get(other, {}).get("median")
                cells.append(f"{theirs / us:.2f}" if theirs else "-")
        else:
            cells += ["-"] * 4
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def failures(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each column that failed."""
    return [
        f"E={row['experts']} {row['layer']} T={row['tokens']} {name}: {row[name]['error']}"
        for row in rows
        for name in COLUMNS
        if "error" in row.get(name, {})
    ]


def run(o: argparse.Namespace) -> int:
    """Measure; 0 if everything was measured and right."""
    import torch

    if not torch.cuda.is_available():
        raise Error("torch sees no CUDA device; the benchmark runs on a GPU.")
    torch.backends.cuda.matmul.allow_tf32 = False
    from .gpu import Bench, ReadBandwidth

    chosen = [
        c
        for c in cases()
        if (o.experts is None or c.experts == o.experts)
        and (o.layer is None or c.layer == o.layer)
        and (not o.tokens or c.tokens in o.tokens)
    ]
    start = time.perf_counter()
    shelf = Shelf(o.artifacts)
    reads = ReadBandwidth()
    sizes = {c: reads.measure(c.traffic()) for c in chosen}
    ceiling = {"read_gbps_4GiB": 4 * 2**30 / reads.measure(4 * 2**30)["median"] / 1e3}
    del reads
    torch.cuda.empty_cache()
    bench = Bench(shelf, o.budget - (time.perf_counter() - start), o.window)
    rows: list[dict[str, Any]] = []
    stopped = ""
    for case in chosen:
        if bench.out_of_time():
            stopped = f"stopped after {o.budget:.0f} s with {len(rows)} of {len(chosen)} cases"
            break
        try:
            rows.append({**bench.case(case), "read": sizes[case]})
        except Exception as e:
            stopped = f"stopped by an error in {case}: {type(e).__name__}: {e}"
            break
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    text = table(rows)
    properties = torch.cuda.get_device_properties(0)
    facts = {"gpu": properties.name, "multiprocessors": properties.multi_processor_count,
             "torch": torch.__version__, "cuda": torch.version.cuda,
             "python": platform.python_version(), **ceiling,
             "seconds": time.perf_counter() - start}  # fmt: skip
    if o.json:
        o.json.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n")
    if o.markdown:
        o.markdown.write_text(text)
    bad = failures(rows) + ([stopped] if stopped else [])
    print("\n" + text + "\n" + "\n".join([json.dumps(facts), *bad]))
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
