# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The commands and snippets of README and of the pages run as they stand, and print what is shown.

They run in a folder that looks like the built project; the checkpoints that pages name are small
ones here. A block of ``text`` behind a block of ``sh`` or ``python`` is its output: each line must
be printed, in this order, where ``...`` stands for any text. What needs a GPU, the network or
another hour is in `SKIPPED`, each with its reason; an entry that no page has is an error, too.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from kernels import needs_both
from mxfp4 import library
from mxfp4.make_checkpoint import Shape, make_checkpoint
from toolchain import c_compiler

pytestmark = needs_both
ROOT = Path(__file__).resolve().parents[2]
GPU = "needs a GPU"
SKIPPED: dict[str, dict[str, str]] = {
    "README.md": {
        "podman": "needs podman and an image of Debian",
        "pip install": "test_wheel.py installs",
        "MXFP4_RUNTIME_ONLY=1 pip": "likewise",
        "tools/demo": "installs, builds and runs at full size; test_ops.py runs the demo",
        "tools/check": "runs these tests",
    },
    "CONTRIBUTING.md": {
        "tools/setup": "installs",
        "build/bin/core-test": "a test; named here, run by tools/check",
        "build/bin/llvm-lit": "likewise; test/tools/one-test.test runs it",
        ".venv/bin/python -m pytest": "likewise",
    },
    "docs/Tutorial.md": {
        "tools/setup": "installs",
        "source .venv/bin/activate": "the fixture has the commands on PATH",
    },
    "docs/Python.md": {
        "import torch\n\nx_gpu": GPU,
        "from mxfp4.integrations": "needs a GPU and a model; test_transformers.py",
        "MXFP4_KERNELS=kernels python serve.py": "a program of the user's",
        "mxfp4 compile --layer": "a minute of compiling; test_cli.py",
        "mxfp4 bench": f"{GPU}; test_bench.py",
    },
    "docs/Embedding.md": {"cmake": "test/package installs, and builds and runs the examples"},
    "docs/FrontEnds.md": {},
    "docs/Artifacts.md": {},
    "docs/Devices.md": {},
    "docs/Interpreter.md": {},
    "docs/Architecture.md": {},
    "docs/Checkpoints.md": {},
    "docs/Pipelines.md": {},
    "docs/Layer.md": {
        "from mxfp4.layer import": f"{GPU}; test_layer_call.py",
    },
    "docs/LayerMeasurements.md": {
        "mxfp4 bench": f"{GPU}; test_bench.py",
    },
    "docs/Measurements.md": {
        "mxfp4 bench": f"{GPU}; test_bench.py",
    },
    "docs/Performance.md": {
        "mxfp4 bench": f"{GPU}; test_bench.py",
    },
}
WRITTEN = {
    "README.md": ["report.html"],
    "docs/Tutorial.md": ["gate_up.mlir", "tutorial.html"],
    "docs/Embedding.md": ["moe.mlir", "gate_up/kernel.cubin"],
    "docs/Python.md": ["packed", "kernels"],
    "docs/Artifacts.md": ["artifact/manifest.json"],
}
"""What the commands of a page leave behind."""


class Block(NamedTuple):
    """A block of code of a page, and the output that the page shows for it."""

    language: str
    code: str
    shown: str | None


def blocks(page: str, *languages: str) -> list[Block]:
    """The code blocks of some languages, in order."""
    text = (ROOT / page).read_text()
    found = re.findall(r"^```(\w+)\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", text, re.M | re.S)
    return [Block(kind, code, shown or None) for kind, code, shown in found if kind in languages]


def skipped(page: str, code: str) -> str | None:
    return next((start for start in SKIPPED[page] if code.startswith(start)), None)


def commands(block: Block) -> list[str]:
    """A block's commands, without comments. A block with a text for a command is one."""
    if "<<'" in block.code:
        return [block.code]
    lines = (
        re.sub(r"\s+# .*", "", line).replace("\0", "\\\n").strip()
        for line in block.code.replace("\\\n", "\0").splitlines()
    )
    return [line for line in lines if line]


def code_of(page: str) -> list[str]:
    """All that runs, a command or a snippet each."""
    shell = [command for block in blocks(page, "sh") for command in commands(block)]
    return shell + [block.code for block in blocks(page, "python")]


def missing(shown: str, printed: str) -> str | None:
    """The first line of what a page shows that is not printed behind the lines before it."""
    rest = iter(printed.splitlines())
    for line in shown.splitlines():
        if line.strip() in ("", "..."):
            continue
        wanted = re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))
        if not any(wanted.search(found) for found in rest):
            return line
    return None


def test_missing() -> None:
    assert missing("a ... c\n...\nd\n", "x\na b c!\ny\nd\n") is None
    assert missing("a\nb\n", "b\na\n") == "b"
    assert missing("a...b\n", "b a\n") == "a...b"


def test_pages_have_what_is_skipped() -> None:
    for page, starts in SKIPPED.items():
        assert {skipped(page, code) for code in code_of(page)} - {None} == set(starts), page
    run = [c for page in SKIPPED for c in code_of(page) if not skipped(page, c)]
    assert len(run) >= 45


