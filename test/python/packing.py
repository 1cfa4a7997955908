# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What tests of packing share: a checkpoint, and what `pack_checkpoint` reports."""

from __future__ import annotations

from pathlib import Path

from mxfp4 import Checkpoint
from mxfp4.make_checkpoint import Shape
from mxfp4.packed_checkpoint import pack_checkpoint

SHAPE = Shape(num_hidden_layers=2, num_local_experts=3, hidden_size=96, intermediate_size=64)
NAMES = [f"model.layers.{i}.mlp.experts.{p}_proj" for i in (0, 1) for p in ("down", "gate_up")]


class Seen:
    """What `pack_checkpoint` reports."""

    def __init__(self) -> None:
        self.kept: dict[str, bool] = {}
        self.bytes = 0

    def start(self, name: str, kept: bool) -> None:
        """A tensor's turn comes."""
        self.kept[name] = kept

    def add(self, count: int) -> None:
        """Bytes are done."""
        self.bytes += count


def pack(source: Checkpoint, out: Path, **options: object) -> Seen:
    """`pack_checkpoint`, and what it reported."""
    seen = Seen()
    pack_checkpoint(source, out, on_start=seen.start, on_bytes=seen.add, **options)  # type: ignore[arg-type]
    return seen
