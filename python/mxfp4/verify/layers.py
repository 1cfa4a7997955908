# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check the operators of whole layers on a GPU, and measure the host's time for their calls.

Where the compiler is:  python -m mxfp4.verify.layers --compile KERNELS --device h200
Where the GPU is:       python -m mxfp4.verify.layers KERNELS

Narrow layers of published kinds must give on the GPU what they give on the CPU, where they run in
numpy, within some roundings; equal calls, calls on another stream and replayed CUDA graphs must
give equal bits, and so must calls of fewer tokens where a layer is batch-invariant; a graph that
needs a kernel which is not loaded must be refused. Then the host's time of a call is printed, in
microseconds, and the time of torch's ``add_``: medians of 100 times 20 calls, in turns. The exit
status is 0 if all of it holds.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .. import kernels, layer, torch_layer
from .._command import Parser, told
from ..compile import find_ptxas
from ..errors import Error
from ..formats import quantize
from ..layer_kernels import LayerKernels
from ..layer_spec import PRESETS, Activation, LayerSpec
from ..layer_steps import Source
from ..packing import pack

BROUGHT = LayerSpec(8, 2, 512, 256, bias=True)
"""A layer of which a warp of gate_up brings rows into order while the others multiply."""
EARLY = LayerSpec(32, 4, 512, 256, bias=True)
EARLY_FP8 = dataclasses.replace(EARLY, activations="fp8", activation_scale="bound")
"""Layers whose down begins while gate_up has not ended; in bf16 also where a warp of gate_up brings
rows."""
COPYING = LayerSpec(8, 2, 512, 832, bias=True)
"""A layer of few tokens whose down copies weights while gate_up ends, on an H200."""
SPECS = {
    **{name: dataclasses.replace(s, hidden=512, inner=256) for name, s in PRESETS.items()},
    "relu2": LayerSpec(64, 8, 256, 512, Activation("relu2"), scoring="sigmoid", scale=5.0),
    "896 experts": LayerSpec(896, 16, 256, 128, Activation("geglu_tanh"), scoring="sigmoid",
                             correction=True, renormalize=True, logits="f32"),
    "batch-invariant": LayerSpec(32, 4, 768, 576, bias=True, batch_invariant=True),
    "fp8": LayerSpec(16, 4, 768, 576, bias=True, activations="fp8"),
    "fp8 fast": LayerSpec(16, 4, 512, 384, activations="fp8", accumulation="fast"),
    "fp8 bound": LayerSpec(16, 4, 768, 576, bias=True, activations="fp8",
                           activation_scale="bound"),
    "rows brought by gate_up": BROUGHT,
    "down begins early": EARLY,
    "fp8, down begins early": EARLY_FP8,
    "weights copied ahead": COPYING,
}  # fmt: skip
UNPREPARED = dataclasses.replace(SPECS["relu2"], scale=3.0)
"""A layer that nothing but `check_capture` calls, so that its kernels are never loaded."""
CAPTURED = 2
"""Tokens of its call."""
TOKENS = (1, 3, 17, 64, 65, 300)
MANY_TOKENS = {BROUGHT: (4096, 5001), EARLY: (500, 2100), EARLY_FP8: (500, 1100)}
"""Tokens of calls that have such kernels."""
BOUND = {"bf16": 2.0**-6, "fp8": 2.0**-4}
"""Of a difference, to the largest value of its row. In FP8 a rounding of bf16 in the largest value
of an inner row changes the row's scale, which moves a tenth of its codes by a step of E4M3."""


