# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions of f32 in kernels, as the interpreter computes them, against float64."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import interpreter
import numpy as np
import pytest
from mxfp4 import Compiler
from mxfp4._sim_driver import SimDriver
from mxfp4.activation import Activation
from mxfp4.layer_reference import activate

UNARY = {
    "absf": np.abs,
    "ceil": np.ceil,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "roundeven": np.round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "trunc": np.trunc,
}


def ordered(of: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A maximum or minimum of numpy's, which takes either of two zeros, with -0 below 0."""

    def extremum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        is_max = of(1, 2) == 2
        signs = np.logical_and if is_max else np.logical_or
        zeros = np.where(signs(np.signbit(a), np.signbit(b)), -0.0, 0.0)
        return np.where((a == 0) & (b == 0), zeros, of(a, b))

    return extremum


EXACT = ("absf", "ceil", "floor", "roundeven", "trunc")
BINARY = {"divf": np.divide, "maximumf": ordered(np.maximum), "minimumf": ordered(np.minimum),
          "maxnumf": ordered(np.fmax), "minnumf": ordered(np.fmin)}  # fmt: skip
SMALLEST = 2.0**-126

BODIES = {name: f"%r = math.{name} %a : f32" for name in UNARY}
BODIES |= {name: f"%r = arith.{name} %a, %b : f32" for name in BINARY}
BODIES["sigmoid"] = """
    %one = arith.constant 1.0 : f32
    %n = arith.negf %a : f32
    %e = math.exp %n : f32
    %d = arith.addf %e, %one : f32
    %r = arith.divf %one, %d : f32"""
BODIES["reciprocal"] = "%r = arith.divf %a, %b fastmath<arcp> : f32"
BODIES["power"] = """
    %scale = arith.constant -1.702 : f32
    %p = arith.mulf %a, %scale : f32
    %r = math.exp %p : f32"""
BODIES["clampf"] = """
    %low = arith.constant -7.0 : f32
    %high = arith.constant 7.0 : f32
    %r = math.clampf %a to [%low, %high] : f32"""
BODIES["fma"] = "%r = math.fma %a, %b, %a : f32"
BODIES["copysign"] = "%r = math.copysign %a, %b : f32"


def kernel(body: str) -> str:
    """A module whose kernel computes out[i] from a[i] and b[i]."""
    return f"""
module attributes {{gpu.container_module}} {{
  gpu.module @f attributes {{mxfp4.kernels}} {{
    gpu.func @f(%as: memref<?xf32>, %bs: memref<?xf32>, %out: memref<?xf32>) kernel
        attributes {{known_block_size = array<i32: 128, 1, 1>}} {{
      %block = gpu.block_id x
      %thread = gpu.thread_id x
      %threads = arith.constant 128 : index
      %first = arith.muli %block, %threads : index
      %i = arith.addi %first, %thread : index
      %a = memref.load %as[%i] : memref<?xf32>
      %b = memref.load %bs[%i] : memref<?xf32>
      {body}
      memref.store %r, %out[%i] : memref<?xf32>
      gpu.return
    }}
  }}
}}"""


@cache
def ptx_of(name: str) -> str:
    with Compiler() as compiler, compiler.parse(kernel(BODIES[name])) as module:
        module.run("builtin.module(mxfp4-on-kernels{pipeline=mxfp4-lower-to-nvvm},mxfp4-serialize)")
        return module.kernels()[0].ptx


def compute(name: str, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    a = a.astype(np.float32)
    b = np.zeros_like(a) if b is None else b.astype(np.float32)
    size = -(-len(a) // 128) * 128
    driver = SimDriver()
    inputs = [
        driver.allocate(np.resize(values, size), "input", writable=False) for values in (a, b)
    ]
    out = interpreter.empty(driver, [size], np.float32, "output")
    findings = interpreter.launch(
        driver, ptx_of(name), "f", [*inputs, out], size // 128, 128, programmatic=False
    )
    assert findings == []
    return out.numpy()[: len(a)]


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0**-149, -(2.0**-149),
                    SMALLEST, 3.4028235e38, -3.4028235e38, 2.0**127, 2.0**-127])  # fmt: skip


def samples(rng: np.random.Generator, count: int = 6000) -> np.ndarray:
    """Numbers of all sizes, and many where functions change and formulas do."""
    wide = np.exp2(rng.uniform(-126, 127, count // 3)) * rng.choice([-1, 1], count // 3)
    near = rng.uniform(-20, 20, count // 3)
    at_one = 1 + rng.uniform(-1, 1, count // 6) * np.exp2(rng.uniform(-24, 0, count // 6))
    small = np.exp2(rng.uniform(-40, 1, count // 6)) * rng.choice([-1, 1], count // 6)
    return np.concatenate([SPECIAL, wide, near, at_one, small]).astype(np.float32)


def compare(got: np.ndarray, wanted: np.ndarray, bound: np.ndarray | float, at: object) -> None:
    """`wanted` in float64, to a relative error; the sign of zeros and infinities counts."""
    with np.errstate(over="ignore"):
        rounded = wanted.astype(np.float32)
    assert np.array_equal(np.isnan(got), np.isnan(wanted)), at
    known = ~np.isnan(wanted)
    assert np.array_equal(np.signbit(got[known]), np.signbit(wanted[known])), at
    infinite = known & np.isinf(rounded)
    # Whether the largest numbers are exceeded may depend on the last bit.
    edge = np.abs(wanted) > 3.402e38
    assert np.array_equal(got[infinite & ~edge], rounded[infinite & ~edge]), at
    finite = known & ~infinite & ~edge
    assert np.isfinite(got[finite]).all(), at
    error = np.abs(got[finite].astype(np.float64) - wanted[finite])
    most = np.broadcast_to(bound, wanted.shape)[finite] * np.abs(wanted[finite])
    tiny = np.abs(wanted[finite]) < SMALLEST
    wrong = error > np.where(tiny, SMALLEST, most)
    assert not wrong.any(), (at, np.flatnonzero(wrong)[:5], error[wrong][:5], most[wrong][:5])


@pytest.mark.parametrize("name", UNARY)
def test_functions(name: str, rng: np.random.Generator) -> None:
    """Within the bounds that LowerMath.cpp states, NaN, infinities and zeros as IEEE 754 has."""
    x = samples(rng)
    with np.errstate(all="ignore"):
        wanted = UNARY[name](x.astype(np.float64))
    bound: np.ndarray | float = 2.0**-20
    if name in ("exp2", "sqrt", "rsqrt"):
        bound = 2.0**-21
    if name in ("exp", "expm1"):
        bound = 2.0**-21 + np.abs(np.nan_to_num(x.astype(np.float64))) * 2.0**-23
    if name in EXACT:
        bound = 0.0
        x, wanted = x[np.abs(wanted) != 2.0**-149], wanted[np.abs(wanted) != 2.0**-149]
    compare(compute(name, x), wanted, bound, name)


@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name: str, rng: np.random.Generator) -> None:
    """Division within 2 ulp, minima and maxima exactly."""
    a, b = samples(rng), samples(rng)
    rng.shuffle(b)
    a = np.concatenate([a, np.repeat(SPECIAL, len(SPECIAL))]).astype(np.float32)
    b = np.concatenate([b, np.tile(SPECIAL, len(SPECIAL))]).astype(np.float32)
    with np.errstate(all="ignore"):
        wanted = BINARY[name](a.astype(np.float64), b.astype(np.float64))
    compare(compute(name, a, b), wanted, 2.0**-22 if name == "divf" else 0.0, name)


def test_sigmoid_is_good_at_both_ends(rng: np.random.Generator) -> None:
    """1 / (1 + exp(-x)) gives 0 for large negative x, 1 for large positive, never NaN."""
    x = np.concatenate([samples(rng), [-1e4, 1e4, -100, 100, -88, 88]]).astype(np.float32)
    x = x[~np.isnan(x)]
    with np.errstate(all="ignore"):
        wanted = 1 / (1 + np.exp(-x.astype(np.float64)))
    got = compute("sigmoid", x)
    assert not np.isnan(got).any()
    wanted[x < -88] = 0.0  # exp(88) is the last that f32 has
    compare(got, wanted, 2.0**-20 + np.abs(np.clip(x, -90, 90)) * 2.0**-23, "sigmoid")


def test_divisions_that_allow_reciprocals(rng: np.random.Generator) -> None:
    """Within 2 ulp if divisor and reciprocal are normal numbers; else x times 0 or infinity."""
    a, b = samples(rng), samples(rng)
    rng.shuffle(b)
    a = np.concatenate([a, np.repeat(SPECIAL, len(SPECIAL))]).astype(np.float32)
    b = np.concatenate([b, np.tile(SPECIAL, len(SPECIAL))]).astype(np.float32)
    with np.errstate(all="ignore"):
        reciprocal = np.float64(1) / b.astype(np.float64)
        reciprocal[np.abs(reciprocal) < SMALLEST] *= 0
        small = np.abs(b) < SMALLEST
        reciprocal[small] = np.copysign(np.inf, b[small])
        wanted = a.astype(np.float64) * reciprocal
    compare(compute("reciprocal", a, b), wanted, 2.0**-22, "reciprocal")


def test_sigmoid_of_many_numbers() -> None:
    """Divisors 1 + exp(-x) from 1 to the largest, 1400 for each power of two."""
    x = np.arange(-90, 90, 2.0**-11).astype(np.float32)
    wanted = 1 / (1 + np.exp(-x.astype(np.float64)))
    wanted[x < -87.5] = 0.0  # what is below 2^-126 may be 0
    compare(compute("sigmoid", x), wanted, 2.0**-21 + np.abs(x) * 2.0**-23, "sigmoid")


def test_power_of_a_product(rng: np.random.Generator) -> None:
    """exp of the rounded product, within what LowerMath.cpp states."""
    x = samples(rng)
    with np.errstate(all="ignore"):
        product = (x * np.float32(-1.702)).astype(np.float64)
        wanted = np.exp(product)
    bound = 2.0**-21 + np.minimum(np.abs(np.nan_to_num(product)), 1000) * 1.5 * 2.0**-23
    compare(compute("power", x), wanted, bound, "power")
    assert ptx_of("power").count("mul.rn.f32") == 1


def kernel_of(name: str, activation: Activation) -> None:
    """Puts an activation's region among the bodies: gate is `a` and up is `b`."""
    region = activation.region(bias=False)
    body = region.split("):\n", 1)[1].rsplit("mxfp4.yield", 1)[0]
    body = body.replace("%gate", "%a").replace("%up", "%b").replace("%sum", "%a")
    last = region.rsplit("mxfp4.yield ", 1)[1].split(" ")[0]
    BODIES[name] = f"{body}\n%r = arith.addf {last}, {last} : f32"


@pytest.mark.parametrize("shift", [0.0, 1.0, 0.5])
def test_swiglu_is_few_instructions(shift: float) -> None:
    """The region of a layer: no division, one multiplication for the exponent, and right."""
    activation = Activation("swiglu", alpha=1.702, shift=shift, limit=7.0)
    kernel_of(f"swiglu {shift}", activation)
    ptx = ptx_of(f"swiglu {shift}")
    assert "div" not in ptx
    assert ptx.count("rcp.approx.ftz.f32") == ptx.count("ex2.approx.ftz.f32") == 1
    gates = np.concatenate([np.arange(-60, 10, 2.0**-7), [-np.inf, np.inf, np.nan, -1e30, -88, 7]])
    a = np.tile(gates, 3).astype(np.float32)
    b = np.repeat([-9.0, 0.3, 5.0], len(gates)).astype(np.float32)
    gate, up = np.minimum(a, 7).astype(np.float64), np.clip(b, -7, 7).astype(np.float64)
    with np.errstate(all="ignore"):
        wanted = 2 * (up + shift) * (gate / (1 + np.exp(-np.float64(np.float32(1.702)) * gate)))
    got = compute(f"swiglu {shift}", a, b)
    finite = np.isfinite(wanted)
    assert np.array_equal(np.isfinite(got), finite)
    assert np.array_equal(np.isnan(got), np.isnan(wanted))
    bound = (2.0**-20 + np.abs(1.702 * gate) * 1.5 * 2.0**-23) * np.abs(wanted)
    # Sigmoids below 2^-126 are 0.
    lost = SMALLEST * np.abs(2 * (up + shift) * gate) * (gate < -51)
    assert (np.abs(got - wanted) <= bound + lost)[finite].all()


@pytest.mark.parametrize("limit", [None, 0.0, 7.0])
@pytest.mark.parametrize(
    "activation",
    [Activation("swiglu"), Activation("swiglu", alpha=1.702, shift=1.0), Activation("geglu_tanh"),
     Activation("situ", beta=4.0), Activation("situ", beta=4.0, linear_beta=25.0),
     Activation("relu2")],
    ids=str,
)  # fmt: skip
def test_zeros_of_activations(activation: Activation, limit: float | None) -> None:
    """Kernels and the reference in numpy give zeros of the same signs, at limits of 0, too."""
    activation = dataclasses.replace(activation, limit=limit)
    name = f"{activation}"
    kernel_of(name, activation)
    some = np.array([0.0, -0.0, 1.0, -1.0, 0.25, -8.0, 9.0], np.float32)
    a, b = np.repeat(some, len(some)), np.tile(some, len(some))
    sums = np.stack([a, b], -1).reshape(1, -1) if activation.pairs else a[None]
    wanted = 2 * activate(activation, sums.astype(np.float64))[0]
    got = compute(name, a, b)
    assert np.array_equal(got == 0, wanted == 0)
    assert np.array_equal(np.signbit(got), np.signbit(wanted))
    assert np.allclose(got, wanted, rtol=2.0**-18, atol=0)
    assert (wanted == 0).sum() >= 7


def test_others(rng: np.random.Generator) -> None:
    """clampf keeps NaN; fma rounds once; copysign."""
    x = samples(rng)
    assert np.array_equal(compute("clampf", x), np.clip(x, -7, 7), equal_nan=True)
    a, b = rng.standard_normal((2, 1000)).astype(np.float32)
    exact = a.astype(np.float64) * b + a
    assert np.array_equal(compute("fma", a, b), exact.astype(np.float32))
    assert np.array_equal(compute("copysign", a, b), np.copysign(a, b))


def test_maxima_are_one_instruction() -> None:
    """So is division."""
    for name, text in {"maximumf": "max.NaN.f32", "minimumf": "min.NaN.f32",
                       "maxnumf": "max.f32", "minnumf": "min.f32",
                       "divf": "div.full.f32"}.items():  # fmt: skip
        ptx = ptx_of(name)
        assert text in ptx
        assert "setp" not in ptx, name
