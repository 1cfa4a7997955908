# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command ``mxfp4`` as a user meets it: a process, its output and its status."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import artifact, manifest
from mxfp4 import Error, library
from mxfp4.cli import COMMANDS
from mxfp4.layer_kernels import LayerKernels
from mxfp4.make_checkpoint import make_checkpoint
from said import SHAPE, Said, checkpoint

__all__ = ["checkpoint"]  # a fixture

needs_library = pytest.mark.skipif(
    library.find() is None and os.environ.get("MXFP4_REQUIRE_LIBRARY") != "1",
    reason="libmxfp4.so was not found",
)
DOWN = "model.layers.0.mlp.experts.down_proj"


@needs_library
def test_layers_are_compiled_ahead_of_time(tmp_path: Path) -> None:
    """For the operators and models of machines without the compiler."""
    from mxfp4.layer_spec import PRESETS
    from mxfp4.layer_steps import Source, steps

    sources: tuple[Source, ...] = ("logits", "ids", "some ids")
    words = ("--layer", "gpt-oss-20b", "--max-tokens", "1", "-o", tmp_path)
    cases: tuple[tuple[tuple[str, ...], str, dict[str, Any]], ...] = (
        ((), "", {}),
        (("--activations", "fp8", "--accumulation", "fast"), "-fp8-fast",
         {"activations": "fp8", "accumulation": "fast"}),
        (("--activations", "fp8", "--activation-scale", "bound"), "-fp8-promoted512-scale-bound",
         {"activations": "fp8", "activation_scale": "bound"}),
        (("--logits", "f32", "--some-absent"), "-logits-f32", {"logits": "f32"}),
        (("--batch-invariant", "--logits", "bf16"), "-batch-invariant", {"batch_invariant": True}),
    )  # fmt: skip
    for options, name, given in cases:
        said = Said("compile", *words, *options)
        assert said.status == 0, said.err
        assert f"kernels of a layer in {tmp_path}/gpt-oss-20b{name}" in said.out
        found = LayerKernels.load(tmp_path / f"gpt-oss-20b{name}")
        assert found.spec == dataclasses.replace(PRESETS["gpt-oss-20b"], **given)
        for source in sources:
            if source == "some ids" and "--some-absent" not in options:
                with pytest.raises(Error, match=r"no kernel \w+_gathered of .*--some-absent"):
                    found.chosen(1, source)
            else:
                assert [step for step, _ in found.chosen(1, source)] == steps(found.spec, 1, source)


def test_help_is_there_at_once_and_worth_reading() -> None:
    start = time.perf_counter()
    said = Said("--help")
    assert time.perf_counter() - start < 2
    for command in COMMANDS:
        assert f"\n    {command}" in said.out
    assert "MXFP4_KERNELS" in said.out
    for command in COMMANDS:
        said = Said(command, "--help")
        assert said.status == 0
        assert command == "completion" or len(said.out.splitlines()) > 8
        assert "mxfp4 " in said.out.partition("examples:")[2], command
        assert max(map(len, said.out.splitlines())) <= 90, command


