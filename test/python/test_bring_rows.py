# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of which a warp brings rows into the order of the groups while others multiply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import form_runs
import fp8_matmul as fp8
import fused
import native
import numpy as np
import pytest
from form_runs import compiled
from fused import Data, Form
from kernels import needs_both

pytestmark = needs_both

SCHEDULE = (
    "schedule=#mxfp4.schedule<instruction=wgmma,rows={rows},tokens=64,warps_rows={warps},"
    "warps_tokens=1,stages=4,placement=register,ctas=1,token_step={step},copy_warps={copy},"
    "overlap_decode=true,bring_bytes={bytes}>"
)
SIZES = [70, 1, 0, 69]
FORM = Form(experts=4, n=192, k=512, epilogue="swiglu", gather=True, through=True)


def options(k: int = 512, rows: int = 192, copy: int = 2, together: int = 2, step: int = 16) -> str:
    """Of a schedule that brings one or two rows at a time."""
    return SCHEDULE.format(
        rows=rows, warps=rows // 16, step=step, copy=copy, bytes=2 * k * together
    )


@pytest.mark.parametrize("ctas", [1, 2, 7])
@pytest.mark.parametrize("together", [1, 2])
def test_rows_are_brought_while_others_multiply(together: int, ctas: int) -> None:
    data = Data.random(FORM, SIZES, seed=together, spare=3)
    for seed in (1, 2):
        found = fused.complaints(FORM, data, options(together=together), ctas=ctas, seed=seed)
        assert not found, "\n".join(found)


@pytest.mark.parametrize(("rows", "copy", "step"), [(64, 1, 16), (128, 2, 0), (64, 2, 8)])
@pytest.mark.parametrize("k", [32, 544])
def test_other_shapes(k: int, rows: int, copy: int, step: int) -> None:
    form = Form(experts=3, n=130, k=k, groups=4, epilogue="bias", gather=True, through=True)
    text = options(k, rows, copy, step=step).replace("overlap_decode=true,", "")
    data = Data.random(form, SIZES, ids=[2, 0, 1, -1])
    found = fused.complaints(form, data, text, ctas=3)
    assert not found, "\n".join(found)


FP8 = fp8.Form(experts=4, n=192, k=512, epilogue="swiglu", gather=True, through=True)


@pytest.mark.parametrize("output", ["bf16", "f8E4M3FN"])
@pytest.mark.parametrize("accumulation", ["fast", "promoted 512"])
@pytest.mark.parametrize("together", [1, 2])
def test_rows_in_fp8_are_brought(together: int, accumulation: str, output: str) -> None:
    """Half as many bytes; scales are in the order of the groups already."""
    form = replace(FP8, accumulation=accumulation, output=output)
    data = fp8.Data.random(form, SIZES, seed=together, spare=3)
    text = options(512, together=together).replace("=wgmma,", "=wgmma_fp8,")
    text = text.replace(f"bring_bytes={1024 * together}", f"bring_bytes={512 * together}")
    for ctas, seed in ((1, 1), (5, 2)):
        found = fp8.complaints(form, data, text, ctas=ctas, seed=seed)
        assert not found, "\n".join(found)


def test_a_row_in_fp8_that_does_not_exist_is_said() -> None:
    data = fp8.Data.random(FP8, SIZES)
    data.arrays["gather"][80] = -1
    text = options(256).replace("=wgmma,", "=wgmma_fp8,")
    _, _, error, findings = fp8.run(FP8, data, compiled(FP8, text))
    assert error == 4
    assert not findings


def test_one_cta_at_a_time_ends() -> None:
    """A tile waits for rows that its own CTA, or one before, has claimed."""
    data = Data.random(FORM, SIZES)
    artifact = compiled(FORM, options())
    y, known, error, findings = fused.run(FORM, data, artifact, ctas=4, resident_clusters=1)
    expected, stored = data.expected(FORM)
    assert not findings
    assert not error
    assert known.all()
    assert stored.all()
    np.testing.assert_allclose(y.astype(np.float32), expected.astype(np.float32), rtol=2**-7)


def test_a_row_that_does_not_exist_is_said() -> None:
    data = Data.random(FORM, SIZES)
    data.arrays["gather"][5] = len(data.arrays["x"])
    data.arrays["gather"][80] = -1
    _, _, error, findings = fused.run(FORM, data, compiled(FORM, options()))
    assert error == 4
    assert not findings


