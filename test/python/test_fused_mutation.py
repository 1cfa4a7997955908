# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Would tests of fused and of FP8 kernels notice? One instruction at a time is changed (`mutate`).

``--fused N`` changes more of each kernel than CI does, tools/nightly many.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import fp8_matmul as fp8
import fused
import mutate
import numpy as np
import pytest
from fused import Form
from kernels import needs_both
from mxfp4 import Artifact
from mxfp4.compile import Compiler

pytestmark = needs_both
GOAL = 0.9
# Rows of groups fill tiles of all heights that the kernel has.
SUBJECTS = {
    "gather, pairs": (
        Form(n=132, k=160, epilogue="pairs", gather=True), "rows-hint=100", [33, 0, 64],
    ),
    "scatter, scalars and rows": (
        Form(n=130, k=160, groups=4, epilogue="weighted", scatter=True, output="f32"),
        "rows-hint=10", [5, 9, 3, 16],
    ),
    "gather, bias, wgmma": (
        Form(n=132, k=704, epilogue="bias", gather=True, scatter=True),
        "instruction=wgmma rows-hint=60", [9, 0, 64],
    ),
    "gather, pairs, slices of wgmma": (
        Form(n=132, k=1408, groups=4, epilogue="pairs", gather=True),
        "instruction=wgmma rows-hint=3", [1, 9, 0, 8],
    ),
}  # fmt: skip
FP8_SUBJECTS = {
    "fp8, promoted, gather, pairs": (
        fp8.Form(n=132, k=288, accumulation="promoted 128", epilogue="pairs", gather=True),
        "rows-hint=100", [33, 0, 64],
    ),
    "fp8, fast, slices, scatter": (
        fp8.Form(n=130, k=704, groups=4, accumulation="fast", epilogue="weighted", scatter=True),
        "rows-hint=10", [5, 9, 3, 16],
    ),
    "fp8, promoted, shared": (
        fp8.Form(n=130, k=288, accumulation="promoted 128", output="bf16"),
        "placement=shared rows-hint=60", [9, 0, 64],
    ),
    # With 18 experts, all steps of the sum over lanes decide where a group begins.
    "fp8, promoted, counted": (
        fp8.Form(n=132, k=288, experts=18, accumulation="promoted 128", epilogue="pairs",
                 counts="stored"),
        "rows-hint=600", [33, 0, 64, 1, 0, 0, 2, 0, 5, 0, 0, 1, 0, 0, 0, 3, 1, 17],
    ),
}  # fmt: skip
EXPLAINED = (
    *mutate.reviewed(),
    (re.compile(r"griddepcontrol\.launch_dependents"), "Only when the next launch begins."),
)


def is_right(form: Any, sizes: list[int], artifact: Artifact, limit: int) -> bool:
    """Whether a kernel gives what it should, and refuses what it should."""
    ids = [2, 0, -1, 1] if form.groups else None
    in_fp8 = isinstance(form, fp8.Form)
    data = (fp8 if in_fp8 else fused).Data.random(form, sizes, seed=4, ids=ids, spare=3)
    try:
        for ctas in (1, 3):
            y, known, error, findings = run(form, data, artifact, limit, ctas)
            if error or findings or differences(form, data, y, known, "exact"):
                return False
        # Where sums are rounded, each of them is one chain.
        if in_fp8 and artifact.manifest.schedule.get("k_slices", 1) == 1:
            rounded = fp8.Data.random(form, sizes, seed=5, kind="normal", ids=ids, spare=3)
            y, known, error, findings = run(form, rounded, artifact, limit)
            if error or findings or differences(form, rounded, y, known, "sums"):
                return False
        # Of offsets that end late, counts are no sums of rows.
        return bool(form.counts) or refuses(form, data, sizes, artifact, limit)
    except AssertionError:  # a launch that fails
        return False


