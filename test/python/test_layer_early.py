# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers whose `down` begins while gate_up has not ended, on the interpreter."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driver_memory import file
from early_layers import BRINGS_EARLY, SPEC, brings, early
from kernels import needs_both
from layer_cases import Case, Fp8Case, check_close, lazy
from mxfp4 import Error, layer_steps
from mxfp4._runtime_library import NativeDriver
from mxfp4.compile import compile_text
from mxfp4.layer_kernels import LayerKernels
from mxfp4.layer_plan import LayerRunner
from mxfp4.layer_spec import LayerSpec
from mxfp4.layer_steps import EARLY

__all__ = ["brings", "early", "file"]  # fixtures

Change = Callable[[str], str]


def edit(pattern: str, replacement: str) -> Change:
    """A change of each place where a kernel has some text; there must be one."""

    def change(ptx: str) -> str:
        changed, count = re.subn(pattern, replacement, ptx)
        assert count, pattern
        return changed

    return change


@pytest.fixture
def run(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Run and check a layer whose kernels may be changed, by the first words of their names."""

    def run(spec: LayerSpec, tokens: int, **changes: Change) -> None:
        kernels = LayerKernels.compile(spec, tokens, device="h200")
        chosen = dict(kernels.chosen(tokens))
        assert [*chosen][-3:] == ["gate_up_counted", "down_counted", "combine"]
        for name, change in changes.items():
            artifact = kernels.matmul(name, tokens * spec.slots)
            kernels.matmuls[name] = [dataclasses.replace(artifact, ptx=change(artifact.ptx))]
        kernels = LayerKernels(spec, kernels.matmuls, kernels.routing)
        monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
        case = Case(spec, tokens, rng)
        check_close(case.run(file), case.truth())

    return run


@needs_both
@pytest.mark.parametrize(
    ("experts", "inner", "tokens"),
    [(8, 832, 70), (8, 832, 200), (8, 864, 130), (3, 96, 300), (32, 96, 600)],
)
def test_down_begins_while_gate_up_multiplies(
    run: Callable[..., None], experts: int, inner: int, tokens: int
) -> None:
    """With K slices or tall tiles, and columns and rows that fill no tile."""
    run(dataclasses.replace(SPEC, experts=experts, inner=inner), tokens)


HALVES = (
    "#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 8, "
    "k_slices = 3, copy_warps = 3, half_tiles = true>"
)


@needs_both
@pytest.mark.parametrize(
    ("accumulation", "scale", "tokens"),
    [("fast", "bound", 70), ("fast", 0.25, 300), ("promoted512", "bound", 300)],
)
def test_fp8_with_one_scale_between_the_matmuls(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch,
    accumulation: str, scale: str | float, tokens: int,
) -> None:  # fmt: skip
    """gate_up stores the codes that `down` waits for, and no bit depends on when `down` begins."""
    spec = dataclasses.replace(
        SPEC, activations="fp8", accumulation=accumulation, activation_scale=scale
    )
    case = Fp8Case(spec, tokens, rng)
    found = {}
    for first in (130, 10_000):
        monkeypatch.setattr(layer_steps, "EARLY_ROWS", first)
        kernels = LayerKernels(spec, lazy=True)
        monkeypatch.setattr("layer_cases.lazy", lambda _, kernels=kernels: kernels)
        found["down_counted" in dict(kernels.chosen(tokens))] = case.run(file)
    assert found[True].any()
    np.testing.assert_array_equal(found[True], found[False])


@needs_both
@pytest.mark.parametrize(("hidden", "inner", "tokens"), [(448, 480, 70), (512, 416, 130)])
def test_halves_of_tiles_are_counted(
    file: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch,
    hidden: int, inner: int, tokens: int,
) -> None:  # fmt: skip
    """Both kernels hand out halves, also such as N ends in or behind."""
    spec = dataclasses.replace(SPEC, hidden=hidden, inner=inner)
    kernels = LayerKernels(spec, lazy=True)
    for name in ("gate_up_counted", "down_counted"):
        kernels.matmuls[name] = [compile_text(getattr(spec, name)(), f"schedule={HALVES}")]
    assert "down_counted" in dict(kernels.chosen(tokens))
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    case = Case(spec, tokens, rng)
    check_close(case.run(file), case.truth())


@needs_both
@pytest.mark.parametrize("tokens", [200, 330])
def test_a_warp_brings_rows_and_down_begins_early(
    file: Path, rng: np.random.Generator, brings: LayerSpec, tokens: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    kernels = LayerKernels.compile(brings, tokens, device="h200")
    assert [name for name, _ in kernels.chosen(tokens)] == BRINGS_EARLY
    assert {name for name, _ in kernels.chosen(199)} >= {"gate_up_counted", "down_counted"}
    assert all(kernels.has(t) for t in kernels.starts(tokens))
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    case = Case(brings, tokens, rng)
    check_close(case.run(file), case.truth())


TELLING = (
    "#mxfp4.schedule<instruction=wgmma,rows=192,tokens=64,warps_rows=12,warps_tokens=1,"
    "stages=8,placement=register,ctas=1,token_step=16,copy_warps=3,producer_registers=32,"
    "overlap_decode=true,full_tiles_first=true,short_to=32,short_stages=4,beside_tokens=80,"
    "beside_stages=6>"
)
"""Groups of up to 32 rows have a program, where there are many."""


@needs_both
@pytest.mark.parametrize("telling", [("gate_up_counted",), EARLY], ids=["first", "both"])
@pytest.mark.parametrize(
    "most", [(0, 1), (7, 6), (0, 0)], ids=["first experts", "last experts", "every one"]
)
def test_down_waits_for_short_groups_and_for_those_beside_them(
    file: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    most: tuple[int, int],
    telling: tuple[str, ...],
) -> None:
    """One tile of tall groups or two, and short ones of some rows, one row and none."""
    kernels = LayerKernels(SPEC, lazy=True)
    for name in telling:
        kernels.matmuls[name] = [compile_text(getattr(SPEC, name)(), f"schedule={TELLING}")]
    assert "down_counted" in dict(kernels.chosen(130, "ids"))
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    ids = crowded(130, most, 90)
    gates = rng.random(ids.shape).astype(np.float32)
    case = Case(SPEC, 130, rng)
    check_close(case.run(file, "ids", given_ids=ids, gates=gates), case.truth_of(ids, gates))


@needs_both
@pytest.mark.parametrize("most", [(0, 1), (7, 6), (0, 0)], ids=["first", "last", "every one"])
def test_rows_of_short_groups_are_brought_and_counted(
    file: Path, rng: np.random.Generator, brings: LayerSpec, monkeypatch: pytest.MonkeyPatch,
    most: tuple[int, int],
) -> None:  # fmt: skip
    """The warp that hands out short groups' tiles brings rows for both programs, and counts."""
    spec = dataclasses.replace(brings, experts=8)
    schedule = TELLING.replace("warps=3,producer_registers=32", "warps=2,producer_registers=40")
    schedule = schedule.replace(">", ",bring_bytes=2048>").replace("stages=8", "stages=6")
    kernels = LayerKernels(spec, lazy=True)
    name = "gate_up_through_counted"
    kernels.matmuls[name] = [compile_text(getattr(spec, name)(), f"schedule={schedule}")]
    assert name in dict(kernels.chosen(200, "ids"))
    monkeypatch.setattr("layer_cases.lazy", lambda _: kernels)
    ids = crowded(200, most, 150)
    gates = rng.random(ids.shape).astype(np.float32)
    case = Case(spec, 200, rng)
    check_close(case.run(file, "ids", given_ids=ids, gates=gates), case.truth_of(ids, gates))


LEAST = r"(sub\.s32 \t%r\d+, %r\d+, %r\d+;\s+mul\.lo\.s32 \t%r\d+, %r\d+, )832;"


@needs_both
@pytest.mark.parametrize(
    "changes",
    [
        {"down_counted": edit(LEAST, r"\g<1>700;")},
        {"down_counted": edit(r"fence\.proxy\.async\.global;", "")},
        {"down_counted": edit(r"ld\.acquire\.gpu", "ld.relaxed.gpu")},
        {"gate_up_counted": edit(r"red\.release\.gpu", "red.relaxed.gpu")},
        {"down_counted": lambda ptx: ptx.replace("fence.acq_rel.gpu;", "", 1)},
    ],
    ids=["waits for too little", "no proxy fence", "no acquire", "no release", "no fence"],
)
def test_kernels_that_do_not_wait_for_all_rows_are_found(
    run: Callable[..., None], changes: dict[str, Change]
) -> None:
    with pytest.raises(Error, match="the interpreter found hazards"):
        run(SPEC, 70, **changes)


@needs_both
def test_counts_that_lack_rows_are_waited_for_without_end(
    run: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    less = edit(r"(red\.release\.gpu\.global\.add\.u32 \[%rd\d+\], )%r\d+;", r"\g<1>1;")
    with pytest.raises(Error, match="the interpreter found hazards"):
        run(SPEC, 70, gate_up_counted=less)
    said = capfd.readouterr().err
    assert "[endless]" in said
    assert re.search(r"for another value of buffer \d+ \+ \d+ than \d+, which it", said)


def ids_of(tokens: int) -> np.ndarray:
    """Each expert in turn for the first slot, the next one for the second."""
    first = np.arange(tokens) % SPEC.experts
    return np.stack([first, (first + 1) % SPEC.experts], axis=1).astype(np.int32)


def crowded(tokens: int, most: tuple[int, int], count: int) -> np.ndarray:
    """As `ids_of`, but ``count`` tokens take two experts, and expert 4 none, if two are given."""
    ids = ids_of(tokens)
    if most[0] != most[1]:
        ids[:count] = most
        ids[count:] = np.where(ids[count:] == 4, 2, ids[count:])
    return ids


@needs_both
@pytest.mark.parametrize("wrong", [-1, SPEC.experts, -(2**31)])
@pytest.mark.parametrize("count", [1, 140])
def test_down_does_not_wait_for_rows_that_gate_up_refuses(
    file: Path, rng: np.random.Generator, wrong: int, count: int
) -> None:
    """Both find the offsets bad, and neither has a tile."""
    ids = ids_of(70)
    ids.flat[:count] = wrong
    assert "down_counted" in dict(lazy(SPEC).chosen(70, "ids"))
    with pytest.raises(Error) as refused:
        Case(SPEC, 70, rng).run(file, "ids", given_ids=ids, gates=np.ones(ids.shape, np.float32))
    message = str(refused.value)
    assert "mxfp4_gate_up_counted: offsets do not rise" in message
    assert "mxfp4_down_counted: offsets do not rise" in message
    assert "hazard" not in message
    assert ("mxfp4_sort_dispatch: an expert id" in message) == (wrong != -1)


@needs_both
@pytest.mark.parametrize(("first", "rest"), [((2, 5), (2, 5)), ((7, 0), (3, 1))])
def test_experts_without_rows_are_not_waited_for(
    file: Path, rng: np.random.Generator, first: tuple[int, int], rest: tuple[int, int]
) -> None:
    ids = np.empty((70, SPEC.slots), np.int32)
    ids[:66], ids[66:] = first, rest
    gates = rng.random(ids.shape).astype(np.float32)
    case = Case(SPEC, 70, rng)
    check_close(case.run(file, "ids", given_ids=ids, gates=gates), case.truth_of(ids, gates))


@needs_both
def test_memory_that_gate_up_reads_is_not_stored_in(
    file: Path,
) -> None:
    """Sorted rows and the result of `down` share memory only where gate_up has ended."""
    fp8 = dataclasses.replace(SPEC, activations="fp8", activation_scale="bound")
    for spec, size in ((SPEC, 2), (fp8, 1)):
        for tokens, shares in ((64, True), (65, False)):
            runner = LayerRunner(lazy(spec), 0, NativeDriver(str(file)))
            plan = runner.plan(tokens)
            names = [name for name, _ in runner.kernels.chosen(tokens)]
            assert ("down_counted" in names) != shares
            of_row = plan.bytes // (tokens * spec.slots)
            assert of_row > 2 * spec.hidden + size * spec.inner
            assert (of_row < (2 + size) * spec.hidden + size * spec.inner) == shares
