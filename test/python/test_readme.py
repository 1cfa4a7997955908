# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""README.md's snippets run as they stand, in a folder that looks like the built project.

The checkpoints that it names are small ones here. What needs a GPU, the network or another hour is
in `SKIPPED`, each with its reason; an entry that no snippet has is an error, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import needs_both
from mxfp4 import library
from mxfp4.make_checkpoint import Shape, make_checkpoint

pytestmark = needs_both
ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text()
SKIPPED = {
    "tools/demo": "installs, builds and runs at full size; test_ops.py runs the demo",
    "tools/check": "runs these tests",
    "tools/setup": "installs",
    "build/bin/core-test": "a test; named here, run by tools/check",
    "build/bin/llvm-lit": "likewise; test/tools/one-test.test runs it",
    ".venv/bin/python -m pytest": "likewise",
    "cmake": "test/package installs, and builds and runs the examples",
    "MXFP4_KERNELS=kernels python serve.py": "a program of the user's",
    "mxfp4 bench": "needs a GPU; test_bench.py",
    "import torch\n\nx_gpu": "needs a GPU",
    "from mxfp4.integrations": "needs a GPU and a model; test_transformers.py",
}


def snippets(language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def skipped(code: str) -> str | None:
    return next((start for start in SKIPPED if code.startswith(start)), None)


def commands() -> Iterator[str]:
    """The commands of all shell snippets, without comments."""
    for block in snippets("sh"):
        for line in block.replace("\\\n", "\0").splitlines():
            command = re.sub(r"\s+# .*", "", line).replace("\0", "\\\n").strip()
            if command:
                yield command


COMMANDS = list(commands())


def test_what_is_skipped_is_there() -> None:
    code = [*COMMANDS, *snippets("python")]
    assert {skipped(c) for c in code} - {None} == set(SKIPPED)
    assert len([c for c in code if not skipped(c)]) >= 15


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built project as a user has it, with the checkpoints that README speaks of."""
    folder = tmp_path_factory.mktemp("project")
    built = Path(library.load()._name).parents[1]
    (folder / "build").mkdir()
    for name in ("bin", "lib"):
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
    path = os.pathsep.join([str(project / "tools"), os.environ["PATH"]])
    return {**os.environ, "PYTHONPATH": ":".join(sys.path), "PATH": path,
            "MXFP4_CACHE": str(project / "cache")}  # fmt: skip


def test_shell_commands(project: Path) -> None:
    """In README's order, since later ones use what earlier ones wrote."""
    for command in COMMANDS:
        if skipped(command) or ("mlir-opt-22" in command and not shutil.which("mlir-opt-22")):
            continue
        run = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environment(project), text=True,
            capture_output=True, timeout=600,
        )  # fmt: skip
        assert run.returncode == 0, f"{command}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}"
    assert "Cost of the launch" in run.stdout, "the last one is the interpreter"
    assert (project / "report.html").is_file()


def test_python(project: Path) -> None:
    """One program: later snippets use names of earlier ones."""
    program = "\n".join(code for code in snippets("python") if not skipped(code))
    program += "\nassert y.shape == (64, n) and run.ok and (run.y == y).mean() > 0.99\n"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=environment(project), text=True,
        capture_output=True, timeout=600,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "no hazards found" in run.stdout


def test_the_operation(project: Path) -> None:
    """The first snippet, in a function that has its operands."""
    (operation,) = snippets("mlir")
    operands = re.findall(r"(%\w+) : ([^\n]*?)\)(?:$|\s)", operation)
    arguments = ", ".join(f"{name}: {kind}" for name, kind in operands)
    text = f"func.func @f({arguments}) {{\n{operation}return\n}}"
    command = [project / "build/bin/mxfp4-opt", "-"]
    run = subprocess.run(command, input=text, text=True, capture_output=True)
    assert run.returncode == 0, run.stderr
    assert "mxfp4.grouped_matmul" in run.stdout


def test_the_c_interface(tmp_path: Path) -> None:
    compiler = shutil.which("clang-22") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (body,) = snippets("c")
    file = tmp_path / "snippet.c"
    file.write_text(
        "#include <mxfp4-c/mxfp4.h>\n#include <stdio.h>\n"
        "static void on_diagnostic(int s, const char *m, void *u) { (void)s, (void)u; puts(m); }\n"
        f"int main(void) {{\nvoid *user = 0;\n{body}return 0;\n}}\n"
    )
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "-fsyntax-only"]
    subprocess.run([compiler, *flags, file], check=True)
