# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random epilogues: regions of every type and operation, operands of every kind, and their data.

Each row of the output has one value of the region, which an operand for each row counts, so that a
wrong value shows wherever it is used. Values follow from the seed; all but those of functions and
divisions are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import epilogue_operations as operations
import numpy as np
from epilogue_operations import FLOATS, FUNCTIONS, WIDTHS, Body
from mxfp4.formats import bfloat16

INTEGERS = [t for t in WIDTHS if t not in (*FLOATS, "index")]
CONSTANTS = ["0.0", "-0.0", "1.0", "-1.0", "0.5", "3.25", "-7.0", "1.0e-3", "1.0e+4", "0x7FC00000",
             "0x7F800000", "0xFF800000", "0x00000001", "0x80000001", "0x00800000", "0x7F7FFFFF",
             "0x3F800001"]  # fmt: skip
SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2.5, -0.5, 7, 2.0**-149, 2.0**-126,
                    3.4028235e38, -3.4028235e38, 65520, -1e9, 3e9, 1e20, 0.1,
                    16777217], np.float32)  # fmt: skip


@dataclass
class Value:
    """What a row may ask for: its name, its type, and how far it may be off."""

    name: str
    type: str
    bound: float = 0.0


@dataclass
class Writer:
    """Emits random operations on values that exist already."""

    rng: np.random.Generator
    known: dict[str, list[str]]
    body: Body = field(default_factory=lambda: Body("f32"))
    values: list[Value] = field(default_factory=list)

    def _one(self, *names: str) -> str:
        return str(self.rng.choice(names))

    def pick(self, kind: str) -> str:
        """A value of a type, a late one rather than an early one, or a constant."""
        names = self.known[kind]
        if names and self.rng.random() > 0.12:
            return names[min(int(len(names) * self.rng.random() ** 0.6), len(names) - 1)]
        if kind == "f32":
            return self.body.constant(self._one(*CONSTANTS), kind)
        if kind in FLOATS:
            return self.body.constant(self._one("0.0", "-0.0", "1.0", "-2.5", "3.0e+2"), kind)
        most = 2 ** (WIDTHS[kind] - 1)
        if kind == "i1":
            return self.body.constant(int(self.rng.integers(2)), kind)
        anything = int(self.rng.integers(-most, most - 1, endpoint=True))
        return self.body.constant(int(self._one("0", "1", "-1", str(-most), str(anything))), kind)

    def put(self, name: str, kind: str) -> None:
        """A new value."""
        self.known[kind].append(name)
        self.values.append(Value(name, kind))

    def emit(self, kind: str, text: str, results: int = 1) -> str:
        """An operation, whose first result is a new value of a type."""
        name = self.body.emit(text)
        if results > 1:
            self.body.lines[-1] = self.body.lines[-1].replace(" =", f":{results} =", 1)
            name += "#0"
        self.put(name, kind)
        return name

    def floats(self) -> None:
        """Arithmetic, comparisons and casts."""
        t = self._one("f32", "f32", *FLOATS)
        other = self._one(*(f for f in FLOATS if WIDTHS[f] != WIDTHS[t]))
        cast = "ext" if WIDTHS[other] > WIDTHS[t] else "trunc"
        a, b, c = self.pick(t), self.pick(t), self.pick("f32")
        match self.rng.integers(6):
            case 0:
                order = self._one(*operations.ORDERS)
                self.emit("i1", f"arith.cmpf {order}, {a}, {b} : {t}")
            case 1:
                self.emit(other, f"arith.{cast}f {a} : {t} to {other}")
            case 2:
                self.emit(t, f"arith.negf {a} : {t}")
            case 3:
                name = self._one("absf", "ceil", "floor", "roundeven", "trunc")
                self.emit("f32", f"math.{name} {c} : f32")
            case _:
                name = self._one(*operations.FLOAT_PAIRS)
                self.emit(t, f"arith.{name} {a}, {b} : {t}")

    def bits(self) -> None:
        """Between numbers and integers."""
        t, whole = self._one(*FLOATS), self._one(*INTEGERS)
        same, sign = f"i{WIDTHS[t]}", self._one("s", "u")
        match self.rng.integers(4):
            case 0:
                number = operations.clean(self.body, self.pick(t), t)
                self.emit(same, f"arith.bitcast {number} : {t} to {same}")
            case 1:
                self.emit(t, f"arith.bitcast {self.pick(same)} : {same} to {t}")
            case 2:
                self.put(operations.to_integer(self.body, self.pick(t), t, whole, sign), whole)
            case _ if t != "bf16" or WIDTHS[whole] < 24:
                self.emit(t, f"arith.{sign}itofp {self.pick(whole)} : {whole} to {t}")

    def integers(self) -> None:
        """Arithmetic and comparisons; neither division by 0 nor shifts by all bits."""
        t = self._one(*INTEGERS, "index")
        a, b, width = self.pick(t), self.pick(t), WIDTHS[t]
        match self.rng.integers(5):
            case 0:
                order = self._one(*operations.INTEGER_ORDERS)
                self.emit("i1", f"arith.cmpi {order}, {a}, {b} : {t}")
            case 1 if width > 1:
                most = self.body.constant(min(127, 2 ** (width - 1) - 1), t)
                small = self.body.emit(f"arith.andi {b}, {most} : {t}")
                right = self.body.emit(f"arith.ori {small}, {self.body.constant(1, t)} : {t}")
                self.emit(t, f"arith.{self._one(*operations.QUOTIENTS)} {a}, {right} : {t}")
            case 2 if width > 1:
                most = self.body.constant(2 ** (width.bit_length() - 1) - 1, t)
                right = self.body.emit(f"arith.andi {b}, {most} : {t}")
                self.emit(t, f"arith.{self._one(*operations.SHIFTS)} {a}, {right} : {t}")
            case 3:
                name = self._one("mulsi_extended", "mului_extended")
                low = self.emit(t, f"arith.{name} {a}, {b} : {t}", results=2)
                self.put(low.replace("#0", "#1"), t)
            case _:
                self.emit(t, f"arith.{self._one(*operations.INTEGER_PAIRS)} {a}, {b} : {t}")

    def widths(self) -> None:
        """Integers of one width as those of another, index among them."""
        t, other = self._one(*INTEGERS), self._one(*INTEGERS)
        cast = self._one("index_cast", "index_castui")
        match self.rng.integers(3):
            case 0:
                self.emit("index", f"arith.{cast} {self.pick(t)} : {t} to index")
            case 1:
                self.emit(t, f"arith.{cast} {self.pick('index')} : index to {t}")
            case _ if WIDTHS[t] != WIDTHS[other]:
                name = self._one("extsi", "extui") if WIDTHS[other] > WIDTHS[t] else "trunci"
                self.emit(other, f"arith.{name} {self.pick(t)} : {t} to {other}")

    def choices(self) -> None:
        """A select, or an operation with three operands."""
        t = self._one("f32", *WIDTHS)
        a, b, c = (self.pick("f32") for _ in range(3))
        match self.rng.integers(4):
            case 0:
                self.emit("f32", f"math.fma {a}, {b}, {c} : f32")
            case 1:
                sign = operations.clean(self.body, b, "f32")
                self.emit("f32", f"math.copysign {a}, {sign} : f32")
            case _:
                condition = self.pick("i1")
                self.emit(t, f"arith.select {condition}, {self.pick(t)}, {self.pick(t)} : {t}")

    def functions(self) -> None:
        """What has a bound. Nothing is computed of the result."""
        x, y = self.pick("f32"), self.pick("f32")
        one, c = self.body.constant(1.0, "f32"), self.body.constant(-1.702, "f32")
        name = self._one(*FUNCTIONS, "divf", "exp of product", "sigmoid")
        if name == "divf":
            found = self.body.emit(f"arith.divf {x}, {y} : f32")
        elif name in FUNCTIONS:
            found = self.body.emit(f"math.{name} {x} : f32")
        else:
            product = self.body.emit(f"arith.mulf {x}, {c} : f32")
            found = self.body.emit(f"math.exp {product} : f32")
            if name == "sigmoid":
                more = self.body.emit(f"arith.addf {found}, {one} : f32")
                found = self.body.emit(f"arith.divf {one}, {more} : f32")
        self.values.append(Value(found, "f32", 2.0**-15))

    def write(self, steps: int) -> None:
        """That many operations, and what they need."""
        kinds = [self.floats, self.floats, self.bits, self.integers, self.widths, self.choices,
                 self.functions]  # fmt: skip
        for _ in range(steps):
            kinds[self.rng.integers(len(kinds))]()

    def finish(self, most: int = 24) -> list[Value]:
        """Yields the value that ``%which_`` counts, or a product in bf16; these values."""
        if self.rng.random() < 0.2:
            factors = [self.body.emit(f"arith.truncf {self.pick('f32')} : f32 to bf16")
                       for _ in range(2)]  # fmt: skip
            product = self.body.emit(f"arith.mulf {factors[0]}, {factors[1]} : bf16")
            wide = self.body.emit(f"arith.extf {product} : bf16 to f32")
            self.body.lines.append(f"mxfp4.yield {wide} : f32")
            return [Value(wide, "f32")]
        kept = sorted(self.rng.permutation(len(self.values))[:most])
        values = [self.values[i] for i in kept]
        found = self.body.constant(0.0, "f32")
        for i, value in enumerate(values):
            number = self.body.constant(float(i), "f32")
            equal = self.body.emit(f"arith.cmpf oeq, %which_, {number} : f32")
            as_f32 = self.body.to_f32(value.name, value.type)
            found = self.body.emit(f"arith.select {equal}, {as_f32}, {found} : f32")
        self.body.lines.append(f"mxfp4.yield {found} : f32")
        return values


