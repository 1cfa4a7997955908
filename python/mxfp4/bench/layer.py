# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measure whole mixture-of-experts layers of gpt-oss, from hidden states to hidden states.

With ``--model NAME``, layers have the sizes of another model, and compute what gpt-oss's do.

Where the compiler is:  python -m mxfp4.bench.layer --compile KERNELS
Where the GPU is:       python -m mxfp4.bench.layer KERNELS --triton FOLDER --json layer.json

Times are microseconds a layer: medians of CUDA-graph replays over several layers with weights of
their own, so that weights come from device memory. Columns take short turns. Every result is
compared with f32 in the same run, over the tokens whose choice of experts is clear. Columns:
``ours``: the router's matmul by cuBLAS, then `mxfp4.layer`; ``from logits``: without the router's
matmul; ``batch-invariant`` (with ``--batch-invariant``): ``ours`` with kernels that give a token
the same bits whatever other tokens there are; ``fp8`` and ``fp8 fast`` (with ``--fp8``): ``ours``
with activations in FP8, and sums that are promoted every 512 of K, or never; ``fp8 bound`` and
``fp8 fast bound``: the same with one scale for all rows between the matmuls; ``triton``: OpenAI's
triton_kernels in the steps of its own benchmark, by default and with the best of a few settings for
each number of tokens (``triton tuned``); ``marlin``: vLLM's kernels in vLLM's steps, with
``--marlin``; ``humming``: humming-kernels in the same steps, with ``--humming``. Nothing of these
packages is part of this one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .._command import Parser, told
from .._files import write_or_print
from ..errors import Error
from ..layer_kernels import LayerKernels
from ..layer_spec import LayerSpec
from .layer_data import Data, copies_of
from .models import MODELS, Model, model

TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 8192)
EXPERTS = [32, 128]
"""Of gpt-oss."""
ROUTINGS = ("uniform", "zipf", "trained")
INSTALLED = "installed"
"""In place of a file: the extension of the vLLM that is installed."""


VARIANTS: dict[str, dict[str, Any]] = {
    "batch-invariant": {"batch_invariant": True},
    "fp8": {"activations": "fp8"},
    "fp8 fast": {"activations": "fp8", "accumulation": "fast"},
    "fp8 bound": {"activations": "fp8", "activation_scale": "bound"},
    "fp8 fast bound": {"activations": "fp8", "accumulation": "fast", "activation_scale": "bound"},
}
"""Columns of kernels of ours for other specs than gpt-oss's, and what is other there."""


def chosen(o: argparse.Namespace) -> dict[str, Model]:
    """The layers that the command line names, by what folders of their kernels are called.

    Raises:
        Error: if there is no such model, or its layer is not like gpt-oss's.
    """
    if o.model is None:
        first = model("gpt-oss-20b")
        if any(n <= first.top for n in o.experts or EXPERTS):
            raise Error(f"experts must be at least {first.top + 1}.")
        return {f"layer{n}": replace(first, experts=n) for n in o.experts or EXPERTS}
    if o.experts:
        raise Error("--model says the number of experts; leave out --experts.")
    found = model(o.model)
    if not found.gated:
        raise Error(f"layers have gate and up here, and {o.model} has no gate.")
    return {f"layer-{o.model}": found}


def spec(sizes: Model, variant: str = "") -> LayerSpec:
    """A layer of these sizes that computes what gpt-oss's does, or a variant of it."""
    other = VARIANTS[variant] if variant else {}
    return LayerSpec(sizes.experts, sizes.top, sizes.hidden, sizes.inner, bias=True, **other)


def folder_of(kernels: Path, name: str, variant: str = "") -> Path:
    """Where the kernels of a layer are."""
    suffix = {"batch-invariant": "invariant"}.get(variant, variant.replace(" ", "-"))
    return kernels / f"{name}{f'-{suffix}' if suffix else ''}"


def variants(o: argparse.Namespace) -> list[str]:
    """Those that the command line asks for."""
    return [name for name in VARIANTS if (o.fp8 if "fp8" in name else o.batch_invariant)]


Run = Callable[[int], Any]
"""A column: runs a layer by its number."""

WHAT = (
    "median us of CUDA-graph replays over several layers with weights of their own; errors "
    "against f32"
)
OURS = ("ours", "from logits", *VARIANTS)
"""Columns that are not compared with ours."""


