# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Find phrases that readers of the field do not expect, in pages, comments and messages.

usage: prose.py [--count] [FILE...]

Without files, all files of the tree are read. `WORDS` has each phrase and what to write instead. Of
a page, the text outside of code is read; of a source, comments and string literals. A phrase may be
broken across lines. ``prose: allow`` in a line lets the line quote a phrase.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COUNTED = (
    "rows?|tokens|registers|bytes|words|warps|tiles|steps|times|instructions?|operations"
    "|elements|values|terms|CTAs?|arrivals|requests|cycles|clocks|microseconds"
    "|accumulators|fragments|stages|slots|threads|lanes|bits|columns|kernels"
)
UNIT = (
    "group|thread|step|expert|SM|multiprocessor|warp|CTA|clock|second|lane|slot|kernel|byte"
    "|row|token|line|word|register"
)
NO_NOUN = "of|to|in|as|is|for|if|without|with|than|when|by|at|from|per"
ONE = rf"(?:one|two|three|four|eight|\d+) (?!{NO_NOUN})\w+"
CLAUSE = "has|gets|holds|takes|needs|reads|is|of|may|can|does|chose|writes|stores|knows"
WORDS = {
    r"copy engines?": "TMA",
    r"(?<![\"'])multiprocessors?(?![=:\w]| in --)": "SM",
    r"rounds? of (?:the )?(?:tiles|CTAs|SMs)|(?:last|full|fewer) rounds?": "wave",
    rf"(?:{COUNTED}|{ONE}) an? (?:{UNIT})(?!'s| (?:{CLAUSE})\b)": "per group, per thread, per SM",
    r"beside (?:it|them|that|these|those|this)": "next to, or the other thing's name",
    r"(?:every )?so many(?! that\b)|manieth": "the number by its name",
    r"see that there are|that there are(?=[,.;:])": "a bound, or nothing",
    r"(?<!waits\s)(?<!wait\s)for nothing(?! else)": "free of charge",
    r"that which|what stands|what there is": "a noun",
}
"""Phrases (regular expressions, whole words, in any case) and what to write instead."""

FIND = [
    (re.compile(r"(?<![\w\\.-])(?:" + phrase.replace(" ", r"\s+") + r")\b", re.IGNORECASE), say)
    for phrase, say in WORDS.items()
]
GENERATED = {"docs/Dialect.md", "docs/Passes.md"}
"""Pages whose text is read where it is written, in TableGen."""
ABOUT_WORDS = {"tools/prose.py", "test/python/test_prose.py"}
MARKDOWN = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
C = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.DOTALL)
SHELL = re.compile(r"(?:^|(?<=\s))#[^\n]*|\"(?:\\.|[^\"\\])*\"|'[^'\n]*'", re.MULTILINE)
DIRECTIVE = re.compile(r"^[A-Z][A-Z0-9_-]*:.*(?:\\\n.*)*", re.MULTILINE)
TESTS = re.compile(r"//[^\n]*|^#[^\n]*", re.MULTILINE)
QUOTED = re.compile(r"`+[^`\n]+`+|\\p \w+")
CODE = "\0"
"""Stands for a character of code, so that literals with code between them stay apart."""
BREAK = re.compile(r"\"[ \t]*\n[ \t]*[fr]?\"|[ \t]*\n[ \t]*(?:(?://[/!]?<?|\*(?!/)|#)[ \t]*)?")


class Finding(NamedTuple):
    """A phrase in a file."""

    file: str
    line: int
    phrase: str
    say: str


def blank(match: re.Match[str]) -> str:
    """As many lines and columns, without text."""
    return re.sub(r"\S", CODE, match[0])


def kept(parts: re.Pattern[str], text: str) -> str:
    """The parts that match, in place; the rest is blank."""
    out, end = [], 0
    for match in parts.finditer(text):
        out += [re.sub(r"\S", CODE, text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*out, re.sub(r"\S", CODE, text[end:])])


def python(text: str) -> str:
    """Comments and strings of Python, in place."""
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    lines = text.splitlines()
    out = [re.sub(r"\S", CODE, line) for line in lines]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in kinds:
            (first, start), (last, end) = token.start, token.end
            for n in range(first - 1, last):
                a = start if n == first - 1 else 0
                b = end if n == last - 1 else len(lines[n])
                out[n] = out[n][:a] + lines[n][a:b] + out[n][b:]
    return "\n".join(out)


def prose(name: str, text: str) -> str:
    """The prose of a file in place, empty if it has none."""
    suffix = Path(name).suffix
    if name in GENERATED | ABOUT_WORDS or "/corpus/" in name:
        return ""
    if suffix == ".md":
        return MARKDOWN.sub(blank, text)
    if suffix == ".td":
        return QUOTED.sub(blank, text)
    if suffix in (".cpp", ".h", ".c"):
        return QUOTED.sub(blank, kept(C, text))
    if suffix == ".py":
        return QUOTED.sub(blank, python(text))
    if suffix == ".test":
        return DIRECTIVE.sub(blank, text)
    if suffix in (".mlir", ".ptx"):
        return kept(TESTS, text)
    if suffix in (".cmake", ".yml", "") or Path(name).name == "CMakeLists.txt":
        return kept(SHELL, text)
    return ""


def find(name: str, text: str) -> list[Finding]:
    """The phrases in a file."""
    said = prose(name, text)
    # A break within a comment or between two literals is a blank. \f keeps count of lines.
    flat = re.sub(rf"[{CODE} ]*{CODE}[{CODE} ]*", CODE, BREAK.sub("\f", said))
    lines = text.splitlines()
    found = []
    for pattern, say in FIND:
        for match in pattern.finditer(flat):
            line = flat.count("\f", 0, match.start())
            if "prose: allow" not in lines[line]:
                found.append(Finding(name, line + 1, " ".join(match[0].split()), say))
    return sorted(found, key=lambda f: f.line)


def tree() -> list[str]:
    """The files of the tree."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


def findings(names: list[str]) -> list[Finding]:
    """The phrases in some files of the tree; what is not text has none."""
    found = []
    for name in names:
        try:
            found += find(name, (ROOT / name).read_text())
        except (UnicodeDecodeError, tokenize.TokenError, SyntaxError):
            continue
    return found


def main() -> int:
    """Command line."""
    arguments = [a for a in sys.argv[1:] if a != "--count"]
    if any(a.startswith("-") for a in arguments):
        sys.exit(__doc__)
    named = [str(Path(a).resolve().relative_to(ROOT)) for a in arguments]
    found = findings(named or tree())
    if "--count" in sys.argv:
        totals = Counter(f.say for f in found)
        for phrase, say in WORDS.items():
            print(f"{totals[say]:5}  write {say}, not {phrase}")
        print(f"{len(found):5}  in all")
        return 0
    for f in found:
        print(f'{f.file}:{f.line}: write "{f.say}" instead of "{f.phrase}"')
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
