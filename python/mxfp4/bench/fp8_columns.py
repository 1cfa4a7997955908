# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Columns with activations in FP8, as `gpu.Bench` measures and checks them."""

from __future__ import annotations

from collections.abc import Callable

from ..runtime import Kernel
from ..wanted import Wanted
from . import fp8
from .cases import SUMS, in_fp8
from .gpu import Column, Inputs, Weights


def column(
    name: str, weights: Weights, inputs: Inputs, kernel: Callable[[Wanted], Kernel]
) -> Column:
    """The column of a name; ``kernel`` gives those of ours."""
    case = inputs.case
    if name == fp8.HUMMING:
        return humming_fp8(weights, inputs)
    if name in SUMS:
        wanted = Wanted(in_fp8(case.problem, name), "register", case.rows)
        return ours_fp8(kernel(wanted), weights, inputs)
    return dense_fp8(weights, inputs, fp8.DENSE[name])


def ours_fp8(kernel: Kernel, weights: Weights, inputs: Inputs) -> Column:
    """One of our kernels with activations in FP8."""
    rows, m = inputs.fp8(), kernel.manifest
    facts = {"schedule": dict(m.schedule), "resources": dict(m.resources)}
    launches = fp8.ours(kernel, weights.fp8, rows, inputs.offsets, inputs.y)

    def compare(route: int) -> str:
        return fp8.wrong(inputs.y, rows, weights.fp8, inputs.host[route], m.accumulation)

    return Column(launches, facts, kernel.check, compare=compare)


def dense_fp8(weights: Weights, inputs: Inputs, fast: bool) -> Column:
    """`dense_bf16` in FP8."""
    rows, count = inputs.fp8(), len(inputs.offsets)
    launches = fp8.dense(weights.fp8, rows, inputs.y, count, fast)

    def compare(route: int) -> str:
        return fp8.wrong_dense(inputs.y, rows, weights.fp8, route % weights.raw.experts)

    return Column(launches, compare=compare)


def humming_fp8(weights: Weights, inputs: Inputs) -> Column:
    """humming's kernels on rows that it has rounded to FP8."""
    from ._humming_fp8 import HummingFp8

    if weights.humming is None:
        weights.humming = HummingFp8(weights.raw, len(weights.packed))
    launches, told = weights.humming.launches(inputs.x, inputs.offsets, inputs.y)

    def compare(route: int) -> str:
        return fp8.wrong_rounded(inputs.y, inputs.x, weights.raw, inputs.host[route])

    return Column(launches, {"setting": told}, compare=compare)
