# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The libraries that a shared library is linked with, read from its file: nothing is loaded."""

from __future__ import annotations

import os
import struct
from functools import cache
from itertools import chain
from pathlib import Path

_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29
_LOAD, _DYNAMIC = 1, 2


@cache
def _dynamic(path: Path, size: int, modified: int) -> tuple[list[str], list[str]]:
    """Names of needed libraries, and the folders to look in; none if it is no ELF file of 64 bits.

    ``size`` and ``modified`` tell files apart that had one name.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return [], []
    try:
        (start,) = struct.unpack_from("<Q", data, 0x20)
        width, count = struct.unpack_from("<HH", data, 0x36)
        # type, flags, offset, address, physical address, bytes in the file
        segments = [struct.unpack_from("<IIQQQQ", data, start + i * width) for i in range(count)]
        _, _, offset, _, _, length = next(s for s in segments if s[0] == _DYNAMIC)
        tags = list(struct.iter_unpack("<qQ", data[offset : offset + length]))
        address = next(value for tag, value in tags if tag == _STRINGS)
        strings = next(s[2] + address - s[3] for s in segments
                       if s[0] == _LOAD and s[3] <= address < s[3] + s[5])  # fmt: skip
        named = [(tag, data[strings + v : data.index(0, strings + v)].decode(errors="replace"))
                 for tag, v in tags if tag in (_NEEDED, _RPATH, _RUNPATH)]  # fmt: skip
    except (struct.error, StopIteration, ValueError):
        return [], []
    folders = [text.split(":") for tag, text in named if tag != _NEEDED]
    return [text for tag, text in named if tag == _NEEDED], list(chain.from_iterable(folders))


def linked(path: Path) -> list[Path]:
    """The files of the libraries that a library needs.

    They are looked for in LD_LIBRARY_PATH and in the folders that the library names. Those that the
    system's loader finds elsewhere, such as the C library, are left out.
    """
    stamp = path.stat()
    names, folders = _dynamic(path, stamp.st_size, stamp.st_mtime_ns)
    chosen = [f for f in os.environ.get("LD_LIBRARY_PATH", "").split(":") if f]
    own = [f.replace("$ORIGIN", str(path.resolve().parent)) for f in folders]
    places = [Path(folder) for folder in [*chosen, *own]]
    found = (next((p / name for p in places if (p / name).is_file()), None) for name in names)
    return [file for file in found if file is not None]
