# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every kernel that the chooser can return, in the PTX interpreter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import fused
import mxfp4
import numpy as np
import pytest
from helpers import random_weights
from kernels import (
    LAYOUTS,
    Case,
    compile_kernel,
    complaints,
    hurting,
    library,
    needs_both,
    refusal_complaints,
    schedules,
    shared_k,
    short,
    tokens_of,
)
from mxfp4 import Artifact, Layout, PackedWeights, Problem, Simulation, simulate
from mxfp4.formats import bfloat16

pytestmark = needs_both
EVERY = schedules() if library.find() else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each schedule with both orders and both scales, in turn one way or the other.

    That is two of the four layouts; with ``--layouts 4`` (tools/nightly), all.
    """
    if "layout" not in metafunc.fixturenames:
        return
    every = metafunc.config.getoption("--layouts") == 4
    pairs = [(LAYOUTS[0], LAYOUTS[3]), (LAYOUTS[1], LAYOUTS[2])]
    wanted = [
        pytest.param(schedule, layout, id=f"{short(schedule)}-{layout.order}-{layout.scales}")
        for i, schedule in enumerate(EVERY)
        for layout in (LAYOUTS if every else pairs[i % 2])
    ]
    metafunc.parametrize(("schedule", "layout"), wanted)


@pytest.mark.slow
def test_kernels_are_right_and_have_no_hazards(schedule: str, layout: Layout) -> None:
    found = []
    for i, case in enumerate(hurting(schedule, layout, LAYOUTS.index(layout))):
        artifact = compile_kernel(case.problem, f"schedule={schedule}")
        found += complaints(artifact, case, multiprocessors=1 + i % 3, launches=1 + 2 * (i % 2))
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", EVERY, ids=short)
def test_bad_offsets_and_ids_are_reported_and_nothing_is_stored_for_them(schedule: str) -> None:
    problem = Problem(4, 65, shared_k(160, schedule), 37, expert_ids=True)
    found = refusal_complaints(compile_kernel(problem, f"schedule={schedule}"), 37)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("n", [384, 640], ids=("whole", "partial"))
@pytest.mark.parametrize("schedule", [s for s in EVERY if "side_by_side = true" in s], ids=short)
def test_k_slices_take_tiles_side_by_side_where_that_takes_no_more_rounds(
    schedule: str, n: int
) -> None:
    # Tiles of 128 or 192 columns: two to five columns of them, or one or two of tall tiles, times
    # five row tiles. Slices that share a tile meet in shared memory to add their sums.
    sizes, ids = (80, 3, 0, 9, 40), (2, -1, 0, 1, 0)
    case = Case(Problem(3, n, 448, 5, expert_ids=True), sizes, ids)
    artifact = compile_kernel(case.problem, f"schedule={schedule}")
    rows, slices = (
        int(re.search(rf"\b{field} = (\d+)", schedule)[1]) for field in ("rows", "k_slices")
    )
    columns, tall = -(-n // rows), -(-n // (rows * slices))
    row_tiles = sum(-(-size // tokens_of(schedule)) for size in sizes)
    together = []
    for multiprocessors in (1, 2, 3, 5, 11):
        found = complaints(artifact, case, multiprocessors=multiprocessors, launches=2)
        assert not found, "\n".join(found)
        run = simulate(
            artifact, case.activations(), case.weights(), case.offsets(), case.expert_ids(),
            multiprocessors=multiprocessors,
        )  # fmt: skip
        together.append("barrier.sync" not in run.statistics["by_opcode"])
        rounds = -(-row_tiles * columns // multiprocessors)
        most = rounds + rounds // 16
        assert together[-1] == (slices * -(-row_tiles * tall // multiprocessors) <= most)
    assert set(together) == {True, False}


def checked(artifact: Artifact, case: Case) -> Simulation:
    """A run on one SM, of a kernel without complaints on one, two and five."""
    for multiprocessors in (1, 2, 5):
        found = complaints(artifact, case, multiprocessors=multiprocessors, launches=2)
        assert not found, "\n".join(found)
    return simulate(
        artifact, case.activations(), case.weights(), case.offsets(), case.expert_ids(),
        multiprocessors=1,
    )  # fmt: skip


@pytest.mark.parametrize("n", [256, 320], ids=("whole", "partial"))
@pytest.mark.parametrize("schedule", [s for s in EVERY if "wide_from" in s], ids=short)
def test_crowded_groups_have_wide_tiles_and_the_others_their_own(schedule: str, n: int) -> None:
    first = int(re.search(r"\bwide_from = (\d+)", schedule)[1])
    tokens, rows = tokens_of(schedule), int(re.search(r"\brows = (\d+)", schedule)[1])
    # The most rows of the one kind and the fewest of the other; a wide tile and a row more;
    # several; no rows; no expert.
    mixed = (first - 1, first, 0, 2 * tokens + 1, 1, 5 * tokens, first + 3)
    for sizes, ids in (
        (mixed, (0, 2, 1, 1, 0, 2, -1)),
        ((first - 1, 3, 0, 1), (0, 1, 2, -1)),  # one kind, and no barrier between two
        ((first, 0, 4 * tokens, first), (0, 1, 2, 1)),  # the other kind
        ((0, 0, 0), (0, 1, 2)),
    ):
        case = Case(Problem(3, n, 448, len(sizes), expert_ids=True), sizes, ids)
        artifact = compile_kernel(case.problem, f"schedule={schedule}")
        run = checked(artifact, case)
        copied = 0
        for size, expert in zip(sizes, ids, strict=True):
            height, width = (2 * tokens, rows // 2) if size >= first else (tokens, rows)
            tiles = -(-size // height)
            # The group's tiles share its rows evenly, in steps of 8; each reads all weights.
            share = -(-size // (8 * max(tiles, 1))) * 8
            boxes = [-(-min(share, size - i * share) // 8) * 8 for i in range(tiles)]
            a_step = tiles * width // 64 * 2176 + sum(boxes) * 128
            copied += -(-n // width) * a_step * 448 // 64 * (expert >= 0)
        assert run.statistics.get("bulk_load_bytes", 0) == copied


TELLING = (
    "#mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 64, warps_rows = 12, "
    "warps_tokens = 1, stages = 8, placement = register, ctas = 1, token_step = 16, "
    "copy_warps = 3, producer_registers = 32, overlap_decode = true, full_tiles_first = true, "
    "short_to = 32, short_stages = 4, beside_tokens = 80, beside_stages = 6>"
)
"""Short groups have a warpgroup of their own where they are many."""


@pytest.mark.parametrize("n", [384, 320], ids=("whole", "partial"))
@pytest.mark.parametrize("schedule", [TELLING, *(s for s in EVERY if "short_to" in s)], ids=short)
def test_short_groups_are_multiplied_beside_the_others(schedule: str, n: int) -> None:
    most, tall = (
        int(re.search(rf"\b{name} = (\d+)", schedule)[1]) for name in ("short_to", "beside_tokens")
    )
    # The most rows of the one kind and the fewest of the other; a tall tile and a row more.
    mixed = (most, most + 1, 0, tall + 1, 1, tall, 3)
    for sizes, ids in (
        (mixed, (0, 2, 1, 1, 0, 2, -1)),
        ((most, 3, 0, 1), (0, 1, 2, -1)),  # one kind, which both programs take
        ((tall, most + 1, 5, tall), (0, 1, 2, 1)),  # too few to be worth it
        ((most + 1, 0, 2 * tall, most + 1), (0, 1, 2, 1)),
        ((most, 3, 5 * tall), (0, 1, 2)),
        # Few enough that groups with half as many rows more are short, too, in two tiles.
        ((most * 3 // 2, 3, 3 * tall + 1, most, 2 * tall + 1, 1, *[0] * 26), (0, 1, 2, 1) * 8),
        ((0, 0, 0), (0, 1, 2)),
    ):
        case = Case(Problem(3, n, 448, len(sizes), expert_ids=True), sizes, ids)
        artifact = compile_kernel(case.problem, f"schedule={schedule}")
        run = checked(artifact, case)
        few = sum(0 < size <= most for size in sizes)
        others = sum(-(-size // tall) for size in sizes if size > most)
        more = sum(most < size <= most * 3 // 2 for size in sizes)
        are_few = others < 3 * few and 20 * few < 9 * others and len(sizes) >= 32
        fit = 5 * (few + 2 * more) <= 4 * (others - more)
        limit = most * 3 // 2 if are_few and fit else most
        heights = [most if size <= limit else tall for size in sizes]
        row_tiles = [-(-size // height) for size, height in zip(sizes, heights, strict=True)]
        short_tiles = sum(t for t, height in zip(row_tiles, heights, strict=True) if height == most)
        beside = 3 * short_tiles > sum(row_tiles) - short_tiles
        width = 128 if beside else 192
        copied = 0
        for size, height, expert in zip(sizes, heights, ids, strict=True):
            tiles = -(-size // (height if beside else tokens_of(schedule)))
            share = -(-size // (16 * max(tiles, 1))) * 16
            boxes = [-(-min(share, size - i * share) // 16) * 16 for i in range(tiles)]
            a_step = tiles * width // 64 * 2176 + sum(boxes) * 128
            copied += -(-n // width) * a_step * 448 // 64 * (expert >= 0)
        assert run.statistics.get("bulk_load_bytes", 0) == copied


UNEVEN = (
    "#mxfp4.schedule<instruction = wgmma, rows = {rows}, tokens = {tokens}, warps_rows = 4, "
    "warps_tokens = 1, stages = {stages}, placement = register, ctas = 1{step}, "
    "k_slices = {slices}, copy_warps = {slices}, overlap_decode = true{loops}>"
)
"""K slices whose loops are unrolled by two."""


@pytest.mark.parametrize("width", ["one", "few", "two blocks"])
@pytest.mark.parametrize(("slices", "steps"), [(3, 8), (3, 10), (3, 11), (3, 13), (4, 10)])
def test_slices_that_do_not_divide_the_steps(slices: int, steps: int, width: str) -> None:
    """Each step is done once, and the ring's slots and parities fit the next tile and launch."""
    schedule = UNEVEN.format(
        rows=128 if width == "two blocks" else 64, tokens=8 if width == "one" else 32,
        stages=(3 + steps % 2) * slices, step="" if width == "one" else ", token_step = 8",
        loops=", version_loops = true" if width == "few" else "", slices=slices,
    )  # fmt: skip
    # The last step is half a block every other time.
    problem = Problem(3, 192, 64 * steps - 32 * (steps % 2), layout=LAYOUTS[steps % 4])
    case = Case(problem, (3, 0, 37))
    artifact = compile_kernel(problem, f"schedule={schedule}")
    found = complaints(artifact, case, multiprocessors=1, launches=2)
    assert not found, "\n".join(found)


