# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compare gpt-oss on our experts with transformers' dequantised path: results and times.

Where the compiler is:  python -m mxfp4.integrations.check_gpt_oss --compile KERNELS
Where the GPU is:       python -m mxfp4.integrations.check_gpt_oss KERNELS --json out.json

Weights are random, all of the code is real. The small model is also loaded by transformers itself
from the same checkpoint, dequantised to bf16; a copy of that computes in f32. It must hold that

- every layer's experts, given the same tokens and routing, differ from the f32 path's by at most
  1.25 times as much (root of the mean square) as transformers' bf16 path does;
- so do the logits, and none differs from the bf16 path's by more than 1/8 of the largest, up to the
  first token of a sequence for which routers of the three chose otherwise: experts that are equal
  but for rounding are a toss-up. That must leave a quarter of the tokens;
- greedy generation gives the same tokens. Where it does not, the bf16 path's two best logits must
  be closer than that bound, and over all sequences the f32 path must side with ours about as often
  as with bf16's: the rest of that sequence is another text, and is not compared.

The large models have gpt-oss's layers, and are timed: the MLP block alone in CUDA graphs over
several layers, then prefill and decoding of the whole model, eager and, with a static cache, as
transformers compiles it.

With ``--fp8`` models with activations in FP8 are checked and timed, too. Their layers must differ
from the f32 path's by at most 1/16, and so must their logits before a router chose otherwise; what
that does to the distribution of the next token is reported (`drift`).
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import kernels
from .._command import Parser, told
from .._files import write_or_print
from ..compile import find_ptxas
from ..errors import Error
from ..layer_kernels import LayerKernels
from ..layer_spec import LayerSpec
from ..make_checkpoint import Shape, make_checkpoint
from .time_gpt_oss import (
    FP8,
    FP8_BOUND,
    LARGE,
    MAX_TOKENS,
    activations,
    rms,
    table,
    time_large,
)  # fmt: skip

SMALL = Shape(4, 32, 640, 544, 512, 8, 2, 64)
"""K of 20 and 17 blocks: the last 64 columns of a tile are half empty in ``down``."""

TOP = 4
NEW_TOKENS = 32
SLACK = 1.25
BOUND = 2.0**-3
LEAST = 0.25
"""Of the tokens, whose logits are compared."""


def compile_kernels(folder: Path, shapes: list[Shape], device: str = "", fp8: bool = False) -> int:
    """Compile all kernels into subfolders; how many there are."""
    from tqdm.auto import tqdm

    from .transformers import problems

    count = 0
    variants: dict[str, dict[str, Any]] = {"": {}}
    for name, sums in FP8.items() if fp8 else ():
        variants[f"-{name.replace(' ', '-')}"] = {"activations": "fp8", "accumulation": sums}
    every = [(i, s, v) for i, s in enumerate(shapes) for v in variants]
    for i, s, variant in tqdm(every, unit="layer", desc="compile layers"):
        spec = LayerSpec(s.num_local_experts, TOP, s.hidden_size, s.intermediate_size, bias=True,
                         **variants[variant])  # fmt: skip
        layer = LayerKernels.compile(
            spec, MAX_TOKENS, assemble=find_ptxas() is not None, sources=("logits", "ids"),
            device=device,
        )  # fmt: skip
        layer.save(folder / f"layer{i}{variant}")
        count += layer.count()
    found: list[Path] = []
    wanted = [(p, single) for s in shapes for p, single in
              problems(s.num_local_experts, s.hidden_size, s.intermediate_size, TOP)]  # fmt: skip
    for problem, single in tqdm(wanted, unit="problem", desc="compile"):
        most = TOP * (1 if single else MAX_TOKENS)
        found += kernels.compile_ranges(problem, folder, most, device=device)
    return count + len(found)


