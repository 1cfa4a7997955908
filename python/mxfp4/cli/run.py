# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 run``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .._command import seed_number

SUMMARY = "run expert tensors of a checkpoint, and compare with a decode in numpy"
DESCRIPTION = """Take expert tensors of a checkpoint all the way: pack, compile, run, and compare
every result with a decode in numpy, within the bound that a sum in f32 allows, or
with --activations fp8 the sums of the tensor cores (docs/Numerics.md).
Rows are random, and routed at random. The status is 1 on a mismatch.

It runs on the GPU if torch finds one. Otherwise the same kernels run in the PTX
interpreter, which also looks for hazards. Without the interpreter the executable
specification is compared, and the command says that no kernel ran; where nothing
but numpy could compute, it is an error.
"""
EXAMPLES = """examples:
  mxfp4 run gpt-oss-20b --rows 128
  mxfp4 run model.safetensors --tensor model.layers.0.mlp.experts.down_proj --cpu
  mxfp4 run gpt-oss-20b --activations fp8        and what rounding to FP8 changes
  mxfp4 run gpt-oss-20b --kernels kernels        with kernels compiled elsewhere
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", type=Path, help="a .safetensors file or a folder of them")
    parser.add_argument("--tensor", action="append", metavar="NAME",
                        help="to run; may be repeated (default: the first two)")  # fmt: skip
    parser.add_argument("--rows", type=int, default=32, help="activation rows (default 32)")
    parser.add_argument("--cpu", action="store_true", help="do not use a GPU")
    parser.add_argument("--activations", choices=("bf16", "fp8"), default="bf16",
                        help="fp8: round rows to E4M3 (default bf16)")  # fmt: skip
    parser.add_argument("--accumulation", choices=("promoted512", "promoted128", "fast"),
                        help="with --activations fp8: how products are summed (default"
                        " promoted512)")  # fmt: skip
    parser.add_argument("--kernels", type=Path, action="append", metavar="FOLDER",
                        help="artifacts compiled ahead of time; may be repeated")  # fmt: skip
    parser.add_argument(
        "--seed", type=seed_number, default=0, help="of rows and routing (default 0)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the demonstration on the chosen tensors."""
    from .. import demo, kernels
    from ..errors import Error

    if options.rows < 0:
        raise Error(f"--rows must not be negative, got {options.rows}.")
    if options.accumulation is not None and options.activations != "fp8":
        raise Error("--accumulation goes with --activations fp8.")
    for folder in options.kernels or ():
        kernels.add(folder)
    right = demo.run(
        options.checkpoint, options.tensor, options.rows, options.cpu, options.seed,
        options.activations, options.accumulation or "promoted512",
    )  # fmt: skip
    return 0 if right else 1
