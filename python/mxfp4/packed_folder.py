# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A folder of packed expert tensors, as `packed_checkpoint` writes it, opened and checked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from . import packed_file
from ._files import read_input
from ._safetensors import is_file
from ._typed import typed
from .errors import Error
from .experts import ExpertTensor
from .names import file_name, shown
from .packed_file import INDEX
from .weights import PackedWeights

FORMAT = "mxfp4-packed-checkpoint"
VERSION = 2
"""Version 1 named files by tensors, whatever their names, and had no digests."""


@typed
class PackedCheckpoint:
    """The packed expert tensors in a folder that `pack_checkpoint` wrote.

    Raises:
        Error: if there is no such folder, its index is of an earlier version or names files that
            it cannot name, or a file that it names is missing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        index = self.folder / INDEX
        if not index.is_file():
            raise Error(f"{folder} has no {INDEX}; `mxfp4 pack` writes such a folder.")
        try:
            content = json.loads(read_input(index, "an index of packed tensors"))
            kind, tensors = (content["format"], content["version"]), content["tensors"]
            entries = {str(n): str(dict(t)["file"]) for n, t in tensors.items()}
        except Error:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise Error(f"{index} is not an index of packed tensors ({shown(repr(e))}).") from e
        if kind != (FORMAT, VERSION):
            old = kind == (FORMAT, 1)
            raise Error(
                f'{index}: expected "format": "{FORMAT}" and version {VERSION}, got '
                f"{shown(kind)}."
                + (
                    " Version 1 has no digest of the checkpoint that it was packed from: pack the "
                    "checkpoint again (mxfp4 pack ... --force)."
                    if old
                    else ""
                )
            )
        self.files: dict[str, Path] = {}
        self._digests = {str(n): t.get("source") for n, t in tensors.items()}
        for name, file in entries.items():
            if file != file_name(name):  # so no name leads out of the folder
                raise Error(
                    f"{index}: the file of {shown(name)} must be {file_name(name)}, got "
                    f"{shown(file)!r}."
                )
            self.files[name] = self.folder / file
            if not is_file(self.files[name]):
                raise Error(f"{index} names {file}, which is not there; pack again.")

    def __iter__(self) -> Iterator[str]:
        """The names of the tensors."""
        return iter(self.files)

    def __getitem__(self, name: str) -> PackedWeights:
        """A tensor by its name, as a memmap.

        Raises:
            Error: if there is none of that name, or its file is broken or of another tensor.
        """
        if name not in self.files:
            raise Error(f"{self.folder} has no packed tensor {shown(name)!r}.")
        weights = packed_file.open_weights(self.files[name])
        found = packed_file.metadata(self.files[name])
        if found.get("name") != name or "source" not in found:
            raise Error(
                f"{self.files[name]} must hold {shown(name)!r}, but it holds "
                f"{shown(found.get('name'))!r}; pack again."
            )
        if found["source"] != self._digests[name]:
            raise Error(
                f"{self.files[name]} was packed from other weights than {INDEX} says: one of both "
                "was replaced. Pack again."
            )
        return weights

    def digest(self, name: str) -> str:
        """The digest of the checkpoint's weights that a tensor was packed from.

        Raises:
            Error: as ``[name]``.
        """
        self[name]
        return packed_file.metadata(self.files[name])["source"]

    def of(self, tensor: ExpertTensor) -> PackedWeights:
        """The packed weights of a checkpoint's tensor, as a memmap.

        The tensor is read and its digest computed, because nothing else tells the weights of one
        checkpoint from those of another of the same model.

        Raises:
            Error: as ``[name]``; also if they were packed from other weights.
        """
        weights = self[tensor.name]
        same = weights.shape == tensor.shape and weights.rows == tensor.rows
        if not same or tensor.digest() != self.digest(tensor.name):
            raise Error(
                f"{self.files[tensor.name]} was packed from other weights than the checkpoint has "
                f"as {shown(tensor.name)}; pack this checkpoint, or load the one that was packed."
            )
        return weights

    def verify(self, name: str, tensor: ExpertTensor | None = None) -> PackedWeights:
        """A tensor, after all of its file was read and fits its digests.

        Args:
            name: the tensor's.
            tensor: of a checkpoint, to compare with bit for bit.

        Raises:
            Error: if it does not.
        """
        weights = self[name]
        if tensor is not None and (weights.shape, weights.rows) != (tensor.shape, tensor.rows):
            raise Error(
                f"{self.files[name]} has E, N, K = {list(weights.shape)} ({weights.rows}), but the "
                f"checkpoint has {list(tensor.shape)} ({tensor.rows})."
            )
        return packed_file.verify(self.files[name], tensor)
