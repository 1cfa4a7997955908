# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels: a folder with ``manifest.json``, ``kernel.ptx`` and maybe ``kernel.cubin``.

The manifest says everything that a launcher must know, so that running a kernel needs neither the
compiler nor any knowledge of how it works.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from ._files import making, read_input, write_together
from ._manifest_fields import FORMAT, VERSION
from ._typed import typed
from .errors import Error
from .manifest import Argument, Manifest
from .names import shown

__all__ = ["FORMAT", "VERSION", "Argument", "Artifact", "Manifest", "load_all", "write_folders"]


_M = TypeVar("_M")
Content = tuple[Mapping[str, Any], str, bytes | None]
"""A manifest, PTX and a cubin, if there is one."""


@typed
class Saved:
    """What is saved of a compiled kernel, of whatever operation."""

    manifest: Any
    ptx: str
    cubin: bytes | None

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write an artifact folder; it is made if it is not there.

        Raises:
            OSError: if a file cannot be written; an artifact that was there before stays.
        """
        write_folders({Path(folder): self.content()})

    def content(self) -> Content:
        """What `write_folders` writes."""
        return self.manifest.raw, self.ptx, self.cubin


@typed
@dataclass(frozen=True, repr=False)
class Artifact(Saved):
    """A compiled kernel.

    Attributes:
        manifest: what it is and how to launch it.
        ptx: PTX text.
        cubin: machine code, or None if it was not assembled.
        origin: where it came from, for messages.
    """

    manifest: Manifest
    ptx: str
    cubin: bytes | None = None
    origin: str = "artifact"

    def __repr__(self) -> str:
        """What it is and where from, on one line, without the PTX."""
        m = self.manifest
        cubin = f"{len(self.cubin)} bytes of cubin" if self.cubin else "no cubin"
        return (
            f"Artifact({self.origin}: {m.entry} for E={m.experts}, N={m.n}, K={m.k}, {m.layout}, "
            f"{m.output}, rows {m.rows_hint or 'any'}, {m.target}; {len(self.ptx)} bytes of PTX, "
            f"{cubin})"
        )

    def __post_init__(self) -> None:
        if f".entry {self.manifest.entry}" not in self.ptx:
            raise Error(
                f"{self.origin}: the PTX has no entry {shown(self.manifest.entry)!r}, which the "
                "manifest names."
            )
        if self.cubin is not None and not self.cubin.startswith(b"\x7fELF"):
            raise Error(f"{self.origin}: the cubin is not an ELF file.")

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> Artifact:
        """Read an artifact folder.

        Raises:
            Error: if a file is missing or unreadable, or the manifest is wrong.
        """
        path = Path(folder)
        manifest, ptx, cubin = read_folder(path, Manifest.parse)
        return Artifact(manifest, ptx, cubin, str(path))


def _known(content: bytes) -> dict[str, int]:
    """What tells a file from others; a checksum finds damage, not malice."""
    return {"bytes": len(content), "crc32": zlib.crc32(content)}


def _checksum(text: str) -> str:
    """Of a manifest: 8 digits, from its text without blanks between words and without them."""
    words = re.sub(r'("(?:[^"\\]|\\.)*")|[ \n\r\t]+', lambda m: m[1] or "", text)
    words = re.sub(r'(?<="checksum":")[^"]*', "", words, count=1)
    return f"{zlib.crc32(words.encode()):08x}"


def _sealed(raw: Mapping[str, Any]) -> str:
    """The text of a manifest that says how to know it."""
    text = json.dumps({**raw, "checksum": ""}, indent=2) + "\n"
    return text.replace('"checksum": ""', f'"checksum": "{_checksum(text)}"')


def read_folder(path: Path, parse: Callable[[str, str], _M]) -> tuple[_M, str, bytes | None]:
    """The manifest, PTX, and the cubin if there is one, of an artifact folder.

    Args:
        path: the folder.
        parse: reads a manifest, whose name in messages comes second. It gets the text without
            "files" and "checksum", which say what was written.

    Raises:
        Error: if a file is missing, unreadable, or not the one that was written, or as ``parse``.
    """
    names = ("manifest.json", "kernel.ptx", "kernel.cubin")
    try:
        found = {
            name: read_input(path / name, "a file of an artifact")
            for name in names
            if (path / name).is_file()
        }
    except OSError as e:
        raise Error(f"{path} is not an artifact that can be read: {e}.") from e
    for name in ("manifest.json", "kernel.ptx"):
        if name not in found:
            raise Error(
                f"{path} is not an artifact: it has no {name}. An artifact is a folder that "
                "mxfp4-compile or Artifact.save wrote."
            )
    try:
        text, ptx = found["manifest.json"].decode(), found["kernel.ptx"].decode()
    except UnicodeDecodeError as e:
        raise Error(f"{path}: a text file of the artifact is damaged ({e}).") from e
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raw = None  # whoever parses the text says so
    whole = True
    if isinstance(raw, dict) and "files" in raw:
        files, checksum = raw.pop("files"), raw.pop("checksum", None)
        whole = checksum in (None, _checksum(text))
        if not isinstance(files, dict):
            raise Error(f'{path}/manifest.json: "files" has a wrong type: {shown(files)}.')
        for name in found.keys() - {"manifest.json"}:
            if files.get(name) != _known(found[name]):
                raise Error(
                    f"{path / name} is not the file that the artifact was written with: it is "
                    "damaged, was changed, or is of another artifact. Copy or compile the whole "
                    'artifact again, or, if the change was meant, take "files" out of '
                    "manifest.json."
                )
        text = json.dumps(raw)
    manifest = parse(text, str(path / "manifest.json"))  # what is wrong in it says more
    if not whole:
        raise Error(
            f"{path}/manifest.json: it is not as it was written: it is damaged or was changed. "
            "Copy or compile the whole artifact again, or, if the change was meant, take "
            '"files" out of it.'
        )
    return manifest, ptx, found.get("kernel.cubin")


def write_folders(
    artifacts: Mapping[Path, Content], last: Mapping[Path, str | bytes] = MappingProxyType({})
) -> None:
    """Write several artifacts, and then files that speak of them, so that all are there or none.

    Args:
        artifacts: by their folders, which are made if they are not there.
        last: what is written behind them.

    Raises:
        OSError: if a file cannot be written; artifacts that were there before stay. If a whole file
            cannot take its place, their manifests are gone, so that nothing takes new files
            together with old ones for an artifact.
    """
    files: dict[Path, str | bytes] = {}
    # What an earlier artifact left there must not be taken for part of this one.
    obsolete = [folder / name for folder in artifacts for name in ("manifest.json", "kernel.cubin")]
    with ExitStack() as stack:
        for folder, (raw, ptx, cubin) in artifacts.items():
            stack.enter_context(making(folder))
            code = {"kernel.ptx": ptx.encode()} | ({"kernel.cubin": cubin} if cubin else {})
            known = {name: _known(content) for name, content in code.items()}
            files |= {folder / name: content for name, content in code.items()}
            files[folder / "manifest.json"] = _sealed({**raw, "files": known})
        write_together({**files, **last}, [*last, *obsolete])


QUANTIZE = "quantize-k"
"""How the name of a folder begins whose kernel rounds rows to FP8, in front of matmuls."""


@typed
def load_all(folder: str | os.PathLike[str]) -> list[Artifact]:
    """All artifacts of matmuls in the direct subfolders, by name.

    Raises:
        Error: if there are none, or one is broken.
    """
    found = sorted(p.parent for p in Path(folder).glob("*/manifest.json")
                   if not p.parent.name.startswith(QUANTIZE))  # fmt: skip
    if not found:
        raise Error(f"{folder} has no artifacts: expected subfolders with a manifest.json.")
    return [Artifact.load(p) for p in found]
