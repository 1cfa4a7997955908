# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grouped matmuls of e4m3 activations: as MLIR, in numpy as the tensor cores add, interpreted."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import form_runs
import numpy as np
from epilogues import behind_scales
from form_runs import compiled
from fused import Epilogued, finish, row_maps
from mxfp4 import fp8, fp8_sums, library
from mxfp4.artifact import Artifact
from mxfp4.manifest import ROW_COUNTERS

BLOCK = "!mxfp4.block<bytes, relative>"
BLOCK_BYTES = 4352
ACCUMULATIONS = {"fast": 0, "promoted 512": 512, "promoted 128": 128}
NAMES = {"fast": "fast", "promoted 512": "promoted512", "promoted 128": "promoted128"}
"""As problems and the options of tools name accumulations."""
_MAGNITUDES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])


E4M3 = fp8.e4m3_values().astype(np.float32)


@dataclass(frozen=True)
class Form(Epilogued):
    """A form of the operation; as `fused.Form`, behind the scales of rows and of tokens."""

    experts: int = 3
    k: int = 256
    groups: int = 0
    accumulation: str = "promoted 512"
    gather: bool = False
    scatter: bool = False
    output: str = "f32"
    through: bool = False
    older: bool = False
    counts: str = ""

    def operands(self) -> dict[str, str]:
        """Types of the function's arguments by name, in order."""
        groups = self.groups or self.experts
        blocks = f"{self.experts}x{-(-self.n // 64)}x{-(-self.k // 128)}x{BLOCK}"
        found = {"x": f"memref<?x{self.k}xf8E4M3FN>", "weights": f"memref<{blocks}>",
                 "offsets": f"memref<{groups + 1}xi32>"}  # fmt: skip
        if self.groups:
            found["expert_ids"] = f"memref<{groups}xi32>"
        words = ROW_COUNTERS if self.through else 2
        found |= {"y": f"memref<?x{self.columns}x{self.output}>", "error": "memref<1xi32>",
                  "workspace": f"memref<{words}xi32>"}  # fmt: skip
        found |= {name: "memref<?xi32>" for name in ("gather", "scatter") if getattr(self, name)}
        found |= {"powers": f"memref<{self.experts}x{self.n}xf32>", "scales": "memref<?xf32>"}
        found |= {name: kind.format(e=self.experts, n=self.n) for name, kind in self.own.items()}
        found |= {self.counts: f"memref<{groups}xi32>"} if self.counts else {}
        return found | ({"through": found["x"]} if self.through else {})

    def mlir(self, function: str = "fp8", attributes: str = "") -> str:
        """A function of this form."""
        types = self.operands()
        words = {"x": "activations", "y": "outs"}
        names = ("x", "gather", "through", "awaited", "weights", "offsets", "expert_ids", "y",
                 "scatter", "stored", "error", "workspace")  # fmt: skip
        text = " ".join(f"{words.get(n, n)}(%{n} : {types[n]})" for n in names if n in types)
        own = self.region.text if self.region else behind_scales(self.epilogue, self.output)
        epilogue = own.format(e=self.experts, n=self.n)
        arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
        promise = ", older_inputs" if self.older else ""
        return (
            f"func.func @{function}({arguments}) {attributes} {{\n"
            f"  mxfp4.grouped_matmul {text} {epilogue} "
            f"{{accumulation = #mxfp4.accumulation<{self.accumulation}>{promise}}}\n"
            f"  return\n}}\n"
        )


