# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names that come out of files: how they become file names, and how they are printed.

A tensor's name is chosen by whoever wrote the checkpoint. It may hold slashes, ``..``, a NUL, or
thousands of letters, so a name is never joined to a path. `file_name` maps each name to one plain
file name, and the packed file and its index keep the true name.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

SUFFIX = ".safetensors"
LONGEST = 110
"""Characters of a name that is kept as it is: with all suffixes, short enough for any file system
(eCryptfs has the least room, 143 bytes)."""

_PLAIN = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LONGEST - 1}}}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_SHOWN = 200


def file_name(name: str) -> str:
    """The one file name for a tensor's name.

    A name of at most 110 lower-case ASCII letters, digits, ``.``, ``_`` and ``-`` that starts with
    a letter or a digit is kept, because people look for it: ``NAME.safetensors``. Any other name
    becomes ``READABLE~DIGEST.safetensors``, where READABLE is what can be kept of it, and DIGEST is
    128 bits of SHA-256. Kept names have no ``~`` and no upper case, so two names meet neither on
    file systems that ignore case nor on those that normalise Unicode.
    """
    if _PLAIN.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name + SUFFIX
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    readable = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")
    return f"{readable[: LONGEST - 40].rstrip('-._') or 'tensor'}~{digest}{SUFFIX}"


def inside(folder: Path, name: str) -> Path | None:
    """The path of a file that is named in another file, or None if it is no plain file name.

    The file itself may be a symbolic link to elsewhere, as it is in the cache of a model hub: who
    made the link in the folder owns the folder, and who wrote the name may not.
    """
    if name in ("", ".", "..") or any(c in "/\\\0" for c in name):
        return None
    try:
        if len(name.encode()) > 255:
            return None
    except UnicodeEncodeError:
        return None
    return folder / name


def shown(name: object) -> str:
    """A name as a message or a table may print it.

    Control characters, which a terminal would obey, and lone surrogates, which cannot be encoded,
    are escaped, and the middle of a long name is left out.
    """
    text = str(name)
    if len(text) > _SHOWN:
        text = f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
