# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packing weights of a checkpoint, one expert at a time, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._typed import as_array, typed
from .errors import Error
from .formats import BLOCK, Quantized
from .layout import FOLDED_MAX, FP8, Layout, check_output, check_scales, pack_expert, to_raw_scales
from .layout_bytes import restore_row_powers, take_row_powers
from .weights import INTERLEAVED, PackedWeights, Proof


@typed
def pack(
    blocks: Any,
    scales: Any,
    layout: Layout | str = "auto",
    *,
    out: NDArray[np.uint8] | None = None,
    progress: bool = False,
    gate_up: str | None = None,
) -> PackedWeights:
    """Pack a stack of experts, reading one at a time.

    Args:
        blocks: u8 ``[E, N, K/32, 16]``: an array, or anything with ``len`` and ``[e]`` that gives
            one expert at a time.
        scales: u8 ``[E, N, K/32]``, likewise.
        layout: a `Layout`, or "auto": spread order, folded scales if every one is <= 128; or
            "fp8", for activations in FP8, which takes a power of two out of each row.
        out: u8 array or `numpy.memmap` to write into, see `PackedWeights`.
        progress: show a progress bar.
        gate_up: of matrices that hold a gate and an up: "apart" if gate is the first half of the
            rows, which are interleaved as they are packed; "interleaved" if row 2n is gate n
            and row 2n + 1 up n already. The packed weights say so then.

    Raises:
        Error: if shapes or dtypes do not fit, or a scale does not fit the layout asked for.
    """
    for name, part in (("blocks", blocks), ("scales", scales)):
        has_items = hasattr(part, "__len__") and hasattr(part, "__getitem__")
        if not has_items or getattr(part, "shape", None) == ():
            what = "a single number" if has_items else type(part).__name__
            raise Error(f"{name} must be an array with a first dimension of experts, got {what}.")
    if len(blocks) != len(scales):
        raise Error(f"blocks has {len(blocks)} experts, but scales has {len(scales)}.")
    if gate_up not in (None, "apart", "interleaved"):
        raise Error(f'gate_up must be "apart", "interleaved" or None, got {gate_up!r}.')
    pairs = (
        Quantized(as_array("blocks", blocks[e]), as_array("scales", scales[e]))
        for e in range(len(blocks))
    )
    if gate_up == "apart":
        pairs = (Quantized(*(interleave_halves(part) for part in pair)) for pair in pairs)
    weights = pack_stream(pairs, len(blocks), layout, out=out, progress=progress)
    if gate_up and weights.n % 2:
        raise Error(f"gate and up together have an even number of rows, got {weights.n}.")
    return replace(weights, rows=INTERLEAVED) if gate_up else weights


@typed
def interleave_halves(rows: ArrayLike) -> NDArray[np.uint8]:
    """Rows of gate, then of up, as gate and up in turn.

    Raises:
        Error: if their number is odd.
    """
    rows = as_array("rows", rows)
    if len(rows) % 2:
        raise Error(f"gate and up together have an even number of rows, got {len(rows)}.")
    return np.stack(np.split(rows, 2), axis=1).reshape(rows.shape)


def layout_for(layout: Layout | str, proof: Proof) -> Layout:
    """The layout that ``layout``, or "auto", means for scales of which this was proved.

    Raises:
        Error: if it is neither a layout nor "auto", or the scales do not fit it.
    """
    if isinstance(layout, str):
        if layout == "fp8":
            return FP8
        if layout != "auto":
            raise Error(f'layout must be a Layout, "auto" or "fp8", got {layout!r}.')
        return Layout(scales="folded" if proof.scale_max <= FOLDED_MAX else "raw")
    check_scales(layout, proof.scale_max)
    return layout


@typed
def pack_stream(
    experts: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    count: int,
    layout: Layout | str = "auto",
    *,
    out: NDArray[np.uint8] | None = None,
    progress: bool = False,
) -> PackedWeights:
    """Pack experts as they come, in one pass.

    Only one expert is held besides the output, which may be a memmap. With layout "auto" the
    scales are stored folded until one does not fit; then those already written are mended.

    Args:
        experts: (blocks u8 ``[N, K/32, 16]``, scales u8 ``[N, K/32]``) of each expert in turn.
        count: E, the number of experts to come.
        layout: as in `pack`.
        out: as in `pack`.
        progress: as in `pack`.

    Raises:
        Error: as `pack`; also if there are fewer or more experts than ``count``.
    """
    packing = _Packing(layout, count, out)
    for blocks, scales in _bar(experts, count, progress):
        packing.add(as_array("blocks", blocks), as_array("scales", scales))
    return packing.end()