class Ours:
    """Layers of ours; `others` are kernels of other columns, by their names."""

    def __init__(
        self, kernels: LayerKernels, data: Data, others: dict[str, LayerKernels] | None = None
    ) -> None:
        self._data = data
        self._packed: dict[Any, list[tuple[Any, Any]]] = {}
        self._layers = self._made(kernels)
        self._others = {name: self._made(other) for name, other in (others or {}).items()}

    def _made(self, kernels: LayerKernels) -> list[Any]:
        """A layer for each copy of the weights, which layers of one layout share."""
        from ..layer import Layer

        data, layout = self._data, kernels.spec.layout
        if layout not in self._packed:
            first = [data.raw[name].pack(layout) for name in ("gate_up", "down")]
            rest = [[replace(w, data=w.data.clone()) for w in first]
                    for _ in range(data.copies - 1)]  # fmt: skip
            self._packed[layout] = [(up, down) for up, down in [first, *rest]]
        own, bias = self._packed[layout], data.bias
        return [Layer(kernels, *w, bias["gate_up"], bias["down"]) for w in own]

    def columns(self, x: Any, count: int) -> dict[str, Run]:
        """Runs by name; what they read lives as long as they do."""
        logits = [self._data.logits(x, i) for i in range(count)]
        runs = {
            "ours": lambda i: self._layers[i](x, self._data.logits(x, i)),
            "from logits": lambda i: self._layers[i](x, logits[i]),
        }
        return runs | {name: partial(self._run, name, x) for name in self._others}

    def _run(self, name: str, x: Any, number: int) -> Any:
        return self._others[name][number](x, self._data.logits(x, number))

    def check(self) -> None:
        """Raise if a kernel met bad values."""
        for layers in (self._layers, *self._others.values()):
            for one in layers[:1]:
                one.check()


class Peers:
    """Layers of others, as far as they were asked for.

    Raises:
        Error: if one is not there.
    """

    def __init__(self, o: argparse.Namespace) -> None:
        self._tokens, self._triton, self._steps, self._humming = o.tokens, None, None, o.humming
        self._packed: Any = None
        self._layers: dict[str, Any] = {}
        if o.triton:
            from ._triton_layer import TritonLayers

            self._triton = TritonLayers(o.triton)
        if o.marlin:
            from ._vllm_steps import VllmSteps

            self._steps = VllmSteps(None if str(o.marlin) == INSTALLED else o.marlin)

    def pack(self, data: Data) -> None:
        """Weights in each one's form."""
        if self._triton:
            self._packed = self._triton.pack_layers(data)
        if self._steps:
            from ._marlin_layer import MarlinLayers

            self._layers["marlin"] = MarlinLayers(self._steps, data, data.model.top)
            if self._humming:
                from ._humming_layer import HummingLayers

                self._layers["humming"] = HummingLayers(
                    self._steps, data, data.model.top, self._tokens
                )

    def columns(self, data: Data, x: Any, count: int) -> dict[str, Run]:
        """Runs by name."""
        found: dict[str, Run] = {}
        if self._triton:
            found = self._triton.columns(data, self._packed, x, count)
        for name, layers in self._layers.items():
            found[name] = partial(layers.layer, x)
        return found


def error(y: Any, truth: Any, clear: Any) -> float:
    """Norm of the difference over the norm of what is right."""
    difference = (y.float() - truth)[clear]
    return float(difference.norm() / truth[clear].norm()) if bool(clear.any()) else float("nan")


