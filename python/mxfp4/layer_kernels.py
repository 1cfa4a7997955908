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
from typing import Any, Literal, NoReturn

from . import devices, library
from ._typed import typed
from .artifact import Artifact, write_folders
from .compile import Compiler, compile_routing_text, compile_text
from .errors import Error
from .layer_spec import LayerSpec
from .routing_artifact import RoutingArtifact

FEW_TOKENS = 64
"""Tokens up to which one kernel of one block routes as quickly as two kernels do."""

FEW_EXPERTS = 512
"""Experts up to which such a kernel exists, because one CTA has no registers for more."""

COUNTED_TOKENS = range(17, 8193)
"""Tokens of which the sort and what brings rows into the order of experts are one kernel.

Measured on an H200: this saves 1 to 5 us (docs/TuningLog.md). With fewer tokens one CTA routes as
quickly; with more, each token's CTA would have too many counts to add up.
"""

FEW_COUNTS = {"bf16": 131072, "fp8": 32768}
"""Tokens times experts up to which they are, by the activations of the matmuls: a CTA that rounds a
row has less time to add up counts. More than 4096 tokens have as many counts as 4096."""
FEW_SLOTS_COUNTED, FEW_EXPERTS_COUNTED = 8, 256
"""Slots and experts up to which they are."""

FEW_ROWS = 16
"""Rows up to which gate_up gathers its rows itself.

Measured on an H100: with more rows, threads that gather take longer than the tensor cores (1.4
times as long at 16384 rows), and rows that another kernel has brought into the order of experts
cost less (8 % of gate_up at 16384 rows, 2 % at 64).
"""

BROUGHT_TOKENS, BROUGHT_ROWS, BROUGHT_HIDDEN = 4096, 128, 2880
"""Tokens and rows per expert from which on, and hidden size up to which, a warp of gate_up brings
rows into the order of experts while the others multiply.

Measured on an H200 (docs/TuningLog.md). Two rows have to fit the shared memory that stages leave.
"""

_BRINGING = "gate_up_through"
"""The kernel of which a warp brings rows, if they find room beside its stages."""

_MATMULS = ("gate_up", "gate_up_gathered", "down", "down_gathered", _BRINGING)
_ROUTING = (
    "route", "top_k", "sort", "sort_given", "count", "dispatch", "sort_dispatch", "quantize",
    "sort_quantize", "quantize_inner", "combine",
)  # fmt: skip

_FUSED = ("route", "sort_dispatch", "sort_quantize")

