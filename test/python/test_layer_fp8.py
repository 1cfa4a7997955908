# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers with activations in FP8, launched by the library on the interpreter, against numpy."""

from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path

import mxfp4
import numpy as np
import pytest
from driver_memory import file
from kernels import needs_both
from layer_cases import ACTIVATIONS, Fp8Case, check_close
from mxfp4 import Error, layer_reference
from mxfp4.compile import find_ptxas
from mxfp4.formats import bfloat16
from mxfp4.fp8 import QuantizedRows, quantize_rows
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_reference import activate, between
from mxfp4.layer_spec import GPT_OSS, PRESETS, Activation, LayerSpec
from mxfp4.layer_steps import EARLY_ROWS, FEW_TOKENS, steps
from mxfp4.problem import ACCUMULATIONS

__all__ = ["file"]  # a fixture
BOUNDED = ["silu_limit", "geglu_tanh_limit", "situ", "situ_limit", "situ_narrow", "relu2_limit"]
SMALL = LayerSpec(8, 2, 64, 160, GPT_OSS, activations="fp8")


@needs_both
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("tokens", [1, 20])
def test_gpt_oss(file: Path, rng: np.random.Generator, tokens: int, accumulation: str) -> None:
    spec = dataclasses.replace(SMALL, bias=True, accumulation=accumulation)
    case = Fp8Case(spec, tokens, rng)
    first = ["route", "quantize"] if tokens == 1 else ["top_k", "sort_quantize"]
    assert steps(spec, tokens) == [*first, "gate_up", "quantize_inner", "down", "combine"]
    check_close(case.run(file), case.truth())


@needs_both
def test_many_tokens(file: Path, rng: np.random.Generator) -> None:
    spec = dataclasses.replace(SMALL, slots=1, inner=32)
    case = Fp8Case(spec, FEW_TOKENS + 1, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("name", ["silu_limit", "geglu_tanh", "situ", "relu2"])
def test_activations(file: Path, rng: np.random.Generator, name: str) -> None:
    spec = dataclasses.replace(SMALL, activation=ACTIVATIONS[name], bias=name == "relu2")
    case = Fp8Case(spec, 7, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("accumulation", ["fast", "promoted512"])
@pytest.mark.parametrize("tokens", [1, 20])
def test_a_scale_of_all_rows(
    file: Path, rng: np.random.Generator, tokens: int, accumulation: str
) -> None:
    """The first matmul stores E4M3, and no kernel rounds rows between the matmuls."""
    spec = dataclasses.replace(
        SMALL, bias=True, accumulation=accumulation, activation_scale="bound"
    )
    case = Fp8Case(spec, tokens, rng)
    assert steps(spec, tokens)[-3:] == ["gate_up", "down", "combine"]
    assert "quantize_inner" not in steps(spec, tokens)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *product(BOUNDED, ["bound"]),
        *product(["silu", "gpt_oss", "geglu_tanh", "relu2"], [0.25, 0.07]),
    ],
)
def test_scales_of_every_activation(
    file: Path, rng: np.random.Generator, name: str, scale: str | float
) -> None:
    """Where activations have no bound, and with numbers that are no powers of two."""
    spec = dataclasses.replace(
        SMALL, activation=ACTIVATIONS[name], bias=name in ("relu2", "geglu_tanh"),
        activation_scale=scale,
    )  # fmt: skip
    case = Fp8Case(spec, 7, rng)
    check_close(case.run(file), case.truth())


TWO_LIMITS = {
    "limit below both": Activation("situ", beta=4.0, linear_beta=25.0, limit=2.0),
    "limit between": Activation("situ", beta=0.75, linear_beta=25.0, limit=2.0),
    "limit above both": Activation("situ", beta=0.75, linear_beta=1.0, limit=2.0),
    "limit of nearly nothing": Activation("situ", beta=4.0, linear_beta=25.0, limit=0.25),
}


@pytest.mark.parametrize("name", [*ACTIVATIONS, *TWO_LIMITS])
def test_bounds_hold_and_are_near(name: str) -> None:
    """For sums of any size; a bound is reached but for a third."""
    activation = (ACTIVATIONS | TWO_LIMITS)[name]
    grid = np.concatenate([np.linspace(-12, 12, 481), [-3e38, -1e9, -200, 200, 1e9, 3e38]])
    columns = (
        np.stack(np.meshgrid(grid, grid), -1).reshape(1, -1) if activation.pairs else grid[None]
    )
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.abs(activate(activation, columns))
    bound = activation.bound()
    if np.isinf(bound):
        assert np.nanmax(found) > 1e9
        with pytest.raises(Error, match='activation_scale="bound" needs an activation whose'):
            dataclasses.replace(SMALL, activation=activation, activation_scale="bound")
        return
    assert 2 / 3 * bound < np.nanmax(found) <= bound
    scale = dataclasses.replace(SMALL, activation=activation, activation_scale="bound").inner_scale
    assert scale is not None
    assert 224 * scale < bound <= 448 * scale
    assert np.frexp(scale)[0] == 0.5, "a power of two"


