# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of a layer as a chain, launched by the library on the interpreter as a driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import routing_cases as cases
from driver_memory import file
from fused import Data, Form, compiled
from kernels import needs_both
from mxfp4 import Compiler, routing
from mxfp4._runtime_library import NativeDriver
from mxfp4._sim_cuda import Memory
from mxfp4.chain import Chain
from mxfp4.formats import bfloat16
from mxfp4.loaded import LoadedKernel
from routing_cases import TopK

pytestmark = needs_both
__all__ = ["file"]  # a fixture
DTYPES = {"f32": np.float32, "i32": np.int32}


@pytest.mark.parametrize("tokens", [1, 65, 300])
def test_top_k_and_sort(file: Path, tokens: int, rng: np.random.Generator) -> None:
    case = TopK(32, 4, renormalize=True, dtype="f32")
    with Compiler() as compiler:
        artifacts = [
            compiler.compile_routing(cases.top_k_mlir(case, counts=True), ""),
            compiler.compile_routing(cases.sort_mlir(case.experts, case.slots, counts=True), ""),
        ]
    driver = NativeDriver(str(file))
    kernels = [LoadedKernel(artifact, driver) for artifact in artifacts]
    chain = Chain(kernels)
    values = [0] * chain.size
    with Memory(file) as memory:
        arrays: dict[str, np.ndarray] = {}
        for number, kernel in enumerate(kernels):
            for argument in kernel.manifest.arguments:
                if argument.provider != "caller":
                    continue
                # The second kernel reads what the first has stored, by the same names.
                if argument.name not in arrays:
                    shape = argument.shape_for(tokens)
                    arrays[argument.name] = memory.array(shape, DTYPES[argument.dtype])
                place = chain.place(number, argument.name)
                values[place] = arrays[argument.name].ctypes.data
        arrays["logits"][:] = cases.logits(rng, tokens, case)
        chain.launch([tokens, tokens], values, 0)
        ids, weights = routing.top_k(
            arrays["logits"], case.slots, case.scoring, None, case.renormalize, case.scale
        )
        assert np.array_equal(arrays["ids"], ids)
        cases.check_weights(arrays["weights"], weights)
        wanted = routing.sort_by_expert(ids, case.experts)
        for name in ("offsets", "tokens", "positions"):
            assert np.array_equal(arrays[name].ravel(), getattr(wanted, name).ravel()), name
        assert [kernel.error_word() for kernel in kernels] == [0, 0]


def test_a_layer(file: Path, rng: np.random.Generator) -> None:
    """Route, gate_up of gathered rows, down and combine, each on what the one before stored."""
    tokens, case = 12, TopK(3, 2, renormalize=True)
    rows, hidden, inner = tokens * case.slots, 192, 128
    up, down = Form(n=inner, k=hidden, gather=True), Form(n=hidden, k=inner)
    first, second = Data.random(up, [tokens] * 2), Data.random(down, [rows], seed=2)
    with Compiler() as compiler:
        route = compiler.compile_routing(cases.top_k_mlir(case, sort=True), "rows-hint=16")
        combine = compiler.compile_routing(cases.combine_mlir(case.slots, hidden), "")
    artifacts = [route, compiled(up, ""), compiled(down, ""), combine]
    driver = NativeDriver(str(file))
    chain = Chain([LoadedKernel(artifact, driver) for artifact in artifacts])
    with Memory(file) as memory:
        logits = memory.copy(cases.logits(rng, tokens, case))
        x = memory.copy(rng.integers(-4, 5, (tokens, hidden)).astype(bfloat16))
        up_weights, down_weights = (memory.copy(d.weights.data) for d in (first, second))
        ids, positions = (memory.array((tokens, case.slots), np.int32) for _ in range(2))
        weights = memory.array((tokens, case.slots), np.float32)
        offsets, sources = memory.array((4,), np.int32), memory.array((rows,), np.int32)
        h, y = memory.array((rows, inner), bfloat16), memory.array((rows, hidden), bfloat16)
        out = memory.array((tokens, hidden), bfloat16)
        given: list[dict[str, Any]] = [
            {"logits": logits, "ids": ids, "weights": weights, "offsets": offsets,
             "tokens": sources, "positions": positions},
            {"x": x, "gather": sources, "x_rows": tokens, "weights": up_weights,
             "offsets": offsets, "y": h},
            {"x": h, "weights": down_weights, "offsets": offsets, "y": y},
            {"y": y, "positions": positions, "weights": weights, "out": out},
        ]  # fmt: skip
        values = [0] * chain.size
        for number, arguments in enumerate(given):
            for name, value in arguments.items():
                is_array = isinstance(value, np.ndarray)
                values[chain.place(number, name)] = value.ctypes.data if is_array else value
        chain.launch([tokens, rows, rows, tokens], values, 0)
        wanted_ids, _ = routing.top_k(logits, case.slots, case.scoring, None, True, case.scale)
        assert np.array_equal(ids, wanted_ids)
        sums = np.zeros((rows, inner), np.float32)
        wanted_y = np.zeros((rows, hidden), np.float32)
        for e in range(case.experts):
            span = slice(offsets[e], offsets[e + 1])
            w = first.weights.decode(e).astype(np.float32)
            sums[span] = x[sources[span]].astype(np.float32) @ w.T
            w = second.weights.decode(e).astype(np.float32)
            wanted_y[span] = h[span].astype(np.float32) @ w.T
        assert np.array_equal(h, sums.astype(bfloat16))
        scale = np.abs(wanted_y).max()
        assert np.allclose(y.astype(np.float32), wanted_y, rtol=2**-7, atol=2**-16 * scale)
        assert np.array_equal(out, routing.combine(y, positions, weights))