@pytest.mark.slow
def test_pack_and_inspect(checkpoint: Path, tmp_path: Path) -> None:
    said = Said("inspect", checkpoint, "--scales")
    assert said.status == 0
    assert "model.layers.*.mlp.experts.gate_up_proj" in said.out
    assert ": folded" in said.out
    said = Said("pack", checkpoint, "-o", tmp_path / "p")
    assert said.status == 0, said.err
    assert "100%" in said.err, "a progress bar"
    assert "p: 4 tensors, 78.3 kB\n" in said.out
    assert "4 were there already" in Said("pack", checkpoint, "-o", tmp_path / "p").out
    raw = Said("pack", checkpoint, "-o", tmp_path / "p", "--scales", "raw")
    raw.error("scales=raw) is asked for (and 3 more like that). Nothing was packed: choose")
    raw = Said("pack", checkpoint, "-o", tmp_path / "r", "--scales", "raw")
    assert "4 with raw scales, asked for" in raw.out
    raw = Said("pack", checkpoint, "-o", tmp_path / "r")
    assert "4 were there already; 4 with raw scales, as they were packed before" in raw.out
    forced = Said("pack", checkpoint, "-o", tmp_path / "r", "--scales", "folded", "--force")
    assert forced.out.endswith("r: 4 tensors, 78.3 kB\n")
    said = Said("inspect", tmp_path / "p", "--verify")
    assert said.out.splitlines()[0].endswith("p: a packed checkpoint")
    assert "all digests fit" in said.out
    said = Said("inspect", tmp_path / "p", "--verify", "--checkpoint", checkpoint)
    assert f"equal to {checkpoint}, bit for bit" in said.out
    other = tmp_path / "other"
    make_checkpoint(other, SHAPE, codes=True, seed=1)
    said = Said("inspect", tmp_path / "p", "--verify", "--checkpoint", other)
    said.error("expert 0 is not what the checkpoint has")
    Said("pack", other, "-o", tmp_path / "p").error("was packed from other weights")
    Said("inspect", tmp_path / "p", "--checkpoint", other).error("--checkpoint goes with --verify")
    Said("inspect", checkpoint, "--verify").error("--verify is for packed weights")
    Said("inspect", tmp_path / "p", "--scales").error("--scales is of a checkpoint")
    Said("run", tmp_path / "p", "--cpu").error("p is packed already, and what is needed here is")
    content = json.loads(Said("inspect", tmp_path / "p", "--json").out)
    assert content["tensors"][0]["name"] == DOWN
    file = tmp_path / "p" / f"{DOWN}.safetensors"
    assert "packed weights" in Said("inspect", file).out
    data = bytearray(file.read_bytes())
    data[10 - 2 * 2176] ^= 1  # a code of the last expert
    file.write_bytes(data)
    Said("inspect", tmp_path / "p", "--verify").error("the digest does not fit")
    one = Said("pack", checkpoint, "-o", tmp_path / "q", "--tensor", DOWN, "--scales", "raw",
               "--order", "nibble", "--no-verify")  # fmt: skip
    assert "1 tensors" in one.out
    assert "1 with raw scales" in one.out


def mlir_file(path: Path, problem: str) -> None:
    from mxfp4 import Compiler

    with Compiler() as compiler:
        path.write_text(compiler.mlir(problem))


@pytest.mark.slow
@needs_library
def test_compile(checkpoint: Path, tmp_path: Path) -> None:
    said = Said("compile", "experts=4 n=192 k=64", "-o", tmp_path / "a")
    assert said.status == 0, said.err
    assert "4 kernels in" in said.out
    assert "| 4/4 [" in said.err, "how many there will be is known ahead"
    assert "few rows per group" in said.out
    assert "compile e4-n192-k64-spread-folded-bf16: 100%" in said.err, "a progress bar"
    for spelling in (("experts=4 n=192 k=64", "--rows-hint", "100"),
                     ("--problem", "experts=4 n=192 k=64", "--rows", "100")):  # fmt: skip
        one = Said("compile", *spelling, "-o", tmp_path / "b")
        assert "1 kernels in" in one.out
    said = Said("compile", "--checkpoint", checkpoint, "-o", tmp_path / "c", "--max-rows", "64")
    assert "read scales: 100%" in said.err
    assert "e3g4ids-n128-k96-spread-folded-bf16-r0" in said.out
    assert "e3-n96-k64-spread-folded-bf16-r0" in said.out
    said = Said("compile", "--checkpoint", checkpoint, "-o", tmp_path / "e", "--rows-hint", "8",
                "--top", "0", "--activations", "fp8", "--accumulation", "fast")  # fmt: skip
    names = [p.name for p in (tmp_path / "e").iterdir()]
    assert sum("bytes-relative-fast" in n for n in names) == 2, said.err
    assert {"quantize-k64", "quantize-k96"} <= set(names)
    mlir_file(tmp_path / "moe.mlir", "experts=2 n=64 k=64")
    file = Said("compile", tmp_path / "moe.mlir", "-o", tmp_path / "d", "--options",
                "placement=shared")  # fmt: skip
    assert file.status == 0, file.err
    assert "placement shared" in Said("inspect", tmp_path / "d" / "moe").out
    (tmp_path / "bad.mlir").write_text("module {")
    Said("compile", tmp_path / "bad.mlir", "-o", tmp_path / "d").error("compiling failed")
    Said("compile", "experts=1 n=2 k=33", "-o", tmp_path / "k").error("multiple of 32")


