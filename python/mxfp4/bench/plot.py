# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plots of what the benchmark measured.

``python -m mxfp4.bench.plot bench.json --roofline roofline.svg --times times.svg`` draws from the
file that ``python -m mxfp4.bench ... --json`` wrote, and from nothing else. A case that failed or
was not measured is not drawn, and no line crosses its place. It needs matplotlib.
"""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._command import Parser, told
from .._files import read_input, write_whole
from ..errors import Error

COLUMNS = {
    "register": ("decoded in registers (mxfp4)", "#c0392b", "o", "-"),
    "shared": ("decoded into shared memory", "#7f8c8d", "s", "--"),
    "triton": ("OpenAI's triton_kernels", "#e08e0b", "D", "-"),
    "bf16": ("bf16 weights, torch's grouped matmul", "#2c6fbb", "^", "-"),
    "read": ("reading as many bytes", "#444444", "", ":"),
}
"""Column of a row: label, colour, marker, line."""

_FILLS = ("full", "none", "left", "top")
"""Of markers, by number of experts."""

_PINNED: dict[Any, Any] = {
    "svg.hashsalt": "mxfp4",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "legend.frameon": False,
}
"""Equal data give equal files."""


def read(path: Path) -> dict[str, Any]:
    """The results in a file.

    Raises:
        Error: if it is none of the benchmark's, or no row has a time.
    """
    try:
        results = json.loads(read_input(path, "results of the benchmark"))
        rows, facts = results["rows"], results["facts"]
        timed = [r for r in rows if r["flops"] and any("median" in r.get(c, {}) for c in COLUMNS)]
        facts["gpu"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise Error(
            f"{path} is no result of the benchmark ({e!r}); mxfp4 bench --json FILE writes one."
        ) from e
    if not timed:
        raise Error(f"{path} has no row with a time.")
    return {"rows": timed, "facts": facts}


def check(*paths: Path | None) -> None:
    """That these files can be drawn, before anything is measured for them.

    Raises:
        Error: if there is no matplotlib, or a file is of no kind that it writes.
    """
    kinds = (".png", ".svg", ".pdf")
    for path in filter(None, paths):
        if path.suffix not in kinds:
            raise Error(f"a plot's file must end in {', '.join(kinds)}, got {path.name}.")
        if importlib.util.find_spec("matplotlib") is None:
            raise Error("plots need matplotlib: pip install matplotlib.")


def _figure(width: float, height: float) -> Any:
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(_PINNED)
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    date = {} if path.suffix == ".png" else {"metadata": {"Date" if path.suffix == ".svg" else
                                                          "CreationDate": None}}  # fmt: skip
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:], dpi=150, **date)
    write_whole(path, drawn.getvalue())


def _series(rows: list[dict[str, Any]], column: str) -> list[tuple[dict[str, Any], float]]:
    """Rows with a time in the column, and the time in microseconds."""
    return [(r, r[column]["median"]) for r in rows if "median" in r.get(column, {})]


def _one_routing(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of uniform routing, or else of the first routing."""
    routings = [r.get("routing", "uniform") for r in results["rows"]]
    drawn = "uniform" if "uniform" in routings else routings[0]
    return [r for r, how in zip(results["rows"], routings, strict=True) if how == drawn]


