# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of e4m3 activations in the PTX interpreter, against numpy and against the loops."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import form_runs
import fp8_matmul as fp8
import native
import numpy as np
import pytest
from fp8_matmul import ACCUMULATIONS, E4M3, Data, Form
from kernels import needs_both, schedules, short
from mxfp4 import library

pytestmark = needs_both
SCHEDULES = {
    kind: schedules("--accumulation", name) if library.find() else []
    for kind, name in fp8.NAMES.items()
}
LISTED = [(kind, s) for kind, found in SCHEDULES.items() for s in found]


def one_slice(schedule: str) -> bool:
    """Whether every sum is one chain over K."""
    return "k_slices" not in schedule


def k_for(schedule: str, steps: int) -> int:
    """K of about ``steps`` k128 steps that the K slices share, the last of them half empty."""
    slices = 1 if one_slice(schedule) else int(schedule.split("k_slices = ")[1].split(",")[0])
    even = slices * -(-steps // slices)
    return 128 * even - 64


# The form whose every tile is masked somewhere, with an expert twice, one never, and none.
ODD = {"n": 101, "experts": 3, "groups": 5}
SIZES, IDS = [3, 0, 70, 9, 2], [2, 1, 0, -1, 2]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "schedule"), LISTED, ids=[f"{k}-{short(s)}" for k, s in LISTED])
def test_every_schedule(kind: str, schedule: str) -> None:
    form = Form(**ODD, k=k_for(schedule, 5), accumulation=kind)
    data = Data.random(form, SIZES, ids=IDS)
    assert not fp8.complaints(form, data, f"schedule={schedule}")


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
@pytest.mark.parametrize("k", [32, 64, 128, 192, 352, 384, 512, 1344])
def test_few_steps(k: int, accumulation: str) -> None:
    """As what is chosen: K slices of one to three steps, and sums that end before a promotion."""
    form = Form(**ODD, k=k, accumulation=accumulation)
    data = Data.random(form, SIZES, ids=IDS)
    for options in ("rows-hint=8", "rows-hint=8 device=h200", "rows-hint=80 device=h200",
                    "rows-hint=200 device=h200"):  # fmt: skip
        assert not fp8.complaints(form, data, options)


@pytest.mark.parametrize("k", [96, 512])
def test_sums_that_end_before_a_promotion_are_fast_ones(k: int) -> None:
    form = Form(experts=1, n=64, k=k, accumulation="promoted 512")
    given = Data.random(form, [12], kind="positive")
    assert not fp8.complaints(form, given, "rows-hint=12 batch-invariant=true", kind="sums")


@pytest.mark.parametrize("data", ["normal", "positive"])
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_sums_are_those_of_the_tensor_cores(accumulation: str, data: str) -> None:
    """Bit for bit, with the interval where it is asked for: others give other bits."""
    schedule = next(s for s in SCHEDULES[accumulation] if one_slice(s))
    form = Form(experts=1, n=64, k=1152, accumulation=accumulation)
    given = Data.random(form, [12], kind=data)
    assert not fp8.complaints(form, given, f"schedule={schedule}", kind="sums")
    for other in set(ACCUMULATIONS) - {accumulation}:
        y, _ = given.expected(replace(form, accumulation=other), "sums")
        assert (y != given.expected(form, "sums")[0]).mean() > 0.3


@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_errors_are_what_is_documented(accumulation: str) -> None:
    """Relative RMS errors of the model that kernels agree with, at K = 2880."""
    most = {"fast": (2e-3, 0.06), "promoted 512": (1e-3, 6e-3), "promoted 128": (5e-4, 1.5e-3)}
    for kind, limit in zip(("normal", "positive"), most[accumulation], strict=True):
        form = Form(experts=1, n=32, k=2880, accumulation=accumulation)
        data = Data.random(form, [32], kind=kind)
        exact = E4M3[data.arrays["x"]].astype(np.float64) @ data.weights[0].T
        sums = fp8.sums_of(E4M3[data.arrays["x"]], data.weights[0], ACCUMULATIONS[accumulation])
        error = np.sqrt(((sums - exact) ** 2).mean() / (exact**2).mean())
        assert limit / 40 < error < limit
        if kind == "positive":
            assert (sums <= exact).all()  # they shrink


FORMS = [
    Form(n=n, k=k, groups=groups, gather=gather, scatter=scatter, epilogue=epilogue, output=output)
    for n, k, groups, gather, scatter, epilogue, output in (
        (128, 256, 0, False, False, "none", "f32"),
        (70, 160, 0, False, False, "none", "bf16"),
        (65, 160, 0, True, False, "none", "bf16"),
        (70, 160, 0, False, False, "weighted", "bf16"),
        (66, 96, 4, True, False, "pairs", "bf16"),
        (130, 288, 4, True, True, "bias", "f32"),
        (64, 32, 0, False, True, "pairs", "f32"),
        (128, 160, 0, False, False, "swiglu", "bf16"),
        (128, 160, 0, False, False, "swiglu", "f8E4M3FN"),
        (70, 96, 4, True, True, "pairs", "f8E4M3FN"),
        (66, 96, 0, False, True, "weighted", "f8E4M3FN"),
        (65, 64, 0, True, False, "bias", "f8E4M3FN"),
    )
]