SHAPES = {"column": "{e}x{n}x", "row": "?x", "one": ""}


class Region:
    """An epilogue of a seed: text with ``{e}`` and ``{n}`` to fill in, operands and values.

    Attributes:
        pairs: whether two columns of sums make one.
        operands: types by name.
        values: those that a row may ask for.
    """

    def __init__(self, seed: int, front: dict[str, str] | None = None) -> None:
        """``front``: types of operands that the sums come with, in FP8."""
        rng = np.random.default_rng([seed, 7])
        self.pairs = bool(rng.integers(2))
        self.operands = {
            f"op{i}": f"memref<{SHAPES[str(rng.choice([*SHAPES]))]}{rng.choice(['bf16', 'f32'])}>"
            for i in range(rng.integers(4))
        } | {"which": "memref<?xf32>"}
        types = (front or {}) | self.operands
        arguments = ["%sum0", "%sum1"] if self.pairs else ["%sum0"]
        for name, kind in types.items():
            both = self.pairs and "{n}" in kind
            arguments += [f"%{name}_{i}" for i in range(2)] if both else [f"%{name}_"]
        writer = Writer(rng, {t: [] for t in WIDTHS} | {"f32": arguments[:-1]})
        writer.put(arguments[0], "f32")
        writer.write(int(rng.integers(3, 28)))
        self.values = writer.finish()
        lines = "\n      ".join(writer.body.lines)
        names = ", ".join(f"%{name}" for name in types)
        head = ", ".join(f"{name}: f32" for name in arguments)
        self.text = (f"epilogue({names} : {', '.join(types.values())}) {{{{\n    ^bb0({head}):\n"
                     f"      {lines}\n    }}}}")  # fmt: skip

    def data(
        self, experts: int, n: int, rows: int, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Ordinary numbers, and special ones among them."""
        found = {}
        for name, kind in self.operands.items():
            shape = {"{": (experts, n), "?": (rows,)}.get(kind[7], ())
            wide = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 7, shape)
            mixed = np.where(rng.random(shape) < 0.3, rng.choice(SPECIAL, shape), wide)
            numbers = np.asarray(mixed, np.float32)
            found[name] = numbers.astype(bfloat16) if "bf16" in kind else numbers
        found["which"] = rng.integers(0, len(self.values), rows).astype(np.float32)
        return found
