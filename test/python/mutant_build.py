# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles and links the compiler with many mutants in it, beside a finished build, for
`mutate_compiler`.

Only the files that mutants are in are compiled again, each once, with a guard around every mutant
(`source_mutants.guarded`, ``mutants.h``). What cannot be guarded, because it has to be known when
the compiler is compiled or does not compile at all, is taken out and told. The products are
linked from the objects of the build, with the new objects in the place of theirs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from source_mutants import Guarded, Mutant, guarded

HEADER = Path(__file__).with_name("mutants.h")
# Guards make constants of what is none: fewer conversions are implicit, and an array's size would
# become a variable.
FLAGS = ["-w", "-Wno-c++11-narrowing", "-Werror=vla-extension", "-ferror-limit=0",
         "-fno-caret-diagnostics", "-fno-color-diagnostics"]  # fmt: skip
RUNNING: set[int] = set()  # process groups
MEMORY = 16 << 30  # that a command may take, so that no mutant takes all


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status, None if it took too long, and what it printed."""

    status: int | None
    text: str

    @property
    def failure(self) -> str:
        """The first failing test, or another reason; empty if the command succeeded."""
        if self.status == 0:
            return ""
        found = re.search(r"FAIL: mxfp4 :: (\S+)|\[  FAILED  \] ([\w./]+)|^FAILED (\S+)"
                          r"|^ERROR (\S+)", self.text, re.MULTILINE)  # fmt: skip
        name = next((g for g in found.groups() if g), "") if found else ""
        return name or ("timeout" if self.status is None else f"exit status {self.status}")


def execute(command: Sequence[str | Path], cwd: Path, env: dict[str, str], limit: float) -> Outcome:
    """Runs a command in a process group of its own, which ends with it."""

    bounded = ["prlimit", f"--as={MEMORY}", *command]
    with subprocess.Popen(bounded, cwd=cwd, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          start_new_session=True) as process:  # fmt: skip
        RUNNING.add(process.pid)
        try:
            text = process.communicate(timeout=limit)[0]
            return Outcome(process.returncode, text)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return Outcome(None, process.communicate()[0])
        finally:
            RUNNING.discard(process.pid)


def end_all() -> None:
    """Ends what `execute` has started, for when the program itself is ended."""
    for group in list(RUNNING):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


class Build:
    """A finished build: how its files are compiled and linked."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        entries = json.loads((folder / "compile_commands.json").read_text())
        self.compile = {str(Path(e["file"]).relative_to(root)): shlex.split(e["command"])
                        for e in entries if Path(e["file"]).is_relative_to(root)}  # fmt: skip
        self.archive: dict[str, str] = {}  # of an object
        self.links: dict[str, list[str]] = {}  # commands, by what they make
        listing = subprocess.run(["ninja", "-C", folder, "-t", "commands", "all"],
                                 capture_output=True, text=True, check=True).stdout  # fmt: skip
        for part in re.split(r" && |\n", listing):
            words = shlex.split(part) if re.search(r" qc | -o (bin|lib)/", part) else []
            if "qc" in words:
                self.archive.update(dict.fromkeys(words[3:], words[2]))
            elif "-o" in words and "-c" not in words:
                self.links[words[words.index("-o") + 1]] = words

    def object_of(self, file: str) -> str:
        """The object file of a source file, relative to the build."""
        words = self.compile[file]
        return words[words.index("-o") + 1]

    def holding(self, obj: str) -> list[str]:
        """What is linked from an object."""
        archive = self.archive.get(obj, obj)
        return [p for p, words in self.links.items() if obj in words or archive in words]

    def compile_command(self, file: str, source: Path, output: Path, *more: str) -> list[str]:
        """Compiles a text in a file's place."""
        words = self.compile[file]
        at = words.index("-o")
        words = [*words[:at], "-o", str(output), *words[at + 2 :]]
        words = [str(source) if w == str(self.root / file) else w for w in words]
        if "ccache" in words[0]:
            del words[0]
        return [*words, "-iquote", str((self.root / file).parent), *more]

    def link_command(self, product: str, others: dict[str, Path], output: Path) -> list[str]:
        """Links a product with other objects in the places of some."""
        words = self.links[product]
        linked = [str(others[w]) if w in others else w for w in words]
        # What is named in front of an archive is not taken from it.
        first = [str(other) for obj, other in others.items()
                 if obj not in words and self.archive.get(obj, obj) in words]  # fmt: skip
        at = words.index("-o")
        return [*linked[:at], "-o", str(output), *first, *linked[at + 2 :]]