HALVES = (
    "#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 8, "
    "k_slices = 3, copy_warps = 3{halves}>"
)


def clean_runs(
    artifact: Artifact, x: np.ndarray, weights: PackedWeights, multiprocessors: Sequence[int]
) -> Iterator[Simulation]:
    """Runs of groups of 21, 0 and 23 rows on GPUs of some sizes, none with a hazard."""
    for count in multiprocessors:
        offsets = np.array([0, 21, 21, 44], np.int32)
        run = simulate(artifact, x, weights, offsets, multiprocessors=count)
        assert run.findings == []
        yield run


@pytest.mark.parametrize(("slices", "buffers"), [(3, 1), (6, 5)])
def test_six_slices_leave_their_sums_at_once(
    slices: int, buffers: int, rng: np.random.Generator
) -> None:
    """Each has a buffer, which several tiles of a CTA use, and halves of tiles a part of it."""
    problem = Problem(3, 310, 832, output="f32")
    weights = mxfp4.pack(*random_weights(rng, 3, 310, 832, 118, 128), problem.layout)
    x = rng.standard_normal((44, 832)).astype(bfloat16)
    schedule = HALVES.replace("copy_warps = 3", f"copy_warps = {slices}")
    schedule = schedule.replace("slices = 3", f"slices = {slices}")
    schedule = schedule.replace("stages = 9", f"stages = {3 * slices}")
    found = set()
    for halves in ("", ", half_tiles = true"):
        artifact = compile_kernel(problem, f"schedule={schedule.format(halves=halves)}")
        regions = artifact.manifest.raw["budget"]["shared_memory"]
        sums = next(region for region in regions if region["name"] == "sums")
        assert sums["bytes"] == buffers * 128 * 16 * 4
        found |= {run.y.tobytes() for run in clean_runs(artifact, x, weights, (1, 3))}
    assert len(found) == 1


