# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each program of a front end becomes what docs/FrontEnds.md says, and means what it meant."""

from __future__ import annotations

import pytest
from frontends import PROGRAMS, Verdict, opt, run_on_cpu, verdicts, with_driver

VERDICTS = verdicts()
NAMES = [verdict.name for verdict in VERDICTS]
# The router's top-k is an operation of IREE or torch-mlir, which nothing here lowers.
UNKNOWN_OPERATIONS = ("-generic-form", ".stablehlo", "tosa")
PTX = "mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"


def program(verdict: Verdict) -> str:
    """The text of a row's program."""
    return (PROGRAMS / f"{verdict.name}.mlir").read_text()


def test_each_program_has_a_row() -> None:
    """And each row a program."""
    assert sorted(path.stem for path in PROGRAMS.glob("*.mlir")) == NAMES


@pytest.mark.parametrize("verdict", VERDICTS, ids=NAMES)
def test_verdict(verdict: Verdict) -> None:
    """The numbers of operations, with the promises; the remark, without."""
    raised, said = opt(program(verdict), verdict.passes)
    assert raised.count("mxfp4.grouped_matmul ") == verdict.matmuls, said
    assert raised.count("mxfp4.dequantize ") == verdict.decodes, said
    if verdict.remark:
        raised, said = opt(program(verdict), "mxfp4-raise")
        assert verdict.remark in said
        assert "mxfp4.grouped_matmul " not in raised


def is_known(verdict: Verdict) -> bool:
    """Whether all operations of a program are ones that mxfp4-opt knows."""
    return not any(word in verdict.name for word in UNKNOWN_OPERATIONS)


RUNNABLE = [row for row in VERDICTS if row.matmuls + row.decodes and is_known(row)]


@pytest.mark.parametrize("verdict", RUNNABLE, ids=[verdict.name for verdict in RUNNABLE])
def test_bits(verdict: Verdict) -> None:
    """The program before and after, on exact data: what is summed in bf16 must be exact there."""
    driven = with_driver(program(verdict), sparse="f32-sums" in verdict.options)
    raised, said = opt(driven, verdict.passes)
    assert raised, said
    assert "mxfp4." in raised
    assert run_on_cpu(raised) == run_on_cpu(driven)


@pytest.mark.parametrize(
    "verdict",
    [verdict for verdict in RUNNABLE if verdict.matmuls],
    ids=[verdict.name for verdict in RUNNABLE if verdict.matmuls],
)
def test_kernels(verdict: Verdict) -> None:
    """A kernel for each grouped matmul."""
    lowered, said = opt(program(verdict), f"{verdict.passes},{PTX}")
    assert lowered, said
    assert lowered.count(".entry") == verdict.matmuls
