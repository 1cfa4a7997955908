# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a kernel is compiled for, as a value and in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import library
from ._typed import typed
from .artifact import Manifest
from .errors import Error, alternatives
from .layout import FP8, Layout

FIELDS = (
    "experts", "n", "k", "groups", "expert-ids", "order", "scales", "columns", "output",
    "activations", "accumulation",
)  # fmt: skip
"""Keys of a problem in words that need no compiler to be understood."""

ACCUMULATIONS = ("fast", "promoted512", "promoted128")
"""How sums of FP8 products are taken; see docs/Numerics.md."""

NO_GROUPS = "Without groups there are no rows: grouped_matmul returns an empty array on its own."


def check_accumulation(accumulation: str, layout: Layout = FP8) -> None:
    """Refuse what is no way of summing products with weights of a layout.

    Raises:
        Error: naming the known ones, or why there is no choice.
    """
    if accumulation not in ACCUMULATIONS:
        raise Error(f"accumulation must be one of {list(ACCUMULATIONS)}, got {accumulation!r}.")
    if layout.activations == "bf16" and accumulation != ACCUMULATIONS[1]:
        raise Error(
            f"accumulation={accumulation!r} is a choice for activations in FP8, but the "
            f"layout {layout} is for bf16, whose sums are in f32."
        )


def fields() -> tuple[str, ...]:
    """All keys, as the compiler knows them: those above, and one for each optional operand."""
    if library.find() is None:
        return FIELDS
    pointer = library.load().mxfp4_problem_fields()
    return tuple(library.take_string(pointer).split())


