# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command ``mxfp4`` as a process, and a checkpoint for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mxfp4.make_checkpoint import Shape, make_checkpoint

SHAPE = Shape(num_hidden_layers=2, num_local_experts=3, hidden_size=96, intermediate_size=64)


class Said:
    """What a command printed, and its exit status."""

    def __init__(self, *words: object, **environment: object) -> None:
        known = {"PYTHONPATH": ":".join(sys.path), "NO_COLOR": "1", "COLUMNS": "80"}
        run = subprocess.run(
            [sys.executable, "-m", "mxfp4", *map(str, words)],
            capture_output=True, text=True, timeout=120,
            env={**os.environ, **known, **{k: str(v) for k, v in environment.items()}},
        )  # fmt: skip
        self.status, self.out, self.err = run.returncode, run.stdout, run.stderr
        assert "Traceback" not in self.err, self.err

    def error(self, text: str) -> None:
        """The command failed with one sentence that contains this."""
        assert self.status == 1, (self.out, self.err)
        line = self.err.strip().splitlines()[-1]
        assert "error: " in line or "error: " in self.err
        assert text in self.err, self.err


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint that the commands of a file of tests read."""
    path = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(path, SHAPE, codes=True)
    return path
