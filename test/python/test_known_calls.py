# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The launcher, called again: what it knows of a call, and what it checks anew."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from fakes import (
    ROW_SCALE,
    FakeDriver,
    artifact,
    function_manifest,
    manifest,
    packed,
    with_argument,
)
from mxfp4 import Error, Kernel, Layout, PackedWeights, Proof


@pytest.fixture
def driver() -> FakeDriver:
    function_manifest[0] = manifest()
    return FakeDriver()


class Device(NamedTuple):
    type: str
    index: int


class TorchLike:
    """What is read of a tensor of torch's."""

    def __init__(self, shape: tuple[int, ...], dtype: str, pointer: int, device: int = 0,
                 dense: bool = True) -> None:  # fmt: skip
        self.shape, self.dtype = shape, f"torch.{dtype}"
        self.device, self._pointer, self._dense = Device("cuda", device), pointer, dense

    def data_ptr(self) -> int:
        return self._pointer

    def is_contiguous(self) -> bool:
        return self._dense


def torch_like(base: int = 0x1000, **changes: Any) -> dict[str, Any]:
    data = TorchLike((3, 2, 2, 2176), "uint8", 2 * base)
    given = {
        "x": TorchLike((9, 96), "bfloat16", base),
        "weights": PackedWeights(data, 70, 96, Layout(), Proof(100, 120, False)),
        "offsets": TorchLike((4,), "int32", 3 * base),
        "out": TorchLike((9, 70), "bfloat16", 4 * base),
        "stream": 77,
    }
    return given | changes


def test_a_call_that_is_known_passes_what_is_new(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    kernel(**torch_like())
    assert len(kernel._known) == 1
    before = len(driver.calls)
    monkeypatch.setattr("mxfp4._call_checks.describe", lambda *_: pytest.fail("checked again"))
    given = torch_like(0x10000, stream=78)
    assert kernel(**given) is given["out"]
    first, second = driver.launches
    assert first["values"] == [0x1000, 0x2000, 0x3000, 0x4000, driver.ERROR, 9]
    assert second["values"] == [0x10000, 0x20000, 0x30000, 0x40000, driver.ERROR, 9]
    assert second["stream"] == 78
    assert len(kernel._known) == 1
    assert {c[0] for c in driver.calls[before:]} == {
        "cuCtxGetCurrent", "cuCtxPushCurrent", "cuLaunchKernelEx", "cuCtxPopCurrent"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x": TorchLike((9, 96), "float32", 0x1000)}, "x must be bf16, got f32"),
        ({"x": TorchLike((8, 96), "bfloat16", 0x1000)}, r"y must have shape \[8, 70\]"),
        ({"x": TorchLike((9, 96), "bfloat16", 0x1000, 1)}, "must be on one device"),
        ({"x": TorchLike((9, 96), "bfloat16", 0x1000, dense=False)}, "x must be dense"),
        ({"x": TorchLike((9, 96), "bfloat16", 0x1008)}, "x must be aligned to 16 bytes, got addr"),
        ({"x": TorchLike((9, 96), "bfloat16", 0)}, "x is null"),
        ({"out": TorchLike((9, 70), "float32", 0x4000)}, "y must be bf16, got f32"),
        ({"offsets": TorchLike((4,), "int64", 0x3000)}, "offsets must be i32"),
        ({"offsets": TorchLike((4,), "int32", 0x3002)}, "offsets must be aligned to 4 bytes"),
        ({"weights": packed(n=71)}, "the weights have 3, 71, 96"),
        ({"stream": "main"}, "stream must be an integer handle"),
        ({"bias": TorchLike((70,), "float32", 0x5000)}, "this kernel takes no bias"),
    ],
)
def test_a_call_that_was_right_once_is_checked_when_it_changes(
    driver: FakeDriver, changes: dict[str, Any], text: str
) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    kernel(**torch_like())
    with pytest.raises(Error, match=text):
        kernel(**torch_like(**changes))
    assert len(driver.launches) == 1
    kernel(**torch_like())
    assert len(driver.launches) == 2


def test_operands_of_a_known_call(driver: FakeDriver) -> None:
    text = with_argument({**ROW_SCALE, "nullable": True})
    function_manifest[0] = text
    kernel = Kernel.load(artifact(text), driver=driver)
    for pointer in (0x6000, 0x7000):
        kernel(**torch_like(row_scale=TorchLike((9,), "float32", pointer)))
        kernel(**torch_like())
    with pytest.raises(Error, match=r"row_scale must have shape \[9\], got \[8\]"):
        kernel(**torch_like(row_scale=TorchLike((8,), "float32", 0x6000)))
    assert [launch["values"][3] for launch in driver.launches] == [0x6000, 0, 0x7000, 0]
    assert len(kernel._known) == 2


def test_numbers_of_rows_of_a_known_call(driver: FakeDriver) -> None:
    raw = json.loads(with_argument({**ROW_SCALE, "name": "gather", "dtype": "i32"}))
    raw["arguments"][0]["shape"][0] = "x_rows"
    raw["arguments"].append({"name": "x_rows", "kind": "i32", "provider": "caller"})
    text = json.dumps(raw)
    function_manifest[0] = text
    kernel = Kernel.load(artifact(text), driver=driver)

    def call(rows: int, sources: int) -> None:
        kernel(**torch_like(
            x=TorchLike((sources, 96), "bfloat16", 0x1000),
            gather=TorchLike((rows,), "int32", 0x6000),
            out=TorchLike((rows, 70), "bfloat16", 0x4000),
        ))  # fmt: skip

    for _ in range(2):
        call(9, 4)
        call(9, 5)
        call(7, 5)
    assert [launch["values"][-2:] for launch in driver.launches] == 2 * [[9, 4], [9, 5], [7, 5]]
    assert len(kernel._known) == 3
    with pytest.raises(Error, match=r"y must have shape \[9, 70\], got \[7, 70\]"):
        kernel(**torch_like(x=TorchLike((4, 96), "bfloat16", 0x1000),
                            gather=TorchLike((9,), "int32", 0x6000),
                            out=TorchLike((7, 70), "bfloat16", 0x4000)))  # fmt: skip


def test_known_calls_and_weights_are_bounded(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    for rows in range(1, 4200):
        x = TorchLike((rows, 96), "bfloat16", 0x1000)
        kernel(**torch_like(x=x, out=TorchLike((rows, 70), "bfloat16", 0x4000)))
    assert len(kernel._known) <= 4096
    assert len(kernel._weights) <= 1, "weights that are gone are forgotten"
