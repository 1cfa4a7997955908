# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a launcher must know of a compiled kernel, as ``manifest.json`` says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._manifest_fields import parsed
from .layout import Layout

ROW_COUNTERS = 1028
"""Words of a workspace with which CTAs bring rows into order (RowCounters.h)."""

KINDS = {"pointer": 8, "i32": 4, "i64": 8, "tensor_maps": 128}
"""Kinds of arguments, and their bytes."""
NUMBERS = ("i32", "i64")


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
        return self.kind in NUMBERS

    @property
    def size(self) -> int:
        """Bytes in the parameter space."""
        return KINDS[self.kind] * max(1, len(self.boxes))

    def shape_for(self, rows: int) -> tuple[int, ...]:
        """The shape of the memory that a launch with ``rows`` rows expects."""
        return tuple(rows if isinstance(extent, str) else extent for extent in self.shape)


@dataclass(frozen=True)
class Manifest:
    """A manifest of version 3 or 4, checked.

    Attributes:
        entry: the kernel's name in the PTX.
        target: for example "sm_90a".
        device: facts of the GPU that the schedule was chosen for, and in words as "name"; empty if
            it was chosen for none. The kernel is right on others of its target.
        experts: E.
        groups: G; offsets have G + 1 entries.
        n: N.
        k: K.
        output: "bf16", "f32" or "e4m3".
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
            Error: if it is no manifest of these versions; the message names the entry.
        """
        from ._manifest_reader import read

        return parsed(text, origin, read)

    def fits_rows(self, rows: int) -> bool:
        """Whether the schedule was chosen for this many rows (any row count is correct)."""
        return self.rows_hint is None or self.rows_hint[0] <= rows <= self.rows_hint[1]
