# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Opening safetensors files, with errors that a user can act on.

The safetensors library checks a file's header before anything is believed. Bytes are then read
from where the header says, without the library: numpy has no types for 4-bit codes and E8M0
scales, and a header of thousands of experts would be parsed again for each of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import Error
from .names import shown


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: where it is, and what the file's header says of it.

    Attributes:
        path: the file.
        name: the tensor's.
        dtype: as safetensors writes it, for example "U8".
        shape: in elements, also for types of less than a byte.
        offset: of its first byte in the file.
        size: its bytes.
    """

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{shown(self.name)} ({self.dtype} {shown(list(self.shape))})"

    def bytes(self, start: int, count: int) -> NDArray[np.uint8]:
        """Some of its bytes: u8 ``[count]``.

        Raises:
            Error: if the file is gone or shorter than it was.
        """
        assert start >= 0
        assert start + count <= self.size
        try:
            data = np.fromfile(self.path, np.uint8, count, offset=self.offset + start)
        except OSError as e:
            raise Error(f"{self.path}: {shown(self.name)} cannot be read: {e.strerror}.") from e
        if data.size != count:
            raise Error(
                f"{self.path}: {shown(self.name)} is cut off; the file changed since it was opened."
            )
        return data

    def array(self) -> NDArray[Any]:
        """The whole tensor, by the library.

        Raises:
            Error: if numpy has no such type.
        """
        with open_file(self.path) as file:
            try:
                return np.asarray(file.get_slice(self.name)[:])
            except (AttributeError, TypeError) as e:
                raise Error(
                    f"{self.path}: {shown(self.name)} is of dtype {self.dtype}, which numpy cannot "
                    "hold."
                ) from e


def open_file(path: Path) -> Any:
    """Open a safetensors file for lazy reading (the library's ``safe_open``, numpy flavour).

    Raises:
        Error: if the file is missing, truncated, or its header does not describe its bytes.
    """
    from safetensors import SafetensorError, safe_open

    if not is_file(path):
        raise Error(f"{shown(path)} does not exist or is not a file; expected a safetensors file.")
    try:
        # Of a file that may not be read, the library says that it does not exist.
        path.open("rb").close()
    except OSError as e:
        raise Error(f"{shown(path)} cannot be read: {e.strerror or e}.") from e
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as e:
        if other := _other_kind(path):
            raise Error(f"{shown(path)} is no safetensors file, but {other}.") from e
        raise Error(
            f"{shown(path)} ({path.stat().st_size} bytes) is not a whole safetensors file: "
            f"{shown(e)}. It may be truncated; fetch or write it again."
        ) from e


_PAGE = (
    "a page of HTML or XML, as servers send where a login or another address is needed; fetch the "
    "file again"
)
_KINDS = (
    (b"version https://git-lfs", "a pointer of Git LFS to one; fetch the file that it stands for, "
     "by `git lfs pull` in the clone, or by `hf download`"),
    (b"GGUF", "a GGUF file, which is not read; give the safetensors files of the model"),
    (b"PK\x03\x04", "a file of torch.save; load it with torch and save its tensors with "
     "safetensors.torch.save_file"),
    (b"<!doctype", _PAGE), (b"<html", _PAGE), (b"<?xml", _PAGE),
)  # fmt: skip
"""Of files that have the place of safetensors files: their first bytes, and what they are."""


def _other_kind(path: Path) -> str | None:
    """What a file is that is no safetensors file, if its first bytes tell."""
    try:
        with path.open("rb") as file:
            first = file.read(64).lstrip()
    except OSError:
        return None
    return next((what for start, what in _KINDS if first.lower().startswith(start.lower())), None)


def is_file(path: Path) -> bool:
    """`Path.is_file` that is False, too, for names which the file system refuses."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)


def tensors_of(path: Path) -> dict[str, Stored]:
    """All tensors of a file, by name.

    Raises:
        Error: as `open_file`; also if two tensors have one name.
    """
    with open_file(path) as library:
        names = set(library.keys())
    try:
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(start - 8), object_pairs_hook=_no_duplicates)
        header.pop("__metadata__", None)
        if set(header) != names:
            raise ValueError("the file changed while it was read")
        found = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            place = (tuple(entry["shape"]), start + begin, end - begin)
            found[name] = Stored(path, name, entry["dtype"], *place)
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as e:
        raise Error(f"{shown(path)} is not a whole safetensors file: {shown(e)}.") from e
    return found
