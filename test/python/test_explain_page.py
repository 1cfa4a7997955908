# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page of ``mxfp4 explain`` in a real browser, as a reader uses it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from explain_reader import Reader, pages, reader
from mxfp4 import Layout
from mxfp4.layout import pack_expert
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

__all__ = ["pages", "reader"]  # fixtures
pytestmark = pytest.mark.slow  # test_explain.py has the data of pages


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("wgmma", "light"), ("wgmma", "dark"), ("mma", "light"), ("layer", "light")],
)
def test_every_section_is_reached_and_drawn(
    reader: Reader, pages: dict[str, Path], name: str, scheme: str
) -> None:
    reader.open(pages[name], scheme)
    links = [link.get_attribute("href").split("#")[1] for link in reader.find("#side li a")]
    expected = ["overview", "schedule", "layout", "decode", "passes", "ptx", "numbers"]
    assert links == expected + (["simulation"] if name == "mma" else []) + ["glossary"]
    for section in links:
        reader.go(section)
        assert reader.text("#main h1")
        assert not re.search(r"\[object|undefined|NaN|null", reader.text())
        # Fits a laptop: only listings and tables scroll sideways, in boxes of their own.
        assert reader.js("return document.documentElement.scrollWidth <= innerWidth")
        boxes = reader.js(
            "return [...document.querySelectorAll('#main svg')].map(s => {"
            " const b = s.getBoundingClientRect(); return [b.width, b.height,"
            " s.querySelectorAll('rect, a').length]; })"
        )
        assert all(min(box) > 0 for box in boxes)
        assert bool(boxes) == (section in ("overview", "schedule", "layout", "decode"))
        assert len(reader.shoot(f"{name}-{scheme}-{section}")) > 8000
    assert reader.errors() == []


def test_light_and_dark_differ_and_can_be_turned(reader: Reader, pages: dict[str, Path]) -> None:
    def paper() -> str:
        return str(reader.js("return getComputedStyle(document.body).backgroundColor"))

    reader.open(pages["mma"], "light")
    light = paper()
    reader.open(pages["mma"], "dark")
    dark = paper()
    assert light != dark
    reader.click("#side .foot button")
    assert paper() == light
    reader.click("#side .foot button")
    assert paper() == dark


