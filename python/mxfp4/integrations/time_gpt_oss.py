# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times of gpt-oss on our experts and on transformers' own, for `check_gpt_oss`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .. import kernels
from ..checkpoint import Checkpoint
from ..errors import Error
from ..make_checkpoint import Shape, make_checkpoint

LARGE = {32: Shape(2, 32, 2880, 2880, 8192), 128: Shape(2, 128, 2880, 2880, 8192)}
"""Layers of gpt-oss-20b and gpt-oss-120b, few of them and with a small vocabulary."""

MAX_TOKENS = 8192
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 8192)
FP8_BOUND = 2.0**-4
"""Of the relative error of layers, and of logits, with activations in FP8: a step of E4M3."""
FP8 = {"fp8": "promoted512", "fp8 fast": "fast"}
"""Models with activations in FP8, and how they add."""


def rms(value: torch.Tensor) -> float:
    """The root of the mean square."""
    return float(value.double().square().mean().sqrt())


def activations(tokens: int, hidden: int, device: str) -> torch.Tensor:
    """Random hidden states bf16 ``[1, T, H]``, the same for the same number of tokens."""
    random = torch.Generator(device=device).manual_seed(tokens)
    x = torch.randn((1, tokens, hidden), device=device, generator=random)
    return x.bfloat16()


