# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles, links and tests one mutant of the compiler beside a finished build, for
`mutate_compiler`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from source_mutants import Mutant

# Every program and library that tests use and that holds code of the compiler.
TOOLS = ("bin/mxfp4-opt", "bin/mxfp4-compile", "bin/mxfp4-sim", "lib/MXFP4Plugin.so",
         "lib/libmxfp4.so.1")  # fmt: skip
PYTHON = ("test_compiler.py", "test_kernel_choice.py", "test_layout.py", "test_artifact.py",
          "test_fused.py", "test_module.py", "test_explain.py")  # fmt: skip
# These build the project once more, measure time, want a whole build, or compare PTX with what it
# was; the example takes as long as all others, and has a stage of its own.
LEFT_OUT = r"compile-time|package/|embed|fuzz|resources|moe-layer|one-test"
KERNELS = 3  # whose PTX is another, and that are tried
RUNNING: set[int] = set()  # process groups
MEMORY = 16 << 30  # that a command may take, so that no mutant takes all


class Build:
    """A finished build: how its files are compiled and linked."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        entries = json.loads((folder / "compile_commands.json").read_text())
        self.compile = {str(Path(e["file"]).relative_to(root)): shlex.split(e["command"])
                        for e in entries if Path(e["file"]).is_relative_to(root)}  # fmt: skip
        self.archive: dict[str, str] = {}  # of an object
        self.links: dict[str, list[str]] = {}  # commands, by what they make
        # What `Bench.learn` finds out: seconds that a stage may take, and every kernel's PTX.
        self.limits: dict[str, float] = {}
        self.digests = ""
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

    def link_command(self, product: str, obj: str, other: Path, output: Path) -> list[str]:
        """Links a product with another object in an object's place."""
        words = [str(other) if w == obj else w for w in self.links[product]]
        at = words.index("-o")
        # What is named in front of an archive is not taken from it.
        more = [] if obj in self.links[product] else [str(other)]
        return [*words[:at], "-o", str(output), *more, *words[at + 2 :]]


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


@dataclass(frozen=True)
class Stage:
    """One command of tests, and what it uses of the products that a mutant changes."""

    name: str
    products: tuple[str, ...]
    command: tuple[str, ...]


