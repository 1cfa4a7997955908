# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether the tensors of a call fit a kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

from .artifact import Argument, Manifest
from .errors import Error
from .tensors import Buffer, describe, is_torch
from .weights import PackedWeights, rows_fit


class Checked(NamedTuple):
    """A call that fits.

    Attributes:
        rows: R.
        buffers: of the arguments that the caller gave, by name.
        counts: numbers of rows that are arguments of the caller's, by name.
        device: CUDA ordinal, or None if no tensor tells.
        out: what was given, or a new tensor.
    """

    rows: int
    buffers: dict[str, Buffer]
    counts: dict[str, int]
    device: int | None
    out: Any


class CallChecks:
    """What a manifest asks of the tensors of a call.

    Every method raises `Error`, with what was expected and what was given, if something does not
    fit. Alignment is the launcher's to check, at every launch: addresses change where nothing else
    does.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._arguments = {a.name: a for a in manifest.arguments}
        self._counts = {a.name for a in manifest.arguments if a.is_number}
        self.columns = self._arguments["y"].shape[-1]

    def check(self, x: Any, data: Any, offsets: Any, out: Any, operands: dict[str, Any]) -> Checked:
        """Check all tensors of a call; ``operands`` are those by name."""
        self._check_operands(operands)
        rows, sizes = self._rows(x, operands)
        if out is None:
            out = self._new_output(x, rows)
        if "y_rows" in self._counts:
            sizes["y_rows"] = self._first_size("y", out)
        shapes = {
            a.name: tuple(sizes[e] if isinstance(e, str) else e for e in a.shape)
            for a in self._manifest.arguments
        }
        ids = operands.get("expert_ids")
        if ids is not None and not rows and 0 in describe(ids, "expert_ids").shape:
            # No groups, no rows: nothing is launched, whatever the kernel's number.
            shapes |= {"expert_ids": (0,), "offsets": (1,)}
        given = {"x": x, "weights": data, "y": out, **operands, "offsets": offsets}
        buffers = {name: self._buffer(name, given[name], shapes[name]) for name in given}
        counts = {name: size for name, size in sizes.items() if name != "rows"}
        return Checked(rows, buffers, counts, self._common_device(buffers), out)

    def _rows(self, x: Any, operands: dict[str, Any]) -> tuple[int, dict[str, int]]:
        """R, and the sizes that shapes name: R is that of x, or of the list of rows to gather."""
        m = self._manifest
        buffer = self._buffer("x", x)
        if len(buffer.shape) != 2 or buffer.shape[1] != m.k:
            raise Error(f"x must have shape [R, {m.k}], got {list(buffer.shape)}.")
        rows, what, sizes = buffer.shape[0], "x", {}
        if "x_rows" in self._counts:
            sizes["x_rows"] = rows
            rows, what = self._first_size("gather", operands["gather"]), "gather"
        if rows > m.most_rows:
            raise Error(
                f"{what} must have at most {m.most_rows} rows for this kernel, got {rows}; "
                "pass fewer at a time, or compile a kernel for more rows."
            )
        return rows, {"rows": rows, **sizes}

    def _first_size(self, name: str, tensor: Any) -> int:
        shape = self._buffer(name, tensor).shape
        if not shape:
            raise Error(f"{name} must have rows, got a scalar.")
        return shape[0]

    def _new_output(self, x: Any, rows: int) -> Any:
        """A tensor for the result, like torch's ``x``."""
        if "y_rows" in self._counts:
            raise Error("pass out=: the rows that are scattered do not say how many it has.")
        if not is_torch(x):
            raise Error("pass out=: x is not a torch tensor, so no output can be made like it.")
        return self.new_output(x, rows)

    def new_output(self, x: Any, rows: int) -> Any:
        """The same where ``x`` is known to be torch's."""
        import torch

        dtype = {
            "bf16": torch.bfloat16, "f32": torch.float32, "e4m3": torch.float8_e4m3fn,
        }[self._manifest.output]  # fmt: skip
        return x.new_empty((rows, self.columns), dtype=dtype)

    def check_weights(self, weights: Any) -> None:
        """Are they packed for this kernel?"""
        m = self._manifest
        if not isinstance(weights, PackedWeights):
            raise Error(f"weights must be PackedWeights, got {type(weights).__name__}; see pack().")
        if weights.layout != m.layout:
            raise Error(
                f"the weights are packed as {weights.layout}, but the kernel reads {m.layout}; "
                "pack them in that layout, or compile a kernel for theirs."
            )
        if not rows_fit(weights.rows, m.columns, m.pairs):
            reads = "interleaved" if m.pairs else m.columns
            raise Error(
                f'the rows of the weights are "{weights.rows}", but the kernel is for gate and up '
                f'that are {reads}; pack them with gate_up="apart", which interleaves them, or '
                "compile a kernel for theirs."
            )
        if weights.shape != (m.experts, m.n, m.k):
            raise Error(
                f"the kernel is for E, N, K = {m.experts}, {m.n}, {m.k}, but the weights have "
                f"{', '.join(map(str, weights.shape))}."
            )
        if m.scales and weights.proof:
            low, high = weights.proof.scale_min, weights.proof.scale_max
            if low < m.scales[0] or high > m.scales[1]:
                raise Error(
                    f"the kernel was raised under the promise that scale bytes are {m.scales[0]} "
                    f"to {m.scales[1]}, but the weights have {low} to {high}; compile the program "
                    "with a decode that is exact for these."
                )

    def _check_operands(self, operands: dict[str, Any]) -> None:
        """Are they those that the kernel takes? Nullable ones may be left out."""
        for name in operands:
            if name not in self._manifest.operands:
                takes = ", ".join(sorted(self._manifest.operands)) or "none"
                raise Error(
                    f"this kernel takes no {name} (of optional operands it takes {takes}); compile "
                    f"one for a problem with {name.replace('_', '-')}=1."
                )
        for name in sorted(self._manifest.operands):
            if name not in operands and not self._arguments[name].nullable:
                raise Error(f"this kernel takes {name}: pass {name}=.")

    def _buffer(self, name: str, tensor: Any, shape: tuple[int, ...] | None = None) -> Buffer:
        """Describe a tensor and check it against the kernel's argument of that name."""
        buffer = describe(tensor, name)
        argument: Argument = self._arguments[name]
        if buffer.dtype != argument.dtype:
            raise Error(f"{name} must be {argument.dtype}, got {buffer.dtype}.")
        if shape is not None and buffer.shape != shape:
            raise Error(f"{name} must have shape {list(shape)}, got {list(buffer.shape)}.")
        if not buffer.contiguous:
            raise Error(f"{name} must be dense and row-major; pass {name}.contiguous().")
        return buffer

    def _common_device(self, buffers: dict[str, Buffer]) -> int | None:
        found = {b.device: name for name, b in buffers.items() if b.device is not None}
        if len(found) > 1:
            where = ", ".join(f"{name} on {device}" for device, name in found.items())
            raise Error(f"all tensors must be on one device, got {where}.")
        return next(iter(found), None)
