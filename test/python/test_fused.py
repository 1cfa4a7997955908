# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Epilogues and maps of rows in kernels, bit for bit, on exact data."""

from __future__ import annotations

import numpy as np
import pytest
from fused import Data, Form, compiled, complaints, run
from kernels import schedules, short
from mxfp4 import library

WGMMA = "instruction=wgmma"
HINTS = [1, 40, 100, 200, 600, 5000]
SIZES = {1: [1, 0, 0], 40: [3, 9, 1], 100: [33, 0, 40], 200: [70, 30, 0], 600: [5, 300, 100],
         5000: [250, 20, 193]}  # fmt: skip


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("epilogue", ["none", "bias", "weighted", "pairs", "swiglu"])
@pytest.mark.parametrize("gather", [False, True])
def test_wgmma(hint: int, epilogue: str, gather: bool) -> None:
    form = Form(n=192, k=640, epilogue=epilogue, gather=gather, scatter=epilogue == "weighted")
    data = Data.random(form, SIZES[hint], seed=hint, spare=4)
    assert not complaints(form, data, f"{WGMMA} rows-hint={hint}")


# What the chooser takes where memory delivers more than few warps decode.
_FIELDS = ("rows = 128, tokens = 16,", "rows = 128, tokens = 8,", "k_slices = 5,")
DECODING = [s for s in schedules() if any(f in s for f in _FIELDS)] if library.find() else []


# Those that copy ahead take rows in order alone.
MANY = [(s, g) for s in DECODING for g in (False, True) if not (g and "copies_ahead" in s)]
MANY_NAMES = [f"{short(s)}-{'gather' if g else 'in_order'}" for s, g in MANY]


@pytest.mark.parametrize(("schedule", "gather"), MANY, ids=MANY_NAMES)
@pytest.mark.parametrize("epilogue", ["weighted", "swiglu"])
def test_many_warps_that_decode(schedule: str, epilogue: str, gather: bool) -> None:
    form = Form(n=320, k=704, epilogue=epilogue, gather=gather, scatter=epilogue == "weighted")
    data = Data.random(form, [3, 21, 16], seed=4, spare=4)
    assert not complaints(form, data, f"schedule={schedule}")


@pytest.mark.parametrize(("rows", "tokens", "step"), [
    (64, 72, 8), (128, 256, 16), (192, 144, 16), (192, 160, 32), (192, 192, 16),
])  # fmt: skip
def test_tall_tiles_store_pairs_in_parts(rows: int, tokens: int, step: int) -> None:
    """Parts of 32 tokens: none, one, some with a row, all; the last part may be lower."""
    schedule = (
        f"#mxfp4.schedule<instruction = wgmma, rows = {rows}, tokens = {tokens}, "
        f"warps_rows = {rows // 16}, warps_tokens = 1, stages = 3, placement = register, ctas = 1, "
        f"token_step = {step}, copy_warps = 1, overlap_decode = true>"
    )
    for n, groups in ((2 * rows, 5), (2 * rows + 12, 0)):
        form = Form(n=n, k=448, groups=groups, epilogue="swiglu")
        ids = [0, 2, -1, 1, 0] if groups else None
        sizes = [0, 33, tokens, tokens + 1, 64] if groups else [1, tokens - 1, 2 * tokens + 9]
        data = Data.random(form, sizes, seed=tokens, ids=ids)
        assert not complaints(form, data, f"schedule={schedule}")


@pytest.mark.parametrize("hint", [1, 30, 100, 600])
@pytest.mark.parametrize("epilogue", ["none", "weighted", "pairs", "swiglu"])
@pytest.mark.parametrize("gather", [False, True])
def test_mma_sync(hint: int, epilogue: str, gather: bool) -> None:
    form = Form(n=200, k=160, epilogue=epilogue, gather=gather, scatter=gather)
    data = Data.random(form, SIZES[40] if hint < 100 else SIZES[200], seed=hint, spare=2)
    assert not complaints(form, data, f"rows-hint={hint}")


@pytest.mark.parametrize("n", [64, 70, 74, 132, 326])
@pytest.mark.parametrize("output", ["bf16", "f32", "f8E4M3FN"])
@pytest.mark.parametrize("epilogue", ["bias", "pairs"])
def test_ends_of_columns(n: int, output: str, epilogue: str) -> None:
    for k, options in ((96, ""), (544, f"{WGMMA} rows-hint=400")):
        form = Form(n=n, k=k, epilogue=epilogue, output=output, gather=True, scatter=True)
        assert not complaints(form, Data.random(form, [20, 0, 31]), options)


@pytest.mark.parametrize("options", ["", f"{WGMMA} rows-hint=40", f"{WGMMA} rows-hint=800"])
def test_groups_without_an_expert(options: str) -> None:
    form = Form(n=128, k=544, groups=4, epilogue="pairs", gather=True)
    data = Data.random(form, [5, 9, 70, 1], ids=[2, -1, 0, -1])
    assert not complaints(form, data, options)


@pytest.mark.parametrize("options", ["", f"{WGMMA} rows-hint=40", f"{WGMMA} rows-hint=800"])
def test_rows_that_do_not_exist(options: str) -> None:
    """Row 0 takes the place of a source, a destination is left out; the error word has bit 2."""
    form = Form(n=128, k=544, epilogue="bias", gather=True, scatter=True)
    for name, bad in (("gather", -1), ("gather", 1 << 30), ("scatter", -5), ("scatter", 10**6)):
        data = Data.random(form, [5, 9, 70])
        at = 12
        row = data.arrays["scatter"][at]
        data.arrays[name][at] = bad
        y, known, error, findings = run(form, data, compiled(form, options))
        assert (error, findings) == (4, [])
        if name == "gather":
            data.arrays["gather"][at] = 0
        else:
            assert not known[row].any()
            data.arrays["scatter"][at] = row
        expected, stored = data.expected(form)
        stored[row] &= name == "gather"
        assert np.array_equal(y[stored].view(np.uint16), expected[stored].view(np.uint16))


@pytest.mark.parametrize("options", ["", f"{WGMMA} rows-hint=40"])
def test_no_rows_to_gather_from(options: str) -> None:
    form = Form(k=544, gather=True)
    data = Data.random(form, [1, 2, 3])
    data.arrays["x"] = data.arrays["x"][:0]
    _, known, error, findings = run(form, data, compiled(form, options))
    assert (error, findings, known.any()) == (1, [], False)


@pytest.mark.parametrize("options", ["", f"{WGMMA} rows-hint=8", f"{WGMMA} rows-hint=900"])
@pytest.mark.parametrize("epilogue", ["weighted", "swiglu"])
def test_two_launches_give_the_same_bits(epilogue: str, options: str) -> None:
    """Whatever threads do first, and however many CTAs share the tiles: sums that are rounded."""
    form = Form(n=192, k=640, epilogue=epilogue, gather=True, scatter=True)
    data = Data.random(form, [5, 40, 1], spare=2)
    x = np.random.default_rng(3).standard_normal(data.arrays["x"].shape)
    data.arrays["x"] = x.astype(np.float32).astype(data.arrays["x"].dtype)
    artifact = compiled(form, options)
    first, known, *_ = run(form, data, artifact, seed=1, ctas=1)
    _, stored = data.expected(form)
    assert np.array_equal(known, np.broadcast_to(stored[:, None], known.shape))
    for seed, ctas in ((2, 1), (3, 2), (4, 5)):
        again, *_, findings = run(form, data, artifact, seed=seed, ctas=ctas)
        assert not findings
        assert np.array_equal(first[stored].view(np.uint16), again[stored].view(np.uint16))
