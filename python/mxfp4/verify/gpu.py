# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running the cases on a GPU. Each check returns problems found as sentences; none is good."""

from __future__ import annotations

import dataclasses
import itertools
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from .._gpu import DEVICE, RawWeights, capture, compare
from ..artifact import Artifact
from ..layout import pack_expert
from ..problem import Problem
from ..runtime import BAD_ID, UNSORTED, Kernel
from ..weights import PackedWeights
from .cases import Case

GUARD = 514
"""Poisoned elements before and after a buffer; before the output they leave it 4-byte aligned."""

_POISON = {
    "bf16": (torch.bfloat16, torch.int16, 0x7FAB),
    "f32": (torch.float32, torch.int32, 0x7FABCDEF),
}


class Output:
    """A poisoned ``[R, N]`` output between two guard bands."""

    def __init__(self, rows: int, n: int, output: str, guard: int = GUARD) -> None:
        self.dtype, self._int, self._poison = _POISON[output]
        self._all = torch.full(
            (2 * guard + rows * n,), self._poison, dtype=self._int, device=DEVICE
        )
        self._bits = self._all[guard : guard + rows * n].view(rows, n)
        self._guard = guard
        self.tensor = self._bits.view(self.dtype)

    def unwritten(self) -> int:
        """Elements that still hold the poison."""
        return int((self._bits == self._poison).sum())

    def guards_touched(self) -> int:
        """Guard elements that lost the poison."""
        g = self._guard
        ends = torch.cat([self._all[:g], self._all[len(self._all) - g :]])
        return int((ends != self._poison).sum())

    def bits(self) -> torch.Tensor:
        """A copy of the output's bit patterns."""
        return self._bits.clone()


def guarded(tensor: torch.Tensor) -> torch.Tensor:
    """The same values in a buffer with NaN (floats), 0xFF or large numbers around them.

    Reading past an end then shows in the results. 16-byte alignment is kept.
    """
    if tensor.dtype == torch.uint8:
        pad: float = 255  # as a scale, NaN
    else:
        pad = float("nan") if tensor.is_floating_point() else 2**30
    width = 2048
    whole = torch.full((2 * width + tensor.numel(),), pad, dtype=tensor.dtype, device=DEVICE)
    part = whole[width : width + tensor.numel()].view(tensor.shape)
    part.copy_(tensor)
    return part


class Rows(NamedTuple):
    """Activations of a launch.

    Attributes:
        x: ``[R, K]``.
        operands: what belongs to these rows, by the kernel's names.
    """

    x: torch.Tensor
    operands: dict[str, torch.Tensor]

    def copy_(self, other: Rows) -> None:
        """Overwrite with others of the same shape."""
        self.x.copy_(other.x)
        for name, tensor in self.operands.items():
            tensor.copy_(other.operands[name])


