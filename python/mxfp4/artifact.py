# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels: a folder with ``manifest.json``, ``kernel.ptx`` and maybe ``kernel.cubin``.

The manifest says everything that a launcher must know, so that running a kernel needs neither the
compiler nor any knowledge of how it works.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import Error
from .layout import Layout
from .names import shown

FORMAT = "mxfp4-artifact"
VERSION = 3
_MOST = 2**31 - 1
"""Sizes in a manifest are those of i32."""

_KINDS = {"pointer": 8, "i32": 4, "i64": 8, "tensor_maps": 128}
_NUMBERS = ("i32", "i64")
_DTYPES = ("bf16", "e4m3", "f32", "i32", "u8")
_CALLERS = ("x", "weights", "offsets", "y")
"""What every call provides."""


@dataclass(frozen=True)
class Argument:
    """A kernel argument: a pointer to ``dtype``, aligned to ``align`` bytes, or an integer.

    ``tensor_maps`` are an argument by value: 128 bytes for each of ``boxes`` = (columns, rows)
    that describe such memory to TMA.

    Attributes:
        shape: of the memory; "rows" is the number of rows.
        provider: "caller" or "launcher".
        nullable: whether null may be passed.
    """

    name: str
    kind: str
    dtype: str = ""
    align: int = 1
    boxes: tuple[tuple[int, int], ...] = ()
    shape: tuple[int | str, ...] = ()
    provider: str = "caller"
    nullable: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the argument is a number by value."""
        return self.kind in _NUMBERS

    @property
    def size(self) -> int:
        """Bytes in the parameter space."""
        return _KINDS[self.kind] * max(1, len(self.boxes))

    def shape_for(self, rows: int) -> tuple[int, ...]:
        """The shape of the memory that a launch with ``rows`` rows expects."""
        return tuple(rows if isinstance(extent, str) else extent for extent in self.shape)


@dataclass(frozen=True)
class Manifest:
    """A manifest of version 3, checked.

    Attributes:
        entry: the kernel's name in the PTX.
        target: for example "sm_90a".
        device: facts of the GPU that the schedule was chosen for, and in words as "name"; empty if
            it was chosen for none. The kernel is right on others of its target.
        experts: E.
        groups: G; offsets have G + 1 entries.
        n: N.
        k: K.
        output: "bf16" or "f32".
        operands: names of what the caller provides beyond x, weights, offsets and y.
        rows_hint: the rows (lowest, highest) that the schedule was chosen for, or None for any.
        most_rows: with more rows a kernel's tiles might be too many for it to count.
        layout: the weight layout that the kernel reads.
        activation: "bf16" or "e4m3".
        accumulation: of "e4m3", "fast", "promoted512" or "promoted128"; else empty.
        columns: what its columns are to a gated activation, see `Problem`.
        pairs: whether its epilogue makes one column of two neighbours.
        batch_invariant: whether the problem's kernels were asked to give a row the same bits
            whatever other rows there are.
        scales: the smallest and the largest scale byte that the program promised, or None.
        block: threads (x, y, z).
        cluster: blocks of a cluster (x, y, z).
        dynamic_shared_bytes: dynamic shared memory of a block.
        ctas_per_sm: CTAs per SM; the grid is this times the number of SMs.
        arguments: in order.
        schedule: what the compiler chose, for people to read.
        resources: registers and spills, if the kernel was assembled.
        versions: of what made the artifact.
        raw: the whole manifest.
    """

    entry: str
    target: str
    experts: int
    groups: int
    n: int
    k: int
    output: str
    operands: frozenset[str]
    rows_hint: tuple[int, int] | None
    most_rows: int
    layout: Layout
    scales: tuple[int, int] | None
    block: tuple[int, int, int]
    cluster: tuple[int, int, int]
    dynamic_shared_bytes: int
    ctas_per_sm: int
    arguments: tuple[Argument, ...]
    activation: str = "bf16"
    accumulation: str = ""
    columns: str = "plain"
    pairs: bool = False
    batch_invariant: bool = False
    schedule: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def expert_ids(self) -> bool:
        """Whether the kernel takes a list of expert ids."""
        return "expert_ids" in self.operands

    @property
    def device_suffix(self) -> str:
        """What file names end with that keep kernels of several devices apart: nothing for the
        H100 SXM, for which kernels are where nothing is said."""
        name = str(self.device.get("name", "h100-sxm"))
        values = re.sub(r"[a-z0-9-]+=", "", name).replace(",", "-")
        return "" if name == "h100-sxm" else f"-{values}"

    @staticmethod
    def parse(text: str, origin: str = "manifest") -> Manifest:
        """Read and check the JSON text of a manifest.

        Raises:
            Error: if it is no manifest of version 3; the message names the entry.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise Error(f"{origin} is not JSON: {e}.") from e
        try:
            return _parse(raw)
        except Error as e:
            raise Error(f"{origin}: {e}") from e

    def fits_rows(self, rows: int) -> bool:
        """Whether the schedule was chosen for this many rows (any row count is correct)."""
        return self.rows_hint is None or self.rows_hint[0] <= rows <= self.rows_hint[1]


