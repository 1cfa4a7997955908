# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Activations between the two matmuls of an expert, as regions of an epilogue."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ._typed import typed
from .errors import Error

_GATED = {
    # gate * sigmoid(alpha * gate) * (up + shift), of clamped gate and up. The divisor is at least
    # 1, so that a reciprocal loses sigmoids below 2^-126 and nothing else.
    "swiglu": (
        "arith.negf {gate} : f32 -> {0}",
        "arith.mulf {0}, {alpha} : f32 -> {1}",
        "math.exp {1} : f32 -> {2}",
        "arith.addf {2}, {one} : f32 -> {3}",
        "arith.divf {gate}, {3} fastmath<arcp> : f32 -> {4}",
        "arith.addf {up}, {shift} : f32 -> {5}",
        "arith.mulf {5}, {4} : f32 -> {6}",
    ),
    # x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) * up.
    "geglu_tanh": (
        "arith.mulf {gate}, {gate} : f32 -> {0}",
        "arith.mulf {0}, {cubic} : f32 -> {1}",
        "arith.addf {1}, {one} : f32 -> {2}",
        "arith.mulf {gate}, {root} : f32 -> {3}",
        "arith.mulf {3}, {2} : f32 -> {4}",
        "math.tanh {4} : f32 -> {5}",
        "arith.addf {5}, {one} : f32 -> {6}",
        "arith.mulf {gate}, {half} : f32 -> {7}",
        "arith.mulf {7}, {6} : f32 -> {8}",
        "arith.mulf {8}, {up} : f32 -> {9}",
    ),
    # beta * tanh(gate / beta) * sigmoid(gate) * up.
    "situ": (
        "arith.mulf {gate}, {inverse_beta} : f32 -> {0}",
        "math.tanh {0} : f32 -> {1}",
        "arith.mulf {1}, {beta} : f32 -> {2}",
        "arith.negf {gate} : f32 -> {3}",
        "math.exp {3} : f32 -> {4}",
        "arith.addf {4}, {one} : f32 -> {5}",
        "arith.divf {2}, {5} fastmath<arcp> : f32 -> {6}",
        "arith.mulf {6}, {up} : f32 -> {7}",
    ),
}

# What takes the place of the last two operations of "swiglu" for a shift of 1 or 0.
_SHIFTED_BY = {1.0: ("math.fma {up}, {4}, {4} : f32 -> {5}",),
               0.0: ("arith.mulf {up}, {4} : f32 -> {5}",)}  # fmt: skip

# What takes the place of the first five, divided by a scale s in as many instructions:
# gate / (s + s * exp(-alpha * gate)), of which s * exp(...) is a power of two whose exponent is a
# fused product.
_SWIGLU_SCALED = (
    "math.fma {gate}, {slope}, {log_scale} : f32 -> {1}",
    "math.exp2 {1} : f32 -> {2}",
    "arith.addf {2}, {out_scale} : f32 -> {3}",
    "arith.divf {gate}, {3} fastmath<arcp> : f32 -> {4}",
)

# The same with linear_beta * tanh(up / linear_beta) in place of up.
_SITU_SOFT = (
    *_GATED["situ"][:-1],
    "arith.mulf {up}, {inverse_linear} : f32 -> {7}",
    "math.tanh {7} : f32 -> {8}",
    "arith.mulf {8}, {linear} : f32 -> {9}",
    "arith.mulf {6}, {9} : f32 -> {10}",
)


def number(value: Any, what: str, expected: str = "a number") -> float:
    """A number as a float, so that equal ones have equal texts.

    Raises:
        Error: if it is none, such as True.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Error(f"{what} must be {expected}, got {value!r}.")
    try:
        return float(value)
    except OverflowError as e:
        raise Error(f"{what} must be finite, and in f64 this number is not.") from e


def literal(value: float) -> str:
    """A number in MLIR's syntax, which wants a point in it."""
    text = repr(float(value))
    return text if "." in text else text.replace("e", ".0e")


