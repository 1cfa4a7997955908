# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every instruction form of every kernel has a law that a GPU recorded (test/sim/laws)."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from pathlib import Path

import pytest
from kernels import LAYOUTS, compile_kernel, library, needs_both, schedules, short, slices_of
from mxfp4 import Problem
from mxfp4.layout import FP8 as FP8_LAYOUT
from mxfp4.problem import ACCUMULATIONS

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
    missing = forms(compile_kernel(problem, f"schedule={schedule}").ptx) - lawful()
    assert not missing, f"add a law to test/sim/laws for {sorted(missing)}"


@pytest.mark.parametrize("number", range(len(FP8)), ids=[f"{k}-{short(s)}" for k, s in FP8])
def test_every_form_of_a_kernel_in_fp8_has_a_law(number: int) -> None:
    kind, schedule = FP8[number]
    k = 128 * slices_of(schedule) * 4 + 96 * (slices_of(schedule) == 1)
    problem = Problem(
        4, 257, k, 4, FP8_LAYOUT, ("bf16", "f32")[number % 2], True, accumulation=kind
    )
    missing = forms(compile_kernel(problem, f"schedule={schedule}").ptx) - lawful()
    assert not missing, f"add a law to test/sim/laws for {sorted(missing)}"


def test_every_law_is_recorded() -> None:
    recorded = json.loads((LAWS / "recorded.json").read_text())
    laws = {law["name"] for law in json.loads((LAWS / "manifest.json").read_text())}
    assert laws == set(recorded["laws"])
    assert not recorded["failed"]
    assert recorded["files"] == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in LAWS.glob("*.ptx")
    }