def data_of(form: Form, seed: int) -> Data:
    """Uneven groups, one of them empty and one without an expert."""
    if form.groups:
        return Data.random(form, [3, 0, 5, 2], seed, ids=[2, 0, -1, 1], spare=3)
    return Data.random(form, [4, 0, 7], seed, spare=3)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_loops_and_kernels_say_the_same(form: Form, tmp_path: Path) -> None:
    """The executable specification, the kernel, and numpy."""
    emit = "attributes {llvm.emit_c_interface}"
    loops: ctypes.CDLL = native.build(form.mlir(attributes=emit), tmp_path)
    for seed in (1, 2):
        data = data_of(form, seed)
        shape = (data.output_rows(form), form.columns)
        y = native.garbage(shape, form_runs.OUTPUTS[form.output])
        before = y.view(np.uint8).copy()
        blocks = data.arrays["weights"]
        arrays = data.arrays | {
            "y": y, "error": np.zeros(1, np.int32), "workspace": np.zeros(2, np.int32),
            "weights": blocks.view(f"V{fp8.BLOCK_BYTES}")[..., 0],
        }  # fmt: skip
        native.call(loops, "fp8", *(arrays[name] for name in form.operands()))
        stored = (y.view(np.uint8) != before).reshape(*y.shape, -1).any(axis=-1)
        assert not fp8.differences(form, data, y, stored, "exact")
        assert not fp8.complaints(form, data, "rows-hint=8")


@pytest.mark.parametrize(("accumulation", "rows", "tokens"), [
    ("fast", 192, 144), ("fast", 192, 192), ("promoted 512", 128, 192), ("promoted 128", 128, 160),
])  # fmt: skip
@pytest.mark.parametrize(("epilogue", "missing", "output", "listed"), [
    ("swiglu", 0, "bf16", True), ("swiglu", 6, "f32", True), ("none", 0, "bf16", True),
    ("none", 6, "bf16", True), ("bias", 7, "f32", True), ("none", 6, "bf16", False),
    ("swiglu", 0, "bf16", False),
])  # fmt: skip
def test_tall_tiles_store_in_parts(
    accumulation: str, rows: int, tokens: int, epilogue: str, missing: int, output: str,
    listed: bool,
) -> None:  # fmt: skip
    """Parts of 32 tokens: none, one, some with a row, all; the last part may be lower. Of the last
    tile, columns may be missing. Without a list of experts, the scales of all parts come first."""
    form = Form(
        n=2 * rows - missing, k=320, experts=3 if listed else 5, groups=5 if listed else 0,
        epilogue=epilogue, accumulation=accumulation, output=output,
    )  # fmt: skip
    sizes = [0, 33, tokens, tokens + 1, 64]
    ids = [0, 2, -1, 1, 0] if listed else None
    schedule = (
        f"#mxfp4.schedule<instruction = wgmma_fp8, rows = {rows}, tokens = {tokens}, "
        f"warps_rows = {rows // 16}, warps_tokens = 1, stages = 4, placement = register, ctas = 1, "
        f"token_step = 16, copy_warps = 1, overlap_decode = {str(accumulation == 'fast').lower()}>"
    )
    assert not fp8.complaints(form, Data.random(form, sizes, 3, ids=ids), f"schedule={schedule}")


def test_loops_widen_every_e4m3(tmp_path: Path) -> None:
    """Subnormals, both zeros and NaN."""
    form = Form(experts=1, n=1, k=32)
    data = Data.random(form, [256])
    data.arrays["x"][:] = 0
    data.arrays["x"][:, 5] = np.arange(256)
    y = native.garbage((256, 1), np.float32)
    blocks = np.zeros((1, 1, 16), np.uint8)
    blocks[..., 2] = 0x20  # 1.0 at k = 5
    packed, _, powers = fp8.pack(blocks[:, :, None], np.full((1, 1, 1), 127, np.uint8))
    arrays = data.arrays | {
        "y": y, "error": np.zeros(1, np.int32), "workspace": np.zeros(2, np.int32),
        "weights": packed.view(f"V{fp8.BLOCK_BYTES}")[..., 0], "powers": powers,
        "scales": np.ones(256, np.float32),
    }  # fmt: skip
    loops = native.build(form.mlir(attributes="attributes {llvm.emit_c_interface}"), tmp_path)
    native.call(loops, "fp8", *(arrays[name] for name in form.operands()))
    np.testing.assert_array_equal(y[:, 0], E4M3)
