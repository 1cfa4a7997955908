# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Torch helpers of the verification and the benchmark: data, truth and timing on a GPU.

Imported only where torch is.
"""

from __future__ import annotations

import gc
import random
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from .formats import decode_table
from .layout import FP8, Layout
from .torch_pack import pack_expert, take_row_powers
from .weights import PackedWeights, Proof

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Where data lives; checks (but no timing) also work on a CPU, for tests of these checks."""


def byte_tensor(array: np.ndarray) -> torch.Tensor:
    """Numpy to a device tensor."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE)


def decode(blocks: torch.Tensor, scales: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Exact values ``[N, K]`` of one expert: blocks u8 ``[N, K/32, 16]``, scales ``[N, K/32]``."""
    table = byte_tensor(decode_table().astype(np.float32)).to(dtype).reshape(-1)
    base = scales.to(torch.int32)[..., None] * 16
    pairs = torch.stack([table[base + (blocks & 15)], table[base + (blocks >> 4)]], dim=-1)
    return pairs.reshape(scales.shape[0], -1)


class RawWeights:
    """MXFP4 weights in checkpoint form on the GPU: blocks [E,N,K/32,16], scales [E,N,K/32]."""

    def __init__(self, blocks: torch.Tensor, scales: torch.Tensor) -> None:
        self.blocks, self.scales = blocks, scales
        self.experts, self.n = int(scales.shape[0]), int(scales.shape[1])
        self.k = int(scales.shape[2]) * 32

    def expert(self, e: int, dtype: torch.dtype) -> torch.Tensor:
        """Exact ``[N, K]`` of an expert."""
        return decode(self.blocks[e], self.scales[e], dtype)

    def pack(self, layout: Layout, data: torch.Tensor | None = None) -> PackedWeights:
        """Pack, into ``data`` if it is given."""
        if data is None:
            shape = (self.experts, *layout.shape(self.n, self.k))
            data = torch.empty(shape, dtype=torch.uint8, device=DEVICE)
        powers = torch.empty((self.experts, self.n), device=DEVICE) if layout == FP8 else None
        for e in range(self.experts):
            scales = self.scales[e]
            if powers is not None:
                scales, powers[e] = take_row_powers(self.blocks[e], scales)
            data[e] = pack_expert(self.blocks[e], scales, layout)
        low, high = int(self.scales.min()), int(self.scales.max())
        proof = Proof(low, high, high == 255)
        return PackedWeights(data, self.n, self.k, layout, proof, powers=powers)


def groups_of(
    offsets: Sequence[int], ids: Sequence[int] | None, experts: int
) -> Iterator[tuple[slice, int]]:
    """(rows, expert) of each group that has rows; the expert is -1 where there is none."""
    for g in range(len(offsets) - 1):
        expert = g if ids is None else ids[g]
        if offsets[g] < offsets[g + 1]:
            yield slice(offsets[g], offsets[g + 1]), expert if expert < experts else -1


def error_bound(value: torch.Tensor, absolute: torch.Tensor, k: int, output: str) -> torch.Tensor:
    """`reference.error_bound` in torch, f64."""
    return rounding_bound(value, k * 2.0**-22 * absolute, output)


def rounding_bound(value: torch.Tensor, drift: torch.Tensor, output: str) -> torch.Tensor:
    """How far a rounded result may be from the exact value if the unrounded may be ``drift``."""
    digits, smallest = (7, -133) if output == "bf16" else (23, -149)
    reach = torch.clamp(value.abs() + drift, min=2.0**smallest)
    exponent = torch.frexp(reach).exponent.to(torch.int64) - 1 - digits
    half = torch.clamp(exponent, min=smallest) - 1
    return drift + ((half + 1023) << 52).view(torch.float64)


def compare(
    y: torch.Tensor,
    x: torch.Tensor,
    raw: RawWeights,
    offsets: Sequence[int],
    ids: Sequence[int] | None,
    output: str,
    exact: bool,
) -> dict[str, Any]:
    """Check a result, group by group.

    Args:
        y: what a kernel gave, ``[R, N]``.
        x: bf16 ``[R, K]``.
        raw: the weights.
        offsets: host numbers.
        ids: host numbers, or None.
        output: "bf16" or "f32".
        exact: demand equality with the rounded truth, instead of the elementwise bound.

    Returns:
        "wrong": number of wrong elements; "worst": largest error as a share of the bound (0 if
        exact); "nonfinite": number of elements whose truth is not finite.
    """
    wrong, worst, nonfinite = 0, 0.0, 0
    for rows, expert in groups_of(offsets, ids, raw.experts):
        got = y[rows].double()
        if expert < 0:
            wrong += int((got != 0).sum())
            continue
        w = raw.expert(expert, torch.float64)
        part = x[rows].double()
        value = part @ w.T
        if exact:
            rounded = value.float().to(y.dtype).double()
            same = (got == rounded) | (torch.isnan(got) & torch.isnan(rounded))
            nonfinite += int((~torch.isfinite(rounded)).sum())
            wrong += int((~same).sum())
            continue
        absolute = part.abs() @ w.abs().T
        # Past this a partial sum may leave f32's range on the way, in one order and not another.
        tame = torch.isfinite(absolute) & (absolute < 2.0**120)
        bound = error_bound(value, absolute, raw.k, output)
        share = torch.where(tame, (got - value).abs() / bound, torch.zeros_like(got))
        nan = torch.isnan(w).any(dim=1)[None, :].expand_as(got)
        bad = torch.where(tame, ~(share <= 1), nan & ~torch.isnan(got))
        wrong += int(bad.sum())
        nonfinite += int((~tame).sum())
        worst = max(worst, float(torch.nan_to_num(share, nan=float("inf")).max()))
    return {"wrong": wrong, "worst": worst, "nonfinite": nonfinite}


