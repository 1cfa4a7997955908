# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tables of layers in README.md and docs/, for measurements.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from measured import (
    GPT_OSS_H200,
    LAYER,
    LAYER_FP8_H200,
    LAYER_H200,
    LAYER_MODELS_H200,
    LAYER_ZIPF_H200,
    dated,
    microseconds,
    table,
)
from mxfp4.bench.models import MODELS

FP8 = "timings with FP8"
"""In docs/gpt-oss-h200.json: an earlier run, which had models in FP8, too."""

WRONG = "NaN: the result had values that are no numbers. Its time counts all the same."


def wrong(row: dict[str, Any], column: str) -> bool:
    """Whether a column's result of a layer was NaN, which JSON has as null."""
    return column in row["errors"] and row["errors"][column] is None


def tuned_error(row: dict[str, Any]) -> float:
    """The error of the tuned Triton's layer, or of the default one's where that was NaN."""
    errors = row["errors"]
    return float(errors["triton tuned"] or errors["triton"] or 0.0)


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
    """Errors of few tokens by themselves, over many draws."""
    lines = [
        [experts, tokens, str(told["draws"]), *(f"{told[c]:.2e}" for c in ("triton", "ours")),
         str(told["ours below"]), f"{told['ours, f32 logits']:.2e}",
         str(told["ours, f32 logits, below"])]
        for experts, of in LAYER_ZIPF_H200["errors of few tokens"].items()
        for tokens, told in of.items()
    ]  # fmt: skip
    head = ["E", "T", "draws", "mean error, Triton", "mean error, mxfp4", "draws with mxfp4 below",
            "mean error, mxfp4, logits in f32", "draws with it below"]  # fmt: skip
    return table(head, lines)


def one_rounding(page: str) -> str:
    """The error that each rounding to bf16 of a layer gives by itself, of 16 tokens."""
    shown = {"logits": "the router's logits", "weights": "weights of experts (Triton)",
             "inner": "rows in front of down", "rows": "rows behind down",
             "result": "the result"}  # fmt: skip
    lines = [
        [experts, *(f"{of['16']['of one rounding'][name]:.2e}" for name in shown)]
        for experts, of in LAYER_ZIPF_H200["errors of few tokens"].items()
    ]
    return table(["E", *shown.values()], lines)


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


def layer_f32_logits(page: str) -> str:
    """What logits in f32 cost in time and gain in precision."""
    shown = ("ours", "f32 logits")
    lines = [
        [str(row["experts"]), str(row["tokens"]), *(f"{row['us'][c]:.1f}" for c in shown),
         f"{row['us']['f32 logits'] / row['us']['ours']:.2f}",
         *(f"{e:.1e}" for e in (tuned_error(row), *(row["errors"][c] for c in shown)))]
        for row in LAYER_H200["rows"]
    ]  # fmt: skip
    head = ["E", "T", "mxfp4", "mxfp4, logits in f32", "ratio", "error, Triton", "error, mxfp4",
            "error, mxfp4, logits in f32"]  # fmt: skip
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


def layer_fp8(page: str) -> str:
    """Whole layers with activations in FP8, against bf16."""
    every = {"ours": "bf16", "fp8": "FP8 promoted", "fp8 bound": "promoted, `bound`",
             "fp8 fast": "FP8 fast", "fp8 fast bound": "fast, `bound`"}  # fmt: skip
    shown = {c: text for c, text in every.items() if c in LAYER_FP8_H200["rows"][0]["us"]}
    quick = {c: text.removeprefix("FP8 ") for c, text in shown.items() if c != "ours"}
    lines = [
        [str(row["experts"]), str(row["tokens"]), *(microseconds(row["us"][c]) for c in shown),
         *(f"{row['us']['ours'] / row['us'][c]:.2f}" for c in quick),
         *(f"{100 * row['errors'][c]:.1f} %" for c in shown)]
        for row in LAYER_FP8_H200["rows"]
    ]  # fmt: skip
    head = ["E", "T", *shown.values(), *(f"bf16 / {text}" for text in quick.values()),
            *(f"error, {text}" for text in shown.values())]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(LAYER_FP8_H200, 'layer-fp8-h200.json')}"


