# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where NVIDIA's assembler is."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path


def find_ptxas() -> str | None:
    """NVIDIA's assembler, or None.

    Looked for in MXFP4_PTXAS, ``CUDA_HOME/bin``, the PATH and the package ``nvidia-cuda-nvcc``.
    """
    chosen = os.environ.get("MXFP4_PTXAS")
    if chosen:
        return chosen
    home = os.environ.get("CUDA_HOME")
    found = shutil.which("ptxas", path=str(Path(home) / "bin")) if home else None
    return found or shutil.which("ptxas") or _packaged()


def unlisted_ptxas() -> str | None:
    """That of the package, if it is the only one: the compiler itself does not look there."""
    path = find_ptxas()
    listed = os.environ.get("MXFP4_PTXAS") or path != _packaged()
    return None if listed else path


def with_ptxas(options: str) -> str:
    """Options that assemble, with the path of ptxas where the compiler would find none."""
    path = unlisted_ptxas() if "assemble=true" in options and "ptxas=" not in options else None
    return f"{options} ptxas={path}" if path else options


def _packaged() -> str | None:
    spec = importlib.util.find_spec("nvidia")
    folders = spec.submodule_search_locations if spec else None
    found = (p for folder in folders or () for p in Path(folder).glob("*/bin/ptxas"))
    return next((str(p) for p in found if os.access(p, os.X_OK)), None)
