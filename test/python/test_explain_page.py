# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page of ``mxfp4 explain`` in a real browser, as a reader uses it.

Needs Debian's ``chromium`` and ``chromium-driver``, which tools/setup installs. Screenshots are
left in ``build/explain``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mxfp4 import Compiler, Layout, library
from mxfp4.explain import explain
from mxfp4.layout import pack_expert

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

REQUIRED = os.environ.get("MXFP4_REQUIRE_LIBRARY") == "1"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not REQUIRED and (library.find() is None or not CHROMIUM or not DRIVER):
    pytest.skip("libmxfp4.so, chromium or chromedriver was not found", allow_module_level=True)

pytestmark = pytest.mark.slow  # test_explain.py has the data of pages
ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build" / "explain"
LAYER = ROOT / "examples" / "moe-layer" / "layer.mlir"
LAYER_PIPELINE = "mxfp4-raise,mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"


class Reader:
    """A browser with a page open."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, scheme: str = "light") -> None:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.get("about:blank")
        self.driver.get(page.as_uri())
        WebDriverWait(self.driver, 20).until(
            lambda d: self.js("return document.body.dataset.ready")
        )

    def js(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> list:
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str) -> None:
        [element] = self.find(selector)
        element.click()

    def go(self, section: str) -> None:
        self.click(f'#side a[href="#{section}"]')
        WebDriverWait(self.driver, 10).until(
            lambda d: self.js("return document.body.dataset.section") == section
        )

    def press(self, key: str) -> None:
        ActionChains(self.driver).send_keys(key).perform()

    def text(self, selector: str = "#main") -> str:
        return str(self.js("return document.querySelector(arguments[0]).innerText", selector))

    def texts(self, selector: str) -> list[str]:
        """Of every element at once: the page may be drawn anew between two questions."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
        return list(self.js(script, selector))

    def wait_for(self, selector: str, text: str) -> None:
        WebDriverWait(self.driver, 10).until(lambda d: text in self.text(selector))

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def shoot(self, name: str) -> bytes:
        SHOTS.mkdir(parents=True, exist_ok=True)
        file = SHOTS / f"{name}.png"
        assert self.driver.save_screenshot(str(file))
        return file.read_bytes()


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # A sandbox of its own needs rights that root in a container lacks.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.add_argument("--window-size=1280,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield Reader(driver)
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """wgmma and mma.sync, both code orders; slices of K; and a module with two kernels."""
    folder = tmp_path_factory.mktemp("pages")
    with Compiler() as compiler:
        wgmma = compiler.mlir("experts=32 n=5760 k=2880")
        mma = compiler.mlir("experts=4 groups=6 expert-ids=1 n=100 k=544 order=nibble scales=raw")
    counts = {"warp_instructions": 1234, "by_opcode": {"add": 3, "mul": 9, "mov": 1, "bra": 2}}
    made = {
        "wgmma": explain(wgmma, title="wgmma", options="instruction=wgmma rows-hint=4096"),
        "few": explain(wgmma, title="few", options="placement=shared rows-hint=64"),
        "mma": explain(mma, title="mma", options="instruction=mma_sync", simulation=counts),
        "layer": explain(LAYER.read_bytes(), title="layer", pipeline=LAYER_PIPELINE),
    }
    for name, page in made.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


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


def test_decode_follows_every_step(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["wgmma"])
    reader.go("decode")
    assert "14 instructions turn a word of eight codes" in reader.text()
    strips = set()
    for step in range(4):
        reader.find(".bar button")[step].click()
        rows = reader.js(
            "return [...document.querySelectorAll('table.decode tr')].map(r => r.textContent)"
        )
        assert len(rows) == 2 + 16  # and two splats, which the multiplications do
        strips.add(tuple(rows))
        assert [row[-1] for row in rows if "A register" in row] == ["0", "1", "2", "3"]
        # Each half of a register is one slot's weight, and no two halves are the same one.
        halves = re.findall(r"bf16 of slot (\d)", " ".join(rows))
        assert sorted(halves) == list("01234567")
    # k16 steps 0 and 1 share their scales, and 2 and 3 theirs.
    assert len(strips) == 2


def test_passes_by_click_key_and_bar(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["wgmma"])
    # After the passes that choose a schedule, copy operands, and lower what is around the matmul.
    [bar] = reader.find('#main svg a[href="#passes/4"]')
    ActionChains(reader.driver).move_to_element(bar).click().perform()
    reader.wait_for("#main h1", "5. mxfp4-tile")
    assert "Grouped matmuls to tiled kernels." in reader.text()
    assert reader.find("pre.code .add")
    assert reader.find("pre.code .cut")
    reader.press("j")
    reader.wait_for("#main h1", "6. ")
    for _ in range(6):
        reader.press("k")
    reader.wait_for("#main h1", "1. mxfp4-choose-schedule")
    [added] = reader.texts("pre.code .add")
    assert "schedule = #mxfp4.schedule<" in added

    names = reader.texts(".passes ol a")
    decode = next(i for i, name in enumerate(names) if "insert-decode" in name)
    reader.find(".passes ol a")[decode].click()
    reader.wait_for("#main h1", "mxfp4-insert-decode")
    assert any("mxfp4.decode" in line for line in reader.texts("pre.code .add"))
    assert any("mxfp4.tile_matmul" in line for line in reader.texts("pre.code .cut"))
    # What is folded opens, a piece at a time, to all of the module.
    for _ in range(20):
        if not reader.find("pre.code .more"):
            break
        reader.find("pre.code .more")[0].click()
    shown = len(reader.find("pre.code div:not(.cut)"))
    total = int(re.search(r"([\d,]+) lines after it", reader.text()).group(1).replace(",", ""))
    assert shown == total
    whole = reader.find(".bar .group button")[1]
    whole.click()
    assert not reader.find("pre.code .cut")
    assert reader.errors() == []