@pytest.mark.parametrize(
    "offsets",
    [
        [1, 70, 71, 71, 140],
        [0, 70, 60, 71, 140],
        [0, 70, 71, 71, 141],
        [0, -5, 71, 71, 140],
        [0, 2**31 - 1, 71, 71, 140],
    ],
)
def test_bad_offsets_are_said_and_nothing_waits(offsets: list[int]) -> None:
    """Nothing is stored, and the workspace, which the next launch takes, is all zeros again."""
    data = Data.random(FORM, SIZES)
    data.arrays["offsets"] = np.array(offsets, np.int32)
    for ctas in (1, 3):
        _, known, error, findings = fused.run(FORM, data, compiled(FORM, options()), ctas=ctas)
        assert error == 1
        assert not findings
        assert not known.any()


@pytest.mark.slow
def test_blocks_of_more_than_64_rows() -> None:
    """The counters are for 1024 blocks of rows, which are larger from 65536 rows on."""
    form = Form(experts=2, n=64, k=32, groups=3, epilogue="bias", gather=True, through=True)
    text = options(32, 64, 1).replace("overlap_decode=true,", "")
    data = Data.random(form, [70, 65536, 69], ids=[0, -1, 1])
    found = fused.complaints(form, data, text, ctas=4)
    assert not found, "\n".join(found)


SMALL = Form(experts=3, n=130, k=32, groups=4, epilogue="bias", gather=True, through=True)
"""The last of its groups has no expert."""
IDS = [2, 0, 1, -1]
PADDING = {
    "of the group without an expert": (lambda a: None, 0),
    "of a group with a bad id": (lambda a: a["expert_ids"].__setitem__(3, 7), 2),
    "with offsets that end behind the last row": (
        lambda a: a["offsets"].__setitem__(4, 200),
        1,
    ),
}


def error_words(data: Data, folder: Path) -> list[int]:
    """Of a kernel that brings rows, one whose threads gather them, and the loops."""
    gathering = replace(SMALL, through=False)
    bringing = options(32, rows=64, copy=1).replace("overlap_decode=true,", "")
    runs = [
        fused.run(form, data, compiled(form, text), ctas=3)
        for form, text in (
            (SMALL, bringing), (gathering, bringing.replace(",bring_bytes=128", ""))
        )
    ]  # fmt: skip
    assert not any(findings for *_, findings in runs)
    loops = native.build(gathering.mlir("loops", "attributes {llvm.emit_c_interface}"), folder)
    y = native.garbage((data.output_rows(gathering), gathering.columns), runs[0][0].dtype)
    error = np.zeros(1, np.int32)
    blocks = data.arrays["weights"].reshape(*data.arrays["weights"].shape[:3], -1)
    weights = blocks.view(f"V{blocks.shape[-1]}")[..., 0]
    arrays = data.arrays | {"y": y, "error": error, "workspace": np.zeros(2, np.int32),
                            "weights": weights}  # fmt: skip
    native.call(loops, "loops", *(arrays[name] for name in gathering.operands()))
    return [*(word for _, _, word, _ in runs), int(error[0])]


@pytest.mark.parametrize("name", PADDING)
def test_a_row_that_nobody_multiplies_may_not_exist(name: str, tmp_path: Path) -> None:
    change, expected = PADDING[name]
    data = Data.random(SMALL, SIZES, ids=IDS)
    data.arrays["gather"][71:] = -1
    change(data.arrays)
    assert error_words(data, tmp_path) == [expected] * 3


@pytest.mark.parametrize("row", [0, 69, 70, 71, 139, 140])
def test_a_row_at_the_edge_of_a_group_that_does_not_exist(row: int, tmp_path: Path) -> None:
    data = Data.random(SMALL, SIZES, ids=IDS, spare=3)
    data.arrays["gather"][row] = -1
    assert error_words(data, tmp_path) == [4 if row < 71 else 0] * 3