class MutantBuild:
    """A folder with every product of a build that holds code of the compiler, with mutants.

    Attributes:
        mutants: by number, from 1.
        left_out: the numbers of those that cannot be guarded.
    """

    def __init__(self, build: Build, folder: Path, mutants: Sequence[Mutant], jobs: int) -> None:
        self.build, self.folder, self.jobs = build, folder, jobs
        self.mutants = dict(enumerate(mutants, 1))
        self.left_out: set[int] = set()

    def _run(self, command: Sequence[str | Path]) -> Outcome:
        return execute(command, self.build.folder, dict(os.environ), 1800)

    def make(self, products: Collection[str] = ()) -> None:
        """Compiles and links what is not there yet: of the products these alone, if any are given.

        Raises:
            RuntimeError: if a file does not compile without its mutants, or a link fails.
        """
        files = sorted({m.file for m in self.mutants.values()})
        with ThreadPoolExecutor(self.jobs) as pool:
            objects = dict(zip(files, pool.map(self._compile, files), strict=True))
        self._link({self.build.object_of(f): o for f, o in objects.items()}, products)

    def _compile(self, file: str) -> Path:
        """The object of a file with all its mutants that can be guarded."""
        source, output = self.folder / "source" / file, self.folder / "objects" / f"{file}.o"
        known, digest = output.with_suffix(".left-out"), self.folder / "source" / f"{file}.whole"
        mine = {n: m for n, m in self.mutants.items() if m.file == file}
        text = (self.build.root / file).read_text()
        whole = guarded(text, mine).text
        for path in (source, output):
            path.parent.mkdir(parents=True, exist_ok=True)
        original = self.build.folder / self.build.object_of(file)
        if (output.is_file() and digest.is_file() and digest.read_text() == whole
                and output.stat().st_mtime > original.stat().st_mtime):  # fmt: skip
            self.left_out.update(json.loads(known.read_text()))
            return output
        out: set[int] = set()
        command = self.build.compile_command(file, source, output, *FLAGS, "-include", str(HEADER))
        while True:
            tried = guarded(text, {n: m for n, m in mine.items() if n not in out})
            source.write_text(tried.text)
            done = self._run(command)
            if done.status == 0:
                break
            # Some errors name no mutant, such as those of a constant that is used elsewhere.
            wrong = blamed(done.text, source, tried) or set(mine) - out
            if not wrong:
                raise RuntimeError(f"{file} does not compile as it is:\n{done.text}")
            out |= wrong
        known.write_text(json.dumps(sorted(out)))
        digest.write_text(whole)
        self.left_out |= out
        print(f"compiled {file}: {len(mine) - len(out)} mutants", flush=True)
        return output

    def _link(self, others: dict[str, Path], products: Collection[str]) -> None:
        """Links products that hold one of the objects; the rest are links to those of the build."""
        held = {p for obj in others for p in self.build.holding(obj)
                if not products or p in products}  # fmt: skip
        for part in ("bin", "lib"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
            for product in (self.build.folder / part).iterdir():
                other = self.folder / part / product.name
                if product.is_file() and f"{part}/{product.resolve().name}" not in held:
                    other.unlink(missing_ok=True)
                    other.symlink_to(product)
        library = self.folder / "lib" / "libmxfp4.so"
        library.unlink(missing_ok=True)
        library.symlink_to("libmxfp4.so.1")
        for product in sorted(held):
            output, own = self.folder / product, self.build.folder / product
            newest = max([own.stat().st_mtime, *(o.stat().st_mtime for o in others.values())])
            if output.is_symlink() or (output.is_file() and output.stat().st_mtime < newest):
                output.unlink()
            if not output.exists():
                done = self._run(self.build.link_command(product, others, output))
                if done.status != 0:
                    raise RuntimeError(f"{product} does not link:\n{done.text}")

    def same_object(self, number: int) -> bool:
        """Whether a mutant's object file, compiled by itself, is the file's as it is."""
        mutant = self.mutants[number]
        text = (self.build.root / mutant.file).read_text()
        source = self.folder / f"alone-{number}" / Path(mutant.file).name
        source.parent.mkdir(exist_ok=True)
        found = []
        for other in (text, mutant.apply(text)):
            source.write_text(other)
            output = source.with_suffix(".o")
            done = self._run(self.build.compile_command(mutant.file, source, output, "-w"))
            found.append(output.read_bytes() if done.status == 0 else b"")
        return found[0] == found[1]


def blamed(said: str, source: Path, tried: Guarded) -> set[int]:
    """The mutants that a compiler calls wrong: where an error is or, if no mutant is there, where
    the error's notes are."""
    wrong: set[int] = set()
    for message in re.split(r"(?m)^(?=\S+:\d+:\d+: (?:fatal )?error: )", said):
        found: dict[bool, set[int]] = {True: set(), False: set()}
        for line, column, kind in re.findall(
            rf"(?m)^{re.escape(str(source))}:(\d+):(\d+): (.*)", message
        ):
            found["error: " in kind] |= tried.at(int(line), int(column))
        wrong |= found[True] or found[False]
    return wrong
