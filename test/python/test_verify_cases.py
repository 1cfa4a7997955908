# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the verification and the benchmark of matmuls run, and the tables of what they find."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import artifact, manifest
from mxfp4 import Error, Problem
from mxfp4.bench import __main__ as bench_main
from mxfp4.bench import cases as bench_cases
from mxfp4.layout import FP8
from mxfp4.problem import ACCUMULATIONS
from mxfp4.reference import check_routing
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

    # The seconds that pass are those of the replays, however busy the machine is.
    monkeypatch.setattr(_gpu.time, "perf_counter", lambda: Event.now / 1000)
    monkeypatch.setattr("torch.cuda.Event", Event)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 699.50 W, 1500 MHz\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    graph = Graph()
    found = _gpu.time_steadily(graph, 10, 0.3)  # type: ignore[arg-type]
    assert found.items() >= {"median": 300.0, "watts": 699.5, "mhz": 1500.0}.items()
    assert (graph.replays, found["replays"]) == (100, 50)
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
