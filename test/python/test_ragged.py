# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ragged problems that nobody thought of, shrunk to small ones when they fail.

``pytest test/python/test_ragged.py --ragged 5000`` runs more of them than CI does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import form_runs
import fp8_matmul as fp8
import fused
import numpy as np
import pytest
from fused import EPILOGUES
from hypothesis import HealthCheck, assume, find, given, settings
from hypothesis import strategies as st
from kernels import (
    LAYOUTS,
    Case,
    compile_kernel,
    complaints,
    library,
    needs_both,
    schedules,
    shared_k,
)
from mxfp4 import Error, Problem, compile_artifact, pack, quantize, simulate
from mxfp4.formats import bfloat16

pytestmark = needs_both
CHOICES = [f"placement={p} instruction={i}" for p, i in
           (("register", "auto"), ("register", "wgmma"), ("shared", "mma_sync"))]  # fmt: skip
EVERY = [*(f"schedule={s}" for s in (schedules() if library.find() else [])), *CHOICES]
FP8_CHOICES = ["placement=register", "placement=shared"]

# Extents around the edges of fragments, blocks and tiles, and any others.
EXTENTS = st.one_of(
    st.integers(1, 300), st.sampled_from([1, 7, 8, 16, 63, 64, 65, 127, 128, 129, 192, 193, 257])
)
SIZES = st.one_of(
    st.just(0), st.integers(0, 20), st.sampled_from([7, 8, 9, 16, 17, 63, 65, 129, 161, 257])
)