_PLAIN = Layout()


def _get(node: Any, path: str, kind: type | tuple[type, ...]) -> Any:
    """The value at a dotted path, checked to be of a JSON type."""
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            raise Error(f'"{path}" is missing.')
        node = node[key]
    if not isinstance(node, kind) or (isinstance(node, bool) and kind is int):
        raise Error(f'"{path}" has a wrong type: {shown(json.dumps(node))}.')
    return node


def _number(node: Any, path: str, low: int) -> int:
    value = _get(node, path, int)
    if value < low:
        raise Error(f'"{path}" must be at least {low}, got {shown(value)}.')
    if value > _MOST:
        raise Error(f'"{path}" must be at most {_MOST}, got {shown(value)}.')
    return value


def _choice(node: Any, path: str, allowed: tuple[str, ...]) -> str:
    value = _get(node, path, str)
    if value not in allowed:
        raise Error(f'"{path}" must be one of {list(allowed)}, got "{shown(value)}".')
    return value


def _triple(node: Any, path: str) -> tuple[int, int, int]:
    value = _get(node, path, list)
    if len(value) != 3 or not all(type(v) is int and 1 <= v <= _MOST for v in value):
        raise Error(f'"{path}" must be three positive numbers, got {shown(value)}.')
    return value[0], value[1], value[2]


def _parse(raw: Any) -> Manifest:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise Error(f'expected an object with "format": "{FORMAT}".')
    if raw.get("version") != VERSION:
        raise Error(
            f"this package reads manifests of version {VERSION}, got "
            f"{shown(repr(raw.get('version')))}; "
            "compile the kernel again."
        )
    if "operation" in raw:
        raise Error(
            f"this is a kernel of {shown(repr(raw['operation']))}, not a grouped matmul; load it "
            "with mxfp4.routing_artifact.RoutingArtifact."
        )
    activation = _choice(raw, "problem.activation", ("bf16", "e4m3"))
    _choice(raw, "weights.layout", ("fragment_major",))
    _choice(raw, "launch.grid.rule", ("persistent",))
    layout = Layout(_get(raw, "weights.order", str), _get(raw, "weights.scales", str))
    if _get(raw, "weights.block_bytes", int) != layout.block_bytes:
        raise Error(f'"weights.block_bytes" must be {layout.block_bytes}.')
    if (activation == "e4m3") != (layout.activations == "fp8"):
        raise Error(f"weights in {layout} are not for activations in {activation}.")
    ids = _get(raw, "problem.expert_ids", bool)
    experts, groups = _number(raw, "problem.experts", 1), _number(raw, "problem.groups", 1)
    if not ids and groups != experts:
        raise Error(
            f"without expert ids there is a group for each expert, got {groups} groups "
            f"and {experts} experts."
        )
    k = _number(raw, "problem.k", 32)
    if k % 32:
        raise Error(f'"problem.k" must be a multiple of 32, got {k}.')
    output = _choice(raw, "problem.output", ("bf16", "f32"))
    arguments = _arguments(raw, layout)
    # Numbers of rows of their own are those of tensors, which the launcher passes on.
    given = (a.name for a in arguments if a.provider == "caller" and not a.is_number)
    operands = frozenset(given) - {*_CALLERS}
    if ids != ("expert_ids" in operands):
        raise Error(
            f'"arguments" must {"" if ids else "not "}have expert_ids of the caller\'s, since '
            f'"problem.expert_ids" is {str(ids).lower()}.'
        )
    return Manifest(
        entry=_get(raw, "entry", str),
        target=_get(raw, "target", str),
        experts=experts,
        groups=groups,
        n=_number(raw, "problem.n", 1),
        k=k,
        output=output,
        operands=operands,
        rows_hint=_rows_hint(raw),
        most_rows=_most_rows(raw),
        layout=layout,
        scales=_promised_scales(raw),
        block=_triple(raw, "launch.block"),
        cluster=_triple(raw, "launch.cluster"),
        dynamic_shared_bytes=_number(raw, "launch.dynamic_shared_bytes", 0),
        ctas_per_sm=_number(raw, "launch.grid.ctas_per_sm", 1),
        arguments=arguments,
        activation=activation,
        accumulation=_accumulation(raw, activation),
        columns=_columns(raw),
        pairs=_takes_pairs(raw, arguments),
        batch_invariant=_flag(raw["problem"], "batch_invariant"),
        schedule=_get(raw, "schedule", dict),
        resources=_resources(raw),
        device=_device(raw),
        versions=_get(raw, "versions", dict),
        raw=raw,
    )