def _panels(results: dict[str, Any]) -> list[tuple[tuple[int, str], list[dict[str, Any]]]]:
    """Rows of one routing by (E, layer), where there is more than a point or two."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in _one_routing(results):
        found.setdefault((row["experts"], row["layer"]), []).append(row)
    most = max(len(rows) for rows in found.values())
    return [(key, rows) for key, rows in found.items() if len(rows) > min(2, most - 1)]


def _together(numbers: Iterable[int]) -> str:
    """A number, or the least and the greatest."""
    least, *_, most = sorted(numbers) * 2
    return str(least) if least == most else f"{least} to {most}"


def _tokens_label(rows: list[dict[str, Any]]) -> str:
    """What the axis of tokens counts. Files of before 2026-11 do not tell the top, which is 4."""
    tops = {r.get("top", 4) for r in rows}
    routing = rows[0].get("routing", "uniform")
    how = "" if routing == "uniform" else f"; routing: {routing}"
    if tops == {1}:
        return f"tokens, each by its top expert{how}"
    return f"tokens, each by its top {_together(tops)} experts{how}"


def _title(rows: list[dict[str, Any]]) -> str:
    """Which layers, and how many tokens."""
    known = {(5760, 2880), (2880, 2880), (8192, 8192)}
    shapes = dict.fromkeys((r["n"], r["k"]) for r in rows)
    layers = "gpt-oss layers" if known >= set(shapes) else "N x K = " + ", ".join(
        f"{n} x {k}" for n, k in shapes)  # fmt: skip
    return f"{layers}, {_together(r['tokens'] for r in rows)} tokens"


def times(results: dict[str, Any], path: Path) -> None:
    """Time by number of tokens, a panel for each layer.

    Raises:
        Error: if matplotlib is not installed or the file's name has no known ending.
    """
    panels = _panels(results)
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    figure = _figure(4.6 * columns + 0.4, 3.2 * lines + 0.5)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
    for axes, ((experts, layer), rows) in zip(grid.flat, panels, strict=False):
        for column, (label, colour, marker, line) in COLUMNS.items():
            # NaN, where a case failed or was not measured, leaves a gap in the line.
            axes.plot([r["tokens"] for r in rows],
                      [r.get(column, {}).get("median", float("nan")) for r in rows], line,
                      color=colour, marker=marker, markersize=4, label=label)  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        ticks = sorted({r["tokens"] for r in rows})
        axes.set_xticks(ticks, [f"{t // 1024}k" if t >= 1024 else str(t) for t in ticks])
        axes.set_title(f"{experts} experts, {layer} (N = {rows[0]['n']}, K = {rows[0]['k']})",
                       fontsize=10)  # fmt: skip
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel(_tokens_label(panels[0][1]))
    for axes in grid[:, 0]:
        axes.set_ylabel("microseconds a launch")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    figure.suptitle(results["facts"]["gpu"], fontsize=11)
    _save(figure, path)


def roofline(results: dict[str, Any], path: Path) -> None:
    """Throughput by arithmetic intensity, under what was measured as possible.

    The slope is the read bandwidth of the same run; the roof is the best throughput that any column
    reached. Intensity counts the bytes that must move with MXFP4 weights; bf16 weights move about
    four times as many for the same work, so their points lie below the slope.

    Raises:
        Error: as `times`.
    """
    rows = _one_routing(results)
    facts = results["facts"]
    figure = _figure(7.2, 4.8)
    axes = figure.subplots()
    intensity = [r["flops"] / r["bytes"] for r in rows]
    best = max(r["flops"] / us / 1e6 for c in COLUMNS if c != "read" for r, us in _series(rows, c))
    bandwidth = facts.get("read_gbps_4GiB")
    if bandwidth:
        ridge = best * 1e3 / bandwidth
        ends = [min(intensity) * 0.7, ridge, max(*intensity, ridge) * 1.4]
        axes.plot(ends, [min(x * bandwidth / 1e3, best) for x in ends], color="#999999", lw=1)
        middle = (ends[0] * ridge) ** 0.5
        axes.annotate(f"read bandwidth, {bandwidth:.0f} GB/s", (middle, middle * bandwidth / 1e3),
                      xytext=(-8, 6), textcoords="offset points", ha="right", fontsize=8,
                      color="#666666")  # fmt: skip
        axes.annotate(f"best measured, {best:.0f} TFLOP/s", (ridge, best), xytext=(0, 5),
                      textcoords="offset points", fontsize=8, color="#666666")  # fmt: skip
    for column, (label, colour, marker, _) in COLUMNS.items():
        if column == "read":
            continue
        for i, experts in enumerate(dict.fromkeys(key[0] for key, _ in _panels(results))):
            points = _series([r for r in rows if r["experts"] == experts], column)
            if points:
                axes.plot([r["flops"] / r["bytes"] for r, _ in points],
                          [r["flops"] / us / 1e6 for r, us in points], marker, color=colour,
                          markersize=5, fillstyle=_FILLS[min(i, len(_FILLS) - 1)],
                          label=f"{label}, {experts} experts")  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("floating-point operations for each byte that must move (MXFP4 weights)")
    axes.set_ylabel("TFLOP/s")
    axes.set_title(f"{facts['gpu']}: {_title(rows)}", fontsize=11)
    axes.legend(fontsize=8, loc="lower right")
    _save(figure, path)


@told("python -m mxfp4.bench.plot")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.bench.plot", description=__doc__)
    parser.add_argument("results", type=Path, help="what mxfp4.bench --json wrote")
    parser.add_argument("--roofline", type=Path, metavar="FILE", help="throughput by intensity")
    parser.add_argument("--times", type=Path, metavar="FILE", help="time by number of tokens")
    o = parser.parse_args(arguments)
    try:
        check(o.roofline, o.times)
        results = read(o.results)
        for draw, path in ((roofline, o.roofline), (times, o.times)):
            if path:
                draw(results, path)
                print(f"wrote {path}")
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
