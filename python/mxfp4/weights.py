# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packed weights: the bytes, the layout they are in, and what packing proved about them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, typed
from .errors import Error
from .formats import BLOCK, SCALE_NAN, Quantized, dequantize
from .layout import (
    FOLDED_MAX,
    FP8,
    RELATIVE_LEAST,
    RELATIVE_MOST,
    Layout,
    padding_is_neutral,
    unpack_expert,
    unpack_scales,
)
from .layout_bytes import restore_row_powers

AS_STORED = "as stored"
INTERLEAVED = "gate, up interleaved"
APART = "gate, then up"
ROWS = (AS_STORED, INTERLEAVED, APART)
"""What the order of the rows of weights is; see `PackedWeights`."""

COLUMNS = {AS_STORED: "plain", INTERLEAVED: "interleaved", APART: "apart"}
"""The same in the compiler's words, where rows of the weights are columns of the output."""


def rows_fit(rows: str, columns: str, pairs: bool = False) -> bool:
    """Whether weights whose rows are in this order fit a kernel.

    Args:
        rows: one of `ROWS`.
        columns: what the kernel says, one of the values of `COLUMNS`; "plain" fits all.
        pairs: whether the kernel's epilogue takes neighbours for gate and up.
    """
    if rows == AS_STORED:
        return True
    return not (pairs and rows == APART) and columns in ("plain", COLUMNS[rows])


@typed
@dataclass(frozen=True)
class Proof:
    """What the scales are, computed from the data: it says which decode sequences are exact.

    Attributes:
        scale_min: smallest E8M0 byte.
        scale_max: largest E8M0 byte (255 if any is NaN).
        has_nan: whether any scale is 0xFF.
    """

    scale_min: int
    scale_max: int
    has_nan: bool

    @staticmethod
    def of(scales: ArrayLike) -> Proof:
        """The proof of E8M0 bytes of any shape.

        Raises:
            Error: if there are none.
        """
        bytes_ = as_array("scales", scales)
        if bytes_.dtype != np.uint8 or not bytes_.size:
            raise Error(
                f"scales must be at least one uint8, got {bytes_.dtype} {list(bytes_.shape)}."
            )
        top = int(bytes_.max())
        return Proof(int(bytes_.min()), top, top == SCALE_NAN)

    def merge(self, other: Proof | None) -> Proof:
        """The proof of both sets of scales together."""
        if other is None:
            return self
        top = max(self.scale_max, other.scale_max)
        return Proof(min(self.scale_min, other.scale_min), top, self.has_nan or other.has_nan)


