# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers in which a warp of gate_up brings rows into the order of experts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import mxfp4
import numpy as np
import pytest
from driver_memory import file
from kernels import needs_both
from layer_cases import Case, check_close, lazy
from mxfp4 import Error, layer_kernels, layer_steps
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_spec import GPT_OSS, LayerSpec
from mxfp4.layer_steps import FEW_ROWS, steps

__all__ = ["file"]  # a fixture
BROUGHT = LayerSpec(2, 1, 512, 32, GPT_OSS)
NO_ROOM = LayerSpec(8, 2, 2048, 128)


@pytest.fixture
def brings_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are brought from 200 tokens on."""
    monkeypatch.setattr(layer_steps, "BROUGHT_TOKENS", 200)
    monkeypatch.setattr(layer_steps, "BROUGHT_ROWS", 1)


@needs_both
def test_rows_are_brought_into_order_while_gate_up_multiplies(
    file: Path, rng: np.random.Generator, brings_early: None
) -> None:
    spec = dataclasses.replace(BROUGHT, bias=True)
    assert "dispatch" in steps(spec, 199)[-4]
    assert steps(spec, 200) == ["top_k", "sort", "gate_up_through", "down", "combine"]
    kernel = lazy(spec).matmul("gate_up_through", 200)
    assert "through_maps" in kernel.manifest.operands
    case = Case(spec, 200, rng)
    check_close(case.run(file), case.truth())


def test_from_when_on_rows_are_brought_into_order() -> None:
    for experts, start in ((32, 2048), (64, 2048), (65, 2080), (128, 4096), (256, 8192)):
        spec = LayerSpec(experts, 4, 2880, 2880)
        up, down = "gate_up_through", "down"
        if spec.counts_rows:
            up, down = "gate_up_through_counted", "down_counted"
        for source in ("logits", "ids"):
            assert "through" not in "".join(steps(spec, start - 1, source))
            assert steps(spec, start, source)[-3:] == [up, down, "combine"]
            late = steps(spec, start, source, early=False)
            assert late[-3:] == ["gate_up_through", "down", "combine"]
        assert "through" not in "".join(steps(spec, 8192, "some ids"))
        in_fp8 = dataclasses.replace(spec, activations="fp8")
        for tokens in (start - 1, start, 32 * experts, 128 * experts):
            assert "through" not in "".join(steps(in_fp8, tokens))
    assert "gate_up_through" not in steps(LayerSpec(32, 4, 4096, 2880), 8192)


@needs_both
def test_kernels_of_an_earlier_version_are_enough(
    brings_early: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(layer_steps, "BROUGHT_TOKENS", 10**6)
        old = LayerKernels.compile(BROUGHT, 300)
    assert not {"gate_up_through", "sort"} & {*old.matmuls, *old.routing}
    old.save(tmp_path)
    monkeypatch.setattr(mxfp4.library, "find", lambda: None)
    for lazily in (False, True):
        found = LayerKernels.load(tmp_path)
        found.lazy = lazily
        assert found.has(300)
        names = [name for name, _ in found.chosen(300)]
        assert names == ["top_k", "sort_dispatch", "gate_up", "down", "combine"]
        assert list(found.starts(300))[-1] <= 300
    with pytest.raises(Error, match="no kernel top_k of this layer"):
        LayerKernels(BROUGHT).chosen(300)


@needs_both
def test_kernels_that_cannot_bring_rows_are_not_launched(
    file: Path, monkeypatch: pytest.MonkeyPatch, brings_early: None, rng: np.random.Generator
) -> None:
    """For lack of room, which the compiler finds: another kernel brings rows then."""
    spec = dataclasses.replace(BROUGHT, hidden=256)
    dispatched = ["top_k", "sort_dispatch", "gate_up", "down", "combine"]
    assert "gate_up_through" in steps(spec, 200)
    made = LayerKernels.compile(spec, 300)
    for artifact in made.matmuls["gate_up_through"]:
        assert "through_maps" not in artifact.manifest.operands
    assert "sort" not in made.routing, "nothing needs it"
    for kernels_of in (made, LayerKernels(spec, lazy=True)):
        for tokens in (199, 200, 300):
            assert [name for name, _ in kernels_of.chosen(tokens)] == dispatched
            assert kernels_of.has(tokens)
    assert max(a.manifest.rows_hint[1] for a in made.matmuls["gate_up"]) >= 300
    case = Case(spec, 200, rng)
    check_close(case.run(file), case.truth())
    # A folder that has nothing else still runs.
    del made.matmuls["gate_up"]
    made.routing["sort"] = lazy(spec).routing_kernel("sort")
    assert made.chosen(300)[2][0] == "gate_up_through"


@needs_both
@pytest.mark.parametrize("device", ["", "h200"])
def test_three_warpgroups_leave_no_room_for_rows(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = mxfp4.devices.option(device)
    monkeypatch.setattr(mxfp4.devices, "option_for", lambda: option)
    names = [name for name, _ in LayerKernels(NO_ROOM, lazy=True).chosen(4096)]
    assert names == ["top_k", "sort_dispatch", "gate_up", "down", "combine"]


@needs_both
@pytest.mark.parametrize("tokens", [199, 200, 300])
def test_kernels_that_bring_rows_are_compiled_for_calls_that_need_them(
    brings_early: None, tokens: int
) -> None:
    made = LayerKernels.compile(BROUGHT, tokens)
    through = made.matmuls.get("gate_up_through", [])
    assert bool(through) == (tokens >= 200)
    hints = [a.manifest.rows_hint or (0, 0) for a in through]
    assert all(high >= 200 for _, high in hints)
    assert all(low <= tokens for low, _ in hints)
    for rows in range(200, tokens + 1):
        assert any(low <= rows <= high for low, high in hints)
    up = [a.manifest.rows_hint or (0, 0) for a in made.matmuls["gate_up"]]
    assert all(any(low <= r <= high for low, high in up) for r in range(FEW_ROWS + 1, 200))
    assert all(made.has(t) and made.chosen(t) for t in made.starts(tokens))


@needs_both
def test_kernels_that_gather_are_kept_where_only_some_bring(
    brings_early: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether rows are brought may depend on how many there are."""
    monkeypatch.setattr(
        layer_kernels, "_brings", lambda artifact: artifact.manifest.rows_hint[1] >= 4000
    )
    made = LayerKernels.compile(BROUGHT, 4000)
    assert {"sort", "sort_dispatch"} <= set(made.routing)
    ways = {made.chosen(t)[-3][0] for t in made.starts(4000) if t >= 200}
    assert ways == {"gate_up", "gate_up_through"}
    up = [a.manifest.rows_hint or (0, 0) for a in made.matmuls["gate_up"]]
    assert max(high for _, high in up) >= 4000
