# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels kept on disk: a folder of artifact folders that many processes share.

An entry is complete or not there: it is written beside its place and renamed. It carries a digest
of its files, and one that does not fit is dropped. The folder is held below a size by dropping
what was not used for longest.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from ._files import making
from .artifact import Artifact
from .errors import Error
from .routing_artifact import RoutingArtifact

_A = TypeVar("_A", Artifact, RoutingArtifact)

_log = logging.getLogger(__name__)
_DIGEST = "digest"
_SCRATCH = ".scratch-"
_STALE_SECONDS = 3600
"""Scratch folders older than this belong to processes that died."""
_SLACK = 16
"""A process looks through the folder when it has stored this part of the limit since it did last,
because to look at thousands of entries takes longer than to compile a kernel."""

_unseen: dict[Path, int] = {}
"""Bytes that this process has stored in a folder since it looked through it."""


def cache_folder() -> Path:
    """Where compiled kernels are kept: MXFP4_CACHE, or ``mxfp4`` in the user's cache folder."""
    chosen = os.environ.get("MXFP4_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mxfp4"


def cache_limit() -> int:
    """Bytes that the cache may take: MXFP4_CACHE_MB megabytes, 512 by default.

    Raises:
        Error: if MXFP4_CACHE_MB is not a number of megabytes.
    """
    text = os.environ.get("MXFP4_CACHE_MB", "512")
    if not text.isdecimal():
        raise Error(f"MXFP4_CACHE_MB must be a whole number of megabytes, got {text!r}.")
    return int(text) * 10**6


def digest_of(folder: Path) -> str:
    """Digest of the names and bytes of an entry's files."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(p for p in folder.iterdir() if p.name != _DIGEST):
        data = file.read_bytes()
        digest.update(f"{file.name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


class Cache:
    """The kernels in a folder.

    Nothing here fails for want of a cache: what cannot be read is a miss, and what cannot be
    written is logged.

    Args:
        folder: made when something is stored.
        limit: bytes that it may take, and a sixteenth more for each process that stores kernels.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    @overload
    def load(self, key: str) -> Artifact | None: ...

    @overload
    def load(self, key: str, read: Callable[[Path], _A]) -> _A | None: ...

    def load(self, key: str, read: Callable[[Path], Any] = Artifact.load) -> Any:
        """The artifact of a key, which ``read`` takes from its folder, or None."""
        entry = self.folder / key
        if not entry.is_dir():
            return None
        try:
            if (entry / _DIGEST).read_text() != digest_of(entry):
                raise Error(f"{entry} does not fit its digest.")
            artifact = read(entry)
            os.utime(entry)
        except FileNotFoundError:  # another process drops it just now, or lost half of it
            reason = f"{entry} is not complete"
        except (Error, OSError, UnicodeDecodeError) as e:
            reason = str(e)
        else:
            return artifact
        _log.warning("a cached kernel is unusable and is compiled again: %s", reason)
        self._drop(entry)
        return None

    def store(self, key: str, artifact: Artifact | RoutingArtifact) -> None:
        """Keep an artifact; of several processes that store one key, the first wins."""
        entry = self.folder / key
        try:
            with making(self.folder):
                size = self._place(entry, artifact)
            stored = _unseen.get(self.folder)
            if stored is None or (stored + size) * _SLACK > self.limit:
                self.prune()
            else:
                _unseen[self.folder] = stored + size
        except OSError as e:
            if not entry.is_dir():
                _log.info("the compiled kernel was not cached in %s: %s", entry, e)

    def _place(self, entry: Path, artifact: Artifact | RoutingArtifact) -> int:
        """Write an entry beside its place and rename it; its bytes."""
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.folder))
        try:
            artifact.save(scratch)
            (scratch / _DIGEST).write_text(digest_of(scratch))
            size = sum(file.stat().st_size for file in scratch.iterdir())
            scratch.rename(entry)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return size

    def entries(self) -> list[Path]:
        """All entries, the one used longest ago first."""
        return [entry for _, _, entry in self._by_age()]

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._by_age())

    def prune(self) -> None:
        """Drop the entries used longest ago until the rest fits, and what dead processes left."""
        _unseen[self.folder] = 0
        entries = self._by_age()
        total = sum(size for _, size, _ in entries)
        for _, size, entry in entries:
            if total <= self.limit:
                break
            self._drop(entry)
            total -= size
        for scratch in self.folder.glob(f"{_SCRATCH}*"):
            try:
                if time.time() - scratch.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(scratch, ignore_errors=True)
            except FileNotFoundError:
                pass  # another process was quicker

    def _by_age(self) -> list[tuple[float, int, Path]]:
        found = []
        for entry in self.folder.iterdir() if self.folder.is_dir() else ():
            if entry.name.startswith("."):
                continue
            try:
                with os.scandir(entry) as files:
                    sizes = {file.name: file.stat().st_size for file in files}
                if _DIGEST in sizes:
                    found.append((entry.stat().st_mtime, sum(sizes.values()), entry))
            except (FileNotFoundError, NotADirectoryError):
                pass  # dropped meanwhile, or no entry
        return sorted(found)

    def _drop(self, entry: Path) -> None:
        """Remove an entry; renamed first, so that nobody finds half of it."""
        try:
            gone = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.folder))
            try:
                entry.rename(gone / entry.name)
            finally:
                shutil.rmtree(gone, ignore_errors=True)
        except OSError as e:
            _log.info("%s could not be dropped from the cache: %s", entry, e)