class Models:
    """One checkpoint, three models of it: ours, and transformers' in bf16 and in f32."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import AutoModelForCausalLM
        from transformers.utils.quantization_config import Mxfp4Config

        from .transformers import load

        self.device = device
        self.ours: Any = load(folder, device=device)
        bf16: Any = AutoModelForCausalLM.from_pretrained(
            folder, quantization_config=Mxfp4Config(dequantize=True), dtype=torch.bfloat16
        )
        self.bf16 = bf16.to(device)
        # Dequantised weights are exact in bf16, whatever dtype is asked for.
        self.f32 = copy.deepcopy(self.bf16).float()
        self.f32.set_experts_implementation("eager")

    def tokens(self, batch: int, length: int) -> torch.Tensor:
        """Random token numbers, the same for the same shape."""
        random = torch.Generator().manual_seed(length)
        vocabulary = self.ours.config.vocab_size
        return torch.randint(0, vocabulary, (batch, length), generator=random).to(self.device)


@contextmanager
def recorded(model: nn.Module, suffix: str) -> Iterator[list[tuple[Any, Any]]]:
    """Arguments and results of the modules whose names end so, in the order of their calls."""
    calls: list[tuple[Any, Any]] = []

    def hook(module: nn.Module, arguments: Any, result: Any) -> None:
        calls.append((arguments, result))

    found = [m for n, m in model.named_modules() if n.endswith(suffix)]
    handles = [m.register_forward_hook(hook) for m in found]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _modules(model: Any) -> list[Any]:
    return [layer.mlp.experts for layer in model.model.layers]


def check_layers(models: Models, ids: torch.Tensor) -> dict[str, Any]:
    """Each layer's experts on the same tokens and routing."""
    with recorded(models.bf16, "mlp.experts") as calls:
        models.bf16(ids)
    ratios, alone, twice = [], [], True
    modules = zip(calls, _modules(models.ours), _modules(models.f32), strict=True)
    for ((x, indices, weights), theirs), ours, exact in modules:
        mine = ours(x, indices, weights)
        twice &= torch.equal(mine, ours(x, indices, weights))
        truth = exact(x.float(), indices, weights.float())
        ratios.append(rms(mine - truth) / rms(theirs - truth))
        single = ours(x[:1], indices[:1], weights[:1])  # takes a path of its own
        alone.append(float((single - mine[:1]).abs().max() / mine[:1].abs().max()))
    return {"error, ours / transformers": ratios, "repeats are equal": twice,
            "one token alone, largest difference / largest value": max(alone),
            "pass": max(ratios) <= SLACK and twice and max(alone) <= 2.0**-6}  # fmt: skip


def check_logits(models: Models, ids: torch.Tensor) -> dict[str, Any]:
    """Logits of whole sequences, and the tokens for which a router decided otherwise."""
    logits, routes = {}, {}
    for name in ("ours", "bf16", "f32"):
        with recorded(getattr(models, name), "mlp.router") as calls:
            logits[name] = getattr(models, name)(ids).logits.double()
        top = models.ours.config.num_experts_per_tok
        routes[name] = [found[0].topk(top).indices.sort(dim=-1).values for _, found in calls]
    usual = models.bf16.get_experts_implementation()
    models.bf16.set_experts_implementation("eager")
    eager = models.bf16(ids).logits.double()
    models.bf16.set_experts_implementation(usual)
    agree = [
        torch.stack([(a == c).all(dim=-1), (b == c).all(dim=-1)]).all(dim=0)
        for a, b, c in zip(*(routes[name] for name in ("ours", "bf16", "f32")), strict=True)
    ]
    # A token that is routed otherwise changes those behind it.
    clear = torch.stack(agree).all(dim=0).view(ids.shape).int().cumprod(dim=1).bool()
    mine, theirs, truth = (logits[name][clear] for name in ("ours", "bf16", "f32"))
    largest = float(logits["bf16"].abs().max())
    share = float(clear.float().mean())
    ratio = rms(mine - truth) / rms(theirs - truth)
    worst = float((mine - theirs).abs().max()) / largest if share else float("inf")
    return {
        "error, ours / transformers": ratio,
        "largest difference / largest logit": worst,
        "the same between transformers' own implementations":
            float((eager - logits["bf16"])[clear].abs().max()) / largest if share else None,
        "tokens and layers": ids.numel() * len(agree),
        "of these routed otherwise": int(sum((~a).sum() for a in agree)),
        "share of tokens that are compared": share,
        "pass": ratio <= SLACK and worst <= BOUND and share >= LEAST,
    }  # fmt: skip