def test_published_layers_have_bounds() -> None:
    scales = {
        name: dataclasses.replace(s, activations="fp8", activation_scale="bound").inner_scale
        for name, s in PRESETS.items()
    }
    assert scales == {"gpt-oss-20b": 0.125, "gpt-oss-120b": 0.125, "deepseek-v4-flash": 0.25,
                      "deepseek-v4-pro": 0.25, "kimi-k3": 0.25}  # fmt: skip


def test_what_a_scale_of_all_rows_loses(rng: np.random.Generator) -> None:
    """Nothing but for small rows: as docs/Numerics.md says, where inner values are above 2^-7."""
    bound = dataclasses.replace(SMALL, activation_scale="bound")

    def errors(inner: np.ndarray) -> list[float]:
        rows = [quantize_rows(inner.astype(np.float32).astype(bfloat16)), between(bound, inner)]
        found = [row.values() - inner for row in rows if isinstance(row, QuantizedRows)]
        return [float(np.sqrt(np.mean(f**2) / np.mean(inner**2))) for f in found]

    for size, most in ((8.0, 1.1), (1.0, 1.1), (2.0**-4, 1.1), (2.0**-7, 1.1), (2.0**-9, 2.0)):
        by_row, by_bound = errors(np.clip(rng.standard_normal((20, 512)) * size, -56, 56))
        assert by_bound < most * by_row, size
    by_row, by_bound = errors(rng.standard_normal((20, 512)) * 2.0**-14)
    assert by_bound > 10 * by_row, "and small rows lose nearly all"


@needs_both
@pytest.mark.parametrize("tokens", [1, 20])
@pytest.mark.parametrize("missing", [0.0, 0.5, 1.0])
def test_experts_that_the_caller_brings(
    file: Path, rng: np.random.Generator, tokens: int, missing: float
) -> None:
    Fp8Case(SMALL, tokens, rng).check_given(file, rng, missing)


@needs_both
def test_saved_and_loaded(tmp_path: Path) -> None:
    """The folder has the kernels that round rows, and says what the layer is."""
    LayerKernels.compile(SMALL, max_tokens=4).save(tmp_path)
    found = LayerKernels.load(tmp_path)
    assert found.spec == SMALL
    assert {"quantize", "quantize_inner"} <= set(found.routing)
    assert found.matmuls["down"][0].manifest.accumulation == "promoted512"


@pytest.mark.slow
@needs_both
@pytest.mark.parametrize("rows", [4, 256, 1600, 4096, 6144, 32768])
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("preset", ["gpt-oss-20b", "gpt-oss-120b"])
def test_kernels_with_one_scale_spill_nothing(preset: str, rows: int, accumulation: str) -> None:
    """At gpt-oss's size, for the devices whose schedules differ; where down begins early, kernels
    that count, too."""
    spec = dataclasses.replace(
        PRESETS[preset], activations="fp8", accumulation=accumulation, activation_scale="bound"
    )
    texts = [spec.gate_up(), spec.down()]
    if rows >= EARLY_ROWS:
        texts += [spec.gate_up_counted(), spec.down_counted()]
    if find_ptxas() is None:
        pytest.skip("ptxas was not found")
    with mxfp4.Compiler() as compiler:
        for device in ("h100-sxm", "h200"):
            for text in texts:
                options = f"rows-hint={rows} assemble=true device={device}"
                found = compiler.compile(text, options).manifest
                assert found.resources["spill_bytes"] == 0, (device, found.entry)


def test_specs() -> None:
    assert LayerSpec.parse(SMALL.text()) == SMALL
    assert SMALL.layout.activations == "fp8"
    for change in (
        {"activations": "fp16"}, {"accumulation": "slow"}, {"activation_scale": "rows"},
        {"activation_scale": 0.0}, {"activation_scale": -1.0}, {"activation_scale": float("nan")},
        {"activation_scale": 1e30}, {"activation_scale": True}, {"activation_scale": None},
        {"activation_scale": [1.0]}, {"scale": False},
    ):  # fmt: skip
        with pytest.raises(Error, match=f"{next(iter(change))} must be"):
            dataclasses.replace(SMALL, **change)
    with pytest.raises(Error, match='needs activations="fp8"'):
        dataclasses.replace(SMALL, activations="bf16", activation_scale="bound")
    for scale in ("bound", 0.3):
        other = dataclasses.replace(SMALL, activation_scale=scale)
        assert LayerSpec.parse(other.text()) == other != SMALL
    assert LayerSpec.parse('{"experts": 8, "slots": 2, "hidden": 64, "inner": 160, '
                           '"activations": "fp8"}').activation_scale == "row"  # fmt: skip


