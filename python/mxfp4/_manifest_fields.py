# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Entries of a manifest's JSON, each checked as it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import Error
from .names import shown

T = TypeVar("T")
FORMAT = "mxfp4-artifact"
VERSION = 4
VERSIONS = (3, VERSION)
"""Versions that are read. Kernels of 3 let the next one begin before they wait."""
MOST = 2**31 - 1
"""Sizes in a manifest are those of i32."""


def parsed(text: str, origin: str, read: Callable[[Any], T]) -> T:
    """What ``read`` makes of a manifest's JSON text; errors name the origin."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise Error(f"{origin} is not JSON: {e}.") from e
    try:
        return read(raw)
    except Error as e:
        raise Error(f"{origin}: {e}") from e


def get(node: Any, path: str, kind: type | tuple[type, ...]) -> Any:
    """The value at a dotted path, checked to be of a JSON type."""
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            raise Error(f'"{path}" is missing.')
        node = node[key]
    if not isinstance(node, kind) or (isinstance(node, bool) and kind is int):
        raise Error(f'"{path}" has a wrong type: {shown(json.dumps(node))}.')
    return node


def number(node: Any, path: str, low: int) -> int:
    """A number at a dotted path, from ``low`` on."""
    value = get(node, path, int)
    if value < low:
        raise Error(f'"{path}" must be at least {low}, got {shown(value)}.')
    if value > MOST:
        raise Error(f'"{path}" must be at most {MOST}, got {shown(value)}.')
    return value


def choice(node: Any, path: str, allowed: tuple[str, ...]) -> str:
    """A word at a dotted path, one of these."""
    value = get(node, path, str)
    if value not in allowed:
        raise Error(f'"{path}" must be one of {list(allowed)}, got "{shown(value)}".')
    return value


def triple(node: Any, path: str) -> tuple[int, int, int]:
    """Three positive numbers at a dotted path."""
    value = get(node, path, list)
    if len(value) != 3 or not all(type(v) is int and 1 <= v <= MOST for v in value):
        raise Error(f'"{path}" must be three positive numbers, got {shown(value)}.')
    return value[0], value[1], value[2]


def flag(node: Any, name: str) -> bool:
    """A truth value, false where there is none."""
    return name in node and bool(get(node, name, bool))


def resources(raw: Any) -> dict[str, Any]:
    """Registers and spills, and what counted them; empty if the kernel was not assembled."""
    if raw.get("resources") is None:
        return {}
    found: dict[str, Any] = get(raw, "resources", dict)
    for name in ("registers", "spill_bytes"):
        if name in found:
            number(found, name, 0)
    return found
