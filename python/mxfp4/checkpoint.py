# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reader of MXFP4 expert weights in safetensors checkpoints.

A checkpoint is one ``.safetensors`` file, or a folder with such files and, if there are several,
``model.safetensors.index.json``. Which tensors are experts, `conventions` says; gpt-oss's pairs
``<name>_blocks`` u8 ``[E, N, K/32, 16]`` and ``<name>_scales`` u8 ``[E, N, K/32]`` are one of its
rows. Nothing is read before it is asked for, and experts can be read one at a time.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ._files import read_input
from ._safetensors import Stored, open_file, tensors_of
from ._typed import typed
from .conventions import wanted
from .errors import Error
from .experts import ExpertTensor
from .gather import find_experts
from .names import inside, shown
from .packed_file import FORMAT as PACKED_FORMAT
from .packed_file import INDEX as PACKED_INDEX

__all__ = ["INDEX", "Checkpoint", "ExpertTensor"]

INDEX = "model.safetensors.index.json"


@typed
class Checkpoint:
    """The MXFP4 expert tensors of a checkpoint.

    Attributes:
        path: as given.
        experts: the expert tensors by name.
        left_out: tensors that look like codes or scales and are no MXFP4 experts, and why.

    Args:
        path: a ``.safetensors`` file, or a folder.

    Raises:
        Error: if there is no checkpoint, a file is missing, truncated or does not hold what the
            index says, or tensors that are meant as experts do not fit together.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._tensors = dict(_tensors(self.path))
        found = find_experts(self._tensors)
        self.experts: dict[str, ExpertTensor] = found.experts
        self.left_out: dict[str, str] = found.left_out

    def __iter__(self) -> Iterator[str]:
        """The names of the expert tensors."""
        return iter(self.experts)

    def __getitem__(self, name: str) -> ExpertTensor:
        """An expert tensor by its name.

        Raises:
            Error: if there is none of that name; the message lists those there are.
        """
        if name not in self.experts:
            known = ", ".join(map(shown, self.experts)) or "none"
            raise Error(f"{self.path} has no MXFP4 expert tensor {name!r}; it has: {known}.")
        return self.experts[name]

    def require(self, names: list[str] | None = None) -> list[ExpertTensor]:
        """Expert tensors by their names, or all of them, of which there is at least one.

        Raises:
            Error: if there is none; the message says what was found and what is read.
        """
        if names is None and not self.experts:
            raise Error(
                f"{shown(self.path)} has no MXFP4 expert tensors. Found: {self._contents()}. "
                "Looked for stacks of codes [E, N, K/2], or a matrix [N, K/2] for each expert "
                "(...experts.0.w1), whose tensors of codes and scales, one for 32 values, are "
                f"named {wanted()}."
            )
        return [self[name] for name in (self.experts if names is None else names)]

    def notes(self) -> list[str]:
        """Sentences on what was left out, alike tensors together."""
        alike: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            alike.setdefault(_pattern(name), []).append(reason)
        return [reasons[0] + (f" (and {len(reasons) - 1} alike)" if len(reasons) > 1 else "")
                for reasons in alike.values()]  # fmt: skip

    def _contents(self, most: int = 5) -> str:
        """The tensors in a few words; what looks like experts comes first."""
        if notes := self.notes():
            rest = f"; and {len(notes) - most} more" if len(notes) > most else ""
            return "; ".join(notes[:most]) + rest
        alike: dict[tuple[str, str], Stored] = {}
        for name, tensor in sorted(self._tensors.items(), key=lambda t: "expert" not in t[0]):
            alike.setdefault((_pattern(name), tensor.dtype), tensor)
        found = [str(tensor) for tensor in alike.values()]
        rest = f", and {len(found) - most} more kinds of tensors" if len(found) > most else ""
        return (", ".join(found[:most]) + rest) or "no tensors"

    def read(self, name: str) -> NDArray[Any]:
        """Any tensor whole, by its full name.

        Raises:
            Error: if there is none of that name.
        """
        if name not in self._tensors:
            raise Error(f"{self.path} has no tensor {name!r}.")
        return self._tensors[name].array()


def _pattern(name: str) -> str:
    return re.sub(r"(?<=\.)[0-9]+(?=\.)", "*", name)


def no_such_checkpoint(path: str | os.PathLike[str]) -> Error:
    """What is to be said where a path does not exist."""
    text = f"{shown(path)} does not exist. Expected a .safetensors file or a folder with some."
    if Path(path).suffix != ".safetensors":
        text += (
            " A model of the Hugging Face hub becomes such a folder by: hf download "
            f"OWNER/{shown(Path(path).name)} --local-dir {shown(path)}"
        )
    return Error(text)


def _tensors(path: Path) -> Iterator[tuple[str, Stored]]:
    try:
        if not path.exists() and not path.is_symlink():
            raise no_such_checkpoint(path)
    except ValueError as e:
        raise no_such_checkpoint(path) from e
    if path.is_file():
        if _is_packed(path):
            raise _already_packed(path)
        yield from tensors_of(path).items()
    elif (path / INDEX).is_file():
        yield from _tensors_of_index(path / INDEX)
    else:
        if path.is_dir():
            os.listdir(path)  # `glob` finds nothing where reading is forbidden
        there = sorted(path.glob("*.safetensors"))
        # Packed weights beside a checkpoint are none of its files.
        files = [file for file in there if not _is_packed(file)]
        if not files and (there or (path / PACKED_INDEX).is_file()):
            raise _already_packed(path)
        if not files:
            raise Error(
                f"{shown(path)} is no checkpoint: expected a .safetensors file, or a folder with "
                f"some.{_weights_of_others(path)}"
            )
        seen: dict[str, Path] = {}
        for file in files:
            for name, tensor in tensors_of(file).items():
                if name in seen:
                    raise Error(
                        f"{shown(name)} is in both {seen[name]} and {file}; which one is meant?"
                    )
                seen[name] = file
                yield name, tensor


def _weights_of_others(folder: Path) -> str:
    """A sentence on the first file in another form, or the first folder that has safetensors."""
    if not folder.is_dir():
        return ""
    for entry in sorted(folder.iterdir()):
        if entry.suffix in (".bin", ".pt", ".pth", ".gguf", ".npz"):
            return f" It has {shown(entry.name)}, whose form is not read."
        if entry.is_dir() and any(entry.glob("*.safetensors")):
            return f" The folder {shown(entry.name)} in it has some."
    return ""


def _is_packed(path: Path) -> bool:
    with open_file(path) as file:
        return (file.metadata() or {}).get("format") == PACKED_FORMAT


def _already_packed(path: Path) -> Error:
    return Error(
        f"{shown(path)} is packed already, and what is needed here is the checkpoint that it was "
        "packed from. `mxfp4 inspect` shows packed weights, and "
        "mxfp4.packed_checkpoint.PackedCheckpoint(FOLDER)[NAME] opens them."
    )


def _tensors_of_index(index: Path) -> Iterator[tuple[str, Stored]]:
    try:
        weight_map = json.loads(read_input(index, "a safetensors index"))["weight_map"]
        entries = [(str(name), str(file)) for name, file in weight_map.items()]
    except Error:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise Error(
            f'{index} is not a safetensors index: expected JSON with a "weight_map" from tensor '
            f"names to file names ({shown(repr(e))})."
        ) from e
    files: dict[str, dict[str, Stored]] = {}
    for name, file in entries:
        path = inside(index.parent, file)
        if path is None:
            raise Error(
                f"{index}: {shown(name)} is said to be in {shown(file)!r}, which is no plain file "
                "name."
            )
        if file not in files:
            files[file] = tensors_of(path)
        if name not in files[file]:
            raise Error(f"{index} says that {shown(name)} is in {shown(file)}, but it is not.")
        yield name, files[file][name]
