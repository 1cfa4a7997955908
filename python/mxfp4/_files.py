# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
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


_MOST_READ = 1 << 27


def read_input(path: str | os.PathLike[str], expected: str) -> bytes:
    """What a user names as input: a file, or a device or a pipe, which may have no end.

    Args:
        path: "-" is the standard input.
        expected: what it should be, for the message.

    Raises:
        Error: if there are more than 128 MiB, as in /dev/zero.
        OSError: if it cannot be read.
    """
    if os.fspath(path) == "-":
        found = sys.stdin.buffer.read(_MOST_READ + 1)
    else:
        with open(path, "rb") as file:
            found = file.read(_MOST_READ + 1)
    if len(found) > _MOST_READ:
        raise Error(f"{path} has more than {_MOST_READ >> 20} MiB; expected {expected}.")
    return found


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


def _place(path: str | os.PathLike[str], raw: bytes) -> Path | None:
    """The file that a new one takes the place of, or None if ``raw`` was written to what is no
    file."""
    target = Path(path)
    with naming(path):
        descriptor = _descriptor(target)
        if descriptor is not None:
            _write_open(descriptor, raw)
            return None
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                device.write(raw)
            return None
        return target.resolve() if target.is_symlink() else target


def write_together(
    files: Mapping[Path, str | bytes],
    obsolete: Iterable[str | os.PathLike[str]] = (),
    ahead: Callable[[], object] = lambda: None,
) -> None:
    """Write files so that all are there whole or none is; each as `write_whole` does.

    Nothing takes its place before the contents of all are on the disk, and then they do in their
    order.

    Args:
        files: what each shall contain.
        obsolete: files to remove just before the first of the others takes its place.
        ahead: called between the two, to put other files in their places.

    Raises:
        OSError: if a file cannot be written; what was there before stays. If a whole file cannot
            take its place, as where a folder has its name by then, ``obsolete`` is gone already,
            and so is what files before this one took the place of.
    """
    pending: list[tuple[Path, Path, Path]] = []
    try:
        for path, data in files.items():
            raw = data.encode() if isinstance(data, str) else data
            target = _place(path, raw)
            if target is None:
                continue
            scratch = target.with_name(f".{secrets.token_hex(8)}.part")
            pending.append((path, scratch, target))
            with naming(path, scratch), open_scratch(scratch, target) as file:
                file.write(raw)
        for old in obsolete:
            Path(old).unlink(missing_ok=True)
        ahead()
        for path, scratch, target in pending:
            with naming(path, scratch):
                scratch.replace(target)
    except BaseException:
        for _, scratch, _ in pending:
            discard(scratch)
        raise


def discard(scratch: Path) -> None:
    """Remove what was being written, if it is there; what went wrong before is what counts."""
    with suppress(OSError):
        scratch.unlink()


def write_whole(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Write a file so that it is there whole or not at all.

    A symbolic link stays one, a file that was there before leaves its mode, and what is no file,
    such as /dev/stdout, is written to, also if it leads to a file.

    Raises:
        OSError: if the file cannot be written; what was there before stays.
    """
    write_together({Path(path): data})


def write_or_print(path: str | os.PathLike[str], text: str) -> None:
    """Write a file with what took long to find out; what cannot be written is printed instead.

    Raises:
        OSError: if the file cannot be written.
    """
    try:
        write_whole(path, text)
    except OSError:
        print(text)
        raise


@contextmanager
def making(path: str | os.PathLike[str], ours: Iterable[str] = ()) -> Iterator[Path]:
    """Make a folder and those that it is in, which are removed again if nothing comes of it.

    Args:
        path: of the folder.
        ours: names of files that are nothing by themselves, such as a lock.

    Raises:
        OSError: if the folder cannot be made.
    """
    folder = Path(path)
    made = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException:
        with suppress(OSError):  # a folder that has something in it stays
            if made and {p.name for p in folder.iterdir()} <= set(ours):
                for name in ours:
                    (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            for each in made:
                if each.exists():
                    each.rmdir()
        raise