class Tensors:
    """Random tensors of a layer on the CPU, and on a device."""

    def __init__(self, spec: LayerSpec, device: str) -> None:
        random = torch.Generator().manual_seed(1)
        self.spec, self.text, self.device = spec, spec.text(), device
        self._random = random
        e = spec.experts

        def packed(n: int, k: int) -> Any:
            values = torch.randn(e, n, k, generator=random) * k**-0.5
            return pack(*quantize(values.numpy()), spec.layout).to_device("cpu")

        def bias(n: int) -> Any:
            return torch.randn(e, n, generator=random).bfloat16() if spec.bias else None

        correction = torch.randn(e, generator=random) if spec.correction else None
        up, down = packed(spec.columns, spec.hidden), packed(spec.hidden, spec.inner)
        self.cpu = [up.data, down.data, bias(spec.columns), bias(spec.hidden), correction,
                    up.powers, down.powers]  # fmt: skip
        self.own = [None if t is None else t.to(device) for t in self.cpu]

    def operands(self, kind: str, device: str) -> list[torch.Tensor | None]:
        """What an operator takes after its inputs: all, or all but what routing needs."""
        tensors = self.cpu if device == "cpu" else self.own
        return tensors if kind == "moe" else [*tensors[:4], *tensors[5:]]

    def inputs(self, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states, and logits that are apart."""
        x = torch.randn(tokens, self.spec.hidden, generator=self._random).bfloat16()
        order = torch.rand(tokens, self.spec.experts, generator=self._random).argsort(dim=1)
        logits = (order - self.spec.experts // 2) / 32
        return x, logits.to(layer.LOGITS[self.spec.logits])

    def routing(self, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids, of which some are -1, and weights."""
        s, shape = self.spec, (tokens, self.spec.slots)
        ids = torch.rand(tokens, s.experts, generator=self._random).argsort(dim=1)[:, : s.slots]
        ids[torch.rand(shape, generator=self._random) < 0.3] = -1
        return ids.int().contiguous(), torch.rand(shape, generator=self._random)


def difference(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest, to the largest value of its row."""
    wide, true = got.cpu().double(), wanted.double()
    scale = true.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
    return float(((wide - true).abs() / scale).max())


def check(name: str, spec: LayerSpec, device: str) -> list[str]:
    """What is wrong with a layer on a device."""
    t, problems = Tensors(spec, device), []
    for tokens in tokens_of(spec):
        x, logits = t.inputs(tokens)
        ids, weights = t.routing(tokens)
        calls: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
            "moe": (torch_layer.moe, (x, logits)),
            "moe_with_routing": (torch_layer.moe_with_routing, (x, ids, weights)),
        }
        for kind, (call, given) in calls.items():
            there = [*(a.to(device) for a in given), *t.operands(kind, device)]
            operator = getattr(torch.ops.mxfp4, kind)
            y = operator(*there, spec=t.text)
            off = difference(y, operator(*given, *t.operands(kind, "cpu"), spec=t.text))
            if not off <= BOUND[spec.activations]:
                problems.append(f"{name}: {kind} of {tokens} tokens is {off:.3g} off")
            if not torch.equal(call(*there, spec=t.text), y):
                problems.append(f"{name}: {kind} of {tokens} tokens differs when repeated")
        if device != "cpu":
            problems += _check_streams(f"{name}, {tokens} tokens", t, x, logits)
    if spec.batch_invariant:
        problems += _check_invariance(name, t)
    kernels.check()
    return problems


def _check_invariance(name: str, t: Tensors) -> list[str]:
    """Some of many tokens by themselves, of logits and of experts that the caller brings."""
    many = most_tokens(t.spec)
    x, logits = (a.to(t.device) for a in t.inputs(many))
    ids, weights = (a.to(t.device) for a in t.routing(many))
    problems = []
    for kind, given in (("moe", (logits,)), ("moe_with_routing", (ids, weights))):
        call, own = getattr(torch.ops.mxfp4, kind), t.operands(kind, t.device)
        whole = call(x, *given, *own, spec=t.text)
        for tokens in (*TOKENS, 1000):
            part = [a[-tokens:].contiguous() for a in (x, *given)]
            y = call(*part, *own, spec=t.text)
            if not torch.equal(y, whole[-tokens:]):
                problems.append(f"{name}: {kind} of {tokens} of {many} tokens has other bits")
    return problems


def _check_streams(what: str, t: Tensors, x: torch.Tensor, logits: torch.Tensor) -> list[str]:
    """Another stream, and a graph."""
    given = (x.to(t.device), logits.to(t.device))

    def run() -> torch.Tensor:
        return torch_layer.moe(*given, *t.own, spec=t.text)

    wanted, side = run(), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        other = run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = run()
    captured.fill_(float("nan"))
    graph.replay()
    found = {"on another stream": other, "in a graph": captured}
    return [f"{what} {where}: other bits" for where, y in found.items()
            if not torch.equal(y, wanted)]  # fmt: skip


def check_capture() -> list[str]:
    """A graph that needs what is not loaded is refused, and nothing else is harmed."""
    t = Tensors(UNPREPARED, "cuda")
    x, logits = (a.to("cuda") for a in t.inputs(CAPTURED))
    try:
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            torch_layer.moe(x, logits, *t.own, spec=t.text)
    except Error as e:
        return [] if "is not ready on cuda:0" in str(e) else [f"capture: {e}"]
    return ["a graph was captured of a layer that was not ready"]


def microseconds(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The host's time of each call; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(100):
        for name, call in calls.items():
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(20):
                call()
            times[name].append((time.perf_counter() - start) / 20 * 1e6)
    return {name: statistics.median(found) for name, found in times.items()}


def print_times(spec: LayerSpec) -> None:
    """Of both operators, through torch's dispatcher and without it."""
    t, one = Tensors(spec, "cuda"), torch.zeros(4, device="cuda")
    calls: dict[str, Callable[[], Any]] = {"torch's add_": lambda: one.add_(1)}
    for tokens in (1, 64):
        given = [a.to("cuda") for a in t.inputs(tokens)]
        for what, call in (("torch.ops.mxfp4.moe", torch.ops.mxfp4.moe), ("moe", torch_layer.moe)):
            calls[f"{what}, {tokens} tokens"] = partial(call, *given, *t.own, spec=t.text)
    for what, us in microseconds(calls).items():
        print(f"host time of {what}: {us:.1f} us")


def tokens_of(spec: LayerSpec) -> tuple[int, ...]:
    """Of the calls whose results are compared with the CPU's."""
    return (*TOKENS, *MANY_TOKENS.get(spec, ()))


def most_tokens(spec: LayerSpec) -> int:
    """Of all calls of a layer: a part of many is compared with these where bits must be equal."""
    return 20 * max(TOKENS) if spec.batch_invariant else max(tokens_of(spec))


def compile_layers(folder: Path, device: str = "") -> int:
    """Compile all kernels into subfolders; how many there are.

    Args:
        folder: that has the subfolders.
        device: the GPU, in words, that schedules are chosen for; by default the H100 SXM.
    """
    count = 0
    wanted: list[tuple[LayerSpec, int, tuple[Source, ...]]] = [
        (spec, most_tokens(spec), ("logits", "some ids")) for spec in SPECS.values()
    ]
    wanted.append((UNPREPARED, CAPTURED, ("logits",)))
    for i, (spec, tokens, sources) in enumerate(wanted):
        made = LayerKernels.compile(spec, tokens, find_ptxas() is not None, sources, device)
        made.save(folder / f"layer{i}")
        count += made.count()
    return count


@told("python -m mxfp4.verify.layers")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.verify.layers", description=__doc__)
    parser.add_argument("kernels", type=Path, nargs="?", help="folder of --compile")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the needed kernels")
    parser.add_argument("--device", default="", metavar="WORDS",
                        help="GPU to compile for: h100-sxm (default), h200, native")  # fmt: skip
    o = parser.parse_args(arguments)
    try:
        if o.compile:
            print(f"compiled {compile_layers(o.compile, o.device)} kernels")
            return 0
        if o.device:
            parser.error("--device goes with --compile; kernels say what they were compiled for")
        if not o.kernels:
            parser.error("give a folder of kernels, or --compile OUT")
        if not torch.cuda.is_available():
            raise Error("torch sees no CUDA device; the verification runs on a GPU.")
        kernels.add(o.kernels)
        with torch.no_grad():
            problems = [p for name, spec in SPECS.items() for p in check(name, spec, "cuda")]
            problems += check_capture()
            print(f"{len(SPECS)} layers, {len(problems)} problems", *problems, sep="\n")
            print_times(SPECS["gpt-oss-20b"])
        return 1 if problems else 0
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
