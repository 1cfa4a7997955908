# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of JAX that name the grouped matmul, from their code to a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed; see tools/setup --models")

import mxfp4  # noqa: E402
from kernels import needs_both  # noqa: E402
from mxfp4 import Error, formats, reference  # noqa: E402
from mxfp4.integrations import jax as entry  # noqa: E402

E, N, K = 4, 96, 64


def operands(rows: int, seed: int = 3, experts: int = E) -> list[Any]:
    """x, codes, scales and offsets, of which all sums are exact in f32."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-4, 5, (rows, K)).astype(formats.bfloat16)
    codes = rng.integers(0, 256, (experts, N, K // 32, 16), np.uint8)
    scales = rng.integers(124, 129, (experts, N, K // 32)).astype(np.uint8)
    cuts = np.sort(rng.integers(0, rows + 1, E - 1))
    return [x, codes, scales, np.array([0, *cuts, rows], np.int32)]


def model(x: Any, codes: Any, scales: Any, offsets: Any) -> Any:
    return entry.grouped_matmul(x, codes, scales, offsets) * 2


def test_all_codes_and_scales_decode_exactly() -> None:
    scales = np.repeat(np.arange(256, dtype=np.uint8), 1)[:, None]
    codes = np.tile(np.arange(16, dtype=np.uint8) * 17, (256, 1, 1))
    w = np.asarray(entry.decode(jax.numpy.asarray(codes), jax.numpy.asarray(scales)))
    wanted = np.repeat(formats.decode_table(), 2, axis=1)
    assert (w.view(np.uint16) == wanted.view(np.uint16))[:255].all()
    assert np.isnan(w[255].astype(np.float32)).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("compiled", [False, True])
def test_jax_computes_what_is_specified(dtype: str, compiled: bool) -> None:
    x, codes, scales, offsets = operands(11)
    run = jax.jit(entry.grouped_matmul, static_argnames="dtype") if compiled else (
        entry.grouped_matmul)  # fmt: skip
    y = run(x, codes, scales, offsets, dtype=dtype)
    weights = mxfp4.pack(codes, scales)
    wanted = reference.grouped_matmul(x, weights, offsets, out_dtype=dtype)
    assert (np.asarray(y) == np.asarray(wanted)).all()


def test_ids_choose_experts() -> None:
    x, codes, scales, offsets = operands(9, experts=6)
    ids = np.array([5, -1, 0, 5], np.int32)
    y = jax.jit(entry.grouped_matmul)(x, codes, scales, offsets, ids)
    wanted = reference.grouped_matmul(x, mxfp4.pack(codes, scales), offsets, ids)
    assert (np.asarray(y) == np.asarray(wanted)).all()


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [
        (0, np.zeros((3, K), np.float32), "x must be bfloat16"),
        (0, np.zeros((3, K + 1), formats.bfloat16), r"x must be bfloat16 \[R, 64\]"),
        (1, np.zeros((E, N, 2, 8), np.uint8), "codes must be uint8"),
        (2, np.zeros((E, N, 3), np.uint8), r"scales must be uint8 \[4, 96, 2\]"),
        (3, np.zeros(E, np.int32), "offsets must be int32"),
    ],
)
def test_what_does_not_fit_is_refused(number: int, value: Any, text: str) -> None:
    given = operands(3)
    given[number] = value
    with pytest.raises(Error, match=text):
        entry.grouped_matmul(*given)
    with pytest.raises(Error, match="expert_ids must be"):
        entry.grouped_matmul(*operands(3), np.zeros(2, np.int32))
    with pytest.raises(Error, match="dtype must be"):
        entry.grouped_matmul(*operands(3), dtype="float16")


@needs_both
def test_a_program_becomes_kernels() -> None:
    """From a jitted function to PTX, and its kernel against what XLA computes of the program."""
    given = operands(20)
    assert "mxfp4.grouped_matmul" in entry.stablehlo(model, *given)
    (kernel,) = entry.compile_kernels(model, *given, options="rows-hint=20")
    assert kernel.ptx.count("mma") > 0
    x, codes, scales, offsets = given
    weights = mxfp4.pack(codes, scales, layout=kernel.manifest.layout)
    run = mxfp4.simulate(kernel, x, weights, offsets)
    y = np.asarray(jax.jit(model)(*given))
    assert (np.asarray(run.y).astype(np.float32) * 2 == y.astype(np.float32)).all()
    with pytest.raises(Error, match=r"calls no mxfp4\.integrations\.jax"):
        entry.compile_kernels(lambda x: x + 1, given[0])