@pytest.mark.slow
@needs_library
def test_run(checkpoint: Path, tmp_path: Path) -> None:
    said = Said("run", checkpoint, "--cpu", "--rows", "5")
    assert said.status == 0, said.err
    assert said.out.count("result         right") == 2
    assert said.out.count("in the interpreter, no hazards") == 2
    mlir_file(tmp_path / "down.mlir", "experts=3 n=96 k=64")
    Said("compile", tmp_path / "down.mlir", "-o", tmp_path, "--rows", "5", "--options",
         "placement=shared")  # fmt: skip
    ahead = Said("run", checkpoint, "--cpu", "--rows", "5", "--kernels", tmp_path)
    assert ahead.out.count("decoded in shared memory") == 1, "the one that was compiled before"
    assert ahead.out.count("decoded in registers") == 1
    assert ahead.out.count("in the interpreter, no hazards") == 2
    assert "running on the CPU: the kernel's PTX, in the interpreter" in ahead.out
    assert "M multiply-adds in the interpreter, about 0 s" in ahead.out
    # Without the compiler kernels that are there run, of this shape.
    down = Said("run", checkpoint, "--cpu", "--tensor", DOWN, "--kernels", tmp_path,
                MXFP4_LIBRARY="/none.so")  # fmt: skip
    assert "in the interpreter, no hazards" in down.out
    assert down.out.count("result         right") == 1
    other = Said("run", checkpoint, "--cpu", "--kernels", tmp_path, MXFP4_LIBRARY="/none.so")
    other.error("there is no kernel for experts=3 groups=3 n=128 k=96")
    none = Said("run", checkpoint, "--cpu", "--rows", "0", "--tensor", DOWN)
    assert "nothing was launched: there are no rows" in none.out


@pytest.mark.slow
@needs_library
def test_run_says_that_no_kernel_ran(checkpoint: Path, tmp_path: Path) -> None:
    words = ("run", checkpoint, "--cpu", "--tensor", DOWN)
    specified = Said(*words, MXFP4_SIM_LIBRARY="/none.so")
    assert specified.status == 0
    assert "the executable specification, and no kernel, since libmxfp4-sim.so" in specified.out
    assert "no kernel ran  libmxfp4-sim.so was not found" in specified.out
    nothing = Said(*words, MXFP4_LIBRARY="/none.so", MXFP4_SIM_LIBRARY="/none.so")
    nothing.error("no kernel can run here, and comparing numpy with numpy would show nothing")
    assert "result" not in nothing.out


