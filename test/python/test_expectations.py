# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What docs/Devices.md expects of GPUs: the counts behind it are the interpreter's, and what was
measured lies within what the model would have expected.

``python test_expectations.py`` writes docs/costs.json anew.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import mxfp4
import numpy as np
import pytest
from kernels import needs_both
from mxfp4 import library
from mxfp4.compile import Compiler
from mxfp4.formats import bfloat16

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import expectations  # noqa: E402

pytestmark = needs_both
COSTS = ROOT / "docs/costs.json"
ROWS = 8
"""Of each group."""


def schedule_of(device: str) -> str:
    """What is chosen for many tiles of few rows per group."""
    with Compiler() as compiler:
        module = compiler.parse(compiler.mlir(mxfp4.Problem(128, 5760, 2880)))
        hint = f"rows-hint={128 * ROWS} device={device}"
        module.run(f"builtin.module(mxfp4-choose-schedule{{{hint}}})")
        (schedule,) = re.findall(r"#mxfp4.schedule<[^>]*>", str(module))
    return str(schedule)


def cost(device: str) -> dict[str, Any]:
    """Warp instructions per byte of packed weights that the interpreter counts, on one SM, for a
    problem that takes the interpreter a second.
    """
    schedule = schedule_of(device)
    experts, n, k = 2, 512, 2880
    rng = np.random.default_rng(1)
    weights = mxfp4.pack(*mxfp4.quantize(rng.standard_normal((experts, n, k), np.float32)))
    x = np.zeros((experts * ROWS, k), bfloat16)
    offsets = np.arange(experts + 1, dtype=np.int32) * ROWS
    kernel = mxfp4.compile_artifact(mxfp4.Problem(experts, n, k), f"schedule={schedule}")
    run = mxfp4.simulate(kernel, x, weights, offsets, multiprocessors=1)
    assert run.ok
    per_byte = run.statistics["warp_instructions"] / (experts * n * k * 17 / 32)
    return {
        "device": device,
        "schedule": schedule,
        "warp_instructions_per_byte": round(per_byte, 4),
    }


def recorded() -> list[dict[str, Any]]:
    """The costs that the page's tables are made from."""
    found: list[dict[str, Any]] = json.loads(COSTS.read_text())
    return found


@pytest.mark.parametrize("row", recorded() if COSTS.exists() else [], ids=lambda r: r["device"])
def test_costs_are_what_the_interpreter_counts(row: dict[str, Any]) -> None:
    assert cost(row["device"]) == row


def test_devices_have_the_kernels_whose_costs_they_are_expected_by(model: Any) -> None:
    """The page counts instructions of two devices' kernels; the others must get one of them."""
    costs = {row["device"]: row["schedule"] for row in recorded()}
    for device in model.devices.values():
        assert schedule_of(device.name) == costs[device.kind], device.name


@pytest.fixture(scope="module")
def model() -> Any:
    """The model behind the tables."""
    compiler = library.load()._name.replace("/lib/libmxfp4.so", "/bin/mxfp4-compile")
    return expectations.Model(expectations.devices(compiler))


def test_measured_devices_are_where_the_model_expects_them(model: Any) -> None:
    """Ranges come from some of the rows; all must lie within a tenth of them."""
    for name, rows in model.few.items():
        low, high = model.of_read(model.devices[name])
        for row in rows:
            found = row["read"]["median"] / row["register"]["median"]
            assert 0.9 * low <= found <= 1.1 * high, (name, row["layer"], found)


@pytest.mark.parametrize("device", ["h100-sxm", "h200"])
@pytest.mark.parametrize(("experts", "tokens"), [(32, 16), (32, 64), (128, 16), (128, 64),
                                                 (128, 256)])  # fmt: skip
def test_layers_of_few_rows_are_expected(
    model: Any, device: str, experts: int, tokens: int
) -> None:
    """Weights decide, of the experts that have rows."""
    weights = expectations.busy(experts, tokens) * (5760 + 2880) * 2880 * expectations.BYTES
    low, high = expectations.scaled(
        model.weights(model.devices[device], weights / 1e9), model.layer(experts, tokens)
    )
    assert 0.95 * low <= measured(model, device, experts, tokens) <= 1.05 * high


@pytest.mark.parametrize("device", ["h100-sxm", "h200"])
@pytest.mark.parametrize("experts", [32, 128])
@pytest.mark.parametrize("tokens", [4096, 8192])
def test_layers_of_many_rows_are_expected(
    model: Any, device: str, experts: int, tokens: int
) -> None:
    """Tensor cores decide. Their rate is of an H100's run, and kernels have become faster since."""
    low, high = model.tensor(model.devices[device])
    flops = 2.0 * 4 * tokens * 2880 * (5760 + 2880) / 1e6
    low, high = expectations.scaled((flops / high, flops / low), model.layer(experts, tokens))
    assert 0.85 * low <= measured(model, device, experts, tokens) <= 1.05 * high


def measured(model: Any, device: str, experts: int, tokens: int) -> float:
    """Microseconds of a layer."""
    (row,) = (r for r in model.layers[device] if (r["experts"], r["tokens"]) == (experts, tokens))
    return float(row["us"]["ours"])


def test_a_measured_layer_is_called_below_its_range_where_it_is(model: Any) -> None:
    """The page has the figures; whether its sentence about them is still true is asked here."""
    text = (ROOT / "docs/Devices.md").read_text()
    low, _ = expectations.scaled(expectations.many_rows(model, "h200"), model.layer(32, 8192))
    is_below = measured(model, "h200", 32, 8192) < low
    assert ("Its layer is therefore below the range" in text) == is_below


def test_fewer_multiprocessors_and_less_power_are_expected_to_do_less(model: Any) -> None:
    h200, h20 = model.devices["h200"], model.devices["h20"]
    pcie, sxm = model.devices["h100-pcie"], model.devices["h100-sxm"]
    assert model.decode(h20)[1] < model.decode(h200)[0] * 0.75
    assert model.of_read(h20)[1] < model.of_read(h200)[1]
    assert model.tensor(h20)[1] < model.tensor(pcie)[0] < model.tensor(sxm)[0]
    # Memory decides where it is slow.
    assert model.of_read(pcie) == model.best


if __name__ == "__main__":
    COSTS.write_text(json.dumps([cost(d) for d in ("h100-sxm", "h200")], indent=1) + "\n")
