# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The verification itself: its list of shapes, and that it notices what is wrong.

The second part runs its checks on a CPU against a kernel made of the numpy reference, once right
and once broken in each way that the checks are for. It needs torch, which is optional.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import artifact, manifest
from mxfp4 import Error, PackedWeights, Problem, fp8, fp8_reference, fp8_sums
from mxfp4.bench import __main__ as bench_main
from mxfp4.bench import cases as bench_cases
from mxfp4.formats import bfloat16
from mxfp4.layout import FP8
from mxfp4.problem import ACCUMULATIONS
from mxfp4.reference import check_routing, grouped_matmul
from mxfp4.verify import __main__ as verify_main
from mxfp4.verify.cases import FOLDED, RAW, Case, cases, offsets_of, wanted
from mxfp4.wanted import PLACEMENTS, Shelf, Wanted


def test_the_list_covers_what_was_promised() -> None:
    every = cases()
    assert len(set(every)) >= 60
    problems = {c.problem for c in every}
    assert {p.k for p in problems} >= {32, 96, 2848, 2880, 2912, 3008}
    assert {p.experts for p in problems} >= {1, 4, 32}
    assert sum(p.n % 2 for p in problems) >= 10
    assert {c.rows for c in every} >= {0, 1, 4096}
    assert {p.layout for p in problems} >= {FOLDED, RAW, FP8}
    fp8 = [p for p in problems if p.layout == FP8]
    assert {p.accumulation for p in fp8} == set(ACCUMULATIONS)
    assert {p.output for p in fp8} == {"bf16", "f32"}
    assert any(p.expert_ids for p in fp8)
    assert {p.output for p in problems} == {"bf16", "f32"}
    assert any(c.ids and -1 in c.ids for c in every)
    empty = {"first", "middle", "last", "ends", "skewed", "random", "even"}
    assert {c.routing for c in every} == empty
    for p in problems:
        assert {w.placement for w in wanted() if w.problem == p} == set(PLACEMENTS)


@pytest.mark.parametrize("case", cases(), ids=lambda c: c.name)
def test_each_case_is_a_valid_problem(case: Case) -> None:
    ids = None if case.ids is None else np.array(case.ids, np.int32)
    offsets = np.array(case.offsets(), np.int32)
    check_routing(case.rows, case.problem.experts, offsets, ids)
    assert case.problem.expert_ids == (ids is not None)
    assert offsets_of(case.routing, case.rows, len(offsets) - 1) == case.offsets()


def test_benchmark_cases() -> None:
    every = bench_cases.cases()
    assert len(every) == len(set(every)) == 77
    uniform, zipf = ([c for c in every if c.experts > 1 and c.routing == how]
                     for how in ("uniform", "zipf"))  # fmt: skip
    assert [dataclasses.replace(c, routing="zipf") for c in uniform] == zipf, (
        "each shape, skewed too"
    )
    for case in every:
        routes = case.routes()
        assert len(routes) == case.launches
        assert all(sum(sizes) == case.rows for sizes in routes)
        loaded = [{e for e, s in enumerate(sizes) if s} for sizes in routes]
        if len(loaded[0]) * 2 <= case.experts:
            assert not loaded[0] & loaded[1], "neighbouring launches use other experts"


def test_routings_of_the_benchmark() -> None:
    uniform, zipf, one = (
        bench_cases.Case(32, "gate_up", 1024, how) for how in ("uniform", "zipf", "one")
    )
    assert {sum(c.sizes()) for c in (uniform, zipf, one)} == {4096}
    assert one.sizes()[0] == 4096
    sizes = zipf.sizes()
    assert sizes == sorted(sizes, reverse=True)
    assert abs(sizes[0] / sizes[9] - 10) < 1
    dense = bench_cases.Case(1, "dense", 8192)
    assert (dense.rows, dense.flops) == (8192, 2 * 8192**3)


