# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What writes parts of the pages: levels of operations and passes, tables of measurements."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import claims  # noqa: E402
import figures  # noqa: E402
import levels  # noqa: E402
import measured  # noqa: E402
import measured_layers  # noqa: E402
import measurements  # noqa: E402


def headings(text: str) -> list[str]:
    return re.findall(r"^#{2,3} .*$", text, re.MULTILINE)


def test_passes_are_in_the_order_of_levels() -> None:
    names = [name for level in levels.passes() for name in level.names]
    page = "# Passes\n\n" + "".join(
        f"## `-{name}`\n\n_About {name}_\n\n### Options\n\n" for name in sorted(names)
    )
    made = levels.passes_page(page)
    assert re.findall(r"^### `-(.*)`$", made, re.MULTILINE) == names
    assert made.count("#### Options") == len(names), "what is below a pass gets a level deeper"
    assert [h for h in headings(made) if h.startswith("## ")][:1] == ["## Graph"]
    for wrong in (page + "## `-mxfp4-of-no-level`\n", page.replace("`-mxfp4-tile`", "`-mxfp4-x`")):
        with pytest.raises(SystemExit, match="must be in one level, and on the page"):
            levels.passes_page(wrong)


def test_operations_are_in_the_order_of_their_files() -> None:
    names = [name for level in levels.dialect() for name in level.names]
    assert len(names) == len(set(names)) > 50
    page = (ROOT / "docs/Dialect.md").read_text()
    assert re.findall(r"^### `mxfp4\.(\w+)`", page, re.MULTILINE) == names
    assert names.index("grouped_matmul") < names.index("k_loop") < names.index("wgmma")


def test_cells_of_measurements() -> None:
    row = {"register": {"median": 50.04}, "triton": {"error": "WRONG"}, "read": {"median": 512.3}}
    cells = [measured.cell(row, c) for c in ("register", "triton", "read", "bf16")]
    assert cells == ["50.0", "failed", "512", "-"]
    assert measured.quotient(row, "read", "register") == "10.24"
    assert measured.quotient(row, "triton", "register") == "-", "a case that failed"
    failed = [r for r in measured.MATMUL["rows"] if "error" in r.get("triton", {})]
    assert measurements.matmul_all("").count("failed") == len(failed) > 0


def test_pages_have_their_tables() -> None:
    marks = {
        mark
        for name in measurements.PAGES
        for mark in measurements.MARK.findall((ROOT / name).read_text())
    }
    assert marks == set(measurements.TABLES)
    with pytest.raises(SystemExit, match="no table is named x"):
        measurements.page("a page", "<!-- measured: x -->\n<!-- end -->\n")
    page = "a\n<!-- measured: skew -->\nold\n<!-- end -->\nb\n"
    made = measurements.page("a page", page)
    assert "old" not in made
    assert measurements.page("a page", made) == made


def test_text_and_table_name_the_same_device() -> None:
    """A section that names a device names the one that its table was measured on."""
    seen = 0
    for name in measurements.PAGES:
        page = (ROOT / name).read_text()
        for found in measurements.MARK.finditer(page):
            section = page[page.rfind("\n#", 0, found.start()) : found.start()]
            named = set(re.findall(r"\bH\d+\b", section))
            measured_on = set(re.findall(r"^\*NVIDIA (H\d+)", found.group(), re.MULTILINE))
            seen += bool(named and measured_on)
            assert not named or measured_on <= named, (name, found.group(1), named)
    assert seen > 15


def test_a_result_that_is_no_number_is_told() -> None:
    row = {"us": {"marlin": 60.0, "humming": 512.3}, "errors": {"marlin": None, "humming": 0.1}}
    cells = [measured_layers.peer(row, name) for name in ("marlin", "humming", "triton tuned")]
    assert cells == ["60.0 (NaN)", "512", "-"]
    assert measured_layers.below("a table with NaN", "source") != "a table with NaN\n\nsource"
    assert measured_layers.below("a table", "source") == "a table\n\nsource"


def test_sentences_have_the_figures_of_measurements() -> None:
    """Each page as it would be written; and a sentence, with other figures, is written anew."""
    every = claims.claims()
    assert len(every) >= 35
    for claim in every:
        page = (ROOT / claim.page).read_text()
        assert claims.said(claim, page) == page, claim.text
    claim = figures.Claim("a page", "is # times as fast, and\n# of x", ["1.5", "2 to 3"])
    assert claims.said(claim, "it is 7 to\n8 times as  fast, and 9 of x.") == (
        "it is 1.5 times as  fast, and 2 to 3 of x."
    )
    kept = "it is 1.5 times as fast, and 2\n  to 3 of x."
    assert claims.said(claim, kept) == kept, "lines stay as they are"
    for wrong in ("it is quick", kept + kept):
        with pytest.raises(SystemExit, match=r"a page says [02] times, and should say once"):
            claims.said(claim, wrong)


def test_spans_of_what_was_measured() -> None:
    assert figures.span([1.234, None, 1.251]) == "1.23 to 1.25"
    assert figures.span([1.431, 1.434]) == "1.43"
    rows = [{"a": {"median": 30.0}, "register": {"median": 20.0}}, {"a": {"error": "WRONG"}}]
    assert figures.spans(rows, "a") == "1.50"
    layer = [{"us": {"marlin": 30.0, "humming": 20.0, "transformers": 9.0, "ours": 10.0}}]
    assert figures.gains(layer) == "2.00"
    assert figures.gains(layer, "transformers") == "0.90"


def test_decisions_have_a_date_an_alternative_and_a_cost() -> None:
    """Each entry of RATIONALE.md, as its first lines promise."""
    text = (ROOT / "RATIONALE.md").read_text().split("\n## Dependencies")[0]
    entries = [entry.split("\n## ")[0] for entry in re.split(r"^### ", text, flags=re.MULTILINE)]
    assert len(entries) > 60
    wanted = {
        "a date": r"\*20\d\d-\d\d-\d\d\.\*",
        "an alternative": r"alternative|expect|instead of|other projects|would",
        "a cost": r"\*\*cost\*\*|\bcosts?\b",
    }
    missing = {
        entry.splitlines()[0]: what
        for entry in entries[1:]
        for what, pattern in wanted.items()
        if not re.search(pattern, entry, re.IGNORECASE)
    }
    assert not missing