@pytest.mark.parametrize("n", [256, 310, 64])
def test_halves_of_tiles_add_in_the_order_of_whole_ones(n: int, rng: np.random.Generator) -> None:
    """No bit depends on how many CTAs, and so which tiles are halves."""
    problem = Problem(3, n, 448, output="f32")
    weights = mxfp4.pack(*random_weights(rng, 3, n, 448, 118, 128), problem.layout)
    x = rng.standard_normal((44, 448)).astype(bfloat16)
    found, copied = set(), set()
    for halves in ("", ", half_tiles = true"):
        artifact = compile_kernel(problem, f"schedule={HALVES.format(halves=halves)}")
        for run in clean_runs(artifact, x, weights, (1, 2, 3, 5, 40)):
            found.add(run.y.tobytes())
            copied.add(run.statistics["bulk_load_bytes"])
    assert len(found) == 1
    assert len(copied) > 1, "there were halves"


@pytest.mark.parametrize("counts", ["stored", "awaited"])
@pytest.mark.parametrize(("epilogue", "n"), [("none", 256), ("none", 310), ("pairs", 324)])
def test_halves_of_tiles_are_counted_and_wait_for_counts(
    counts: str, epilogue: str, n: int
) -> None:
    """Whole tiles, both halves of others, and halves that N ends in or behind."""
    form = fused.Form(epilogue=epilogue, n=n, k=448, older=True, counts=counts)
    data = fused.Data.random(form, [21, 0, 44])
    for ctas in (1, 2, 3, 5, 40):
        schedule = HALVES.format(halves=", half_tiles = true")
        found = fused.complaints(form, data, f"schedule={schedule}", ctas=ctas)
        assert not found, (ctas, *found)


