# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole layers in the interpreter, by the function that users call."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver_memory import file
from kernels import needs_both
from layer_cases import Case, check_close
from mxfp4 import Error, library, pack, quantize
from mxfp4.formats import bfloat16
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_simulator import simulate_layer
from mxfp4.layer_spec import GPT_OSS, LayerSpec
from test_launches_ahead import WAIT

__all__ = ["file"]  # a fixture: the interpreter's driver

SPEC = LayerSpec(8, 2, 64, 96, GPT_OSS)
KINDS = {
    "bf16": SPEC,
    "all operands": LayerSpec(8, 2, 64, 96, GPT_OSS, bias=True, scoring="sigmoid", logits="f32",
                              correction=True),
    "fp8": dataclasses.replace(SPEC, bias=True, activations="fp8"),
}  # fmt: skip


@pytest.fixture
def case(rng: np.random.Generator) -> Case:
    return Case(SPEC, 5, rng)


@needs_both
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [0, 3, 20])
def test_a_layer_is_what_numpy_says(
    file: Path, rng: np.random.Generator, kind: str, tokens: int
) -> None:
    spec = KINDS[kind]
    c = Case(spec, tokens, rng)
    if spec.activations == "fp8":
        weights = [pack(*quantize(rng.standard_normal((8, n, k), np.float32) / 8), "fp8")
                   for n, k in ((192, 64), (64, 96))]  # fmt: skip
        c.gate_up, c.down = weights
    kernels = LayerKernels(spec, lazy=True)
    got = simulate_layer(kernels, c.x, c.logits, c.gate_up, c.down, **c.own)
    assert (got.shape, got.dtype) == ((tokens, 64), bfloat16)
    if tokens:
        check_close(got, c.truth())


@needs_both
def test_a_read_between_kernels_is_a_hazard(file: Path, case: Case) -> None:
    """A matmul that does not wait for the kernel ahead, whose rows it reads."""
    kernels = LayerKernels.compile(SPEC, 5)
    (artifact,) = kernels.matmuls["down"]
    assert artifact.ptx.count(WAIT) == 1
    kernels.matmuls["down"] = [dataclasses.replace(artifact, ptx=artifact.ptx.replace(WAIT, ""))]
    with pytest.raises(Error, match="the interpreter found hazards"):
        simulate_layer(kernels, case.x, case.logits, case.gate_up, case.down)


@needs_both
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"x": np.zeros((5, 64), np.float32)}, r"x must be bfloat16 \[5, 64\], got float32"),
        ({"x": 3}, "x must be"),
        ({"x": [[1, 2], [3]]}, "x must be a numpy array, got "),
        ({"logits": object()}, "logits must be"),
        ({"logits": np.zeros((4, 8), bfloat16)}, r"logits must be bfloat16 \[5, 8\], got bfloat16"),
        ({"gate_up_bias": np.zeros((8, 192), bfloat16)}, "this layer takes no gate_up_bias"),
        ({"spec": KINDS["all operands"], "logits": np.zeros((5, 8), np.float32)},
         "this layer takes gate_up_bias, which is missing"),
        ({"swap": True}, "gate_up must have E, N, K = 8, 192, 64 and the layout"),
        ({"spec": KINDS["fp8"], "own": True}, "gate_up must have E, N, K"),
    ],
)  # fmt: skip
def test_what_does_not_fit(case: Case, changes: dict[str, Any], says: str) -> None:
    spec = changes.pop("spec", SPEC)
    weights = [case.gate_up, case.down]
    if changes.pop("swap", False):
        weights.reverse()
    given: dict[str, Any] = {"x": case.x, "logits": case.logits}
    if changes.pop("own", False):
        given |= {"gate_up_bias": np.zeros((8, 192), bfloat16),
                  "down_bias": np.zeros((8, 64), bfloat16)}  # fmt: skip
    with pytest.raises(Error, match=says):
        simulate_layer(LayerKernels(spec), gate_up=weights[0], down=weights[1], **given | changes)


def test_without_the_interpreter(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = (LayerKernels(SPEC), case.x, case.logits, case.gate_up, case.down)
    monkeypatch.setattr(library, "find_interpreter", lambda: None)
    with pytest.raises(Error, match="the PTX interpreter was not found"):
        simulate_layer(*given)
    monkeypatch.setattr(library, "find_interpreter", lambda: tmp_path / "libmxfp4-sim.so")
    with pytest.raises(Error, match=r"libmxfp4-sim-cuda\.so was not found beside"):
        simulate_layer(*given)