@pytest.mark.parametrize(("last", "step"), [(140, 16), (140, 0), (0, 16), (5000, 16)])
def test_rows_far_behind_the_last_offset_stay_where_they_are(
    last: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets may end long before the buffers do; bad ones bring nothing."""
    form = replace(SMALL, groups=0, experts=4)
    data = Data.random(form, SIZES, spare=3000)
    data.arrays["offsets"][1:] = np.minimum(data.arrays["offsets"][1:], last)
    data.arrays["offsets"][-1] = last
    memory = spied(monkeypatch)
    text = options(32, rows=64, copy=1, step=step).replace("overlap_decode=true,", "")
    y, known, error, findings = fused.run(form, data, compiled(form, text), ctas=3)
    assert not findings
    assert error == (1 if last > data.rows else 0)
    brought = memory["through"]().any(axis=1)
    if error or last == 0:
        assert not brought.any()
        assert not known.any()
    else:
        assert not fused.differences(form, data, y, known)
        assert brought[:last].all()
        assert not brought[last + (step or 64) - 1 :].any()


def spied(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], np.ndarray]]:
    """What tells, by the names of a launch's empty buffers, which elements have been stored."""
    found = {}
    empty = form_runs.empty

    def spy(driver: Any, shape: tuple[int, ...], dtype: Any, name: str) -> Any:
        array = empty(driver, shape, dtype, name)
        found[name] = array.known
        return array

    monkeypatch.setattr(form_runs, "empty", spy)
    return found


MUTANTS = {
    "the count comes ahead of the rows": ("cp.async.bulk.wait_group \t0;", ""),
    "only the read of shared memory is waited for": (
        "cp.async.bulk.wait_group \t0;", "cp.async.bulk.wait_group.read \t0;"),
    "nothing is acquired": ("ld.acquire.gpu", "ld.relaxed.gpu"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_the_interpreter_finds_what_is_missing(name: str) -> None:
    artifact = compiled(FORM, options())
    text, other = MUTANTS[name]
    assert text in artifact.ptx
    assert found_in(artifact.ptx.replace(text, other))


def test_the_interpreter_finds_a_missing_release_and_a_missing_wait() -> None:
    ptx = compiled(FORM, options()).ptx
    stored = ptx.index("cp.async.bulk.global.shared::cta")
    fence = ptx.index("fence.acq_rel.gpu;", stored)
    assert found_in(ptx[:fence] + ptx[fence + len("fence.acq_rel.gpu;") :])
    wait = ptx.index("ld.acquire.gpu")
    branch = ptx.index("bra", wait)
    start = ptx.rindex("@", wait, branch)
    end = ptx.index(";", branch) + 1
    assert found_in(ptx[:start] + ptx[end:])


def found_in(ptx: str) -> bool:
    """Whether the interpreter finds something for one of a few seeds."""
    artifact = replace(compiled(FORM, options()), ptx=ptx)
    data = Data.random(FORM, SIZES)
    runs = (fused.run(FORM, data, artifact, seed=seed, ctas=5) for seed in range(1, 9))
    return any(findings for *_, findings in runs)


TELLING = (
    "schedule=#mxfp4.schedule<instruction=wgmma,rows=192,tokens=64,warps_rows=12,warps_tokens=1,"
    "stages=4,placement=register,ctas=1,token_step=16,copy_warps=2,producer_registers=32,"
    "overlap_decode=true,full_tiles_first=true,short_to=32,short_stages=2,beside_tokens=80,"
    "beside_stages=3,bring_bytes={bytes}>"
)
"""Short groups have a program, whose scheduling warp brings rows for both programs."""


@pytest.mark.parametrize("ctas", [1, 2, 5])
@pytest.mark.parametrize("sizes", [
    (32, 33, 0, 81, 1, 80, 3), (32, 3, 0, 1, 32, 7, 9), (80, 33, 5, 80, 40, 90, 100),
    (0, 0, 0, 120, 0, 0, 0), (0, 0, 0, 0, 0, 0, 0),
], ids=["mixed", "short", "tall", "one", "none"])  # fmt: skip
def test_rows_of_short_groups_and_of_those_beside_them(sizes: tuple[int, ...], ctas: int) -> None:
    form = replace(FORM, groups=7)
    data = Data.random(form, list(sizes), ids=[0, 3, 1, 2, 2, 0, -1], seed=ctas, spare=3)
    text = TELLING.format(bytes=2 * 512 * (1 + ctas % 2))
    for seed in (1, 2):
        found = fused.complaints(form, data, text, ctas=ctas, seed=seed)
        assert not found, "\n".join(found)
