# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An epilogue for each scalar type, with every operation of `arith` and `math` that kernels have.

All results are one f32: a value for each row says which operation's result it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WIDTHS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64, "i1": 1, "i5": 5, "i8": 8, "i16": 16,
          "i32": 32, "i48": 48, "i64": 64, "index": 64}  # fmt: skip
FLOATS = tuple(t for t in WIDTHS if "f" in t)
FUNCTIONS = [
    "erf",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log10",
    "log1p",
    "log2",
    "rsqrt",
    "sqrt",
    "tanh",
]
"""Of `math`, which are no exact definition's."""

ORDERS = [
    "oeq",
    "ogt",
    "oge",
    "olt",
    "ole",
    "one",
    "ord",
    "ueq",
    "ugt",
    "uge",
    "ult",
    "ule",
    "une",
    "uno",
]
INTEGER_ORDERS = ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
FLOAT_PAIRS = ["addf", "subf", "mulf", "maximumf", "minimumf", "maxnumf", "minnumf"]
INTEGER_PAIRS = ["addi", "subi", "muli", "andi", "ori", "xori", "maxsi", "maxui", "minsi", "minui"]
QUOTIENTS = ["divui", "ceildivui", "remui", "divsi", "ceildivsi", "floordivsi", "remsi"]
SHIFTS = ["shli", "shrui", "shrsi"]


@dataclass
class Body:
    """Lines of a region, and the names of results by operation."""

    type: str
    lines: list[str] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)

    def emit(self, text: str) -> str:
        """A line that defines a value; its name."""
        name = f"%v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return name

    def constant(self, value: object, kind: str) -> str:
        """A constant of a type."""
        if kind == "i1":
            return self.emit(f"arith.constant {'true' if value else 'false'}")
        return self.emit(f"arith.constant {value} : {kind}")

    def from_f32(self, value: str) -> str:
        """A number of the body's type: rounded, or made of bits."""
        kind, width = self.type, WIDTHS[self.type]
        if kind == "f32":
            return value
        if kind in FLOATS:
            return self.emit(f"arith.{'ext' if width > 32 else 'trunc'}f {value} : f32 to {kind}")
        bits = self.emit(f"arith.bitcast {value} : f32 to i32")
        if kind == "i32":
            return bits
        if width < 32:
            high = self.emit(f"arith.shrui {bits}, {self.constant(13, 'i32')} : i32")
            return self.emit(f"arith.trunci {high} : i32 to {kind}")
        whole = "i64" if kind == "index" else kind
        wide = self.emit(f"arith.extsi {bits} : i32 to {whole}")
        spread = self.emit(
            f"arith.muli {wide}, {self.constant(2**33 + 2**16 + 15, whole)} : {whole}"
        )
        return self.emit(f"arith.index_cast {spread} : i64 to index") if kind == "index" else spread

    def to_f32(self, value: str, kind: str) -> str:
        """A number as f32: rounded, or bits of it mixed to 24."""
        width = WIDTHS[kind]
        if kind == "f32":
            return value
        if kind in FLOATS:
            return self.emit(f"arith.{'trunc' if width > 32 else 'ext'}f {value} : {kind} to f32")
        if kind == "index":
            return self.to_f32(self.emit(f"arith.index_cast {value} : index to i64"), "i64")
        if width > 32:
            high = self.emit(f"arith.shrui {value}, {self.constant(24, kind)} : {kind}")
            mixed = self.emit(f"arith.xori {high}, {value} : {kind}")
            value = self.emit(f"arith.trunci {mixed} : {kind} to i32")
        elif width < 32:
            value = self.emit(f"arith.extui {value} : {kind} to i32")
        high = self.emit(f"arith.shrui {value}, {self.constant(11, 'i32')} : i32")
        mixed = self.emit(f"arith.xori {high}, {value} : i32")
        low = self.emit(f"arith.andi {mixed}, {self.constant(2**24 - 1, 'i32')} : i32")
        return self.emit(f"arith.uitofp {low} : i32 to f32")

    def add(self, name: str, value: str, kind: str = "") -> None:
        """A result."""
        self.results[name] = self.to_f32(value, kind or self.type)


def clean(body: Body, value: str, kind: str) -> str:
    """A number without NaN, whose bits and integers nothing defines."""
    is_nan = body.emit(f"arith.cmpf uno, {value}, {value} : {kind}")
    return body.emit(f"arith.select {is_nan}, {body.constant(1.0, kind)}, {value} : {kind}")


def to_integer(body: Body, value: str, kind: str, to: str, sign: str) -> str:
    """A number as an integer, in whose range it is put before."""
    bits = WIDTHS[to] - (sign == "s")
    # What the type has between the bounds, which both types have.
    top = 2.0 ** min(bits, 14 if kind == "f16" else 62)
    low, high = (-top if sign == "s" else 0.0), (top - 1 if bits < 8 else top * (1 - 2.0**-7))
    value = clean(body, value, kind)
    value = body.emit(f"arith.maximumf {value}, {body.constant(low, kind)} : {kind}")
    value = body.emit(f"arith.minimumf {value}, {body.constant(high, kind)} : {kind}")
    return body.emit(f"arith.fpto{sign}i {value} : {kind} to {to}")