@pytest.mark.parametrize("experts", [1, 31, 33, 70, 260])
def test_the_first_tile_is_in_any_group_of_a_lane(experts: int) -> None:
    """The warp that builds the table hands it out: each lane knows up to eight groups, and with
    more than 256 groups there are several rounds. A CTA has a tile, every fourth group two."""
    schedule = HALVES.format(halves="").replace("rows = 128", "rows = 64")
    form = fused.Form(experts=experts, n=64, k=192)
    data = fused.Data.random(form, [(0, 7, 17, 3)[i % 4] for i in range(experts)])
    tiles = sum((0, 1, 2, 1)[i % 4] for i in range(experts))
    if not tiles:
        data, tiles = fused.Data.random(form, [40]), 3
    for ctas in {max(1, tiles // 2), tiles + 1}:
        found = fused.complaints(form, data, f"schedule={schedule}", ctas=ctas)
        assert not found, (ctas, *found)


FULL_FIRST = (
    "#mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 6, placement = register, ctas = 1, token_step = 8, "
    "copy_warps = 1, full_tiles_first = true>"
)


@pytest.mark.parametrize(("tiles", "is_early"), [(3, False), (32, False), (33, True), (40, True)])
def test_numbers_of_tiles_are_taken_early_in_launches_of_many(tiles: int, is_early: bool) -> None:
    """Two CTAs of 16 tiles each have few. One that takes numbers early takes one more in the end,
    and both count that they have ended."""
    case = Case(Problem(2, 64, 64), (16 * tiles - 16, 16))
    artifact = compile_kernel(case.problem, f"schedule={FULL_FIRST}")
    found = complaints(artifact, case, multiprocessors=2, launches=3)
    assert not found, "\n".join(found)
    run = simulate(artifact, case.activations(), case.weights(), case.offsets(), multiprocessors=2)
    added = run.statistics["by_opcode"]["atom.global.add.u32"]
    assert added == tiles + 2 + 2 * is_early
