# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmark's options choose: gpt-oss layers, or shapes of the user's own.

``mxfp4 bench`` and ``python -m mxfp4.bench`` declare the same options here.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._files import read_input
from ..errors import Error
from ..names import shown
from .gpt_oss import LAYERS, TOKENS, TOP
from .models import MODELS, model

if TYPE_CHECKING:  # help is there without numpy
    from ..problem import Problem
    from .cases import Case

ROUTINGS = ("uniform", "zipf", "trained", "one")
_OWN = ("problem", "n", "k", "hidden", "intermediate", "model")
_PASSED = (*_OWN, "tensor_parallel", "experts", "top", "layer", "routing", "counts")


WHOLE = "whole"
"""Of ``--layer``: not a matmul but all of a layer, see `layer`."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that choose cases."""
    add = parser.add_argument_group(
        "what is measured",
        "gpt-oss layers, or shapes of your own: --model, --problem, --experts with --n and\n"
        "--k, or --experts with --hidden and --intermediate (gate_up and down of a MoE block)",
    ).add_argument
    add("--experts", type=int, metavar="E", help="number of experts; of gpt-oss: 1, 32 or 128")
    add("--top", type=int, metavar="K", help=f"experts of each token (default {TOP})")
    add("--model", metavar="NAME", help=f"gate_up and down of: {', '.join(MODELS)}")
    add("--tensor-parallel", type=int, metavar="GPUS",
        help="with --model: this many GPUs share each expert; time one GPU's part")  # fmt: skip
    add("--problem", metavar="WORDS", help='"experts= n= k= [order= scales=]"')
    add("--n", type=int, help="columns of the output")
    add("--k", type=int, help="reduction length, a multiple of 32")
    add("--hidden", type=int, metavar="H", help="gate_up has K = H, down N = H")
    add("--intermediate", type=int, metavar="I", help="gate_up has N = 2 I, down K = I")
    add("--layer", nargs="?", const=WHOLE, metavar="NAME",
        help=f"only this matmul: {', '.join(LAYERS)}; without a name: whole layers of"
        " gpt-oss")  # fmt: skip
    add("--tokens", type=int, nargs="*", metavar="T", help="token counts")
    add("--routing", choices=ROUTINGS, help="only this routing (own shapes: default uniform)")
    add("--counts", metavar="LIST",
        help="the rows of each expert instead of tokens and routing: numbers with commas, or a file"
        " of numbers")  # fmt: skip


def words(options: argparse.Namespace) -> list[str]:
    """The options as words of a command line, for `arguments` to read again."""
    found = []
    for name in _PASSED:
        value = getattr(options, name)
        found += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
    return found + (["--tokens", *map(str, options.tokens)] if options.tokens else [])


