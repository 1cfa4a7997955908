# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Describing activations to the copy engine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .artifact import Argument

_KEPT = 64
"""Encoded maps that are kept; models call with a handful of buffers."""


class TensorMaps:
    """Encoded tensor maps of one kernel's activations, kept by address and number of rows.

    Encoding costs a driver call; a kernel that meets the same buffer again does not pay for it.

    Args:
        driver: a module like ``cuda.bindings.driver``.
        call: calls one of its functions and checks the status.
        argument: the kernel's argument, of kind ``tensor_map``.
        k: K, columns of the activations.
    """

    def __init__(
        self, driver: Any, call: Callable[..., Any], argument: Argument, k: int
    ) -> None:
        assert argument.box is not None
        self._driver, self._call, self._box, self._k = driver, call, argument.box, k
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def address(self, pointer: int, rows: int) -> int:
        """Host address of the 128 bytes for bf16 ``[rows, K]`` at ``pointer``."""
        key = (pointer, rows)
        encoded = self._kept.get(key)
        if encoded is None:
            encoded = self._encode(pointer, rows)
            self._kept[key] = encoded
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return int(encoded.getPtr())

    def _encode(self, pointer: int, rows: int) -> Any:
        d = self._driver
        return self._call(
            "cuTensorMapEncodeTiled",
            d.CUtensorMapDataType.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
            2,
            pointer,
            [d.cuuint64_t(self._k), d.cuuint64_t(rows)],
            [d.cuuint64_t(2 * self._k)],
            [d.cuuint32_t(extent) for extent in self._box],
            [d.cuuint32_t(1), d.cuuint32_t(1)],
            d.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
            d.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_128B,
            d.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
            d.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