@typed
@dataclass(frozen=True)
class Activation:
    """What is between the two matmuls of an expert.

    Attributes:
        kind: "swiglu", ``gate * sigmoid(alpha * gate) * (up + shift)``; "geglu_tanh", GELU of gate
            by tanh, times up; "situ", ``beta * tanh(gate / beta) * sigmoid(gate) * up``, up within
            soft limits; or "relu2", the square of max(x, 0), which is not gated.
        alpha: of "swiglu".
        shift: of "swiglu", what is added to up.
        limit: gate is at most this and up from minus this to this; None for no limit.
        beta: of "situ", what tanh keeps gate below.
        linear_beta: of "situ", ``linear_beta * tanh(up / linear_beta)`` stands for up; None for up
            as it is.
    """

    kind: str = "swiglu"
    alpha: float = 1.0
    shift: float = 0.0
    limit: float | None = None
    beta: float = 1.0
    linear_beta: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in (*_GATED, "relu2"):
            raise Error(
                f"the activation must be one of {[*_GATED, 'relu2']}, got {self.kind!r}; write an "
                "epilogue of mxfp4.grouped_matmul for another."
            )
        for name in ("alpha", "shift", "limit", "beta", "linear_beta"):
            if getattr(self, name) is None and name in ("limit", "linear_beta"):
                continue
            value = number(getattr(self, name), f"{name} of an activation")
            if not math.isfinite(value):
                raise Error(f"{name} of an activation must be finite, got {value}.")
            object.__setattr__(self, name, value)
        if self.limit is not None and self.limit < 0:
            raise Error(f"limit of an activation must not be negative, got {self.limit}.")
        for name in ("beta", "linear_beta"):
            value = getattr(self, name)
            if value is not None and not 2**-64 <= value <= 2**64:
                raise Error(f"{name} of an activation must be from 2^-64 to 2^64, got {value}.")

    @property
    def pairs(self) -> bool:
        """Whether gate and up, neighbouring columns, make one column."""
        return self.kind != "relu2"

    def _operations(self) -> tuple[str, ...]:
        """On gate and up."""
        if self.kind == "swiglu" and self.shift in _SHIFTED_BY:
            return _GATED["swiglu"][:-2] + _SHIFTED_BY[self.shift]
        soft = self.kind == "situ" and self.linear_beta is not None
        return _SITU_SOFT if soft else _GATED[self.kind]

    def bound(self) -> float:
        """What no result exceeds in magnitude, whatever the sums are; infinity if nothing."""
        most = math.inf if self.limit is None else self.limit
        if self.kind == "relu2":
            return most * most
        # Below zero, x * sigmoid(alpha * x) is at least -0.2785 / alpha, and GELU at least -0.1701.
        if self.kind == "situ":
            up = most if self.linear_beta is None else min(most, self.linear_beta)
            return min(self.beta, max(most, 0.2785)) * up
        if self.kind == "geglu_tanh":
            return max(most, 0.1701) * most
        if self.alpha <= 0:
            return math.inf
        return max(most, 0.2785 / self.alpha) * (most + abs(self.shift))

    def _constants(self, out_scale: float) -> dict[str, float]:
        """What the operations' texts name."""
        values = {"one": 1.0, "alpha": self.alpha, "shift": self.shift, "cubic": 0.044715,
                  "root": 0.7978845608028654, "half": 0.5 / out_scale,
                  "beta": self.beta / out_scale, "inverse_beta": 1 / self.beta,
                  "slope": -self.alpha / math.log(2), "log_scale": math.log2(out_scale),
                  "out_scale": out_scale}  # fmt: skip
        if self.linear_beta is not None:
            values |= {"linear": self.linear_beta, "inverse_linear": 1 / self.linear_beta}
        return values

    def region(self, bias: bool, scaled: bool = False, out_scale: float | None = None) -> str:
        """The epilogue's region, whose arguments are sums and, if there is one, biases.

        Args:
            bias: whether there is one.
            scaled: whether sums are of activations in FP8: between sums and biases are the powers
                of their rows of weights and the scale of the row of activations then.
            out_scale: what results are divided by, because they are stored in E4M3; None if they
                are stored as they are.
        """
        names = ["gate", "up"] if self.pairs else ["sum"]
        arguments = names.copy()
        if scaled:
            arguments += [*(f"{name}_power" for name in names), "scale"]
        arguments += [f"{name}_bias" for name in names if bias]
        lines, place = [], {name: f"%{name}" for name in arguments}

        def add(text: str, result: str) -> str:
            lines.append(f"      %{result} = {text}")
            return f"%{result}"

        def constant(name: str, value: float) -> str:
            return add(f"arith.constant {literal(value)} : f32", name)

        for name in names if scaled else []:
            of_row = add(f"arith.mulf %{name}, %scale : f32", f"{name}_of_row")
            if bias:  # The product with a power of two is exact.
                fused = f"math.fma {of_row}, %{name}_power, %{name}_bias : f32"
                place[name] = add(fused, f"{name}_biased")
            else:
                place[name] = add(f"arith.mulf {of_row}, %{name}_power : f32", f"{name}_scaled")
        for name in names if bias and not scaled else []:
            place[name] = add(f"arith.addf {place[name]}, %{name}_bias : f32", f"{name}_biased")
        if self.limit is not None:
            upper, lower = constant("upper", self.limit), constant("lower", -self.limit)
            for name in names:
                place[name] = add(f"arith.minimumf {place[name]}, {upper} : f32", f"{name}_upper")
            if self.pairs:
                place["up"] = add(f"arith.maximumf {place['up']}, {lower} : f32", "up_lower")
        if not self.pairs:
            zero = constant("zero", 0.0)
            positive = add(f"arith.maximumf {place['sum']}, {zero} : f32", "positive")
            if out_scale is not None:
                inverse = constant("inverse_scale", 1 / out_scale)
                place["sum"] = add(f"arith.mulf {positive}, {inverse} : f32", "over_scale")
            else:
                place["sum"] = positive
            last = add(f"arith.mulf {place['sum']}, {positive} : f32", "result")
        else:
            operations = self._operations()
            if self.kind == "swiglu" and out_scale is not None:
                operations = _SWIGLU_SCALED + operations[5:]
            text, values = " ".join(operations), self._constants(out_scale or 1.0)
            place |= {n: constant(n, v) for n, v in values.items() if f"{{{n}}}" in text}
            results = [f"%r{i}" for i in range(len(operations) + 1)]
            for line in operations:
                operation, _, result = line.partition(" -> ")
                last = add(operation.format(*results, **place), result.format(*results)[1:])
        head = ", ".join(f"%{name}: f32" for name in arguments)
        body = "\n".join(lines)
        return f"{{\n    ^bb0({head}):\n{body}\n      mxfp4.yield {last} : f32\n    }}"


GPT_OSS = Activation("swiglu", alpha=1.702, shift=1.0, limit=7.0)
"""``(up + 1) * gate * sigmoid(1.702 gate)`` of gate up to 7 and up from -7 to 7."""

KIMI_K3 = Activation("situ", beta=4.0, linear_beta=25.0)
"""SiTU, whose gate stays below 4 and whose up stays from -25 to 25."""