def is_own(options: argparse.Namespace) -> bool:
    """Whether a shape was named, and not one of gpt-oss's."""
    return any(getattr(options, name) is not None for name in _OWN)


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that the options choose.

    Raises:
        Error: if they choose none, or do not fit together.
    """
    tokens = options.tokens or []
    given = [(name, getattr(options, name)) for name in _PASSED] + [("tokens", t) for t in tokens]
    for name, value in given:
        if isinstance(value, int) and value < 1:
            raise Error(f"--{name.replace('_', '-')} must be at least 1, got {value}.")
    if options.layer not in (None, WHOLE, *LAYERS):
        raise Error(f"--layer must be one of {', '.join(LAYERS)}, or without a name for whole "
                    f"layers, then with a folder of kernels if there is one, got "
                    f"{shown(options.layer)!r}.")  # fmt: skip
    if options.tensor_parallel is not None and options.model is None:
        raise Error("--tensor-parallel goes with --model, whose experts it cuts.")
    return _own(options) if is_own(options) else _gpt_oss(options)


def _gpt_oss(options: argparse.Namespace) -> list[Case]:
    from .cases import cases

    for name in ("top", "counts"):
        if getattr(options, name) is not None:
            raise Error(
                f"--{name} goes with a shape of your own: --problem, --experts --n --k, or "
                "--experts --hidden --intermediate."
            )
    found = [
        c
        for c in cases(options.tokens or (), options.routing == "trained")
        if (options.experts is None or c.experts == options.experts)
        and (options.layer is None or c.layer == options.layer)
        and (options.routing is None or c.routing == options.routing)
    ]
    if not found:
        raise Error(
            "no gpt-oss case is left by these options (experts 1, 32, 128; one expert and the "
            f"routing to one have few of the token counts {', '.join(map(str, TOKENS))}); for a "
            "shape of your own, say --n and --k, or --hidden and --intermediate."
        )
    return found


def _own(options: argparse.Namespace) -> list[Case]:
    from .cases import Case

    shapes = _shapes(options)
    if options.layer is not None:
        if options.layer not in shapes:
            raise Error(f"--layer {options.layer} is not among the layers {', '.join(shapes)}.")
        shapes = {options.layer: shapes[options.layer]}
    experts = next(iter(shapes.values())).experts
    if options.counts is not None:
        return _counted(options, shapes, experts)
    default = TOP if options.model is None else model(options.model).top
    top = default if options.top is None else options.top
    if options.top is not None and top > experts:
        raise Error(f"--top must be at most the number of experts, {experts}, got {top}.")
    routing = options.routing or "uniform"
    return [Case(experts, layer, t, routing, min(top, experts), shape)
            for layer, shape in shapes.items() for t in options.tokens or TOKENS]  # fmt: skip


def _shapes(options: argparse.Namespace) -> dict[str, Problem]:
    """The problem of each layer, by its name."""
    from ..problem import Problem

    def needs(*names: str) -> list[Any]:
        missing = [f"--{n}" for n in names if getattr(options, n) is None]
        if missing:
            given = " ".join(f"--{n}" for n in names if getattr(options, n) is not None)
            raise Error(f"{given} needs {' and '.join(missing)}, too.")
        others = [f"--{n}" for n in _OWN if n not in names and getattr(options, n) is not None]
        if others:
            raise Error(f"{' '.join(f'--{n}' for n in names)} says the shape; leave out "
                        f"{' and '.join(others)}.")  # fmt: skip
        return [getattr(options, n) for n in names]

    if options.model is not None:
        (name,) = needs("model")
        if options.experts is not None:
            raise Error("--model says the number of experts; leave out --experts.")
        found = model(name).problems(options.tensor_parallel or 1)
    elif options.problem is not None:
        (spec,) = needs("problem")
        problem = Problem.parse(spec)
        if options.experts is not None:
            raise Error("--problem says the number of experts; leave out --experts.")
        if problem.expert_ids or problem.output != "bf16" or problem.groups is not None:
            raise Error("the benchmark takes problems with a group for each expert and bf16 "
                        "output: leave out groups=, expert-ids= and output=.")  # fmt: skip
        if problem.activations == "fp8":
            raise Error("the benchmark measures activations in FP8 next to bf16 with --fp8: leave "
                        "out activations=, accumulation= and a layout for FP8.")  # fmt: skip
        if problem.operands:
            names = ", ".join(f"{name}=" for name in sorted(problem.operands))
            raise Error(f"the benchmark takes no optional operands: leave out {names}.")
        found = {f"{problem.n}x{problem.k}": problem}
    elif options.n is not None or options.k is not None:
        experts, n, k = needs("experts", "n", "k")
        found = {f"{n}x{k}": Problem(experts, n, k)}
    else:
        experts, hidden, inner = needs("experts", "hidden", "intermediate")
        found = {"gate_up": Problem(experts, 2 * inner, hidden),
                 "down": Problem(experts, hidden, inner)}  # fmt: skip
    for layer, problem in found.items():
        if problem.k % 32:
            raise Error(
                f"K must be a multiple of 32 (one scale serves 32 values), but {layer} has "
                f"K = {problem.k}."
            )
    return found


def _counted(options: argparse.Namespace, shapes: dict[str, Problem], experts: int) -> list[Case]:
    from .cases import Case

    for name in ("tokens", "routing"):
        if getattr(options, name):
            raise Error(f"--counts says how many rows each expert has; leave out --{name}.")
    counts = _numbers(options.counts)
    if len(counts) != experts or not sum(counts):
        raise Error(
            f"--counts must have a number of rows for each of the {experts} experts, not all 0; "
            f"got {len(counts)} with a sum of {sum(counts)}."
        )
    top = options.top or 1
    if sum(counts) % top:
        raise Error(f"--counts has {sum(counts)} rows, which is no multiple of --top {top}.")
    return [Case(experts, layer, sum(counts) // top, "counts", top, shape, tuple(counts))
            for layer, shape in shapes.items()]  # fmt: skip


def _numbers(text: str) -> list[int]:
    """Numbers with commas, or a file of them."""
    path = Path(text)
    listed = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in listed):
        if not path.is_file():
            raise Error(f"--counts takes numbers with commas, or a file of numbers; got {text!r}.")
        text = read_input(path, "numbers of rows").decode(errors="replace")
        listed = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in listed):
        bad = next(word for word in listed if not word.isdecimal())
        raise Error(f"{path} must hold whole numbers, got {shown(bad)!r}.")
    return [int(word) for word in listed]
