# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What tests of layers share whose `down` begins while gate_up has not ended."""

from __future__ import annotations

import pytest
from mxfp4 import layer_spec, layer_steps
from mxfp4.layer_spec import GPT_OSS, LayerSpec

SPEC = LayerSpec(8, 2, 512, 832, GPT_OSS, bias=True)


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """`down` begins early from 65 tokens of two slots on, whatever the layer."""
    monkeypatch.setattr(layer_spec, "EARLY_EXPERTS", range(1, 129))
    monkeypatch.setattr(layer_steps, "EARLY_ROWS", 130)


@pytest.fixture
def brings(monkeypatch: pytest.MonkeyPatch) -> LayerSpec:
    """A layer of which a warp of gate_up brings rows from 200 tokens on."""
    monkeypatch.setattr(layer_steps, "BROUGHT_TOKENS", 200)
    monkeypatch.setattr(layer_steps, "BROUGHT_ROWS", 1)
    return LayerSpec(3, 2, 512, 96, GPT_OSS, bias=True)


BRINGS_EARLY = ["top_k", "sort", "gate_up_through_counted", "down_counted", "combine"]
