# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Describing activations to the copy engine."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .artifact import Argument

_KEPT = 64
"""Buffers whose maps are kept; models call with a handful of them."""

_BYTES = 128
"""Size of a map."""


class TensorMaps:
    """Encoded tensor maps of one kernel's activations, kept by address and number of rows.

    Encoding costs a driver call a map; a kernel that meets a buffer again does not pay for it.

    Args:
        driver: a module like ``cuda.bindings.driver``.
        call: calls one of its functions and checks the status.
        argument: the kernel's argument, of kind ``tensor_maps``.
        k: K, columns of the activations.
    """

    def __init__(self, driver: Any, call: Callable[..., Any], argument: Argument, k: int) -> None:
        self._driver, self._call, self._boxes, self._k = driver, call, argument.boxes, k
        self._kept: OrderedDict[tuple[int, int], ctypes.Array[ctypes.c_char]] = OrderedDict()

    def address(self, pointer: int, rows: int) -> int:
        """Host address of the maps of all boxes for bf16 ``[rows, K]`` at ``pointer``."""
        key = (pointer, rows)
        maps = self._kept.get(key)
        if maps is None:
            maps = ctypes.create_string_buffer(_BYTES * len(self._boxes))
            for i, box in enumerate(self._boxes):
                encoded = self._encode(pointer, rows, box)
                place = ctypes.addressof(maps) + i * _BYTES
                ctypes.memmove(place, int(encoded.getPtr()), _BYTES)
            self._kept[key] = maps
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return ctypes.addressof(maps)

    def _encode(self, pointer: int, rows: int, box: tuple[int, int]) -> Any:
        d = self._driver
        return self._call(
            "cuTensorMapEncodeTiled",
            d.CUtensorMapDataType.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
            2,
            pointer,
            [d.cuuint64_t(self._k), d.cuuint64_t(rows)],
            [d.cuuint64_t(2 * self._k)],
            [d.cuuint32_t(extent) for extent in box],
            [d.cuuint32_t(1), d.cuuint32_t(1)],
            d.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
            d.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_128B,
            d.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
            d.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
