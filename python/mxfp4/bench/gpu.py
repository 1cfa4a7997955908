# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measuring the cases on a GPU.

Each column is captured in a CUDA graph of several launches that move over the experts (and over
copies of the weights), so that weights come from device memory; a time is the median of replays.
Every result is checked in the same run against f64.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import torch

from .._gpu import DEVICE, RawWeights, capture, compare, decode, time_graph
from ..layout import blocks_of
from ..runtime import Kernel
from ..wanted import PLACEMENTS, Shelf, Wanted
from ..weights import PackedWeights
from .cases import Case

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
        size = p.experts * blocks_of(p.n, p.k)[0] * blocks_of(p.n, p.k)[1] * 2176
        first = self.raw.pack(p.layout)
        self.packed = [first]
        for _ in range(-(-RESERVE // size) - 1):
            copy = PackedWeights(first.data.clone(), p.n, p.k, p.layout, first.proof)
            self.packed.append(copy)
        self._bf16: torch.Tensor | None = None

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

    def poison(self) -> None:
        """Make the output NaN."""
        self.y.fill_(float("nan"))

    def wrong(self, raw: RawWeights, route: int) -> str:
        """Check the output against f64: a sentence if it is wrong, else nothing."""
        found = compare(self.y, self.x, raw, self.host[route], None, "bf16", exact=False)
        if not found["wrong"]:
            return ""
        return f"{found['wrong']} elements exceed the bound (worst {found['worst']:.3g})"


def measure_ours(
    kernel: Kernel, weights: Weights, inputs: Inputs, window_ms: float
) -> dict[str, Any]:
    """Time one of our kernels, and check its first and its last launch."""
    count = len(inputs.offsets)

    def launch(i: int) -> Callable[[], Any]:
        packed = weights.packed[i % len(weights.packed)]
        return lambda: kernel(inputs.x, packed, inputs.offsets[i], out=inputs.y)

    inputs.poison()
    launch(0)()
    kernel.check()
    wrong = inputs.wrong(weights.raw, 0)
    if wrong:
        return {"error": f"WRONG: {wrong}"}
    graph = capture([launch(i) for i in range(count)])
    result: dict[str, Any] = time_graph(graph, count, window_ms)
    inputs.poison()
    graph.replay()
    kernel.check()
    wrong = inputs.wrong(weights.raw, count - 1)
    if wrong:
        return {"error": f"WRONG after timing: {wrong}"}
    m = kernel.manifest
    return {**result, "schedule": dict(m.schedule), "resources": dict(m.resources)}


def measure_bf16(weights: Weights, inputs: Inputs, window_ms: float) -> dict[str, Any]:
    """Time torch's grouped matmul on decoded bf16 weights."""
    grouped = getattr(torch.nn.functional, "grouped_mm", None) or torch._grouped_mm
    w = weights.bf16().transpose(-2, -1)
    ends = [o[1:].contiguous() for o in inputs.offsets]
    inputs.y.copy_(grouped(inputs.x, w, offs=ends[0]))
    wrong = inputs.wrong(weights.raw, 0)
    graph = capture([lambda e=e: grouped(inputs.x, w, offs=e) for e in ends])
    result: dict[str, Any] = time_graph(graph, len(ends), window_ms)
    return {**result, "note": wrong} if wrong else result


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

    def measure(self, size: float) -> dict[str, Any]:
        """Best time of a few shapes of the kernel, rotating over 4 GiB."""
        results = list(self._attempts(int(size) // 4))
        return min(results, key=lambda r: r["median"])

    def _attempts(self, count: int) -> Iterator[dict[str, Any]]:
        whole = self._data.numel()
        count = min(count, whole)
        launches = max(1, min(16, whole // count))
        if self._read is None:
            parts = [self._data[i * count :][:count] for i in range(launches)]
            graph = capture([lambda p=p: torch.sum(p) for p in parts])
            yield {**time_graph(graph, launches, 20, 5), "by": "torch.sum"}
            return
        for block, unroll, warps, steps in ((1024, 8, 4, 1), (1024, 4, 4, 2), (2048, 8, 8, 4)):
            piece = block * unroll * steps
            grid = max(1, count // piece)
            share = count / (grid * piece)  # the size read is rounded down; scale to what was asked
            parts = [self._data[i * count :] for i in range(launches)]
            shape = {"BLOCK": block, "UNROLL": unroll, "num_warps": warps}
            graph = capture(
                [lambda p=p, g=grid, s=steps, k=shape: self._read[(g,)](p, self._out, s, **k)
                 for p in parts]
            )  # fmt: skip
            result = time_graph(graph, launches, 20, 5)
            yield {**{k: v * share for k, v in result.items() if k != "replays"}, "by": str(shape)}


class Bench:
    """All columns of all cases, as long as the budget lasts."""

    def __init__(self, shelf: Shelf, budget: float, window_ms: float = 50.0) -> None:
        self._shelf, self._window = shelf, window_ms
        self._end = time.perf_counter() + budget
        self._weights: dict[tuple[int, str], Weights] = {}
        self._kernels: dict[int, Kernel] = {}

    def out_of_time(self) -> bool:
        """Whether the budget is spent."""
        return time.perf_counter() > self._end

    def _weights_of(self, case: Case) -> Weights:
        key = (case.experts, case.layer)
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

    def case(self, case: Case) -> dict[str, Any]:
        """Measure one case; a column that fails holds its error."""
        columns: dict[str, Callable[[], dict[str, Any]]] = {}
        weights, inputs = self._weights_of(case), Inputs(case)
        for placement in PLACEMENTS:
            wanted = Wanted(case.problem, placement, case.rows)
            columns[placement] = lambda w=wanted: measure_ours(
                self._kernel(w), weights, inputs, self._window
            )
        columns["bf16"] = lambda: measure_bf16(weights, inputs, self._window)
        row: dict[str, Any] = {
            "experts": case.experts, "layer": case.layer, "n": case.problem.n, "k": case.problem.k,
            "tokens": case.tokens, "rows": case.rows, "flops": case.flops,
            "bytes": case.traffic(),
        }  # fmt: skip
        for name, measure in columns.items():
            try:
                row[name] = measure()
            except Exception as e:
                if "CUDA error" in str(e):  # the context is lost
                    raise
                row[name] = {"error": f"{type(e).__name__}: {e}"}
        return row