def check_generation(models: Models, ids: torch.Tensor, new: int) -> dict[str, Any]:
    """Greedy generation by both; where they part, how close the call was."""
    options: dict[str, Any] = {
        "max_new_tokens": new, "do_sample": False, "pad_token_id": 0, "eos_token_id": None,
        "attention_mask": torch.ones_like(ids),
    }  # fmt: skip
    ours = models.ours.generate(ids, **options)
    theirs = models.bf16.generate(ids, **options)
    parted = []
    for row in range(len(ids)):
        differ = (ours[row] != theirs[row]).nonzero()
        if len(differ):
            at = int(differ[0])
            last = models.bf16(theirs[row : row + 1, :at]).logits[0, -1].double()
            first, second = last.topk(2).values.tolist()
            lead = (first - second) / float(last.abs().max())
            best = int(models.f32(theirs[row : row + 1, :at]).logits[0, -1].argmax())
            sides = [name for name, path in (("ours", ours), ("bf16", theirs))
                     if int(path[row, at]) == best]  # fmt: skip
            parted.append({"sequence": row, "at": at - ids.shape[1], "lead / largest logit": lead,
                           "f32 sides with": sides[0] if sides else "neither"})  # fmt: skip
    close = all(p["lead / largest logit"] <= BOUND for p in parted)
    votes = [p["f32 sides with"] for p in parted]
    fair = votes.count("bf16") - votes.count("ours") <= len(ids) // 4
    return {"sequences": len(ids), "new tokens": new, "equal": len(ids) - len(parted),
            "parted": parted, "pass": close and fair}  # fmt: skip


def _keep(held: list[torch.Tensor], mlp: Any, x: torch.Tensor) -> None:
    held.append(mlp(x)[0])


def check_compiled(models: Models, ids: torch.Tensor) -> dict[str, Any]:
    """The whole model under ``torch.compile`` without a graph break; an MLP in a CUDA graph."""
    plain = models.ours(ids).logits
    compiled = torch.compile(models.ours, fullgraph=True, backend="aot_eager")
    same = torch.equal(compiled(ids).logits, plain)
    result: dict[str, Any] = {"compiled without a break, equal": same, "pass": same}
    if models.device == "cuda":
        from .._gpu import capture

        for tokens in (1, 24):
            mlp = models.ours.model.layers[0].mlp
            x = activations(tokens, models.ours.config.hidden_size, models.device)
            before = mlp(x)[0]
            held: list[torch.Tensor] = []
            graph = capture([partial(_keep, held, mlp, x)])
            held[-1].fill_(float("nan"))
            graph.replay()
            same = torch.equal(held[-1], before)
            result[f"CUDA graph of {tokens} tokens, equal"] = same
            fused = torch.compile(mlp, fullgraph=True, mode="reduce-overhead")
            for _ in range(3):  # warm-up, capture, replay
                y = fused(x)[0].clone()
            off = rms(y - before) / rms(before)
            result[f"inductor in CUDA graphs, {tokens} tokens, difference"] = off
            result["pass"] = result["pass"] and same and off <= 2.0**-6
    return result


