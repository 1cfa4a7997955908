# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a layer is, in words and numbers: presets, texts, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from kernels import needs_both
from layer_cases import SMALL
from mxfp4 import Compiler, Error, layer_reference
from mxfp4.activation import KIMI_K3
from mxfp4.layer_spec import GPT_OSS, PRESETS, Activation, LayerSpec


def test_presets_have_the_shapes_that_are_published() -> None:
    flash = PRESETS["deepseek-v4-flash"]
    assert (flash.experts, flash.slots, flash.hidden, flash.inner) == (256, 6, 4096, 2048)
    assert flash.columns == 4096
    assert (flash.scoring, flash.scale, flash.activation.limit) == ("sqrt_softplus", 1.5, 10.0)
    assert PRESETS["gpt-oss-120b"].activation == GPT_OSS
    kimi = PRESETS["kimi-k3"]
    assert (kimi.experts, kimi.slots, kimi.hidden, kimi.inner) == (896, 16, 3584, 3072)
    assert (kimi.scoring, kimi.correction, kimi.renormalize) == ("sigmoid", True, True)
    assert kimi.activation == Activation("situ", beta=4.0, linear_beta=25.0)


def test_situ_is_what_its_publisher_computes() -> None:
    """In torch's words, f64: soft limits around gate * sigmoid(gate) * up."""
    torch = pytest.importorskip("torch")
    sums = np.random.default_rng(4).standard_normal((5, 64)) * 20
    gate, up = torch.from_numpy(sums[:, ::2].copy()), torch.from_numpy(sums[:, 1::2].copy())
    wanted = 4 * torch.tanh(gate / 4) * torch.sigmoid(gate) * (25 * torch.tanh(up / 25))
    got = layer_reference.activate(KIMI_K3, sums)
    assert np.allclose(got, wanted.numpy(), rtol=1e-12, atol=0)
    without = layer_reference.activate(Activation("situ", beta=4.0), sums)
    assert np.allclose(without, (4 * torch.tanh(gate / 4) * torch.sigmoid(gate) * up).numpy())


@needs_both
@pytest.mark.parametrize("value", [1, 7, 1e-5, 1e16, 2.5e-7, 0.1, 3])
def test_any_number_is_a_constant(value: float) -> None:
    activation = Activation("swiglu", alpha=value, shift=-value, limit=value)
    spec = LayerSpec(2, 1, 32, 32, activation, scale=value)
    assert LayerSpec.parse(spec.text()) == spec
    with Compiler() as compiler:
        for text in (spec.gate_up(), spec.top_k()):
            with compiler.parse(text) as module:
                assert str(module)


def test_specs_are_texts() -> None:
    for spec in (SMALL, *PRESETS.values()):
        assert LayerSpec.parse(spec.text()) == spec
    short = '{"experts": 8, "slots": 2, "hidden": 64, "inner": 96}'
    assert LayerSpec.parse(short) == dataclasses.replace(SMALL, activation=GPT_OSS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the layer's text must be JSON"),
        ("[1]", "a layer must be an object with some of experts, slots"),
        ('{"expert": 1}', "a layer must be an object with some of"),
        ('{"experts": 8}', "a layer needs slots; it has experts"),
        ('{"experts": true, "slots": 1, "hidden": 64, "inner": 64}', "experts of a layer must be"),
        ('{"experts": 2.5, "slots": 1, "hidden": 64, "inner": 64}', "experts of a layer must be"),
        ('{"experts": 8, "slots": 1, "hidden": 60, "inner": 64}', "hidden must be a multiple"),
        ('{"experts": 8, "slots": 9, "hidden": 64, "inner": 64}', "slots must be 1 to 8"),
        ('{"experts": 64, "slots": 33, "hidden": 64, "inner": 64}', "slots must be 1 to 32"),
        ('{"experts": 1025, "slots": 1, "hidden": 64, "inner": 64}', "experts must be 1 to 1024"),
        ('{"experts": 0, "slots": 1, "hidden": 64, "inner": 64}', "experts must be 1 to 1024"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "scale": "1"}',
         "scale of a layer must be of type float"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"kind": "x"}}',
         "the activation must be one of"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"limit": "1"}}',
         "limit of an activation must be of type"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"alpha": NaN}}',
         "alpha of an activation must be finite"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"limit": -1}}',
         "limit of an activation must not be negative"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "activation": {"linear_beta": 0}}',
         "linear_beta of an activation must be from 2\\^-64 to 2\\^64, got 0"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "batch_invariant": 1}',
         "batch_invariant of a layer must be of type bool"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "scale": Infinity}',
         "scale must be finite"),
        ('{"experts": 8, "slots": 1, "hidden": 64, "inner": 64, "accumulation": "fast"}',
         "accumulation='fast' needs activations=\"fp8\""),
    ],
)  # fmt: skip
def test_wrong_texts_are_sentences(text: str, message: str) -> None:
    with pytest.raises(Error, match=message):
        LayerSpec.parse(text)


def test_equal_specs_have_equal_texts() -> None:
    def spec(kind: Any) -> LayerSpec:
        activation = Activation("situ", kind(1), kind(0), kind(7), kind(2), kind(3))
        return LayerSpec(8, 2, 64, 96, activation, scale=kind(2), activations="fp8",
                         activation_scale=kind(1))  # fmt: skip

    for kind in (int, np.float32, np.int64, np.float16):
        assert spec(kind) == spec(float)
        assert spec(kind).text() == spec(float).text()
    assert LayerSpec.parse(spec(int).text()).text() == spec(int).text()
    for name in ("alpha", "shift", "limit", "beta", "linear_beta"):
        for wrong in (True, "1", 1j, np.True_, [1.0]):
            with pytest.raises(Error, match=f"{name} .*must be a number"):
                Activation("situ", **{name: wrong})
        with pytest.raises(Error, match=f"{name} must be a number that f64 holds"):
            Activation("situ", **{name: 10**400})
    for name in ("alpha", "shift", "beta"):
        with pytest.raises(Error, match=f"{name} .*must be a number"):
            Activation("situ", **{name: None})


def test_an_activation_is_no_text() -> None:
    with pytest.raises(Error, match=r"activation must be an Activation, .* got 'relu2'"):
        LayerSpec(8, 2, 64, 64, activation="relu2")  # type: ignore[arg-type]
