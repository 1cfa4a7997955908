# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads manifests, and says of a wrong one which entry is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._manifest_fields import (
    FORMAT,
    MOST,
    VERSIONS,
    choice,
    flag,
    get,
    number,
    resources,
    triple,
)
from .errors import Error
from .layout import Layout
from .manifest import KINDS, ROW_COUNTERS, Argument, Manifest
from .names import shown

_DTYPES = ("bf16", "e4m3", "f32", "i32", "u8")
_CALLERS = ("x", "weights", "offsets", "y")
"""What every call provides."""

_PLAIN = Layout()


def read(raw: Any) -> Manifest:
    """A manifest of parsed JSON, checked entry by entry."""
    _check_kind(raw)
    activation = choice(raw, "problem.activation", ("bf16", "e4m3"))
    choice(raw, "weights.layout", ("fragment_major",))
    choice(raw, "launch.grid.rule", ("persistent",))
    layout = _layout(raw, activation)
    ids = get(raw, "problem.expert_ids", bool)
    experts, groups = number(raw, "problem.experts", 1), number(raw, "problem.groups", 1)
    if not ids and groups != experts:
        raise Error(
            f"without expert ids there is a group for each expert, got {groups} groups "
            f"and {experts} experts."
        )
    k = number(raw, "problem.k", 32)
    if k % 32:
        raise Error(f'"problem.k" must be a multiple of 32, got {k}.')
    output = choice(raw, "problem.output", ("bf16", "f32", "e4m3"))
    arguments = _arguments(raw, layout)
    return Manifest(
        entry=get(raw, "entry", str),
        target=get(raw, "target", str),
        experts=experts,
        groups=groups,
        n=number(raw, "problem.n", 1),
        k=k,
        output=output,
        operands=_operands(arguments, ids),
        rows_hint=_rows_hint(raw),
        most_rows=_most_rows(raw),
        layout=layout,
        scales=_promised_scales(raw),
        block=triple(raw, "launch.block"),
        cluster=triple(raw, "launch.cluster"),
        dynamic_shared_bytes=number(raw, "launch.dynamic_shared_bytes", 0),
        ctas_per_sm=number(raw, "launch.grid.ctas_per_sm", 1),
        arguments=arguments,
        activation=activation,
        accumulation=_accumulation(raw, activation),
        columns=_columns(raw),
        pairs=_takes_pairs(raw, arguments),
        batch_invariant=flag(raw["problem"], "batch_invariant"),
        schedule=get(raw, "schedule", dict),
        resources=resources(raw),
        device=_device(raw),
        versions=get(raw, "versions", dict),
        raw=raw,
    )


def _check_kind(raw: Any) -> None:
    """Format, version, and that it is of a grouped matmul."""
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise Error(f'expected an object with "format": "{FORMAT}".')
    if raw.get("version") not in VERSIONS:
        raise Error(
            f"this package reads manifests of versions {VERSIONS[0]} and {VERSIONS[1]}, got "
            f"{shown(repr(raw.get('version')))}; "
            "compile the kernel again."
        )
    if "operation" in raw:
        raise Error(
            f"this is a kernel of {shown(repr(raw['operation']))}, not a grouped matmul; load it "
            "with mxfp4.routing_artifact.RoutingArtifact."
        )


def _layout(raw: Any, activation: str) -> Layout:
    layout = Layout(get(raw, "weights.order", str), get(raw, "weights.scales", str))
    if get(raw, "weights.block_bytes", int) != layout.block_bytes:
        raise Error(f'"weights.block_bytes" must be {layout.block_bytes}.')
    if (activation == "e4m3") != (layout.activations == "fp8"):
        raise Error(f"weights in {layout} are not for activations in {activation}.")
    return layout


def _operands(arguments: tuple[Argument, ...], ids: bool) -> frozenset[str]:
    """What callers provide besides what every call does."""
    # Numbers of rows of their own are those of tensors, which the launcher passes on.
    given = (a.name for a in arguments if a.provider == "caller" and not a.is_number)
    operands = frozenset(given) - {*_CALLERS}
    if ids != ("expert_ids" in operands):
        raise Error(
            f'"arguments" must {"" if ids else "not "}have expert_ids of the caller\'s, since '
            f'"problem.expert_ids" is {str(ids).lower()}.'
        )
    return operands


def _accumulation(raw: Any, activation: str) -> str:
    """How sums of FP8 products are taken; those of bf16 products are sums in f32."""
    if activation == "bf16":
        return ""
    return choice(raw, "problem.accumulation", ("fast", "promoted512", "promoted128"))


def _device(raw: Any) -> dict[str, Any]:
    """Manifests did not always say for which device a schedule was chosen."""
    if raw.get("device") is None:
        return {}
    found: dict[str, Any] = get(raw, "device", dict)
    if not re.fullmatch(r"[a-z0-9=,-]{1,200}", get(raw, "device.name", str)):
        raise Error(f'"device.name" must be a device in words, got {shown(found["name"])!r}.')
    for name in ("multiprocessors", "bandwidth"):
        number(raw, f"device.{name}", 1)
    return found


def _columns(raw: Any) -> str:
    if "columns" not in raw["weights"]:
        return "plain"
    return choice(raw, "weights.columns", ("plain", "interleaved", "apart"))


