# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is measured: gpt-oss expert layers and token counts. Pure data; no GPU."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..compile import Problem
from ..wanted import PLACEMENTS, Wanted

K = 2880
LAYERS = {"gate_up": 5760, "down": 2880}
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 8192)
TOP = 4


@dataclass(frozen=True)
class Case:
    """A layer of E experts that T tokens go through, each by its top 4 experts.

    Attributes:
        experts: E.
        layer: "gate_up" (N = 5760) or "down" (N = 2880); K = 2880.
        tokens: T.
    """

    experts: int
    layer: str
    tokens: int

    @property
    def problem(self) -> Problem:
        """The problem of its kernels."""
        return Problem(self.experts, LAYERS[self.layer], K)

    @property
    def rows(self) -> int:
        """R: a row for each token and expert."""
        return self.tokens * TOP

    @property
    def launches(self) -> int:
        """Launches in a graph, each with other experts or other weights."""
        return 16 if self.tokens <= 256 else 8 if self.tokens <= 1024 else 4

    @property
    def flops(self) -> float:
        """Floating-point operations."""
        return 2.0 * self.rows * self.problem.n * K

    def sizes(self) -> list[int]:
        """Rows of each expert, by uniform random routing; the same for the same case."""
        rng = random.Random(f"{self.experts}/{self.tokens}")
        sizes = [0] * self.experts
        for _ in range(self.tokens):
            for e in rng.sample(range(self.experts), TOP):
                sizes[e] += 1
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
        weights = loaded * self.problem.n * K * bits / 8
        return weights + 2 * self.rows * (K + self.problem.n)


def cases() -> list[Case]:
    """All cases."""
    return [Case(e, layer, t) for e in (32, 128) for layer in LAYERS for t in TOKENS]


def wanted() -> list[Wanted]:
    """The kernels needed."""
    return [Wanted(c.problem, p, c.rows) for p in PLACEMENTS for c in cases()]
