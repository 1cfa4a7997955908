# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The device that a kernel is chosen for: asked of a driver, named by a user, kept apart."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import FakeDriver, artifact, manifest
from helpers import bits
from kernels import Case, needs_both
from mxfp4 import Artifact, Error, Problem, devices, kernels, library, simulate
from mxfp4.bench.models import MODELS
from mxfp4.cache import Cache
from mxfp4.cli import main
from mxfp4.compile import Compiler, compile_artifact
from mxfp4.devices import Facts
from mxfp4.layout import FP8

H100 = Facts("NVIDIA H100 80GB HBM3", 132, 1980, 3352, 50)
H200 = Facts("NVIDIA H200", 132, 1980, 4917, 60)
H20 = Facts("NVIDIA H20", 78, 1980, 4023, 60)
SHAPE = Problem(3, 70, 96)
WORDS_OF_BOTH = ("h100-sxm", "h200")
WORDS = {"h100-sxm": (132, 3350), "h200": (132, 4800), "h20": (78, 4000)}


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_loaded", {})
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.delenv("MXFP4_KERNELS", raising=False)


def machine(monkeypatch: pytest.MonkeyPatch, *gpus: Facts) -> None:
    """A machine with these GPUs."""
    monkeypatch.setattr(
        devices, "facts_of", lambda ordinal=None: dict(enumerate(gpus)).get(ordinal or 0)
    )


def chosen_for(words: str, rows: tuple[int, int] = (0, 64)) -> str:
    """The manifest of a kernel that was chosen for a device."""
    count, bandwidth = WORDS[words]
    device = {"name": words, "multiprocessors": count, "bandwidth": bandwidth}
    return json.dumps({**json.loads(manifest(problem__rows_hint=list(rows))), "device": device})


def test_what_a_driver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = SimpleNamespace(
        clock=1980000, memory_clock=3201000, memory_bus_bits=6144, l2_bytes=60 << 20
    )
    known = [SimpleNamespace(name=b"NVIDIA H200", multiprocessors=132)]
    driver: Any = SimpleNamespace(devices=lambda: known, speed=lambda ordinal: speed)
    monkeypatch.setattr(devices, "load_driver", lambda: driver)
    devices.facts_of.cache_clear()
    try:
        assert devices.facts_of() == replace(H200, bandwidth=4916)
        assert devices.facts_of(0) == devices.facts_of()
        assert devices.facts_of(1) is None

        def fail(_: object = None) -> None:
            raise Error("the driver is too old.")

        # A driver that does not know how fast a GPU is, and none at all.
        devices.facts_of.cache_clear()
        driver.speed = fail
        assert devices.facts_of() == Facts("NVIDIA H200", 132)
        devices.facts_of.cache_clear()
        monkeypatch.setattr(devices, "load_driver", fail)
        assert devices.facts_of() is None
        assert devices.option_for() == ""
    finally:
        devices.facts_of.cache_clear()


def test_facts_are_alike_within_what_data_sheets_round() -> None:
    for facts, alike in ((H100, "h100-sxm"), (H200, "h200"), (H20, "h20")):
        for words in WORDS:
            device = Artifact(artifact(chosen_for(words)).manifest, artifact().ptx).manifest.device
            assert facts.is_like(device) == (words == alike), (facts, words)
    unknown = Facts("A GPU", 132)
    assert unknown.is_like({"multiprocessors": 132, "bandwidth": 4800})
    assert not unknown.is_like({"multiprocessors": 78, "bandwidth": 4800})
    assert H20.is_like({}), "an older manifest says nothing"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "h200\n"}, "must be a device in words"),
        ({"name": "../h200"}, "must be a device in words"),
        ({"name": ""}, "must be a device in words"),
        ({"multiprocessors": 0}, "device.multiprocessors"),
        ({"bandwidth": "fast"}, "device.bandwidth"),
    ],
)
def test_wrong_devices_in_manifests(changes: dict[str, Any], says: str) -> None:
    raw = json.loads(chosen_for("h200"))
    raw["device"].update(changes)
    with pytest.raises(Error, match=says):
        artifact(json.dumps(raw))


@needs_both
def test_the_compiler_knows_devices() -> None:
    assert [H100.words(), H200.words(), H20.words()] == list(WORDS)
    named = {device["name"]: device for device in devices.known()}
    assert {name: (named[name]["multiprocessors"], named[name]["bandwidth"])
            for name in WORDS} == WORDS  # fmt: skip
    assert devices.option("h100-sxm") == devices.option("") == ""
    assert devices.option("h200") == "device=h200"


