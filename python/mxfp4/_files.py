# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Error


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let each OSError name this file: where a disk is full, Python's names none."""
    try:
        yield
    except OSError as e:
        e.filename = os.fspath(path)
        raise


def check_regular(path: Path) -> None:
    """Refuse what a file would take the place of.

    Raises:
        Error: if the path is that of a device, a pipe or a folder.
    """
    if path.exists() and not path.is_file():
        raise Error(f"{path} is a folder, a device or a pipe; give the name of a file to write.")


def write_whole(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Write a file so that it is there whole or not at all.

    A symbolic link stays one, and what is no file, such as /dev/stdout, is written to.

    Raises:
        OSError: if the file cannot be written; what was there before stays.
    """
    target = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    with naming(path):
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                device.write(raw)
            return
        target = target.resolve() if target.is_symlink() else target
        scratch = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with scratch.open("xb") as file:
                file.write(raw)
            scratch.replace(target)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