class _Packing:
    """Weights of which some experts are packed.

    Args:
        layout: as in `pack`.
        count: E, the number of experts to come.
        out: as in `pack`.
    """

    def __init__(self, layout: Layout | str, count: int, out: NDArray[np.uint8] | None) -> None:
        if isinstance(layout, str) and layout not in ("auto", "fp8"):
            raise Error(f'layout must be a Layout, "auto" or "fp8", got {layout!r}.')
        if count < 1:
            raise Error(f"there must be at least one expert to pack, got {count}.")
        self._may_unfold = layout == "auto"
        self._layout = {"auto": Layout(), "fp8": FP8}[layout] if isinstance(layout, str) else layout
        self._count, self._done = count, 0
        self._n = self._k = 0
        self._given = out
        self._proof: Proof | None = None
        self._powers: NDArray[np.float32] | None = None

    def _begin(self, n: int, k: int) -> None:
        self._n, self._k = n, k
        self._out = _output(self._given, (self._count, *self._layout.shape(n, k)))
        if self._layout == FP8:
            self._powers = np.empty((self._count, n), np.float32)

    def _check(self, scales: NDArray[np.uint8]) -> None:
        """Begin with the first expert; all others must have its shape."""
        e = self._done
        if e >= self._count:
            raise Error(f"expected {self._count} experts to pack, got more.")
        if scales.ndim != 2 or scales.size == 0:
            raise Error(f"expert {e}: scales must be [N, K/32], got {list(scales.shape)}.")
        if e == 0:
            self._begin(int(scales.shape[0]), int(scales.shape[1]) * BLOCK)
        elif scales.shape != (self._n, self._k // BLOCK):
            raise Error(
                f"expert {e} has scales of shape {list(scales.shape)}, but expert 0 has "
                f"[{self._n}, {self._k // BLOCK}]; all experts must have one shape."
            )

    def add(self, blocks: NDArray[np.uint8], scales: NDArray[np.uint8]) -> None:
        """Pack the next expert.

        Raises:
            Error: if there is none to come, or its shapes or scales do not fit.
        """
        self._check(scales)
        e, proof = self._done, Proof.of(scales)
        if self._may_unfold and proof.scale_max > FOLDED_MAX and self._layout.scales == "folded":
            self._layout = Layout(self._layout.order, "raw")
            for earlier in self._out[:e]:
                to_raw_scales(earlier)
        try:
            if self._powers is not None:
                scales, self._powers[e] = take_row_powers(blocks, scales)
                proof = Proof.of(restore_row_powers(scales, self._powers[e]))
            pack_expert(blocks, scales, self._layout, self._out[e])
        except Error as error:
            raise Error(f"expert {e}: {error}") from error
        self._proof = proof.merge(self._proof)
        self._done += 1

    def end(self) -> PackedWeights:
        """All of them.

        Raises:
            Error: if experts are missing.
        """
        if self._done != self._count or self._proof is None:
            raise Error(f"expected {self._count} experts to pack, got {self._done}.")
        return PackedWeights(
            self._out, self._n, self._k, self._layout, self._proof, powers=self._powers
        )


def _output(out: NDArray[np.uint8] | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if out is None:
        return np.empty(shape, np.uint8)
    check_output(out, shape)
    return out


def _bar(experts: Iterable[Any], count: int, progress: bool) -> Iterator[Any]:
    if not progress:
        return iter(experts)
    from tqdm.auto import tqdm

    return iter(tqdm(experts, total=count, unit="expert", desc="pack"))


@typed
def unpack(weights: PackedWeights) -> Quantized:
    """Back to checkpoint form, bit for bit: blocks u8 [E,N,K/32,16], scales u8 [E,N,K/32].

    Of weights for FP8, scales of blocks of zeros may be others than they were.

    Raises:
        Error: if the data is on a device, or these are no packed weights.
    """
    parts = [weights.unpack(e) for e in range(weights.experts)]
    return Quantized(np.stack([p.blocks for p in parts]), np.stack([p.scales for p in parts]))
