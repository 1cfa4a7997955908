# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the figures in sentences of README.md and docs/ from docs/*.json.

usage: claims.py [--check]

`claims` has a part of each sentence, with # for each figure, and the figures. A part that its page
does not have exactly once is an error: whoever writes the sentence anew writes it here, too.
"""

from __future__ import annotations

import re
import sys

from figures import Claim, gains, loaded, models, span, spans, times, to_parts
from generated import settle
from layer_claims import constant_order, gpt_oss, layer_goal, layers
from measured import (
    FP8_H200,
    LAYER,
    LAYER_H200,
    LAYER_ZIPF_H200,
    MANY_H200,
    MATMUL,
    MODELS_H200,
    PARALLEL_H200,
    ROOT,
    ROUTING_H200,
    bound_by_weights,
)

FIGURE = r"(\d+(?:\.\d+)?(?:\s+to\s+\d+(?:\.\d+)?)?)"


def readme() -> list[Claim]:
    """Claims of the first page."""
    few = [r for r in MATMUL["rows"] if r["routing"] == "uniform" and r["tokens"] in (16, 64)]
    newer = [r for r in MODELS_H200["rows"] if r["tokens"] in (16, 64)]
    text = "it has # of that kernel's speed on an H100, and # on an H200"
    return [Claim("README.md", text, [spans(few, "read"), spans(newer, "read")])]


def performance() -> list[Claim]:
    """What docs/Performance.md claims."""
    uniform = [r for r in MATMUL["rows"] if r["routing"] == "uniform"]
    layers = [r for r in uniform if r["experts"] in (32, 128)]
    bound = [r for r in layers if 4 <= r["tokens"] <= (64 if r["experts"] == 32 else 256)]
    few = [r for r in layers if r["tokens"] in (16, 64)]
    most = [r for r in layers if r["tokens"] == 8192]
    others = [r for r in MODELS_H200["rows"] if r["tokens"] >= 16
              and not r["model"].startswith("gpt-oss")]  # fmt: skip
    small = [r for r in others if loaded(r) <= 8]
    own = [models(f"gpt-oss-{size}", range(16, 257)) for size in ("120b", "20b")]
    found = [
        ("on an H200 is # times as fast as the fastest of tuned",
         [gains(LAYER_H200["rows"])]),
        ("in each of # rows, and # times [under Zipf's routing]",
         [str(len(LAYER_H200["rows"])), gains(LAYER_ZIPF_H200["rows"])]),
        ("was # times as fast as tuned `triton_kernels`, in each of # rows",
         [gains(LAYER["rows"], "triton tuned"), str(len(LAYER["rows"]))]),
        ("# times as fast as `triton_kernels` from 4 tokens on while memory bandwidth decides,"
         " and # times from 1024 tokens on",
         [spans(bound, "triton"), spans((r for r in layers if r["tokens"] >= 1024), "triton")]),
        ("at 16 to 256 tokens: # times as fast as tuned `triton_kernels`",
         [spans(others, "triton")]),
        ("a kernel has # of the speed of a kernel that only reads the same bytes",
         [spans(few, "read")]),
        ("shapes of the ten models have # of the speed of the read where an expert has at most 8"
         " rows on average, gpt-oss-120b has #, and gpt-oss-20b #",
         [spans(small, "read"), *(spans(rows, "read") for rows in own)]),
        ("a kernel has # of the speed of cuBLAS with *one* dense bf16 matrix",
         [spans(most, "dense")]),
        ("it is # times as fast as decoding into shared memory in the same pipeline up to 256"
         " tokens, and # times from 4096 tokens on",
         [spans((r for r in layers if r["tokens"] <= 256), "shared", digits=1),
          spans((r for r in uniform if r["tokens"] >= 4096), "shared")]),
    ]  # fmt: skip
    return [Claim("docs/Performance.md", text, figures) for text, figures in found]


def losses_of_few_rows() -> list[Claim]:
    """Where docs/Performance.md says that mxfp4 loses while memory decides, and in layers."""
    many = range(16, 257)
    one = [r for r in MODELS_H200["rows"] if r["tokens"] == 1
           and not r["model"].startswith("gpt-oss")]  # fmt: skip
    wide = [r for name in ("kimi-k2.5", "glm-5", "nemotron-3-super")
            for r in models(name, [1], "gate_up")]  # fmt: skip
    crowded = [models("gemma-4-26b", [256], layer) for layer in ("down", "gate_up")]
    hard = [[r for r in of["rows"] if (r["experts"], r["tokens"]) == (128, 256)]
            for of in (LAYER, LAYER_H200)]  # fmt: skip
    missed = [to_parts(r) for r in LAYER_H200["rows"] if r["tokens"] >= 16]
    found = [
        ("A kernel has # of the speed of the read at 11 rows per expert (Nemotron-3), # and # at"
         " 16 (Gemma-4)",
         [spans(models("nemotron-3-super", [256]), "read"),
          *(spans(rows, "read") for rows in crowded)]),
        ("Qwen3.5-35B have # at 16 to 256 tokens", [spans(models("qwen3.5-35b", many), "read")]),
        ("`down` of gpt-oss-20b has #", [spans(models("gpt-oss-20b", many, "down"), "read")]),
        ("GEMMs of the ten models have # of the speed of the read, and gate_up of Kimi-K2.5, GLM-5"
         " and Nemotron-3 is only # times as fast as Triton",
         [spans(one, "read"), spans(wide, "triton")]),
        ("mxfp4 is only # times as fast as Triton, because", [gains(hard[0])]),
        ("with newer schedules, mxfp4 is # times as fast", [gains(hard[1])]),
        ("the layer takes # times as long as its two GEMMs and a read", [span(missed)]),
    ]  # fmt: skip
    return [Claim("docs/Performance.md", text, figures) for text, figures in found]


def losses_of_many_rows() -> list[Claim]:
    """Where docs/Performance.md says that mxfp4 loses while tensor cores decide."""
    at = {(r["experts"], r["layer"], r["routing"], r["tokens"]): r["register"]["median"]
          for r in MATMUL["rows"]}  # fmt: skip
    skewed = max(at[e, name, "zipf", t] / at[e, name, "uniform", t]
                 for e, name, how, t in at if how == "zipf" and 256 <= t <= 4096)  # fmt: skip
    dense = [r for r in MANY_H200["rows"] if r["routing"] == "uniform"]
    zipf = sorted((r for r in MANY_H200["rows"] if r["routing"] == "zipf"),
                  key=lambda r: (r["tokens"], times(r, "dense") or 0))  # fmt: skip
    alone = [r for r in MATMUL["rows"] if r["routing"] == "one" and r["tokens"] == 1024]
    fp8 = [r for r in FP8_H200["rows"] if r["experts"] == 32 and r["tokens"] >= 1024]
    found = [
        ("A GEMM takes up to # times as long as under uniform routing", [f"{skewed:.2f}"]),
        ("GEMMs have # of cuBLAS's speed. Under Zipf", [spans(dense, "dense")]),
        ("4096 tokens have # and #, and 8192 tokens # and #", [spans([r], "dense") for r in zipf]),
        ("A GEMM has # of cuBLAS's speed with 32 experts, and # with 128",
         [spans((r for r in alone if r["experts"] == e), "dense") for e in (32, 128)]),
        ("`promoted 512` is # times as fast as bf16 from 1024 tokens on with 32 experts, where"
         " cuBLAS without fast accumulation is # times as fast; with `fast`, a GEMM with 1024"
         " tokens has # of cuBLAS's speed",
         [spans(fp8, "register", "fp8"), spans(fp8, "dense", "dense fp8", digits=1),
          spans((r for r in fp8 if r["tokens"] == 1024), "dense fp8 fast", "fp8 fast")]),
    ]  # fmt: skip
    return [Claim("docs/Performance.md", text, figures) for text, figures in found]


def devices() -> list[Claim]:
    """What docs/Devices.md says of gpt-oss and of matmuls with few waves of tiles."""
    many = range(16, 257)
    text = (
        "gpt-oss-20b's down (# measured) and Qwen3.5-35B (#) have few, and their last wave counts"
    )
    few_waves = [models("gpt-oss-20b", many, "down"), models("qwen3.5-35b", many)]
    page = (ROOT / "docs/Devices.md").read_text()
    alone = [float(row.split("|")[-2]) for row in re.findall(r"^\| \d+ \| 5760 .*$", page, re.M)]
    run = [span(alone)]
    return [
        Claim("docs/Devices.md", text, [spans(rows, "read") for rows in few_waves]),
        Claim("docs/Devices.md", "gate_up of gpt-oss had # of the read on an H200", run),
        Claim("docs/Performance.md", "in a run of its own, gate_up of gpt-oss has #", run),
    ]


def fp8() -> list[Claim]:
    """What docs/Measurements.md says of FP8."""
    rows = FP8_H200["rows"]
    many = [r for r in rows if r["experts"] == 32 and r["tokens"] >= 1024]
    some, most = ([r for r in many if (r["tokens"] > 1024) == is_most] for is_most in (False, True))
    single = [r for r in rows if r["experts"] == 1]
    bound = bound_by_weights(rows)
    ours = ("fp8 fast", "fp8")
    found = [
        ("`fast` is # times as fast as bf16 with 1024 tokens and # times from 4096 tokens on;"
         " `promoted 512` is # and # times as fast. One dense matrix: # and #.",
         [*(spans(of, "register", name) for name in ours for of in (some, most)),
          *(spans(single, "register", name) for name in ours)]),
        ("`fast` has # of the speed of cuBLAS with fast accumulation with 1024 tokens, # from 4096"
         " tokens on and # for one dense matrix. `promoted 512` has # of cuBLAS without fast"
         " accumulation.",
         [*(spans(of, "dense fp8 fast", "fp8 fast") for of in (some, most, single)),
          spans(rows, "dense fp8", "fp8")]),
        ("Where weights decide, FP8 is # times as fast as bf16",
         [span(times(r, "register", name) for r in bound for name in ours)]),
        ("bf16 has # of the speed of the read there, and FP8 #. A kernel that took as long as the"
         " read would be # times as fast as bf16.",
         [spans(bound, "read"), span(times(r, "read", name) for r in bound for name in ours),
          spans(bound, "register", "read")]),
        ("humming is slower than both in each case: # times the time of `promoted 512`",
         [spans(rows, "humming fp8", "fp8")]),
    ]  # fmt: skip
    return [Claim("docs/Measurements.md", text, figures) for text, figures in found]


def cut() -> list[Claim]:
    """What pages say of matmuls that several GPUs share, and of trained routers."""
    rows = PARALLEL_H200["rows"]
    figures = [spans(rows, "read"), spans(rows, "triton")]
    text = "These matmuls have # of the speed of the read, and are # times as fast as Triton"
    short = "Matmuls that several GPUs share have # of the speed of the read"
    at = {(r["experts"], r["tokens"], r["routing"]): r["register"]["median"]
          for r in ROUTING_H200["rows"]}  # fmt: skip
    skewed = [(t, us / at[e, t, "uniform"]) for (e, t, how), us in at.items() if how == "trained"]
    trained = (
        "trained routing takes # times as long as uniform routing, and from 1024 tokens on # times"
    )
    return [
        Claim(
            "docs/Performance.md",
            "takes up to # times as long as uniform routing on an H200",
            [f"{max(x for _, x in skewed):.2f}"],
        ),
        Claim(
            "docs/Measurements.md",
            trained,
            [span(x for t, x in skewed if (t >= 1024) == many) for many in (False, True)],
        ),
        Claim("docs/Measurements.md", text, figures),
        Claim("docs/Performance.md", short, figures[:1]),
    ]


def claims() -> list[Claim]:
    """All of them."""
    return [
        *readme(),
        *performance(),
        *losses_of_few_rows(),
        *losses_of_many_rows(),
        *layers(),
        *layer_goal(),
        *constant_order(),
        *devices(),
        *gpt_oss(),
        *fp8(),
        *cut(),
    ]


def said(claim: Claim, text: str) -> str:
    """The page with the figures of a claim.

    Raises:
        SystemExit: if the page does not have the sentence exactly once.
    """
    parts = [re.sub(r"(?:\\\s)+", r"\\s+", re.escape(part)) for part in claim.text.split("#")]
    assert len(parts) == len(claim.figures) + 1, claim.text
    found = list(re.finditer(FIGURE.join(parts), text))
    if len(found) != 1:
        sys.exit(
            f"claims.py: {claim.page} says {len(found)} times, and should say once: {claim.text}"
        )
    for i, figure in reversed(list(enumerate(claim.figures, 1))):
        begin, end = found[0].span(i)
        if re.sub(r"\s+", " ", text[begin:end]) != figure:  # which a line may end in
            text = text[:begin] + figure + text[end:]
    return text


def main() -> int:
    """Command line."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    pages: dict[str, str] = {}
    for claim in claims():
        text = pages.get(claim.page) or (ROOT / claim.page).read_text()
        pages[claim.page] = said(claim, text)
    check = bool(sys.argv[1:])
    return max(settle(ROOT / page, page, text, check, "tools/docs") for page, text in pages.items())


if __name__ == "__main__":
    raise SystemExit(main())