@st.composite
def sizes_of(draw: st.DrawFn, groups: int) -> list[int]:
    """Rows of groups: any; or most in one; or ever fewer, as by Zipf's law."""
    how = draw(st.sampled_from(["any", "any", "hot", "zipf"]))
    if how == "any":
        return draw(st.lists(SIZES, min_size=groups, max_size=groups))
    if how == "hot":
        few = draw(st.lists(st.integers(0, 2), min_size=groups, max_size=groups))
        few[draw(st.integers(0, groups - 1))] = draw(st.integers(100, 400))
        return few
    most = draw(st.integers(1, 200))
    return draw(st.permutations([most // (i + 1) for i in range(groups)]))


@st.composite
def ragged(draw: st.DrawFn) -> Case:
    """A problem, the rows of its groups, data and an interleaving."""
    named = draw(st.booleans())
    experts = draw(st.integers(1, 6))
    groups = draw(st.integers(1, 12)) if named else experts
    problem = Problem(
        experts, draw(EXTENTS), 32 * draw(st.integers(1, 36)), groups,
        draw(st.sampled_from(LAYOUTS)), draw(st.sampled_from(["bf16", "f32"])), named,
    )  # fmt: skip
    sizes = draw(sizes_of(groups))
    one = st.integers(-1, experts - 1)
    ids = draw(st.lists(one, min_size=groups, max_size=groups)) if named else None
    kind = draw(st.sampled_from(["exact", "single"]))
    return Case(problem, tuple(sizes), tuple(ids) if ids else None, kind, draw(st.integers(1, 99)))


@pytest.mark.slow
def test_ragged_problems_are_right_and_have_no_hazards(request: pytest.FixtureRequest) -> None:
    @settings(
        max_examples=request.config.getoption("--ragged"), deadline=None, database=None,
        derandomize=True, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ragged(), st.sampled_from(EVERY), st.integers(1, 4), st.integers(0, 2000))
    def property_(case: Case, options: str, multiprocessors: int, rows_hint: int) -> None:
        if options in CHOICES:
            options += f" rows-hint={rows_hint}"
        k = shared_k(case.problem.k, options)
        case = replace(case, problem=replace(case.problem, k=k))
        artifact = compile_kernel(case.problem, options)
        found = complaints(artifact, case, multiprocessors)
        assert not found, options + "\n" + "\n".join(found)

    property_()


@st.composite
def fused_ragged(draw: st.DrawFn, accumulation: str | None = None) -> tuple[Any, Any]:
    """A form with an epilogue or maps of rows, and data with the rows of its groups.

    Args:
        accumulation: of a form in FP8; None for one of bf16.
    """
    experts = draw(st.integers(1, 6))
    groups = draw(st.one_of(st.just(0), st.integers(1, 12)))
    epilogue = draw(st.sampled_from(sorted(EPILOGUES)))
    pairs = fused.Form(epilogue=epilogue).pairs
    fields: dict[str, Any] = {
        "experts": experts, "n": draw(EXTENTS) * (2 if pairs else 1),
        "k": 32 * draw(st.integers(1, 36)), "groups": groups, "epilogue": epilogue,
        "output": draw(st.sampled_from(["bf16", "f32", "f8E4M3FN"])),
    }  # fmt: skip
    fields |= {name: draw(st.booleans()) for name in ("gather", "scatter")}
    form: Any
    fields["through"] = fields["gather"] and draw(st.booleans())
    fields["older"] = not fields["gather"] and draw(st.booleans())
    counts = [""]
    if not groups:
        counts += ["awaited"] * fields["older"] + ["stored"] * (not fields["scatter"])
    fields["counts"] = draw(st.sampled_from(counts))
    if accumulation:
        form, data = fp8.Form(accumulation=accumulation, **fields), fp8.Data
    else:
        form, data = fused.Form(layout=draw(st.sampled_from(LAYOUTS)), **fields), fused.Data
    count = groups or experts
    sizes = draw(sizes_of(count))
    one = st.integers(-1, experts - 1)
    ids = draw(st.lists(one, min_size=count, max_size=count)) if groups else None
    seed, spare = draw(st.integers(1, 99)), draw(st.integers(0, 3))
    return form, data.random(form, sizes, seed, ids=ids, spare=spare)


def every_option(accumulation: str | None, gathers: bool) -> list[str]:
    """Options for forms that gather or do not: the schedules that the chooser has, and choices."""
    how = ["--gather"] if gathers else []
    how += ["--accumulation", fp8.NAMES[accumulation]] if accumulation else []
    choices = FP8_CHOICES if accumulation else CHOICES
    return [*(f"schedule={s}" for s in schedules(*how)), *choices]


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [None, *fp8.ACCUMULATIONS])
def test_fused_problems_are_right_and_have_no_hazards(
    request: pytest.FixtureRequest, accumulation: str | None
) -> None:
    """As above, with the schedules that the chooser has for problems that gather, too."""
    options_of = {gathers: every_option(accumulation, gathers) for gathers in (False, True)}
    family: Any = fp8 if accumulation else fused
    count = request.config.getoption("--ragged")

    @settings(
        max_examples=max(1, count // 6) if accumulation else count, deadline=None, database=None,
        derandomize=True, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data(), st.integers(1, 4), st.integers(0, 2000))
    def property_(data: st.DataObject, ctas: int, rows_hint: int) -> None:
        form, inputs = data.draw(fused_ragged(accumulation))
        # Else nothing is launched, or there is no memory to gather through to have maps of.
        assume(inputs.rows or (form.gather and not form.through))
        options = data.draw(st.sampled_from(options_of[form.gather]))
        if options in (*CHOICES, *FP8_CHOICES):
            options += f" rows-hint={rows_hint}"
        form, inputs = shared_steps(form, inputs, options)
        found = family.complaints(form, inputs, options, ctas=ctas, seed=rows_hint)
        assert not found, f"{form} {inputs.arrays['offsets']} {options}\n" + "\n".join(found)

    property_()


GUESSING = (
    "schedule=#mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16, warps_rows = 4, "
    "warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 8, k_slices = 3, "
    "copy_warps = 3, prefetch_first = true{}>"
)


@pytest.mark.parametrize("halves", ["", ", half_tiles = true"])
@pytest.mark.parametrize("experts", [3, 40])
def test_whatever_offsets_a_guess_finds_the_weights_that_it_fetches_exist(
    experts: int, halves: str
) -> None:
    """Before the wait, a load of offsets finds any value, by the seed."""
    random = np.random.default_rng(experts)
    weights = pack(*quantize(random.standard_normal((experts, 320, 192), np.float32)))
    kernel = compile_artifact(Problem(*weights.shape, layout=weights.layout),
                              GUESSING.format(halves))  # fmt: skip
    x = random.standard_normal((20, 192)).astype(bfloat16)
    offsets = np.minimum(np.arange(experts + 1) * 7, 20)
    for seed in range(12):
        found = simulate(kernel, x, weights, offsets.astype(np.int32), seed=seed)
        assert not found.findings, f"seed {seed}: {found.findings[:3]}"


@st.composite
def drawn_tile(draw: st.DrawFn, form: Any, accumulation: str | None) -> dict[str, Any]:
    """The tile, the warps and the K slices of a schedule that nobody chose."""
    if not accumulation and draw(st.integers(0, 4)) == 0:
        across = draw(st.sampled_from([1, 2, 4]))
        return {
            "instruction": "mma_sync", "rows": 64 * draw(st.integers(1, 3)),
            "tokens": 8 * across * draw(st.integers(1, 8)),
            "warps_rows": draw(st.sampled_from([1, 2, 4, 8])), "warps_tokens": across,
        }  # fmt: skip
    warps = draw(st.sampled_from([4, 8, 12, 16]))
    rows = max(64, 16 * warps) * draw(st.integers(1, 2))
    # Sums that are promoted take twice as many registers.
    sums = 96 if accumulation and accumulation != "fast" else 160
    tokens = 8 * draw(st.integers(1, min(32, 4 * sums * warps // rows)))
    steps = -(-form.k // (128 if accumulation else 64))
    slices = min(draw(st.integers(1, 6)), steps, 24 // warps)
    copying = slices if slices > 1 else draw(st.integers(1, min(3, rows // 64 + 1)))
    return {
        "instruction": "wgmma_fp8" if accumulation else "wgmma", "rows": rows, "tokens": tokens,
        "warps_rows": warps, "warps_tokens": 1, "k_slices": slices, "copy_warps": copying,
        "token_step": draw(st.sampled_from([0, *(s for s in (8, 16, 24) if tokens % s == 0)])),
    }  # fmt: skip


@st.composite
def drawn_schedule(draw: st.DrawFn, form: Any, accumulation: str | None) -> str:
    """A schedule that nobody chose; most of these can run.

    A choice that others rule out is left out, so that those of a kind meet each other.
    """
    fields = draw(drawn_tile(form, accumulation))
    slices, warps = fields.get("k_slices", 1), fields["warps_rows"]
    fields["placement"] = draw(st.sampled_from(["register", "register", "shared"]))
    fields["ctas"] = draw(st.sampled_from([1, 1, 2]))
    fields["stages"] = slices * draw(st.integers(3 if slices > 1 else 2, 8))
    if fields["instruction"] != "mma_sync":
        flags = ["overlap_decode", "evict_first", "none"]
        if fields["token_step"]:
            flags += ["version_loops", "full_tiles_first"]
        if form.older:
            flags.append("copies_ahead")
        chosen = draw(st.sets(st.sampled_from(flags))) - {"none"}
        if "overlap_decode" not in chosen:
            chosen -= {"version_loops"}
        if slices > 1 and "overlap_decode" not in chosen:
            chosen |= draw(st.sampled_from([set(), {"side_by_side"}]))
            fields["sum_steps"] = draw(st.integers(0, 3))
        elif slices == 1 and form.through and draw(st.booleans()):
            rows = form.k * (1 if accumulation else 2)
            fields |= {"bring_bytes": rows * draw(st.integers(1, 2)), "ctas": 1}
            fields["copy_warps"] = min(2, fields["copy_warps"])
        elif fields["token_step"] and not chosen & {"full_tiles_first", "copies_ahead"}:
            wide = draw(st.sampled_from([0, 1, fields["tokens"]]))
            if wide:
                fields |= {"wide_from": fields["tokens"] + wide, "wide_stages": 3 * slices}
        whole = chosen & {"overlap_decode", "full_tiles_first", "side_by_side"}
        whole = whole or "wide_from" in fields
        far = {"full_tiles_first", "side_by_side", "copies_ahead"}
        further = chosen & far or {"wide_from", "bring_bytes"} & {*fields}
        if not further and draw(st.booleans()):
            chosen.add("prefetch_first")
        tile = (warps, fields["rows"], fields["placement"])
        if slices > 1 and tile == (4, 128, "register") and not whole and draw(st.booleans()):
            chosen.add("half_tiles")
        fields |= dict.fromkeys(chosen, "true")
        if "full_tiles_first" in chosen and draw(st.booleans()):
            step = fields["token_step"]
            few = step * draw(st.integers(1, 4))
            fields |= {
                "rows": 192, "warps_rows": 12, "ctas": 1, "producer_registers": 32,
                "placement": "register", "copy_warps": min(3, fields["copy_warps"]),
                "short_to": few, "beside_tokens": few + step * draw(st.integers(1, 4)),
                "short_stages": draw(st.integers(2, 4)), "beside_stages": draw(st.integers(3, 5)),
            }  # fmt: skip
        if fields["ctas"] == 1 and slices * warps >= 8 and "wide_from" not in fields:
            fields["producer_registers"] = draw(st.sampled_from([0, 24, 40, 56]))
    text = ",".join(f"{name}={value}" for name, value in fields.items())
    return f"schedule=#mxfp4.schedule<{text}>"


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [None, *fp8.ACCUMULATIONS])
def test_schedules_that_nobody_chose_are_right_or_refused(
    request: pytest.FixtureRequest, accumulation: str | None
) -> None:
    """What the verifier accepts is right; what it refuses, it explains."""
    family: Any = fp8 if accumulation else fused
    count = max(1, request.config.getoption("--ragged") // (32 if accumulation else 8))

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data(), st.integers(1, 4), st.integers(0, 2000))
    def property_(data: st.DataObject, ctas: int, seed: int) -> None:
        form, inputs = data.draw(fused_ragged(accumulation))
        assume(inputs.rows)
        options = data.draw(drawn_schedule(form, accumulation))
        try:
            form_runs.compiled(form, options)
        except Error as e:
            if "requires" not in str(e):
                raise
            assume(False)
        found = family.complaints(form, inputs, options, ctas=ctas, seed=seed)
        assert not found, f"{form} {inputs.arrays['offsets']} {options}\n" + "\n".join(found)

    property_()


def shared_steps(form: Any, data: Any, options: str) -> tuple[Any, Any]:
    """The same with a K that the schedule's slices share."""
    k = shared_k(form.k, options)
    if k == form.k:
        return form, data
    form = replace(form, k=k)
    sizes = np.diff(data.arrays["offsets"]).tolist()
    ids = data.arrays.get("expert_ids")
    ids = ids.tolist() if ids is not None else None
    spare = data.rows - sum(sizes)
    return form, type(data).random(form, sizes, 1, ids=ids, spare=spare)


def test_failures_shrink_to_small_problems() -> None:
    def fails(case: Case) -> bool:
        return case.problem.n > 70 and sum(case.sizes) > 8 and case.problem.k > 64

    case = find(ragged(), fails, settings=settings(database=None, derandomize=True))
    assert (case.problem.experts, case.problem.n, case.problem.k) == (1, 71, 96)
    assert case.sizes == (9,)
    assert case.ids is None
