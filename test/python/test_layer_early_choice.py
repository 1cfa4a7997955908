# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kernels a layer takes where `down` may begin while gate_up has not ended."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import pytest
from early_layers import BRINGS_EARLY, SPEC, brings, early
from kernels import needs_both
from mxfp4 import layer_spec, layer_steps
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import LayerSpec
from mxfp4.layer_steps import Source, steps

__all__ = ["brings", "early"]  # fixtures


@needs_both
def test_kernels_of_which_only_others_begin_early_are_enough(
    brings: LayerSpec, tmp_path: Path
) -> None:
    """An earlier version began `down` early only where no warp brings rows."""
    made = LayerKernels.compile(brings, 200)
    made.matmuls["gate_up_through"] = made.matmuls.pop("gate_up_through_counted")
    made.matmuls["down"] = LayerKernels.compile(brings, 10).matmuls["down"]
    made.save(tmp_path)
    old = LayerKernels.load(tmp_path)
    late = ["top_k", "sort", "gate_up_through", "down", "combine"]
    assert [name for name, _ in old.chosen(200)] == late
    assert "down_counted" in dict(old.chosen(199))
    old.lazy = True
    assert [name for name, _ in old.chosen(200)] == BRINGS_EARLY


@needs_both
def test_kernels_of_an_earlier_version_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sort leaves no zeros: counts would begin anywhere."""
    late = ["top_k", "sort_dispatch", "gate_up", "down", "combine"]
    with monkeypatch.context() as earlier:
        earlier.setattr(layer_spec, "EARLY_EXPERTS", range(0))
        LayerKernels.compile(SPEC, 70).save(tmp_path)
    old, new = LayerKernels.load(tmp_path), LayerKernels.compile(SPEC, 70)
    assert [name for name, _ in new.chosen(70)] != late
    assert [name for name, _ in old.chosen(70)] == late
    old.lazy = True
    assert old.has(70)
    assert [name for name, _ in old.chosen(70)] == late
    new.matmuls.pop("down_counted")
    assert [name for name, _ in new.chosen(70)] == late


@needs_both
def test_kernels_of_an_earlier_version_are_enough_where_gate_up_would_bring_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none of them brings rows, or rows find no room, and `down` would begin early."""
    late = ["top_k", "sort_dispatch", "gate_up", "down", "combine"]
    monkeypatch.setattr(layer_steps, "BROUGHT_ROWS", 1)
    with monkeypatch.context() as earlier:
        earlier.setattr(layer_spec, "EARLY_EXPERTS", range(0))
        LayerKernels.compile(SPEC, 70).save(tmp_path)
    monkeypatch.setattr(layer_steps, "BROUGHT_TOKENS", 70)
    old = LayerKernels.load(tmp_path)
    assert layer_steps.BRINGING_COUNTED in steps(SPEC, 70)
    assert [name for name, _ in old.chosen(70)] == late
    monkeypatch.setattr("mxfp4.layer_kernels._brings", lambda _: False)
    old.lazy = True
    assert [name for name, _ in old.chosen(70)] == late


def test_from_when_on_down_begins_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def is_early(spec: LayerSpec, tokens: int, source: Source = "logits") -> bool:
        return "down_counted" in steps(spec, tokens, source)

    for experts, first in ((32, 385), (128, 385)):
        spec = LayerSpec(experts, 4, 2880, 2880)
        sources: tuple[Source, ...] = ("logits", "ids")
        for source in sources:
            assert not is_early(spec, first - 1, source)
            assert is_early(spec, first, source)
            assert is_early(spec, 8192, source)
        assert not is_early(spec, first, "some ids")
        fp8 = dataclasses.replace(spec, activations="fp8")
        one = dataclasses.replace(fp8, activation_scale="bound")
        assert not is_early(fp8, first), "another kernel writes what down reads"
        assert not is_early(one, first - 1)
        assert is_early(one, first)
        assert is_early(one, 16384)
    for sizes in ((31, 4, 2880, 2880), (129, 4, 2880, 2880), (32, 4, 4096, 2880),
                  (32, 4, 2880, 4096)):  # fmt: skip
        assert not is_early(LayerSpec(*sizes), 1000)


@pytest.mark.parametrize("activations", ["bf16", "fp8"])
@pytest.mark.parametrize("slots", [1, 4, 8, 9, 23, 24, 32])
def test_down_begins_early_behind_a_sort_that_clears_counts(
    monkeypatch: pytest.MonkeyPatch, slots: int, activations: Literal["bf16", "fp8"]
) -> None:
    """The kernel that sorts few tokens does not, also where these have many rows."""
    monkeypatch.undo()
    sources: tuple[Source, ...] = ("logits", "ids")
    found = False
    for experts in (32, 64, 128):
        spec = LayerSpec(
            experts, slots, 512, 512, activations=activations,
            activation_scale="row" if activations == "bf16" else 1.0,
        )  # fmt: skip
        for tokens in (*range(1, 100), *range(100, 2000, 50)):
            for source in sources:
                names = steps(spec, tokens, source)
                if "down_counted" in names:
                    found = True
                    assert {"sort", "sort_dispatch", "sort_quantize"} & {*names}
                    clears = getattr(spec, next(n for n in names if n.startswith("sort")))()
                    assert "zeros(" in clears
    assert found
