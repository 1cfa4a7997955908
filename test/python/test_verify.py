# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""That the verification on a GPU notices what is wrong, and that it accepts what is right.

Its checks run here on a CPU against a kernel made of the numpy reference, once right and once
broken in each way that the checks are for. They need torch, which is optional.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mxfp4 import Problem
from mxfp4.formats import bfloat16
from mxfp4.verify.cases import RAW, Case
from verified_kernels import NumpyKernel, nan, one_bit, zero

PLAIN = Case(Problem(4, 35, 96), 21, "random")
LISTED = Case(Problem(4, 35, 64, 5, RAW, "f32", True), 23, "random", (3, -1, 0, 0, 2))


@pytest.mark.parametrize("case", [PLAIN, LISTED], ids=["plain", "listed"])
@pytest.mark.parametrize("guards", [True, False])
def test_a_right_kernel_passes(gpu: Any, case: Case, guards: bool) -> None:
    kinds = ["exact", "random", "single"] + ["wide"] * (case.problem.layout == RAW)
    for kind in kinds:
        data = gpu.Data(case.problem, kind, guards)
        assert data.packer_problems() == []
        kernel = NumpyKernel()
        problems, worst = gpu.check_case(kernel, case, data)
        assert problems == []
        assert worst <= 1
        assert gpu.check_repeats(kernel, case, data, 2) == []
        assert gpu.check_errors(kernel, case, data) == []
        no_rows = dataclasses.replace(case, rows=0)
        assert gpu.check_case(kernel, no_rows, data)[0] == []


@pytest.mark.parametrize("damage", [one_bit, zero, nan])
@pytest.mark.parametrize("case", [PLAIN, LISTED], ids=["plain", "listed"])
def test_one_wrong_element_is_noticed(gpu: Any, damage: Any, case: Case) -> None:
    data = gpu.Data(case.problem, "exact")
    problems, _ = gpu.check_case(NumpyKernel(damage), case, data)
    assert [p for p in problems if "1 of" in p and "differ in bits" in p]
    if damage is not one_bit:  # one bit may be within the bound
        data = gpu.Data(case.problem, "random")
        problems, _ = gpu.check_case(NumpyKernel(damage), case, data)
        assert [p for p in problems if "1 of" in p and "exceed the bound" in p]


def test_an_unwritten_element_and_a_touched_guard_are_noticed(gpu: Any) -> None:
    data = gpu.Data(PLAIN.problem, "exact")

    def unwritten(target: np.ndarray) -> None:
        target[0, 0] = 0x7FAB

    problems, _ = gpu.check_case(NumpyKernel(unwritten), PLAIN, data)
    assert "1 elements were not written" in problems

    def past_the_end(target: np.ndarray) -> None:
        whole = np.lib.stride_tricks.as_strided(target, (target.size + 1,), (2,))
        whole[-1] = 0

    problems, _ = gpu.check_case(NumpyKernel(past_the_end), PLAIN, data)
    assert problems == ["1 guard elements were overwritten"]


def test_a_moving_result_is_noticed(gpu: Any) -> None:
    data = gpu.Data(PLAIN.problem, "random")
    kernel = NumpyKernel()

    def sometimes(target: np.ndarray) -> None:
        target[0, 0] ^= kernel.calls == 3

    kernel.damage = sometimes
    found = gpu.check_repeats(kernel, PLAIN, data, 4)
    assert found == ["1 of 4 repeated runs differ from the first"]


@pytest.mark.parametrize("case", [PLAIN, LISTED], ids=["plain", "listed"])
def test_a_kernel_that_stores_in_spite_of_bad_offsets_is_noticed(gpu: Any, case: Case) -> None:
    data = gpu.Data(case.problem, "exact")
    found = gpu.check_errors(NumpyKernel(checks=False), case, data)
    assert sum("something was stored" in f for f in found) == 6
    if case.ids is not None:
        assert sum("the error word is 0, expected 2" in f for f in found) == 4


def test_the_bound_is_that_of_the_reference(gpu: Any, rng: np.random.Generator) -> None:
    import torch
    from mxfp4 import _gpu
    from mxfp4.reference import error_bound

    value = rng.standard_normal(500) * np.exp2(rng.integers(-150, 100, 500))
    value[:2] = 0
    absolute = np.abs(value) * rng.uniform(1, 50, 500)
    for output, dtype in (("bf16", bfloat16), ("f32", np.float32)):
        ours = _gpu.error_bound(torch.from_numpy(value), torch.from_numpy(absolute), 96, output)
        assert (ours.numpy() == error_bound(value, absolute, 96, dtype)).all()


def test_soak_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from mxfp4.verify import soak

    class Rounds:
        def __init__(self, shelf: object, seed: int) -> None:
            self.rounds = self.launches = 0

        def watch(self) -> None:
            pass

        def round(self) -> list[str]:
            self.rounds += 1
            self.launches += soak.AT_ONCE
            clock.append(clock[-1] + 25.0)
            return ["one element"] if self.rounds == 4 else []

    clock = [1000.0]
    monkeypatch.setattr(soak, "Soak", Rounds)
    monkeypatch.setattr(soak, "Shelf", lambda folder: folder)
    monkeypatch.setattr(soak.time, "monotonic", lambda: clock[-1])
    assert soak.soak(tmp_path, 130.0, 7) == 1
    assert capsys.readouterr().out.splitlines() == [
        "soak: 75 s, 3 rounds, 18 launches, 0 wrong",
        "FAIL soak round 4 (seed 7): one element",
        "soak: 125 s, 5 rounds, 30 launches, 1 wrong",
        "soak: 150 s, 6 rounds, 36 launches, 1 wrong",
    ]
