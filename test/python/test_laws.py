# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every instruction form of every kernel has a law that a GPU recorded (test/sim/laws)."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import routing_cases
import routing_runs
from epilogue_operations import WIDTHS
from kernels import LAYOUTS, compile_kernel, library, needs_both, schedules, short, slices_of
from layer_cases import ACTIVATIONS, lazy
from mxfp4 import Compiler, Problem
from mxfp4.layer_spec import LayerSpec
from mxfp4.layer_steps import ROUTING, steps
from mxfp4.layout import FP8 as FP8_LAYOUT
from mxfp4.problem import ACCUMULATIONS
from mxfp4.routing import SCORINGS
from test_epilogue_operations import Form

pytestmark = needs_both
LAWS = Path(__file__).parent.parent / "sim" / "laws"
EVERY = schedules() if library.find() else []
FP8 = [
    (kind, schedule)
    for kind in ACCUMULATIONS
    for schedule in (schedules("--accumulation", kind) if library.find() else [])
][::3]  # neighbours have the same forms

_PREFIX = re.compile(r"^(?:[{}]\s*|\$?\w+:\s*|\.[^\n]*(?:\n\s*|$))*(?:@!?%p\d+\s+)?")


def forms(ptx: str) -> set[str]:
    """Opcodes with all their modifiers; a mov that packs or unpacks is a form of its own."""
    found = set()
    for statement in re.sub(r"//.*", "", ptx).split(";"):
        text = _PREFIX.sub("", statement.strip())
        opcode = re.match(r"[a-z][\w.:]*", text)
        if opcode:
            brace = text.find("{") if opcode[0].startswith("mov.") else -1
            kind = "" if brace < 0 else " pack" if brace > text.find("%") else " unpack"
            found.add(opcode[0] + kind)
    return found


@functools.cache
def lawful() -> set[str]:
    """The forms that the laws have."""
    return set().union(*(forms(f.read_text()) for f in LAWS.glob("*.ptx")))


def check(ptx: str) -> None:
    """Each of a kernel's forms has a law."""
    missing = forms(ptx) - lawful()
    assert not missing, f"add a law to test/sim/laws for {sorted(missing)}"


def test_forms_are_read_off_the_text() -> None:
    ptx = """.visible .entry k() // mul.lo.s32 no
{
\t.reg .b32 %r<3>;
$L__BB0_1:
\t@!%p1 bra.uni \t$L__BB0_1;
\tmov.b32 \t{%rs1, %rs2}, %r1;
\tmov.b32 \t%r1, {%rs1, %rs2};
\tmov.b32 \t%r1, %r2;
\tld.shared.v2.b32 \t{%r1, %r2}, [%r1];
}"""
    assert forms(ptx) == {
        "bra.uni",
        "mov.b32 unpack",
        "mov.b32 pack",
        "mov.b32",
        "ld.shared.v2.b32",
    }


@pytest.mark.parametrize("number", range(len(EVERY)), ids=[short(s) for s in EVERY])
def test_every_form_of_a_kernel_has_a_law(number: int) -> None:
    schedule = EVERY[number]
    slices = slices_of(schedule)
    k = 64 * slices if slices > 1 else 544
    problem = Problem(4, 257, k, 4, LAYOUTS[number % 4], ("bf16", "f32")[number % 2], True)
    check(compile_kernel(problem, f"schedule={schedule}").ptx)


@pytest.mark.parametrize("number", range(len(FP8)), ids=[f"{k}-{short(s)}" for k, s in FP8])
def test_every_form_of_a_kernel_in_fp8_has_a_law(number: int) -> None:
    kind, schedule = FP8[number]
    k = 128 * slices_of(schedule) * 4 + 96 * (slices_of(schedule) == 1)
    problem = Problem(
        4, 257, k, 4, FP8_LAYOUT, ("bf16", "f32")[number % 2], True, accumulation=kind
    )
    check(compile_kernel(problem, f"schedule={schedule}").ptx)


def kernels_of_layers() -> Iterator[tuple[str, LayerSpec, str, int]]:
    """Kernels by name, each once, for every activation, all of scorings, sums and scales."""
    sums = [{}, *({"activations": "fp8", "accumulation": how} for how in ACCUMULATIONS)]
    for number, (name, activation) in enumerate(ACTIVATIONS.items()):
        odd, own = number % 2, sums[number % len(sums)]
        if own and activation.bound() < np.inf and odd:
            own |= {"activation_scale": "bound"}
        spec = LayerSpec(
            (32, 256)[odd], (4, 8)[odd], (2880, 4096)[odd], 2880, activation, bias=not odd,
            scoring=SCORINGS[number % len(SCORINGS)], correction=bool(odd), renormalize=not odd,
            scale=(1.0, 2.5)[odd], logits=("bf16", "f32")[odd], **own,
        )  # fmt: skip
        done = set()
        for tokens, source in product((1, 100, 1000, 9000), ("logits", "ids", "some ids")):
            for step in steps(spec, tokens, source):
                if step not in done:
                    done.add(step)
                    yield f"{name}-{step}", spec, step, tokens


LAYERS = list(kernels_of_layers())


@pytest.mark.parametrize("kernel", LAYERS, ids=[name for name, *_ in LAYERS])
def test_every_form_of_a_kernel_of_layers_has_a_law(
    kernel: tuple[str, LayerSpec, str, int],
) -> None:
    _, spec, step, tokens = kernel
    made = lazy(spec)
    ptx = (
        made.routing_kernel(step).ptx
        if step in ROUTING
        else made.matmul(step, tokens * spec.slots).ptx
    )
    check(ptx)


@pytest.mark.parametrize("k", [1, 3, 32, 100])
def test_every_form_of_kernels_that_move_narrow_rows_has_a_law(k: int) -> None:
    for kind in ("bf16", "f32", "fp8", "fp8 once"):
        check(routing_runs.compiled(routing_cases.dispatch_mlir(2, k, kind)).ptx)
    for rows, out in product(("bf16", "f32"), repeat=2):
        check(routing_runs.compiled(routing_cases.combine_mlir(2, k, rows, out)).ptx)


@pytest.mark.parametrize("kind", WIDTHS)
def test_every_form_of_epilogues_has_a_law(kind: str) -> None:
    with Compiler() as compiler:
        check(compiler.compile(Form(kind).mlir()).ptx)


def test_distances_in_units_in_the_last_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(LAWS)
    replay = importlib.import_module("replay")
    a = np.array([1, 0.0, np.nan, 2.0**-149, np.inf, 1, np.inf, np.nan], np.float32)
    b = np.array([1, -0.0, np.nan, -(2.0**-149), 3.4028235e38, 1, 1, 1], np.float32)
    b.view(np.uint32)[2], b.view(np.int32)[5] = 0xFFC00001, b.view(np.int32)[5] + 3
    for most, wrong in ((2, [5, 6, 7]), (3, [6, 7]), (1, [3, 5, 6, 7]), (0, [3, 4, 5, 6, 7])):
        for got, want in ((a, b), (b, a)):
            found = replay.differences(f"ulps:{most}", got.tobytes(), want.tobytes())
            assert [place for place, *_ in found] == wrong


def test_every_law_is_recorded() -> None:
    recorded = json.loads((LAWS / "recorded.json").read_text())
    laws = {law["name"] for law in json.loads((LAWS / "manifest.json").read_text())}
    assert laws == set(recorded["laws"])
    assert not recorded["failed"]
    assert recorded["files"] == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in LAWS.glob("*.ptx")
    }
