# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The program of examples/run runs artifacts in the interpreter, and refuses a damaged one.

usage: check_run.py PROGRAM MXFP4-COMPILE
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """A run of the program where there is no driver."""
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    command = [sys.argv[1], *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def main() -> None:
    """Kernels of both instructions, then an artifact that was damaged."""
    with tempfile.TemporaryDirectory() as folder:
        for instruction, rows in (("mma_sync", 16), ("wgmma", 40)):
            artifact = pathlib.Path(folder) / instruction
            subprocess.run(
                [sys.argv[2], "experts=3 n=70 k=96", f"--instruction={instruction}",
                 "--rows-hint", str(rows), "-o", artifact],
                check=True,
            )  # fmt: skip
            done = run(artifact, rows)
            assert done.returncode == 0, done.stderr + done.stdout
            assert f"{rows} of {rows} rows are right, error word 0" in done.stdout, done.stdout
            assert "weights      u8 [3, 2, 2, 2176]" in done.stdout, done.stdout
        (artifact / "kernel.ptx").unlink()
        done = run(artifact)
        assert done.returncode == 1
        assert "is not an artifact: it has no kernel.ptx" in done.stderr, done.stderr


main()
