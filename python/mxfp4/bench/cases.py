# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: layers, token counts and routings. Pure data; no GPU.

`cases` are gpt-oss expert layers; `shapes` makes cases of the shapes that a user names.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..layout import FP8
from ..problem import Problem
from ..wanted import PLACEMENTS, Wanted
from . import routing
from .gpt_oss import LAYERS, TOKENS, TOP

SUMS = {"fp8": "promoted512", "fp8 fast": "fast"}
"""Columns of ours with activations in FP8, and how they add."""

MOST_LAUNCHES = 16
"""In a graph; more copies of the weights than that are never read."""

LONGEST = 20 * 2**30
"""Bytes that more than two launches of a graph move together, at most: five milliseconds of an
H200's memory. In longer turns the clock falls to what a column's own power allows."""


@dataclass(frozen=True)
class Case:
    """A layer of E experts that T tokens go through, each by its top experts (or all, if fewer).

    Attributes:
        experts: E.
        layer: one of `LAYERS`, or the name of ``shape``.
        tokens: T.
        routing: "uniform" (random), "zipf" (the expert of rank i has a share of 1/i), "trained" (a
            model of trained routers, see `routing`), "one" (one expert has all rows) or "counts".
        top: experts of a token.
        shape: the problem, if it is not the layer of that name in `LAYERS`.
        counts: with routing "counts", the rows of each expert.
    """

    experts: int
    layer: str
    tokens: int
    routing: str = "uniform"
    top: int = TOP
    shape: Problem | None = None
    counts: tuple[int, ...] = ()

    @property
    def problem(self) -> Problem:
        """The problem of its kernels, which do not know the routing."""
        return self.shape or Problem(self.experts, *LAYERS[self.layer])

    @property
    def rows(self) -> int:
        """R: a row for each token and expert."""
        return sum(self.counts) if self.counts else self.tokens * min(self.top, self.experts)

    @property
    def launches(self) -> int:
        """Launches in a graph, each with other experts or other weights."""
        work = max(self.tokens, self.rows // TOP)
        most = MOST_LAUNCHES if work <= 256 else 8 if work <= 1024 else 4
        return max(2, min(most, int(LONGEST // self.traffic())))

    @property
    def flops(self) -> float:
        """Floating-point operations."""
        return 2.0 * self.rows * self.problem.n * self.problem.k

    def sizes(self) -> list[int]:
        """Rows of each expert; the same for the same case."""
        if self.counts:
            return list(self.counts)
        if self.routing == "one":
            return [self.rows] + [0] * (self.experts - 1)
        if self.routing == "zipf":
            return self._zipf()
        if self.routing == "trained":
            return routing.sizes(self.tokens, self.experts, min(self.top, self.experts))
        rng = random.Random(f"{self.experts}/{self.tokens}")
        sizes = [0] * self.experts
        for _ in range(self.tokens):
            for e in rng.sample(range(self.experts), min(self.top, self.experts)):
                sizes[e] += 1
        return sizes

    def _zipf(self) -> list[int]:
        """Shares of 1/rank, rounded down; what is left goes to the first."""
        total = sum(1 / rank for rank in range(1, self.experts + 1))
        sizes = [int(self.rows / rank / total) for rank in range(1, self.experts + 1)]
        sizes[0] += self.rows - sum(sizes)
        return sizes

    def routes(self) -> list[list[int]]:
        """Sizes for each launch of a graph: the same loads, moved on to other experts.

        The loaded experts of one launch are followed by those that were idle for longest, so that
        few tokens do not find their weights in the cache.
        """
        order = list(range(self.experts))
        random.Random(self.experts).shuffle(order)
        loads = [s for s in self.sizes() if s]
        found = []
        for i in range(self.launches):
            sizes = [0] * self.experts
            for j, load in enumerate(loads):
                sizes[order[(i * len(loads) + j) % self.experts]] = load
            found.append(sizes)
        return found

    def rotated(self, copies: int) -> float:
        """Bytes of packed weights that a graph reads before it reads the same again."""
        read = {(i % copies, e) for i, sizes in enumerate(self.routes())
                for e, size in enumerate(sizes) if size}  # fmt: skip
        return len(read) * self.problem.n * self.problem.k * 4.25 / 8

    def traffic(self, bits: float = 4.25) -> float:
        """Bytes that must move: weights of loaded experts, activations, results."""
        loaded = sum(s > 0 for s in self.sizes())
        n, k = self.problem.n, self.problem.k
        return loaded * n * k * bits / 8 + 2 * self.rows * (k + n)


def cases(tokens: Sequence[int] = (), trained: bool = False) -> list[Case]:
    """All gpt-oss cases: uniform and skewed, and one expert alone.

    Args:
        tokens: only these token counts, which need not be those of `TOKENS`.
        trained: the routing of trained routers, too.
    """
    layers = ("gate_up", "down")
    routings = ("uniform", "zipf", *(["trained"] if trained else []))
    found = [Case(e, layer, t, how) for e in (32, 128) for layer in layers
             for how in routings for t in tokens or TOKENS]  # fmt: skip
    more = [Case(1, layer, t) for layer in layers for t in (4096, 8192)]
    more += [Case(1, "dense", 8192)]
    few = ((32, 256), (32, 1024), (32, 4096), (128, 1024))
    more += [Case(e, layer, t, "one") for layer in layers for e, t in few]
    return found + [c for c in more if not tokens or c.tokens in tokens]


def in_fp8(problem: Problem, column: str) -> Problem:
    """What the kernels of one of our columns in FP8 compute."""
    return replace(problem, layout=FP8, accumulation=SUMS[column])


def wanted(which: Sequence[Case] = (), fp8: bool = False) -> list[Wanted]:
    """The kernels that cases need: all gpt-oss ones, if none are given; with those in FP8."""
    chosen = which or cases()
    every = [Wanted(c.problem, p, c.rows) for p in PLACEMENTS for c in chosen]
    for column in SUMS if fp8 else ():
        every += [Wanted(in_fp8(c.problem, column), "register", c.rows) for c in chosen]
    return list(dict.fromkeys(every))
