# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from .errors import Error

_T = TypeVar("_T")
_MOST_LINKS = 40
"""Symbolic links that Linux follows in one path."""


@contextmanager
def naming(
    path: str | os.PathLike[str], scratch: Path | None = None
) -> Iterator[Callable[[Iterable[_T]], Iterator[_T]]]:
    """Let errors of writing a file name it: where a disk is full, Python's name none.

    Gives what to iterate with over the source of what is written, whose errors are left as they
    are: they are not those of this file.

    Args:
        path: the file.
        scratch: what is written in its place until it is whole.
    """
    of_others: list[OSError] = []

    def reading(source: Iterable[_T]) -> Iterator[_T]:
        items = iter(source)
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except OSError as e:
                of_others.append(e)
                raise
            yield item

    try:
        yield reading
    except OSError as e:
        mine = e.filename is None or (scratch is not None and e.filename == os.fspath(scratch))
        if mine and all(e is not other for other in of_others):
            e.filename = os.fspath(path)
        raise


def check_regular(path: Path) -> None:
    """Refuse what a file would take the place of.

    Raises:
        Error: if the path is that of a device, a pipe, a folder, or of an open file.
    """
    if (path.exists() and not path.is_file()) or _descriptor(path) is not None:
        raise Error(f"{path} is a folder, a device or a pipe; give the name of a file to write.")


def open_scratch(scratch: Path, target: Path) -> BinaryIO:
    """Open a new file that will take another's place: whoever may read that may read this."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags, 0o666 if mode is None else mode & 0o777)

    file = open(scratch, "xb", opener=opener)  # noqa: SIM115
    if mode is not None and stat.S_IMODE(os.fstat(file.fileno()).st_mode) != mode:
        os.fchmod(file.fileno(), mode)  # what the umask took away
    return file


def _descriptor(path: Path) -> int | None:
    """The open file of this process that a path such as /dev/stdout is a name of."""
    mine = Path("/proc/self").resolve()
    for _ in range(_MOST_LINKS):
        folder = path.parent.resolve()
        if folder.name == "fd" and mine in folder.parents and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = folder / path.readlink()
    return None


def _write_open(descriptor: int, data: bytes) -> None:
    """Write where an open file of this process is, behind what was printed before."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)


def write_whole(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Write a file so that it is there whole or not at all.

    A symbolic link stays one, a file that was there before leaves its mode, and what is no file,
    such as /dev/stdout, is written to, also if it leads to a file.

    Raises:
        OSError: if the file cannot be written; what was there before stays.
    """
    target = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    with naming(path):
        descriptor = _descriptor(target)
        if descriptor is not None:
            _write_open(descriptor, raw)
            return
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                device.write(raw)
            return
        target = target.resolve() if target.is_symlink() else target
    scratch = target.with_name(f".{secrets.token_hex(8)}.part")
    with naming(path, scratch):
        try:
            with open_scratch(scratch, target) as file:
                file.write(raw)
            scratch.replace(target)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
