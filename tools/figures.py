# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parts of sentences on pages, and how their figures follow from docs/*.json."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from measured import MODELS_H200

Row = dict[str, Any]
PEERS = ("triton tuned", "marlin", "humming")


@dataclass(frozen=True)
class Claim:
    """A part of a sentence, and its figures.

    Attributes:
        page: where the sentence is.
        text: the part, in which # stands for a figure.
        figures: as many.
    """

    page: str
    text: str
    figures: Sequence[str]


def span(values: Iterable[float | None], digits: int = 2) -> str:
    """The least and the largest of values that were measured, or the one that both round to."""
    known = [v for v in values if v is not None]
    low, high = f"{min(known):.{digits}f}", f"{max(known):.{digits}f}"
    return low if low == high else f"{low} to {high}"


def times(row: Row, above: str, below: str = "register") -> float | None:
    """How many times as long one column of a matmul takes as another."""
    us = [row.get(column, {}).get("median") for column in (above, below)]
    return us[0] / us[1] if all(us) else None


def spans(rows: Iterable[Row], above: str, below: str = "register", digits: int = 2) -> str:
    """`span` of `times`."""
    return span((times(r, above, below) for r in rows), digits)


def gains(rows: Iterable[Row], column: str = "best", ours: str = "ours") -> str:
    """How many times as long a column of a layer takes as ours; "best" is the best of others."""

    def us(row: Row) -> float:
        known = [row["us"][p] for p in PEERS if row["us"].get(p)]
        return min(known) if column == "best" else row["us"][column]

    return span(us(r) / r["us"][ours] for r in rows)


def loaded(row: Row) -> float:
    """Rows per expert."""
    return float(row["rows"] / row["experts"])


def to_parts(row: Row) -> float:
    """A layer's time from logits as a multiple of its matmuls and the read of the sum."""
    us = row["us"]
    return float(us["from logits"] / (us["matmuls"] + us["combine read"]))


def models(name: str, tokens: Iterable[int], layer: str = "") -> list[Row]:
    """Cases of a model."""
    return [r for r in MODELS_H200["rows"] if r["model"] == name and r["tokens"] in tokens
            and layer in ("", r["layer"])]  # fmt: skip
