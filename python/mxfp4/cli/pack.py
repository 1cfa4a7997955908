# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 pack``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SUMMARY = "pack a checkpoint's experts for the kernels"
DESCRIPTION = """Pack the MXFP4 expert tensors of a checkpoint into a folder. Experts that the
checkpoint has one by one become one tensor, in which gate and up are interleaved.

Each tensor becomes one safetensors file, which says what layout its bytes are in,
what was proved of its scales, and the digest of the weights that it was packed
from. Memory stays at a few experts, whatever the size. Each file is unpacked again
and compared with the checkpoint, bit for bit, before it gets its name.

An interrupted run is taken up by the same command: files of these weights, by
their digest, are kept. Files of other weights or another layout are replaced only
with --force.
"""
EXAMPLES = """examples:
  mxfp4 pack gpt-oss-120b -o packed
  mxfp4 pack model.safetensors -o packed --tensor model.layers.0.mlp.experts.down_proj
  mxfp4 pack gpt-oss-120b -o packed-fp8 --activations fp8

The folder is for mxfp4.integrations.transformers.load(..., packed=FOLDER), and for
mxfp4.packed_checkpoint.PackedCheckpoint(FOLDER)[NAME].
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", type=Path, help="a .safetensors file or a folder of them")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--tensor", action="append", metavar="NAME",
                        help="only this expert tensor; may be repeated")  # fmt: skip
    parser.add_argument("--activations", choices=("bf16", "fp8"), default="bf16",
                        help="of the matmuls (default bf16); fp8 needs scales of a row that are at"
                        " most 2^26 apart")  # fmt: skip
    parser.add_argument("--order", choices=("spread", "nibble"), default="spread",
                        help="order of codes (default spread, the fastest)")  # fmt: skip
    parser.add_argument("--scales", choices=("auto", "folded", "raw"), default="auto",
                        help="scales as stored (default auto: folded if all fit)")  # fmt: skip
    parser.add_argument("--no-verify", action="store_true",
                        help="do not compare with the checkpoint: twice as fast")  # fmt: skip
    parser.add_argument("--force", action="store_true",
                        help="replace files that hold other weights or another layout")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Pack."""
    from tqdm.auto import tqdm

    from .._amounts import size
    from ..checkpoint import Checkpoint
    from ..errors import Error
    from ..layout import FOLDED_MAX, Layout
    from ..names import shown
    from ..packed_checkpoint import pack_checkpoint, packed_bytes

    fp8 = options.activations == "fp8"
    if fp8 and (options.order != "spread" or options.scales != "auto"):
        raise Error("--order and --scales are of weights for activations in bf16; leave them out.")
    if options.scales == "auto" and options.order != "spread":
        raise Error("--order nibble needs --scales folded or raw.")
    layout: Any = Layout(options.order, options.scales) if options.scales != "auto" else "auto"
    layout = "fp8" if fp8 else layout
    source = Checkpoint(options.checkpoint)
    chosen = source.require(options.tensor)
    total = sum(packed_bytes(t, layout) for t in chosen)
    kept = 0
    with tqdm(total=total, unit="B", unit_scale=True) as bar:

        def check(name: str) -> None:
            bar.set_description(f"compare {shown(name)}")

        def start(name: str, was_there: bool) -> None:
            nonlocal kept
            kept += was_there
            bar.set_description(shown(name))

        packed = pack_checkpoint(
            source, options.out, layout, names=options.tensor, verify=not options.no_verify,
            force=options.force, on_check=check, on_start=start, on_bytes=bar.update,
        )  # fmt: skip
    raw = [w for w in (packed[t.name] for t in chosen) if w.layout.scales == "raw"]
    large = sum(w.proof.scale_max > FOLDED_MAX for w in raw)
    asked = "asked for" if options.scales == "raw" else "as they were packed before"
    print(
        f"{options.out}: {len(chosen)} tensors, {size(total)}"
        + ("; for activations in FP8" if fp8 else "")
        + (f"; {kept} were there already" if kept else "")
        + (f"; {large} with raw scales, because some are too large to be folded" if large else "")
        + (f"; {len(raw) - large} with raw scales, {asked}" if len(raw) > large else "")
    )
    for note in source.notes() if options.tensor is None else ():
        print(f"left out: {note}")
    return 0