class Graph(torch.cuda.CUDAGraph):
    """A CUDA graph that keeps its launches, because a replay reads the memory that these hold."""

    launches: Sequence[Callable[[], Any]] = ()


def capture(launches: Sequence[Callable[[], Any]]) -> torch.cuda.CUDAGraph:
    """A CUDA graph of some launches, each of which ran once before.

    The garbage collector rests meanwhile: it might delete another graph, which breaks a capture.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for launch in launches:
            launch()
    stream.synchronize()
    graph = Graph()
    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        with torch.cuda.graph(graph, stream=stream):
            for launch in launches:
                launch()
    finally:
        if collects:
            gc.enable()
    graph.launches = launches
    torch.cuda.synchronize()
    return graph


TURNS = 24


def time_graph(
    graph: torch.cuda.CUDAGraph, launches: int, window_ms: float = 60.0
) -> dict[str, float]:
    """`time_graphs` of one graph."""
    return time_graphs({"": (graph, launches)}, window_ms)[""]


def time_graphs(
    graphs: dict[str, tuple[torch.cuda.CUDAGraph, int]], window_ms: float = 60.0
) -> dict[str, dict[str, float]]:
    """Time graphs by events around each replay, taking turns.

    At the power limit the chip's clock depends on the work of the last moments. All graphs
    therefore get short turns, in an order that is drawn anew for each round, and the first replay
    of a turn does not count.

    Args:
        graphs: a graph and its number of launches, for each name.
        window_ms: how long the samples of a graph last together, about: there are two to forty a
            turn.

    Returns:
        for each name, microseconds a launch: "median", "low" and "high" (the 10th and 90th of
        100), and "replays", the number of samples.
    """
    counts: dict[str, int] = {}
    samples: dict[str, list[Any]] = {name: [] for name in graphs}
    for name, (graph, _) in graphs.items():
        begin, end = _events()
        graph.replay()
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        one = max(begin.elapsed_time(end), 1e-3)
        counts[name] = int(min(40, max(2, window_ms / TURNS / one)))
    order, draw = list(graphs), random.Random(0)
    for _ in range(TURNS):
        draw.shuffle(order)
        for name in order:
            graph = graphs[name][0]
            pairs = [_events() for _ in range(counts[name])]
            graph.replay()
            for begin, end in pairs:
                begin.record()
                graph.replay()
                end.record()
            samples[name] += pairs
    torch.cuda.synchronize()
    return {name: _summary(samples[name], launches) for name, (_, launches) in graphs.items()}


def time_steadily(graph: torch.cuda.CUDAGraph, launches: int, seconds: float) -> dict[str, float]:
    """Time a graph that runs without a pause: the second half of ``seconds``.

    `time_graphs` gives all graphs about the same clock. Here each has the clock that its own power
    leaves it at the power limit, as if nothing else ran.

    Returns:
        as `time_graphs`, and "watts" and "mhz" (of the last second) if nvidia-smi tells them.
    """
    pairs: list[Any] = []
    running: deque[Any] = deque()
    asked: subprocess.Popen[str] | None = None
    start = time.perf_counter()
    while (now := time.perf_counter() - start) < seconds or not pairs:
        pair = _events()
        pair[0].record()
        graph.replay()
        pair[1].record()
        if now >= seconds / 2:
            pairs.append(pair)
        if now >= seconds * 3 / 4 and asked is None:
            asked = _ask_for_power()
        running.append(pair[1])
        if len(running) > 8:
            running.popleft().synchronize()
    torch.cuda.synchronize()
    return _summary(pairs, launches) | _told(asked)


def nvidia_smi(facts: str) -> list[str]:
    """The command that prints these facts of the first GPU, with units, between commas."""
    return ["nvidia-smi", f"--query-gpu={facts}", "--format=csv,noheader", "--id=0"]


def _ask_for_power() -> subprocess.Popen[str] | None:
    command = nvidia_smi("power.draw,clocks.sm")
    try:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return None


def _told(asked: subprocess.Popen[str] | None) -> dict[str, float]:
    if asked is None:
        return {}
    try:
        text = asked.communicate(timeout=20)[0]
        watts, mhz = (float(fact.split()[0]) for fact in text.split(","))
    except subprocess.TimeoutExpired:
        asked.kill()
        asked.communicate()
        return {}
    except (ValueError, IndexError):
        return {}
    return {"watts": watts, "mhz": mhz}


def _events() -> tuple[Any, Any]:
    return torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)


def _summary(pairs: list[tuple[Any, Any]], launches: int) -> dict[str, float]:
    times = sorted(a.elapsed_time(b) * 1e3 / launches for a, b in pairs)
    count = len(times)
    return {"median": times[count // 2], "low": times[count // 10],
            "high": times[count * 9 // 10], "replays": count}  # fmt: skip
