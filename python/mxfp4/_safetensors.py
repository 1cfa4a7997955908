# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Opening safetensors files, with errors that a user can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import Error


def open_file(path: Path) -> Any:
    """Open a safetensors file for lazy reading (the library's ``safe_open``, numpy flavour).

    Raises:
        Error: if the file is missing, truncated, or its header does not describe its bytes.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise Error(f"{path} does not exist or is not a file; expected a safetensors file.")
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as e:
        raise Error(
            f"{path} ({path.stat().st_size} bytes) is not a whole safetensors file: {e}. It may be "
            "truncated; fetch or write it again."
        ) from e
