# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels in the PTX interpreter, against the executable specification.

Whatever must not matter is poison: nothing is mapped around a buffer, weight rows past N have NaN
scales (or the largest, where there is no NaN), activations of rows without an expert are NaN.
Data is exactly representable, so that every partial sum is exact in f32 in any order and results
must agree bit for bit. Two kinds:

``exact``   small integers times codes of every value, scales within a few powers of two;
``single``  one activation of +-1 a row and scales over the layout's whole range, so that a result
            is one decoded weight: subnormals, infinities and NaN included.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import mxfp4
import numpy as np
import pytest
from helpers import bits
from mxfp4 import Artifact, Layout, Problem, library, simulate
from mxfp4.compile import Compiler, CpuKernel
from mxfp4.formats import Quantized, bfloat16
from mxfp4.runtime import BAD_ID, UNSORTED

needs_both = pytest.mark.skipif(
    (library.find() is None or library.find_interpreter() is None)
    and os.environ.get("MXFP4_REQUIRE_LIBRARY") != "1",
    reason="libmxfp4.so or libmxfp4-sim.so was not built",
)
LAYOUTS = [Layout(o, s) for o in ("spread", "nibble") for s in ("folded", "raw")]


@cache
def schedules(*options: str) -> list[str]:
    """Every schedule that the chooser can return, as the compiler lists them."""
    tool = library.load()._name
    tool = tool.replace("/lib/libmxfp4.so", "/bin/mxfp4-compile")
    command = [tool, "--list-schedules", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def short(schedule: str) -> str:
    """A schedule in a few characters, for names of tests."""
    fields = re.findall(r"(\w+) = (\w+)", schedule)
    return "-".join(v if not v.isdigit() else k[0] + v for k, v in fields)


def tokens_of(schedule: str) -> int:
    """The most tokens of a tile."""
    found = re.search(r"\btokens = (\d+)", schedule)
    return int(found[1]) if found else 64


def slices_of(schedule: str) -> int:
    """K slices."""
    found = re.search(r"k_slices = (\d+)", schedule)
    return int(found[1]) if found else 1


def shares_unevenly(schedule: str) -> bool:
    """Whether a K slice may have a step more than another: if none overlaps decode."""
    return slices_of(schedule) > 1 and "overlap_decode = true" not in schedule


def shared_k(k: int, schedule: str) -> int:
    """K or the next like it, which as much of its last step is missing from, whose steps the K
    slices share.
    """
    stage = 128 if "wgmma_fp8" in schedule else 64
    step = stage * slices_of(schedule)
    shared = step * -(-k // step)
    return shared + stage * (shares_unevenly(schedule) and shared > step) - -k % stage


@cache
def compile_kernel(problem: Problem, options: str) -> Artifact:
    """A kernel, without the cache on disk."""
    with Compiler() as compiler:
        return compiler.compile(compiler.mlir(problem), options)


@cache
def specification(problem: Problem) -> CpuKernel:
    """The loops that say what the operation means."""
    with Compiler() as compiler:
        return compiler.jit(problem)


@dataclass(frozen=True)
class Case:
    """A launch.

    Attributes:
        problem: what the kernel is for.
        sizes: rows of each group.
        ids: expert of each group, or None.
        kind: of the data, see above.
        seed: of the data and of the interpreter.
    """

    problem: Problem
    sizes: tuple[int, ...]
    ids: tuple[int, ...] | None = None
    kind: str = "exact"
    seed: int = 1

    def offsets(self) -> np.ndarray:
        """i32 ``[G+1]``."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int32)

    def expert_ids(self) -> np.ndarray | None:
        """i32 ``[G]`` or None."""
        return None if self.ids is None else np.array(self.ids, np.int32)

    def weights(self) -> mxfp4.PackedWeights:
        """Packed in the problem's layout."""
        return _weights(self.problem, self.kind, self.seed)

    def activations(self) -> np.ndarray:
        """bf16 ``[R, K]``."""
        rng = np.random.default_rng([self.seed, 1])
        shape = (sum(self.sizes), self.problem.k)
        if self.kind == "exact":
            x = rng.integers(-4, 5, shape).astype(np.float32)
        else:
            x = np.zeros(shape, np.float32)
            places = rng.integers(0, shape[1], shape[0])
            x[np.arange(shape[0]), places] = rng.choice([-1, 1], shape[0])
        if self.ids is not None:
            x[np.repeat(np.array(self.ids) < 0, self.sizes)] = np.nan
        return x.astype(bfloat16)

    def expected(self) -> np.ndarray:
        """What the specification says."""
        return _expected(self)


@lru_cache(maxsize=64)
def _expected(case: Case) -> np.ndarray:
    run = specification(case.problem)
    return run(case.activations(), case.weights(), case.offsets(), case.expert_ids())


@cache
def _weights(problem: Problem, kind: str, seed: int) -> mxfp4.PackedWeights:
    rng = np.random.default_rng([seed, 2])
    shape = (problem.experts, problem.n, problem.k // 32)
    codes = rng.integers(0, 256, (*shape, 16), dtype=np.uint8)
    if kind == "exact":
        scales = rng.integers(124, 129, shape, dtype=np.uint8)
    else:
        top = 128 if problem.layout.scales == "folded" else 255
        scales = np.minimum(rng.integers(0, top + 1, shape, dtype=np.uint8), 250)
        small = rng.random(shape) < 0.2
        scales[small] = rng.integers(0, 3, np.count_nonzero(small))  # subnormal results
        if top == 255:
            # Infinities and NaN take whole rows with them: one in some rows is enough.
            rows = np.argwhere(rng.random(shape[:2]) < 0.2)
            places = rng.integers(0, shape[2], len(rows))
            scales[rows[:, 0], rows[:, 1], places] = rng.integers(251, 256, len(rows))
    padding = -problem.n % 64
    poison = 255 if problem.layout.scales == "raw" else 128
    codes = np.pad(codes, ((0, 0), (0, padding), (0, 0), (0, 0)), constant_values=0x77)
    scales = np.pad(scales, ((0, 0), (0, padding), (0, 0)), constant_values=poison)
    packed = mxfp4.pack(*Quantized(codes, scales), problem.layout)
    return replace(packed, n=problem.n)


def complaints(
    artifact: Artifact, case: Case, multiprocessors: int = 1, launches: int = 1,
    max_instructions: int = 100_000_000,
) -> list[str]:  # fmt: skip
    """What is wrong with a kernel on a case, hazards and values; empty if nothing is."""
    x, weights = case.activations(), case.weights()
    routing = (case.offsets(), case.expert_ids())
    run = simulate(
        artifact, x, weights, *routing, multiprocessors=multiprocessors, launches=launches,
        seed=case.seed, max_instructions=max_instructions,
    )  # fmt: skip
    said = [run.report(costs=False)] if not run.ok else []
    expected = case.expected()
    nan = np.isnan(expected.astype(np.float32))
    a, b = bits_of(run.y), bits_of(expected)
    wrong = np.where(nan, ~np.isnan(run.y.astype(np.float32)), a != b)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        said.append(
            f"{int(wrong.sum())} of {wrong.size} results are wrong, the first at row {row}, "
            f"column {column}: {run.y[row, column]} instead of {expected[row, column]}"
        )
    return [f"{case}:\n{text}" for text in said]


def refusal_complaints(
    artifact: Artifact, groups: int, max_instructions: int = 100_000_000
) -> list[str]:
    """What is wrong with how a kernel that takes ids meets bad offsets and ids."""
    m = artifact.manifest
    problem = Problem(m.experts, m.n, m.k, groups, m.layout, m.output, True)
    sizes, ids = np.arange(groups) % 3, np.arange(groups) % (m.experts + 1) - 1
    every = 4 if groups > 16 else 1  # of many groups most are empty: a tile of each takes long
    good: np.ndarray = ids
    said = []
    for place, value in ((groups // 2, m.experts), (groups - 1, -2), (0, 2**30)):
        ids = good.copy()
        ids[place] = value
        full = np.arange(groups) % every == place % every
        case = Case(problem, tuple(np.where(full, sizes + 1, 0)), tuple(ids))
        run = simulate(
            artifact, case.activations(), case.weights(), case.offsets(), case.expert_ids(),
            max_instructions=max_instructions,
        )  # fmt: skip
        kept = np.repeat((ids >= -1) & (ids < m.experts), case.sizes)
        said += [run.report(costs=False)] if run.findings else []
        if run.error != BAD_ID or (run.stored != kept[:, None]).any():
            said.append(f"ids {case.ids}: error word {run.error}, {int(run.stored.sum())} stored")
    case = Case(problem, tuple(sizes), tuple(good))
    right = case.offsets()
    for place, change in ((0, 1), (0, -1), (groups, 1), (groups, -1), (groups // 2, 9),
                          (groups // 2, -9), (1, 2**30), (groups - 1, -(2**30))):  # fmt: skip
        offsets = right.copy()
        offsets[place] += change
        run = simulate(
            artifact, case.activations(), case.weights(), offsets, case.expert_ids(),
            max_instructions=max_instructions,
        )  # fmt: skip
        said += [run.report(costs=False)] if run.findings else []
        if run.error != UNSORTED or run.stored.any():
            said.append(
                f"offsets[{place}] {change:+}: error word {run.error}, "
                f"{int(run.stored.sum())} stored"
            )
    return said


def bits_of(y: np.ndarray) -> np.ndarray:
    """Bit patterns; both zeros are one number."""
    with np.errstate(invalid="ignore"):
        y = np.where(y == 0, np.zeros_like(y), y)
    return y.view(np.uint32) if y.dtype == np.float32 else bits(y)


def hurting(schedule: str, layout: Layout, variant: int) -> list[Case]:
    """Shapes chosen to hurt: K an odd multiple of 32, N and groups with tails, empty experts at
    the start, the end and everywhere, one row, all rows in one expert, ids with -1 and repeats.
    """
    t = tokens_of(schedule)
    output = ("bf16", "f32")[variant % 2]
    short_k = Problem(3, 70, shared_k(96, schedule), None, layout, output)
    tall = Problem(2, 259, shared_k(1120, schedule), None, layout, ("f32", "bf16")[variant % 2])
    named = Problem(4, 65, shared_k(544, schedule), 6, layout, output, True)
    ids = (3, -1, 0, 0, -1, 2)
    stairs = Problem(2, 66, shared_k(96, schedule), t // 4, layout, output, True)
    # Every width of wgmma full, and with one token.
    steps = tuple(8 * (g // 2) + (1, 8)[g % 2] for g in range(t // 4))
    return [
        Case(short_k, (0, 1, 0)),
        Case(short_k, (t + 1, 0, t - 1), kind="single"),
        Case(short_k, (2, 3, 5), seed=2),
        Case(tall, (0, 2 * t + 1)),
        Case(tall, (t, 3), kind="single", seed=3),
        Case(named, (5, 7, 0, 1, 2, t + 9), ids),
        Case(named, (0, 3, 0, 0, 0, 0), ids, seed=2),
        Case(named, (0, 0, t // 2 + 1, t, 1, 0), ids, "single", 3),
        Case(stairs, steps, tuple(g % 2 for g in range(t // 4)), seed=4),
    ]
