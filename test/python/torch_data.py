# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A matmul in numpy and in torch, for tests of the operator."""

from __future__ import annotations

from typing import Any

import mxfp4
import numpy as np
import pytest
from helpers import exact_activations, random_weights, split
from mxfp4 import reference
from mxfp4.torch_op import from_numpy

E, N, K, R = 3, 70, 96, 11


class Data:
    """Weights, activations, offsets and ids, in numpy and in torch."""

    def __init__(self, rng: np.random.Generator, ids: list[int] | None = None) -> None:
        self.raw = random_weights(rng, E, N, K, 124, 128)
        self.weights = mxfp4.pack(*self.raw).to_device("cpu")
        self.x = exact_activations(rng, R, K)
        self.offsets = split(rng, R, E if ids is None else len(ids))
        self.ids = None if ids is None else np.array(ids, np.int32)
        self.tx, self.toffsets = from_numpy(self.x), from_numpy(self.offsets)
        self.tids = None if self.ids is None else from_numpy(self.ids)

    def truth(self, dtype: Any = mxfp4.formats.bfloat16) -> Any:
        """In numpy, of an element type."""
        return from_numpy(reference.grouped_matmul(self.x, self.raw, self.offsets, self.ids, dtype))

    def arguments(self) -> tuple[Any, ...]:
        """Of the operator."""
        return self.tx, self.weights.data, self.toffsets, self.tids

    def options(self) -> dict[str, Any]:
        """Of the operator, by name."""
        return {"n": N, "order": self.weights.layout.order, "scales": self.weights.layout.scales}


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    """Without ids."""
    return Data(rng)