def begin_of_reason(compiler: Compiler, mlir: str, rows: int, device: str) -> tuple[str, str]:
    """How the reason of a choice begins, and the schedule."""
    module = compiler.parse(mlir)
    module.run(f"builtin.module(mxfp4-choose-schedule{{rows-hint={rows} device={device}}})")
    (reason,) = re.findall(r'schedule_reason = "([^"]*)"', str(module))
    (schedule,) = re.findall(r"#mxfp4.schedule<[^>]*>", str(module))
    return reason.split(":")[0], schedule


def table_of_the_page(number: int) -> str:
    """What an H200 has other schedules for: of bf16, and of FP8."""
    page = (Path(__file__).resolve().parents[2] / "docs/Devices.md").read_text()
    return page.split("| `schedule_reason` begins with |")[1 + number].split("\n\n")[0]


@needs_both
@pytest.mark.parametrize("is_fp8", [False, True], ids=["bf16", "FP8"])
def test_the_page_has_each_choice_that_is_another_with_more_bandwidth(is_fp8: bool) -> None:
    said = set(re.findall(r"^\| (\w[^|]*?) \|", table_of_the_page(is_fp8), re.M))
    shapes = [p for model in MODELS.values() for p in model.problems().values()]
    shapes += [Problem(128, 5760, 256), Problem(256, 4096, 384)]
    if is_fp8:
        shapes += [Problem(128, 2816, 352)]
        shapes = [replace(p, layout=FP8, accumulation="promoted512") for p in shapes]
    found = set()
    with Compiler() as compiler:
        for shape in shapes:
            mlir = compiler.mlir(shape)
            for mean in (0.1, 0.3, 2, 8, 13, 17, 30, 57):
                rows = max(1, round(mean * shape.experts))
                (_, old), (why, new) = (
                    begin_of_reason(compiler, mlir, rows, device) for device in WORDS_OF_BOTH
                )
                if old != new:
                    found.add(why)
    assert found == said


@needs_both
def test_the_page_says_which_k_has_few_steps() -> None:
    fewest, ten, dozen = re.findall(r"\| [^|]* few steps of K \|.*", table_of_the_page(0))
    (first_of_two, last_of_two) = map(int, re.findall(r"K of (\d+) to (\d+)", fewest)[0])
    (low, most, most_of_five) = map(int, re.findall(r"K of (\d+) to (\d+).* K up to (\d+)", ten)[0])
    (least, most_of_dozen) = map(int, re.findall(r"K of (\d+) to (\d+)", dozen)[0])
    ends = {1: (first_of_two, last_of_two), 2: (low, most), 4: (low, most), 5: (low, most_of_five),
            8: (low, most_of_five), 20: (least, most_of_dozen),
            40: (least, most_of_dozen)}  # fmt: skip
    with Compiler() as compiler:
        for mean, (first, last) in ends.items():
            for k, few in ((first - 32, False), (first, True), (last, True), (last + 32, False)):
                mlir = compiler.mlir(Problem(256, 4096, k))
                reason, _ = begin_of_reason(compiler, mlir, 256 * mean, "h200")
                assert ("few steps of K" in reason) == few, (mean, k, reason)


@needs_both
def test_native_is_this_machines_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, H200)
    assert devices.option(devices.NATIVE) == "device=h200"
    machine(monkeypatch)
    with pytest.raises(Error, match=r"--device native asks .* there is none .* name the device"):
        devices.option(devices.NATIVE)


@needs_both
def test_kernels_of_two_devices_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXFP4_CACHE", str(tmp_path / "cache"))
    problem = Problem(2, 64, 512)
    found = {}
    for words in ("", "device=h20", "device=h20,power=500"):
        found[words] = compile_artifact(problem, f"rows-hint=8 assemble=false {words}".strip())
    assert [a.manifest.device["name"] for a in found.values()] == [
        "h100-sxm",
        "h20",
        "multiprocessors=78,clock=1980,tensor-ops=1024,bandwidth=4000,l2=60,power=500",
    ]
    assert len(Cache(tmp_path / "cache", 10**9).entries()) == 3, "a key for each device"
    folders = [
        folder.name
        for words in ("", "h20", "h20,power=500")
        for folder in kernels.compile_ranges(problem, tmp_path / "k", 2, 2, device=words)
    ]
    suffixes = ("", "-h20", "-78-1980-1024-4000-60-500")
    assert folders == [f"e2-n64-k512-spread-folded-bf16{suffix}-r0" for suffix in suffixes]