class Bench:
    """A folder with the products of one mutant at a time.

    Products that the mutant is not part of, or that no stage has asked for yet, are links to those
    of the build.
    """

    def __init__(self, build: Build, folder: Path) -> None:
        self.build, self.folder = build, folder
        self.objects: dict[str, bytes | None] = {}  # of unchanged files, compiled in this folder
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("bin", "lib", "lit"):
            (folder / part).mkdir(parents=True)
        site = (build.folder / "test" / "lit.site.cfg.py").read_text()
        site = site.replace(f'r"{build.folder}', f'r"{folder}')
        (folder / "lit" / "lit.site.cfg.py").write_text(site)
        tools = re.search(r'llvm_tools = r"(.*)"', site)
        assert tools
        self.lit = [f"{tools[1]}/lit", "-q", "-j1", "--max-failures=1", str(folder / "lit")]
        self.env = os.environ | {
            "LD_LIBRARY_PATH": str(folder / "lib"),
            "MXFP4_LIBRARY": str(folder / "lib" / "libmxfp4.so"),
            "MXFP4_SIM_LIBRARY": str(build.folder / "lib" / "libmxfp4-sim.so"),
            "MXFP4_CACHE": str(folder / "cache"), "MXFP4_REQUIRE_LIBRARY": "1",
            "PYTHONPATH": str(build.root / "python"), "GTEST_FAIL_FAST": "1",
        }  # fmt: skip

    def _reset(self) -> None:
        for part in ("bin", "lib"):
            for old in (self.folder / part).iterdir():
                old.unlink()
            for product in (self.build.folder / part).iterdir():
                if product.is_file():
                    (self.folder / part / product.name).symlink_to(product)
        library = self.folder / "lib" / "libmxfp4.so"
        library.unlink()
        library.symlink_to("libmxfp4.so.1")
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def _run(self, command: Sequence[str | Path], limit: float = 600) -> Outcome:
        return execute(command, self.build.folder, self.env, limit)

    def compiled(self, file: str, text: str) -> bytes | None:
        """The object file of a text in a file's place, or None if it does not compile."""
        words = self.build.compile[file]
        source, output = self.folder / "source" / file, self.folder / "changed.o"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
        output.unlink(missing_ok=True)
        original = str(self.build.root / file)
        at = words.index("-o")
        words = [*words[:at], "-o", str(output), *words[at + 2 :]]
        words = [str(source) if w == original else w for w in words]
        if "ccache" in words[0]:
            del words[0]
        near = ["-iquote", str((self.build.root / file).parent), "-w"]
        done = self._run([*words, *near])
        return output.read_bytes() if done.status == 0 else None

    def stages(self, file: str) -> list[Stage]:
        """The tests for a change of a file, those in front that are cheap or likely to fail."""
        pass_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", Path(file).stem).lower()
        tests = self.build.root / "test"
        own = [re.escape(str(t.relative_to(tests)))
               for t in tests.glob(f"*/{pass_name}*.mlir")]  # fmt: skip
        opt, library = ("bin/mxfp4-opt",), ("lib/libmxfp4.so.1",)
        found = []

        def lit(name: str, products: tuple[str, ...], *filters: str) -> None:
            found.append(Stage(name, products, (*self.lit, *filters)))

        def unit(name: str, products: tuple[str, ...] = ()) -> None:
            program = str(self.folder / "bin" / name)
            found.append(Stage(name, products or (f"bin/{name}",), (program,)))

        def pytest(name: str, *arguments: str) -> None:
            files = [str(tests / "python" / a) if a.endswith(".py") else a for a in arguments]
            command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
            found.append(Stage(name, TOOLS, (*command, *files)))

        if file.startswith("lib/Core/"):
            unit("core-test")
        if own:
            lit("lit of the pass", opt, "--filter", "|".join(own))
        lit("lit of passes", opt, "--filter", ":: (IR|Transforms)/")
        unit("bytecode-test")
        unit("emitted-decode-test")
        unit("capi-register-test", library)
        unit("capi-test", library)
        rest = f":: (IR|Transforms)/|{LEFT_OUT}"
        lit("lit", TOOLS, "--filter-out", rest)
        pytest("python", *PYTHON)
        lit("lit of the example", TOOLS, "--filter", "moe-layer")
        digests = str(tests / "python" / "ptx_digests.py")
        found.append(Stage("digests", TOOLS, (sys.executable, digests)))
        return found

    def kernels(self, before: str, after: str) -> str:
        """Tests kernels whose PTX is not what it was; what fails, or an empty string."""
        same = set(after.splitlines())
        names = dict.fromkeys(d.split()[0] for d in before.splitlines() if d not in same)
        file = str(self.build.root / "test" / "python" / "test_kernels.py")
        for name in list(names)[:KERNELS]:
            done = self._run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
                              file, "-k", name])  # fmt: skip
            if done.failure:
                return done.failure
        return ""

    def learn(self) -> None:
        """Runs every test once on the compiler as it is, for how long each takes.

        Raises:
            SystemExit: if one fails; mutants would be killed by it for nothing.
        """
        for file in ("lib/Core/Target.cpp", "lib/Transforms/Tile.cpp"):
            text = (self.build.root / file).read_text()
            obj = self.build.object_of(file)
            made = self.compiled(file, text)
            if made is None:
                raise SystemExit(f"{file} does not compile as it is.")
            self._reset()
            linked: set[str] = set()
            for stage in self.stages(file):
                if stage.name in self.build.limits:
                    continue
                self._link(stage, obj, linked)
                began = time.monotonic()
                done = self._run(stage.command, 1800)
                if done.failure:
                    raise SystemExit(f"{stage.name} fails as it is:\n{done.text}")
                self.build.limits[stage.name] = 60 + 20 * (time.monotonic() - began)
                print(f"{time.monotonic() - began:6.1f} s  {stage.name}", flush=True)
                if stage.name == "digests":
                    self.build.digests = done.text

    def _link(self, stage: Stage, obj: str, linked: set[str]) -> None:
        """Links those products of a stage that hold the object and are not yet linked."""
        for product in set(stage.products) & set(self.build.holding(obj)) - linked:
            output = self.folder / product
            output.unlink()
            changed = self.folder / "changed.o"
            subprocess.run(self.build.link_command(product, obj, changed, output),
                           cwd=self.build.folder, check=True)  # fmt: skip
            linked.add(product)

    def fate(self, mutant: Mutant) -> tuple[str, str]:
        """ "invalid" if it does not compile; "equal" if the object file is the same; "killed",
        with what failed; "survived"."""
        text = (self.build.root / mutant.file).read_text()
        if mutant.file not in self.objects:
            self.objects[mutant.file] = self.compiled(mutant.file, text)
        made = self.compiled(mutant.file, mutant.apply(text))
        if made is None:
            return "invalid", ""
        if made == self.objects[mutant.file]:
            return "equal", ""
        obj = self.build.object_of(mutant.file)
        self._reset()
        linked: set[str] = set()
        for stage in self.stages(mutant.file):
            self._link(stage, obj, linked)
            done = self._run(stage.command, self.build.limits.get(stage.name, 300))
            if done.failure and stage.name != "digests":
                return "killed", f"{stage.name}: {done.failure}"
            if stage.name == "digests" and done.text != self.build.digests:
                wrong = self.kernels(self.build.digests, done.text)
                return ("killed", f"kernels: {wrong}") if wrong else ("survived", "other PTX")
        return "survived", ""
