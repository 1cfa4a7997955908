# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the tables of measurements in README.md and docs/ from docs/*.json.

usage: measurements.py [--check]

A page has a mark for each table; the text between the two lines is written anew:

    <!-- measured: layer-front -->
    <!-- end -->

A case that failed is "failed" in its column, and one that was not measured is a dash.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from generated import settle

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "docs/LayerMeasurements.md", "docs/Measurements.md", "docs/Performance.md"]
MARK = re.compile(r"<!-- measured: ([\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
MATMUL = json.loads((ROOT / "docs/bench.json").read_text())
LAYER = json.loads((ROOT / "docs/layer.json").read_text())
LAYER_H200 = json.loads((ROOT / "docs/layer-h200.json").read_text())
LAYER_ZIPF_H200 = json.loads((ROOT / "docs/layer-zipf-h200.json").read_text())
GPT_OSS_H200 = json.loads((ROOT / "docs/gpt-oss-h200.json").read_text())
FP8_H200 = json.loads((ROOT / "docs/fp8-h200.json").read_text())
LAYER_FP8_H200 = json.loads((ROOT / "docs/layer-fp8-h200.json").read_text())
MODELS_H200 = json.loads((ROOT / "docs/models-h200.json").read_text())
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


def dated(what: dict[str, Any], source: str) -> str:
    """The sentence below a table."""
    return f"*{what['gpu']}, {what['date']}, microseconds; from [{source}]({source}).*"


WRONG = "NaN: the result had values that are no numbers. Its time counts all the same."


def wrong(row: dict[str, Any], column: str) -> bool:
    """Whether a column's result of a layer was NaN, which JSON has as null."""
    return column in row["errors"] and row["errors"][column] is None


def peer(row: dict[str, Any], column: str) -> str:
    """The time of another's layer, or a dash."""
    if column not in row["us"]:
        return "-"
    return microseconds(row["us"][column]) + (" (NaN)" if wrong(row, column) else "")


def below(lines: str, what: str) -> str:
    """A table with what is said below it."""
    return "\n\n".join([lines, *([WRONG] if "NaN" in lines else []), what])


def front(
    results: dict[str, Any],
    file: str,
    page: str,
    heads: tuple[str, ...],
    cells: Callable[[dict[str, Any]], list[str]],
) -> str:
    """A line for each number of tokens, with `cells` of its row for each number of experts."""
    rows = {(r["experts"], r["tokens"]): r for r in results["rows"]}
    experts = sorted({e for e, _ in rows})
    lines = [
        [str(tokens), *(cell for e in experts for cell in cells(rows[e, tokens]))]
        for tokens in sorted({t for _, t in rows})
    ]
    head = ["tokens"]
    for e in experts:
        head += [f"{e} experts: {heads[0]}", *heads[1:]]
    source = f"docs/{file}" if page == "README.md" else file
    return below(table(head, lines), dated(results, source))


def layer_front(page: str) -> str:
    """The layer, tuned Triton against ours."""

    def cells(row: dict[str, Any]) -> list[str]:
        tuned, ours = row["us"]["triton tuned"], row["us"]["ours"]
        return [f"{tuned:.0f}", f"**{ours:.0f}**", f"{tuned / ours:.2f} x"]

    return front(LAYER, "layer.json", page, ("Triton, tuned", "mxfp4", "speed"), cells)


def layer(page: str) -> str:
    """All columns of the layer."""
    head = ["E", "T", "Triton", "Triton, tuned", "mxfp4", "tuned / mxfp4", "mxfp4 from logits",
            "matmuls alone", "error, Triton", "error, mxfp4"]  # fmt: skip
    lines = []
    for row in LAYER["rows"]:
        us, errors = row["us"], row["errors"]
        lines.append([
            str(row["experts"]), str(row["tokens"]), f"{us['triton']:.1f}",
            f"{us['triton tuned']:.1f}",
            f"**{us['ours']:.1f}**", f"{us['triton tuned'] / us['ours']:.2f}",
            f"{us['from logits']:.1f}", f"{us['matmuls']:.1f}",
            f"{errors['triton tuned']:.1e}", f"{errors['ours']:.1e}",
        ])  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(LAYER, 'layer.json')}"


def layer_h200(page: str) -> str:
    """The layer on an H200 against all others, and how far ahead of the best of them."""
    others = {"triton tuned": "Triton, tuned", "marlin": "Marlin", "humming": "humming",
              "transformers": "transformers, bf16"}  # fmt: skip
    lines = []
    for row in LAYER_H200["rows"]:
        us = row["us"]
        found = [us[name] for name in others if name in us]
        lines.append([
            str(row["experts"]), str(row["tokens"]), f"**{microseconds(us['ours'])}**",
            *(peer(row, name) for name in others), f"{min(found) / us['ours']:.2f}",
        ])  # fmt: skip
    head = ["E", "T", "mxfp4", *others.values(), "best of the others / mxfp4"]
    return below(table(head, lines), dated(LAYER_H200, "layer-h200.json"))


def layer_zipf_h200(page: str) -> str:
    """The layer under skewed routing against all others."""
    others = {"triton tuned": "Triton, tuned", "marlin": "Marlin", "humming": "humming"}
    lines = []
    for row in LAYER_ZIPF_H200["rows"]:
        us, errors = row["us"], row["errors"]
        best = min(us[name] for name in others)
        lines.append([
            str(row["experts"]), str(row["tokens"]), f"{100 * row['largest share']:.0f} %",
            f"{row['experts with rows']:.0f}", f"**{microseconds(us['ours'])}**",
            *(peer(row, name) for name in others), f"{best / us['ours']:.2f}",
            *("-" if wrong(row, c) else f"{errors[c]:.1e}" for c in ("triton tuned", "ours")),
        ])  # fmt: skip
    head = ["E", "T", "rows of the largest expert", "experts with rows", "mxfp4", *others.values(),
            "best of the others / mxfp4", "error, Triton", "error, mxfp4"]  # fmt: skip
    return below(table(head, lines), dated(LAYER_ZIPF_H200, "layer-zipf-h200.json"))


