# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run clang-tidy on files, except on those in which it found nothing as they are now.

usage: tidy.py CLANG_TIDY BUILD FILE...

What clang-tidy says follows from its program, its configuration, the command that
compiles a file, and the text of the file and of all that it includes. BUILD/tidy keeps an empty
file named by a hash of these for each file in which nothing was found. What a file includes is
known from its object, so that a file without an object, or one that is newer than its object, is
looked at each time.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from pathlib import Path

CONFIGURATION = ".clang-tidy"


@cache
def digest(file: Path) -> str:
    """Of a file's bytes."""
    return sha256(file.read_bytes()).hexdigest()


def commands(build: Path) -> dict[Path, dict[str, str]]:
    """How each file is compiled."""
    entries = json.loads((build / "compile_commands.json").read_text())
    return {(Path(e["directory"]) / e["file"]).resolve(): e for e in entries}


def included(build: Path, objects: list[str]) -> dict[str, list[Path]]:
    """What objects were made of, as ninja knows it; without those that it knows nothing of."""
    if not objects:
        return {}
    told = subprocess.run(
        ["ninja", "-C", build, "-t", "deps", *objects], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, list[Path]] = {}
    names: list[Path] = []
    for line in told.splitlines():
        if line.startswith(" "):
            names.append(build / line.strip())
        elif line.endswith("(VALID)"):
            names = found.setdefault(line.partition(":")[0], [])
        else:
            names = []
    return found


def stamp_of(tidy: Path, build: Path, command: dict[str, str], files: list[Path]) -> Path | None:
    """Where it is kept that nothing was found; None if that cannot be known."""
    words = shlex.split(command["command"])
    made = Path(command["directory"]) / words[words.index("-o") + 1]
    files = [*files, *(Path(word) for word in words if word.endswith(".pch"))]
    if not all(file.is_file() and file.stat().st_mtime <= made.stat().st_mtime for file in files):
        return None
    source = Path(command["directory"]) / command["file"]
    settings = [p / CONFIGURATION for p in source.resolve().parents if (p / CONFIGURATION).exists()]
    known = [(str(file), digest(file)) for file in (tidy.resolve(), *settings, *files)]
    return build / "tidy" / sha256(json.dumps([command, known]).encode()).hexdigest()


def main() -> int:
    """Command line."""
    tidy, build, *names = sys.argv[1:]
    if not (Path(build) / "compile_commands.json").is_file():
        print(f"clang-tidy needs to know how files are compiled, and {build} has no "
              "compile_commands.json; run cmake --preset release", file=sys.stderr)  # fmt: skip
        return 1
    root, known = Path(build).resolve(), commands(Path(build))
    chosen = {name: known.get(Path(name).resolve()) for name in names}
    objects = {
        name: shlex.split(c["command"])[shlex.split(c["command"]).index("-o") + 1]
        for name, c in chosen.items()
        if c is not None
    }
    parts = included(root, list(objects.values()))
    stamps: dict[str, Path | None] = {}
    for name, command in chosen.items():
        files = parts.get(objects.get(name, ""))
        stamps[name] = stamp_of(Path(tidy), root, command, files) if command and files else None
    left = [name for name, stamp in stamps.items() if not (stamp and stamp.exists())]
    print(f"{len(left)} of {len(names)} files to look at; the others are as they were when nothing "
          "was found")  # fmt: skip
    (root / "tidy").mkdir(exist_ok=True)

    def look(name: str) -> bool:
        run = subprocess.run(
            [tidy, "-p", build, "--quiet", name],
            capture_output=True,
            text=True,
            check=False,
        )
        print(run.stdout + run.stderr if run.returncode else "", end="", flush=True)
        stamp = stamps[name]
        if run.returncode == 0 and stamp:
            stamp.touch()
        return run.returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return 0 if all(list(pool.map(look, left))) else 1


if __name__ == "__main__":
    sys.exit(main())