def check_fp8(models: Models, folder: Path, ids: torch.Tensor) -> dict[str, Any]:
    """Models with activations in FP8 against the f32 path: layers, and logits."""
    from .drift import drift
    from .transformers import load

    with recorded(models.bf16, "mlp.experts") as calls:
        wanted = models.bf16(ids).logits
    found: dict[str, Any] = {"bf16": drift(models.ours(ids).logits, wanted), "pass": True}
    for name, sums in FP8.items():
        model: Any = load(folder, device=models.device, activations="fp8", accumulation=sums)
        errors, twice = [], True
        modules = zip(calls, _modules(model), _modules(models.f32), strict=True)
        for ((x, indices, weights), _), ours, exact in modules:
            mine, truth = ours(x, indices, weights), exact(x.float(), indices, weights.float())
            errors.append(rms(mine - truth) / rms(truth))
            twice &= torch.equal(mine, ours(x, indices, weights))
        logits = model(ids).logits
        found[name] = {"errors of layers": errors, "repeats are equal": twice,
                       **drift(logits, wanted)}  # fmt: skip
        found["pass"] &= max(errors) <= FP8_BOUND and twice and bool(logits.isfinite().all())
    return found


def check_small(folder: Path, device: str, shape: Shape, fp8: bool = False) -> dict[str, Any]:
    """All checks of the small model."""
    make_checkpoint(folder, shape, seed=7)
    models = Models(folder, device)
    ids = models.tokens(16, 12)  # short, so that few tokens are behind one routed otherwise
    report = {
        "layers": check_layers(models, ids),
        "logits": check_logits(models, ids),
        "generation": check_generation(models, models.tokens(8, 24), NEW_TOKENS),
        "compiled": check_compiled(models, ids),
    }
    if fp8:
        report["fp8"] = check_fp8(models, folder, ids)
    kernels.check()
    return report


@told("python -m mxfp4.integrations.check_gpt_oss")
def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 if all checks pass."""
    parser = Parser(prog="python -m mxfp4.integrations.check_gpt_oss", description=__doc__)
    parser.add_argument("kernels", type=Path, nargs="?", help="folder that --compile wrote")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the needed kernels")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"),
                        help="cpu runs the executable specification, and no timings")  # fmt: skip
    parser.add_argument("--large", type=int, nargs="*", default=list(LARGE), choices=list(LARGE),
                        help="experts of the models to time (default: all)")  # fmt: skip
    parser.add_argument(
        "--gpu",
        default="",
        metavar="WORDS",
        help="with --compile: GPU to compile for: h100-sxm (default), h200, native",
    )
    parser.add_argument(
        "--fp8", action="store_true", help="compile, check and time activations in FP8, too"
    )
    parser.add_argument("--json", type=Path, help="write all numbers here")
    o = parser.parse_args(arguments)
    try:
        if o.compile:
            count = compile_kernels(o.compile, [SMALL, *LARGE.values()], o.gpu, o.fp8)
            print(f"compiled {count} kernels into {o.compile}")
            return 0
        return run(o)
    except Error as e:
        parser.exit(1, f"error: {e}\n")


@torch.no_grad()
def run(o: argparse.Namespace) -> int:
    """Check, then time."""
    import transformers

    if o.device == "cuda" and not torch.cuda.is_available():
        raise Error("torch sees no CUDA device; --device cpu runs the checks without one.")
    if o.kernels:
        kernels.add(o.kernels)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__,
                "python": platform.python_version()}  # fmt: skip
    report: dict[str, Any] = {"versions": versions}
    if o.device == "cuda":
        report["gpu"] = torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as folder:
        checks = report["checks"] = check_small(Path(folder), o.device, SMALL, o.fp8)
    print(json.dumps(report, indent=1), flush=True)
    report["timings"] = []
    for experts in o.large if o.device == "cuda" else []:
        with tempfile.TemporaryDirectory() as folder:
            report["timings"] += time_large(Path(folder), experts, o.fp8)
        torch.cuda.empty_cache()
        print(table(report["timings"]), flush=True)
    if o.json:
        write_or_print(o.json, json.dumps(report, indent=1) + "\n")
    failed = [name for name, check in checks.items() if not check["pass"]]
    print(f"{len(checks) - len(failed)} passed, {len(failed)} failed{': ' if failed else ''}"
          + ", ".join(failed))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
