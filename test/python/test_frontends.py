# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each program of a front end becomes what docs/FrontEnds.md says, and means what it meant."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from frontend_ops import with_functions
from frontend_text import PLAIN_BITS_OF, Variation
from frontend_variations import variations
from frontends import OPT, PROGRAMS, Verdict, opt, run_on_cpu, verdicts, with_driver
from mxfp4 import Artifact, Error, pack
from mxfp4._call_checks import CallChecks

VERDICTS = verdicts()
NAMES = [verdict.name for verdict in VERDICTS]
PTX = "mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"


def program(verdict: Verdict) -> str:
    """The text of a row's program, in the generic form if it is StableHLO."""
    text = (PROGRAMS / f"{verdict.name}.mlir").read_text()
    if not verdict.name.endswith(".stablehlo"):
        return text
    pytest.importorskip("jax", reason="JAX reads StableHLO; see tools/setup --models")
    from mxfp4.integrations.jax import generic

    return generic(text)


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


def runs_on_cpu(verdict: Verdict) -> bool:
    """Whether all operations of a program are ones that MLIR lowers to the CPU."""
    return not verdict.name.endswith((".stablehlo", "_tosa_block_scaled"))


RAISED = [row for row in VERDICTS if row.matmuls + row.decodes]
RUNNABLE = [row for row in RAISED if runs_on_cpu(row)]
# Programs that take the CPU two seconds or more to run.
SLOW = (
    "jax-batched_f32_lut_exp2", "jax-batched_f32_lut_ldexp", "jax-decode_arith",
    "jax-decode_lut_exp2", "jax-decode_lut_ldexp", "jax-ragged_dot-cpu", "jax-ragged_dot-gpu",
    "jax-batched_f32_lut_set-generic-form", "jax-mlp_ragged_dtypes-generic-form",
    "torch-mlp_lut_ldexp-generic-form",
)  # fmt: skip


@pytest.mark.parametrize(
    "verdict",
    [
        pytest.param(row, marks=[pytest.mark.slow] if row.name in SLOW else [], id=row.name)
        for row in RUNNABLE
    ],
)
def test_bits(verdict: Verdict) -> None:
    """The program before and after, on exact data: what is summed in bf16 must be exact there."""
    driven = with_driver(program(verdict), sparse="f32-sums" in verdict.options)
    raised, said = opt(driven, verdict.passes)
    assert raised, said
    assert "mxfp4." in raised
    # Nothing here lowers the sorts and scatters of IREE and torch-mlir.
    assert run_on_cpu(with_functions(raised)) == run_on_cpu(with_functions(driven))


@pytest.mark.parametrize("verdict", RAISED, ids=[verdict.name for verdict in RAISED])
def test_kernels(verdict: Verdict) -> None:
    """A kernel for each grouped matmul, and for each decode that none takes."""
    if verdict.name.endswith(".stablehlo"):
        assert_artifacts(verdict)
        return
    raised, said = opt(program(verdict), verdict.passes)
    lowered, said = opt(with_functions(raised), PTX)
    assert lowered, said
    assert lowered.count(".entry") == verdict.matmuls + verdict.decodes


def assert_artifacts(verdict: Verdict) -> None:
    """Around an entry, a stack lowers StableHLO; its kernels come from the problems."""
    text = program(verdict)
    from mxfp4.compile import compile_artifact
    from mxfp4.integrations.jax import problems_of

    kernels = [compile_artifact(problem) for problem in problems_of(text)]
    assert len(kernels) == verdict.matmuls
    assert all(".entry" in kernel.ptx for kernel in kernels)


TOSA = (PROGRAMS / "upstream-t1_tosa_block_scaled.mlir").read_text()
# What TOSA's operations stand for, as upstream's other dialects write it.
TOSA_SPELLED = {
    "main": """
  %e = tensor.empty() : tensor<4x96x64xf32>
  %v = linalg.generic {indexing_maps = [affine_map<(e, n, k) -> (e, n, k)>,
      affine_map<(e, n, k) -> (e, n, k floordiv 32)>, affine_map<(e, n, k) -> (e, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>)
      outs(%e : tensor<4x96x64xf32>) {
    ^bb0(%a: f4E2M1FN, %b: f8E8M0FNU, %o: f32):
      %c = arith.scaling_extf %a, %b : f4E2M1FN, f8E8M0FNU to f32
      linalg.yield %c : f32
  } -> tensor<4x96x64xf32>
""",
    "both": """
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8x96xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  %v = linalg.generic {indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
      affine_map<(e, m, n, k) -> (e, m, k floordiv 32)>, affine_map<(e, m, n, k) -> (e, n, k)>,
      affine_map<(e, m, n, k) -> (e, n, k floordiv 32)>, affine_map<(e, m, n, k) -> (e, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %xs, %w, %s : tensor<4x8x64xf4E2M1FN>, tensor<4x8x2xf8E8M0FNU>,
                            tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>)
      outs(%z : tensor<4x8x96xf32>) {
    ^bb0(%a: f4E2M1FN, %as: f8E8M0FNU, %b: f4E2M1FN, %bs: f8E8M0FNU, %o: f32):
      %c = arith.scaling_extf %a, %as : f4E2M1FN, f8E8M0FNU to f32
      %d = arith.scaling_extf %b, %bs : f4E2M1FN, f8E8M0FNU to f32
      %p = arith.mulf %c, %d : f32
      %t = arith.addf %o, %p : f32
      linalg.yield %t : f32
  } -> tensor<4x8x96xf32>
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOSA_SPELLED)
def test_bits_of_tosa(name: str) -> None:
    """Upstream lowers these operations of TOSA nowhere: they are compared with their meaning."""
    (head, tail) = re.findall(rf"(func\.func @{name}\(.*\{{\n).*\n(.*return.*\n\}})", TOSA)[0]
    (operation,) = re.findall(rf"func\.func @{name}\(.*\{{\n(.*)\n", TOSA)
    raised, said = opt(with_driver(f"{head}{operation}\n{tail}\n"), "mxfp4-raise")
    assert "mxfp4." in raised, said
    assert "tosa." not in raised
    meant = with_driver(f"{head}{TOSA_SPELLED[name]}{tail}\n")
    assert run_on_cpu(raised) == run_on_cpu(meant)


VARIATIONS = variations()


QUICK = (
    "decode-high-nibble-first", "decode-wrong-table", "scf-forall", "one-hot", "join-branches",
    "words-mlx",
)  # fmt: skip


@pytest.mark.parametrize(
    "variation",
    [
        pytest.param(v, marks=[] if v.name in QUICK else [pytest.mark.slow], id=v.name)
        for v in VARIATIONS
    ],
)
def test_variations(variation: Variation) -> None:
    """Other spellings of the same kinds: a kernel with equal bits, or a sentence why not."""
    passes = f"mxfp4-raise{{{variation.options}}}"
    driven = with_driver(variation.text)
    raised, said = opt(driven, passes)
    assert raised, said
    if variation.remark:
        assert variation.remark in said
        assert "mxfp4.grouped_matmul " not in raised
        assert run_on_cpu(raised) == run_on_cpu(driven)
        return
    assert raised.count("mxfp4.grouped_matmul ") == variation.matmuls, said
    same_as = PLAIN_BITS_OF.get(variation.name)
    assert run_on_cpu(raised) == run_on_cpu(with_driver(same_as) if same_as else driven)
    lowered, said = opt(variation.text, f"{passes},{PTX}")
    assert lowered.count(".entry") == variation.matmuls, said


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
