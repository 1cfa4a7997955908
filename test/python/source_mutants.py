# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutants of C++ source: every small change of one line that `mutate_compiler` can try.

Works on text that clang-format has laid out: operators of two operands have a space on each side,
which brackets of templates and unary operators do not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_OPERATORS = [
    ("compare", " < ", " <= "), ("compare", " <= ", " < "), ("compare", " > ", " >= "),
    ("compare", " >= ", " > "), ("equal", " == ", " != "), ("equal", " != ", " == "),
    ("logic", " && ", " || "), ("logic", " || ", " && "),
    ("arithmetic", " + ", " - "), ("arithmetic", " - ", " + "), ("arithmetic", " * ", " + "),
    ("arithmetic", " / ", " * "), ("arithmetic", " % ", " / "),
    ("bits", " & ", " | "), ("bits", " | ", " & "), ("bits", " ^ ", " | "),
    ("bits", " >> ", " << "),
]  # fmt: skip
_WORDS = [("true", "false"), ("false", "true"), ("std::min", "std::max"), ("std::max", "std::min"),
          ("success()", "failure()"), ("failure()", "success()")]  # fmt: skip
# A number that is an operand, an argument or a subscript; none in a template's brackets.
_NUMBER = re.compile(
    r"(?:(?<=[-+*/%<>=&|,?:] )|(?<=return )|(?<=[(\[{]))(\d+)(?=\s*[-+*/%<>=&|,;:?)\]}])"
)
_NEGATION = re.compile(r"(?<=[( ])!(?=[\w(*])")
_GUARD = re.compile(r"\bif \((?!true\b)(?P<condition>.*)\)( \{)?$")
_CALL = re.compile(r"^ +[A-Za-z_][\w:.\->()\[\]*]*\(.*\);$")
# What begins a line that does nothing at run time, or says only what must hold.
_DECLARES = re.compile(
    r"\s*(#|case\b|static_assert|using\b|namespace\b|template\b|typedef\b|default:|assert\()"
)
_HIDDEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(?P<tag>\w*)\(.*?\)(?P=tag)\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'"
    r"|\bassert\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Mutant:
    """One line of a source file, changed.

    Attributes:
        file: relative to the project's root.
        line: counted from 0.
        kind: "compare", "equal", "logic", "arithmetic", "bits", "word", "number", "negation",
            "guard" (a branch that is never taken) or "delete" (a call that is not made).
        before: the line.
        after: what stands there instead.
    """

    file: str
    line: int
    kind: str
    before: str
    after: str

    def apply(self, text: str) -> str:
        """The file's text with this change."""
        lines = text.split("\n")
        lines[self.line] = self.after
        return "\n".join(lines)

    def __str__(self) -> str:
        changed = self.after.strip() or "(nothing)"
        return f"{self.file}: {self.kind}: {self.before.strip()}  ->  {changed}"


def masked(text: str) -> str:
    """The text with comments, strings and assertions blanked out, each character in its place."""
    return _HIDDEN.sub(lambda m: re.sub(r"[^\n]", "\0", m[0]), text)


def _balanced(condition: str) -> bool:
    depth = 0
    for c in condition:
        depth += (c == "(") - (c == ")")
        if depth < 0:
            return False
    return depth == 0


def _changes(line: str, seen: str, previous: str) -> Iterator[tuple[str, str]]:
    """(kind, other line) for each change of a line; `seen` is the line as `masked` leaves it."""

    def instead(begin: int, end: int, new: str) -> str:
        return line[:begin] + new + line[end:]

    for kind, old, new in _OPERATORS:
        for at in re.finditer(re.escape(old), seen):
            yield kind, instead(*at.span(), new)
    for old, new in _WORDS:
        for at in re.finditer(rf"(?<![\w:.>]){re.escape(old)}(?!\w)", seen):
            yield "word", instead(*at.span(), new)
    for at in _NUMBER.finditer(seen):
        yield "number", instead(*at.span(1), str(int(at[1]) + 1))
    for at in _NEGATION.finditer(seen):
        yield "negation", instead(*at.span(), "")
    guard = _GUARD.search(seen)
    # A condition that declares a variable has to stay.
    if guard and " = " not in guard["condition"] and _balanced(guard["condition"]):
        yield "guard", instead(*guard.span("condition"), "false")
    begins = previous.rstrip().endswith((";", "{", "}", ":")) or not previous.strip("\0 ")
    if _CALL.match(seen) and begins and _balanced(seen) and " = " not in seen.split("(")[0]:
        yield "delete", ""


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a file's text."""
    lines, previous = text.split("\n"), ""
    for i, seen in enumerate(masked(text).split("\n")):
        if not _DECLARES.match(seen):
            for kind, after in _changes(lines[i], seen, previous):
                yield Mutant(file, i, kind, lines[i], after)
        previous = seen if seen.strip("\0 ") else previous


def every_mutant(root: Path, folders: list[str]) -> list[Mutant]:
    """The mutants of all C++ files of some folders of a project."""
    files = [f for folder in folders for f in sorted((root / folder).glob("*.cpp"))]
    return [m for f in files for m in mutants(str(f.relative_to(root)), f.read_text())]