class Data:
    """Weights and activations of one kind for a problem.

    Kinds: "exact" (all partial sums are exact in f32), "random", "single" (one nonzero activation
    per row and one scale per row of weights, over the layout's whole range: a result is one decoded
    weight), "wide" (random scales over 0x00 .. 0xFF; raw layouts only).
    """

    exact_kinds: tuple[str, ...] = ("exact", "single")
    """Those whose results must be equal in bits."""

    def __init__(self, problem: Problem, kind: str, guards: bool = True) -> None:
        self.problem, self.kind, self.guards = problem, kind, guards
        p = problem
        seed = zlib.crc32(f"{p.spec()} {kind}".encode())
        self._random = torch.Generator(device=DEVICE).manual_seed(seed)
        self.raw = self._weights()
        packed = self.raw.pack(p.layout)
        self.packed: PackedWeights = dataclasses.replace(packed, data=self.place(packed.data))
        self.operands: dict[str, torch.Tensor] = {}

    @staticmethod
    def kinds(problem: Problem) -> list[str]:
        """Those that a problem has."""
        wide = problem.layout.scales == "raw" and problem.k <= 160
        return ["exact", "random", "single", *(["wide"] if wide else [])]

    def _weights(self) -> RawWeights:
        p, kind = self.problem, self.kind
        top = 128 if p.layout.scales == "folded" else 255
        low, high = {
            "exact": (124, 128),
            "random": (100, min(top, 140)),
            "single": (0, top),
            "wide": (0, 255),
        }[kind]
        groups = p.k // 32
        blocks = self._ints(0, 255, (p.experts, p.n, groups, 16))
        scales = self._ints(low, high, (p.experts, p.n, 1 if kind == "single" else groups))
        if kind == "single":
            scales[0, 0] = low
            scales[-1, -1] = high
            scales = scales.expand(p.experts, p.n, groups).contiguous()
        return RawWeights(blocks, scales)

    @property
    def is_exact(self) -> bool:
        """Whether results must be equal in bits."""
        return self.kind in self.exact_kinds

    def launch(
        self, kernel: Kernel, rows: Rows, offsets: torch.Tensor, y: Output,
        ids: torch.Tensor | None, stream: Any = None,
    ) -> None:  # fmt: skip
        """Run a kernel on rows of these data."""
        operands = {**self.operands, **rows.operands}
        if stream is not None:
            operands["stream"] = stream
        kernel(rows.x, self.packed, offsets, out=y.tensor, expert_ids=ids, **operands)

    def compare(
        self, y: torch.Tensor, rows: Rows, offsets: list[int], ids: tuple[int, ...] | None,
        artifact: Artifact | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """`_gpu.compare` of a result of these rows; ``artifact`` is the kernel's."""
        return compare(y, rows.x, self.raw, offsets, ids, self.problem.output, self.is_exact)

    def place(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor between guards; as it is where a tool watches the ends of allocations."""
        return guarded(tensor) if self.guards else tensor.to(DEVICE)

    def device_ints(self, values: list[int] | tuple[int, ...]) -> torch.Tensor:
        """i32 on the device."""
        return self.place(torch.tensor(values, dtype=torch.int32))

    def output(self, rows: int) -> Output:
        """A poisoned output."""
        return Output(rows, self.problem.n, self.problem.output, GUARD if self.guards else 0)

    def _ints(self, low: int, high: int, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randint(
            low, high + 1, shape, dtype=torch.uint8, device=DEVICE, generator=self._random
        )

    def activations(self, rows: int) -> Rows:
        """bf16 ``[rows, K]``, fresh random values, guarded."""
        k = self.problem.k
        if self.kind == "exact":
            x = torch.randint(-4, 5, (rows, k), device=DEVICE, generator=self._random).bfloat16()
        elif self.kind == "single":
            x = torch.zeros((rows, k), dtype=torch.bfloat16, device=DEVICE)
            at = torch.randint(0, k, (rows, 1), device=DEVICE, generator=self._random)
            x.scatter_(1, at, 1.0)
        else:
            x = torch.randn((rows, k), device=DEVICE, generator=self._random).bfloat16()
        return Rows(self.place(x), {})

    def packer_problems(self) -> list[str]:
        """Whether the numpy packer gives the same bytes for the first and last expert."""
        found = []
        for e in {0, self.problem.experts - 1}:
            blocks, scales = self.raw.blocks[e].cpu().numpy(), self.raw.scales[e].cpu().numpy()
            host = pack_expert(blocks, scales, self.problem.layout)
            if not np.array_equal(host, self.packed.data[e].cpu().numpy()):
                found.append(f"expert {e}: the numpy packer and the torch packer differ")
        return found


def check_case(kernel: Kernel, case: Case, data: Data) -> tuple[list[str], float]:
    """Run one shape once: (what is wrong, largest error as a share of the bound)."""
    x, y = data.activations(case.rows), data.output(case.rows)
    ids = None if case.ids is None else data.device_ints(case.ids)
    data.launch(kernel, x, data.device_ints(case.offsets()), y, ids)
    word = kernel.error_word()
    found = [f"the error word is {word}"] if word else []
    if y.unwritten():
        found.append(f"{y.unwritten()} elements were not written")
    if y.guards_touched():
        found.append(f"{y.guards_touched()} guard elements were overwritten")
    result = data.compare(y.tensor, x, case.offsets(), case.ids, kernel.artifact)
    if result["wrong"]:
        exceed = f"exceed the bound (worst {result['worst']:.3g})"
        how = "differ in bits" if data.is_exact else exceed
        found.append(f"{result['wrong']} of {y.tensor.numel()} elements {how}")
    if result.get("other sums"):
        found.append(f"{result['other sums']} sums are not those of the model of tensor cores")
    return found, result["worst"]


def check_repeats(kernel: Kernel, case: Case, data: Data, count: int = 100) -> list[str]:
    """The same launch many times gives the same bits."""
    x = data.activations(case.rows)
    y = data.output(case.rows)
    offsets = data.device_ints(case.offsets())
    ids = None if case.ids is None else data.device_ints(case.ids)
    data.launch(kernel, x, offsets, y, ids)
    first, different = y.bits(), torch.zeros((), dtype=torch.int64, device=DEVICE)
    for _ in range(count):
        y._bits.fill_(y._poison)
        data.launch(kernel, x, offsets, y, ids)
        different += (y._bits != first).any()
    runs = int(different)
    return [f"{runs} of {count} repeated runs differ from the first"] if runs else []


def check_errors(kernel: Kernel, case: Case, data: Data) -> list[str]:
    """Bad offsets and ids set the error word and store nothing (of the bad groups)."""
    rows, good = case.rows, case.offsets()
    bad_offsets = {
        "unsorted": [*good[:1], rows, *([0] * (len(good) - 3)), rows] if len(good) > 3 else None,
        "starting at 1": [1, *good[1:]],
        "negative": [-1, *good[1:]],
        "ending early": [*good[:-1], rows - 1],
        "ending late": [*good[:-1], rows + 1],
        "huge": [*good[:-1], 2**31 - 1],
    }
    found = []
    x = data.activations(rows)
    ids = None if case.ids is None else data.device_ints(case.ids)
    for what, offsets in bad_offsets.items():
        if offsets is None:
            continue
        y = data.output(case.rows)
        data.launch(kernel, x, data.device_ints(offsets), y, ids)
        word = kernel.error_word()
        if word != UNSORTED:
            found.append(f"offsets {what}: the error word is {word}, expected {UNSORTED}")
        if y.unwritten() != y.tensor.numel() or y.guards_touched():
            found.append(f"offsets {what}: something was stored")
    if case.ids is not None:
        found += _check_bad_ids(kernel, case, data, x)
    return found


def _check_bad_ids(kernel: Kernel, case: Case, data: Data, x: Rows) -> list[str]:
    found = []
    assert case.ids is not None
    offsets = case.offsets()
    sizes = [b - a for a, b in itertools.pairwise(offsets)]
    group = max(range(len(sizes)), key=lambda g: sizes[g])
    for bad in (-2, case.problem.experts, 2**31 - 1, -(2**31)):
        ids = list(case.ids)
        ids[group] = bad
        y = data.output(case.rows)
        data.launch(kernel, x, data.device_ints(offsets), y, data.device_ints(ids))
        word = kernel.error_word()
        if word != BAD_ID:
            found.append(f"expert id {bad}: the error word is {word}, expected {BAD_ID}")
        if y.unwritten() != sizes[group] * case.problem.n or y.guards_touched():
            found.append(f"expert id {bad}: {y.unwritten()} elements were left alone, expected "
                         f"{sizes[group] * case.problem.n}")  # fmt: skip
    return found


def check_graph(kernel: Kernel, case: Case, data: Data) -> list[str]:
    """A captured launch reads new activations and offsets at each replay."""
    x = data.activations(case.rows)
    y = data.output(case.rows)
    offsets = data.device_ints(case.offsets())
    ids = None if case.ids is None else data.device_ints(case.ids)
    graph = capture([lambda: data.launch(kernel, x, offsets, y, ids)])
    found = []
    for routing in ("last", "random"):
        other = dataclasses.replace(case, routing=routing)
        x.copy_(data.activations(case.rows))
        offsets.copy_(torch.tensor(other.offsets(), dtype=torch.int32))
        y._bits.fill_(y._poison)
        graph.replay()
        torch.cuda.synchronize()
        result = data.compare(y.tensor, x, other.offsets(), case.ids)
        if result["wrong"] or y.unwritten():
            found.append(f"graph replay ({routing}): {result['wrong']} elements are wrong")
    return found


def check_driver_jit(artifact: Artifact, case: Case, data: Data) -> list[str]:
    """The PTX, compiled by the driver, gives the same as the cubin."""
    kernel = Kernel.load(dataclasses.replace(artifact, cubin=None))
    return check_case(kernel, case, data)[0]


def host_overhead_us(kernel: Kernel, case: Case, data: Data) -> float:
    """Median host time of a call, in microseconds."""
    x, offsets = data.activations(case.rows), data.device_ints(case.offsets())
    y = data.output(case.rows)
    ids = None if case.ids is None else data.device_ints(case.ids)
    return median_us(lambda: data.launch(kernel, x, offsets, y, ids))


def median_us(call: Callable[[], Any]) -> float:
    """Median host time of a call; the device is waited for between every 20."""
    times = []
    for _ in range(30):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(20):
            call()
        times.append((time.perf_counter() - start) / 20 * 1e6)
    return sorted(times)[len(times) // 2]
