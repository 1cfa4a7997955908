# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ptxas made of a kernel: accumulators that are touched while a wgmma adds to them.

The interpreter runs PTX, where ptxas has not moved anything yet.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

_WGMMA = re.compile(r"\b[HQ]GMMA\.64x(\d+)x\S+\s+R(\d+),")
_WAIT = re.compile(r"\bWARPGROUP\.DEPBAR\.LE gsb0, (0x[0-9a-f]+)")


def disassembler() -> Path | None:
    """nvdisasm of the package triton, which torch brings; None if it is not there."""
    found = importlib.util.find_spec("triton")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "backends" / "nvidia" / "bin" / "nvdisasm"
    return path if path.is_file() else None


def disassemble(nvdisasm: Path, cubin: Path) -> list[str]:
    """Instructions and labels, without addresses."""
    command = [str(nvdisasm), "-c", str(cubin)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = (re.sub(r"/\*[0-9a-f]*\*/", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("//")]


def touched(lines: list[str]) -> list[str]:
    """Instructions that touch accumulators of a wgmma which is not waited for, in the order of the
    text. Branches are not followed: all that is read in a straight line is seen."""
    found: list[str] = []
    groups: list[set[int]] = []
    group: set[int] = set()
    for line in lines:
        if wgmma := _WGMMA.search(line):
            first = int(wgmma[2])
            group |= set(range(first, first + int(wgmma[1]) // 2))
            if "gsb0" in line:  # the last of its group
                groups.append(group)
                group = set()
        elif wait := _WAIT.search(line):
            pending = int(wait[1], 16)
            groups = groups[-pending:] if pending else []
        elif not line.startswith(("WARPGROUP", ".L_")):
            registers = {int(number) for number in re.findall(r"\bR(\d+)\b", line)}
            if registers & group.union(*groups):
                found.append(line)
    return found
