# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plots of measured results: they draw what is in the file, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mxfp4 import Error
from mxfp4.bench import layer_plot, plot

pytest.importorskip("matplotlib")


def row(tokens: int, **columns: float) -> dict[str, Any]:
    found: dict[str, Any] = {c: {"median": us} for c, us in columns.items()}
    shape = {"experts": 32, "layer": "gate_up", "n": 5760, "k": 2880, "tokens": tokens}
    return {**shape, "rows": 4 * tokens, "flops": 1e8 * tokens, "bytes": 1e7 + tokens, **found}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [row(1, register=20.0, shared=30.0, bf16=60.0, read=12.0), row(64, register=100.0)]
    rows[1]["bf16"] = {"error": "out of memory"}
    facts = {"gpu": "A GPU", "read_gbps_4GiB": 3000.0}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"facts": facts, "rows": rows}))
    return path


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_plots_are_written(
    file: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [tmp_path / f"{name}.{kind}" for name in ("roofline", "times")]
    assert plot.main([str(file), "--roofline", str(out[0]), "--times", str(out[1])]) == 0
    first = [path.read_bytes() for path in out]
    assert all(first)
    assert plot.main([str(file), "--roofline", str(out[0]), "--times", str(out[1])]) == 0
    assert [path.read_bytes() for path in out] == first, "equal data, equal files"
    assert "wrote" in capsys.readouterr().out


def test_what_failed_is_not_drawn(file: Path, tmp_path: Path) -> None:
    results = plot.read(file)
    assert [us for _, us in plot._series(results["rows"], "bf16")] == [60.0]
    plot.times(results, tmp_path / "times.svg")
    svg = (tmp_path / "times.svg").read_text()
    assert "A GPU" in svg
    assert "32 experts, gate_up (N = 5760, K = 2880)" in svg
    plot.roofline(results, tmp_path / "roofline.svg")
    svg = (tmp_path / "roofline.svg").read_text()
    assert "read bandwidth, 3000 GB/s" in svg
    assert re.search(r"best measured, 64 TFLOP/s", svg), "6.4e9 operations in 100 us"


def test_what_cannot_be_drawn_is_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    plot.check(None, Path("x.svg"))
    with pytest.raises(Error, match=r"must end in \.png, \.svg, \.pdf, got x\.bmp"):
        plot.check(Path("x.svg"), Path("x.bmp"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plot.check(None, None)
    with pytest.raises(Error, match="plots need matplotlib: pip install matplotlib"):
        plot.check(Path("x.svg"))


def test_errors(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("{", "[]", '{"rows": [], "facts": {}}', '{"rows": [{}], "facts": {"gpu": 1}}'):
        file.write_text(text)
        with pytest.raises(Error, match="is no result of the benchmark"):
            plot.read(file)
    file.write_text('{"rows": [{"flops": 1}], "facts": {"gpu": "A"}}')
    with pytest.raises(SystemExit):
        plot.main([str(file), "--times", "a.svg"])
    assert "has no row with a time" in capsys.readouterr().err


def drawn(svg: str, colour: str) -> list[int]:
    """Of each line in a colour, how many pieces it has."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', svg)
    return [d.count("M") for d, style in paths if f"stroke: {colour}" in style and "none" in style]


def test_no_line_crosses_a_case_that_failed(tmp_path: Path) -> None:
    """Five numbers of tokens, the third of which failed: two pieces of line."""
    rows = [row(4**i, register=10.0 * 4**i, triton=20.0 * 4**i) for i in range(5)]
    whole = tmp_path / "whole.svg"
    plot.times({"facts": {"gpu": "A GPU"}, "rows": rows}, whole)
    rows[2]["triton"] = {"error": "WRONG: 139 elements exceed the bound"}
    gap = tmp_path / "gap.svg"
    plot.times({"facts": {"gpu": "A GPU"}, "rows": rows}, gap)
    colour = plot.COLUMNS["triton"][1]
    assert max(drawn(whole.read_text(), colour)) == 1
    assert max(drawn(gap.read_text(), colour)) == 2


def layer_rows() -> list[dict[str, Any]]:
    times = {1: (60.0, 40.0), 16: (170.0, 136.0), 256: (300.0, 250.0)}
    return [
        {"experts": e, "tokens": t, "us": {"triton tuned": theirs, "ours": ours}}
        for e in (32, 128)
        for t, (theirs, ours) in times.items()
    ]


def test_ratios_of_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, chart = tmp_path / "layer.json", tmp_path / "ratios.svg"
    results = {"gpu": "A GPU", "date": "2026-11-28", "rows": layer_rows()}
    del results["rows"][-1]["us"]["triton tuned"]
    file.write_text(json.dumps(results))
    assert layer_plot.main([str(file), str(chart)]) == 0
    first = chart.read_text()
    assert [first.count(text) for text in (">1.50<", ">1.25<", ">1.20<")] == [2, 2, 1]
    assert "A GPU, 2026-11-28" in first
    assert "speed relative to tuned Triton" in first
    assert layer_plot.main([str(file), str(chart)]) == 0
    assert chart.read_text() == first, "equal data, equal files"
    results["rows"][0]["us"] |= {"marlin": 50.0, "humming": 70.0}
    file.write_text(json.dumps(results))
    assert layer_plot.main([str(file), str(chart)]) == 0
    assert all(t in chart.read_text() for t in ("the fastest of", "tuned Triton, Marlin, humming"))
    assert [chart.read_text().count(text) for text in (">1.50<", ">1.25<")] == [1, 3]
    for text in ("{", "[]", '{"rows": []}', '{"rows": [], "gpu": "A", "date": "B"}'):
        file.write_text(text)
        with pytest.raises(SystemExit):
            layer_plot.main([str(file), str(chart)])
    assert "no row with times of both columns" in capsys.readouterr().err
