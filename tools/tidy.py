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


@cache
def programs(tidy: Path) -> list[Path]:
    """clang-tidy and the libraries that it is linked with: clang itself is one of them."""
    told = subprocess.run(["ldd", tidy], capture_output=True, text=True, check=False).stdout
    paths = [Path(word) for word in told.split() if word.startswith("/")]
    return [tidy, *sorted(path.resolve() for path in paths if "clang" in path.name)]


def settings(files: list[Path]) -> list[Path]:
    """The configurations above any of some files: names in a header have those of its folder."""
    folders = {parent for file in files for parent in file.resolve().parents}
    return sorted(p / CONFIGURATION for p in folders if (p / CONFIGURATION).exists())


def stamp_of(tidy: Path, build: Path, command: dict[str, str], files: list[Path]) -> Path | None:
    """Where it is kept that nothing was found; None if that cannot be known."""
    words = shlex.split(command["command"])
    made = Path(command["directory"]) / words[words.index("-o") + 1]
    files = [*files, *(Path(word) for word in words if word.endswith(".pch"))]
    if not all(file.is_file() and file.stat().st_mtime <= made.stat().st_mtime for file in files):
        return None
    source = Path(command["directory"]) / command["file"]
    known = [
        (str(file), digest(file))
        for file in (*programs(tidy.resolve()), *settings([source, *files]), *files)
    ]
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

    def stamp(name: str) -> Path | None:
        command, files = chosen[name], parts.get(objects.get(name, ""))
        return stamp_of(Path(tidy), root, command, files) if command and files else None

    stamps = {name: stamp(name) for name in names}
    left = [name for name, known_as in stamps.items() if not (known_as and known_as.exists())]
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
        # A file that was changed meanwhile is newer than its object, and has no stamp.
        if run.returncode == 0 and (stamped := stamp(name)) and stamped == stamps[name]:
            stamped.touch()
        return run.returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return 0 if all(list(pool.map(look, left))) else 1


if __name__ == "__main__":
    sys.exit(main())
