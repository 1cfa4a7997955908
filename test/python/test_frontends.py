# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each program of a front end becomes what docs/FrontEnds.md says, and means what it meant."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from frontends import OPT, PROGRAMS, Verdict, opt, run_on_cpu, verdicts, with_driver
from mxfp4 import Artifact, Error, pack
from mxfp4._call_checks import CallChecks

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


def compiled(text: str, folder: Path) -> Path:
    """The artifact of a module."""
    folder.mkdir()
    (folder / "module.mlir").write_text(text)
    compiler = OPT.with_name("mxfp4-compile")
    command = [compiler, folder / "module.mlir", "-o", folder / "artifact"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder / "artifact"


def test_a_promise_reaches_the_manifest(tmp_path: Path) -> None:
    """From an option, through everything in between."""
    raising = "mxfp4-raise{scales=1,254},mxfp4-pack-weights{outline},mxfp4-bufferize"
    raised, said = opt((PROGRAMS / "torch-bmm_convert_moe.mlir").read_text(), raising)
    assert raised, said
    manifest = json.loads((compiled(raised, tmp_path / "raised") / "manifest.json").read_text())
    assert manifest["weights"]["promises"] == {"scales": [1, 254]}


def test_weights_that_break_a_promise_are_refused(tmp_path: Path) -> None:
    """Packing knows which scales there are."""
    command = [OPT.with_name("mxfp4-compile"), "experts=4 n=96 k=64", "--emit-mlir"]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    promise = "module attributes {mxfp4.promises = {scales = array<i64: 1, 254>}} {"
    artifact = Artifact.load(compiled(made.stdout.replace("module {", promise), tmp_path / "made"))
    assert artifact.manifest.scales == (1, 254)
    checks = CallChecks(artifact.manifest)
    blocks, scales = np.zeros((4, 96, 2, 16), np.uint8), np.full((4, 96, 2), 127, np.uint8)
    checks.check_weights(pack(blocks, scales, artifact.manifest.layout))
    scales[3, 5, 1] = 0
    with pytest.raises(Error, match="promise that scale bytes are 1 to 254"):
        checks.check_weights(pack(blocks, scales, artifact.manifest.layout))
