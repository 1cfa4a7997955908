# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 compile``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import _problem

if TYPE_CHECKING:
    from ..problem import Problem

SUMMARY = "compile kernels ahead of time"
DESCRIPTION = """Compile kernels into a folder of artifacts: PTX, a cubin if ptxas is found,
and a manifest each.

A problem is "experts=E n=N k=K", and further, if need be: groups=G expert-ids=1
order=spread|nibble scales=folded|raw columns=plain|interleaved|apart (what gate
and up are) output=bf16|f32 activations=bf16|fp8 accumulation=fast|promoted512|
promoted128 (with fp8). A problem gets one kernel for each range of row counts that
has a schedule of its own; each kernel is right for any number of rows. A machine
without the compiler uses them by MXFP4_KERNELS=FOLDER, or mxfp4.kernels.add(FOLDER).

With --layer these are the kernels of a whole mixture-of-experts layer, as torch's
operators and the models of mxfp4.integrations.transformers launch them. They serve
layers whose LayerSpec is the same in every field.
"""
MAX_ROWS, TOP, MAX_TOKENS = 2**16, 4, 8192
"""What ``--max-rows``, ``--top`` and ``--max-tokens`` are unless they are given."""

EXAMPLES = """examples:
  mxfp4 compile "experts=32 n=5760 k=2880" -o kernels
  mxfp4 compile "experts=32 n=5760 k=2880" -o kernels --rows-hint 128
  mxfp4 compile problem.mlir -o kernels --options "placement=shared"
  mxfp4 compile --checkpoint gpt-oss-20b -o kernels
  mxfp4 compile "experts=32 n=5760 k=2880" -o kernels --device h200
  mxfp4 compile --layer gpt-oss-20b --activations fp8 -o kernels
  mxfp4 compile --layer gpt-oss-120b --logits f32 --some-absent -o kernels
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    _problem.arguments(parser, "only the kernel for N rows")
    parser.add_argument("--checkpoint", type=Path,
                        help="compile for all expert tensors of a checkpoint, which are read for "
                        "the range of their scales")  # fmt: skip
    parser.add_argument("--layer", metavar="MODEL",
                        help="compile a layer: gpt-oss-20b, gpt-oss-120b, deepseek-v4-flash,"
                        " deepseek-v4-pro or kimi-k3")  # fmt: skip
    parser.add_argument("--activations", choices=("bf16", "fp8"),
                        help="with --layer and --checkpoint: of the matmuls (default"
                        " bf16)")  # fmt: skip
    parser.add_argument("--accumulation", choices=("promoted512", "promoted128", "fast"),
                        help="with --activations fp8: how products are summed (default"
                        " promoted512)")  # fmt: skip
    parser.add_argument("--activation-scale", metavar="row|bound|NUMBER",
                        help="with --activations fp8: the scale of what is between the matmuls"
                        " (default row)")  # fmt: skip
    parser.add_argument("--logits", choices=("bf16", "f32"),
                        help="with --layer: of the router (default: as the model's)")  # fmt: skip
    parser.add_argument("--some-absent", action="store_true",
                        help="with --layer: also for ids of -1, experts that live elsewhere, as"
                        " torch.ops.mxfp4.moe_with_routing has them unless it is called with"
                        " some_absent=False")  # fmt: skip
    parser.add_argument("--max-tokens", type=int,
                        help=f"with --layer: of one call (default {MAX_TOKENS})")  # fmt: skip
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--max-rows", type=int,
                        help=f"kernels for up to N rows (default {MAX_ROWS})")  # fmt: skip
    parser.add_argument("--top", type=int,
                        help="experts of a token: with --checkpoint, kernels for single tokens are "
                        f"compiled, too (default {TOP}; 0 for none)")  # fmt: skip
    parser.add_argument("--batch-invariant", action="store_true",
                        help="kernels that give a row the same bits whatever other rows there "
                        "are")  # fmt: skip
    parser.add_argument("--options", default="",
                        help="options of the pipeline mxfp4-to-ptx, for MLIR")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Compile, and list what was written."""
    from ..errors import Error
    from . import table

    words, file = _problem.given(options)
    given = [words is not None or file is not None, options.checkpoint, options.layer]
    if sum(map(bool, given)) != 1:
        raise Error("give one of a problem, --checkpoint and --layer.")
    if options.layer is not None:
        return _compile_layer(options)
    if options.activation_scale is not None:
        raise Error("--activation-scale goes with --layer and --activations fp8.")
    if options.logits is not None or options.some_absent or options.max_tokens is not None:
        raise Error("--logits, --some-absent and --max-tokens go with --layer.")
    if options.top is not None and not options.checkpoint:
        raise Error("--top goes with --checkpoint, for kernels of single tokens.")
    if options.max_rows is not None and (file is not None or options.rows_hint is not None):
        raise Error("--max-rows goes without --rows-hint, and with no file of MLIR: these mean one"
                    " kernel each.")  # fmt: skip
    for name, least in (("max_rows", 1), ("top", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise Error(f"--{name.replace('_', '-')} must be at least {least}, got {value}.")
    if options.accumulation is not None and options.activations != "fp8":
        raise Error("--accumulation goes with --activations fp8.")
    if options.activations is not None and not options.checkpoint:
        raise Error('--activations and --accumulation go with --layer and --checkpoint; a problem '
                    'says "activations=fp8 accumulation=fast".')  # fmt: skip
    if file is not None:
        if options.batch_invariant:
            raise Error("with a file of MLIR, say --options batch-invariant=true.")
        folders = [_compile_file(file, options)]
    else:
        if options.options:
            raise Error("--options go with a file of MLIR.")
        problems = _problems(words, options)
        folders = _compile_problems(problems, options.rows_hint, options.out, options.device)
    from ._kernels import kernel

    rows = [["kernel", "registers", "spills", "PTX", "schedule"]]
    for folder in folders:
        manifest = kernel(folder)[1]["manifest"]
        found = manifest.get("resources") or {}
        rows.append([folder.name, str(found.get("registers", "-")),
                     str(found.get("spill_bytes", "-")),
                     str((folder / "kernel.ptx").stat().st_size),
                     str(manifest.get("schedule", {}).get("reason", ""))])  # fmt: skip
    print(table(rows, {1, 2, 3}))
    print(f"{len(folders)} kernels in {options.out}")
    return 0


def _activation_scale(text: str | None) -> str | float:
    """What --activation-scale says: a word of `LayerSpec`, or a number."""
    if text is None:
        return "row"
    try:
        return float(text)
    except ValueError:
        return text


def _compile_layer(options: argparse.Namespace) -> int:
    """The kernels of a layer, into a folder of the model's name."""
    from dataclasses import replace

    from ..compile import find_ptxas
    from ..errors import Error
    from ..layer_kernels import LayerKernels
    from ..layer_spec import PRESETS
    from ..layer_steps import Source

    if options.layer not in PRESETS:
        raise Error(f"--layer must be one of {', '.join(PRESETS)}, got {options.layer!r}.")
    if options.accumulation is not None and options.activations != "fp8":
        raise Error("--accumulation goes with --activations fp8.")
    if options.activation_scale is not None and options.activations != "fp8":
        raise Error("--activation-scale goes with --activations fp8.")
    most = MAX_TOKENS if options.max_tokens is None else options.max_tokens
    if most < 1:
        raise Error(f"--max-tokens must be at least 1, got {most}.")
    of_matmuls = {"--rows-hint": options.rows_hint, "--max-rows": options.max_rows,
                  "--top": options.top, "--options": options.options or None}  # fmt: skip
    for name, value in of_matmuls.items():
        if value is not None:
            raise Error(f"{name} is of single matmuls; leave it out with --layer.")
    sums = options.accumulation or "promoted512"
    scale = _activation_scale(options.activation_scale)
    model = PRESETS[options.layer]
    spec = replace(model, activations=options.activations or "bf16", accumulation=sums,
                   activation_scale=scale, batch_invariant=options.batch_invariant,
                   logits=options.logits or model.logits)  # fmt: skip
    sources: list[Source] = ["logits", "ids"]
    if options.some_absent:
        sources.append("some ids")
    made = LayerKernels.compile(spec, most, find_ptxas() is not None, sources, options.device)
    words = [options.layer, *([options.activations, sums] if options.activations == "fp8" else [])]
    words += [] if spec.logits == model.logits else [f"logits-{spec.logits}"]
    words += [] if scale == "row" else [f"scale-{scale}"]
    words += ["batch-invariant"] if options.batch_invariant else []
    folder = options.out / ("-".join(words) + made.matmuls["down"][0].manifest.device_suffix)
    made.save(folder)
    print(f"{made.count()} kernels of a layer in {folder}")
    return 0


def _problems(words: str | None, options: argparse.Namespace) -> list[tuple[Problem, int]]:
    """Each problem, and the largest row count that it must serve."""
    from dataclasses import replace

    from tqdm.auto import tqdm

    from ..checkpoint import Checkpoint
    from ..layout import FP8
    from ..packing import layout_for
    from ..problem import Problem

    most = MAX_ROWS if options.max_rows is None else options.max_rows
    if words is not None:
        problem = replace(Problem.parse(words), batch_invariant=options.batch_invariant)
        return [(problem, most)]
    top = TOP if options.top is None else options.top
    found: dict[Problem, int] = {}
    experts = Checkpoint(options.checkpoint).require()
    sums = options.accumulation or "promoted512"
    for tensor in tqdm(experts, unit="tensor", desc="read scales"):
        # Kernels in FP8 do not depend on scales; packing refuses rows that do not fit.
        fp8 = options.activations == "fp8"
        layout = FP8 if fp8 else layout_for("auto", tensor.proof())
        e, n, k = tensor.shape
        found[Problem(e, n, k, layout=layout, accumulation=sums)] = most
        if top:
            single = Problem(e, n, k, top, layout, expert_ids=True, accumulation=sums)
            found[single] = top
    invariant = options.batch_invariant
    return [(replace(p, batch_invariant=invariant), rows) for p, rows in found.items()]


def _compile_problems(
    problems: list[tuple[Problem, int]], rows: int | None, out: Path, device: str
) -> list[Path]:
    """Compile the kernels of each problem, of all ranges or for one number of rows."""
    from tqdm.auto import tqdm

    from .. import kernels

    wanted = [(p, most, 1) if rows is None else (p, rows, rows) for p, most in problems]
    count = sum(kernels.count_ranges(*each, device) for each in wanted)
    folders = []
    with tqdm(total=count, unit="kernel", desc="compile") as bar:
        for problem, most, least in wanted:
            bar.set_description(f"compile {problem.name}")
            folders += kernels.compile_ranges(
                problem, out, most, least, lambda _: bar.update(), device
            )
    return folders


def _text(path: Path) -> str:
    from .._files import read_input
    from ..errors import Error

    try:
        return read_input(path, "MLIR of one kernel").decode()
    except UnicodeDecodeError as e:
        raise Error(f"{path} is not MLIR as text: {e}.") from e


def _compile_file(path: Path, options: argparse.Namespace) -> Path:
    from ..compile import Compiler, find_ptxas

    assemble = find_ptxas() and "assemble=" not in options.options
    words = _problem.pipeline_options(options, *(["assemble=true"] if assemble else []))
    with Compiler() as compiler:
        artifact = compiler.compile_kernel(_text(path), words)
    folder: Path = options.out / path.stem
    artifact.save(folder)
    return folder