def test_benchmark_table() -> None:
    row: dict[str, Any] = {"experts": 32, "layer": "down", "tokens": 1, "rows": 4}
    row |= {"routing": "uniform", "triton": {"median": 15.0}}
    row |= {"flops": 1e8, "bytes": 2e7, "read": {"median": 7.0}, "bf16": {"median": 40.0}}
    row |= {"register": {"median": 10.0}, "shared": {"error": "WRONG: 1"}}
    line = bench_main.table([row]).splitlines()[-1]
    cells = ["32", "down", "1", "uniform", "4", "10.0", "failed", "15.0", "40.0", "-", "7.0"]
    cells += ["10", "2000", "-", "1.50", "4.00", "-", "0.70"]
    assert [c.strip() for c in line.strip("|").split("|")] == cells
    assert bench_main.failures([row]) == ["E=32 down T=1 uniform shared: WRONG: 1"]


def test_benchmark_table_of_kernels_alone() -> None:
    row: dict[str, Any] = {"experts": 1, "layer": "down", "tokens": 8192, "routing": "uniform"}
    assert bench_main.steady_table([row | {"register": {"median": 1.0}}]) == ""
    told = {"median": 200.0, "watts": 699.7, "mhz": 1500.0}
    row |= {"register": {"median": 1.0, "steady": told}, "shared": {"error": "WRONG: 1"}}
    other = row | {"triton": {"median": 1.0, "steady": {"median": 250.0}}}
    head, _, *lines = bench_main.steady_table([row, other, {}]).splitlines()
    assert head == (
        "| E | layer | T | routing | ours, register, alone, us | Triton, alone, us "
        "| triton / register |"
    )
    assert lines == [
        "| 1 | down | 8192 | uniform | 200.0 (700 W, 1500 MHz) | - | - |",
        "| 1 | down | 8192 | uniform | 200.0 (700 W, 1500 MHz) | 250.0 | 1.25 |",
    ]