@pytest.mark.parametrize("scale", ["row", "bound", 0.3])
def test_the_definition_rounds_the_rows_of_both_matmuls(
    rng: np.random.Generator, scale: str | float
) -> None:
    """`layer_reference` in f64 is near what the sums of the tensor cores give, and not near the
    layer in bf16."""
    spec = dataclasses.replace(SMALL, hidden=256, activation_scale=scale)
    case = Fp8Case(spec, 30, rng)
    true = case.truth().astype(np.float64)
    given = (case.x, case.logits, case.gate_up, case.down)
    close = layer_reference.layer(spec, *given).astype(np.float64)
    plain = dataclasses.replace(spec, activations="bf16", activation_scale="row")
    bf16 = layer_reference.layer(plain, *given).astype(np.float64)
    scale = np.sqrt(np.mean(true**2))
    near, far = (np.sqrt(np.mean((other - true) ** 2)) / scale for other in (close, bf16))
    assert near < far / 2
    assert 0.01 < far < 0.1


@pytest.mark.parametrize(
    ("accumulation", "scale"), [("fast", "row"), ("promoted512", "row"), ("fast", "bound")]
)
def test_the_definition_with_the_sums_of_tensor_cores(
    rng: np.random.Generator, accumulation: str, scale: str
) -> None:
    """`tensor_core_sums` makes of the definition what kernels compute, but for their f32."""
    spec = dataclasses.replace(
        SMALL, hidden=640, bias=True, accumulation=accumulation, activation_scale=scale
    )
    case = Fp8Case(spec, 12, rng)
    case.x = np.abs(case.x)  # sums of one sign lose most
    own = {name: a for name, a in case.own.items() if name.endswith("bias")}
    given = (case.x, case.logits, case.gate_up, case.down)
    exact = layer_reference.layer(spec, *given, **own).astype(np.float64)
    with layer_reference.tensor_core_sums():
        found = layer_reference.layer(spec, *given, **own)
    assert not np.array_equal(found.astype(np.float64), exact)
    check_close(found, case.truth())
    again = layer_reference.layer(spec, *given, **own).astype(np.float64)
    assert np.array_equal(again, exact), "it ends with its block"
    with layer_reference.tensor_core_sums():
        bf16 = dataclasses.replace(
            spec, activations="bf16", activation_scale="row", accumulation="promoted512"
        )
        layer_reference.layer(bf16, *given, **own)
        packed = mxfp4.pack(*mxfp4.unpack(case.gate_up))
        with pytest.raises(Error, match='weights packed with layout "fp8"'):
            layer_reference.layer(spec, case.x, case.logits, packed, case.down, **own)


@pytest.mark.parametrize("name", PRESETS)
def test_layers_of_published_models(rng: np.random.Generator, name: str) -> None:
    """Torch's operator on the CPU, narrow: as far from bf16 as rounding to E4M3 explains."""
    pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")
    from mxfp4 import torch_layer
    from mxfp4.torch_op import from_numpy, to_numpy

    # Enough columns that no output is a sum of few.
    spec = dataclasses.replace(PRESETS[name], hidden=256, inner=128, experts=64, activations="fp8")
    case = Fp8Case(spec, 5, rng)
    own = [None if a is None else from_numpy(np.asarray(a)) for a in (
        case.own.get("gate_up_bias"), case.own.get("down_bias"), case.own.get("correction"),
        case.gate_up.powers, case.down.powers,
    )]  # fmt: skip
    x, logits = from_numpy(case.x), from_numpy(case.logits)
    packed = [from_numpy(w.data) for w in (case.gate_up, case.down)]
    y = to_numpy(torch_layer.moe(x, logits, *packed, *own, spec=spec.text()))
    plain = dataclasses.replace(spec, activations="bf16")
    shared = {n: case.own[n] for n in ("gate_up_bias", "down_bias", "correction") if n in case.own}
    exact = layer_reference.layer(
        plain, case.x, case.logits, case.gate_up, case.down, **shared
    ).astype(np.float64)
    assert np.array_equal(
        y, layer_reference.layer(spec, case.x, case.logits, case.gate_up, case.down, **shared)
    )
    off = np.sqrt(np.mean((y.astype(np.float64) - exact) ** 2) / np.mean(exact**2))
    assert 0.003 < off < 0.0625, off
