# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the tables of measurements in README.md and docs/ from docs/*.json.

usage: measurements.py [--check]

A page has a mark for each table; the text between the two lines is written anew:

    <!-- measured: layer-front -->
    <!-- end -->

A case that failed is "failed" in its column, and one that was not measured is a dash.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from generated import settle
from measured import (
    COLUMNS,
    FP8_H200,
    MANY_H200,
    MATMUL,
    MODELS_H200,
    PARALLEL_H200,
    ROOT,
    ROUTING_H200,
    bound_by_weights,
    cell,
    dated,
    quotient,
    table,
)
from measured_layers import LAYERS

PAGES = ["README.md", "docs/LayerMeasurements.md", "docs/Measurements.md", "docs/Performance.md"]
MARK = re.compile(r"<!-- measured: ([\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)


def models(page: str) -> str:
    """Matmuls of models' layers, against others."""
    shown = {c: COLUMNS[c] for c in ("register", "triton", "bf16", "read")}
    lines = [
        [row["model"], row["layer"], f"{row['experts']} x {row['n']} x {row['k']}",
         str(row["tokens"]), *(cell(row, c) for c in shown), quotient(row, "triton", "register"),
         quotient(row, "bf16", "register"), quotient(row, "read", "register")]
        for row in MODELS_H200["rows"]
    ]  # fmt: skip
    head = ["model", "matmul", "E x N x K", "T", *shown.values(), "Triton / mxfp4",
            "bf16 / mxfp4", "read / mxfp4"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(MODELS_H200, 'models-h200.json')}"


def fp8_matmul(page: str) -> str:
    """Matmuls with activations in FP8, against bf16, cuBLAS and humming."""
    shown = {
        "register": "mxfp4, bf16", "fp8": "mxfp4, FP8 promoted", "fp8 fast": "mxfp4, FP8 fast",
        "humming fp8": "humming, FP8", "dense": "cuBLAS, bf16",
        "dense fp8": "cuBLAS, FP8", "dense fp8 fast": "cuBLAS, FP8 fast",
    }  # fmt: skip
    lines = [
        [str(row["experts"]), f"{row['n']} x {row['k']}", str(row["tokens"]),
         *(cell(row, c) for c in shown), quotient(row, "register", "fp8"),
         quotient(row, "register", "fp8 fast"), quotient(row, "dense fp8", "fp8"),
         quotient(row, "dense fp8 fast", "fp8 fast")]
        for row in FP8_H200["rows"]
    ]  # fmt: skip
    head = ["E", "N x K", "T", *shown.values(), "bf16 / promoted", "bf16 / fast",
            "cuBLAS / promoted", "cuBLAS fast / fast"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(FP8_H200['facts'], 'fp8-h200.json')}"


def fp8_few(page: str) -> str:
    """How far matmuls with few rows are from the read, in bf16 and in FP8."""
    shown = {"read": COLUMNS["read"], "register": "bf16", "fp8": "FP8 promoted", "fp8 fast": "fast"}
    lines = [
        [str(row["experts"]), f"{row['n']} x {row['k']}", str(row["tokens"]),
         *(cell(row, c) for c in shown),
         *(quotient(row, "read", c) for c in shown if c != "read"),
         quotient(row, "register", "fp8"), quotient(row, "register", "fp8 fast"),
         quotient(row, "register", "read")]
        for row in bound_by_weights(FP8_H200["rows"])
    ]  # fmt: skip
    head = ["E", "N x K", "T", *shown.values(), "read / bf16", "read / promoted", "read / fast",
            "bf16 / promoted", "bf16 / fast", "bf16 / read"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(FP8_H200['facts'], 'fp8-h200.json')}"


def parallel(page: str) -> str:
    """Matmuls of models' layers, cut for several GPUs."""
    lines = [
        [row["model"], str(row["parts"]), row["layer"],
         f"{row['experts']} x {row['n']} x {row['k']}", str(row["tokens"]),
         *(cell(row, c) for c in ("register", "triton", "read")),
         quotient(row, "triton", "register"), quotient(row, "read", "register")]
        for row in PARALLEL_H200["rows"]
    ]  # fmt: skip
    head = ["model", "GPUs", "matmul", "E x N x K", "T",
            *(COLUMNS[c] for c in ("register", "triton", "read")), "Triton / mxfp4",
            "read / mxfp4"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(PARALLEL_H200, 'parallel-h200.json')}"


def routings(page: str) -> str:
    """Matmuls by how their rows are spread over the experts."""
    at = {(r["experts"], r["tokens"], r["routing"]): r for r in ROUTING_H200["rows"]}
    lines = []
    for experts, tokens in dict.fromkeys((e, t) for e, t, _ in at):
        uniform, *others = (at[experts, tokens, how] for how in ("uniform", "trained", "zipf"))
        skewed = [r["register"]["median"] / uniform["register"]["median"] for r in others]
        lines.append([
            str(experts), str(tokens), *(cell(r, "register") for r in (uniform, *others)),
            *(f"{ratio:.2f}" for ratio in skewed), quotient(others[0], "read", "register"),
            quotient(others[0], "dense", "register"),
        ])  # fmt: skip
    head = ["E", "T", "uniform", "trained", "Zipf", "trained / uniform", "Zipf / uniform",
            "trained: read / mxfp4", "trained: cuBLAS / mxfp4"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(ROUTING_H200, 'routing-h200.json')}"


def many(page: str) -> str:
    """Many rows, against one dense matrix."""
    lines = [
        [row["model"], row["layer"], f"{row['experts']} x {row['n']} x {row['k']}",
         str(row["tokens"]), row["routing"], f"{row['rows'] / row['experts']:.0f}",
         cell(row, "register"), cell(row, "dense"), quotient(row, "dense", "register")]
        for row in MANY_H200["rows"]
    ]  # fmt: skip
    head = ["model", "matmul", "E x N x K", "T", "routing", "rows per expert", COLUMNS["register"],
            COLUMNS["dense"], "cuBLAS / mxfp4"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(MANY_H200, 'many-h200.json')}"


def of_matmul(**wanted: Any) -> list[dict[str, Any]]:
    """Rows of docs/bench.json with these values."""
    return [r for r in MATMUL["rows"] if all(r[key] == value for key, value in wanted.items())]


def matmul(page: str) -> str:
    """Uniform routing of 32 and 128 experts, a line for each number of tokens."""
    shown = {c: text for c, text in COLUMNS.items() if c != "dense"}
    parts = []
    for experts in (32, 128):
        rows = of_matmul(experts=experts, layer="gate_up", routing="uniform")
        head = ["tokens", *shown.values(), "Triton / mxfp4", "read / mxfp4"]
        lines = [
            [str(r["tokens"]), *(cell(r, c) for c in shown), quotient(r, "triton", "register"),
             quotient(r, "read", "register")]
            for r in rows
        ]  # fmt: skip
        parts.append(f"{experts} experts:\n\n{table(head, lines)}")
    return "\n\n".join([*parts, dated({**MATMUL["facts"]}, "bench.json")])


def skew(page: str) -> str:
    """Time under Zipf's routing as a multiple of that under uniform routing."""
    times = {
        (r["experts"], r["layer"], r["routing"], r["tokens"]): r["register"]["median"]
        for r in MATMUL["rows"]
    }
    tokens = [t for e, name, how, t in times if (e, name, how) == (32, "gate_up", "zipf")]
    lines = [
        [f"{e} experts, {name}",
         *(f"{times[e, name, 'zipf', t] / times[e, name, 'uniform', t]:.2f}" for t in tokens)]
        for e in (32, 128) for name in ("gate_up", "down")
    ]  # fmt: skip
    head = ["tokens", *map(str, tokens)]
    return f"{table(head, lines)}\n\n{dated(MATMUL['facts'], 'bench.json')}"


def matmul_all(page: str) -> str:
    """Every case and column of docs/bench.json."""
    head = ["E", "layer", "T", "routing", "rows", *COLUMNS.values(), "TFLOP/s", "GB/s",
            "shared / mxfp4", "Triton / mxfp4", "cuBLAS / mxfp4", "read / mxfp4"]  # fmt: skip
    lines = []
    for r in MATMUL["rows"]:
        us = r["register"]["median"]
        lines.append([
            str(r["experts"]), r["layer"], str(r["tokens"]), r["routing"], str(r["rows"]),
            *(cell(r, c) for c in COLUMNS), f"{r['flops'] / us / 1e6:.0f}",
            f"{r['bytes'] / us / 1e3:.0f}",
            *(quotient(r, c, "register") for c in ("shared", "triton", "dense", "read")),
        ])  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(MATMUL['facts'], 'bench.json')}"


TABLES: dict[str, Callable[[str], str]] = {
    **LAYERS,
    "models": models,
    "parallel": parallel,
    "fp8": fp8_matmul,
    "fp8-few": fp8_few,
    "routings": routings,
    "many": many,
    "matmul": matmul,
    "skew": skew,
    "matmul-all": matmul_all,
}


def page(name: str, text: str) -> str:
    """The page with its tables made anew."""
    for mark in MARK.findall(text):
        if mark not in TABLES:
            sys.exit(f"measurements.py: {name}: no table is named {mark}")
    return MARK.sub(
        lambda m: f"<!-- measured: {m[1]} -->\n{TABLES[m[1]](name)}\n<!-- end -->\n", text
    )


def main() -> int:
    """Command line."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    check = bool(sys.argv[1:])
    return max(
        settle(ROOT / name, name, page(name, (ROOT / name).read_text()), check, "tools/docs")
        for name in PAGES
    )


if __name__ == "__main__":
    raise SystemExit(main())
