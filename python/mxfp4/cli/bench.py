# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 bench``: the benchmark of `mxfp4.bench`, and its plots."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

SUMMARY = "measure kernels, on gpt-oss shapes or yours; table, JSON, plots"
DESCRIPTION = """Measure on a GPU: gpt-oss layers or shapes of your own, by number of tokens,
against torch's bf16, Triton's kernels (from a folder of theirs) and the read
bandwidth.

Times are medians of CUDA-graph replays that take their weights from device
memory, and every result is checked in the same run. Kernels come from a folder,
where there is no compiler (--compile writes it on a machine that has one, with
the same options for the shapes), or are compiled now.
"""
EXAMPLES = """examples:
  mxfp4 bench --tokens 1 64 1024 --json bench.json --plot roofline.svg
  mxfp4 bench --experts 8 --top 2 --hidden 4096 --intermediate 14336 --tokens 1 64
  mxfp4 bench --problem "experts=4 n=2048 k=1024" --counts 100,0,7,3
  mxfp4 bench --model deepseek-v4-flash --tensor-parallel 4 --tokens 16 64
  mxfp4 bench --compile kernels             on the machine with the compiler
  mxfp4 bench kernels --markdown bench.md   on the machine with the GPU
  mxfp4 bench --fp8 --tokens 1024 8192      activations in FP8, too
  mxfp4 bench --layer --compile kernels     whole layers of gpt-oss: compile, ...
  mxfp4 bench --layer kernels --triton F    ... and measure
  mxfp4 bench --layer --model qwen3.5-35b --compile kernels   layers of that model's sizes
  mxfp4 bench --layer kernels --triton F --marlin --humming --plot layer.svg
  mxfp4 bench --from bench.json --plot roofline.png --plot-times times.png
"""


BUDGET = 400
"""Seconds of ``--budget`` unless they are given."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from ..bench import shapes

    shapes.arguments(parser)
    parser.add_argument("kernels", type=Path, nargs="?", help="folder that --compile wrote")
    parser.add_argument("--compile", type=Path, metavar="OUT", help="compile the kernels, no more")
    parser.add_argument("--device", metavar="WORDS",
                        help="with --compile: the GPU to compile for, such as h200 (default "
                        "h100-sxm; mxfp4 compile --help)")  # fmt: skip
    parser.add_argument("--from", type=Path, dest="source", metavar="JSON",
                        help="plot these results instead of measuring")  # fmt: skip
    parser.add_argument("--triton", type=Path, metavar="FOLDER",
                        help="that has the package triton_kernels")  # fmt: skip
    parser.add_argument("--marlin", metavar="FILE", nargs="?", const="installed",
                        help="with --layer: vLLM's extension _moe_C; without FILE that of the"
                        " installed vLLM")  # fmt: skip
    parser.add_argument("--humming", action="store_true",
                        help="with --layer and --marlin, or --fp8: humming, too")  # fmt: skip
    parser.add_argument("--fp8", action="store_true",
                        help="also with activations in FP8, against cuBLAS's FP8")  # fmt: skip
    parser.add_argument("--batch-invariant", action="store_true",
                        help="with --layer: also with kernels that give a token the same bits"
                        " whatever other tokens there are")  # fmt: skip
    parser.add_argument("--budget", type=float,
                        help=f"seconds after which to stop (default {BUDGET})")  # fmt: skip
    parser.add_argument("--steady", type=float, metavar="SECONDS",
                        help="also time each kernel alone: so long without a pause, of which the"
                        " second half counts")  # fmt: skip
    parser.add_argument("--json", type=Path, help="write all numbers here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help="write a roofline plot: .png, .svg or .pdf")  # fmt: skip
    parser.add_argument("--plot-times", type=Path, metavar="FILE",
                        help="write a plot of times by number of tokens")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Measure or read, then plot."""
    from ..bench import plot, shapes
    from ..errors import Error

    _read_folder_behind_layer(options)
    if options.layer == shapes.WHOLE:
        return _layer(options)
    _check_together(options)
    if options.budget is not None and not options.budget >= 0:
        raise Error(f"--budget must be seconds, 0 or more, got {options.budget:g}.")
    if options.steady is not None and not 0 <= options.steady < float("inf"):
        raise Error(f"--steady must be seconds, 0 or more, got {options.steady:g}.")
    if options.marlin or (options.humming and not options.fp8):
        raise Error("--marlin and --humming are columns of whole layers; add --layer. (--humming "
                    "is one of --fp8, too.)")  # fmt: skip
    if options.batch_invariant:
        raise Error("--batch-invariant is a column of whole layers; add --layer.")
    plots = options.plot or options.plot_times
    plot.check(options.plot, options.plot_times)
    if options.source is not None:
        if not plots:
            raise Error("--from is for --plot and --plot-times.")
        _plot(options, options.source)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        results = options.json or Path(scratch) / "bench.json"
        status = _measure(options, results, Path(scratch) / "kernels")
        if plots and not options.compile:
            _plot(options, results)
    return status