def measure(data: Data, tokens: int, columns: dict[str, Run], count: int, window: float) -> Any:
    """Times and errors of a case."""
    from .._gpu import capture, time_graphs

    truth, clear = data.truth(data.hidden(tokens), count - 1)
    errors = {name: error(run(count - 1), truth, clear) for name, run in columns.items()}
    graphs = {
        name: (capture([partial(run, i) for i in range(count)]), count)
        for name, run in columns.items()
    }
    times = time_graphs(graphs, window)
    return {"experts": data.experts, "hidden": data.model.hidden, "inner": data.model.inner,
            "top": data.model.top, "tokens": tokens, "layers": count, "errors": errors,
            "tokens compared": int(clear.sum()), "times": times,
            "us": {name: told["median"] for name, told in times.items()}}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """The results as a markdown table."""
    names = list(dict.fromkeys(name for row in rows for name in row["us"]))
    others = [name for name in names if name not in OURS]
    head = ["E", "T", *(f"{n}, us" for n in names), *(f"{n} / ours" for n in others)]
    head += [f"error, {name}" for name in names]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        us = row["us"]
        cells = [str(row["experts"]), str(row["tokens"])]
        cells += [f"{us[n]:.1f}" if n in us else "-" for n in names]
        cells += [f"{us[n] / us['ours']:.2f}" if n in us else "-" for n in others]
        cells += [f"{row['errors'][n]:.1e}" if n in us else "-" for n in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _roundings(error: tuple[str, float]) -> float:
    """A column's error, relative to that of bf16: E4M3 has four bits where bf16 has eight."""
    name, value = error
    return value / 4 if "fp8" in name else value


def run(o: argparse.Namespace, layers: dict[str, Model]) -> int:
    """Measure; 0 if everything was measured and right."""
    import torch

    if not torch.cuda.is_available():
        raise Error("torch sees no CUDA device; the benchmark runs on a GPU.")
    peers = Peers(o)
    rows: list[dict[str, Any]] = []
    worst = 0.0
    with torch.no_grad():
        for name, sizes in layers.items():
            kernels = LayerKernels.load(folder_of(o.kernels, name))
            data = Data(sizes, copies_of(sizes), o.routing)
            others = {v: LayerKernels.load(folder_of(o.kernels, name, v)) for v in variants(o)}
            ours = Ours(kernels, data, others)
            peers.pack(data)
            for tokens in o.tokens:
                count = min(data.copies, 8 if tokens <= 16 else 4 if tokens <= 256 else 2)
                x = data.hidden(tokens)
                columns = ours.columns(x, count)
                columns |= peers.columns(data, x, count)
                rows.append(measure(data, tokens, columns, count, o.window))
                worst = max(worst, *map(_roundings, rows[-1]["errors"].items()))
                print(table(rows[-1:]).splitlines()[-1], flush=True)
            ours.check()
    print("\n" + table(rows))
    if o.json:
        results = {"date": time.strftime("%Y-%m-%d"), "gpu": torch.cuda.get_device_name(),
                   "what": WHAT, "torch": torch.__version__, "routing": o.routing,
                   "rows": rows}  # fmt: skip
        write_or_print(o.json, json.dumps(results, indent=1) + "\n")
    if worst > 0.02:
        raise Error(f"an error of {worst:.1e} is more than roundings of bf16 explain.")
    return 0


@told("python -m mxfp4.bench.layer")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.bench.layer", description=__doc__)
    parser.add_argument("kernels", type=Path, nargs="?", help="folder of --compile")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the needed kernels")
    parser.add_argument("--device", default="", metavar="WORDS",
                        help="GPU to compile for: h100-sxm (default), h200, native")  # fmt: skip
    parser.add_argument("--model", metavar="NAME",
                        help="layers of this model's sizes, which compute what gpt-oss's do: "
                        f"{', '.join(MODELS)}")  # fmt: skip
    parser.add_argument("--experts", type=int, nargs="*", help="of gpt-oss (default 32 128)")
    parser.add_argument("--tokens", type=int, nargs="*", default=list(TOKENS))
    parser.add_argument("--routing", choices=ROUTINGS, default="uniform")
    parser.add_argument("--batch-invariant", action="store_true",
                        help="compile, and measure, such kernels too")  # fmt: skip
    parser.add_argument("--fp8", action="store_true",
                        help="compile, and measure, layers in FP8, too")  # fmt: skip
    parser.add_argument("--triton", type=Path, metavar="FOLDER", help="that has triton_kernels")
    parser.add_argument(
        "--marlin",
        type=Path,
        metavar="FILE",
        nargs="?",
        const=Path(INSTALLED),
        help="vLLM's extension _moe_C; without FILE that of the installed vLLM",
    )
    parser.add_argument(
        "--humming",
        action="store_true",
        help="humming-kernels, too; needs --marlin for the steps around them",
    )
    parser.add_argument("--window", type=float, default=40, help="milliseconds of each timing")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    o = parser.parse_args(arguments)
    try:
        layers = chosen(o)
        if any(n < 1 for n in o.tokens):
            raise Error("tokens must be at least 1.")
        if o.humming and not o.marlin:
            raise Error("--humming needs --marlin for the steps around the matmuls.")
        if o.compile:
            for name, sizes in layers.items():
                for variant in ("", *variants(o)):
                    made = LayerKernels.compile(
                        spec(sizes, variant), max(o.tokens), assemble=True, device=o.device
                    )
                    made.save(folder_of(o.compile, name, variant))
            return 0
        if not o.kernels:
            parser.error("give a folder of kernels, or --compile OUT")
        if o.device:
            parser.error("--device goes with --compile; kernels say what they were compiled for")
        return run(o, layers)
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