IN_VIEW = """
const added = document.querySelector("pre.code .add");
const marked = added.querySelector("mark") ?? added;
const pre = document.querySelector("pre.code").getBoundingClientRect();
return [...marked.getClientRects()].some((r) => r.width > 0 && r.left >= pre.left - 1 &&
    r.right <= pre.right + 1 && r.top >= 0 && r.bottom <= innerHeight);
"""


@pytest.mark.parametrize("width", [1280, 1000])
def test_what_a_pass_changed_is_in_view(reader: Reader, pages: dict[str, Path], width: int) -> None:
    """The schedule stands at the end of a long line, far to the right."""
    before = reader.driver.get_window_size()
    try:
        reader.driver.set_window_size(width, 900)
        reader.open(pages["wgmma"])
        reader.go("passes")
        reader.wait_for("#main h1", "1. mxfp4-choose-schedule")
        assert reader.js(IN_VIEW)
        [mark] = reader.texts("pre.code .add mark")
        assert "#mxfp4.schedule<" in mark
        assert "grouped_matmul" not in mark
        reader.find(".bar .group button")[1].click()  # the whole module
        assert reader.js(IN_VIEW)
        reader.find(".bar .group button")[0].click()
        # And of every other pass: its first difference.
        for number, name in enumerate(reader.texts(".passes ol a")):
            reader.js(f"location.hash = 'passes/{number}'")
            reader.wait_for("#main h1", f"{number + 1}. ")
            if "same" not in name and reader.find("pre.code .add"):
                first = "return document.querySelector('pre.code .add, pre.code .cut')"
                top = f"{first}.getBoundingClientRect().top < innerHeight"
                WebDriverWait(reader.driver, 5).until(lambda d, top=top: reader.js(top))
    finally:
        reader.driver.set_window_size(before["width"], before["height"])


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


def test_registers_at_launch_and_later_are_told_apart(
    reader: Reader, pages: dict[str, Path]
) -> None:
    reader.open(pages["wgmma"])
    card = next(text for text in reader.texts(".card") if "at launch" in text)
    launched = int(re.search(r"(\d+) registers", card).group(1))
    producer, consumer = map(int, re.search(r"then (\d+) in the producer, (\d+) in", card).groups())
    reader.go("numbers")
    said = reader.text()
    sentence = re.search(
        r"launched with (\d+) registers, ([\d,]+) for the (\d+) threads .* the (\d+) threads of "
        r"the producer keep (\d+) each, and the (\d+) of the consumers take (\d+) each, "
        r"([\d,]+) together",
        said,
    )
    found = [int(number.replace(",", "")) for number in sentence.groups()]
    threads, producers, consumers = found[2], found[3], found[5]
    assert [found[0], found[4], found[6]] == [launched, producer, consumer]
    assert threads == producers + consumers
    assert found[1] == launched * threads
    assert found[7] == producer * producers + consumer * consumers <= found[1]
    reader.go("schedule")
    assert f"a consumer thread; {launched} at launch, before warps hand them over" in reader.text()
    reader.open(pages["mma"])
    reader.go("numbers")
    assert "launched with" not in reader.text()


def test_uses_of_a_value_are_marked(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["mma"])
    reader.js("location.hash = 'passes/4'")
    WebDriverWait(reader.driver, 10).until(lambda d: reader.find("pre.code .va"))
    value = reader.find("pre.code .add .va")[0]
    name = value.text
    ActionChains(reader.driver).move_to_element(value).perform()
    marked = reader.texts("pre.code .va.same")
    assert len(marked) > 1
    assert set(marked) == {name}


def test_the_hot_loop_is_marked_and_reached(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["wgmma"])
    reader.go("ptx")
    hot = reader.texts("pre.code .hot")
    # Two batches of four, each of any of nine widths.
    assert sum("wgmma.mma_async" in line for line in hot) == 2 * 4 * 9
    assert "72" in reader.text(".meter")
    first = reader.find("#hot")[0]
    assert not reader.js("return arguments[0].getBoundingClientRect().top < innerHeight", first)
    reader.click(".bar button")
    WebDriverWait(reader.driver, 10).until(
        lambda d: reader.js("return arguments[0].getBoundingClientRect().top < innerHeight", first)
    )


def test_kernels_of_one_module_are_told_apart(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["layer"])
    assert "N = 128, K = 64" in reader.text()
    options = reader.find("#side select option")
    assert [option.text for option in options] == ["mxfp4_layer", "mxfp4_layer_0"]
    options[1].click()
    assert "N = 64, K = 64" in reader.text()
    assert reader.text("#main h1") == "mxfp4_layer_0"
    reader.go("ptx")
    assert any("mxfp4_layer_0(" in line for line in reader.texts("pre.code .co"))


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
