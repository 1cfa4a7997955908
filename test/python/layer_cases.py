# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers with random weights, run on the interpreter; what several tests of layers share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import mxfp4
import numpy as np
from helpers import random_weights
from mxfp4 import fp8_reference, layer_reference, routing
from mxfp4._runtime_library import NativeDriver
from mxfp4._sim_cuda import run_layer
from mxfp4.activation import KIMI_K3
from mxfp4.formats import bfloat16
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_plan import LayerRunner
from mxfp4.layer_reference import activate, between
from mxfp4.layer_spec import GPT_OSS, Activation, LayerSpec
from mxfp4.layer_steps import Source

SMALL = LayerSpec(8, 2, 64, 96, GPT_OSS)
FEW, MORE = 5, 20  # tokens: at most and more than FEW_ROWS rows
ACTIVATIONS = {
    "gpt_oss": GPT_OSS,
    "silu": Activation("swiglu"),
    "silu_limit": Activation("swiglu", limit=1.5),
    "geglu_tanh": Activation("geglu_tanh"),
    "geglu_tanh_limit": Activation("geglu_tanh", limit=1.5),
    "situ": KIMI_K3,
    "situ_limit": Activation("situ", beta=0.75, limit=1.5),
    "situ_narrow": Activation("situ", beta=0.5, linear_beta=0.25),
    "relu2": Activation("relu2"),
    "relu2_limit": Activation("relu2", limit=1.5),
}


@cache
def lazy(spec: LayerSpec) -> LayerKernels:
    """Kernels that are compiled when a test needs them."""
    return LayerKernels(spec, lazy=True)


class Case:
    """Random weights, hidden states and logits of a layer."""

    def __init__(self, spec: LayerSpec, tokens: int, rng: np.random.Generator) -> None:
        self.spec, self.tokens = spec, tokens
        e = spec.experts
        self.gate_up = mxfp4.pack(*random_weights(rng, e, spec.columns, spec.hidden, 120, 124))
        self.down = mxfp4.pack(*random_weights(rng, e, spec.hidden, spec.inner, 120, 124))
        self.x = rng.standard_normal((tokens, spec.hidden)).astype(bfloat16)
        # All logits of a token are apart, and so are their scores.
        order = np.array([rng.permutation(e) for _ in range(tokens)]).reshape(tokens, e)
        logits = (order * (8.0 / e) - 4).astype(np.float32)
        self.logits = logits.astype(bfloat16 if spec.logits == "bf16" else np.float32)
        bias = rng.standard_normal((e, spec.columns + spec.hidden)).astype(bfloat16)
        self.own: dict[str, Any] = {}
        if spec.bias:
            self.own["gate_up_bias"] = np.ascontiguousarray(bias[:, : spec.columns])
            self.own["down_bias"] = np.ascontiguousarray(bias[:, spec.columns :])
        if spec.correction:
            self.own["correction"] = rng.permutation(e).astype(np.float32) / 8

    def truth(self) -> np.ndarray:
        """Of the router's logits."""
        s = self.spec
        return layer_reference.layer(s, self.x, self.logits, self.gate_up, self.down, **self.own)

    def truth_of(self, ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Of experts that the caller brings."""
        own = {name: a for name, a in self.own.items() if name != "correction"}
        return layer_reference.experts(
            self.spec, self.x, ids, weights, self.gate_up, self.down, **own
        )

    def run(self, file: Path, source: Source = "logits", **given: np.ndarray) -> np.ndarray:
        """On the interpreter."""
        runner = LayerRunner(lazy(self.spec), 0, NativeDriver(str(file)))
        plan = runner.plan(self.tokens, source)
        arrays = {"x": self.x, "logits": self.logits, "gate_up": self.gate_up.data,
                  "down": self.down.data, **self.own, **given,
                  "counting": np.arange(plan.counted, dtype=np.int32)}  # fmt: skip
        used = {name: a for name, a in arrays.items() if a.size}
        return run_layer(file, runner, plan, used, (self.tokens, self.spec.hidden))

    def check_given(self, file: Path, rng: np.random.Generator, missing: float) -> None:
        """Experts that the caller brings, of which a part is missing."""
        s = self.spec
        ids = np.array(
            [rng.permutation(s.experts)[: s.slots] for _ in range(self.tokens)], np.int32
        )
        ids[rng.random(ids.shape) < missing] = -1
        gates = rng.random(ids.shape).astype(np.float32)
        wanted = self.truth_of(ids, gates)
        sources: list[Source] = ["some ids"] if missing else ["ids", "some ids"]
        for source in sources:
            got = self.run(file, source, given_ids=ids, gates=gates)
            if (ids >= 0).any():
                check_close(got, wanted)
            assert not got[(ids < 0).all(axis=1)].astype(np.float32).any()


class Fp8Case(Case):
    """With weights packed for FP8."""

    def __init__(self, spec: LayerSpec, tokens: int, rng: np.random.Generator) -> None:
        super().__init__(spec, tokens, rng)
        e = spec.experts
        gate_up = random_weights(rng, e, spec.columns, spec.hidden, 120, 124)
        self.gate_up = mxfp4.pack(*gate_up, "fp8")
        self.down = mxfp4.pack(*random_weights(rng, e, spec.hidden, spec.inner, 120, 124), "fp8")
        self.own |= {"gate_up_powers": self.gate_up.powers, "down_powers": self.down.powers}

    def truth_of(self, ids: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """With the sums of the tensor cores in f32, as kernels have them, and the activation in
        f64: rounding rows to FP8 takes what is near for what is equal."""
        spec, own = self.spec, self.own
        sorted_ = routing.sort_by_expert(ids, spec.experts)
        tokens, offsets = sorted_.tokens, sorted_.offsets
        used = int(offsets[-1])

        def matmul(rows: Any, packed: mxfp4.PackedWeights, bias: str) -> np.ndarray:
            sums = fp8_reference.grouped_matmul(
                rows, packed, offsets, None, np.float32, spec.accumulation
            )
            if spec.bias:
                groups = np.repeat(np.arange(spec.experts), np.diff(offsets))
                sums = sums + own[bias][groups].astype(np.float32)
            return sums

        sums = matmul(self.x[tokens[:used]], self.gate_up, "gate_up_bias").astype(np.float64)
        inner = between(spec, activate(spec.activation, sums))
        y = np.zeros((ids.size, spec.hidden), bfloat16)
        y[:used] = matmul(inner, self.down, "down_bias").astype(bfloat16)
        return routing.combine(y, sorted_.positions, weights)

    def truth(self) -> np.ndarray:
        """Of the router's logits."""
        s = self.spec
        ids, weights = routing.top_k(
            self.logits, s.slots, s.scoring, self.own.get("correction"), s.renormalize, s.scale
        )
        return self.truth_of(ids, weights.astype(np.float32))


def check_close(got: np.ndarray, wanted: np.ndarray) -> None:
    """Within some roundings to bf16 of what is between."""
    wide, true = got.astype(np.float64), wanted.astype(np.float64)
    assert np.isfinite(true).all()
    assert true.any()
    scale = np.abs(true).max(axis=1, keepdims=True)
    assert (np.abs(wide - true) <= 2**-6 * scale).all(), np.abs(wide - true).max() / scale.max()