def _accumulation(raw: Any, activation: str) -> str:
    """How sums of FP8 products are taken; those of bf16 products are sums in f32."""
    if activation == "bf16":
        return ""
    return _choice(raw, "problem.accumulation", ("fast", "promoted512", "promoted128"))


def _device(raw: Any) -> dict[str, Any]:
    """Manifests did not always say for which device a schedule was chosen."""
    if raw.get("device") is None:
        return {}
    found: dict[str, Any] = _get(raw, "device", dict)
    if not re.fullmatch(r"[a-z0-9=,-]{1,200}", _get(raw, "device.name", str)):
        raise Error(f'"device.name" must be a device in words, got {shown(found["name"])!r}.')
    for name in ("multiprocessors", "bandwidth"):
        _number(raw, f"device.{name}", 1)
    return found


def _columns(raw: Any) -> str:
    if "columns" not in raw["weights"]:
        return "plain"
    return _choice(raw, "weights.columns", ("plain", "interleaved", "apart"))


def _takes_pairs(raw: Any, arguments: tuple[Argument, ...]) -> bool:
    """Whether y has half as many columns as the weights."""
    n = _number(raw, "problem.n", 1)
    return any(a.name == "y" and a.shape[-1:] == (n // 2,) and n > 1 for a in arguments)


def _flag(node: Any, name: str) -> bool:
    return name in node and bool(_get(node, name, bool))


def _resources(raw: Any) -> dict[str, Any]:
    """Registers and spills, and what counted them; empty if the kernel was not assembled."""
    if raw.get("resources") is None:
        return {}
    found: dict[str, Any] = _get(raw, "resources", dict)
    for name in ("registers", "spill_bytes"):
        if name in found:
            _number(found, name, 0)
    return found


def _promised_scales(raw: dict[str, Any]) -> tuple[int, int] | None:
    """The bounds of scale bytes under which the kernel is the program."""
    promises = _get(raw, "weights", dict).get("promises", {})
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
    tile_rows, tokens = (_number(raw, f"schedule.tile.{name}", 1) for name in ("rows", "tokens"))
    columns = -(-raw["problem"]["n"] // tile_rows)
    tiles = (2**31 - 1) // columns - raw["problem"]["groups"]
    return max(0, min(tiles * tokens, 2**31 - 1))


def _boxes(item: Any) -> tuple[tuple[int, int], ...]:
    boxes = _get(item, "boxes", list)
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
    n, k = _number(raw, "problem.n", 1), _number(raw, "problem.k", 1)
    experts, groups = _number(raw, "problem.experts", 1), _number(raw, "problem.groups", 1)
    # Numbers of rows of their own have arguments named after them.
    own = {str(item.get("name")) for item in _get(raw, "arguments", list) if isinstance(item, dict)}
    first = {name: f"{name}_rows" if f"{name}_rows" in own else "rows" for name in ("x", "y")}
    known: dict[str, tuple[int | str, ...]] = {
        "x": (first["x"], k),
        "weights": (experts, *layout.shape(n, k)),
        "offsets": (groups + 1,),
        "expert_ids": (groups,),
        "y": (first["y"], n),
        "error": (1,),
        "workspace": (2,),
    }
    if "epilogue" in raw["problem"]:
        del known["y"]  # has as many columns as the epilogue makes
    return known


def _shape(item: Any, known: tuple[int | str, ...] | None) -> tuple[int | str, ...]:
    if "shape" not in item and known is not None:
        return known
    name, extents = item["name"], _get(item, "shape", list)
    for i, extent in enumerate(extents):
        if not (type(extent) is int and 1 <= extent <= _MOST) and (
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
    name, kind = _get(item, "name", str), _choice(item, "kind", tuple(_KINDS))
    if not name.isidentifier() or not name.isascii():
        raise Error(f'"name" must be a name in letters, digits and _, got "{shown(name)}".')
    is_count = name == "rows" or name.endswith("_rows")
    if (kind in ("i32", "i64")) != is_count or (kind == "tensor_maps" and name != "x"):
        raise Error(f'argument "{name}" has the wrong kind, {kind}.')
    if is_count:
        return Argument(name, kind, provider="launcher" if name == "rows" else "caller")
    # Manifests of this version did not always say who provides an argument.
    by_name = "launcher" if name in ("error", "workspace") else "caller"
    provider = by_name
    if "provider" in item:
        provider = _choice(item, "provider", ("caller", "launcher"))
        if name in shapes and provider != by_name:
            raise Error(f'the "provider" of argument "{name}" must be {by_name}, got {provider}.')
    nullable = "nullable" in item and _get(item, "nullable", bool)
    known = types.get(name, "i32" if name in shapes else "")
    return Argument(
        name,
        kind,
        _choice(item, "dtype", (known,) if known else _DTYPES),
        _number(item, "align", 1),
        _boxes(item) if kind == "tensor_maps" else (),
        _shape(item, shapes.get(name)),
        provider,
        nullable,
    )


def _arguments(raw: Any, layout: Layout = _PLAIN) -> tuple[Argument, ...]:
    shapes = _known_shapes(raw, layout)
    activation = "e4m3" if layout.activations == "fp8" else "bf16"
    types = {"x": activation, "weights": "u8", "y": _get(raw, "problem.output", str)}
    parsed = tuple(_argument(item, shapes, types) for item in _get(raw, "arguments", list))
    names = [a.name for a in parsed]
    needed = [*_CALLERS, "error", "rows"]
    missing = [name for name in needed if name not in names]
    if missing or len(names) != len(set(names)):
        raise Error(
            f'"arguments" must be different and have {needed} among them, got {shown(names)}.'
        )
    return parsed


@dataclass(frozen=True, repr=False)
class Artifact:
    """A compiled kernel.

    Attributes:
        manifest: what it is and how to launch it.
        ptx: PTX text.
        cubin: machine code, or None if it was not assembled.
        origin: where it came from, for messages.
    """

    manifest: Manifest
    ptx: str
    cubin: bytes | None = None
    origin: str = "artifact"

    def __repr__(self) -> str:
        """What it is and where from, on one line, without the PTX."""
        m = self.manifest
        cubin = f"{len(self.cubin)} bytes of cubin" if self.cubin else "no cubin"
        return (
            f"Artifact({self.origin}: {m.entry} for E={m.experts}, N={m.n}, K={m.k}, {m.layout}, "
            f"{m.output}, rows {m.rows_hint or 'any'}, {m.target}; {len(self.ptx)} bytes of PTX, "
            f"{cubin})"
        )

    def __post_init__(self) -> None:
        if f".entry {self.manifest.entry}" not in self.ptx:
            raise Error(
                f"{self.origin}: the PTX has no entry {shown(self.manifest.entry)!r}, which the "
                "manifest names."
            )
        if self.cubin is not None and not self.cubin.startswith(b"\x7fELF"):
            raise Error(f"{self.origin}: the cubin is not an ELF file.")

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> Artifact:
        """Read an artifact folder.

        Raises:
            Error: if a file is missing or unreadable, or the manifest is wrong.
        """
        path = Path(folder)
        for name in ("manifest.json", "kernel.ptx"):
            if not (path / name).is_file():
                raise Error(
                    f"{path} is not an artifact: it has no {name}. An artifact is a folder that "
                    "mxfp4-compile or Artifact.save wrote."
                )
        try:
            text = (path / "manifest.json").read_text()
            ptx = (path / "kernel.ptx").read_text()
        except UnicodeDecodeError as e:
            raise Error(f"{path}: a text file of the artifact is damaged ({e}).") from e
        cubin = path / "kernel.cubin"
        manifest = Manifest.parse(text, str(path / "manifest.json"))
        return Artifact(manifest, ptx, cubin.read_bytes() if cubin.is_file() else None, str(path))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write an artifact folder; it is made if it is not there."""
        write_folder(folder, self.manifest.raw, self.ptx, self.cubin)


def write_folder(
    folder: str | os.PathLike[str], raw: Mapping[str, Any], ptx: str, cubin: bytes | None
) -> None:
    """Write the files of an artifact of any operation; the folder is made if it is not there."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    # What an earlier artifact left here must not be taken for part of this one.
    for name in ("manifest.json", "kernel.cubin"):
        (path / name).unlink(missing_ok=True)
    (path / "kernel.ptx").write_text(ptx)
    if cubin is not None:
        (path / "kernel.cubin").write_bytes(cubin)
    (path / "manifest.json").write_text(json.dumps(raw, indent=2) + "\n")


def load_all(folder: str | os.PathLike[str]) -> list[Artifact]:
    """All artifacts in the direct subfolders, by name.

    Raises:
        Error: if there are none, or one is broken.
    """
    found = sorted(p.parent for p in Path(folder).glob("*/manifest.json"))
    if not found:
        raise Error(f"{folder} has no artifacts: expected subfolders with a manifest.json.")
    return [Artifact.load(p) for p in found]