def pack(blocks: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Packed blocks, reduced scales and row powers of experts in the checkpoint's layout."""
    lib = library.load()
    experts, n, slices = scales.shape
    k = 32 * slices
    packed = np.zeros((experts, -(-n // 64), -(-k // 128), BLOCK_BYTES), np.uint8)
    reduced, powers = np.zeros_like(scales), np.zeros((experts, n), np.float32)
    pointer = ctypes.POINTER(ctypes.c_uint8)
    for e in range(experts):
        refused = (ctypes.c_int64 * 3)()
        code, scale = np.ascontiguousarray(blocks[e]), np.ascontiguousarray(scales[e])
        status = lib.mxfp4_take_row_powers(
            code.ctypes.data_as(pointer), scale.ctypes.data_as(pointer), n, k,
            reduced[e].ctypes.data_as(pointer),
            powers[e].ctypes.data_as(ctypes.POINTER(ctypes.c_float)), refused,
        )  # fmt: skip
        assert status == 0, list(refused)
        status = lib.mxfp4_pack(
            code.ctypes.data_as(pointer), reduced[e].ctypes.data_as(pointer), n, k, b"bytes",
            b"relative", packed[e].ctypes.data_as(pointer),
        )  # fmt: skip
        assert status == 0
    return packed, reduced, powers


def decode_weights(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """``[..., K]`` values of codes ``[..., K/32, 16]`` and E8M0 scales ``[..., K/32]``."""
    codes = np.stack([blocks & 15, blocks >> 4], axis=-1).reshape(*blocks.shape[:-1], 32)
    values = np.where(codes & 8, -1, 1) * _MAGNITUDES[codes & 7]
    values = np.ldexp(values, scales[..., None].astype(int) - 127)
    return values.reshape(*scales.shape[:-1], -1)


def sums_of(x: np.ndarray, w: np.ndarray, interval: int) -> np.ndarray:
    """[T, N] f32: activations ``[T, K]`` times weights ``[N, K]`` in the order of a K slice."""
    return fp8_sums.matmul(x, w, interval or None)


@dataclass
class Data:
    """Inputs of a launch, by the names of `Form.operands`."""

    arrays: dict[str, np.ndarray]
    weights: np.ndarray
    rows: int

    @staticmethod
    def random(form: Form, sizes: list[int], seed: int = 1, kind: str = "exact",
               ids: list[int] | None = None, spare: int = 0) -> Data:  # fmt: skip
        """ "exact": sums that no one rounds; "normal": such as activations are."""
        rng = np.random.default_rng(seed)
        shape = (form.experts, form.n, form.k // 32)
        blocks = rng.integers(0, 256, (*shape, 16), dtype=np.uint8)
        if kind == "exact":
            # Few numbers, whatever the power of a row.
            blocks &= np.where(rng.random(blocks.shape) < 0.25, 0xFF, 0).astype(np.uint8)
            # Zeros that decode to little show where nothing else is added.
            blocks[:, 2:4] = 0
            scales = rng.integers(127, 129, shape) + rng.integers(-90, 90, (*shape[:2], 1))
        else:
            scales = rng.integers(120, 130, shape)
        packed, reduced, powers = pack(blocks, scales.astype(np.uint8))
        used = sum(sizes)
        rows = used + (spare if form.gather else 0)
        sources = 5 + rows // 2 if form.gather else rows
        values = rng.integers(-2, 3, (sources, form.k)) if kind == "exact" else \
            rng.standard_normal((sources, form.k)) * 16  # fmt: skip
        if kind == "positive":
            values = np.abs(values)
            blocks &= 0x77
            packed, reduced, powers = pack(blocks, scales.astype(np.uint8))
        arrays = {
            "x": fp8.encode_e4m3(values.astype(np.float32)), "weights": packed, "powers": powers,
            "offsets": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
            "scales": np.ldexp(np.float32(rng.choice([1, 3], rows)), rng.integers(-9, 9, rows)),
        }  # fmt: skip
        arrays |= form.data(form.experts, rows, rng)
        arrays |= row_maps(form, rows, sources, ids, rng)
        return Data(arrays, decode_weights(blocks, reduced), rows)

    def output_rows(self, form: Form) -> int:
        """Of the output."""
        return self.rows + 3 if form.scatter else self.rows

    def expected(self, form: Form, kind: str = "exact") -> tuple[np.ndarray, np.ndarray]:
        """``[Q, columns]`` in the output's type, and which rows are stored."""
        a = self.arrays
        y = np.zeros((self.output_rows(form), form.columns), np.float32)
        stored = np.zeros(len(y), bool)
        for group in range(len(a["offsets"]) - 1):
            expert = int(a["expert_ids"][group]) if form.groups else group
            span = np.arange(a["offsets"][group], a["offsets"][group + 1])
            to = a["scatter"][span] if form.scatter else span
            stored[to] = True
            if expert < 0 or not len(span):
                continue
            x = E4M3[a["x"][a["gather"][span] if form.gather else span]]
            w = self.weights[expert]
            sums = (x.astype(np.float64) @ w.T).astype(np.float32) if kind == "exact" else \
                sums_of(x, w, ACCUMULATIONS[form.accumulation])  # fmt: skip
            with np.errstate(over="ignore"):
                scaled = sums * a["scales"][span, None] * a["powers"][expert]
                y[to] = finish(form.epilogue, a, scaled, expert, span)
        return form_runs.rounded(y, form.output), stored


def run(
    form: Form, data: Data, artifact: Artifact, seed: int = 1, ctas: int = 2, **options: int
) -> tuple[np.ndarray, np.ndarray, int, list[dict[str, Any]]]:
    """The output, which elements were stored, the error word, and hazards."""
    operands = ["powers", "scales", *form.own]
    return form_runs.run(form, data, artifact, operands, seed, ctas, **options)


def differences(form: Form, data: Data, y: np.ndarray, known: np.ndarray, kind: str) -> list[str]:
    """What is wrong with an output, of which some elements were stored; empty if nothing is."""
    # The exponential of SwiGLU is no one function.
    return form_runs.differences(y, known, *data.expected(form, kind), form.epilogue == "swiglu")


def complaints(form: Form, data: Data, options: str, kind: str = "exact", **how: Any) -> list[str]:
    """What is wrong with a kernel on some data; empty if nothing is."""
    y, known, error, findings = run(form, data, compiled(form, options), **how)
    return form_runs.complaints(error, findings, differences(form, data, y, known, kind))
