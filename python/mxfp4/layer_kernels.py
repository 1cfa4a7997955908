# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels of a mixture-of-experts layer: compiled, kept in a folder, chosen for a call."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from . import devices, library
from ._files import read_input
from ._threads import lock
from ._typed import typed
from .artifact import Artifact, write_folders
from .compile import Compiler, compile_routing_text, compile_text
from .errors import Error
from .layer_spec import LayerSpec
from .layer_steps import (
    BRINGING,
    BRINGING_COUNTED,
    EARLY,
    MATMULS,
    ROUTING,
    Source,
    brought_tokens,
    early_tokens,
    last_tokens,
    most_of,
    needed_for,
    routing_options,
    steps,
)
from .routing_artifact import RoutingArtifact


def _new_lock() -> Any:
    return lock(threading.RLock())


@dataclass
class LayerKernels:
    """Compiled kernels of a layer.

    Attributes:
        spec: the layer.
        matmuls: artifacts by the names of the spec's functions, each for a range of rows.
        routing: artifacts by the names of the spec's functions.
        lazy: whether what is not there is compiled when a call needs it, if the compiler is found.
    """

    spec: LayerSpec
    matmuls: dict[str, list[Artifact]] = field(default_factory=dict)
    routing: dict[str, RoutingArtifact] = field(default_factory=dict)
    lazy: bool = False
    _lock: Any = field(default_factory=_new_lock, repr=False, compare=False)
    _recent: dict[str, Artifact] = field(default_factory=dict, repr=False, compare=False)
    """Of each matmul the kernel of the last call: other numbers of tokens mostly have it, too."""

    @staticmethod
    @typed
    def compile(
        spec: LayerSpec,
        max_tokens: int,
        assemble: bool = False,
        sources: Sequence[Source] = ("logits",),
        device: str = "",
    ) -> LayerKernels:
        """Compile what calls with up to ``max_tokens`` tokens need.

        Args:
            spec: the layer.
            max_tokens: of one call.
            assemble: whether to make cubins.
            sources: where experts come from.
            device: in words, such as "h200" (`devices`); by default the H100 SXM.

        Raises:
            Error: if the compiler is not there, or with its diagnostics.
        """
        options = "assemble=true" if assemble else ""
        made = LayerKernels(spec)
        own = f"{_matmul_options(spec)} {options} {devices.option(device)}".strip()
        needed = needed_for(spec, max_tokens, sources)
        with Compiler() as compiler:
            first, found = brought_tokens(spec).start * spec.slots, []
            for name in {BRINGING, BRINGING_COUNTED} & needed.keys():
                mlir, most = getattr(spec, name)(), needed.pop(name)
                made.matmuls[name] = list(_ranges(compiler, mlir, most, own, first))
                found += made.matmuls[name]
            if not all(map(_brings, found)):
                others = needed_for(spec, max_tokens, sources, brings=False)
                needed = most_of(others, needed if any(map(_brings, found)) else {})
            for name, rows in needed.items():
                mlir = getattr(spec, name)()
                if name in MATMULS:
                    least = early_tokens(spec).start * spec.slots if name in EARLY else 1
                    made.matmuls[name] = list(_ranges(compiler, mlir, rows, own, least))
                else:
                    made.routing[name] = compiler.compile_routing(
                        mlir, f"{routing_options(spec, name)} {options}".strip()
                    )
        return made

    def matmul(self, name: str, rows: int) -> Artifact:
        """The kernel of a matmul that is quickest for ``rows`` rows; any is right.

        Raises:
            Error: if there is none and none can be compiled.
        """

        with self._lock:
            recent = self._recent.get(name)
            if recent is not None and not any(_distance(recent, rows)):
                return recent
            found = self.matmuls.get(name, [])
            best = min(found, key=lambda a: _distance(a, rows), default=None)
            # Looking for the compiler takes longer than all else here.
            if (best is None or any(_distance(best, rows))) and self._can_compile():
                own = f"{_matmul_options(self.spec)} {devices.option_for()}"
                options = f"rows-hint={rows} {own}".strip()
                best = compile_text(getattr(self.spec, name)(), options)
                self.matmuls[name] = [*found, best]
            if best is None:
                self._missing(name)
            self._recent[name] = best
            return best

    def routing_kernel(self, name: str) -> RoutingArtifact:
        """A routing kernel.

        Raises:
            Error: if it is not there and cannot be compiled.
        """
        with self._lock:
            if name not in self.routing and self._can_compile():
                options = routing_options(self.spec, name)
                self.routing[name] = compile_routing_text(getattr(self.spec, name)(), options)
        return self.routing[name] if name in self.routing else self._missing(name)

    @typed
    def extend(self, other: LayerKernels) -> None:
        """Take over the kernels of another set for the same layer."""
        with self._lock:
            for name, artifacts in other.matmuls.items():
                self.matmuls[name] = [*self.matmuls.get(name, []), *artifacts]
            self.routing = {**other.routing, **self.routing}

    def count(self) -> int:
        """How many kernels there are."""
        return len(self.routing) + sum(map(len, self.matmuls.values()))

    def _can_compile(self) -> bool:
        return self.lazy and library.find() is not None

    def _missing(self, name: str) -> NoReturn:
        raise Error(
            f"there is no kernel {name} of this layer ({self.spec.text()}), and no compiler to "
            "make one. Where the compiler is, run mxfp4 compile --layer, with --some-absent for "
            "ids of -1, or save what LayerKernels.compile gives with these sources of experts; "
            "then name that folder in MXFP4_KERNELS."
        )

    def has(self, tokens: int, source: Source = "logits") -> bool:
        """Whether `chosen` compiles nothing for a call."""
        rows = tokens * self.spec.slots
        early = self._begins_early(tokens, source)
        names = steps(self.spec, tokens, source, early=early)
        if any(self._is_there(name, rows) for name in _bringing(names)):
            names = self._steps(tokens, source)
        return all(self._is_there(name, rows) for name in names) or not self._can_compile()

    def _is_there(self, name: str, rows: int) -> bool:
        """Whether there is the kernel that these rows should have."""
        if name not in MATMULS:
            return name in self.routing
        recent = self._recent.get(name)
        found = self.matmuls.get(name, [])
        return any(not any(_distance(a, rows)) for a in ([recent] if recent else []) + found)

    def chosen(
        self, tokens: int, source: Source = "logits"
    ) -> list[tuple[str, Artifact | RoutingArtifact]]:
        """The kernels of a call, by name and in order.

        Raises:
            Error: if one is missing and cannot be compiled.
        """
        rows = tokens * self.spec.slots
        return [
            (name, self.matmul(name, rows) if name in MATMULS else self.routing_kernel(name))
            for name in self._steps(tokens, source)
        ]

    def _steps(self, tokens: int, source: Source) -> list[str]:
        """`steps`, by the dispatch kernel where gate_up cannot bring rows with the kernels at hand.

        A folder may have none of the kernels that bring rows, because an earlier version wrote it,
        and the compiler gives threads that gather where a row finds no room beside the stages.
        """
        early = self._begins_early(tokens, source)
        names = steps(self.spec, tokens, source, early=early)
        bringing = _bringing(names)
        if not bringing:
            return names
        early = self._begins_early(tokens, source, brings=False)
        others = steps(self.spec, tokens, source, brings=False, early=early)
        if not self._can_compile():
            if not self._have(names):
                return others
            if not self._have(others):
                return names
        return names if _brings(self.matmul(bringing[0], tokens * self.spec.slots)) else others

    def _begins_early(self, tokens: int, source: Source, brings: bool = True) -> bool:
        """Whether the kernels at hand are those of which down begins early, where a call has them.

        A folder of an earlier version has none of them, and its sort leaves no zeros to count from.
        """
        names = steps(self.spec, tokens, source, brings=brings)
        if EARLY[1] not in names:
            return True
        sort = next(name for name in names if name.startswith("sort"))
        if sort in self.routing:
            arguments = self.routing[sort].manifest.arguments
            if all(argument.name != "zeros" for argument in arguments):
                return False
        return self._can_compile() or self._have(names)

    def _have(self, names: list[str]) -> bool:
        """Whether there is each of some kernels, for whatever rows."""
        return all(name in self.routing or self.matmuls.get(name) for name in names)

    def starts(self, max_tokens: int, source: Source = "logits") -> Iterator[int]:
        """Numbers of tokens up to a largest one, of which one runs each choice of kernels.

        Raises:
            Error: if a kernel is missing and cannot be compiled.
        """
        slots, tokens = self.spec.slots, 1
        while tokens <= max_tokens:
            yield tokens
            ends = [*last_tokens(self.spec), max_tokens]
            names = [name for name, _ in self.chosen(tokens, source)]
            for name in {*names, *steps(self.spec, tokens, source)}:
                for artifact in self.matmuls.get(name, []):
                    low, high = artifact.manifest.rows_hint or (0, sys.maxsize)
                    ends += [(low - 1) // slots, high // slots]
            tokens = min(end for end in ends if end >= tokens) + 1

    @typed
    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `load` reads where there is no compiler.

        Raises:
            OSError: if a file cannot be written; kernels that were there before stay.
        """
        path = Path(folder)
        artifacts = {
            path / f"{name}-{i}": artifact.content()
            for name, ranges in self.matmuls.items()
            for i, artifact in enumerate(ranges)
        }
        artifacts |= {path / name: routing.content() for name, routing in self.routing.items()}
        numbers = {name: len(artifacts) for name, artifacts in self.matmuls.items()}
        description = {
            "format": "mxfp4-layer", "version": 3, "spec": asdict(self.spec),
            "matmuls": numbers, "routing": list(self.routing),
        }  # fmt: skip
        write_folders(artifacts, {path / "layer.json": json.dumps(description, indent=2) + "\n"})

    @staticmethod
    @typed
    def load(folder: str | os.PathLike[str]) -> LayerKernels:
        """Read a folder that `save` wrote.

        Raises:
            Error: if it is none, or an artifact is broken.
        """
        path = Path(folder)
        try:
            raw = json.loads(read_input(path / "layer.json", "a layer's kernels"))
            if raw["format"] != "mxfp4-layer" or raw["version"] != 3:
                raise Error(f"{path} has kernels of another version; compile the layer again.")
            spec = LayerSpec.of(raw["spec"])
            numbers = {name: int(raw["matmuls"].get(name, 0)) for name in MATMULS}
            routing = [name for name in ROUTING if name in raw["routing"]]
        except Error:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise Error(f"{path} has no kernels of a layer that can be read: {e}.") from e
        matmuls = {
            name: [Artifact.load(path / f"{name}-{i}") for i in range(n)]
            for name, n in numbers.items()
            if n
        }
        return LayerKernels(spec, matmuls, {n: RoutingArtifact.load(path / n) for n in routing})


def _distance(artifact: Artifact, rows: int) -> tuple[int, bool]:
    """How far rows are from what the kernel was scheduled for, and whether that was another GPU."""
    low, high = artifact.manifest.rows_hint or (0, sys.maxsize)
    facts = devices.facts_of()
    is_others = facts is not None and not facts.is_like(artifact.manifest.device)
    return max(low - rows, rows - high, 0), is_others


def _bringing(names: list[str]) -> list[str]:
    """The kernel of these of which a warp may bring rows, if there is one."""
    return [name for name in names if name in (BRINGING, BRINGING_COUNTED)]


def _brings(artifact: Artifact) -> bool:
    """Whether a warp of the kernel brings rows, or threads gather them."""
    return "through_maps" in artifact.manifest.operands


def _matmul_options(spec: LayerSpec) -> str:
    return "batch-invariant=true" if spec.batch_invariant else ""


def _ranges(
    compiler: Compiler, mlir: str, most: int, options: str, rows: int = 1
) -> Iterator[Artifact]:
    """Kernels of which each number of rows from ``rows`` to ``most`` has one."""
    while rows <= most:
        artifact = compiler.compile(mlir, f"rows-hint={rows} {options}")
        yield artifact
        hint = artifact.manifest.rows_hint
        rows = most + 1 if hint is None else max(hint[1], rows) + 1
