# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the page of ``mxfp4 explain`` shows of passes, code and registers, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from explain_reader import Reader, pages, reader
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["pages", "reader"]  # fixtures
pytestmark = pytest.mark.slow  # test_explain.py has the data of pages


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