Source = Literal["logits", "ids", "some ids"]
"""Where a call's experts come from: the router's logits; ids that the caller brings, none of them
-1; or such ids with -1 for slots without an expert.

Slots without an expert leave rows behind the last offset, which `mxfp4.grouped_matmul` only
accepts where it gathers its rows: then they change nothing and are not stored.
"""


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
    _lock: Any = field(default_factory=threading.RLock, repr=False, compare=False)
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
        needed = _needed(spec, max_tokens, sources)
        with Compiler() as compiler:
            if _BRINGING in needed:
                first = _brought_from(spec) * spec.slots
                most = needed.pop(_BRINGING)
                found = list(_ranges(compiler, spec.gate_up_through(), most, own, first))
                made.matmuls[_BRINGING] = found
                if not all(map(_brings, found)):
                    others = _needed(spec, max_tokens, sources, brings=False)
                    needed = _most_of(others, needed if any(map(_brings, found)) else {})
            for name, rows in needed.items():
                mlir = getattr(spec, name)()
                if name in _MATMULS:
                    made.matmuls[name] = list(_ranges(compiler, mlir, rows, own))
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
            "make one. Where the compiler is, save what LayerKernels.compile gives with these "
            "sources of experts; then name that folder in MXFP4_KERNELS."
        )

    def has(self, tokens: int, source: Source = "logits") -> bool:
        """Whether `chosen` compiles nothing for a call."""
        rows = tokens * self.spec.slots
        names = steps(self.spec, tokens, source)
        if _BRINGING in names and self._is_there(_BRINGING, rows):
            names = self._steps(tokens, source)
        return all(self._is_there(name, rows) for name in names) or not self._can_compile()

    def _is_there(self, name: str, rows: int) -> bool:
        """Whether there is the kernel that these rows should have."""
        if name not in _MATMULS:
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
            (name, self.matmul(name, rows) if name in _MATMULS else self.routing_kernel(name))
            for name in self._steps(tokens, source)
        ]

    def _steps(self, tokens: int, source: Source) -> list[str]:
        """`steps`, by the dispatch kernel where gate_up cannot bring rows with the kernels at hand.

        A folder may have none of the kernels that bring rows, because an earlier version wrote it,
        and the compiler gives threads that gather where a row finds no room beside the stages.
        """
        names = steps(self.spec, tokens, source)
        if _BRINGING not in names:
            return names
        others = steps(self.spec, tokens, source, brings=False)
        if not self._can_compile():
            if not self._have(names):
                return others
            if not self._have(others):
                return names
        return names if _brings(self.matmul(_BRINGING, tokens * self.spec.slots)) else others

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
            ends = [*_last_tokens(self.spec), max_tokens]
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
            raw = json.loads((path / "layer.json").read_text())
            if raw["format"] != "mxfp4-layer" or raw["version"] != 3:
                raise Error(f"{path} has kernels of another version; compile the layer again.")
            spec = LayerSpec.of(raw["spec"])
            numbers = {name: int(raw["matmuls"].get(name, 0)) for name in _MATMULS}
            routing = [name for name in _ROUTING if name in raw["routing"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            if isinstance(e, Error):
                raise
            raise Error(f"{path} has no kernels of a layer that can be read: {e}.") from e
        matmuls = {
            name: [Artifact.load(path / f"{name}-{i}") for i in range(n)]
            for name, n in numbers.items()
            if n
        }
        return LayerKernels(spec, matmuls, {n: RoutingArtifact.load(path / n) for n in routing})


def steps(
    spec: LayerSpec, tokens: int, source: Source = "logits", brings: bool = True
) -> list[str]:
    """The names of a call's kernels, in order.

    Args:
        spec: the layer.
        tokens: of the call.
        source: where experts come from.
        brings: whether a warp of gate_up can bring rows. Where no row finds room beside the stages,
            which the compiler knows, another kernel brings them.
    """
    up, down = "gate_up", "down"
    if source == "some ids":
        up, down = "gate_up_gathered", "down_gathered"
    if spec.activations == "fp8":
        first = _first_steps(spec, tokens, source, "quantize")
        between = ["quantize_inner"] if spec.inner_scale is None else []
        return [*first, up, *between, down, "combine"]
    if source == "some ids" or tokens * spec.slots <= FEW_ROWS:
        return [*_first_steps(spec, tokens, source), "gate_up_gathered", down, "combine"]
    if brings and tokens >= _brought_from(spec):
        return [*_first_steps(spec, tokens, source), _BRINGING, down, "combine"]
    return [*_first_steps(spec, tokens, source, "dispatch"), up, down, "combine"]


def _brought_from(spec: LayerSpec) -> int:
    """Tokens from which on a warp of gate_up brings rows into order."""
    if spec.activations == "fp8" or spec.hidden > BROUGHT_HIDDEN:
        return sys.maxsize
    return max(BROUGHT_TOKENS, -(-BROUGHT_ROWS * spec.experts // spec.slots))


def _last_tokens(spec: LayerSpec) -> list[int]:
    """The last numbers of tokens for each choice of steps."""
    counted = COUNTED_TOKENS.start - 1, COUNTED_TOKENS.stop - 1
    return [
        FEW_TOKENS,
        FEW_ROWS // spec.slots,
        _brought_from(spec) - 1,
        *counted,
        FEW_COUNTS[spec.activations] // spec.experts,
    ]


def _first_steps(spec: LayerSpec, tokens: int, source: Source, move: str = "") -> list[str]:
    """The kernels up to the order of experts, and the one that moves rows into it, if any."""
    is_small = spec.slots <= FEW_SLOTS_COUNTED and spec.experts <= FEW_EXPERTS_COUNTED
    is_small = is_small and min(tokens, 4096) * spec.experts <= FEW_COUNTS[spec.activations]
    if move and is_small and tokens in COUNTED_TOKENS:
        return ["top_k" if source == "logits" else "count", f"sort_{move}"]
    if source != "logits":
        first = ["sort_given"] if tokens <= FEW_TOKENS else ["count", "sort"]
    else:
        few = tokens <= FEW_TOKENS and spec.experts <= FEW_EXPERTS
        first = ["route"] if few else ["top_k", "sort"]
    return [*first, move] if move else first


def _distance(artifact: Artifact, rows: int) -> tuple[int, bool]:
    """How far rows are from what the kernel was scheduled for, and whether that was another GPU."""
    low, high = artifact.manifest.rows_hint or (0, sys.maxsize)
    facts = devices.facts_of()
    is_others = facts is not None and not facts.is_like(artifact.manifest.device)
    return max(low - rows, rows - high, 0), is_others


def _brings(artifact: Artifact) -> bool:
    """Whether a warp of the kernel brings rows, or threads gather them."""
    return "through_maps" in artifact.manifest.operands


def _needed(
    spec: LayerSpec, max_tokens: int, sources: Sequence[Source], brings: bool = True
) -> dict[str, int]:
    """The kernels of calls with up to ``max_tokens``, and for how many rows."""
    found: dict[str, int] = {}
    # Steps change where tokens or rows stop to be few.
    last = _last_tokens(spec)
    ends = {1, *last, *(end + 1 for end in last)}
    for source in sources:
        for tokens in sorted(end for end in {*ends, max_tokens} if 0 < end <= max_tokens):
            rows = tokens * spec.slots
            for name in steps(spec, tokens, source, brings):
                found[name] = max(found.get(name, 0), rows)
    return found


def _most_of(some: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """The larger numbers of rows of two answers of `_needed`."""
    return {name: max(some.get(name, 0), more.get(name, 0)) for name in {**some, **more}}


def routing_options(spec: LayerSpec, name: str) -> str:
    """Options of the pipeline for a kernel that is no matmul."""
    return f"rows-hint={spec.slots}" if name in _FUSED else ""


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