def large_models(folder: Path, shape: Shape, fp8: bool = False) -> dict[str, Any]:
    """Ours from a checkpoint, and transformers' with the same weights, decoded on the GPU."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from .._gpu import decode
    from .transformers import load, prepare

    make_checkpoint(folder, shape, codes=True, progress=True)
    ours = load(folder, device="cuda", progress=True)
    others = {name: load(folder, device="cuda", activations="fp8", accumulation=sums)
              for name, sums in (FP8.items() if fp8 else ())}  # fmt: skip
    for model in (ours, *others.values()):
        prepare(model, MAX_TOKENS)
    config = AutoConfig.from_pretrained(folder)
    del config.quantization_config
    with torch.device("cuda"):
        theirs = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    parameters = dict(theirs.named_parameters())
    state = {k: v for k, v in ours.state_dict().items() if k in parameters}
    theirs.load_state_dict(state, strict=False)
    checkpoint = Checkpoint(folder)
    for name, parameter in parameters.items():
        if name in checkpoint.experts:  # [E, K, N] there
            for e, (blocks, scales) in enumerate(checkpoint[name]):
                codes, powers = torch.from_numpy(blocks).cuda(), torch.from_numpy(scales).cuda()
                parameter.data[e] = decode(codes, powers, torch.bfloat16).T
    return {"ours": ours, "transformers": theirs, **others}


def time_blocks(models: dict[str, Any], shape: Shape) -> list[dict[str, Any]]:
    """Microseconds of one MLP block, router included, in a CUDA graph over all layers."""
    from .._gpu import capture, time_graphs

    rows = []
    for tokens in TOKENS:
        x = activations(tokens, shape.hidden_size, "cuda")
        row: dict[str, Any] = {"experts": shape.num_local_experts, "tokens": tokens}
        graphs = {}
        for name, model in models.items():
            mlps = [layer.mlp for layer in model.model.layers]
            graphs[name] = capture([partial(mlp, x) for mlp in mlps]), len(mlps)
        row |= {name: times["median"] for name, times in time_graphs(graphs, 30).items()}
        row["transformers / ours"] = row["transformers"] / row["ours"]
        rows.append(row)
    return rows


def _milliseconds(run: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3


def in_turns(
    runs: Mapping[str, Sequence[Callable[[], Any]]], rounds: int
) -> dict[str, list[float]]:
    """The median of each run's milliseconds. Models take turns, since the host's speed drifts."""
    for run in (run for of in runs.values() for run in of):
        run()
    found: dict[str, list[list[float]]] = {name: [[] for _ in of] for name, of in runs.items()}
    for _ in range(rounds):
        for name, of in runs.items():
            for times, run in zip(found[name], of, strict=True):
                times.append(_milliseconds(run))
    return {name: [sorted(t)[rounds // 2] for t in of] for name, of in found.items()}


def time_models(models: dict[str, Any], shape: Shape) -> list[dict[str, Any]]:
    """Milliseconds of a prefill, and of a step of ``generate``: eager, then compiled.

    The model whose sums are ``fast`` is not timed compiled: its steps have the kernels of few rows,
    of which the other one in FP8 tells as much, and compiling takes as long again.
    """
    # All models run the same code, which is compiled for each of them and for each cache.
    torch._dynamo.config.recompile_limit = 64
    rows = []
    for length in (512, 2048):
        ids = torch.randint(0, shape.vocab_size, (1, length), device="cuda")
        row: dict[str, Any] = {"experts": shape.num_local_experts, "what": f"prefill {length}"}
        runs = {name: [partial(m, ids, logits_to_keep=1)] for name, m in models.items()}
        row |= {name: times[0] for name, times in in_turns(runs, 9).items()}
        rows.append(row)
    for cache in ("dynamic", "static"):
        for batch in (1, 16):
            ids = torch.randint(0, shape.vocab_size, (batch, 64), device="cuda")
            what = f"decode, batch {batch}, {cache} cache"
            row = {"experts": shape.num_local_experts, "what": what}
            timed = {n: m for n, m in models.items() if cache == "dynamic" or n != "fp8 fast"}
            rows.append(row | _steps(timed, ids, cache))
    for row in rows:
        row["transformers / ours"] = row["transformers"] / row["ours"]
    return rows


def _steps(models: dict[str, Any], ids: torch.Tensor, cache: str) -> dict[str, float]:
    """Milliseconds of one more token: transformers compiles the steps of a static cache."""
    few, many = 9, 41

    def generate(model: Any, new: int) -> Any:
        return model.generate(ids, max_new_tokens=new, min_new_tokens=new, do_sample=False,
                              pad_token_id=0, attention_mask=torch.ones_like(ids),
                              cache_implementation=cache)  # fmt: skip

    runs = {n: [partial(generate, m, new) for new in (few, many)] for n, m in models.items()}
    times = in_turns(runs, 7)
    return {name: (long - short) / (many - few) for name, (short, long) in times.items()}


def time_large(folder: Path, experts: int, fp8: bool = False) -> list[dict[str, Any]]:
    """All timings of a large model; its results must agree, too."""
    shape = LARGE[experts]
    models = large_models(folder, shape, fp8)
    for tokens in (1, 100):
        x = activations(tokens, shape.hidden_size, "cuda")
        y = {name: m.model.layers[0].mlp(x)[0].double() for name, m in models.items()}
        for name, mine in y.items():
            off = rms(mine - y["transformers"]) / rms(mine)
            if off > (FP8_BOUND if name in FP8 else 2.0**-6):
                raise Error(f"the MLP of {experts} experts ({name}) is wrong: {off:.3g} off.")
    rows = time_blocks(models, shape) + time_models(models, shape)
    kernels.check()
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Timings as a markdown table."""
    others = [name for name in FP8 if any(name in row for row in rows)]
    head = [
        "E",
        "what",
        "transformers, bf16",
        "ours, MXFP4",
        "ratio",
        *(f"ours, {n}" for n in others),
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        unit = "us" if "tokens" in row else "ms"
        what = f"MLP block, {row['tokens']} tokens" if "tokens" in row else row["what"]
        names = ("transformers", "ours", *others)
        times = [f"{row[name]:.3g} {unit}" if name in row else "-" for name in names]
        times.insert(2, f"{row['transformers / ours']:.2f}")
        lines.append("| " + " | ".join([str(row["experts"]), what, *times]) + " |")
    return "\n".join(lines)
