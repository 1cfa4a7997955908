# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pages say of layers, besides their tables."""

from __future__ import annotations

from figures import Claim, Row, gains, span, to_parts
from measured import GPT_OSS_H200, LAYER, LAYER_FP8_H200, LAYER_H200, LAYER_ZIPF_H200
from measured_layers import tuned_error

GOAL = 1.06
"""Of a layer's time as a multiple of its parts."""


def layers() -> list[Claim]:
    """What LayerMeasurements.md, Layer.md and Devices.md say of layers, besides their tables."""
    h100 = LAYER["rows"]
    newer = {(r["experts"], r["tokens"]): r["us"]["ours"] for r in LAYER_H200["rows"]}
    skewed = [r["us"]["ours"] / newer[r["experts"], r["tokens"]] for r in LAYER_ZIPF_H200["rows"]]
    fp8 = LAYER_FP8_H200["rows"]
    others = [r["us"]["ours"] / newer[r["experts"], r["tokens"]] for r in fp8]
    many = {(r["experts"], r["tokens"]): r for r in fp8 if r["tokens"] >= 4096}
    exact = [(r, r["us"]["f32 logits"], r["us"]["ours"]) for r in LAYER_H200["rows"]]
    (most_rows,) = (r for r in LAYER_H200["rows"] if (r["experts"], r["tokens"]) == (32, 8192))
    most = f"{most_rows['us']['matmuls']:.0f}"

    def gain(experts: int, column: str) -> list[str]:
        return [gains([many[experts, t]], "ours", column) for t in (4096, 8192)]

    def below(rows: list[Row]) -> list[str]:
        less = sum(tuned_error(r) > r["errors"]["ours"] for r in rows)
        return [str(less), str(len(rows))]

    def alone(fewest: int, largest: int) -> str:
        return gains(
            (r for r in h100 if fewest <= r["tokens"] <= largest), "from logits", "matmuls"
        )

    single = LAYER_ZIPF_H200["errors of few tokens"]["32"]["1"]
    draws = str(single["draws"])

    def above(name: str) -> str:
        return str(single["draws"] - {**single, **single["in f64"]}[name])

    found = [
        ("Errors are below Triton's in # of # rows; with", below(LAYER_H200["rows"])),
        ("Errors are below Triton's in # of # rows, and above", below(h100)),
        ("The layer is # times as fast as the tuned Triton", [gains(h100, "triton tuned")]),
        ("the layer from logits takes # times as long as its matmuls alone. From 1024 tokens on"
         " it takes # times",
         [alone(16, 256), alone(1024, 8192)]),
        ("mxfp4 is # times as fast as the fastest of the others, in each of # rows",
         [gains(LAYER_ZIPF_H200["rows"]), str(len(LAYER_ZIPF_H200["rows"]))]),
        ("In this table, errors are below Triton's in # of # rows",
         below(LAYER_ZIPF_H200["rows"])),
        ("mxfp4 takes # times as long as under uniform routing", [span(skewed)]),
        ("mxfp4 is above Triton in # of # draws, and below in the mean",
         [above("ours below"), draws]),
        ("would leave mxfp4 above Triton in # of these # draws",
         [above("rows in f32, below"), draws]),
        ("The layer of 32 experts gains # and # times with `fast` from 4096 tokens on, and # and"
         " # times with `promoted 512`",
         gain(32, "fp8 fast") + gain(32, "fp8")),
        ("it gains # with `fast`, and # with `promoted 512`",
         [gains((many[128, t] for t in (4096, 8192)), "ours", c) for c in ("fp8 fast", "fp8")]),
        ("`bound`, it gains # and # times with `fast` and 32 experts, and # with 128",
         [*gain(32, "fp8 fast bound"),
          gains((many[128, t] for t in (4096, 8192)), "ours", "fp8 fast bound")]),
        ("with `promoted 512` # and # times, and # with 128",
         [*gain(32, "fp8 bound"),
          gains((many[128, t] for t in (4096, 8192)), "ours", "fp8 bound")]),
        ("Errors are # of those with logits in bf16, and below Triton's in # of # rows",
         [span(r["errors"]["f32 logits"] / r["errors"]["ours"] for r, _, _ in exact),
          str(sum(tuned_error(r) > r["errors"]["f32 logits"] for r, _, _ in exact)),
          str(len(exact))]),
        ("Up to 16 tokens the layer takes # us longer",
         [span((f32 - bf16 for r, f32, bf16 in exact if r["tokens"] <= 16), 1)]),
        ("From 64 to 1024 tokens it took # times as long",
         [span(f32 / bf16 for r, f32, bf16 in exact if 64 <= r["tokens"] <= 1024)]),
        ("because without the router's GEMM it took # times as long",
         [span(r["us"]["f32 logits from logits"] / r["us"]["from logits"]
               for r, _, _ in exact if 64 <= r["tokens"] <= 1024)]),
        ("At 4096 and 8192 tokens it took # times as long",
         [span(f32 / bf16 for r, f32, bf16 in exact if r["tokens"] >= 4096)]),
        ("its column *bf16* is up to # times as long", [f"{max(others):.2f}"]),
    ]  # fmt: skip
    return [
        *(Claim("docs/LayerMeasurements.md", text, figures) for text, figures in found),
        Claim(
            "docs/Layer.md",
            "errors are # of those with logits in bf16, and a layer takes up to # times as long",
            [
                span(r["errors"]["f32 logits"] / r["errors"]["ours"] for r, _, _ in exact),
                f"{max(f32 / bf16 for _, f32, bf16 in exact):.2f}",
            ],
        ),
        Claim("docs/Devices.md", "both matmuls took # us, and", [most]),
    ]


