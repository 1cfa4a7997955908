# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reader of MXFP4 expert weights in gpt-oss style safetensors checkpoints.

A checkpoint is one ``.safetensors`` file, or a folder with such files and, if there are several,
``model.safetensors.index.json``. An expert tensor is a pair
``<name>_blocks`` u8 ``[E, N, K/32, 16]`` and ``<name>_scales`` u8 ``[E, N, K/32]``, for example
``model.layers.0.mlp.experts.gate_up_proj``. Nothing is read before it is asked for, and experts
can be read one at a time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._safetensors import open_file
from .errors import Error
from .formats import BLOCK, BLOCK_BYTES, Quantized, dequantize
from .layout import Layout
from .weights import PackedWeights, Proof, pack_stream

INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class _Slice:
    """Where one tensor is, and what its file's header says of it."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]

    def read(self, index: int | None = None) -> NDArray[Any]:
        with open_file(self.path) as file:
            tensor = file.get_slice(self.name)
            try:
                return np.asarray(tensor[:] if index is None else tensor[index])
            except (AttributeError, TypeError) as e:
                raise Error(
                    f"{self.path}: {self.name} is of dtype {self.dtype}, which numpy cannot hold."
                ) from e


@dataclass(frozen=True)
class ExpertTensor:
    """One stack of MXFP4 matrices ``[E, N, K]`` in a checkpoint; an `ExpertSource`.

    Attributes:
        name: the tensors' common name, without ``_blocks`` and ``_scales``.
        shape: (E, N, K).
    """

    name: str
    shape: tuple[int, int, int]
    _blocks: _Slice
    _scales: _Slice

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, expert: int) -> Quantized:
        """One expert: blocks u8 ``[N, K/32, 16]``, scales u8 ``[N, K/32]``.

        Raises:
            Error: if ``expert`` is out of range, or the file changed or broke since it was opened.
        """
        if not 0 <= expert < self.shape[0]:
            raise Error(f"{self.name}: expert must be 0 .. {self.shape[0] - 1}, got {expert}.")
        return Quantized(self._blocks.read(expert), self._scales.read(expert))

    def __iter__(self) -> Iterator[Quantized]:
        return (self.read(e) for e in range(self.shape[0]))

    def read_all(self) -> Quantized:
        """All experts: blocks u8 ``[E, N, K/32, 16]``, scales u8 ``[E, N, K/32]``."""
        return Quantized(self._blocks.read(), self._scales.read())

    def proof(self) -> Proof:
        """What packing would prove of the scales; reads them alone, one expert at a time."""
        proof: Proof | None = None
        for expert in range(self.shape[0]):
            proof = Proof.of(self._scales.read(expert)).merge(proof)
        assert proof is not None  # there is at least one expert
        return proof

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
        return pack_stream(self, len(self), layout, out=out, progress=progress)


class Checkpoint:
    """The MXFP4 expert tensors of a checkpoint.

    Args:
        path: a ``.safetensors`` file, or a folder.

    Raises:
        Error: if there is no checkpoint, a file is missing, truncated or does not hold what the
            index says, or an expert tensor's dtypes or shapes do not fit.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._tensors = dict(_tensors(self.path))
        self.experts: dict[str, ExpertTensor] = {}
        for name in sorted(self._tensors):
            if name.endswith("_blocks"):
                tensor = _expert_tensor(name.removesuffix("_blocks"), self._tensors)
                self.experts[tensor.name] = tensor
            elif name.endswith("_scales"):
                base = name.removesuffix("_scales")
                if f"{base}_blocks" not in self._tensors:
                    raise Error(f"{self.path}: {name} has no matching {base}_blocks.")

    def __getitem__(self, name: str) -> ExpertTensor:
        """An expert tensor by its name.

        Raises:
            Error: if there is none of that name; the message lists those there are.
        """
        if name not in self.experts:
            known = ", ".join(self.experts) or "none"
            raise Error(f"{self.path} has no MXFP4 expert tensor {name!r}; it has: {known}.")
        return self.experts[name]

    def read(self, name: str) -> NDArray[Any]:
        """Any tensor whole, by its full name.

        Raises:
            Error: if there is none of that name.
        """
        if name not in self._tensors:
            raise Error(f"{self.path} has no tensor {name!r}.")
        return self._tensors[name].read()


def _tensors(path: Path) -> Iterator[tuple[str, _Slice]]:
    if path.is_file():
        yield from _tensors_of_file(path)
    elif (path / INDEX).is_file():
        yield from _tensors_of_index(path / INDEX)
    else:
        files = sorted(path.glob("*.safetensors"))
        if not files:
            raise Error(
                f"{path} is no checkpoint: expected a .safetensors file, or a folder with some."
            )
        seen: dict[str, Path] = {}
        for file in files:
            for name, tensor in _tensors_of_file(file):
                if name in seen:
                    raise Error(f"{name} is in both {seen[name]} and {file}; which one is meant?")
                seen[name] = file
                yield name, tensor


def _tensors_of_file(path: Path) -> Iterator[tuple[str, _Slice]]:
    with open_file(path) as file:
        for name in file.keys():  # noqa: SIM118
            tensor = file.get_slice(name)
            yield name, _Slice(path, name, tensor.get_dtype(), tuple(tensor.get_shape()))


def _tensors_of_index(index: Path) -> Iterator[tuple[str, _Slice]]:
    try:
        weight_map = json.loads(index.read_text())["weight_map"]
        entries = [(str(name), str(file)) for name, file in weight_map.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Error(
            f'{index} is not a safetensors index: expected JSON with a "weight_map" from tensor '
            f"names to file names ({e!r})."
        ) from e
    files: dict[str, dict[str, _Slice]] = {}
    for name, file in entries:
        if file in ("", ".", "..") or Path(file).name != file:
            raise Error(f"{index}: {name} is said to be in {file!r}, which is no plain file name.")
        if file not in files:
            files[file] = dict(_tensors_of_file(index.parent / file))
        if name not in files[file]:
            raise Error(f"{index} says that {name} is in {file}, but it is not.")
        yield name, files[file][name]


def _expert_tensor(base: str, tensors: dict[str, _Slice]) -> ExpertTensor:
    blocks = tensors[f"{base}_blocks"]
    scales = tensors.get(f"{base}_scales")
    if scales is None:
        raise Error(f"{blocks.path}: {base}_blocks has no matching {base}_scales.")
    for tensor in (blocks, scales):
        if tensor.dtype != "U8":
            raise Error(f"{tensor.path}: {tensor.name} must have dtype U8, got {tensor.dtype}.")
    shape = blocks.shape
    if len(shape) != 4 or shape[3] != BLOCK_BYTES or 0 in shape:
        raise Error(
            f"{blocks.path}: {blocks.name} must have shape [E, N, K/32, 16], got {list(shape)}."
        )
    if scales.shape != shape[:3]:
        raise Error(
            f"{scales.path}: {scales.name} must have shape {list(shape[:3])} to fit "
            f"{blocks.name}, got {list(scales.shape)}."
        )
    return ExpertTensor(base, (shape[0], shape[1], shape[2] * BLOCK), blocks, scales)