@pytest.mark.parametrize(("name", "order"), [("wgmma", "spread"), ("mma", "nibble")])
def test_an_element_is_where_the_independent_packer_puts_it(
    reader: Reader, pages: dict[str, Path], name: str, order: str
) -> None:
    reader.open(pages[name])
    reader.go("layout")
    assert len(reader.find("#grid rect.cell")) == 64 * 64
    row, k = 45, 39
    codes, scales = np.zeros((64, 2, 16), np.uint8), np.full((64, 2), 127, np.uint8)
    codes[row, k // 32, k % 32 // 2] = 15 << 4 * (k % 2)
    scales[row, k // 32] = 99
    packed = pack_expert(codes, scales, Layout(order, "raw")).reshape(-1)
    word = int(np.flatnonzero(packed[:2048])[0]) // 4 * 4
    value = int.from_bytes(packed[word : word + 4].tobytes(), "little")
    bits = [bit for bit in range(32) if value >> bit & 1]
    [scale] = np.flatnonzero(packed == 99)

    [cell] = reader.find(f'#grid [data-cell="{64 * row + k}"]')
    ActionChains(reader.driver).move_to_element(cell).perform()
    said = reader.text("#details")
    assert f"weight row (N) {row}, k {k}" in said
    assert f"thread {word // 16} (warp {word // 512}, lane {word // 16 % 32})" in said
    assert f"bytes {word} to {word + 3}: word {word // 4 % 4} of the thread" in said
    [listed] = re.findall(r"bits ([\d, ]+) \(s, e, e, m\)", said)
    assert sorted(map(int, listed.split(", "))) == bits
    assert f"byte {scale}" in said
    # All that the thread holds, and the strip has the code's four bits marked.
    assert len(reader.find("#grid .mine")) == 32
    assert len(reader.find("#details .now")) == 4

    reader.press(Keys.ARROW_DOWN)
    assert f"weight row (N) {row + 1}, k {k}" in reader.text("#details")
    reader.press(Keys.ARROW_LEFT)
    assert f"weight row (N) {row + 1}, k {k - 1}" in reader.text("#details")


def test_fragments_and_colours(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["mma"])
    reader.go("layout")
    tabs = reader.texts(".bar > .group button")
    assert tabs[1:] == ["A: decoded weights", "B: activations", "Accumulator"]
    for tab, cells, first in ((1, 256, "lane 0"), (2, 128, "lane 4"), (3, 128, "lane 0")):
        reader.find(".bar > .group button")[tab].click()
        assert len(reader.find("#grid rect.cell")) == cells
        assert first in reader.text("#details")
    # The worked example of mma.m16n8k16: thread 0 holds (0,0) (0,1) (8,0) (8,1) of C.
    mine = [int(cell.get_attribute("data-cell")) for cell in reader.find("#grid .mine")]
    assert mine == [0, 1, 64, 65]
    # Drawing makes the buttons anew.
    for number, (name, colours) in enumerate({"thread": 32, "warp": 1, "register": 4}.items()):
        button = reader.find(".bar label .group button")[number]
        assert button.text == name
        button.click()
        fills = reader.js(
            "return new Set([...document.querySelectorAll('#grid rect.cell')].map("
            "c => c.style.fill)).size"
        )
        assert fills == colours


def test_slices_of_k_share_a_place_and_memory_is_told_apart(
    reader: Reader, pages: dict[str, Path]
) -> None:
    reader.open(pages["few"])
    reader.go("schedule")
    tile = "#main svg[aria-label='the tile, by warp'] text.tag"
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
    assert reader.js(script, tile) == ["0, 4, 8", "1, 5, 9", "2, 6, 10", "3, 7, 11"]
    assert "32 tokens, one of 3 slices of K" in reader.text()
    legend = reader.texts("#main .legend span")
    assert legend == ["activations", "decoded blocks", "packed weights", "sums of a K slice",
                      "table of tiles", "static"]  # fmt: skip
    reader.open(pages["wgmma"])
    reader.go("schedule")
    assert "a multiple of 16, as many as a tile has" in reader.text()
    assert "decoded blocks" not in reader.texts("#main .legend span")


def test_words_are_explained(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["wgmma"])
    reader.go("layout")
    words = reader.texts("#main a.term")
    assert words == ["blocks", "spread", "folded"]
    title = reader.find("#main a.term")[2].get_attribute("title")
    assert title.startswith("Scale bytes are stored with 126 added")
    reader.find("#main a.term")[2].click()
    reader.wait_for("#main h1", "Glossary")
    assert title in reader.text()
    explained = set(reader.texts("dl.glossary dt"))
    assert explained >= {
        "spread",
        "nibble",
        "folded",
        "raw",
        "slot",
        "block",
        "K slice",
        "producer",
    }
    reader.open(pages["mma"])
    reader.go("layout")
    assert reader.texts("#main a.term")[1:] == ["nibble", "raw"]
    reader.go("decode")
    assert reader.texts("#main a.term") == ["slot"]


def test_simulation_shows_what_it_is_given(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["mma"])
    reader.go("simulation")
    assert "warp instructions\n1,234" in reader.text()
    # The most frequent first.
    assert re.search(r"by opcode\nmul\n9\nadd\n3\n", reader.text())


def test_narrow_windows(reader: Reader, pages: dict[str, Path]) -> None:
    before = reader.driver.get_window_size()
    try:
        reader.driver.set_window_size(700, 900)
        reader.open(pages["mma"])
        for section in ("overview", "layout", "passes"):
            reader.go(section)
            assert reader.js("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        reader.driver.set_window_size(before["width"], before["height"])