def _floats(body: Body, a: str, b: str) -> None:
    t = body.type
    for name in [*FLOAT_PAIRS, "divf"]:
        body.add(name, body.emit(f"arith.{name} {a}, {b} : {t}"))
    body.add("negf", body.emit(f"arith.negf {a} : {t}"))
    for order in ORDERS:
        body.add(order, body.emit(f"arith.cmpf {order}, {a}, {b} : {t}"), "i1")
    for other in FLOATS:
        if WIDTHS[other] != WIDTHS[t]:
            cast = "ext" if WIDTHS[other] > WIDTHS[t] else "trunc"
            body.add(other, body.emit(f"arith.{cast}f {a} : {t} to {other}"), other)
    for to in [t for t in WIDTHS if t not in (*FLOATS, "index")]:
        for sign in "su":
            body.add(f"fpto{sign}i {to}", to_integer(body, a, t, to, sign), to)
    if t != "f32":
        return
    for name in [*FUNCTIONS, "absf", "ceil", "floor", "roundeven", "trunc"]:
        body.add(name, body.emit(f"math.{name} {a} : f32"))
    body.add("copysign", body.emit(f"math.copysign {a}, {b} : f32"))
    body.add("fma", body.emit(f"math.fma {a}, {b}, {a} : f32"))
    low, high = body.constant(-3.0, t), body.constant(5.0, t)
    body.add("clampf", body.emit(f"math.clampf {a} to [{low}, {high}] : f32"))


def _integers(body: Body, a: str, b: str) -> None:
    t, width = body.type, WIDTHS[body.type]
    # Neither division by zero nor shifts of more than there is have a result.
    most, one = body.constant(min(127, 2 ** (width - 1) - 1), t), body.constant(1, t)
    small = body.emit(f"arith.andi {b}, {most} : {t}")
    divisor = body.emit(f"arith.ori {small}, {one} : {t}")
    bits = body.constant(2 ** (width.bit_length() - 1) - 1, t) if width > 1 else most
    shift = body.emit(f"arith.andi {b}, {bits} : {t}")
    for names, right in ((INTEGER_PAIRS, b), (QUOTIENTS, divisor), (SHIFTS, shift)):
        for name in names:
            body.add(name, body.emit(f"arith.{name} {a}, {right} : {t}"))
    for order in INTEGER_ORDERS:
        body.add(order, body.emit(f"arith.cmpi {order}, {a}, {b} : {t}"), "i1")
    for name in ("mulsi_extended", "mului_extended"):
        whole = body.emit(f"arith.{name} {a}, {b} : {t}")
        body.lines[-1] = body.lines[-1].replace(" =", ":2 =", 1)
        body.add(name, f"{whole}#1")
    if t == "index":
        for sign in ("", "ui"):
            for to in ("i8", "i32"):
                narrow = body.emit(f"arith.index_cast{sign} {a} : index to {to}")
                body.add(f"index_cast{sign} {to}", narrow, to)
                back = body.emit(f"arith.index_cast{sign} {narrow} : {to} to index")
                body.add(f"index_cast{sign} from {to}", back)
        return
    for to in FLOATS:
        # A host rounds large integers to f32 before it rounds them to bf16.
        if to != "bf16" or width < 24:
            for sign in "su":
                body.add(f"{sign}itofp {to}", body.emit(f"arith.{sign}itofp {a} : {t} to {to}"), to)
    for to in ("i24", "i64"):
        if width < int(to[1:]):
            for sign in "su":
                wide = body.emit(f"arith.ext{sign}i {a} : {t} to {to}")
                body.add(f"ext{sign}i {to}", body.emit(f"arith.trunci {wide} : {to} to i16"), "i16")


def body_of(kind: str) -> Body:
    """The operations of a type on `%a` and `%b`, and `%r`, the one that `%which` counts."""
    body = Body(kind)
    a, b = body.from_f32("%a"), body.from_f32("%b")
    less = body.emit("arith.cmpf olt, %a, %b : f32")
    body.add("select", body.emit(f"arith.select {less}, {a}, {b} : {kind}"))
    (_floats if kind in FLOATS else _integers)(body, a, b)
    found = body.constant(0.0, "f32")
    for i, result in enumerate(body.results.values()):
        number = body.constant(float(i), "f32")
        equal = body.emit(f"arith.cmpf oeq, %which, {number} : f32")
        found = body.emit(f"arith.select {equal}, {result}, {found} : f32")
    body.lines.append(f"mxfp4.yield {found} : f32")
    return body
