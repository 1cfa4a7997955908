# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels of a mixture-of-experts layer: compiled, kept in a folder, chosen for a call."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .artifact import Artifact
from .compile import Compiler
from .errors import Error
from .layer_spec import Activation, LayerSpec
from .routing_artifact import RoutingArtifact

FEW_TOKENS = 64
"""Tokens up to which one kernel of one block routes as quickly as two kernels do."""

FEW_ROWS = 16
"""Rows up to which gate_up gathers its rows itself.

Measured on an H100: with more rows, threads that gather take longer than the tensor cores (1.4
times as long at 16384 rows), and rows that another kernel has brought into the order of experts
cost less (8 % of gate_up at 16384 rows, 2 % at 64).
"""

_MATMULS = ("gate_up", "gate_up_gathered", "down")
_ROUTING = ("route", "top_k", "sort", "permute", "combine")


@dataclass
class LayerKernels:
    """Compiled kernels of a layer.

    Attributes:
        spec: the layer.
        matmuls: of "gate_up", "gate_up_gathered" and "down", for rising numbers of rows.
        routing: "route", "top_k", "sort", "permute" and "combine".
    """

    spec: LayerSpec
    matmuls: dict[str, list[Artifact]]
    routing: dict[str, RoutingArtifact]

    @staticmethod
    def compile(spec: LayerSpec, max_tokens: int, assemble: bool = False) -> LayerKernels:
        """Compile what calls with up to ``max_tokens`` tokens need.

        Raises:
            Error: if the compiler is not there, or with its diagnostics.
        """
        options = "assemble=true" if assemble else ""
        with Compiler() as compiler:
            most = spec.slots * max_tokens
            ends = {"gate_up_gathered": min(most, FEW_ROWS)}
            matmuls = {
                name: list(_ranges(compiler, getattr(spec, name)(), ends.get(name, most), options))
                for name in _MATMULS
            }
            few = f"rows-hint={spec.slots} {options}"
            routing = {
                name: compiler.compile_routing(
                    getattr(spec, name)(), few if name == "route" else options
                )
                for name in _ROUTING
            }
        return LayerKernels(spec, matmuls, routing)

    def matmul(self, name: str, rows: int) -> Artifact:
        """The kernel of a matmul that is quickest for so many rows; any is right."""

        def distance(artifact: Artifact) -> int:
            low, high = artifact.manifest.rows_hint or (0, sys.maxsize)
            return max(low - rows, rows - high, 0)

        return min(self.matmuls[name], key=distance)

    def chosen(self, tokens: int) -> list[tuple[str, Artifact | RoutingArtifact]]:
        """The kernels of a call, by name and in order."""
        rows = tokens * self.spec.slots
        first = ("route",) if tokens <= FEW_TOKENS else ("top_k", "sort")
        kernels: list[tuple[str, Artifact | RoutingArtifact]]
        kernels = [(name, self.routing[name]) for name in first]
        if rows <= FEW_ROWS:
            kernels.append(("gate_up_gathered", self.matmul("gate_up_gathered", rows)))
        else:
            kernels.append(("permute", self.routing["permute"]))
            kernels.append(("gate_up", self.matmul("gate_up", rows)))
        kernels.append(("down", self.matmul("down", rows)))
        return [*kernels, ("combine", self.routing["combine"])]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `load` reads where there is no compiler."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        for name, artifacts in self.matmuls.items():
            for i, artifact in enumerate(artifacts):
                artifact.save(path / f"{name}-{i}")
        for name, artifact in self.routing.items():
            artifact.save(path / name)
        numbers = {name: len(artifacts) for name, artifacts in self.matmuls.items()}
        text = json.dumps({"format": "mxfp4-layer", "version": 1, "spec": asdict(self.spec),
                           "matmuls": numbers}, indent=2)  # fmt: skip
        (path / "layer.json").write_text(text + "\n")

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> LayerKernels:
        """Read a folder that `save` wrote.

        Raises:
            Error: if it is none, or an artifact is broken.
        """
        path = Path(folder)
        try:
            raw = json.loads((path / "layer.json").read_text())
            if raw["format"] != "mxfp4-layer" or raw["version"] != 1:
                raise Error(f"{path} has kernels of another version; compile the layer again.")
            spec = LayerSpec(
                **{**raw["spec"], "activation": Activation(**raw["spec"]["activation"])}
            )
            numbers = {name: int(raw["matmuls"][name]) for name in _MATMULS}
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise Error(f"{path} has no kernels of a layer that can be read: {e}.") from e
        matmuls = {
            name: [Artifact.load(path / f"{name}-{i}") for i in range(n)]
            for name, n in numbers.items()
        }
        return LayerKernels(spec, matmuls, {n: RoutingArtifact.load(path / n) for n in _ROUTING})


def _ranges(compiler: Compiler, mlir: str, most: int, options: str) -> Iterator[Artifact]:
    rows = 1
    while rows <= most:
        artifact = compiler.compile(mlir, f"rows-hint={rows} {options}")
        yield artifact
        hint = artifact.manifest.rows_hint
        rows = most + 1 if hint is None else max(hint[1], rows) + 1
