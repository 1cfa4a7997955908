# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensor maps: what the driver is asked for, and how often."""

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest
from mxfp4.artifact import Argument, _arguments
from mxfp4.errors import Error
from mxfp4.tensor_map import _KEPT, TensorMaps


class _Encoded:
    def __init__(self, number: int) -> None:
        self.bytes = (ctypes.c_uint8 * 128)(*[number] * 128)

    def getPtr(self) -> int:
        return ctypes.addressof(self.bytes)


def _maps(*boxes: tuple[int, int]) -> tuple[TensorMaps, list[tuple[Any, ...]]]:
    calls: list[tuple[Any, ...]] = []

    def call(name: str, *arguments: Any) -> _Encoded:
        calls.append((name, *arguments))
        return _Encoded(len(calls))

    driver = SimpleNamespace(
        cuuint32_t=int,
        cuuint64_t=int,
        CUtensorMapDataType=SimpleNamespace(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16="bf16"),
        CUtensorMapInterleave=SimpleNamespace(CU_TENSOR_MAP_INTERLEAVE_NONE="none"),
        CUtensorMapSwizzle=SimpleNamespace(CU_TENSOR_MAP_SWIZZLE_128B="128B"),
        CUtensorMapL2promotion=SimpleNamespace(CU_TENSOR_MAP_L2_PROMOTION_L2_256B="256B"),
        CUtensorMapFloatOOBfill=SimpleNamespace(CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE="zeros"),
    )
    argument = Argument("x", "tensor_maps", "bf16", 16, boxes or ((64, 160),))
    return TensorMaps(driver, call, argument, k=2880), calls


def test_it_describes_rows_of_k_bf16_in_swizzled_boxes() -> None:
    maps, calls = _maps()
    maps.address(0x7000, 33)
    assert calls == [
        (
            "cuTensorMapEncodeTiled", "bf16", 2, 0x7000, [2880, 33], [5760], [64, 160], [1, 1],
            "none", "128B", "256B", "zeros",
        )
    ]  # fmt: skip


def test_the_maps_of_all_boxes_lie_one_behind_the_other() -> None:
    maps, calls = _maps((64, 8), (64, 16), (64, 24))
    assert [c[6] for c in calls] == []
    address = maps.address(0x7000, 33)
    assert [c[6] for c in calls] == [[64, 8], [64, 16], [64, 24]]
    assert ctypes.string_at(address, 384) == bytes([1] * 128 + [2] * 128 + [3] * 128)


def test_a_buffer_seen_before_costs_no_driver_call() -> None:
    maps, calls = _maps()
    first = maps.address(0x7000, 33)
    assert maps.address(0x7000, 33) == first
    assert maps.address(0x7000, 34) != first
    assert len(calls) == 2


def test_the_number_of_kept_maps_is_bounded() -> None:
    maps, calls = _maps()
    for rows in range(1, 2 * _KEPT):
        maps.address(0x7000, rows)
    assert len(maps._kept) == _KEPT
    maps.address(0x7000, 1)
    assert len(calls) == 2 * _KEPT


def _manifest(**change: Any) -> dict[str, Any]:
    x = {"name": "x", "kind": "tensor_maps", "dtype": "bf16", "align": 16}
    x["boxes"] = [[64, 80], [64, 160]]
    x.update(change)
    others = [
        {"name": name, "kind": "pointer", "dtype": dtype, "align": 4}
        for name, dtype in (
            ("weights", "u8"), ("offsets", "i32"), ("y", "bf16"), ("error", "i32"),
        )
    ]  # fmt: skip
    problem = {"experts": 3, "groups": 3, "n": 70, "k": 96, "output": "bf16"}
    return {"problem": problem, "arguments": [x, *others, {"name": "rows", "kind": "i32"}]}


def test_the_manifest_names_the_boxes() -> None:
    x = _arguments(_manifest())[0]
    assert (x.boxes, x.size) == (((64, 80), (64, 160)), 256)


@pytest.mark.parametrize("box", [[64], [64, 0], [64, 257], ["64", 160], 64])
def test_a_box_that_is_none_is_refused(box: Any) -> None:
    with pytest.raises(Error, match="box"):
        _arguments(_manifest(boxes=[[64, 80], box]))


def test_there_is_at_least_one_box() -> None:
    with pytest.raises(Error, match="box"):
        _arguments(_manifest(boxes=[]))


def test_only_activations_can_be_a_tensor_map() -> None:
    raw = _manifest()
    raw["arguments"][1]["kind"] = "tensor_maps"
    with pytest.raises(Error, match=r"weights.*wrong kind"):
        _arguments(raw)