def layer_goal() -> list[Claim]:
    """What LayerMeasurements.md says of the project's goal, and of Triton's errors."""
    judged = [r for r in LAYER_H200["rows"] if r["tokens"] >= 16]
    ratios = {(r["experts"], r["tokens"]): to_parts(r) for r in judged}
    missed = {key: ratio for key, ratio in ratios.items() if ratio > GOAL}
    above = [r["errors"]["ours"] / tuned_error(r) for r in LAYER_H200["rows"]
             if r["experts"] == 32 and r["tokens"] in (1, 4)]  # fmt: skip
    single = [1 - r["us"]["matmuls"] / r["us"]["from logits"]
              for r in LAYER_H200["rows"] if r["tokens"] == 1]  # fmt: skip
    found = [
        ("The layer meets the goal in # of # rows",
         [str(len(judged) - len(missed)), str(len(judged))]),
        ("with 32 experts and one or four tokens they are above by # and # %",
         [f"{100 * (e - 1):.1f}".removesuffix(".0") for e in above]),
        ("At one token, routing and the two additional launches take # of the time",
         [span(single)]),
    ]  # fmt: skip
    if missed:
        where = " and ".join(["with # experts at # tokens (#)"] * len(missed))
        figures = [f for key, ratio in missed.items() for f in (*map(str, key), f"{ratio:.3f}")]
        found.append((f"It misses the goal {where}", figures))
    return [Claim("docs/LayerMeasurements.md", text, figures) for text, figures in found]


def constant_order() -> list[Claim]:
    """What docs/Layer.md says that one order of sums costs."""
    rows = [r for r in LAYER_H200["rows"] if "batch-invariant" in r["us"]]

    def cost(fewest: int, most: int, digits: int = 2) -> str:
        return span((r["us"]["batch-invariant"] / r["us"]["ours"] for r in rows
                     if fewest <= r["tokens"] <= most), digits)  # fmt: skip

    text = (
        "The option makes a layer # times as long up to 64 tokens, # times at 128 and 256 tokens,"
        " and # times at 1024 tokens"
    )
    return [Claim("docs/Layer.md", text, [cost(1, 64), cost(65, 256), cost(257, 1024)])]


def gpt_oss() -> list[Claim]:
    """What docs/LayerMeasurements.md says of gpt-oss in transformers."""

    def ahead(experts: int, kind: str, name: str = "transformers", ours: str = "ours") -> str:
        run = "timings with FP8" if "fp8" in name + ours else "timings"
        rows = [r for r in GPT_OSS_H200[run] if r["experts"] == experts and ours in r]
        if kind == "blocks":
            rows = [r for r in rows if r.get("tokens", 0) >= 1024]
        else:
            rows = [r for r in rows if kind in r.get("what", "")]
        return span(row[name] / row[ours] for row in rows)

    kinds = ("prefill", "dynamic", "static")
    gained = [ahead(e, "blocks", "ours", name) for e in (32, 128) for name in ("fp8", "fp8 fast")]
    eager = [ahead(e, "dynamic", "transformers", name) for e in (32, 128)
             for name in ("fp8", "fp8 fast")]  # fmt: skip
    found = [
        ("with 32 experts # times in prefill, # in eager decoding and # compiled; with 128 experts"
         " #, # and #",
         [ahead(e, kind) for e in (32, 128) for kind in kinds]),
        ("blocks with 32 experts gain # (`promoted 512`) and # (`fast`) on those in bf16, and with"
         " 128 experts # and #", gained),
        ("with 32 experts # (`promoted 512`) and # times (`fast`) in eager decoding, with 128 #"
         " and #", eager),
        ("compiled in FP8, the model is # times as fast with 32 experts and # with 128",
         [ahead(e, "static", "transformers", "fp8") for e in (32, 128)]),
    ]  # fmt: skip
    return [
        *(Claim("docs/LayerMeasurements.md", text, figures) for text, figures in found),
        *checked_gpt_oss(),
    ]


def checked_gpt_oss() -> list[Claim]:
    """What pages say of the small random model of gpt-oss."""
    checks = GPT_OSS_H200["checks"]
    layers = span(checks["layers"]["error, ours / transformers"])
    logits = f"{checks['logits']['error, ours / transformers']:.2f}"
    written = checks["generation"]
    errors = [e for name in ("fp8", "fp8 fast") for e in checks["fp8"][name]["errors of layers"]]
    off = span((100 * e for e in errors), 1)
    found = [
        ("docs/LayerMeasurements.md", "The error of a layer against f32 is # of the error of",
         [layers]),
        ("docs/LayerMeasurements.md", "layers in FP8 had errors of # % against f32", [off]),
        ("docs/Verification.md", "errors of layers against f32 are # times those of transformers'"
         " own bf16 path, and of logits # times",
         [layers, logits]),
        ("docs/Verification.md", "Of # greedy sequences of # tokens",
         [str(written["sequences"]), str(written["new tokens"])]),
        ("docs/Verification.md", "FP8 are # % off f32", [off]),
    ]  # fmt: skip
    return [Claim(*claim) for claim in found]
