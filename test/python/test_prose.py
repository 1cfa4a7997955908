# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""No page, comment or message has a phrase of the list in tools/prose.py, and the list is found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import prose  # noqa: E402

PHRASES = [
    "the copy engine", "of a multiprocessor", "three rounds of tiles", "in the last round",
    "few rows a group", "16 bytes a thread", "two CTAs an SM", "instructions a byte",
    "an option beside it", "one slot a thread", "every so many", "for so many rows",
    "the largest that there are.", "selects it for nothing", "that which is read",
    "what stands behind",
]  # fmt: skip
FINE = [
    "an SM; per SM", "how many rows an expert has", "an option `multiprocessors`",
    "waits for nothing", "used for nothing else", "rounds to nearest even", "beside the name",
    "that there are no rows", "a multiple of 32 rows",
]  # fmt: skip


def phrases(name: str, text: str) -> list[str]:
    return [finding.phrase for finding in prose.find(name, text)]


@pytest.mark.parametrize("text", PHRASES)
def test_a_phrase_is_found_in_pages_comments_and_messages(text: str) -> None:
    assert len(phrases("page.md", f"# A page\n\nWords, {text}\n")) == 1
    for name, source in (
        ("a.cpp", f"int x; // words, {text}\n"),
        ("a.h", f"/** Words, {text} */\nint x();\n"),
        ("a.cpp", f'fail("words, {text}");\n'),
        ("a.td", f"let description = [{{\n  Words, {text}\n}}];\n"),
        ("a.py", f'def f():\n    """Words, {text}"""\n'),
        ("a.py", f"x = 1  # words, {text}\n"),
        ("a.mlir", f"// Words, {text}\nfunc.func @f()\n"),
        ("tools/a", f"# Words, {text}\nls\n"),
    ):
        assert len(phrases(name, source)) == 1, name


@pytest.mark.parametrize("text", PHRASES)
def test_a_phrase_may_be_broken_across_lines(text: str) -> None:
    first, _, rest = text.rpartition(" ")
    assert len(phrases("page.md", f"{first}\n{rest}\n")) == 1
    assert len(phrases("a.cpp", f"// {first}\n// {rest}\n")) == 1
    assert len(phrases("a.cpp", f"/// {first}\n  /// {rest}\n")) == 1
    assert len(phrases("a.cpp", f'say("{first} "\n    "{rest}");\n')) == 1
    assert len(phrases("a.py", f"# {first}\n# {rest}\n")) == 1
    (found,) = prose.find("a.cpp", f"int x;\n// {first}\n// {rest}\n")
    assert found.line == (2 if " " in found.phrase else 3)


@pytest.mark.parametrize("text", FINE)
def test_what_is_no_phrase_of_the_list(text: str) -> None:
    assert not phrases("page.md", f"{text}\n")
    assert not phrases("a.cpp", f"// {text}\n")


def test_code_and_quotations_are_left_out() -> None:
    assert not phrases("page.md", "```sh\nthe copy engine\n```\n\n`the copy engine`\n")
    assert not phrases("a.cpp", "int multiprocessors = rows * a_group;\n")
    assert not phrases("a.py", "multiprocessors = 2\n")
    assert not phrases("a.cpp", '{"multiprocessors", n},\n{"multiprocessors=78", n},\n')
    assert not phrases("a.py", '"""Text.\n\nArgs:\n    multiprocessors: SMs.\n"""\n')
    assert not phrases("page.md", "the copy engine <!-- prose: allow -->\n")
    assert not phrases("a.json", '"the copy engine"')


@pytest.mark.slow
def test_the_tree_has_no_phrase_of_the_list() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("the files of the tree are those that git knows")
    found = prose.findings(prose.tree())
    assert not found, "\n".join(f"{f.file}:{f.line}: {f.phrase}: {f.say}" for f in found)