def _takes_pairs(raw: Any, arguments: tuple[Argument, ...]) -> bool:
    """Whether y has half as many columns as the weights."""
    n = number(raw, "problem.n", 1)
    return any(a.name == "y" and a.shape[-1:] == (n // 2,) and n > 1 for a in arguments)


def _promised_scales(raw: dict[str, Any]) -> tuple[int, int] | None:
    """The bounds of scale bytes under which the kernel is the program."""
    promises = get(raw, "weights", dict).get("promises", {})
    bounds = promises.get("scales") if isinstance(promises, dict) else promises
    if bounds is None:
        return None
    is_pair = isinstance(bounds, list) and len(bounds) == 2
    if not is_pair or not all(type(bound) is int and 0 <= bound <= 255 for bound in bounds):
        raise Error('"weights.promises.scales" must be two bytes, the smallest and the largest.')
    return bounds[0], bounds[1]


def _rows_hint(raw: Any) -> tuple[int, int] | None:
    hint = raw["problem"].get("rows_hint")
    if hint is None:
        return None
    if not (isinstance(hint, list) and len(hint) == 2 and all(type(v) is int for v in hint)):
        raise Error(f'"problem.rows_hint" must be two numbers, got {shown(hint)}.')
    return hint[0], hint[1]


def _most_rows(raw: Any) -> int:
    """Tiles are numbered by i32; each group's last one may be almost empty."""
    tile_rows, tokens = (number(raw, f"schedule.tile.{name}", 1) for name in ("rows", "tokens"))
    columns = -(-raw["problem"]["n"] // tile_rows)
    tiles = (2**31 - 1) // columns - raw["problem"]["groups"]
    return max(0, min(tiles * tokens, 2**31 - 1))


def _boxes(item: Any) -> tuple[tuple[int, int], ...]:
    boxes = get(item, "boxes", list)
    for box in boxes or [boxes]:
        if not (isinstance(box, list) and len(box) == 2) or not all(
            type(v) is int and 1 <= v <= 256 for v in box
        ):
            raise Error(
                f"the box of a tensor map must be two numbers from 1 to 256, got {shown(box)}."
            )
    return tuple((box[0], box[1]) for box in boxes)


def _known_shapes(raw: Any, layout: Layout) -> dict[str, tuple[int | str, ...]]:
    """What follows from the problem: shapes of the arguments that kernels had before manifests
    stated shapes."""
    n, k = number(raw, "problem.n", 1), number(raw, "problem.k", 1)
    experts, groups = number(raw, "problem.experts", 1), number(raw, "problem.groups", 1)
    # Numbers of rows of their own have arguments named after them.
    own = {str(item.get("name")) for item in get(raw, "arguments", list) if isinstance(item, dict)}
    first = {name: f"{name}_rows" if f"{name}_rows" in own else "rows" for name in ("x", "y")}
    known: dict[str, tuple[int | str, ...]] = {
        "x": (first["x"], k),
        "weights": (experts, *layout.shape(n, k)),
        "offsets": (groups + 1,),
        "expert_ids": (groups,),
        "y": (first["y"], n),
        "error": (1,),
        "workspace": (ROW_COUNTERS if "through" in own else 2,),
    }
    if "epilogue" in raw["problem"]:
        del known["y"]  # has as many columns as the epilogue makes
    return known


def _shape(item: Any, known: tuple[int | str, ...] | None) -> tuple[int | str, ...]:
    if "shape" not in item and known is not None:
        return known
    name, extents = item["name"], get(item, "shape", list)
    for i, extent in enumerate(extents):
        if not (type(extent) is int and 1 <= extent <= MOST) and (
            i or extent not in ("rows", f"{name}_rows")
        ):
            raise Error(
                f'the shape of argument "{name}" must be positive numbers, of which the first may '
                f'be "rows" or "{name}_rows", got {shown(extents)}.'
            )
    if known is not None and tuple(extents) != known:
        raise Error(
            f'the shape of argument "{name}" must be {list(known)} for this problem, '
            f"got {shown(extents)}."
        )
    return tuple(extents)


def _argument(
    item: Any, shapes: dict[str, tuple[int | str, ...]], types: Mapping[str, str]
) -> Argument:
    name, kind = get(item, "name", str), choice(item, "kind", tuple(KINDS))
    if not name.isidentifier() or not name.isascii():
        raise Error(f'"name" must be a name in letters, digits and _, got "{shown(name)}".')
    is_count = name == "rows" or name.endswith("_rows")
    if (kind in ("i32", "i64")) != is_count or (
        kind == "tensor_maps" and name not in ("x", "through_maps")
    ):
        raise Error(f'argument "{name}" has the wrong kind, {kind}.')
    if is_count:
        return Argument(name, kind, provider="launcher" if name == "rows" else "caller")
    # Manifests of this version did not always say who provides an argument.
    by_name = "launcher" if name in ("error", "workspace") else "caller"
    provider = by_name
    if "provider" in item:
        provider = choice(item, "provider", ("caller", "launcher"))
        if name in shapes and provider != by_name:
            raise Error(f'the "provider" of argument "{name}" must be {by_name}, got {provider}.')
    nullable = "nullable" in item and get(item, "nullable", bool)
    known = types.get(name, "i32" if name in shapes else "")
    return Argument(
        name,
        kind,
        choice(item, "dtype", (known,) if known else _DTYPES),
        number(item, "align", 1),
        _boxes(item) if kind == "tensor_maps" else (),
        _shape(item, shapes.get(name)),
        provider,
        nullable,
    )


def _arguments(raw: Any, layout: Layout = _PLAIN) -> tuple[Argument, ...]:
    shapes = _known_shapes(raw, layout)
    activation = "e4m3" if layout.activations == "fp8" else "bf16"
    types = {"x": activation, "weights": "u8", "y": get(raw, "problem.output", str)}
    parsed = tuple(_argument(item, shapes, types) for item in get(raw, "arguments", list))
    names = [a.name for a in parsed]
    needed = [*_CALLERS, "error", "rows"]
    missing = [name for name in needed if name not in names]
    if missing or len(names) != len(set(names)):
        raise Error(
            f'"arguments" must be different and have {needed} among them, got {shown(names)}.'
        )
    return parsed
