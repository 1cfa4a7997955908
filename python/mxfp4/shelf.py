# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that were compiled ahead of time, as folders have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .artifact import QUANTIZE, Artifact, load_all
from .layer_kernels import LayerKernels
from .routing_artifact import RoutingArtifact


@dataclass
class Shelf:
    """Artifacts of single matmuls, of what rounds rows of K values to FP8 by K, and of layers."""

    artifacts: list[Artifact] = field(default_factory=list)
    layers: list[LayerKernels] = field(default_factory=list)
    quantizers: dict[int, RoutingArtifact] = field(default_factory=dict)

    @staticmethod
    def read(folder: Path) -> Shelf:
        """What a folder or its subfolders have.

        Raises:
            Error: if that is nothing, or something is broken.
        """
        if (folder / "layer.json").is_file():
            return Shelf(layers=[LayerKernels.load(folder)])
        if (folder / "manifest.json").is_file():
            return Shelf([Artifact.load(folder)])
        layers = [LayerKernels.load(p.parent) for p in sorted(folder.glob("*/layer.json"))]
        single = any(folder.glob("*/manifest.json"))
        rounding = [RoutingArtifact.load(p.parent)
                    for p in sorted(folder.glob(f"{QUANTIZE}*/manifest.json"))]  # fmt: skip
        by_k = {int(a.manifest.problem["k"]): a for a in rounding}
        return Shelf(load_all(folder) if single or not layers else [], layers, by_k)

    def extend(self, other: Shelf) -> None:
        """Add what is on another shelf."""
        self.artifacts += other.artifacts
        self.layers += other.layers
        self.quantizers |= other.quantizers

    def count(self) -> int:
        """How many artifacts there are."""
        own = len(self.artifacts) + len(self.quantizers)
        return own + sum(layer.count() for layer in self.layers)
