# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bounds of expressions in C++ source, for `source_mutants`.

No parser: operators are found by their precedence in text that clang-format has laid out. An
operator of two operands has white space on both sides, which brackets of templates and unary
operators do not have.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass

_PRECEDENCE = {op: level for level, ops in enumerate(
    ["||", "&&", "|", "^", "&", "== !=", "< <= > >=", "<< >>", "+ -", "* / %"]
) for op in ops.split()}  # fmt: skip
_TOKEN = re.compile(
    r"\0+|[A-Za-z_]\w*|\d[\w.']*|<<=|->|::|\+\+|--|&&|\|\||<<|[-+*/%&|^=!<]=|(?<=\s)>>=?(?=\s)"
    r"|(?<=\s)>=|\S"
)
_OPEN, _CLOSE = {"(": ")", "[": "]", "{": "}", "<": ">"}, {")", "]", "}", ">"}
# Text in front of an expression or behind one that is no part of it.
_ENDS = {",", ";", "?", ":", "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=",
         "return", "else", "case", "do", "goto"}  # fmt: skip
_UNARY = {"!", "~", "-", "+", "*", "&", "++", "--"}


@dataclass(frozen=True)
class Token:
    """A word, number, string (as a run of NUL) or operator."""

    text: str
    begin: int
    end: int
    binary: bool  # an operator of two operands

    @property
    def is_operand(self) -> bool:
        """Whether the token is a word, a number or a string."""
        return self.text[0] == "\0" or self.text[0].isalnum() or self.text[0] == "_"


class Expressions:
    """The tokens of a text, whose comments are blanks and whose strings are runs of NUL."""

    def __init__(self, text: str) -> None:
        self.tokens = []
        for found in _TOKEN.finditer(text):
            begin, end = found.span()
            spaced = text[begin - 1 : begin].isspace() and text[end : end + 1].isspace()
            self.tokens.append(Token(found[0], begin, end, spaced and found[0] in _PRECEDENCE))
        self._begins = [t.begin for t in self.tokens]
        self._match = self._brackets(text)

    def _brackets(self, text: str) -> dict[int, int]:
        """The index of each bracket's other half. Those of templates have no space in front."""
        match, stack = {}, []
        for i, t in enumerate(self.tokens):
            if t.text in _OPEN and not t.binary:
                stack.append(i)
            elif t.text in _CLOSE and not t.binary:
                if t.text == ">" and (not stack or self.tokens[stack[-1]].text != "<"):
                    continue
                while stack and _OPEN[self.tokens[stack[-1]].text] != t.text:
                    stack.pop()
                if stack:
                    match[i] = stack.pop()
                    match[match[i]] = i
        return match

    def _index(self, at: int) -> int:
        """The token that begins at a place."""
        i = bisect.bisect_left(self._begins, at)
        if i == len(self.tokens) or self.tokens[i].begin != at:
            raise ValueError(f"no token begins at {at}")
        return i

    def _ends_statement(self, i: int) -> bool:
        """Whether a token and the one behind it are of two statements, or a type and a name."""
        t, after = self.tokens[i], self.tokens[i + 1]
        starts = after.is_operand or (after.text in _UNARY and not after.binary)
        ends = t.is_operand or (t.text in (")", "}", ">") and not t.binary)
        return starts and ends

    def _left(self, operator: int, level: int) -> int:
        """Where the left operand begins."""
        i, begin = operator - 1, -1
        while i >= 0:
            t = self.tokens[i]
            if t.binary and _PRECEDENCE[t.text] < level:
                break
            if t.text in _ENDS or (begin >= 0 and self._ends_statement(i)):
                break
            if i in self._match:
                if self._match[i] > i:  # an opening bracket, with the operator inside
                    break
                i = self._match[i]
            begin = self.tokens[i].begin
            i -= 1
        return begin

    def _right(self, operator: int, level: int) -> int:
        """Where the right operand ends."""
        i, end = operator + 1, -1
        while i < len(self.tokens):
            t = self.tokens[i]
            if (t.binary and _PRECEDENCE[t.text] <= level) or t.text in _ENDS:
                break
            if i in self._match:
                if self._match[i] < i:
                    break
                i = self._match[i]
            end = self.tokens[i].end
            i += 1
        return end

    def binary(self, at: int) -> tuple[int, int] | None:
        """The expression of the operator at a place, which has two operands; None if the place
        has none."""
        operator = self._index(at)
        if not self.tokens[operator].binary:
            return None
        level = _PRECEDENCE[self.tokens[operator].text]
        begin, end = self._left(operator, level), self._right(operator, level)
        return (begin, end) if 0 <= begin < at < end else None

    def postfix(self, at: int) -> tuple[int, int]:
        """A name and the calls, subscripts and members behind it, or the operand of the unary
        operator at a place together with it."""
        i = self._index(at)
        while self.tokens[i].text in _UNARY:
            i += 1
        end = self.tokens[i].end
        while i < len(self.tokens):
            t = self.tokens[i]
            if i in self._match and t.text in "([<" and not t.binary:
                i = self._match[i]
            elif t.text not in (".", "->", "::") and not t.is_operand:
                break
            end = self.tokens[i].end
            if i + 1 < len(self.tokens) and self._ends_statement(i):
                break
            i += 1
        return at, end
