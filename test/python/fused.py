# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Grouped matmuls with epilogues and maps of rows: as MLIR, in numpy, and in the interpreter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import form_runs
import mxfp4
import numpy as np
from epilogues import EPILOGUES
from form_runs import compiled
from mxfp4 import Layout
from mxfp4.artifact import Artifact
from mxfp4.formats import Quantized, bfloat16
from mxfp4.manifest import ROW_COUNTERS
from random_regions import Region

OPERANDS = {"columns": "memref<{e}x{n}xbf16>", "per_row": "memref<?xf32>", "scalar": "memref<f32>"}
"""Types of operands of `EPILOGUES`, of which `e` and `n` are to be filled in."""


@dataclass(frozen=True)
class Epilogued:
    """A form of an operation with one of `EPILOGUES`, or a random region, behind ``n`` columns of
    sums."""

    epilogue: str = "none"
    n: int = 128
    region: Region | None = None

    @property
    def pairs(self) -> bool:
        """Whether two columns of sums make one."""
        if self.region:
            return self.region.pairs
        return self.epilogue in ("pairs", "swiglu")

    @property
    def own(self) -> dict[str, str]:
        """Types of the epilogue's operands by name, but those that every form has."""
        if self.region:
            return self.region.operands
        text = EPILOGUES[self.epilogue]
        return {name: kind for name, kind in OPERANDS.items() if f"%{name}" in text}

    @property
    def columns(self) -> int:
        """Of the output."""
        return self.n // 2 if self.pairs else self.n

    def data(self, experts: int, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Values of the epilogue's operands, but those that every form has."""
        if self.region:
            return self.region.data(experts, self.n, rows, rng)
        return epilogue_data(self.own, experts, self.n, rows, rng)


@dataclass(frozen=True)
class Form(Epilogued):
    """A form of the operation.

    Attributes:
        experts, n, k: as in the operation; n counts columns of sums.
        groups: 0 without expert ids.
        epilogue: one of `EPILOGUES`.
        gather, scatter: which maps of rows there are.
        through: whether there is memory to gather through.
        older: whether offsets and weights were there before the kernel ahead began.
        counts: of the rows of experts: "stored", "awaited" or nothing.
        output: "bf16", "f32" or "f8E4M3FN".
        layout: of the weights.
    """

    experts: int = 3
    k: int = 192
    groups: int = 0
    gather: bool = False
    scatter: bool = False
    output: str = "bf16"
    layout: Layout = Layout()  # noqa: RUF009
    through: bool = False
    older: bool = False
    counts: str = ""

    def operands(self) -> dict[str, str]:
        """Types of the function's arguments by name, in order."""
        blocks = f"{self.experts}x{-(-self.n // 64)}x{-(-self.k // 64)}"
        groups, layout = self.groups or self.experts, self.layout
        found = {
            "x": f"memref<?x{self.k}xbf16>",
            "weights": f"memref<{blocks}x!mxfp4.block<{layout.order}, {layout.scales}>>",
            "offsets": f"memref<{groups + 1}xi32>",
        }
        if self.groups:
            found["expert_ids"] = f"memref<{groups}xi32>"
        found["y"] = f"memref<?x{self.columns}x{self.output}>"
        words = ROW_COUNTERS if self.through else 2
        found |= {"error": "memref<1xi32>", "workspace": f"memref<{words}xi32>"}
        found |= {name: "memref<?xi32>" for name in ("gather", "scatter") if getattr(self, name)}
        found |= {name: kind.format(e=self.experts, n=self.n) for name, kind in self.own.items()}
        found |= {self.counts: f"memref<{groups}xi32>"} if self.counts else {}
        return found | ({"through": found["x"]} if self.through else {})

    def mlir(self, function: str = "fused", attributes: str = "") -> str:
        """A function of this form."""
        types = self.operands()

        def clause(word: str, name: str) -> str:
            return f"{word}(%{name} : {types[name]})" if name in types else ""

        names = ("x", "gather", "through", "awaited", "weights", "offsets", "expert_ids", "y",
                 "scatter", "stored", "error", "workspace")  # fmt: skip
        words = {"x": "activations", "y": "outs"}
        text = self.region.text if self.region else EPILOGUES[self.epilogue]
        epilogue = text.format(e=self.experts, n=self.n)
        arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
        text = " ".join(clause(words.get(name, name), name) for name in names)
        promise = "{older_inputs}" if self.older else ""
        operation = f"mxfp4.grouped_matmul {text} {epilogue} {promise}"
        head = f"func.func @{function}({arguments}) {attributes}"
        return f"{head} {{\n  {operation}\n  return\n}}\n"


@dataclass
class Data:
    """Inputs of a launch, by the names of `Form.operands`, and what they should give."""

    arrays: dict[str, np.ndarray]
    weights: mxfp4.PackedWeights
    rows: int

    @staticmethod
    def random(
        form: Form, sizes: list[int], seed: int = 1, ids: list[int] | None = None, spare: int = 0
    ) -> Data:
        """Sums that are exact in f32. ``spare`` rows are behind the last offset."""
        rng = np.random.default_rng(seed)
        shape = (form.experts, form.n, form.k // 32)
        blocks = rng.integers(0, 256, (*shape, 16), dtype=np.uint8)
        scales = rng.integers(124, 128, shape, dtype=np.uint8)
        packed = mxfp4.pack(*Quantized(blocks, scales), form.layout)
        used = sum(sizes)
        rows = used + (spare if form.gather else 0)
        sources = 5 + rows // 2 if form.gather else rows
        x = rng.integers(-4, 5, (sources, form.k)).astype(np.float32).astype(bfloat16)
        arrays: dict[str, np.ndarray] = {
            "x": x,
            "weights": packed.data,
            "offsets": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        }
        arrays |= row_maps(form, rows, sources, ids, rng)
        arrays |= form.data(form.experts, rows, rng)
        return Data(arrays, packed, rows)

    def output_rows(self, form: Form) -> int:
        """Of the output."""
        return self.rows + 3 if form.scatter else self.rows

    def expected(self, form: Form) -> tuple[np.ndarray, np.ndarray]:
        """``[Q, columns]`` in the output's type, and which rows are stored."""
        a = self.arrays
        offsets = a["offsets"]
        y = np.zeros((self.output_rows(form), form.columns), np.float32)
        stored = np.zeros(len(y), bool)
        for group in range(len(offsets) - 1):
            expert = int(a["expert_ids"][group]) if form.groups else group
            span = np.arange(offsets[group], offsets[group + 1])
            rows = a["gather"][span] if form.gather else span
            to = a["scatter"][span] if form.scatter else span
            stored[to] = True
            if expert >= 0:
                sums = (
                    a["x"][rows].astype(np.float32)
                    @ self.weights.decode(expert).astype(np.float32).T
                )
                y[to] = finish(form.epilogue, a, sums, expert, span)
        return form_runs.rounded(y, form.output), stored


def row_maps(
    form: Any, rows: int, sources: int, ids: list[int] | None, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Those of a form's expert ids and maps of rows that it has."""
    arrays = {}
    if form.groups:
        assert ids is not None
        arrays["expert_ids"] = np.array(ids, np.int32)
    if form.gather:
        arrays["gather"] = rng.integers(0, sources, rows).astype(np.int32)
    if form.scatter:
        arrays["scatter"] = rng.permutation(rows + 3)[:rows].astype(np.int32)
    return arrays


def epilogue_data(
    names: Iterable[str], experts: int, n: int, rows: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Values of an epilogue's operands."""
    makers = {
        "columns": lambda: rng.integers(-9, 10, (experts, n)).astype(bfloat16),
        "per_row": lambda: rng.choice([0.5, 1.0, -2.0, 3.0], rows).astype(np.float32),
        "scalar": lambda: np.array(rng.choice([0.25, 2.0]), np.float32),
    }
    return {name: makers[name]() for name in names}


def finish(
    epilogue: str, a: Mapping[str, np.ndarray], sums: np.ndarray, expert: int, rows: np.ndarray
) -> np.ndarray:
    """What an epilogue makes of the sums of some rows."""
    one = np.float32(1)
    if epilogue != "none":
        sums = sums + a["columns"][expert].astype(np.float32)
    if epilogue == "weighted":
        sums = sums * a["per_row"][rows, None] * a["scalar"]
    if epilogue == "pairs":
        sums = np.maximum(sums[:, ::2], 0) * sums[:, 1::2] * a["per_row"][rows, None]
    if epilogue == "swiglu":
        gate, up = np.minimum(sums[:, ::2], 7), np.clip(sums[:, 1::2], -7, 7)
        with np.errstate(over="ignore"):  # of a large negative gate: then it is 0
            sums = (up + one) * (gate / (one + np.exp(np.float32(-1.702) * gate)))
    return sums


def run(
    form: Form, data: Data, artifact: Artifact, seed: int = 1, ctas: int = 2, **options: int
) -> tuple[np.ndarray, np.ndarray, int, list[dict[str, Any]]]:
    """The output, which elements were stored, the error word, and hazards."""
    return form_runs.run(form, data, artifact, list(form.own), seed, ctas, **options)


def complaints(form: Form, data: Data, options: str, **how: Any) -> list[str]:
    """What is wrong with a kernel on some data; empty if nothing is."""
    y, known, error, findings = run(form, data, compiled(form, options), **how)
    return form_runs.complaints(error, findings, differences(form, data, y, known))


def differences(form: Form, data: Data, y: np.ndarray, known: np.ndarray) -> list[str]:
    """What is wrong with an output, of which some elements were stored; empty if nothing is."""
    # The exponential of SwiGLU is no one function.
    return form_runs.differences(y, known, *data.expected(form), form.epilogue == "swiglu")
