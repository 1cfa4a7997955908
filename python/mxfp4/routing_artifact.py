# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels of what surrounds the grouped matmuls, and running them on the CPU.

An artifact with an "operation": "top_k", "sort_by_expert", both in one kernel, "route",
"count_by_expert", "dispatch", "quantize_rows", one of these with the sort in one kernel,
"sort_dispatch" and "sort_quantize", or "combine". See ``lib/Pipeline/RoutingManifest.cpp``;
`mxfp4.routing` and `mxfp4.fp8` have their meanings in numpy.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._manifest_fields import FORMAT, VERSIONS, choice, get, number, parsed, resources, triple
from ._sim_driver import Launched, SimDriver
from ._sim_launch import launch
from ._sim_memory import DeviceArray
from ._typed import as_array, check_numbers, typed
from .artifact import Saved, read_folder
from .errors import Error
from .formats import bfloat16
from .fp8 import float8_e4m3
from .manifest import Argument
from .names import shown

OPERATIONS = (
    "top_k", "count_by_expert", "sort_by_expert", "route", "dispatch", "sort_dispatch",
    "quantize_rows", "sort_quantize", "combine",
)  # fmt: skip
_DTYPES: dict[str, Any] = {
    "bf16": bfloat16,
    "f32": np.float32,
    "e4m3": float8_e4m3,
    "i32": np.int32,
}
_OUTPUTS = {
    "top_k": ("ids", "weights", "counts"),
    "count_by_expert": ("counts",),
    "sort_by_expert": ("offsets", "tokens", "positions"),
    "route": ("ids", "weights", "offsets", "tokens", "positions"),
    "dispatch": ("out",),
    "sort_dispatch": ("offsets", "tokens", "positions", "out"),
    "quantize_rows": ("codes", "scales"),
    "sort_quantize": ("offsets", "tokens", "positions", "codes", "scales"),
    "combine": ("out",),
}