def run(form: Any, data: Any, artifact: Artifact, limit: int, ctas: int = 2) -> tuple[Any, ...]:
    """The output, which elements were stored, the error word, and hazards."""
    family = fp8 if isinstance(form, fp8.Form) else fused
    return family.run(form, data, artifact, ctas=ctas, max_instructions=limit)


def differences(form: Any, data: Any, y: np.ndarray, known: np.ndarray, kind: str) -> list[str]:
    """What is wrong with an output."""
    if isinstance(form, fp8.Form):
        return fp8.differences(form, data, y, known, kind)
    return fused.differences(form, data, y, known)


def refuses(form: Any, data: Any, sizes: list[int], artifact: Artifact, limit: int) -> bool:
    """Whether a kernel says so of rows that do not exist, and of offsets that end late."""
    for name, bad in ((n, b) for n in ("gather", "scatter") for b in (-1, "end")):
        if name not in data.arrays:
            continue
        changed = replace(data, arrays=dict(data.arrays))
        ends = {"gather": len(data.arrays["x"]), "scatter": data.output_rows(form)}
        changed.arrays[name] = changed.arrays[name].copy()
        changed.arrays[name][3] = ends[name] if bad == "end" else bad
        _, _, error, findings = run(form, changed, artifact, limit)
        if error != 4 or findings:
            return False
    late = replace(data, arrays=dict(data.arrays))
    late.arrays["offsets"] = data.arrays["offsets"] + np.array(
        [0] * len(sizes) + [data.rows + 1 - sum(sizes)], np.int32
    )
    _, known, error, findings = run(form, late, artifact, limit)
    return error == 1 and not findings and not known.any()


def compiled(form: Any, options: str) -> Artifact:
    """A kernel with an instruction per line."""
    with Compiler() as compiler:
        artifact = compiler.compile(form.mlir(), options)
    one_a_line = re.sub(r",\s*\n\s*|\n\t\t+", lambda m: ", " if "," in m[0] else " ", artifact.ptx)
    return replace(artifact, ptx=one_a_line)


def added(every: list[mutate.Mutant], form: Form, options: str) -> list[mutate.Mutant]:
    """Mutants of the shapes that a kernel without an epilogue and maps has fewer of, or none."""
    plain = compiled(replace(form, epilogue="none", gather=False, scatter=False), options)
    known, here = (Counter(m.shape for m in ms) for ms in (mutate.mutants(plain.ptx), every))
    return [m for m in every if here[m.shape] > known[m.shape]]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SUBJECTS, *FP8_SUBJECTS])
def test_a_sample_of_mutants_dies(name: str, request: pytest.FixtureRequest) -> None:
    """Of all of a kernel in FP8, and of what a fused one has more than a plain one."""
    form, options, sizes = {**SUBJECTS, **FP8_SUBJECTS}[name]
    artifact = compiled(form, options)
    limit = 3_000_000
    assert is_right(form, sizes, artifact, limit)
    every = list(mutate.mutants(artifact.ptx))
    if name in SUBJECTS:
        every = added(every, form, options)
    wanted = random.Random(7).sample(every, min(len(every), request.config.getoption("--fused")))
    killed, lived = 0, []
    for mutant in wanted:
        try:
            survives = is_right(
                form, sizes, replace(artifact, ptx=mutant.apply(artifact.ptx)), limit
            )
        except ValueError:
            continue  # no PTX
        if not survives:
            killed += 1
            continue
        if any(pattern.search(str(mutant)) for pattern, _ in EXPLAINED):
            continue
        trap = replace(mutant, after="trap;").apply(artifact.ptx)
        if not is_right(form, sizes, replace(artifact, ptx=trap), limit):
            lived.append(f"{mutant.line}: {mutant}")  # and not what no case reaches
    share = killed / max(1, killed + len(lived))
    assert share >= GOAL, f"{share:.1%} of {len(wanted)} killed; these live:\n" + "\n".join(lived)
