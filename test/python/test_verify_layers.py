# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The verification of layers, as far as it needs no GPU."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

from kernels import needs_both  # noqa: E402
from mxfp4 import devices, kernels, layer_reference, torch_layer  # noqa: E402
from mxfp4.layer_kernels import LayerKernels  # noqa: E402
from mxfp4.layer_spec import LayerSpec  # noqa: E402
from mxfp4.layer_steps import steps  # noqa: E402
from mxfp4.verify import layers  # noqa: E402

SPEC = dataclasses.replace(layers.SPECS["gpt-oss-20b"], experts=8, hidden=64, inner=64)


def test_a_layer_passes_and_a_wrong_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "TOKENS", (1, 5))
    assert layers.check("x", SPEC, "cpu") == []
    assert layers.check("x", dataclasses.replace(SPEC, activations="fp8"), "cpu") == []
    calls: list[int] = []
    real = layer_reference.experts

    def every_other(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        y = real(*arguments, **options)
        return y + y if len(calls) % 2 else y

    monkeypatch.setattr(layer_reference, "experts", every_other)
    problems = layers.check("x", SPEC, "cpu")
    assert any("tokens is 1 off" in p for p in problems), problems


@needs_both
def test_rows_are_brought_by_gate_up_in_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert layers.BROUGHT in layers.SPECS.values()
    many = layers.MANY_TOKENS[layers.BROUGHT]
    assert layers.most_tokens(layers.BROUGHT) == max(many)
    for device in ("h100-sxm", "h200"):
        option = devices.option(device)
        monkeypatch.setattr(devices, "option_for", lambda option=option: option)
        found = LayerKernels(layers.BROUGHT, lazy=True)
        for tokens in many:
            kernel = dict(found.chosen(tokens))["gate_up_through"]
            assert "through_maps" in kernel.manifest.operands
    monkeypatch.setattr(layers, "TOKENS", (1,))
    monkeypatch.setattr(layers, "MANY_TOKENS", {layers.BROUGHT: (300,)})
    called: list[int] = []
    real = torch_layer.moe

    def moe(x: Any, *arguments: Any, **options: Any) -> Any:
        called.append(len(x))
        return real(x, *arguments, **options)

    monkeypatch.setattr(torch_layer, "moe", moe)
    assert layers.check("x", layers.BROUGHT, "cpu") == []
    assert called == [1, 300]


@pytest.mark.parametrize("spec", [layers.EARLY, layers.EARLY_FP8])
def test_down_begins_early_in_some_layers(spec: LayerSpec) -> None:
    assert spec in layers.SPECS.values()
    ways = {tuple(steps(spec, t)[-3:]) for t in layers.tokens_of(spec)}
    up = ["gate_up_counted"] + ["gate_up_through_counted"] * (spec.activations == "bf16")
    assert ways >= {(name, "down_counted", "combine") for name in up}


@needs_both
def test_kernels_are_compiled_for_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Schedules of one GPU alone copy ahead, and are to be verified there."""
    assert layers.COPYING in layers.SPECS.values()
    monkeypatch.setattr(layers, "SPECS", {"x": layers.COPYING})
    monkeypatch.setattr(layers, "TOKENS", (1, 3))
    for device, ahead in (([], None), (["--device", "h200"], ["offsets", "weights"])):
        assert layers.main(["--compile", str(tmp_path), *device]) == 0
        raw = json.loads((tmp_path / "layer0/down-0/manifest.json").read_text())
        assert raw["launch"].get("ahead") == ahead
    with pytest.raises(SystemExit):
        layers.main([str(tmp_path), "--device", "h200"])
    assert "--device goes with --compile" in capsys.readouterr().err


@needs_both
def test_kernels_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(layers, "SPECS", {"x": SPEC})
    monkeypatch.setattr(layers, "TOKENS", (1, 20))
    assert layers.main(["--compile", str(tmp_path)]) == 0
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.setattr(kernels, "_layers", {})
    count = kernels.add(tmp_path)
    assert f"compiled {count} kernels" in capsys.readouterr().out
    found = kernels.layer_kernels(SPEC)
    assert all(found.has(t, s) for t in (1, 20) for s in ("logits", "some ids"))
    assert kernels.layer_kernels(layers.UNPREPARED).has(layers.CAPTURED, "logits")
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit):
            layers.main([str(tmp_path)])
        assert "torch sees no CUDA device" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        layers.main([])
    assert "give a folder" in capsys.readouterr().err
