# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 doctor``."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import NamedTuple

SUMMARY = "say what is installed, and what will and will not work"
DESCRIPTION = """Look at compiler, assembler, driver, GPUs and Python packages, and say what will
and will not work on this machine, and why. The status is 1 if something is there
but broken.
"""
EXAMPLES = """examples:
  mxfp4 doctor
  mxfp4 doctor --json > report.json      for a bug report
"""

PTXAS = "13.0.88"
"""The version that measurements were made with."""

PACKAGES = ("numpy", "ml_dtypes", "safetensors", "tqdm", "torch", "transformers", "matplotlib")


class Finding(NamedTuple):
    """One thing looked at: ``state`` is "ok", "absent" or "broken"."""

    name: str
    state: str
    text: str


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="all of it as JSON")


def run(options: argparse.Namespace) -> int:
    """Look, and report."""
    findings = [_python(), *_packages(), *_libraries(), _ptxas(), _kernels(), _cache(),
                *_driver()]  # fmt: skip
    uses = _uses({f.name: f for f in findings})
    if options.json:
        found = [f._asdict() for f in findings]
        works = {name: {"works": not why, "why": why} for name, why in uses.items()}
        print(json.dumps({"findings": found, "uses": works}, indent=1))
    else:
        mark = {"ok": "  ok     ", "absent": "  -      ", "broken": "  BROKEN "}
        print("Found")
        for f in findings:
            print(f"{mark[f.state]}{f.name:15} {f.text}")
        print("\nWorks")
        for name, why in uses.items():
            print(f"  {'no ' if why else 'yes'}    {name}{', ' + why if why else ''}")
    return 1 if any(f.state == "broken" for f in findings) else 0


def _python() -> Finding:
    from .. import __version__

    text = f"mxfp4 {__version__} in {Path(__file__).resolve().parents[1]}"
    return Finding("Python", "ok", f"{platform.python_version()}; {text}")


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append(Finding(name, "absent", "not installed"))
    return found


def _libraries() -> list[Finding]:
    from .. import _runtime_library, _sim_library, library
    from ..errors import Error

    compiler = ("compiler", library.FILE, library.find(), library.load)
    interpreter = ("interpreter", library.INTERPRETER, library.find_interpreter(),
                   _sim_library.load_interpreter)  # fmt: skip
    launcher = ("launcher", library.RUNTIME, library.find_runtime(),
                _runtime_library.load_runtime)  # fmt: skip
    found = []
    for name, file, path, load in (compiler, interpreter, launcher):
        if path is None:
            found.append(Finding(name, "absent", f"no {file}. {library.how_to_have(file)}"))
            continue
        try:
            load()
        except Error as e:
            found.append(Finding(name, "broken", str(e)))
        else:
            found.append(Finding(name, "ok", str(path)))
    return found


def _ptxas() -> Finding:
    from ..compile import find_ptxas

    path = find_ptxas()
    if path is None:
        return Finding("ptxas", "absent", "not found; the driver compiles PTX when it is loaded")
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        return Finding("ptxas", "broken", f"{path} does not run: {e}")
    version = next((w[1:] for w in said.stdout.split() if w[:1] == "V" and "." in w), "unknown")
    other = "" if version == PTXAS else f"; measurements were made with {PTXAS}"
    return Finding("ptxas", "ok", f"{version}, {path}{other}")


def _kernels() -> Finding:
    from .. import kernels
    from ..errors import Error

    folders = os.environ.get("MXFP4_KERNELS")
    if not folders:
        return Finding("kernels", "absent", "MXFP4_KERNELS names no folder of compiled kernels")
    try:
        count = kernels.count()
    except (Error, OSError) as e:
        return Finding("kernels", "broken", str(e))
    return Finding("kernels", "ok", f"{count} compiled ahead of time in {folders}{_others()}")


def _others() -> str:
    """What to say of kernels whose schedules were chosen for another GPU than the first here."""
    from .. import devices, kernels, library

    facts = devices.facts_of()
    others = kernels.ahead_for_others(facts) if facts else []
    if not facts or not others:
        return ""
    named = ", ".join(dict.fromkeys(others))
    where = f"--device {facts.words()}" if library.find() else f"for {facts.name}"
    return (
        f"; {len(others)} of them were chosen for {named}, and GPU 0 is another: they run there "
        f"and are right, but others may be faster (mxfp4 compile {where})"
    )


def _cache() -> Finding:
    from .._amounts import size
    from ..cache import Cache, cache_folder, cache_limit
    from ..errors import Error

    folder = cache_folder()
    try:
        cache = Cache(folder, cache_limit())
    except Error as e:
        return Finding("cache", "broken", str(e))
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not os.access(there, os.W_OK):
        return Finding("cache", "broken", f"{folder} cannot be written; set MXFP4_CACHE")
    text = f"{len(cache.entries())} kernels, {size(cache.size())} of {size(cache.limit)}"
    return Finding("cache", "ok", f"{text}, {folder}")


def _driver() -> list[Finding]:
    from ..errors import Error
    from ..loaded import load_driver

    try:
        driver = load_driver()
        version, devices = driver.version(), driver.devices()
    except Error as e:
        return [Finding("driver", "absent", str(e)), Finding("GPU", "absent", "no driver")]
    found = [Finding("driver", "ok", f"for CUDA {version // 1000}.{version % 1000 // 10}")]
    for i, device in enumerate(devices):
        name = device.name.decode(errors="replace")
        fits = device.chip == 90
        text = f"{name}, sm_{device.chip}, {device.multiprocessors} SMs{_speed(i) if fits else ''}"
        found.append(Finding(f"GPU {i}", "ok" if fits else "absent",
                             text + ("" if fits else "; kernels are for sm_90a")))  # fmt: skip
    return found if devices else [*found, Finding("GPU", "absent", "the driver sees none")]


def _speed(ordinal: int) -> str:
    """What else schedules are chosen by, and for which device that is."""
    from .. import devices, library

    facts = devices.facts_of(ordinal)
    if facts is None or not facts.bandwidth:
        return ""
    text = f", {facts.bandwidth} GB/s, {facts.l2} MiB of L2 cache"
    return f"{text}; kernels are chosen for {facts.words()}" if library.find() else text


def _uses(found: dict[str, Finding]) -> dict[str, str]:
    """What can be done, and, where it cannot, why: an empty text means that it can."""

    def lacks(*names: str) -> str:
        return ", ".join(n for n in names if found[n].state != "ok")

    def needs(*what: str) -> str:
        return "needs " + ", ".join(filter(None, what)) if any(what) else ""

    has_gpu = any(n.startswith("GPU ") and f.state == "ok" for n, f in found.items())
    has_kernels = any(found[n].state == "ok" for n in ("compiler", "kernels"))
    gpu = "" if has_gpu else "an sm_90 GPU"
    kernels = "" if has_kernels else "the compiler or kernels compiled ahead of time"
    return {
        "read and pack checkpoints": needs(lacks("numpy", "ml_dtypes", "safetensors")),
        "compile to PTX": needs(lacks("compiler")),
        "assemble ahead of time": needs(lacks("compiler", "ptxas")),
        "run the specification on the CPU": needs(lacks("compiler")),
        "run kernels in the interpreter": needs(lacks("interpreter", "launcher"), kernels),
        "run kernels on a GPU": needs(lacks("launcher", "driver"), gpu, kernels),
        "torch.ops.mxfp4 on a GPU": needs(lacks("torch", "launcher", "driver"), gpu, kernels),
        "gpt-oss of transformers": needs(lacks("torch", "transformers")),
        "plots": needs(lacks("matplotlib")),
    }
