# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels on the CPU for the checks of the verification: right ones, and ways to break them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from mxfp4 import Error, PackedWeights, fp8, fp8_reference, fp8_sums
from mxfp4.formats import bfloat16
from mxfp4.reference import check_routing, grouped_matmul


class NumpyKernel:
    """A kernel with the launcher's manners: right, unless ``damage`` changes what it stores."""

    artifact: Any = None

    def __init__(self, damage: Callable[[np.ndarray], None] | None = None, checks: bool = True):
        self.damage, self.checks, self.word, self.calls = damage, checks, 0, 0

    def error_word(self) -> int:
        """What launches found, and nothing from now on."""
        word, self.word = self.word, 0
        return word

    def multiply(self, x: Any, weights: PackedWeights, o: np.ndarray, ids: np.ndarray | None,
                 dtype: Any, operands: dict[str, Any]) -> np.ndarray:  # fmt: skip
        """What it stores."""
        import torch

        assert not operands
        host = dataclasses.replace(weights, data=weights.data.numpy())
        return grouped_matmul(x.view(torch.int16).numpy().view(bfloat16), host, o, ids, dtype)

    def __call__(
        self, x: Any, weights: PackedWeights, offsets: Any, out: Any, expert_ids: Any, **more: Any
    ) -> None:
        """Launch: rows of wrong offsets and ids are reported and not stored."""
        import torch

        self.calls += 1
        o = offsets.numpy()
        ids = None if expert_ids is None else expert_ids.numpy().copy()
        skipped = None
        if ids is not None:
            bad = (ids < -1) | (ids >= weights.experts)
            ids[bad] = -1
            if self.checks:
                skipped = np.flatnonzero(bad)
                self.word |= 2 * bool(bad.any())
        try:
            check_routing(len(x), weights.experts, o, ids)
        except Error:
            self.word |= 1
            if self.checks:
                return
            o = np.linspace(0, len(x), len(o)).astype(np.int32)
        narrow = out.dtype == torch.bfloat16
        y = self.multiply(x, weights, o, ids, bfloat16 if narrow else np.float32, more)
        target = out.view(torch.int16 if narrow else torch.int32).numpy()
        kept = {g: target[o[g] : o[g + 1]].copy() for g in (() if skipped is None else skipped)}
        target[...] = y.view(target.dtype)
        for g, before in kept.items():
            target[o[g] : o[g + 1]] = before
        if self.damage:
            self.damage(target)


class Fp8Kernel(NumpyKernel):
    """The same with activations in FP8, whose sums are the tensor cores'."""

    def __init__(self, accumulation: str, **options: Any) -> None:
        super().__init__(**options)
        self.accumulation = accumulation
        self.artifact: Any = SimpleNamespace(manifest=SimpleNamespace(schedule={}))

    def multiply(self, x: Any, weights: PackedWeights, o: np.ndarray, ids: np.ndarray | None,
                 dtype: Any, operands: dict[str, Any]) -> np.ndarray:  # fmt: skip
        """What it stores."""
        import torch

        powers, scales = (operands[f"epilogue{i}"].numpy() for i in (0, 1))
        host = dataclasses.replace(weights, data=weights.data.numpy(), powers=powers)
        codes = fp8.e4m3_values()[x.view(torch.uint8).numpy()]
        y = np.zeros((len(codes), weights.n), np.float32)
        for g, (begin, end) in enumerate(itertools.pairwise(o)):
            expert = g if ids is None else ids[g]
            if begin < end and expert >= 0:
                left = fp8_reference.left_of(host, expert)
                promotion = fp8_reference.PROMOTIONS[self.accumulation]
                sums = fp8_sums.matmul(codes[begin:end], left, promotion)
                with np.errstate(over="ignore"):
                    y[begin:end] = sums * scales[begin:end, None] * powers[expert]
        return y.astype(dtype)


def one_bit(target: np.ndarray) -> None:
    """Flip the lowest bit of one element."""
    target[3, 5] ^= 1


def zero(target: np.ndarray) -> None:
    """Lose the last element."""
    target[-1, -1] = 0


def nan(target: np.ndarray) -> None:
    """Turn one element into a NaN."""
    target[2, 2] = -1
