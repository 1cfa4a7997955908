# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Columns with activations in FP8: ours, cuBLAS's dense matmul, humming's grouped one.

All take rows that are in FP8 already. The tensor cores do not add FP8 products in f32
(docs/Numerics.md), so that results are compared with exact sums within what their accumulation may
lose, and all together by the root of their mean square.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from .._gpu import RawWeights, decode, error_bound, groups_of, take_row_powers
from ..fp8 import E4M3_LARGEST, LEAST_SCALE
from ..layout import FP8
from ..weights import PackedWeights

DENSE = {"dense fp8": False, "dense fp8 fast": True}
"""Columns of cuBLAS, and whether they accumulate fast."""

HUMMING = "humming fp8"

LOST = {"promoted512": 0.01, "fast": 0.03}
"""What a sum of 2048 products of both signs may lose, in units of the root of the sum of their
squares: three times the worst of 65,536 sums of an H100."""

_RMS = 0.004
"""Of all errors together, relative: twice that of rounding to bf16."""

_RMS_OF_CODES = 0.05
"""The same where rows were rounded to E4M3 by others."""


@dataclass
class Rows:
    """Activations in FP8: codes E4M3 ``[R, K]``, scales f32 ``[R]``."""

    codes: torch.Tensor
    scales: torch.Tensor

    @staticmethod
    def of(x: torch.Tensor) -> Rows:
        """`fp8.quantize_rows` of finite rows, in torch."""
        wide = x.float()
        scales = torch.clamp(wide.abs().amax(dim=1) / E4M3_LARGEST, min=LEAST_SCALE)
        return Rows((wide * (1 / scales)[:, None]).to(torch.float8_e4m3fn), scales)


class Weights:
    """The benchmark's weights for FP8; what only some columns need is made when it is asked for.

    Args:
        raw: the weights.
        copies: of packed weights.
    """

    def __init__(self, raw: RawWeights, copies: int) -> None:
        self.raw, self.copies = raw, copies
        self._packed: list[PackedWeights] = []
        self._e4m3: torch.Tensor | None = None

    def packed(self) -> list[PackedWeights]:
        """In our layout."""
        if not self._packed:
            first = self.raw.pack(FP8)
            rest = [replace(first, data=first.data.clone()) for _ in range(self.copies - 1)]
            self._packed = [first, *rest]
        return self._packed

    def left(self, expert: int) -> tuple[torch.Tensor, torch.Tensor]:
        """An expert's weights f64 ``[N, K]`` without the powers of their rows, and the powers."""
        scales, powers = take_row_powers(self.raw.blocks[expert], self.raw.scales[expert])
        return decode(self.raw.blocks[expert], scales, torch.float64), powers.double()

    def e4m3(self) -> torch.Tensor:
        """The same as E4M3 ``[E, N, K]``, which holds the benchmark's weights exactly."""
        if self._e4m3 is None:
            raw = self.raw
            self._e4m3 = torch.empty(
                (raw.experts, raw.n, raw.k), dtype=torch.float8_e4m3fn, device=raw.blocks.device
            )
            for e in range(raw.experts):
                self._e4m3[e] = self.left(e)[0].to(torch.float8_e4m3fn)
        return self._e4m3


def wrong(
    y: torch.Tensor, rows: Rows, weights: Weights, offsets: Sequence[int], accumulation: str
) -> str:  # fmt: skip
    """Check a result of ours: a sentence if it is wrong, else nothing.

    Args:
        y: bf16 ``[R, N]``.
        rows: the activations.
        weights: the weights.
        offsets: host numbers.
        accumulation: how sums were taken.
    """
    bad, squares, truth = 0, 0.0, 0.0
    k = weights.raw.k
    lost = LOST[accumulation] * max(1.0, (k / 2048) ** 0.5)
    for span, expert in groups_of(offsets, None, weights.raw.experts):
        left, powers = weights.left(expert)
        codes = rows.codes[span].double()
        factor = rows.scales[span, None].double() * powers[None]
        value = (codes @ left.T) * factor
        drift = lost * torch.sqrt((codes**2) @ (left**2).T) * factor
        off = y[span].double() - value
        bad += int((~(off.abs() <= error_bound(value, drift / (k * 2.0**-22), k, "bf16"))).sum())
        squares, truth = squares + float((off**2).sum()), truth + float((value**2).sum())
    if bad:
        return f"{bad} elements exceed what {accumulation} sums may lose"
    return _too_far(squares, truth, _RMS)


def _too_far(squares: float, truth: float, most: float) -> str:
    found = (squares / truth) ** 0.5 if truth else 0.0
    return "" if found <= most else f"the relative error is {found:.2e}, at most {most} is right"


def wrong_dense(y: torch.Tensor, rows: Rows, weights: Weights, expert: int) -> str:
    """Check ``codes @ weights`` of one expert, without scales."""
    truth = rows.codes.double() @ weights.left(expert)[0].T
    return _too_far(float(((y.double() - truth) ** 2).sum()), float((truth**2).sum()), _RMS)


def wrong_rounded(
    y: torch.Tensor, x: torch.Tensor, raw: RawWeights, offsets: Sequence[int]
) -> str:  # fmt: skip
    """Check a result whose rows were rounded to E4M3 by others."""
    squares, truth = 0.0, 0.0
    for span, expert in groups_of(offsets, None, raw.experts):
        value = x[span].double() @ raw.expert(expert, torch.float64).T
        squares += float(((y[span].double() - value) ** 2).sum())
        truth += float((value**2).sum())
    return _too_far(squares, truth, _RMS_OF_CODES)


def ours(
    kernel: Any, weights: Weights, rows: Rows, offsets: Sequence[torch.Tensor], out: torch.Tensor
) -> list[Callable[[], Any]]:  # fmt: skip
    """A launch for each route of one of our kernels."""

    def launch(i: int) -> Callable[[], Any]:
        packed = weights.packed()[i % weights.copies]
        return lambda: kernel(
            rows.codes, packed, offsets[i], out=out, epilogue0=packed.powers, epilogue1=rows.scales
        )

    return [launch(i) for i in range(len(offsets))]


def dense(
    weights: Weights, rows: Rows, out: torch.Tensor, count: int, fast: bool
) -> list[Callable[[], Any]]:  # fmt: skip
    """The same rows through one expert after the other, with nothing ragged about it."""
    w, one = weights.e4m3(), torch.ones((), device=rows.codes.device)
    return [
        partial(
            torch._scaled_mm, rows.codes, w[i % len(w)].T, one, one, out_dtype=out.dtype,
            use_fast_accum=fast, out=out,
        )
        for i in range(count)
    ]  # fmt: skip