def test_a_kernel_alone_is_timed_in_the_second_half(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    from mxfp4 import _gpu

    class Event:
        """On a clock of its own, 3 ms a replay."""

        now = 0.0

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = Event.now

        def elapsed_time(self, end: Event) -> float:
            return end.at - self.at

        def synchronize(self) -> None:
            pass

    class Graph:
        replays = 0

        def replay(self) -> None:
            self.replays += 1
            Event.now += 3
            time.sleep(0.003)

    monkeypatch.setattr("torch.cuda.Event", Event)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 699.50 W, 1500 MHz\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    graph = Graph()
    found = _gpu.time_steadily(graph, 10, 0.3)  # type: ignore[arg-type]
    assert found.items() >= {"median": 300.0, "watts": 699.5, "mhz": 1500.0}.items()
    assert 0.3 * graph.replays < found["replays"] < 0.7 * graph.replays
    smi.write_text("#!/bin/sh\necho No devices were found\n")
    assert "watts" not in _gpu.time_steadily(graph, 10, 0.01)  # type: ignore[arg-type]


def test_seconds_alone_are_not_negative(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_main.main(["kernels", "--steady", "-1"])
    assert "--steady must not be negative, got -1" in capsys.readouterr().err


@pytest.mark.parametrize("main", [verify_main.main, bench_main.main])
def test_lists_are_json_lines(
    main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--list", "--options", "extra=1"]) == 0
    lines = [json.loads(x) for x in capsys.readouterr().out.splitlines()]
    assert len({x["name"] for x in lines}) == len(lines) > 60
    for line in lines:
        assert line["spec"].startswith("experts=")
        assert line["options"].endswith("extra=1")


def test_an_artifact_is_chosen_by_its_rows(tmp_path: Path) -> None:
    problem = Problem(3, 70, 96)
    for name, hint in (("a", [1, 8]), ("b", [9, 100])):
        artifact(manifest(problem__rows_hint=hint)).save(tmp_path / name)
    shelf = Shelf(tmp_path)
    chosen = [Path(shelf.find(Wanted(problem, "register", r)).origin).name for r in (0, 8, 9, 999)]
    assert chosen == ["a", "a", "b", "b"]
    with pytest.raises(Error, match=r"there is no artifact for e3g3n70k96-.*-shared-r8"):
        shelf.find(Wanted(problem, "shared", 8))
    with pytest.raises(Error, match="there is no artifact for e4"):
        shelf.find(Wanted(Problem(4, 70, 96), "register", 8))


# --------------------------------------------------------------------------- checks, on a CPU


class NumpyKernel:
    """A kernel with the launcher's manners: right, unless ``damage`` changes what it stores."""

    artifact: Any = None

    def __init__(self, damage: Callable[[np.ndarray], None] | None = None, checks: bool = True):
        self.damage, self.checks, self.word, self.calls = damage, checks, 0, 0

    def error_word(self) -> int:
        word, self.word = self.word, 0
        return word

    def multiply(self, x: Any, weights: PackedWeights, o: np.ndarray, ids: np.ndarray | None,
                 dtype: Any, operands: dict[str, Any]) -> np.ndarray:  # fmt: skip
        """What it stores."""
        import torch

        assert not operands
        host = dataclasses.replace(weights, data=weights.data.numpy())
        return grouped_matmul(x.view(torch.int16).numpy().view(bfloat16), host, o, ids, dtype)

    def __call__(
        self, x: Any, weights: PackedWeights, offsets: Any, out: Any, expert_ids: Any, **more: Any
    ) -> None:
        import torch

        self.calls += 1
        o = offsets.numpy()
        ids = None if expert_ids is None else expert_ids.numpy().copy()
        skipped = None
        if ids is not None:
            bad = (ids < -1) | (ids >= weights.experts)
            ids[bad] = -1
            if self.checks:
                skipped = np.flatnonzero(bad)
                self.word |= 2 * bool(bad.any())
        try:
            check_routing(len(x), weights.experts, o, ids)
        except Error:
            self.word |= 1
            if self.checks:
                return
            o = np.linspace(0, len(x), len(o)).astype(np.int32)
        narrow = out.dtype == torch.bfloat16
        y = self.multiply(x, weights, o, ids, bfloat16 if narrow else np.float32, more)
        target = out.view(torch.int16 if narrow else torch.int32).numpy()
        kept = {g: target[o[g] : o[g + 1]].copy() for g in (() if skipped is None else skipped)}
        target[...] = y.view(target.dtype)
        for g, before in kept.items():
            target[o[g] : o[g + 1]] = before
        if self.damage:
            self.damage(target)


PLAIN = Case(Problem(4, 35, 96), 21, "random")
LISTED = Case(Problem(4, 35, 64, 5, RAW, "f32", True), 23, "random", (3, -1, 0, 0, 2))


@pytest.fixture
def gpu() -> Any:
    pytest.importorskip("torch")
    from mxfp4.verify import gpu as module

    return module


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


def one_bit(target: np.ndarray) -> None:
    target[3, 5] ^= 1


def zero(target: np.ndarray) -> None:
    target[-1, -1] = 0


def nan(target: np.ndarray) -> None:
    target[2, 2] = -1


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


class Fp8Kernel(NumpyKernel):
    """The same with activations in FP8, whose sums are the tensor cores'."""

    def __init__(self, accumulation: str, **options: Any) -> None:
        super().__init__(**options)
        self.accumulation = accumulation
        self.artifact: Any = SimpleNamespace(manifest=SimpleNamespace(schedule={}))

    def multiply(self, x: Any, weights: PackedWeights, o: np.ndarray, ids: np.ndarray | None,
                 dtype: Any, operands: dict[str, Any]) -> np.ndarray:  # fmt: skip
        import torch

        powers, scales = (operands[f"epilogue{i}"].numpy() for i in (0, 1))
        host = dataclasses.replace(weights, data=weights.data.numpy(), powers=powers)
        codes = fp8.e4m3_values()[x.view(torch.uint8).numpy()]
        y = np.zeros((len(codes), weights.n), np.float32)
        for g, (begin, end) in enumerate(itertools.pairwise(o)):
            expert = g if ids is None else ids[g]
            if begin < end and expert >= 0:
                left = fp8_reference.left_of(host, expert)
                promotion = fp8_reference.PROMOTIONS[self.accumulation]
                sums = fp8_sums.matmul(codes[begin:end], left, promotion)
                with np.errstate(over="ignore"):
                    y[begin:end] = sums * scales[begin:end, None] * powers[expert]
        return y.astype(dtype)


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