def layer_models(page: str) -> str:
    """Whole layers of other models' sizes."""
    names = {(m.experts, m.top, m.hidden, m.inner): name for name, m in MODELS.items()}
    lines = []
    for row in LAYER_MODELS_H200["rows"]:
        us = row["us"]
        fp8 = ("fp8", "fp8 bound", "fp8 fast")
        tuned = us.get("triton tuned")
        lines.append(
            [names[row["experts"], row["top"], row["hidden"], row["inner"]], str(row["tokens"]),
             f"**{microseconds(us['ours'])}**", microseconds(tuned) if tuned else "-",
             f"{tuned / us['ours']:.2f}" if tuned else "-", *(microseconds(us[c]) for c in fp8),
             *(f"{us['ours'] / us[c]:.2f}" for c in fp8)]
        )  # fmt: skip
    head = ["sizes of", "T", "mxfp4, bf16", "Triton, tuned", "Triton / mxfp4", "FP8 promoted",
            "promoted, `bound`", "FP8 fast", "bf16 / promoted", "bf16 / promoted, `bound`",
            "bf16 / fast"]  # fmt: skip
    return f"{table(head, lines)}\n\n{dated(LAYER_MODELS_H200, 'layer-models-h200.json')}"


def in_transformers(experts: int, wanted: str, run: str = "timings") -> str:
    """Times of gpt-oss in transformers, of its blocks or of all of it: a column for each case."""
    rows = [r for r in GPT_OSS_H200[run] if r["experts"] == experts and wanted in r]
    names = {"transformers": "transformers, bf16", "ours": "mxfp4", "fp8": "mxfp4, FP8 promoted",
             "fp8 fast": "mxfp4, FP8 fast"}  # fmt: skip
    digits = 0 if wanted == "tokens" else 2

    def time(row: dict[str, Any], name: str) -> str:
        return f"{row[name]:.{digits}f}" if name in row else "-"

    names = {n: text for n, text in names.items() if any(n in row for row in rows)}
    lines = [[text, *(time(row, name) for row in rows)] for name, text in names.items()]
    gains = (f"{r['transformers'] / r['ours']:.2f}" for r in rows)
    lines.insert(2, ["transformers / mxfp4", *gains])
    heads = [str(row["tokens"]) if wanted == "tokens" else row["what"] for row in rows]
    first = "MLP block, us, T =" if wanted == "tokens" else "whole model, ms"
    source = "[gpt-oss-h200.json](gpt-oss-h200.json)"
    what = f"*{GPT_OSS_H200['gpu']}, {GPT_OSS_H200['date']}; from {source}.*"
    return f"{table([first, *heads], lines)}\n\n{what}"


LAYERS: dict[str, Callable[[str], str]] = {
    "layer-front": layer_front,
    "layer": layer,
    "layer-h200": layer_h200,
    "layer-front-h200": layer_front_h200,
    "layer-zipf-h200": layer_zipf_h200,
    "few-tokens": few_tokens,
    "one-rounding": one_rounding,
    "layer-sum": layer_sum,
    "layer-f32-logits": layer_f32_logits,
    "batch-invariant": batch_invariant,
    "layer-fp8": layer_fp8,
    "layer-models": layer_models,
    "gpt-oss-blocks-32": lambda page: in_transformers(32, "tokens"),
    "gpt-oss-blocks-128": lambda page: in_transformers(128, "tokens"),
    "gpt-oss-model-32": lambda page: in_transformers(32, "what"),
    "gpt-oss-model-128": lambda page: in_transformers(128, "what"),
    "gpt-oss-fp8-blocks-32": lambda page: in_transformers(32, "tokens", FP8),
    "gpt-oss-fp8-blocks-128": lambda page: in_transformers(128, "tokens", FP8),
    "gpt-oss-fp8-model-32": lambda page: in_transformers(32, "what", FP8),
    "gpt-oss-fp8-model-128": lambda page: in_transformers(128, "what", FP8),
}
"""By the names of their marks."""