def _read_folder_behind_layer(options: argparse.Namespace) -> None:
    """Take the word behind --layer for the folder of kernels, where it is one and no layer's name:
    "--layer KERNELS" is "KERNELS --layer"."""
    from ..bench.gpt_oss import LAYERS
    from ..bench.shapes import WHOLE

    named = options.layer is not None and options.layer not in (WHOLE, *LAYERS)
    if named and options.kernels is None and Path(options.layer).is_dir():
        options.layer, options.kernels = WHOLE, Path(options.layer)


_OF_PLOTS = ("run", "command", "source", "plot", "plot_times")
_OF_RESULTS = ("kernels", "json", "markdown", "plot", "plot_times", "triton", "marlin", "steady",
               "budget")  # fmt: skip
"""Options that compiling alone has no use for."""


def _check_together(options: argparse.Namespace) -> None:
    """Refuse options that a command which only plots, or only compiles, would not look at.

    Raises:
        Error: naming them.
    """
    from ..bench.shapes import WHOLE
    from ..errors import Error

    def names(found: list[str]) -> str:
        words = {"kernels": "the folder of kernels"}
        return " and ".join(words.get(n, f"--{n.replace('_', '-')}") for n in found)

    given = [n for n, v in vars(options).items() if v is not None and v is not False and v != WHOLE]
    if options.source is not None:
        others = [name for name in given if name not in _OF_PLOTS]
        if others:
            raise Error("--from plots what was measured before, and measures nothing: leave out "
                        f"{names(others)}.")  # fmt: skip
    if options.compile is not None:
        others = [name for name in _OF_RESULTS if name in given]
        if others:
            raise Error(f"--compile compiles and measures nothing: leave out {names(others)}.")


_OF_MATMULS = ("tensor_parallel", "problem", "top", "n", "k", "hidden", "intermediate",
               "counts", "steady", "budget")  # fmt: skip
"""Options that whole layers do not have."""


def _layer(options: argparse.Namespace) -> int:
    from ..bench import layer_plot, plot
    from ..bench.layer import main
    from ..errors import Error

    if options.plot_times or options.markdown:
        raise Error("--layer prints its table, and takes --json and --plot; it knows no "
                    "--plot-times and no --markdown.")  # fmt: skip
    for name in _OF_MATMULS:
        if getattr(options, name) is not None:
            raise Error(f"--{name.replace('_', '-')} is of single matmuls; --layer without a name"
                        " measures whole layers.")  # fmt: skip
    _check_together(options)
    if options.plot:
        plot.check(options.plot)
    if options.source:
        if not options.plot:
            raise Error("--from is for --plot.")
        layer_plot.ratios(layer_plot.read(options.source), options.plot)
        return 0
    words = [str(options.kernels)] if options.kernels else []
    with tempfile.TemporaryDirectory() as scratch:
        results = options.json or Path(scratch) / "layer.json"
        for name, value in {
            "compile": options.compile, "triton": options.triton, "routing": options.routing,
            "marlin": options.marlin, "json": results, "device": options.device,
            "model": options.model,
        }.items():  # fmt: skip
            words += [f"--{name}", str(value)] if value is not None else []
        words += [f"--{name}" for name in ("humming", "fp8") if getattr(options, name)]
        words += ["--batch-invariant"] if options.batch_invariant else []
        for name in ("experts", "tokens"):
            value = getattr(options, name)
            if value:
                numbers = value if isinstance(value, list) else [value]
                words += [f"--{name}", *map(str, numbers)]
        status = main(words)
        if options.plot and not options.compile:
            layer_plot.ratios(layer_plot.read(results), options.plot)
    return status


def _measure(options: argparse.Namespace, results: Path, scratch: Path) -> int:
    from .. import devices
    from ..bench import shapes
    from ..bench.__main__ import main
    from ..errors import Error

    shape = shapes.words(options)
    shape += [f"--{name}" for name in ("fp8", "humming") if getattr(options, name)]
    shapes.chosen(options)  # raises before anything else is asked of the machine
    if options.compile:
        device = ["--device", options.device] if options.device else []
        return main(["--compile", str(options.compile), *device, *shape])
    if options.device:
        raise Error("--device goes with --compile; without it, kernels are for this machine's GPU.")
    try:
        import torch
    except ImportError as e:
        raise Error("the benchmark needs torch, which is not installed.") from e
    if not torch.cuda.is_available():
        raise Error("torch sees no CUDA device; the benchmark runs on a GPU.")
    kernels = options.kernels
    if kernels is None:
        kernels = scratch
        device = ["--device", devices.NATIVE] if devices.facts_of() else []
        main(["--compile", str(scratch), *device, *shape])
    words = [str(kernels), "--json", str(results), "--budget",
             str(BUDGET if options.budget is None else options.budget)]  # fmt: skip
    for name in ("triton", "steady", "markdown"):
        value = getattr(options, name)
        words += [f"--{name}", str(value)] if value is not None else []
    return main(words + shape)


def _plot(options: argparse.Namespace, source: Path) -> None:
    from ..bench import plot

    results = plot.read(source)
    if options.plot:
        plot.roofline(results, options.plot)
        print(f"wrote {options.plot}")
    if options.plot_times:
        plot.times(results, options.plot_times)
        print(f"wrote {options.plot_times}")
