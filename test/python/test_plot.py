# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plots of measured results: they draw what is in the file, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mxfp4 import Error
from mxfp4.bench import plot

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
