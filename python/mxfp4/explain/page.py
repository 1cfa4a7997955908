# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One HTML file from what `collect` gathered and the parts in ``page/``."""

from __future__ import annotations

import base64
import gzip
import html
import json
from importlib import resources
from typing import Any

# In this order: later scripts use what earlier ones define.
_SCRIPTS = (
    "core",
    "bits",
    "overview",
    "schedule",
    "layout",
    "decode",
    "passes",
    "ptx",
    "numbers",
    "glossary",
)


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def render(report: dict[str, Any]) -> str:
    """The page. The data are compressed: IR after every pass is much alike."""
    packed = gzip.compress(json.dumps(report, separators=(",", ":")).encode(), mtime=0)
    parts = {
        "@TITLE@": html.escape(report["title"]),
        "@STYLE@": _part("page.css"),
        "@SCRIPT@": "\n".join(_part(f"{name}.js") for name in _SCRIPTS),
        "@DATA@": base64.b64encode(packed).decode(),
    }
    page = _part("page.html")
    for mark, text in parts.items():
        page = page.replace(mark, text)
    return page
