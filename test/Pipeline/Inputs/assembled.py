# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ptxas makes of kernels: nothing on the stack, nothing spilled, no warning.

The same ptxas makes the same of the same PTX. Lists of hashes therefore record which PTX it has
assembled well, and with which version; the tests assemble what is not in a list, and a sample of
what is. `--all` assembles every kernel (tools/nightly does).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

# Prime to the 16 problems of each schedule, so that the sample has some of each.
SAMPLE = 17


def version() -> str:
    """The version of ptxas, such as 13.0.88."""
    said = subprocess.run(
        [os.environ["MXFP4_PTXAS"], "--version"], capture_output=True, text=True, check=True
    ).stdout
    return re.search(r"\bV([\d.]+)", said)[1]


def note() -> str:
    """The line of a list that says who assembled its kernels."""
    return f"// Each was assembled by ptxas {version()}: no stack, no spill, no warning."


def counts(text: str) -> bool:
    """Whether a list was made with the ptxas that is here."""
    return note() in text.splitlines()


def hash_of(directory: Path) -> str:
    """The hash of the PTX in an artifact."""
    return hashlib.sha256((directory / "kernel.ptx").read_bytes()).hexdigest()[:16]


def faults(directory: Path, static_shared_bytes: int | None = None) -> list[str]:
    """What is wrong with the resources in an artifact that has a cubin."""
    resources = json.loads((directory / "manifest.json").read_text())["resources"]
    wrong = [f"{key}={resources[key]}" for key in ("stack_bytes", "spill_bytes") if resources[key]]
    if not 0 < resources["registers"] <= 255:
        wrong.append(f"registers={resources['registers']}")
    if static_shared_bytes is not None and resources["static_shared_bytes"] > static_shared_bytes:
        wrong.append(f"static_shared_bytes={resources['static_shared_bytes']}")
    return wrong + resources["warnings"]
