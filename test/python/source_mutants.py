# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutants of C++ source: every small change that `mutate_compiler` can try, and how many of them
stand in one text, each behind a guard that asks at run time whether it is the one to be.

Works on text that clang-format has laid out, as `source_expressions` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from source_expressions import Expressions

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
    """One expression or statement of a source file, changed.

    Attributes:
        file: relative to the project's root.
        line: of the change, counted from 0.
        kind: "compare", "equal", "logic", "arithmetic", "bits", "word", "number", "negation",
            "guard" (a branch that is never taken) or "delete" (a call that is not made).
        before: the line.
        after: the line with the change.
        begin, end: the expression or statement in the file's text.
        changed: the text that replaces it; nothing instead of a statement.
    """

    file: str
    line: int
    kind: str
    before: str
    after: str
    begin: int
    end: int
    changed: str

    def apply(self, text: str) -> str:
        """The file's text with this change."""
        changed = f"({self.changed})" if self.changed else ""
        return text[: self.begin] + changed + text[self.end :]

    def guard(self, number: int) -> tuple[str, str]:
        """The text in front of the expression or statement and behind it, so that it is changed
        where mutant `number` is to be."""
        asked = f"::mxfp4_mutants::mutated({number})"
        if self.kind == "delete":
            return f"if ({asked}) {{}} else ", ""
        if self.kind == "guard":
            return f"!{asked} && (", ")"
        return f"({asked} ? ({self.changed}) : (", "))"

    def __str__(self) -> str:
        changed = self.after.strip() or "(nothing)"
        return f"{self.file}: {self.kind}: {self.before.strip()}  ->  {changed}"


def masked(text: str, strings: bool = True) -> str:
    """The text with comments and assertions as blanks, and strings as runs of NUL unless they are
    to stay; each other character is in its place."""

    def instead(found: re.Match[str]) -> str:
        hidden = found[0].startswith(("//", "/*", "assert"))
        if not hidden and not strings:
            return found[0]
        return re.sub(r"[^\n]", " " if hidden else "\0", found[0])

    return _HIDDEN.sub(instead, text)


def _balanced(condition: str) -> bool:
    depth = 0
    for c in condition:
        depth += (c == "(") - (c == ")")
        if depth < 0:
            return False
    return depth == 0


# A change: its kind, where it is in the line, and the text that replaces it.
_Change = tuple[str, int, int, str]


def _changes(seen: str, previous: str) -> Iterator[_Change]:
    """Each change of a line, which is as `masked` leaves it; so is the line before."""
    for kind, old, new in _OPERATORS:
        for at in re.finditer(re.escape(old), seen + " "):
            yield kind, at.start(), at.end(), new
    for old, new in _WORDS:
        for at in re.finditer(rf"(?<![\w:.>]){re.escape(old)}(?!\w)", seen):
            yield "word", *at.span(), new
    for at in _NUMBER.finditer(seen):
        yield "number", *at.span(1), str(int(at[1]) + 1)
    for at in _NEGATION.finditer(seen):
        yield "negation", *at.span(), ""
    guard = _GUARD.search(seen)
    # A condition that declares a variable has to stay.
    if guard and " = " not in guard["condition"] and _balanced(guard["condition"]):
        yield "guard", *guard.span("condition"), "false"
    begins = previous.rstrip().endswith((";", "{", "}", ":")) or not previous.strip("\0 ")
    if _CALL.match(seen) and begins and _balanced(seen) and " = " not in seen.split("(")[0]:
        yield "delete", len(seen) - len(seen.lstrip()), len(seen), ""


def _extent(known: Expressions, kind: str, begin: int, end: int) -> tuple[int, int] | None:
    """What a guard goes around, if the change is from begin to end in the text."""
    if kind in ("number", "guard", "delete"):
        return begin, end
    if kind in ("word", "negation"):
        return known.postfix(begin)
    return known.binary(begin + 1)  # behind the space in front of the operator


def mutants(file: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a file's text."""
    hidden, code = masked(text), masked(text, strings=False)
    known, start, previous = Expressions(hidden), 0, ""
    for i, (line, seen) in enumerate(zip(text.split("\n"), hidden.split("\n"), strict=True)):
        for kind, begin, end, new in () if _DECLARES.match(seen) else _changes(seen, previous):
            after = "" if kind == "delete" else (line[:begin] + new + line[end:]).rstrip()
            begin, end = start + begin, start + end
            around = _extent(known, kind, begin, end)
            if around:
                changed = code[around[0] : begin] + new + code[end : around[1]]
                changed = re.sub(r"\s*\n\s*", " ", changed)
                changed = f"bool({changed})" if kind == "negation" else changed
                yield Mutant(file, i, kind, line, after, *around, changed)
        start += len(line) + 1
        previous = seen if seen.strip("\0 ") else previous


def every_mutant(root: Path, folders: list[str]) -> list[Mutant]:
    """The mutants of all C++ files of some folders of a project."""
    files = [f for folder in folders for f in sorted((root / folder).glob("*.cpp"))]
    return [m for f in files for m in mutants(str(f.relative_to(root)), f.read_text())]


@dataclass(frozen=True)
class Guarded:
    """A file's text with many mutants, each behind its guard.

    No line is added, so that what a compiler says of a line is about that line of the file.

    Attributes:
        text: with the guards.
        spans: where each mutant begins and ends there, by number.
    """

    text: str
    spans: dict[int, tuple[int, int]]

    def at(self, line: int, column: int) -> set[int]:
        """The innermost mutant around a place, counted from 1; those on the line if none is."""
        lines = self.text.split("\n")
        start = sum(len(text) + 1 for text in lines[: line - 1])
        place, end = start + column - 1, start + len(lines[line - 1])
        around = [n for n, (first, last) in self.spans.items() if first <= place < last]
        if around:
            return {min(around, key=lambda n: self.spans[n][1] - self.spans[n][0])}
        return {n for n, (first, last) in self.spans.items() if first <= end and start <= last}


def guarded(text: str, chosen: dict[int, Mutant]) -> Guarded:
    """A file's text with some of its mutants, by number."""
    waiting = sorted(chosen.items(), key=lambda m: (m[1].begin, -m[1].end, m[1].kind != "delete"))
    out, spans, size = [], {}, 0

    def add(part: str) -> None:
        nonlocal size
        out.append(part)
        size += len(part)

    def part(begin: int, end: int) -> None:
        while waiting and waiting[0][1].end <= end:
            number, mutant = waiting.pop(0)
            add(text[begin : mutant.begin])
            front, behind = mutant.guard(number)
            start = size
            add(front)
            part(mutant.begin, mutant.end)
            add(behind)
            spans[number] = (start, size)
            begin = mutant.end
        add(text[begin:end])

    part(0, len(text))
    assert not waiting  # expressions hold one another, or are apart
    return Guarded("".join(out), spans)