@pytest.mark.slow
def test_kernels_that_cannot_be_used_are_an_error(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    artifact(manifest()).save(tmp_path / "old" / "one")
    file = tmp_path / "old" / "one" / "manifest.json"
    file.write_text(file.read_text().replace('"version": 4', '"version": 2'))
    for folder, told in (
        ("none", "MXFP4_KERNELS: {}/none has no artifacts"),
        ("empty", "MXFP4_KERNELS: {}/empty has no artifacts"),
        ("old", "this package reads manifests of versions 3 and 4, got 2"),
    ):
        run = Said("run", checkpoint, "--cpu", MXFP4_KERNELS=tmp_path / folder)
        run.error(told.format(tmp_path))
        assert "result" not in run.out


def test_doctor(tmp_path: Path) -> None:
    said = Said("doctor", MXFP4_CACHE=tmp_path)
    assert said.status == 0, said.out
    assert "read and pack checkpoints" in said.out
    report = json.loads(Said("doctor", "--json", MXFP4_CACHE=tmp_path).out)
    states = {f["name"]: f["state"] for f in report["findings"]}
    assert states["numpy"] == "ok"
    assert report["uses"]["read and pack checkpoints"]["works"]
    (tmp_path / "lib.so").write_bytes(b"no library")
    broken = Said("doctor", MXFP4_LIBRARY=tmp_path / "lib.so", MXFP4_KERNELS=tmp_path / "none",
                  MXFP4_SIM_LIBRARY=tmp_path / "lib.so", MXFP4_CACHE=tmp_path,
                  MXFP4_RUNTIME_LIBRARY=tmp_path / "lib.so")  # fmt: skip
    assert broken.status == 1
    assert "BROKEN compiler" in broken.out
    assert "BROKEN interpreter" in broken.out
    assert "BROKEN launcher" in broken.out
    assert "BROKEN kernels" in broken.out
    assert "no     compile to PTX, needs compiler" in broken.out
    absent = Said("doctor", MXFP4_LIBRARY="/none.so", MXFP4_SIM_LIBRARY="/none.so",
                  MXFP4_PTXAS="/none", MXFP4_CACHE=tmp_path,
                  MXFP4_RUNTIME_LIBRARY="/none.so")  # fmt: skip
    assert "run kernels in the interpreter, needs interpreter, launcher, the compiler" in absent.out
    assert "no libmxfp4.so. MXFP4_LIBRARY names /none.so, which is no file: correct" in absent.out
    assert "MXFP4_SIM_LIBRARY names /none.so" in absent.out
    assert "no libmxfp4rt.so. MXFP4_RUNTIME_LIBRARY names /none.so" in absent.out
    assert "looked for /none.so" in absent.out, "of the driver"
    assert "BROKEN ptxas" in absent.out
    assert "the compiler or kernels compiled ahead of time" in absent.out


def test_completion(tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    bash = shutil.which("bash")
    assert bash
    script = tmp_path / "mxfp4.bash"
    script.write_text(Said("completion", "bash").out)
    ask = f"""source {script}
COMP_WORDS=(mxfp4 "$@"); COMP_CWORD=$#; COMP_LINE="mxfp4 $*"; COMP_POINT=${{#COMP_LINE}}
_shtab_mxfp4; printf '%s\\n' "${{COMPREPLY[@]}}" """

    def completes(*words: str) -> list[str]:
        run = subprocess.run([bash, "-c", ask, "bash", *words], capture_output=True, text=True,
                             cwd=tmp_path)  # fmt: skip
        return run.stdout.split()

    assert completes("p") == ["pack"]
    assert "--no-verify" in completes("pack", "--")
    assert "mxfp4.bash" in completes("inspect", "mx")
    assert "--rows-hint" in completes("explain", "--r")
    assert "_mxfp4" in Said("completion", "zsh").out


def test_a_closed_pipe_is_no_error(checkpoint: Path) -> None:
    command = f"{sys.executable} -m mxfp4 inspect {checkpoint} --json | head -n 1"
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert run.stdout == "{\n"
    assert run.stderr == ""


def test_importing_is_quick() -> None:
    # No array library, no compiler, no driver: everything is loaded on first use.
    heavy = ("numpy", "ml_dtypes", "safetensors", "tqdm", "torch", "cuda", "ctypes", "transformers")
    code = f"import sys, mxfp4; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True,
                         env={"PYTHONPATH": str(Path(library.__file__).parents[1])})  # fmt: skip
    assert run.stdout == "[]\n", run.stderr
    code = f"import sys, mxfp4.cli; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True,
                         env={"PYTHONPATH": str(Path(library.__file__).parents[1])})  # fmt: skip
    assert run.stdout == "[]\n", run.stderr
