# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The chart of a whole layer's speed, as a multiple of the best of others'.

``python -m mxfp4.bench.layer_plot docs/layer-h200.json docs/ratios.svg`` draws a bar for each
number of experts and of tokens. A case that failed, or was not measured, has no bar. It needs
matplotlib.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._command import Parser, told
from .._files import read_input
from ..errors import Error
from .plot import _figure, _save, check

PEERS = {"triton tuned": "tuned Triton", "marlin": "Marlin", "humming": "humming"}
"""Columns of others, of which the best of a row counts, and what they are called."""

OURS = "ours"

_COLOURS = ("#c0392b", "#2c6fbb", "#e08e0b", "#7f8c8d")


def ratio(row: dict[str, Any]) -> float | None:
    """How many times as fast ours is, or nothing where there is no time of one of the two."""
    us = row["us"]
    theirs = min((us[column] for column in PEERS if us.get(column)), default=None)
    return theirs / us[OURS] if theirs and us.get(OURS) else None


def read(path: Path) -> dict[str, Any]:
    """The measurements in a file.

    Raises:
        Error: if the file is of another kind, or no row has both times.
    """
    try:
        results = json.loads(read_input(path, "measurements of layers"))
        results["gpu"], results["date"]
        drawn = [r for r in results["rows"] if r["experts"] and r["tokens"] and ratio(r)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise Error(f"{path} holds no measurements of layers ({e!r}).") from e
    if not drawn:
        raise Error(f"{path} has no row with times of both columns.")
    return {**results, "rows": drawn}


def ratios(results: dict[str, Any], path: Path) -> None:
    """A bar for each case. Both axes are linear, or count cases; a line marks others' best speed.

    Raises:
        Error: if matplotlib is not installed or the file's name has no known ending.
    """
    check(path)
    rows = results["rows"]
    experts = sorted({r["experts"] for r in rows})
    tokens = sorted({r["tokens"] for r in rows})
    width = 0.8 / len(experts)
    figure = _figure(8.2, 3.4)
    axes = figure.subplots()
    for i, e in enumerate(experts):
        found = {r["tokens"]: ratio(r) for r in rows if r["experts"] == e}
        places = [tokens.index(t) + (i - (len(experts) - 1) / 2) * width for t in found]
        bars = axes.bar(places, list(found.values()), width * 0.94, label=f"{e} experts",
                        color=_COLOURS[i % len(_COLOURS)])  # fmt: skip
        axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    axes.axhline(1, color="#444444", lw=1)
    axes.grid(visible=False, axis="x")
    axes.set_axisbelow(True)
    axes.set_ylim(0, max(filter(None, map(ratio, rows))) * 1.12)
    axes.set_xticks(range(len(tokens)), [str(t) for t in tokens])
    axes.set_xlabel("tokens, each routed to its top 4 experts")
    others = [text for column, text in PEERS.items() if any(r["us"].get(column) for r in rows)]
    fastest = "" if len(others) == 1 else "the fastest of\n"
    axes.set_ylabel(f"speed relative to {fastest}{', '.join(others)}", fontsize=9)
    axes.set_title(f"One gpt-oss layer, router included, on one {results['gpu']}, "
                   f"{results['date']}", fontsize=10)  # fmt: skip
    axes.legend(fontsize=9, loc="upper left", ncols=len(experts), bbox_to_anchor=(0.2, 1.0))
    _save(figure, path)


@told("python -m mxfp4.bench.layer_plot")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.bench.layer_plot", description=__doc__)
    parser.add_argument("results", type=Path, help="measurements, as docs/layer.json has them")
    parser.add_argument("chart", type=Path, help="the picture to write")
    o = parser.parse_args(arguments)
    try:
        ratios(read(o.results), o.chart)
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    print(f"wrote {o.chart}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
