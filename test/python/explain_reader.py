# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages of ``mxfp4 explain`` open in a real browser.

Needs Debian's ``chromium`` and ``chromium-driver``, which tools/setup installs. Screenshots are
left in ``build/explain``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mxfp4 import Compiler, library
from mxfp4.explain import explain

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

REQUIRED = os.environ.get("MXFP4_REQUIRE_LIBRARY") == "1"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not REQUIRED and (library.find() is None or not CHROMIUM or not DRIVER):
    pytest.skip("libmxfp4.so, chromium or chromedriver was not found", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build" / "explain"
LAYER = ROOT / "examples" / "moe-layer" / "layer.mlir"
LAYER_PIPELINE = "mxfp4-raise,mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"


class Reader:
    """A browser with a page open."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, scheme: str = "light") -> None:
        """Load a page, light or dark, and wait until it is drawn."""
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.get("about:blank")
        self.driver.get(page.as_uri())
        WebDriverWait(self.driver, 20).until(
            lambda d: self.js("return document.body.dataset.ready")
        )

    def js(self, script: str, *arguments: object) -> object:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> list:
        """Elements."""
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str) -> None:
        """The only element."""
        [element] = self.find(selector)
        element.click()

    def go(self, section: str) -> None:
        """To a section, by its link."""
        self.click(f'#side a[href="#{section}"]')
        WebDriverWait(self.driver, 10).until(
            lambda d: self.js("return document.body.dataset.section") == section
        )

    def press(self, key: str) -> None:
        """A key."""
        ActionChains(self.driver).send_keys(key).perform()

    def text(self, selector: str = "#main") -> str:
        """Of the first element, as a reader sees it."""
        return str(self.js("return document.querySelector(arguments[0]).innerText", selector))

    def texts(self, selector: str) -> list[str]:
        """Of every element at once: the page may be drawn anew between two questions."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
        return list(self.js(script, selector))

    def wait_for(self, selector: str, text: str) -> None:
        """A text in an element."""
        WebDriverWait(self.driver, 10).until(lambda d: text in self.text(selector))

    def errors(self) -> list[str]:
        """What the browser has logged."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def shoot(self, name: str) -> bytes:
        """A screenshot."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        file = SHOTS / f"{name}.png"
        assert self.driver.save_screenshot(str(file))
        return file.read_bytes()


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """One for all tests of a file."""
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
