# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Activations and packed weights for kernels in FP8, and the sums that these must have."""

from __future__ import annotations

import mxfp4
import numpy as np
from mxfp4 import Artifact, PackedWeights, fp8_reference, simulate
from mxfp4.formats import bfloat16
from mxfp4.problem import Problem


def data(
    experts: int, n: int, k: int, rows: int, kind: str = "normal"
) -> tuple[np.ndarray, PackedWeights]:
    """Activations and weights, of both signs or of one, or small numbers whose sums are exact."""
    rng = np.random.default_rng(k + rows)
    x, w = rng.standard_normal((rows, k)), rng.standard_normal((experts, n, k))
    if kind == "same sign":
        x, w = np.abs(x), np.abs(w)
    if kind == "exact":
        x = rng.integers(-2, 3, (rows, k)).astype(np.float64)
        x[:, 0] = 448
        w = rng.choice([0.0, 0.0, 0.0, 0.5, -1.0], w.shape)
        w[:, :, 0] = 0
    w *= 2.0 ** rng.integers(-20, 20, (experts, n, 1))
    packed = mxfp4.pack(*mxfp4.quantize(w.astype(np.float32)), "fp8")
    return x.astype(np.float32).astype(bfloat16), packed


def offsets_of(sizes: tuple[int, ...]) -> np.ndarray:
    """The offsets of groups whose numbers of rows are `sizes`."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def check_sums(
    kernel: Artifact,
    problem: Problem,
    x: np.ndarray,
    weights: PackedWeights,
    offsets: np.ndarray,
    multiprocessors: int = 2,
) -> None:
    """A run in the interpreter has no hazard, and the bits of numpy's reference in f32."""
    run = simulate(kernel, x, weights, offsets, multiprocessors=multiprocessors)
    assert run.ok, run.report(costs=False)
    wanted = fp8_reference.grouped_matmul(
        x, weights, offsets, out_dtype=np.float32, accumulation=problem.accumulation
    )
    assert np.array_equal(run.y, wanted)