@dataclass(frozen=True)
class RoutingManifest:
    """A manifest with an operation, checked.

    Attributes:
        entry: the kernel's name in the PTX.
        target: for example "sm_90a".
        operation: one of `OPERATIONS`.
        problem: what is static of the operation: slots, experts, n, scoring, ...
        block: threads (x, y, z).
        dynamic_shared_bytes: dynamic shared memory of a block.
        grid_rows: tokens of each block in x; 0 for a grid of one block.
        grid_y: blocks in y.
        arguments: in order.
        resources: registers and spills, if the kernel was assembled.
        raw: the whole manifest.
    """

    entry: str
    target: str
    operation: str
    problem: Mapping[str, Any]
    block: tuple[int, int, int]
    dynamic_shared_bytes: int
    grid_rows: int
    grid_y: int
    arguments: tuple[Argument, ...]
    resources: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the arguments that the kernel writes."""
        return tuple(a.name for a in self.arguments if a.name in _OUTPUTS[self.operation])

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the memory that the caller provides beside the outputs."""
        return tuple(
            a.name
            for a in self.arguments
            if a.kind == "pointer"
            and a.provider == "caller"
            and a.name not in _OUTPUTS[self.operation]
        )

    def grid(self, rows: int) -> tuple[int, int, int]:
        """The CTAs of a launch for a number of tokens."""
        x = -(-rows // self.grid_rows) if self.grid_rows else 1
        return max(1, x), self.grid_y, 1

    @staticmethod
    def parse(text: str, origin: str = "manifest") -> RoutingManifest:
        """Read and check the JSON text of a manifest.

        Raises:
            Error: if it is no manifest of a routing operation; the message names the entry.
        """
        return parsed(text, origin, _parse)


def _parse(raw: Any) -> RoutingManifest:
    is_ours = isinstance(raw, dict) and raw.get("format") == FORMAT
    if not is_ours or raw.get("version") not in VERSIONS:
        raise Error(
            f'expected an object with "format": "{FORMAT}" and "version": {VERSIONS[-1]}; '
            "compile the kernel again."
        )
    rule = choice(raw, "launch.grid.rule", ("one", "per_rows"))
    return RoutingManifest(
        entry=get(raw, "entry", str),
        target=get(raw, "target", str),
        operation=choice(raw, "operation", OPERATIONS),
        problem=get(raw, "problem", dict),
        block=triple(raw, "launch.block"),
        dynamic_shared_bytes=number(raw, "launch.dynamic_shared_bytes", 0),
        grid_rows=number(raw, "launch.grid.rows", 1) if rule == "per_rows" else 0,
        grid_y=number(raw, "launch.grid.y", 1) if rule == "per_rows" else 1,
        arguments=tuple(_argument(item) for item in get(raw, "arguments", list)),
        resources=resources(raw),
        raw=raw,
    )


def _argument(item: Any) -> Argument:
    name, kind = get(item, "name", str), choice(item, "kind", ("pointer", "i32"))
    provider = choice(item, "provider", ("caller", "launcher"))
    if kind == "i32":
        return Argument(name, kind, provider=provider)
    shape = get(item, "shape", list)
    own = f"{name}_rows"
    for i, extent in enumerate(shape):
        if not (type(extent) is int and extent >= 1) and (i or extent not in ("rows", own)):
            raise Error(
                f'the shape of argument "{shown(name)}" must be positive numbers, of which the '
                f'first may be "rows" or "{shown(own)}", got {shown(shape)}.'
            )
    return Argument(
        name, kind, choice(item, "dtype", tuple(_DTYPES)), number(item, "align", 1), (),
        tuple(shape), provider,
    )  # fmt: skip


@typed
@dataclass(frozen=True, repr=False)
class RoutingArtifact(Saved):
    """A compiled kernel of a routing operation.

    Attributes:
        manifest: what it is and how to launch it.
        ptx: PTX text.
        cubin: machine code, or None if it was not assembled.
        origin: where it came from, for messages.
    """

    manifest: RoutingManifest
    ptx: str
    cubin: bytes | None = None
    origin: str = "artifact"

    def __repr__(self) -> str:
        """What it is and where from, on one line, without the PTX."""
        m = self.manifest
        return f"RoutingArtifact({self.origin}: {m.operation} {dict(m.problem)}, {m.target})"

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> RoutingArtifact:
        """Read an artifact folder.

        Raises:
            Error: if a file is missing or unreadable, or the manifest is wrong.
        """
        path = Path(folder)
        manifest, ptx, code = read_folder(path, RoutingManifest.parse)
        return RoutingArtifact(manifest, ptx, code, str(path))


@dataclass(frozen=True)
class RoutingRun:
    """What a simulated launch gave.

    Attributes:
        outputs: arrays by the names of the arguments; 0xFF bytes where nothing was stored.
        stored: which elements the kernel stored, by the same names.
        error: the error word; 0 without one.
        launched: the launch, with hazards and costs.
    """

    outputs: Mapping[str, NDArray[Any]]
    stored: Mapping[str, NDArray[np.bool_]]
    error: int
    launched: Launched

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Hazards."""
        return self.launched.findings


@typed
def simulate_routing(
    artifact: RoutingArtifact,
    rows: int,
    *,
    seed: int = 1,
    grid: tuple[int, int, int] | None = None,
    max_instructions: int | None = None,
    **inputs: NDArray[Any],
) -> RoutingRun:
    """Run a kernel's PTX in the interpreter, launched as its manifest says.

    Args:
        artifact: the kernel.
        rows: the number of tokens.
        seed: of scheduling.
        grid: of blocks, instead of the manifest's.
        max_instructions: warp instructions after which a launch is given up as endless.
        inputs: arrays by the names of the arguments, of their shapes and data types.

    Raises:
        Error: if the interpreter is not found, or the inputs do not fit the kernel.
    """
    m = artifact.manifest
    if set(inputs) != set(m.inputs):
        raise Error(f"{m.operation} takes {list(m.inputs)}, got {sorted(inputs)}.")
    check_numbers(
        rows=(rows, 0, 2**31 - 1),
        seed=(seed, 0, 2**64 - 1),
        max_instructions=(1 if max_instructions is None else max_instructions, 1, 2**64 - 1),
    )
    for name, value in inputs.items():
        inputs[name] = np.atleast_1d(as_array(name, value))
    options = {} if max_instructions is None else {"max_instructions": max_instructions}
    driver = SimDriver(seed=seed, check_races=1, **options)
    arrays: dict[str, DeviceArray] = {}
    values: list[Any] = []
    for argument in m.arguments:
        if argument.kind == "i32":
            values.append(ctypes.c_int32(_number_of_rows(argument, rows, inputs)))
            continue
        name, dtype = argument.name, np.dtype(_DTYPES[argument.dtype])
        own = name in inputs and argument.shape[0] == f"{name}_rows"
        shape = argument.shape_for(len(inputs[name]) if own else rows)
        if name in inputs:
            given = inputs[name]
            if given.shape != shape or given.dtype != dtype:
                raise Error(
                    f"{name} must be {argument.dtype} {list(shape)}, got {given.dtype} "
                    f"{list(given.shape)}."
                )
            arrays[name] = driver.allocate(given, name, writable=False)
        elif argument.provider == "launcher":
            arrays[name] = driver.allocate(np.zeros(shape, dtype), name)
        else:
            poison = np.full(int(np.prod(shape)) * dtype.itemsize, 0xFF, np.uint8)
            arrays[name] = driver.allocate(poison.view(dtype).reshape(shape), name, known=False)
        values.append(ctypes.c_uint64(arrays[name].memory.address))
    launched = launch(
        driver, artifact.ptx, m.entry, values, grid or m.grid(rows), m.block,
        m.dynamic_shared_bytes, origin=artifact.origin,
    )  # fmt: skip
    return RoutingRun(
        {name: arrays[name].numpy() for name in m.outputs},
        {name: arrays[name].known() for name in m.outputs},
        int(arrays["error"].numpy()[0]) if "error" in arrays else 0,
        launched,
    )


def _number_of_rows(argument: Argument, rows: int, inputs: Mapping[str, NDArray[Any]]) -> int:
    """The launch's rows, or those of the caller's memory that the argument is named after."""
    return rows if argument.provider == "launcher" else len(inputs[argument.name[: -len("_rows")]])
