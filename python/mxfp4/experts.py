# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A stack of MXFP4 matrices in a checkpoint, read one expert at a time, however it is stored.

Three classes say how: `Stack` (one tensor of codes, one of scales), `Gathered` (a tensor for each
expert) and `Interleaved` (gate and up apart). They nest, and each gives an expert's codes and
scales in one form, that of `formats.Quantized`. Nothing is read before it is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._safetensors import Stored
from ._typed import typed
from .errors import Error
from .formats import BLOCK, BLOCK_BYTES, Quantized, dequantize
from .layout import Layout
from .layout_bytes import row_spans, rows_beyond
from .names import shown
from .packing import pack_stream
from .weights import AS_STORED, PackedWeights, Proof

Shape = tuple[int, int, int]


class Matrices(Protocol):
    """Matrices ``[E, N, K]`` that are read one at a time."""

    @property
    def shape(self) -> Shape:
        """(E, N, K)."""

    def codes(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[N, K/32, 16]``."""

    def scales(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[N, K/32]``."""

    def stored(self) -> Iterator[Stored]:
        """The tensors that these matrices are in."""


@dataclass(frozen=True)
class Stack:
    """Codes in one tensor and scales in another, experts in the first dimension if E > 1."""

    shape: Shape
    codes_in: Stored
    scales_in: Stored

    def codes(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[N, K/32, 16]``."""
        _, n, k = self.shape
        size = n * k // 2
        data = self.codes_in.bytes(expert * size, size)
        return data.reshape(n, k // BLOCK, BLOCK_BYTES)

    def scales(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[N, K/32]``."""
        _, n, k = self.shape
        size = n * k // BLOCK
        return self.scales_in.bytes(expert * size, size).reshape(n, k // BLOCK)

    def stored(self) -> Iterator[Stored]:
        """The two tensors."""
        yield from (self.codes_in, self.scales_in)


@dataclass(frozen=True)
class Gathered:
    """One matrix per expert, each in tensors of its own."""

    parts: tuple[Stack, ...]

    @property
    def shape(self) -> Shape:
        """(E, N, K)."""
        return (len(self.parts), *self.parts[0].shape[1:])

    def codes(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[N, K/32, 16]``."""
        return self.parts[expert].codes(0)

    def scales(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[N, K/32]``."""
        return self.parts[expert].scales(0)

    def stored(self) -> Iterator[Stored]:
        """Two tensors per expert."""
        for part in self.parts:
            yield from part.stored()


@dataclass(frozen=True)
class Interleaved:
    """Gate and up as one matrix: row 2i is row i of gate, and row 2i + 1 is row i of up."""

    gate: Matrices
    up: Matrices

    @property
    def shape(self) -> Shape:
        """(E, 2 N, K)."""
        experts, n, k = self.gate.shape
        return experts, 2 * n, k

    def codes(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[2 N, K/32, 16]``."""
        return _interleave(self.gate.codes(expert), self.up.codes(expert))

    def scales(self, expert: int) -> NDArray[np.uint8]:
        """U8 ``[2 N, K/32]``."""
        return _interleave(self.gate.scales(expert), self.up.scales(expert))

    def stored(self) -> Iterator[Stored]:
        """The tensors of both."""
        yield from self.gate.stored()
        yield from self.up.stored()


def _interleave(even: NDArray[np.uint8], odd: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([even, odd], axis=1).reshape(2 * len(even), *even.shape[1:])


class SourceDigest:
    """Says which weights these are: SHA-256 of E, N, K and of each expert's codes and scales.

    The digest is of the weights in the form of `formats.Quantized`, and not of files, so equal
    weights of two publishers are equal, and packed weights, unpacked again, have the digest of
    their checkpoint. Each expert is hashed alone, so that experts can be hashed at the same time.
    """

    LENGTH = 64

    def __init__(self, shape: Shape) -> None:
        self._hash = hashlib.sha256(json.dumps(list(shape)).encode())

    @staticmethod
    def of_expert(expert: Quantized) -> bytes:
        """The digest of one expert."""
        one = hashlib.sha256(np.ascontiguousarray(expert.blocks).data)
        one.update(np.ascontiguousarray(expert.scales).data)
        return one.digest()

    def add(self, expert: Quantized) -> None:
        """Take in the next expert."""
        self.add_digest(self.of_expert(expert))

    def add_digest(self, digest: bytes) -> None:
        """Take in the next expert's `of_expert`."""
        self._hash.update(digest)

    @property
    def text(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()


@typed
@dataclass(frozen=True)
class ExpertTensor:
    """One stack of MXFP4 matrices ``[E, N, K]`` in a checkpoint; an `ExpertSource`.

    Attributes:
        name: what the names of its tensors have in common.
        matrices: how it is stored.
        rows: what the order of rows is, see `PackedWeights`.
    """

    name: str
    matrices: Matrices
    rows: str = AS_STORED

    @property
    def shape(self) -> Shape:
        """(E, N, K)."""
        return self.matrices.shape

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, expert: int) -> Quantized:
        """One expert: blocks u8 ``[N, K/32, 16]``, scales u8 ``[N, K/32]``.

        Raises:
            Error: if ``expert`` is out of range, or the file changed or broke since it was opened.
        """
        if not 0 <= expert < self.shape[0]:
            raise Error(
                f"{shown(self.name)}: expert must be 0 .. {self.shape[0] - 1}, got {expert}."
            )
        return Quantized(self.matrices.codes(expert), self.matrices.scales(expert))

    def __iter__(self) -> Iterator[Quantized]:
        return (self.read(e) for e in range(self.shape[0]))

    def read_all(self) -> Quantized:
        """All experts: blocks u8 ``[E, N, K/32, 16]``, scales u8 ``[E, N, K/32]``."""
        experts, n, k = self.shape
        blocks = np.empty((experts, n, k // BLOCK, BLOCK_BYTES), np.uint8)
        scales = np.empty((experts, n, k // BLOCK), np.uint8)
        for e in range(experts):
            blocks[e], scales[e] = self.read(e)
        return Quantized(blocks, scales)

    def proof(self) -> Proof:
        """What packing would prove of the scales; reads them alone, one expert at a time."""
        proof: Proof | None = None
        for expert in range(self.shape[0]):
            proof = Proof.of(self.matrices.scales(expert)).merge(proof)
        assert proof is not None  # there is at least one expert
        return proof

    def rows_beyond_fp8(self) -> Iterator[tuple[int, int, int, int]]:
        """The rows that E5M2 cannot hold, for activations in FP8: expert, row, least and greatest
        scale byte.

        Reads the scales, and the codes of experts whose scales alone do not tell.
        """
        for e in range(self.shape[0]):
            scales = self.matrices.scales(e)
            wide = scales.astype(np.int64)
            if not rows_beyond(wide.min(axis=-1), wide.max(axis=-1)).size:
                continue
            least, most, _ = row_spans(self.matrices.codes(e), scales)
            for row in rows_beyond(least, most).tolist():
                yield e, row, int(least[row]), int(most[row])

    def digest(self, on_expert: Callable[[], Any] = lambda: None) -> str:
        """`SourceDigest` of all experts, which are all read; a few are held at a time.

        Args:
            on_expert: called after each expert.
        """
        digest = SourceDigest(self.shape)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            work = threads.map(lambda e: SourceDigest.of_expert(self.read(e)), range(len(self)))
            for one in work:
                digest.add_digest(one)
                on_expert()
        return digest.text

    @property
    def files(self) -> set[Path]:
        """The files that it is in."""
        return {tensor.path for tensor in self.matrices.stored()}

    @property
    def nbytes(self) -> int:
        """Bytes of codes and scales."""
        experts, n, k = self.shape
        return experts * n * (k // BLOCK) * (BLOCK_BYTES + 1)

    def decode(self, expert: int) -> NDArray[Any]:
        """One expert's exact weights, bf16 ``[N, K]``."""
        return dequantize(*self.read(expert))

    def pack(
        self,
        layout: Layout | str = "auto",
        *,
        out: NDArray[np.uint8] | None = None,
        progress: bool = False,
    ) -> PackedWeights:
        """Pack, one expert in memory at a time; see `mxfp4.pack`."""
        from dataclasses import replace

        weights = pack_stream(self, len(self), layout, out=out, progress=progress)
        return replace(weights, rows=self.rows)
