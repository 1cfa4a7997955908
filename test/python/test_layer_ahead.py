# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers whose `down` reads offsets and weights while gate_up still runs, on the interpreter."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from driver_memory import file
from interpreter import LET, WAIT
from kernels import needs_both
from layer_cases import Case, Fp8Case, check_close
from mxfp4 import Error, layer_steps
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import GPT_OSS, LayerSpec

__all__ = ["file"]  # a fixture

H200 = LayerSpec(8, 2, 512, 832, GPT_OSS, bias=True)
"""A layer whose `down` copies ahead on an H200."""


@needs_both
@pytest.mark.parametrize("tokens", [1, 5, 20])
def test_down_copies_weights_while_gate_up_multiplies(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    kernels = LayerKernels.compile(H200, tokens, device="h200")
    down = kernels.matmul("down", 2 * tokens).manifest
    assert down.raw["launch"]["ahead"] == ["offsets", "weights"]
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    case = Case(H200, tokens, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("accumulation", ["fast", "promoted512"])
@pytest.mark.parametrize("tokens", [1, 20])
def test_down_copies_weights_in_fp8_right_behind_gate_up(
    file: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    tokens: int,
    accumulation: str,
) -> None:
    """Not behind the kernel that rounds rows, which has a scale for each."""
    spec = dataclasses.replace(H200, inner=1664, activations="fp8", accumulation=accumulation)
    rows = LayerKernels.compile(spec, tokens, device="h200").matmul("down", 2 * tokens).manifest
    assert "ahead" not in rows.raw["launch"]
    spec = dataclasses.replace(spec, activation_scale="bound")
    kernels = LayerKernels.compile(spec, tokens, device="h200")
    down = kernels.matmul("down", 2 * tokens).manifest
    assert down.raw["launch"]["ahead"] == ["offsets", "weights"]
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    case = Fp8Case(spec, tokens, rng)
    check_close(case.run(file), case.truth())


@needs_both
def test_a_layer_whose_gate_up_lets_down_begin_at_once_is_found(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets would be read while the kernel that sorts may still write them."""
    kernels = LayerKernels.compile(H200, 1, device="h200")
    name = next(n for n in layer_steps.steps(H200, 1) if n.startswith("gate_up"))
    artifact = kernels.matmuls[name][0]
    pattern = re.compile(rf"{re.escape(WAIT)}\s+{re.escape(LET)}")
    assert len(pattern.findall(artifact.ptx)) == 1
    changed = dataclasses.replace(artifact, ptx=pattern.sub(f"{LET}\n{WAIT}", artifact.ptx))
    kernels.matmuls[name] = [changed]
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    with pytest.raises(Error, match="the interpreter found hazards"):
        Case(H200, 1, rng).run(file)
