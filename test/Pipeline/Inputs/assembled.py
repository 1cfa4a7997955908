# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ptxas makes of kernels: nothing on the stack, nothing spilled, no warning.

Where there is a disassembler, nothing touches an accumulator while a wgmma adds to it, either.

The same ptxas makes the same of the same PTX. Lists of hashes therefore record which PTX it has
assembled well, and with which version; the tests assemble what is not in a list, and a sample of
what is. `--all` assembles every kernel (tools/nightly does), `--update` writes the list anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import every_kernel
from every_kernel import Case

sys.path.append(str(Path(__file__).resolve().parents[2] / "python"))
import sass

NVDISASM = sass.disassembler()

# Prime to the 16 problems of each schedule, so that the sample has one of each. It shows that
# the lists mean what they say; the kernels themselves are known by their hashes.
SAMPLE = 67


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


@cache
def maker() -> str:
    """What decides the PTX of a case: the compiler, the libraries that it loads, and the tests."""
    compiler = Path(shutil.which("mxfp4-compile") or "")
    loads = subprocess.run(["ldd", compiler], capture_output=True, text=True, check=True).stdout
    libraries = sorted(re.findall(r"/\S+", loads))
    stamps = [(name, os.stat(name).st_size, os.stat(name).st_mtime_ns) for name in libraries]
    files = [compiler, *sorted(Path(__file__).parent.glob("*.py"))]
    texts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return repr((stamps, texts))


def ptx_of(case: Case, directory: Path, compile_case: Callable[..., str]) -> tuple[str, str]:
    """What is wrong with compiling a kernel, or nothing, and the hash of its PTX.

    The same compiler makes the same PTX of the same problem. The hash is therefore kept beside the
    compiler, in a file named by all that decides it, and a second run with nothing changed only
    compares. Failures are not kept.
    """
    named = hashlib.sha256(repr((maker(), compile_case.__module__, case)).encode()).hexdigest()
    kept = Path(shutil.which("mxfp4-compile") or "").resolve().parents[1] / "ptx-hashes" / named
    if kept.exists():
        return "", kept.read_text()
    if wrong := compile_case(case, directory):
        return wrong, ""
    value = hash_of(directory)
    kept.parent.mkdir(exist_ok=True)
    part = kept.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    part.write_text(value)
    part.rename(kept)
    return "", value


def touched(cubin: Path) -> list[str]:
    """Instructions that touch an accumulator while a wgmma adds to it; none without nvdisasm."""
    lines = sass.disassemble(NVDISASM, cubin) if NVDISASM else []
    return [f"ahead of the wait for a wgmma: {line}" for line in sass.touched(lines)]


def faults(directory: Path, static_shared_bytes: int | None = None) -> list[str]:
    """What is wrong with the resources in an artifact that has a cubin."""
    resources = json.loads((directory / "manifest.json").read_text())["resources"]
    wrong = [f"{key}={resources[key]}" for key in ("stack_bytes", "spill_bytes") if resources[key]]
    if not 0 < resources["registers"] <= 255:
        wrong.append(f"registers={resources['registers']}")
    if static_shared_bytes is not None and resources["static_shared_bytes"] > static_shared_bytes:
        wrong.append(f"static_shared_bytes={resources['static_shared_bytes']}")
    return wrong + touched(directory / "kernel.cubin") + resources["warnings"]


def check(
    title: str,
    listed: Path,
    wanted: list[Case],
    compile_case: Callable[..., str],
    static_shared_bytes: Callable[[str], int | None] = lambda schedule: None,
) -> int:
    """Compile every kernel, assemble those that a list of hashes does not have, and a sample.

    Args:
        title: what the kernels are, for the first line of the list.
        listed: the list. Without it, or with one of another ptxas, every kernel is assembled.
        wanted: the kernels.
        compile_case: compiles one into a directory, with options for mxfp4-compile, and returns
            what is wrong, or nothing.
        static_shared_bytes: what the kernel of a schedule may have of static shared memory.

    Returns:
        1 if a kernel is not clean, each of which is printed, else 0.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--update", action="store_true", help="write the list anew")
    parser.add_argument("--all", action="store_true", help="assemble every kernel")
    options = parser.parse_args()
    text = listed.read_text() if listed.exists() else ""
    known = set(text.splitlines()) if counts(text) else set()
    again = set(wanted if options.all else wanted[::SAMPLE])
    hashes: set[str] = set()
    unknown: list[Case] = []

    def check_case(case: Case, directory: Path) -> list[str]:
        """What is wrong with one kernel."""
        directory.mkdir()
        wrong, value = ptx_of(case, directory / "ptx", compile_case)
        if wrong:
            return [wrong]
        hashes.add(value)
        if value not in known:
            unknown.append(case)
        elif case not in again:
            return []
        if wrong := compile_case(case, directory / "cubin", "--cubin"):
            return [wrong]
        return faults(directory / "cubin", static_shared_bytes(case.schedule))

    failures = 0
    for case, wrong in every_kernel.for_each(wanted, check_case):
        if wrong:
            failures += 1
            print(f"{case.schedule}\n{case.problem}\n  " + "\n  ".join(wrong))
    count = len(again | set(unknown))
    print(f"{len(wanted)} kernels, {count} assembled, {failures} not clean")
    if options.update and not failures:
        listed.write_text("\n".join([f"// {title}", note(), *sorted(hashes)]) + "\n")
    elif unknown:
        print(f"{len(unknown)} are not in {listed.name}; --update makes the next run quicker")
    return 1 if failures or not wanted else 0