@needs_both
def test_mistakes_in_devices_are_explained() -> None:
    with Compiler() as compiler:
        mlir = compiler.mlir(Problem(2, 64, 512))
        with pytest.raises(Error, match=r"knows no device 'h300'; did you mean 'h200'\?"):
            compiler.compile(mlir, "device=h300")
        with pytest.raises(Error, match=r"knows no fact of a device 'sms'; the facts are"):
            compiler.compile(mlir, "device=h200,sms=3")


@needs_both
def test_a_kernel_for_another_device_is_right() -> None:
    problem = Problem(3, 128, 576)
    case = Case(problem, (3, 0, 9))
    with Compiler() as compiler:
        for words in ("h20", "h200", "multiprocessors=1,tensor-ops=64"):
            made = compiler.compile(compiler.mlir(problem), f"rows-hint=12 device={words}")
            run = simulate(made, case.activations(), case.weights(), case.offsets())
            assert not run.findings
            assert np.array_equal(bits(run.y), bits(case.expected()))


def shelf(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> None:
    for words in names:
        artifact(chosen_for(words)).save(folder / words)
    monkeypatch.setenv("MXFP4_KERNELS", str(folder))


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that a compiler got."""
    options: list[str] = []

    def compile_artifact(problem: Problem, text: str) -> Artifact:
        options.append(text)
        return artifact(chosen_for("h200"))

    monkeypatch.setattr("mxfp4.runtime.load_driver", FakeDriver)
    monkeypatch.setattr(library, "find", lambda: Path("libmxfp4.so"))
    monkeypatch.setattr(kernels, "compile_artifact", compile_artifact)
    monkeypatch.setattr(Facts, "words", lambda self: "h200" if self == H200 else "h100-sxm")
    return options


def test_calls_take_the_kernel_of_their_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[str]
) -> None:
    machine(monkeypatch, H200, H20)
    shelf(monkeypatch, tmp_path, "h100-sxm", "h20", "h200")
    for device, words in ((0, "h200"), (1, "h20")):
        assert kernels.kernel_for(SHAPE, 8, device).manifest.device["name"] == words
    assert compiled == []


def test_the_compiler_makes_the_kernel_of_this_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[str]
) -> None:
    machine(monkeypatch, H200)
    shelf(monkeypatch, tmp_path, "h100-sxm")
    kernels.kernel_for(SHAPE, 8, 0)
    machine(monkeypatch, H100)
    monkeypatch.setattr(kernels, "_loaded", {})
    kernels.kernel_for(SHAPE, 8, 0)
    kernels.kernel_for(SHAPE, 65, 0)
    assert compiled == ["rows-hint=8 device=h200", "rows-hint=65"]


def test_without_a_compiler_a_kernel_for_another_gpu_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxfp4.runtime.load_driver", FakeDriver)
    monkeypatch.setattr(library, "find", lambda: None)
    machine(monkeypatch, H20)
    shelf(monkeypatch, tmp_path, "h100-sxm", "h200")
    kernel = kernels.kernel_for(SHAPE, 8, 0)
    assert kernel.manifest.device["name"] in ("h100-sxm", "h200")
    artifact(chosen_for("h20", (65, 1000))).save(tmp_path / "h20")
    monkeypatch.setattr(kernels, "_shelf", None)
    monkeypatch.setattr(kernels, "_loaded", {})
    # Rows count before the device.
    assert kernels.kernel_for(SHAPE, 8, 0).manifest.device["name"] != "h20"
    assert kernels.kernel_for(SHAPE, 65, 0).manifest.device["name"] == "h20"


def test_doctor_says_which_kernels_are_for_another_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf(monkeypatch, tmp_path, "h100-sxm", "h20", "h200")
    machine(monkeypatch, H200)
    main(["doctor"])
    said = capsys.readouterr().out
    assert "3 compiled ahead of time" in said
    assert "2 of them were chosen for h100-sxm, h20, and GPU 0 is another: they run there" in said
    machine(monkeypatch)
    main(["doctor"])
    assert "chosen for" not in capsys.readouterr().out
