# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What pages name in code quotes is in the tree: files by their paths, names by the sources."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"Dialect.md", "Passes.md"}
PAGES = sorted(
    page
    for folder in (ROOT, ROOT / "docs", ROOT / "docs/tuning")
    for page in folder.glob("*.md")
    if page.name not in GENERATED
)
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)*\.(?:cpp|h|td|py|c|md|mlir|test|txt|json|yml|def)")
NAME = re.compile(
    r"_?[a-z]\w*_\w+|_[a-z]{3,}\w*|[a-z]+[A-Z]\w*|[A-Z]\w*[a-z]\w*[A-Z]\w*|_[A-Z][A-Z_]{2,}|[A-Z]+_[A-Z_]+"
)
EXAMPLES = {
    "YourPass.cpp", "your-pass.mlir", "your-pass-invalid.mlir",  # a pass to be written
    "NAME_blocks", "NAME_scales",  # tensors of checkpoints
    "manifest.json", "kernel.ptx", "mxfp4-packed.json", "model.safetensors.index.json",
    "trust_remote_code",  # of transformers
}  # fmt: skip
"""What readers write, or others do."""


@cache
def files() -> frozenset[str]:
    """The tree's files, by their paths."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("the tree is no clone of git")
    return frozenset(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


@cache
def words() -> frozenset[str]:
    """Every word of the sources but this one, and of their names."""
    found = {Path(name).stem for name in files()}
    data = (".md", ".png", ".svg", ".json", ".mlirbc", ".bin", Path(__file__).name)
    for name in files():
        if not name.endswith(data):
            found.update(re.findall(r"\w+", (ROOT / name).read_text(errors="replace")))
    return frozenset(found)


def quoted(text: str) -> list[str]:
    """Texts in code quotes, outside of blocks of code."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", text)


def is_file(quote: str, folder: str) -> bool:
    """Whether a path, from the root, the page's folder or anywhere, is of a file of the tree."""
    return (
        Path(quote).name in EXAMPLES
        or f"{folder}{quote}" in files()
        or any(f"/{name}".endswith(f"/{quote}") for name in files())
    )


def unknown(text: str, folder: str) -> list[str]:
    """Files and names in a page of a folder that the tree does not have."""
    return [
        quote
        for quote in quoted(text)
        if (FILE.fullmatch(quote) and not is_file(quote, folder))
        or (NAME.fullmatch(quote) and quote not in words() | EXAMPLES)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_names_what_there_is(page: Path) -> None:
    folder = page.parent.relative_to(ROOT).as_posix()
    assert not unknown(page.read_text(), "" if folder == "." else f"{folder}/")


def test_the_tuning_log_lists_every_entry_once() -> None:
    """In the order of its page, with a verdict; an entry that it lacks would be found by nobody."""
    text = (ROOT / "docs/TuningLog.md").read_text()
    line = r"- \*\*(?:kept|dropped|open|answered)\*\* \[(.+)\]\(tuning/(\w+)\.md#([\w-]+)\): .+"
    listed = [re.fullmatch(line, item) for item in re.findall(r"^- .*", text, re.MULTILINE)]
    assert all(listed)
    listed = [match.groups() for match in listed if match]
    entries = []
    for name in dict.fromkeys(page for _, page, _ in listed):
        page = (ROOT / f"docs/tuning/{name}.md").read_text()
        for entry in re.findall(r"^## (.*)", page, re.MULTILINE):
            anchor = re.sub(r"[^\w -]", "", entry.lower()).replace(" ", "-")
            entries.append((entry, name, anchor))
    assert listed == entries
    assert len({anchor for _, _, anchor in entries}) == len(entries), "a heading names one entry"
    pages = {page.stem for page in (ROOT / "docs/tuning").iterdir()}
    assert pages == {name for _, name, _ in entries}


def test_what_is_not_there_is_noticed() -> None:
    text = "`docs/Nowhere.md` `Nowhere.cpp` `lib/Core/Nowhere.h` `_NO_SUCH_NAME` `noSuchName`"
    assert unknown(text, "") == quoted(text)
    assert not unknown("`docs/Python.md` `Python.md` `Raise.cpp` `chooseSchedule`", "")
