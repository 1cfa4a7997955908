# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of examples/run: a kernel and a layer in the interpreter, and what is refused.

usage: check_run.py FOLDER-WITH-THE-PROGRAMS MXFP4-COMPILE FOLDER-WITH-THE-LAYER
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """A run of a program where there is no driver."""
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    command = [pathlib.Path(sys.argv[1]) / program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def compile_kernel(*words: object) -> None:
    """Make an artifact with the installed compiler."""
    subprocess.run([sys.argv[2], *map(str, words)], check=True)


def check_kernels(folder: pathlib.Path) -> None:
    """Kernels of both instructions, then an artifact that was damaged."""
    for instruction, rows in (("mma_sync", 16), ("wgmma", 40)):
        artifact = folder / instruction
        compile_kernel("experts=3 n=70 k=96", f"--instruction={instruction}", "--rows-hint", rows,
                       "-o", artifact)  # fmt: skip
        done = run("run", artifact, rows)
        assert done.returncode == 0, done.stderr + done.stdout
        assert f"{rows} of {rows} rows are right, error word 0" in done.stdout, done.stdout
        assert "weights      u8 [3, 2, 2, 2176]" in done.stdout, done.stdout
    (artifact / "kernel.ptx").unlink()
    done = run("run", artifact)
    assert done.returncode == 1
    assert "is not an artifact: it has no kernel.ptx" in done.stderr, done.stderr


def check_layer(folder: pathlib.Path) -> None:
    """The layer, then one with another activation."""
    source = pathlib.Path(sys.argv[3])
    for step in ("route", "gate_up", "down", "combine"):
        compile_kernel(source / f"{step}.mlir", "--rows-hint", 24, "-o", folder / step)
    for tokens in (1, 12, 70):
        done = run("layer", folder, tokens)
        assert done.returncode == 0, done.stderr + done.stdout
        assert f"{tokens} of {tokens} tokens are right" in done.stdout, done.stdout
    other = (source / "gate_up.mlir").read_text().replace("maximumf", "minimumf")
    (folder / "other.mlir").write_text(other)
    compile_kernel(folder / "other.mlir", "-o", folder / "gate_up")
    done = run("layer", folder)
    assert done.returncode == 1
    assert "0 of 12 tokens are right" in done.stdout, done.stdout


def main() -> None:
    """Check both programs."""
    with tempfile.TemporaryDirectory() as folder:
        check_kernels(pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        check_layer(pathlib.Path(folder))


main()
