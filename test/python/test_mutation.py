# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The mutation run (`mutate`) kills what it should; the whole of it is for tools/nightly."""

from __future__ import annotations

import random
import re

import mutate
import pytest
from kernels import library, needs_both, schedules

pytestmark = needs_both
EVERY = schedules() if library.find() else []
SYNCHRONISES = re.compile(
    r"^\s*(?:@!?%p\d+\s+)?(wgmma\.(fence|commit|wait)|mbarrier|fence|cp\.async)"
)


def number_of(instruction: str) -> int:
    """The first schedule with an instruction."""
    return next(i for i, s in enumerate(EVERY) if f"instruction = {instruction}" in s)


def test_mutants_differ_from_the_kernel_in_one_line() -> None:
    ptx = "\n".join(
        [".entry k()", "{", "\t@%p1 bra \t$L;", "\tand.b32 \t%r1, %r2, 12;", "$L:",
         "\tsetp.lt.s32 \t%p1, %r1, %r2;", "\tld.global.b32 \t%r1, [%rd1+4];", "\tret;", "}"]
    )  # fmt: skip
    found = list(mutate.mutants(ptx))
    lines = ptx.split("\n")
    for m in found:
        changed = m.apply(ptx).split("\n")
        assert [i for i in range(len(lines)) if lines[i] != changed[i]] == [m.line]
    assert [str(m) for m in found if m.kind != "delete"] == [
        "guard: @%p1 bra $L;  ->  @!%p1 bra $L;",
        "immediate: and.b32 %r1, %r2, 12;  ->  and.b32 %r1, %r2, 8;",
        "opcode: and.b32 %r1, %r2, 12;  ->  or.b32 %r1, %r2, 12;",
        "opcode: setp.lt.s32 %p1, %r1, %r2;  ->  setp.le.s32 %p1, %r1, %r2;",
        "swap: setp.lt.s32 %p1, %r1, %r2;  ->  setp.lt.s32 %p1, %r2, %r1;",
        "immediate: ld.global.b32 %r1, [%rd1+4];  ->  ld.global.b32 %r1, [%rd1+20];",
    ]
    assert sum(m.kind == "delete" for m in found) == 4


def test_one_of_each_shape_leaves_out_copies_only() -> None:
    copies = "".join(f"\tadd.s32 \t%r{i}, %r{i + 1}, {i};\n" for i in range(9))
    ptx = f".entry k()\n{{\n{copies}\tadd.s32 \t%r1, %r2, %r3;\n\tret;\n}}"
    every = list(mutate.mutants(ptx))
    once = mutate.pick(every, 0, 1, 0)
    assert {m.shape for m in once} == {m.shape for m in every}
    assert len(once) == len({m.shape for m in once}) == 5  # three kinds, and two without a number
    assert mutate.pick(every, 0, 0, 0) == every
    assert len(mutate.pick(every, 7, 0, 0)) == 7


def assert_a_sample_dies(subject: mutate.Subject) -> None:
    """Four of five mutants, picked by chance."""
    wanted = random.Random(1).sample(list(mutate.mutants(subject.artifact.ptx)), 8)
    fates = [subject.fate(m) for m in wanted]
    eligible = [f for f in fates if f != "invalid"]
    assert eligible.count("killed") >= 0.8 * len(eligible)


@pytest.mark.slow
def test_mutants_of_a_kernel_for_mma_sync_die() -> None:
    number = number_of("mma_sync")
    assert_a_sample_dies(mutate.subject(EVERY[number], number))


@pytest.mark.slow
def test_mutants_of_a_hopper_kernel_die_and_no_synchronisation_can_go() -> None:
    """One test, because to run the kernel as it is takes half of the time."""
    number = number_of("wgmma")
    subject = mutate.subject(EVERY[number], number)
    assert_a_sample_dies(subject)
    deleted = [m for m in mutate.mutants(subject.artifact.ptx)
               if m.kind == "delete" and SYNCHRONISES.match(m.before)]  # fmt: skip
    assert len(deleted) > 20
    lived = [str(m) for m in deleted if subject.fate(m) != "killed"]
    assert not lived, "\n".join(lived)


def test_the_list_of_survivors_is_well_formed() -> None:
    for pattern, reason in mutate.reviewed():
        assert reason.strip().endswith(".")
        assert pattern.pattern.startswith("^")