@typed
@dataclass(frozen=True, repr=False)
class PackedWeights:
    """Weights ``[E, N, K]`` in a packed layout.

    Attributes:
        data: u8 ``[E, ceil(N/64), ceil(K/64), 2176]``, or as `Layout.shape` says: a numpy array
            (or memmap) on the host, or a torch or DLPack tensor on a device.
        n: N, output columns.
        k: K, reduction length.
        layout: the layout of ``data``.
        proof: what packing found out about the scales.
        rows: "as stored": in the order of the checkpoint's tensor (that of gpt-oss's
            ``gate_up_proj`` is gate in even and up in odd rows). "gate, up interleaved": gate is
            in even and up in odd rows, for instance because the checkpoint has them apart, and
            packing put them in that order. "gate, then up": gate is the first half of the rows,
            which no layer takes.
        powers: of weights for activations in FP8, and of no others: f32 ``[E, N]``, powers of two
            that packing took out of rows, where ``data`` is.
    """

    data: Any
    n: int
    k: int
    layout: Layout
    proof: Proof
    rows: str = AS_STORED
    powers: Any = None

    def __post_init__(self) -> None:
        for name in ("data", "powers"):
            array = getattr(self, name)
            is_array = hasattr(array, "shape") and hasattr(array, "dtype")
            if not is_array and (name == "data" or array is not None):
                kind = type(array).__name__
                raise Error(f"{name} of packed weights must be an array, got {kind}.")
        shape = tuple(self.data.shape)
        expected = self.layout.shape(self.n, self.k)
        if len(shape) != 4 or shape[1:] != expected:
            raise Error(
                f"packed weights of N = {self.n}, K = {self.k} must have shape "
                f"[E, {', '.join(map(str, expected))}], got {list(shape)}."
            )
        if shape[0] < 1:
            raise Error(f"packed weights must have at least one expert, got {list(shape)}.")
        if self.rows not in ROWS:
            raise Error(f"rows must be one of {list(ROWS)}, got {self.rows!r}.")
        if "uint8" not in str(self.data.dtype):
            raise Error(f"packed weights must be uint8, got {self.data.dtype}.")
        self._check_powers()
        if self.layout.scales == "folded" and self.proof.scale_max > FOLDED_MAX:
            raise Error(
                f"the layout is {self.layout}, which needs scale bytes <= {FOLDED_MAX}, but the "
                f"proof says that the largest is {self.proof.scale_max}."
            )

    def _check_powers(self) -> None:
        if (self.powers is not None) != (self.layout == FP8):
            raise Error(
                "weights for activations in FP8 have powers of their rows, and others have none; "
                f"got {'some' if self.powers is not None else 'none'} with {self.layout}."
            )
        if self.powers is None:
            return
        shape, dtype = tuple(self.powers.shape), str(self.powers.dtype)
        if shape != (self.experts, self.n) or "float32" not in dtype:
            raise Error(
                f"powers must be f32 [{self.experts}, {self.n}], got {dtype} {list(shape)}."
            )

    def __repr__(self) -> str:
        """Shape, layout and place on one line, without the bytes."""
        size = self.experts * math.prod(self.layout.shape(self.n, self.k))
        kind = type(self.data)
        place = getattr(self.data, "device", "")
        where = f" on {place}" if place and not isinstance(self.data, np.ndarray) else ""
        return (
            f"PackedWeights(E={self.experts}, N={self.n}, K={self.k}, {self.layout}, "
            f"scales {self.proof.scale_min}..{self.proof.scale_max}, "
            f"{size / 1e6:.1f} MB in a {kind.__module__}.{kind.__name__}{where})"
        )

    @property
    def experts(self) -> int:
        """Number of experts, E."""
        return int(self.data.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of experts, output columns and products of a sum: (E, N, K)."""
        return self.experts, self.n, self.k

    def decode(self, expert: int) -> NDArray[Any]:
        """One expert's exact weights, bf16 ``[N, K]``; host data only.

        Raises:
            Error: as `unpack`.
        """
        return dequantize(*self.unpack(expert))

    def unpack(self, expert: int) -> Quantized:
        """One expert in checkpoint form; host data only.

        Of weights for FP8, scales of blocks of zeros may be others than they were.

        Raises:
            Error: if there is no such expert, or the data is on a device.
        """
        data = self._host()
        self._check_expert(expert)
        return self.unpack_bytes(data[expert], expert)

    def unpack_bytes(self, packed: NDArray[np.uint8], expert: int) -> Quantized:
        """The same of an expert's bytes, which are elsewhere.

        Raises:
            Error: if there is no such expert, or the bytes are not as many as one has.
        """
        self._check_expert(expert)
        found = unpack_expert(packed, self.n, self.k, self.layout)
        if self.powers is None:
            return found
        powers = np.asarray(self.powers[expert])
        return Quantized(found.blocks, restore_row_powers(found.scales, powers))

    def _check_expert(self, expert: int) -> None:
        if not 0 <= expert < self.experts:
            raise Error(f"expert must be 0 to {self.experts - 1}, got {expert}.")

    def _host(self) -> NDArray[np.uint8]:
        if not isinstance(self.data, np.ndarray):
            raise Error("these packed weights are on a device; this needs them as a numpy array.")
        return self.data

    def to_device(self, device: Any = "cuda") -> PackedWeights:
        """A copy on a torch device.

        Without torch, put ``data`` into any uint8 DLPack tensor and use `dataclasses.replace`.

        Raises:
            Error: if torch is not installed, or sees no such device.
        """
        try:
            import torch
        except ImportError as e:
            raise Error(
                "PackedWeights.to_device needs torch, which is not installed; or put .data into a "
                "DLPack tensor on the device and use dataclasses.replace(weights, data=tensor)."
            ) from e
        from .tensors import torch_device

        device, data = torch_device(device), self.data
        if isinstance(data, np.ndarray):
            target = torch.empty(data.shape, dtype=torch.uint8, device=device)
            for i in range(self.experts):  # one expert in flight: no second host copy
                target[i].copy_(torch.from_numpy(np.array(data[i])))
            data = target
        else:
            data = torch.from_dlpack(data).to(device)
        powers = self.powers
        if powers is not None:
            known = torch.from_numpy(np.array(powers)) if isinstance(powers, np.ndarray) else powers
            powers = torch.from_dlpack(known).to(device)
        return replace(self, data=data, powers=powers)

    def validate(self) -> None:
        """Read all scales and all padding, and compare with the proof; host data only.

        Raises:
            Error: if the proof or the padding is not what packing would have left.
        """
        self.validate_experts(self._host())

    def validate_experts(self, experts: Iterable[NDArray[np.uint8]]) -> None:
        """`validate` of the same weights that come one expert at a time.

        Args:
            experts: packed experts, u8 ``[ceil(N/64), ceil(K/64), 2176]`` each, in order.

        Raises:
            Error: if the padding or the proof is not what the weights have, or the experts are not
                as many.
        """
        proof: Proof | None = None
        count = 0
        for e, expert in enumerate(experts):
            count += 1
            if count > self.experts:
                continue
            if not padding_is_neutral(expert, self.n, self.k, self.layout):
                raise Error("packed weights: the padding is not neutral; pack the weights again.")
            proof = self._proof_of(expert, e).merge(proof)
        if count != self.experts:
            raise Error(f"packed weights: expected {self.experts} experts, got {count}.")
        if proof != self.proof:
            raise Error(
                f"packed weights: the metadata claims {self.proof}, but the data has {proof}."
            )

    def _proof_of(self, packed: NDArray[np.uint8], expert: int) -> Proof:
        """Proof of one packed expert, from its stored scale bytes and without its padding."""
        scales = unpack_scales(packed, self.layout)[: self.n, : self.k // BLOCK]
        if self.powers is None:
            return Proof.of(scales)
        if scales.min() < RELATIVE_LEAST or scales.max() > RELATIVE_MOST:
            raise Error(
                f"packed weights: expert {expert} has stored scales that E5M2 does not hold; pack "
                "the weights again."
            )
        return Proof.of(restore_row_powers(scales, np.asarray(self.powers[expert])))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with layout and proof in its metadata; host data only."""
        from . import packed_file

        packed_file.write(
            path, self._host(), self.shape, self.layout, self.proof, packed_file.Origin(self.rows),
            powers=self.powers,
        )  # fmt: skip

    @staticmethod
    def load(path: str | os.PathLike[str]) -> PackedWeights:
        """Read a file that `save` wrote, and check that its metadata tells the truth.

        `packed_file.open_weights` maps a file instead of reading it.

        Raises:
            Error: if the file is missing, truncated, of another kind, or contradicts itself.
        """
        from . import packed_file

        packed_file.verify(path)
        weights = packed_file.open_weights(path)
        return replace(weights, data=np.array(weights.data))
