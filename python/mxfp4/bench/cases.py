# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: gpt-oss expert layers, token counts and routings. Pure data; no GPU."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..problem import Problem
from ..wanted import PLACEMENTS, Wanted

LAYERS = {"gate_up": (5760, 2880), "down": (2880, 2880), "dense": (8192, 8192)}
"""(N, K) of a layer."""
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 8192)
TOP = 4


@dataclass(frozen=True)
class Case:
    """A layer of E experts that T tokens go through, each by its top 4 experts (or all, if fewer).

    Attributes:
        experts: E.
        layer: one of `LAYERS`.
        tokens: T.
        routing: "uniform" (random), "zipf" (the expert of rank i has a share of 1/i) or "one" (one
            expert has all rows).
    """

    experts: int
    layer: str
    tokens: int
    routing: str = "uniform"

    @property
    def problem(self) -> Problem:
        """The problem of its kernels, which do not know the routing."""
        return Problem(self.experts, *LAYERS[self.layer])

    @property
    def rows(self) -> int:
        """R: a row for each token and expert."""
        return self.tokens * min(TOP, self.experts)

    @property
    def launches(self) -> int:
        """Launches in a graph, each with other experts or other weights."""
        return 16 if self.tokens <= 256 else 8 if self.tokens <= 1024 else 4

    @property
    def flops(self) -> float:
        """Floating-point operations."""
        return 2.0 * self.rows * self.problem.n * self.problem.k

    def sizes(self) -> list[int]:
        """Rows of each expert; the same for the same case."""
        if self.routing == "one":
            return [self.rows] + [0] * (self.experts - 1)
        if self.routing == "zipf":
            return self._zipf()
        rng = random.Random(f"{self.experts}/{self.tokens}")
        sizes = [0] * self.experts
        for _ in range(self.tokens):
            for e in rng.sample(range(self.experts), min(TOP, self.experts)):
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

    def traffic(self, bits: float = 4.25) -> float:
        """Bytes that must move: weights of loaded experts, activations, results."""
        loaded = sum(s > 0 for s in self.sizes())
        n, k = self.problem.n, self.problem.k
        return loaded * n * k * bits / 8 + 2 * self.rows * (k + n)


def cases() -> list[Case]:
    """All cases: gpt-oss layers, uniform and skewed, and one expert alone."""
    layers = ("gate_up", "down")
    found = [Case(e, layer, t, how) for e in (32, 128) for layer in layers
             for how in ("uniform", "zipf") for t in TOKENS]  # fmt: skip
    found += [Case(1, layer, t) for layer in layers for t in (4096, 8192)]
    found += [Case(1, "dense", 8192)]
    few = ((32, 256), (32, 1024), (32, 4096), (128, 1024))
    return found + [Case(e, layer, t, "one") for layer in layers for e, t in few]


def wanted() -> list[Wanted]:
    """The kernels needed."""
    every = (Wanted(c.problem, p, c.rows) for p in PLACEMENTS for c in cases())
    return list(dict.fromkeys(every))
