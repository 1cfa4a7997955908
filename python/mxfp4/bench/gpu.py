# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measuring the cases on a GPU.

Each column is captured in a CUDA graph of several launches that move over the experts (and over
copies of the weights), so that weights come from device memory; a time is the median of replays.
Every result is checked in the same run against f64.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from .._gpu import (
    DEVICE,
    RawWeights,
    capture,
    compare,
    decode,
    time_graph,
    time_graphs,
    time_steadily,
)
from ..errors import Error
from ..problem import Problem
from ..runtime import Kernel
from ..wanted import Shelf, Wanted
from ..weights import PackedWeights
from . import fp8
from .cases import MOST_LAUNCHES, SUMS, Case

RESERVE = 512 * 2**20
"""Bytes of other weights that must pass between two uses of the same: ten times the L2 cache."""


class Weights:
    """Random weights of one layer: checkpoint form, packed copies, and bf16 on demand."""

    def __init__(self, case: Case) -> None:
        p = case.problem
        random = torch.Generator(device=DEVICE).manual_seed(p.experts * 10007 + p.n)
        blocks = torch.empty((p.experts, p.n, p.k // 32, 16), dtype=torch.uint8, device=DEVICE)
        blocks.random_(0, 256, generator=random)
        # Scales near 1/sqrt(K), as in a real layer.
        shape = (p.experts, p.n, p.k // 32)
        scales = torch.randint(117, 121, shape, dtype=torch.uint8, device=DEVICE, generator=random)
        self.raw = RawWeights(blocks, scales)
        size = p.experts * math.prod(p.layout.shape(p.n, p.k))
        first = self.raw.pack(p.layout)
        self.packed = [first]
        for _ in range(min(-(-RESERVE // size), MOST_LAUNCHES) - 1):
            copy = PackedWeights(first.data.clone(), p.n, p.k, p.layout, first.proof)
            self.packed.append(copy)
        self._bf16: torch.Tensor | None = None
        self.fp8 = fp8.Weights(self.raw, len(self.packed))
        self.humming: Any = None

    def bf16(self) -> torch.Tensor:
        """Decoded, ``[E, N, K]``."""
        if self._bf16 is None:
            raw = self.raw
            self._bf16 = torch.empty(
                (raw.experts, raw.n, raw.k), dtype=torch.bfloat16, device=DEVICE
            )
            for e in range(raw.experts):
                self._bf16[e] = decode(raw.blocks[e], raw.scales[e], torch.bfloat16)
        return self._bf16


class Inputs:
    """Fresh random activations, a poisoned output and the routes of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        random = torch.Generator(device=DEVICE)
        random.seed()
        rows, p = case.rows, case.problem
        self.x = torch.randn((rows, p.k), device=DEVICE, generator=random).bfloat16()
        self.y = torch.empty((rows, p.n), dtype=torch.bfloat16, device=DEVICE)
        self.host = [list(accumulate(sizes, initial=0)) for sizes in case.routes()]
        self.offsets = [torch.tensor(o, dtype=torch.int32, device=DEVICE) for o in self.host]
        self._fp8: fp8.Rows | None = None

    def fp8(self) -> fp8.Rows:
        """The activations in FP8."""
        if self._fp8 is None:
            self._fp8 = fp8.Rows.of(self.x)
        return self._fp8

    def poison(self) -> None:
        """Make the output NaN."""
        self.y.fill_(float("nan"))

    def wrong(self, raw: RawWeights, route: int) -> str:
        """Check the output against f64: a sentence if it is wrong, else nothing."""
        found = compare(self.y, self.x, raw, self.host[route], None, "bf16", exact=False)
        if not found["wrong"]:
            return ""
        return f"{found['wrong']} elements exceed the bound (worst {found['worst']:.3g})"


@dataclass
class Column:
    """What is timed.

    Attributes:
        launches: one for each route; each returns its output, or None if that is the inputs' `y`.
        facts: more to say about it.
        after: raises if a launch failed.
        checked: whether the result is that of the case.
        compare: what says of a route that its output, `Inputs.y`, is wrong, if not `Inputs.wrong`.
    """

    launches: Sequence[Callable[[], Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    after: Callable[[], None] = lambda: None
    checked: bool = True
    compare: Callable[[int], str] | None = None

    def wrong(self, weights: Weights, inputs: Inputs, route: int) -> str:
        """Launch a route and check it: a sentence if it is wrong, else nothing."""
        inputs.poison()
        result = self.launches[route]()
        self.after()
        if not self.checked:
            return ""
        if result is not None and result is not inputs.y:
            inputs.y.copy_(result)
        return self.compare(route) if self.compare else inputs.wrong(weights.raw, route)


def ours(kernel: Kernel, weights: Weights, inputs: Inputs) -> Column:
    """One of our kernels."""

    def launch(i: int) -> Callable[[], Any]:
        packed = weights.packed[i % len(weights.packed)]
        return lambda: kernel(inputs.x, packed, inputs.offsets[i], out=inputs.y)

    m = kernel.manifest
    facts = {"schedule": dict(m.schedule), "resources": dict(m.resources)}
    return Column([launch(i) for i in range(len(inputs.offsets))], facts, kernel.check)


def grouped_bf16(weights: Weights, inputs: Inputs) -> Column:
    """Torch's grouped matmul on decoded weights."""
    grouped = getattr(torch.nn.functional, "grouped_mm", None) or torch._grouped_mm
    w = weights.bf16().transpose(-2, -1)
    ends = [o[1:].contiguous() for o in inputs.offsets]
    return Column([partial(grouped, inputs.x, w, offs=e) for e in ends])


def dense_bf16(weights: Weights, inputs: Inputs) -> Column:
    """The same rows through one expert's decoded weights: cuBLAS with nothing ragged about it."""
    w, out = weights.bf16(), inputs.y
    count = len(inputs.offsets)
    launches = [partial(torch.matmul, inputs.x, w[i % len(w)].T, out=out) for i in range(count)]
    return Column(launches, checked=len(w) == 1)


class Triton:
    """OpenAI's kernels, in the best of a few settings."""

    def __init__(self, folder: Path) -> None:
        from ._triton_kernels import TritonKernels

        self._kernels = TritonKernels(folder)
        self._weights: Weights | None = None
        self._packed: dict[int, list[tuple[Any, Any]]] = {}

    def column(self, weights: Weights, inputs: Inputs) -> Column:
        """The quickest setting for a case."""
        from ._triton_kernels import settings

        if self._weights is not weights:
            self._weights = weights
            self._packed.clear()
        best: tuple[float, Column] | None = None
        for setting in settings(inputs.case.rows / inputs.case.experts):
            warps = setting[1]
            if warps not in self._packed:
                self._packed[warps] = self._kernels.pack(weights.raw, len(weights.packed), warps)
            launches = self._kernels.launches(
                self._packed[warps], setting, inputs.x, inputs.y, inputs.offsets
            )
            launches[0]()
            us = time_graph(capture(launches), len(launches), 5)["median"]
            if best is None or us < best[0]:
                best = us, Column(launches, {"setting": list(setting)})
        assert best
        return best[1]


class ReadBandwidth:
    """How fast memory can be read at a given size: a Triton kernel that only reads and adds."""

    def __init__(self, size: int = 4 * 2**30) -> None:
        self._data = torch.empty(size // 4, dtype=torch.int32, device=DEVICE).random_()
        self._out = torch.empty(2**20, dtype=torch.int32, device=DEVICE)
        try:
            from ._read import read

            self._read: Any = read
        except ImportError:
            self._read = None

    def measure(self, size: float) -> float:
        """Microseconds of reading ``size`` bytes."""
        graph, launches, share, _ = self.best(size)
        return time_graph(graph, launches, 20)["median"] * share

    def best(self, size: float) -> tuple[torch.cuda.CUDAGraph, int, float, str]:
        """The best of a few shapes of the kernel.

        Returns:
            a graph that rotates over 4 GiB, its launches, what to multiply its times by (it reads
            whole blocks, a little less than asked for, and no more than there is), and the
            shape's name.
        """
        found = list(self._attempts(int(size) // 4))
        if len(found) == 1:
            return found[0]
        named = {by: (graph, launches) for graph, launches, _, by in found}
        times = time_graphs(named, 5)
        return min(found, key=lambda f: times[f[3]]["median"] * f[2])

    def _attempts(self, count: int) -> Iterator[tuple[torch.cuda.CUDAGraph, int, float, str]]:
        whole, wanted = self._data.numel(), count
        count = min(count, whole)
        launches = max(1, min(16, whole // count))
        if self._read is None:
            parts = [self._data[i * count :][:count] for i in range(launches)]
            graph = capture([partial(torch.sum, p) for p in parts])
            yield graph, launches, wanted / count, "torch.sum"
            return
        for block, unroll, warps, steps in ((1024, 8, 4, 1), (1024, 4, 4, 2), (2048, 8, 8, 4)):
            piece = block * unroll * steps
            grid = max(1, count // piece)
            parts = [self._data[i * count :] for i in range(launches)]
            shape = {"BLOCK": block, "UNROLL": unroll, "num_warps": warps}
            graph = capture(
                [partial(self._read[(grid,)], p, self._out, steps, **shape) for p in parts]
            )
            yield graph, launches, wanted / (grid * piece), str(shape)


class Bench:
    """All columns of all cases, as long as the budget lasts."""

    def __init__(
        self,
        shelf: Shelf,
        budget: float,
        window_ms: float = 50.0,
        triton: Path | None = None,
        steady: float = 0.0,
    ) -> None:
        self._shelf, self._window, self._steady = shelf, window_ms, steady
        self._reads = ReadBandwidth()
        self._triton = Triton(triton) if triton else None
        self._end = time.perf_counter() + budget
        self._weights: dict[Problem, Weights] = {}
        self._kernels: dict[int, Kernel] = {}

    def out_of_time(self) -> bool:
        """Whether the budget is spent."""
        return time.perf_counter() > self._end

    def ceiling(self) -> float:
        """GB/s of reading 4 GiB."""
        return 4 * 2**30 / self._reads.measure(4 * 2**30) / 1e3

    def _weights_of(self, case: Case) -> Weights:
        key = case.problem
        if key not in self._weights:
            self._weights.clear()  # one layer at a time fits any GPU of 80 GB
            torch.cuda.empty_cache()
            self._weights[key] = Weights(case)
        return self._weights[key]

    def _kernel(self, wanted: Wanted) -> Kernel:
        artifact = self._shelf.find(wanted)
        if id(artifact) not in self._kernels:
            self._kernels[id(artifact)] = Kernel.load(artifact)
        return self._kernels[id(artifact)]

    def case(self, case: Case, names: Sequence[str]) -> dict[str, Any]:
        """Measure the named columns of one case; a column that fails holds its error."""
        weights, inputs = self._weights_of(case), Inputs(case)
        row: dict[str, Any] = {
            "experts": case.experts, "layer": case.layer, "n": case.problem.n, "k": case.problem.k,
            "tokens": case.tokens, "top": case.top, "rows": case.rows, "routing": case.routing,
            "flops": case.flops, "bytes": case.traffic(),
            "rotated": case.rotated(len(weights.packed)),
        }  # fmt: skip
        ready: dict[str, tuple[Column, torch.cuda.CUDAGraph]] = {}
        for name in names:
            if name.startswith("dense") and case.rows < 4096:
                continue  # it would read a small part of the weights
            with _errors_in(row, name):
                column = self._column(name, case, weights, inputs)
                wrong = column.wrong(weights, inputs, 0)
                if wrong:
                    raise Error(f"WRONG: {wrong}")
                ready[name] = column, capture(column.launches)
        graphs = {name: (graph, case.launches) for name, (_, graph) in ready.items()}
        graph, launches, share, by = self._reads.best(case.traffic())
        times = time_graphs({**graphs, "read": (graph, launches)}, self._window)
        for name, (column, alone) in ready.items():
            with _errors_in(row, name):
                if self._steady:
                    steady = time_steadily(alone, case.launches, self._steady)
                    column.facts["steady"] = steady
                wrong = column.wrong(weights, inputs, case.launches - 1)
                if wrong:
                    raise Error(f"WRONG after timing: {wrong}")
                row[name] = {**times[name], **column.facts}
        read = {k: v * share for k, v in times["read"].items() if k != "replays"}
        row["read"] = {**read, "by": by}
        return row

    def _column(self, name: str, case: Case, weights: Weights, inputs: Inputs) -> Column:
        if name == "bf16":
            return grouped_bf16(weights, inputs)
        if name == "dense":
            return dense_bf16(weights, inputs)
        if name == "triton":
            assert self._triton
            return self._triton.column(weights, inputs)
        if name == fp8.HUMMING or name in fp8.DENSE or name in SUMS:
            from .fp8_columns import column  # imports this module

            return column(name, weights, inputs, self._kernel)
        return ours(self._kernel(Wanted(case.problem, name, case.rows)), weights, inputs)


@contextlib.contextmanager
def _errors_in(row: dict[str, Any], name: str) -> Iterator[None]:
    """Keep an error as the column's, unless the context is lost."""
    try:
        yield
    except Exception as e:
        if "CUDA error" in str(e):
            raise
        row[name] = {"error": str(e) if isinstance(e, Error) else f"{type(e).__name__}: {e}"}
