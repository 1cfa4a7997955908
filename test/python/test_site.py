# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What tools/site_pages.py makes of pages and headers, and that the site refuses broken links."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import site_pages  # noqa: E402


def test_links() -> None:
    page = ROOT / "docs/Embedding.md"

    def linked(text: str) -> str:
        return site_pages.linked(text, page)

    assert linked("[l](Layer.md#use)") == "[l](Layer.md#use)", "a page of the site"
    assert linked("[l](nowhere.md)") == "[l](nowhere.md)", "left for mkdocs to refuse"
    assert linked("[our example](../examples/embed)") == "our example (`examples/embed`)"
    assert linked("[examples/embed](../examples/embed)") == "examples/embed"
    assert (
        linked("[the header](../include/mxfp4-c/mxfp4.h)") == "[the header](../reference/mxfp4.md)"
    )
    code = "```c\n[x](../examples/embed)\n```"
    assert linked(code) == code


@pytest.mark.parametrize("name", site_pages.HEADERS)
def test_every_declaration_of_a_header_is_there(name: str) -> None:
    text = (ROOT / "include" / name).read_text()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    functions = set(re.findall(r"^(?:MXFP4\w*_API)[^;]*?\b(\w+)\(", code, re.MULTILINE))
    types = set(re.findall(r"^(?:}|typedef struct \w+) (\w+);", code, re.MULTILINE))
    assert len(functions) > 10
    page = site_pages.header_page(name, "title")
    headings = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert functions | types <= set(headings)
    for comment in re.findall(r"/\*\*((?:(?!\*/).)*)\*/\s*MXFP4\w*_API", text, re.DOTALL):
        first = comment.strip().splitlines()[0].strip()
        assert first in page, "what a function says is on its page"


def test_broken_links_are_refused(tmp_path: Path) -> None:
    """With the validation of mkdocs.yml and nothing else of it."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed; see tools/setup")
    validation = (ROOT / "mkdocs.yml").read_text().split("\nvalidation:")[1].split("\n\n")[0]
    config = "site_name: x\nstrict: true\nplugins: []\ntheme: {name: null, custom_dir: theme}\n"
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme/main.html").write_text("{{ page.content }}")
    (tmp_path / "mkdocs.yml").write_text(f"{config}validation:{validation}\n")
    (tmp_path / "docs").mkdir()

    def builds(text: str) -> bool:
        (tmp_path / "docs/index.md").write_text(text)
        command = [sys.executable, "-m", "mkdocs", "build"]
        return not subprocess.run(command, cwd=tmp_path, capture_output=True).returncode

    assert builds("# A heading\n\n[here](#a-heading)\n")
    assert not builds("# A heading\n\n[there](nowhere.md)\n")
    assert not builds("# A heading\n\n[there](#another-heading)\n")


def test_pages_outside_of_the_menu_are_refused(tmp_path: Path) -> None:
    """A new page that `nav` does not name would be found by nobody."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed; see tools/setup")
    validation = (ROOT / "mkdocs.yml").read_text().split("\nvalidation:")[1].split("\n\n")[0]
    (tmp_path / "docs").mkdir()
    for page in ("index.md", "added.md"):
        (tmp_path / "docs" / page).write_text("# Page\n")
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme/main.html").write_text("{{ page.content }}")
    config = "site_name: x\nstrict: true\nplugins: []\ntheme: {name: null, custom_dir: theme}\n"
    for nav, status in (("[index.md, added.md]", 0), ("[index.md]", 1)):
        (tmp_path / "mkdocs.yml").write_text(f"{config}nav: {nav}\nvalidation:{validation}\n")
        run = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert run.returncode == status, run.stderr
        assert status == 0 or "added.md" in run.stderr, run.stderr


def test_the_reference_says_what_is_raised() -> None:
    """Of the functions in modules of the reference that raise themselves."""
    silent = []
    for module in (name for group in site_pages.MODULES.values() for name in group):
        path = ROOT / "python/mxfp4" / f"{module.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            said = ast.get_docstring(node) or ""
            if raises and "Raises:" not in said and node.name != "main":
                silent.append(f"{module}.{node.name}")
    assert not silent
