# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Would tests of fused kernels notice? One instruction at a time is changed (`mutate`).

``--fused N`` changes more of each kernel than CI does, tools/nightly many.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace

import fused
import mutate
import numpy as np
import pytest
from fused import Data, Form
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
EXPLAINED = (
    *mutate.reviewed(),
    (re.compile(r"griddepcontrol\.launch_dependents"), "Only when the next launch begins."),
)


def is_right(form: Form, sizes: list[int], artifact: Artifact, limit: int) -> bool:
    """Whether a kernel gives what it should, and refuses what it should."""
    ids = [2, 0, -1, 1] if form.groups else None
    data = Data.random(form, sizes, seed=4, ids=ids, spare=3)
    try:
        for ctas in (1, 3):
            found = fused.run(form, data, artifact, ctas=ctas, max_instructions=limit)
            y, known, error, findings = found
            if error or findings or fused.differences(form, data, y, known):
                return False
        for name, bad in ((n, b) for n in ("gather", "scatter") for b in (-1, "end")):
            if name not in data.arrays:
                continue
            changed = replace(data, arrays=dict(data.arrays))
            ends = {"gather": len(data.arrays["x"]), "scatter": data.output_rows(form)}
            changed.arrays[name] = changed.arrays[name].copy()
            changed.arrays[name][3] = ends[name] if bad == "end" else bad
            _, _, error, findings = fused.run(
                form, changed, artifact, ctas=2, max_instructions=limit
            )
            if error != 4 or findings:
                return False
        late = replace(data, arrays=dict(data.arrays))
        late.arrays["offsets"] = data.arrays["offsets"] + np.array(
            [0] * len(sizes) + [data.rows + 1 - sum(sizes)], np.int32
        )
        _, known, error, findings = fused.run(form, late, artifact, max_instructions=limit)
        return error == 1 and not findings and not known.any()
    except AssertionError:  # a launch that fails
        return False


def compiled(form: Form, options: str) -> Artifact:
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
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_sample_of_mutants_dies(name: str, request: pytest.FixtureRequest) -> None:
    form, options, sizes = SUBJECTS[name]
    artifact = compiled(form, options)
    limit = 3_000_000
    assert is_right(form, sizes, artifact, limit)
    every = added(list(mutate.mutants(artifact.ptx)), form, options)
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