def few_tokens(page: str) -> str:
    """Errors of one and of four tokens by themselves, over many draws."""
    lines = [
        [experts, tokens, str(told["draws"]), f"{told['triton']:.2e}", f"{told['ours']:.2e}",
         str(told["ours below"])]
        for experts, of in LAYER_ZIPF_H200["errors of few tokens"].items()
        for tokens, told in of.items()
    ]  # fmt: skip
    head = ["E", "T", "draws", "mean error, Triton", "mean error, mxfp4", "draws with mxfp4 below"]
    return table(head, lines)


def layer_front_h200(page: str) -> str:
    """The layer, the best of others against ours."""
    others = {"triton tuned": "Triton", "marlin": "Marlin", "humming": "humming"}

    def cells(row: dict[str, Any]) -> list[str]:
        us, ours = row["us"], row["us"]["ours"]
        best = min((name for name in others if name in us), key=us.__getitem__)
        whose = others[best] + (", NaN" if wrong(row, best) else "")
        return [f"{us[best]:.0f} ({whose})", f"**{ours:.0f}**", f"{us[best] / ours:.2f} x"]

    heads = ("best of the others", "mxfp4", "speed")
    return front(LAYER_H200, "layer-h200.json", page, heads, cells)


def layer_sum(page: str) -> str:
    """The layer against its two matmuls alone and the read of what the weighted sum moves."""
    lines = []
    for row in LAYER_H200["rows"]:
        us = row["us"]
        alone, moved = us["matmuls"], us["combine read"]
        lines.append([
            str(row["experts"]), str(row["tokens"]), f"{us['from logits']:.1f}", f"{alone:.1f}",
            f"{moved:.1f}", f"{us['from logits'] / (alone + moved):.2f}",
        ])  # fmt: skip
    head = ["E", "T", "mxfp4 from logits", "matmuls alone", "reading the sum's bytes", "ratio"]
    return f"{table(head, lines)}\n\n{dated(LAYER_H200, 'layer-h200.json')}"


def batch_invariant(page: str) -> str:
    """What the option costs."""
    lines = [
        [str(row["experts"]), str(row["tokens"]), f"{us['ours']:.1f}",
         f"{us['batch-invariant']:.1f}", f"{us['batch-invariant'] / us['ours']:.2f}"]
        for row in LAYER_H200["rows"]
        if "batch-invariant" in (us := row["us"])
    ]  # fmt: skip
    head = ["E", "T", "mxfp4", "batch-invariant", "ratio"]
    return f"{table(head, lines)}\n\n{dated(LAYER_H200, 'layer-h200.json')}"


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


def layer_fp8(page: str) -> str:
    """Whole layers with activations in FP8, against bf16."""
    shown = {"ours": "bf16", "fp8": "FP8 promoted", "fp8 fast": "FP8 fast"}
    lines = [
        [str(row["experts"]), str(row["tokens"]), *(microseconds(row["us"][c]) for c in shown),
         *(f"{row['us']['ours'] / row['us'][c]:.2f}" for c in ("fp8", "fp8 fast")),
         *(f"{100 * row['errors'][c]:.1f} %" for c in shown)]
        for row in LAYER_FP8_H200["rows"]
    ]  # fmt: skip
    head = ["E", "T", *shown.values(), "bf16 / promoted", "bf16 / fast",
            *(f"error, {text}" for text in shown.values())]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(LAYER_FP8_H200, 'layer-fp8-h200.json')}"


def in_transformers(wanted: str) -> str:
    """Times of gpt-oss in transformers, of its blocks or of all of it: a column for each case."""
    rows = [row for row in GPT_OSS_H200["timings"] if wanted in row]
    names = {"transformers": "transformers, bf16", "ours": "mxfp4", "fp8": "mxfp4, FP8 promoted",
             "fp8 fast": "mxfp4, FP8 fast"}  # fmt: skip
    digits = 0 if wanted == "tokens" else 2

    def time(row: dict[str, Any], name: str) -> str:
        return f"{row[name]:.{digits}f}" if name in row else "-"

    lines = [[text, *(time(row, name) for row in rows)] for name, text in names.items()]
    lines.insert(2, ["transformers / mxfp4", *(f"{r['transformers / ours']:.2f}" for r in rows)])
    heads = [str(row["tokens"]) if wanted == "tokens" else row["what"] for row in rows]
    first = "MLP block, us, T =" if wanted == "tokens" else "whole model, ms"
    source = "[gpt-oss-h200.json](gpt-oss-h200.json)"
    what = f"*{GPT_OSS_H200['gpu']}, {GPT_OSS_H200['date']}; from {source}.*"
    return f"{table([first, *heads], lines)}\n\n{what}"


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
    "layer-front": layer_front,
    "layer": layer,
    "layer-h200": layer_h200,
    "layer-front-h200": layer_front_h200,
    "layer-zipf-h200": layer_zipf_h200,
    "few-tokens": few_tokens,
    "layer-sum": layer_sum,
    "batch-invariant": batch_invariant,
    "models": models,
    "fp8": fp8_matmul,
    "layer-fp8": layer_fp8,
    "gpt-oss-blocks": lambda page: in_transformers("tokens"),
    "gpt-oss-model": lambda page: in_transformers("what"),
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
