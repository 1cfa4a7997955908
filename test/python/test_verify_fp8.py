# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""That the verification notices wrong kernels whose activations are in FP8; as test_verify.py."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from mxfp4 import Problem
from mxfp4.layout import FP8
from mxfp4.problem import ACCUMULATIONS
from mxfp4.verify.cases import Case
from verified_kernels import Fp8Kernel, nan, one_bit, zero


def fp8_case(accumulation: str, ids: bool) -> Case:
    if not ids:
        return Case(Problem(4, 11, 1184, layout=FP8, accumulation=accumulation), 9, "random")
    problem = Problem(4, 11, 160, 5, FP8, "f32", True, accumulation=accumulation)
    return Case(problem, 23, "random", (3, -1, 0, 0, 2))


@pytest.mark.parametrize("ids", [False, True], ids=["plain", "listed"])
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_a_right_fp8_kernel_passes(gpu: Any, accumulation: str, ids: bool) -> None:
    from mxfp4.verify.fp8 import data_for, kinds_of

    case = fp8_case(accumulation, ids)
    assert kinds_of(case.problem) == ["exact", "random", "same sign", "single"]
    for kind in kinds_of(case.problem):
        data = data_for(case.problem, kind)
        assert data.packer_problems() == []
        kernel: Any = Fp8Kernel(accumulation)
        problems, worst = gpu.check_case(kernel, case, data)
        assert problems == []
        assert worst <= 1
        assert gpu.check_repeats(kernel, case, data, 2) == []
        if kind == "exact":
            assert gpu.check_errors(kernel, case, data) == []
            assert gpu.check_case(kernel, dataclasses.replace(case, rows=0), data)[0] == []


def test_data_of_fp8_go_to_the_ends_of_the_layout(gpu: Any) -> None:
    """One weight at a time, over all scales, and as far apart in a row as there are exponents."""
    from mxfp4.layout_bytes import SPAN
    from mxfp4.verify.fp8 import data_for

    data = data_for(Problem(4, 129, 2912, layout=FP8), "single")
    scales = data.raw.scales.int()
    assert (scales.min(), scales.max()) == (0, 254)
    assert (scales.amax(-1) - scales.amin(-1)).max() == SPAN


@pytest.mark.parametrize("damage", [one_bit, zero, nan])
@pytest.mark.parametrize("ids", [False, True], ids=["plain", "listed"])
def test_one_wrong_element_in_fp8_is_noticed(gpu: Any, damage: Any, ids: bool) -> None:
    from mxfp4.verify.fp8 import data_for

    case = fp8_case("promoted512", ids)
    kernel: Any = Fp8Kernel("promoted512", damage=damage)
    problems, _ = gpu.check_case(kernel, case, data_for(case.problem, "exact"))
    assert [p for p in problems if "1 of" in p and "differ in bits" in p]
    if damage is not one_bit:
        problems, _ = gpu.check_case(kernel, case, data_for(case.problem, "same sign"))
        assert [p for p in problems if "1 of" in p and "exceed the bound" in p]


@pytest.mark.parametrize("kind", ["random", "same sign"])
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_another_accumulation_is_noticed(gpu: Any, accumulation: str, kind: str) -> None:
    """By the model, where a sum is one chain over K; K slices add sums of their own."""
    from mxfp4.verify.fp8 import data_for

    case = fp8_case(accumulation, False)
    data = data_for(case.problem, kind)
    for other in set(ACCUMULATIONS) - {accumulation}:
        kernel: Any = Fp8Kernel(other)
        problems, _ = gpu.check_case(kernel, case, data)
        assert [p for p in problems if "not those of the model" in p]
        kernel.artifact.manifest.schedule["k_slices"] = 3
        problems, _ = gpu.check_case(kernel, case, data)
        assert not [p for p in problems if "not those of the model" in p]
