# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Data of the verification for kernels with activations in FP8, and what is right of these.

The sums of FP8 products lose bits (docs/Numerics.md). Where 13 bits hold every sum, results must be
those of the definition, bit for bit. Other sums have a bound, which follows from how the tensor
cores cut; and of kernels whose sums are one chain over K, some elements must be those of the model
of the tensor cores (`fp8_sums`), bit for bit.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from .. import fp8_sums
from .._gpu import DEVICE, RawWeights, byte_tensor, decode, groups_of, rounding_bound
from ..artifact import Artifact
from ..fp8 import e4m3_values
from ..fp8_reference import PROMOTIONS, drift_of
from ..layout import pack_expert
from ..layout_bytes import SPAN
from ..layout_bytes import take_row_powers as numpy_row_powers
from ..problem import Problem
from ..torch_pack import take_row_powers
from .gpu import Data, Rows

_LEAST_NORMAL = 2.0**-6
"""Of E4M3: the exponent of smaller values counts as that of this one."""

_SAMPLE = (4, 48)
"""Rows and columns of a group that are compared with the model."""


class Fp8Data(Data):
    """Weights and activations of one kind for a problem with activations in FP8.

    Kinds: "exact" (13 bits hold all partial sums), "random", "same sign" (random, all positive),
    "single" (one nonzero activation per row, and scales in each row of weights as far apart as the
    layout allows, over the whole range: a result is one decoded weight).
    """

    def __init__(self, problem: Problem, kind: str, guards: bool = True) -> None:
        super().__init__(problem, kind, guards)
        assert self.packed.powers is not None
        self.operands = {"epilogue0": self.place(self.packed.powers)}
        self.packed = dataclasses.replace(self.packed, powers=self.operands["epilogue0"])
        self._values = byte_tensor(e4m3_values().copy())

    @staticmethod
    def kinds(problem: Problem) -> list[str]:
        """All."""
        return ["exact", "random", "same sign", "single"]

    def _weights(self) -> RawWeights:
        p, kind = self.problem, self.kind
        shape = (p.experts, p.n, p.k // 32)
        blocks = self._ints(0, 255, (*shape, 16))
        low, spread = {"exact": (127, 1), "single": (0, SPAN)}.get(kind, (118, 10))
        scales = low + self._ints(0, spread, shape).int()
        if kind == "exact":
            # Few numbers, whatever the power of a row.
            few = self._ints(0, 3, (*shape, 16)) == 0
            blocks &= torch.where(few, 0xFF, 0).to(torch.uint8)
        if kind == "same sign":
            blocks &= 0x77
        base = {"exact": (-60, 60), "single": (0, 254 - SPAN)}.get(kind, (0, 0))
        bases = base[0] + self._ints(0, base[1] - base[0], (*shape[:2], 1)).int()
        bases[0, 0], bases[-1, -1] = base
        return RawWeights(blocks, (scales + bases).to(torch.uint8))

    def activations(self, rows: int) -> Rows:
        """E4M3 ``[rows, K]`` and the scales of rows, fresh random values, guarded."""
        k = self.problem.k
        if self.kind == "exact":
            x = torch.randint(-2, 3, (rows, k), device=DEVICE, generator=self._random).float()
        elif self.kind == "single":
            x = torch.zeros((rows, k), device=DEVICE)
            at = torch.randint(0, k, (rows, 1), device=DEVICE, generator=self._random)
            x.scatter_(1, at, 1.0)
        else:
            x = torch.randn((rows, k), device=DEVICE, generator=self._random) * 32
            x = x.abs() if self.kind == "same sign" else x
        codes = x.to(torch.float8_e4m3fn).view(torch.uint8)
        there = self.place(codes).view(torch.float8_e4m3fn)  # between guards of 0xFF, a NaN
        exponents = torch.randint(-9, 10, (rows,), device=DEVICE, generator=self._random)
        scales = torch.ldexp(torch.ones((rows,), device=DEVICE), exponents)
        if self.kind == "exact":
            scales *= 1 + 2 * (exponents % 2)  # 1 or 3 times a power of two
        elif self.kind == "single":
            scales = torch.ones_like(scales)
        else:
            scales *= 1 + torch.rand((rows,), device=DEVICE, generator=self._random)
        return Rows(there, {"epilogue1": self.place(scales)})

    def left(self, expert: int) -> torch.Tensor:
        """Exact weights ``[N, K]`` without the powers of their rows, f64."""
        blocks = self.raw.blocks[expert]
        reduced, _ = take_row_powers(blocks, self.raw.scales[expert])
        return decode(blocks, reduced, torch.float64)

    def packer_problems(self) -> list[str]:
        """Whether the numpy packer gives the same bytes for the first and last expert."""
        found = []
        assert self.packed.powers is not None
        for e in {0, self.problem.experts - 1}:
            blocks = self.raw.blocks[e].cpu().numpy()
            reduced, powers = numpy_row_powers(blocks, self.raw.scales[e].cpu().numpy())
            host = pack_expert(blocks, reduced, self.problem.layout)
            if not np.array_equal(host, self.packed.data[e].cpu().numpy()):
                found.append(f"expert {e}: the numpy packer and the torch packer differ")
            if not np.array_equal(powers, self.packed.powers[e].cpu().numpy()):
                found.append(f"expert {e}: the powers of rows of numpy and of torch differ")
        return found

    def compare(
        self, y: torch.Tensor, rows: Rows, offsets: list[int], ids: tuple[int, ...] | None,
        artifact: Artifact | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """As `_gpu.compare`; and "other sums": elements that are not those of the model."""
        p, found = self.problem, {"wrong": 0, "worst": 0.0, "nonfinite": 0, "other sums": 0}
        is_chain = artifact is not None and artifact.manifest.schedule.get("k_slices", 1) == 1
        codes = self._values[rows.x.view(torch.uint8).long()]
        for span, expert in groups_of(offsets, ids, p.experts):
            if expert < 0:
                found["wrong"] += int((y[span] != 0).sum())
                continue
            x, w = codes[span], self.left(expert)
            scales, powers = rows.operands["epilogue1"][span, None], self._powers(expert)
            sums = x @ w.T
            if self.is_exact:
                wanted = _scaled(sums, scales, powers, y.dtype)
                found["wrong"] += int((y[span] != wanted).sum())
                continue
            share = self._share(y[span], sums, x, w, scales.double() * powers.double())
            found["wrong"] += int((~(share <= 1)).sum())
            worst = float(torch.nan_to_num(share, nan=float("inf")).max())
            found["worst"] = max(found["worst"], worst)
            if is_chain:
                found["other sums"] += self._other_sums(y[span], x, w, scales, powers)
        return found

    def _powers(self, expert: int) -> torch.Tensor:
        assert self.packed.powers is not None
        powers: torch.Tensor = self.packed.powers[expert]
        return powers[None, :]

    def _share(
        self, y: torch.Tensor, sums: torch.Tensor, x: torch.Tensor, w: torch.Tensor,
        factors: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        """Errors as a share of their bounds."""
        magnitudes = torch.where(x == 0, x, x.abs().clamp(min=_LEAST_NORMAL))
        absolute = (magnitudes @ w.abs().T) * factors
        drift = drift_of(self.problem.k, self.problem.accumulation) * absolute
        value = sums * factors
        return (y.double() - value).abs() / rounding_bound(value, drift, self.problem.output)

    def _other_sums(
        self, y: torch.Tensor, x: torch.Tensor, w: torch.Tensor, scales: torch.Tensor,
        powers: torch.Tensor,
    ) -> int:  # fmt: skip
        """Of a sample, how many elements are not what the model of the tensor cores gives."""
        rows, columns = (slice(max(0, have - most), have)
                         for have, most in zip(y.shape, _SAMPLE, strict=True))  # fmt: skip
        promotion = PROMOTIONS[self.problem.accumulation]
        sums = fp8_sums.matmul(x[rows].cpu().numpy(), w[columns].cpu().numpy(), promotion)
        given = torch.from_numpy(sums).to(y.device)
        wanted = _scaled(given, scales[rows], powers[:, columns], y.dtype)
        return int((y[rows, columns] != wanted).sum())


def _scaled(
    sums: torch.Tensor, scales: torch.Tensor, powers: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """What the epilogue makes of sums: rounded ahead of the product with the powers."""
    return (sums.float() * scales).to(dtype) * powers.to(dtype)


def data_for(problem: Problem, kind: str, guards: bool = True) -> Data:
    """Data of a kind that the problem has."""
    return (Fp8Data if problem.activations == "fp8" else Data)(problem, kind, guards)


def kinds_of(problem: Problem) -> list[str]:
    """Of data for a problem."""
    return (Fp8Data if problem.activations == "fp8" else Data).kinds(problem)
