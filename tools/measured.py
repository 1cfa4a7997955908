# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What was measured, docs/*.json, and how a cell of a table is written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MATMUL = json.loads((ROOT / "docs/bench.json").read_text())
LAYER = json.loads((ROOT / "docs/layer.json").read_text())
LAYER_H200 = json.loads((ROOT / "docs/layer-h200.json").read_text())
LAYER_ZIPF_H200 = json.loads((ROOT / "docs/layer-zipf-h200.json").read_text())
GPT_OSS_H200 = json.loads((ROOT / "docs/gpt-oss-h200.json").read_text())
FP8_H200 = json.loads((ROOT / "docs/fp8-h200.json").read_text())
LAYER_MODELS_H200 = json.loads((ROOT / "docs/layer-models-h200.json").read_text())
LAYER_FP8_H200 = json.loads((ROOT / "docs/layer-fp8-h200.json").read_text())
MODELS_H200 = json.loads((ROOT / "docs/models-h200.json").read_text())
PARALLEL_H200 = json.loads((ROOT / "docs/parallel-h200.json").read_text())
ROUTING_H200 = json.loads((ROOT / "docs/routing-h200.json").read_text())
MANY_H200 = json.loads((ROOT / "docs/many-h200.json").read_text())

COLUMNS = {
    "register": "mxfp4",
    "shared": "mxfp4, `placement=shared`",
    "triton": "`triton_kernels`",
    "bf16": "torch's grouped matmul, bf16 weights",
    "dense": "cuBLAS, one bf16 matrix",
    "read": "reading the same bytes",
}
"""Columns of docs/bench.json, and what they are."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def microseconds(us: float) -> str:
    """A time with three digits or so."""
    return f"{us:.1f}" if us < 100 else f"{us:.0f}"


def cell(row: dict[str, Any], column: str) -> str:
    """A time of docs/bench.json, or "failed" or "-" without one."""
    found = row.get(column)
    if not found:
        return "-"
    return microseconds(found["median"]) if "median" in found else "failed"


def quotient(row: dict[str, Any], above: str, below: str) -> str:
    """How many times as long one column takes as another."""
    times = [row.get(column, {}).get("median") for column in (above, below)]
    return f"{times[0] / times[1]:.2f}" if all(times) else "-"


def bound_by_weights(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases of top 4 with at most eight rows per expert on average: reading weights decides."""
    return [r for r in rows if r["tokens"] <= 2 * r["experts"]]


def dated(what: dict[str, Any], source: str) -> str:
    """The sentence below a table."""
    return f"*{what['gpu']}, {what['date']}, microseconds; from [{source}]({source}).*"