@typed
@dataclass(frozen=True)
class Problem:
    """What a kernel is compiled for; the row count R stays open.

    Attributes:
        experts: number of experts, E.
        n: N, output columns.
        k: K, products of a sum, a multiple of 32.
        groups: number of groups, G; E if None.
        layout: layout of the packed weights.
        output: "bf16" or "f32".
        expert_ids: whether groups name their experts by a list of ids.
        operands: names of other optional operands that calls provide; the compiler knows which
            there are.
        columns: what the columns of the output are to a gated activation: "plain" (nothing is
            said), "interleaved" or "apart"; see `PackedWeights.rows`. Kernels do not differ.
        batch_invariant: whether all kernels of the problem, for any number of rows, give a row the
            same bits whatever other rows there are.
        accumulation: how sums of products are taken where activations are in FP8, which they are
            with the layout for that, `layout.FP8`: one of `ACCUMULATIONS`. Sums of bf16 products
            are sums in f32.
    """

    experts: int
    n: int
    k: int
    groups: int | None = None
    layout: Layout = field(default_factory=Layout)
    output: str = "bf16"
    expert_ids: bool = False
    operands: frozenset[str] = frozenset()
    columns: str = "plain"
    batch_invariant: bool = False
    accumulation: str = "promoted512"

    def __post_init__(self) -> None:
        check_accumulation(self.accumulation, self.layout)

    @property
    def activations(self) -> str:
        """ "bf16" or "fp8"."""
        return self.layout.activations

    @staticmethod
    def parse(spec: str) -> Problem:
        """A problem from its spec, "experts=E n=N k=K" and more; the inverse of `spec`.

        Raises:
            Error: naming the word that is wrong or missing.
        """
        words: dict[str, str] = {}
        operands: set[str] = set()
        given: set[str] = set()
        for word in spec.split():
            name, equals, value = word.partition("=")
            if not equals:
                known = ", ".join(f"{w}=" for w in FIELDS)
                raise Error(f"a problem is words that start with {known}; got {word!r}.")
            if name in given:
                raise Error(f"problem field {name} is given twice in {spec!r}.")
            given.add(name)
            if name not in FIELDS:
                known_fields = fields()
                if name not in known_fields:
                    why = alternatives(name, "problem field", known_fields)
                    raise Error(f"unknown problem field {name!r} in {word!r}{why}")
                if value not in ("0", "1"):
                    raise Error(f"{name} must be 0 or 1, got {value!r}.")
                if value == "1":
                    operands.add(name.replace("-", "_"))
                continue
            words[name] = value
        numbers: dict[str, int] = {}
        for name in ("experts", "n", "k", "groups", "expert-ids"):
            if name in words and not words[name].isdecimal():
                raise Error(f"{name} must be a number, got {words[name]!r}.")
            if name in words:
                numbers[name] = int(words[name])
                if name == "expert-ids" and numbers[name] > 1:
                    raise Error(f"expert-ids must be 0 or 1, got {words[name]!r}.")
                if name == "groups" and not numbers[name]:
                    raise Error(f"groups must be at least 1 in {spec!r}. {NO_GROUPS}")
            elif name in ("experts", "n", "k"):
                raise Error(f"the problem {spec!r} does not say {name}=.")
        layout = _layout_of(words)
        return Problem(
            numbers["experts"], numbers["n"], numbers["k"], numbers.get("groups"), layout,
            words.get("output", "bf16"), bool(numbers.get("expert-ids", 0)),
            frozenset(operands), words.get("columns", "plain"),
            accumulation=words.get("accumulation", "promoted512"),
        )  # fmt: skip

    @property
    def name(self) -> str:
        """A name for folders and for people, different for each problem."""
        groups = f"g{self.groups}ids" if self.expert_ids else ""
        layout = f"{self.layout.order}-{self.layout.scales}"
        operands = "".join(f"-{name}" for name in sorted(self.operands))
        invariant = "-invariant" if self.batch_invariant else ""
        sums = f"-{self.accumulation}" if self.activations == "fp8" else ""
        return (
            f"e{self.experts}{groups}-n{self.n}-k{self.k}-{layout}{sums}-{self.output}{operands}"
            f"{invariant}"
        )

    @property
    def options(self) -> str:
        """Options of the compiler that the problem wants, beside its words."""
        return "batch-invariant=true" if self.batch_invariant else ""

    def spec(self) -> str:
        """The problem in the compiler's words.

        Raises:
            Error: if there are no groups.
        """
        if self.groups == 0:
            raise Error(f"there is no kernel for no groups. {NO_GROUPS}")
        groups = self.experts if self.groups is None else self.groups
        return (
            f"experts={self.experts} groups={groups} n={self.n} k={self.k} "
            f"{self._numbers()} output={self.output} "
            f"expert-ids={int(self.expert_ids)}"
            + "".join(f" {name.replace('_', '-')}=1" for name in sorted(self.operands))
            + (f" columns={self.columns}" if self.columns != "plain" else "")
        )

    def _numbers(self) -> str:
        if self.activations == "fp8":
            return f"activations=fp8 accumulation={self.accumulation}"
        return f"order={self.layout.order} scales={self.layout.scales}"

    def matches(self, manifest: Manifest) -> bool:
        """Whether a manifest is of a kernel for this problem."""
        groups = self.experts if self.groups is None else self.groups
        operands = self.operands | ({"expert_ids"} if self.expert_ids else set())
        m = manifest
        if self.activations == "fp8":
            # Powers of rows and scales of tokens, which such a kernel has without being asked.
            operands |= {"epilogue0", "epilogue1"}
            if m.accumulation != self.accumulation:
                return False
        ours = (self.experts, groups, self.n, self.k, self.layout, self.output, operands)
        theirs = (m.experts, m.groups, m.n, m.k, m.layout, m.output, m.operands)
        return ours == theirs and self.batch_invariant == m.batch_invariant


def _layout_of(words: dict[str, str]) -> Layout:
    """The layout that a problem's words name, or that follows from its activations."""
    activations = words.get("activations", "bf16")
    if activations not in ("bf16", "fp8"):
        raise Error(f'activations must be "bf16" or "fp8", got {activations!r}.')
    if activations == "bf16" and "accumulation" in words:
        raise Error("accumulation= is a choice with activations=fp8: sums of bf16 are in f32.")
    known = ("bytes", "relative") if activations == "fp8" else ("spread", "folded")
    layout = Layout(words.get("order", known[0]), words.get("scales", known[1]))
    if layout.activations != activations:
        raise Error(f"activations={activations} do not go with order={layout.order}.")
    return layout