def test_every_page_with_commands_is_here() -> None:
    generated = {"docs/Dialect.md", "docs/Passes.md"}
    pages = {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")}
    found = {str(p.relative_to(ROOT)) for p in pages}
    with_code = {page for page in found - generated if blocks(page, "sh", "python")}
    assert with_code == set(SKIPPED)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built project as a user has it, with the checkpoints that pages speak of."""
    folder = tmp_path_factory.mktemp("project")
    built = Path(library.load()._name).parents[1]
    (folder / "build").mkdir()
    for name in ("bin", "lib", "CMakeCache.txt"):
        (folder / "build" / name).symlink_to(built / name)
    for name in ("examples", "test", "docs"):
        (folder / name).symlink_to(ROOT / name)
    small = Shape(num_hidden_layers=2, num_local_experts=4, hidden_size=96, intermediate_size=64)
    for name in ("gpt-oss-20b", "gpt-oss-120b", "build/demo"):
        make_checkpoint(folder / name, small, codes=True)
    (folder / "tools").mkdir()
    for name, words in (("mxfp4", "-m mxfp4"), ("python", "")):
        script = folder / "tools" / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        script.chmod(0o755)
    return folder


def environment(project: Path) -> dict[str, str]:
    path = os.pathsep.join([str(project / "tools"), str(project / "build/bin"), os.environ["PATH"]])
    return {**os.environ, "PYTHONPATH": ":".join(sys.path), "PATH": path,
            "MXFP4_CACHE": str(project / "cache")}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", SKIPPED)
def test_shell_commands(project: Path, page: str) -> None:
    """In the page's order, because later commands use what earlier ones wrote."""
    for block in blocks(page, "sh"):
        printed = ""
        runs = [c for c in commands(block) if not skipped(page, c)]
        for command in runs:
            stock = re.search(r"\bmlir-opt-\d+", command)
            if stock and not shutil.which(stock[0]):
                continue
            run = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", command], cwd=project, env=environment(project),
                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
            )  # fmt: skip
            assert run.returncode == 0, f"{command}\n{run.stdout[-3000:]}"
            printed += run.stdout
        if block.shown and runs:
            line = missing(block.shown, printed)
            assert line is None, f"{page} shows, and nothing printed:\n{line}\n{printed[-3000:]}"
    for name in WRITTEN.get(page, ()):
        assert (project / name).exists(), f"a command of {page} writes {name}"


def snippets(page: str, run: bool) -> list[Block]:
    """Of Python, those that run or those that do not."""
    return [b for b in blocks(page, "python") if bool(skipped(page, b.code)) != run]


@pytest.mark.parametrize("page", [page for page in SKIPPED if snippets(page, run=False)])
def test_what_snippets_import_is_there(page: str) -> None:
    """Of those that do not run."""
    code = "\n".join(block.code for block in snippets(page, run=False))
    found = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Import | ast.ImportFrom)]
    for name in ("torch", "transformers"):
        if re.search(rf"\b{name}\b", code):
            pytest.importorskip(name, reason=f"{name} is not installed; see tools/setup --models")
    exec("\n".join(map(ast.unparse, found)), {})


@pytest.mark.parametrize("page", [page for page in SKIPPED if snippets(page, run=True)])
def test_python(project: Path, page: str) -> None:
    """A page is one program: later snippets use names of earlier ones."""
    run_blocks = snippets(page, run=True)
    mark = "-- the next block --"
    program = f'print("{mark}")\n'.join(block.code for block in run_blocks)
    if "import torch" in program:
        pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=environment(project), text=True,
        capture_output=True, timeout=600,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    for block, printed in zip(run_blocks, run.stdout.split(f"{mark}\n"), strict=True):
        if block.shown:
            line = missing(block.shown, printed)
            assert line is None, f"{page} shows, and nothing printed:\n{line}\n{printed}"


def test_the_c_interface(tmp_path: Path) -> None:
    compiler = c_compiler()
    block = blocks("docs/Embedding.md", "c")[0]
    file = tmp_path / "snippet.c"
    file.write_text(
        "#include <mxfp4-c/mxfp4.h>\n#include <stdio.h>\n"
        "static void on_diagnostic(int s, const char *m, void *u) { (void)s, (void)u; puts(m); }\n"
        f"int main(void) {{\nvoid *user = 0;\n{block.code}return 0;\n}}\n"
    )
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "-fsyntax-only"]
    subprocess.run([compiler, *flags, file], check=True)


def test_excerpts_of_the_example() -> None:
    program = (ROOT / "examples/embed/embed.cpp").read_text()
    found = blocks("docs/Embedding.md", "cpp")
    assert len(found) == 2
    assert all(block.code in program for block in found)
    program = (ROOT / "examples/embed/embed-fp8.c").read_text()
    found = blocks("docs/Embedding.md", "c")[1:]
    assert len(found) == 3
    assert all(block.code in program for block in found)


def test_messages_of_troubleshooting() -> None:
    """Each message that the page quotes is one that some source has."""
    sources = [
        path.read_text()
        for folder in ("lib", "python/mxfp4", "tools")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".cpp", ".h", ".py") and path.is_file()
    ]
    # Literals that stand side by side are one text.
    text = re.sub(r"\"\s*(?:\n\s*)?(?:<<\s*)?f?\"", "", "\n".join(sources))
    page = (ROOT / "docs/Troubleshooting.md").read_text()
    quoted = re.findall(r"^\*\*`(.*?)`\*\*", page, re.M | re.S)
    assert len(quoted) >= 20
    for message in quoted:
        for part in re.split(r"\.\.\.", message.replace("\n", " ")):
            if len(part.strip(" :;,'.")) > 3:
                assert part.strip() in text, f"{message}: no source says {part.strip()!r}"
