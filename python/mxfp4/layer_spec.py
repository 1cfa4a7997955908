# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a mixture-of-experts layer computes, as modules of the dialect: one for each kernel."""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from ._typed import typed
from .activation import GPT_OSS, KIMI_K3, Activation, literal, number
from .errors import Error
from .fp8 import E4M3_LARGEST, quantize_mlir, quantize_operation
from .layer_matmul import down_region, matmul
from .layout import FP8, Layout
from .problem import check_accumulation
from .routing import MOST_EXPERTS, MOST_SLOTS, SCORINGS

_BF16 = Layout("spread", "folded")

EARLY_EXPERTS, EARLY_SIZES = range(32, 129), 2880
"""Experts with which `down` may begin while gate_up has not ended, hidden and inner sizes up to the
second.

Measured on an H200 with 32 and 128 experts (docs/tuning/LayerKernels.md).
"""

_JSON_TYPES = {
    "int": (int,), "float": (int, float), "bool": (bool,), "str": (str,),
    "float | None": (int, float, type(None)), "Activation": (dict,),
    "str | float": (str, int, float),
}  # fmt: skip


def _fields_of(kind: type, raw: Any, what: str) -> dict[str, Any]:
    """The values of a dataclass in JSON, by name, with types checked."""
    known = {field.name: field for field in fields(kind)}
    if not isinstance(raw, dict) or not set(raw) <= set(known):
        raise Error(f"{what} must be an object with some of {', '.join(known)}, got {raw!r}.")
    for name, field in known.items():
        types = _JSON_TYPES[str(field.type)]
        if name not in raw:
            if field.default is MISSING:
                raise Error(f"{what} needs {name}; it has {', '.join(raw) or 'nothing'}.")
        elif not isinstance(raw[name], types) or (type(raw[name]) is bool) != (types == (bool,)):
            raise Error(f"{name} of {what} must be of type {field.type}, got {raw[name]!r}.")
    return dict(raw)


@typed
@dataclass(frozen=True)
class LayerSpec:
    """A layer: router's logits and hidden states in, hidden states out.

    Attributes:
        experts: E.
        slots: experts of each token, S.
        hidden: columns of hidden states, H, a multiple of 32.
        inner: columns between the two matmuls, I, a multiple of 32.
        activation: between them.
        bias: whether both matmuls add a bias, bf16 ``[E, N]``.
        scoring: see `routing.top_k`.
        correction: whether a bias f32 ``[E]`` takes part in the selection.
        renormalize: whether the weights of a token's experts are divided by their sum.
        scale: of these weights.
        logits: "bf16" or "f32".
        batch_invariant: whether the bits of a token's result may not depend on the other tokens of
            a call, nor on how many there are.
        activations: of both matmuls: "bf16", or "fp8", which rounds the rows that they read
            (docs/Numerics.md) and needs weights packed with layout "fp8".
        accumulation: how sums of FP8 products are taken, "fast", "promoted512" or "promoted128".
        activation_scale: of what is between the matmuls, in FP8. "row": of each row, from its
            largest value, which needs a kernel of its own between the matmuls. "bound": of all
            rows the least power of two by which `Activation.bound` becomes at most 448; for
            activations with limits. A number: of all rows, as checkpoints name it `input_scale`;
            what is larger than 448 times this number becomes that. With "bound" and with a number
            the first matmul stores E4M3 itself; results that are small compared with the scale
            lose bits (docs/Numerics.md).
    """

    experts: int
    slots: int
    hidden: int
    inner: int
    activation: Activation = GPT_OSS
    bias: bool = False
    scoring: str = "softmax_selected"
    correction: bool = False
    renormalize: bool = False
    scale: float = 1.0
    logits: str = "bf16"
    batch_invariant: bool = False
    activations: str = "bf16"
    accumulation: str = "promoted512"
    activation_scale: str | float = "row"

    def __post_init__(self) -> None:
        if not 1 <= self.experts <= MOST_EXPERTS:
            raise Error(f"experts must be 1 to {MOST_EXPERTS}, got {self.experts}.")
        if not 1 <= self.slots <= min(self.experts, MOST_SLOTS):
            most = min(self.experts, MOST_SLOTS)
            raise Error(f"slots must be 1 to {most}, got {self.slots}.")
        for name in ("hidden", "inner"):
            if getattr(self, name) < 32 or getattr(self, name) % 32:
                raise Error(f"{name} must be a multiple of 32, got {getattr(self, name)}.")
        if self.scoring not in SCORINGS:
            raise Error(f"scoring must be one of {list(SCORINGS)}, got {self.scoring!r}.")
        object.__setattr__(self, "scale", number(self.scale, "scale"))
        if not math.isfinite(self.scale):
            raise Error(f"scale must be finite, got {self.scale}.")
        if self.logits not in ("bf16", "f32"):
            raise Error(f'logits must be "bf16" or "f32", got {self.logits!r}.')
        if self.activations not in ("bf16", "fp8"):
            raise Error(f'activations must be "bf16" or "fp8", got {self.activations!r}.')
        check_accumulation(self.accumulation)
        if self.activations == "bf16" and self.accumulation != "promoted512":
            raise Error(
                f'accumulation={self.accumulation!r} needs activations="fp8": sums of bf16 '
                "products are in f32."
            )
        if not isinstance(self.activation_scale, str):
            expected = '"row", "bound" or a number'
            scale = number(self.activation_scale, "activation_scale", expected)
            object.__setattr__(self, "activation_scale", scale)
        self._check_activation_scale()

    def _check_activation_scale(self) -> None:
        scale = self.activation_scale
        if scale == "row":
            return
        if self.activations != "fp8":
            raise Error(
                f'activation_scale={scale!r} needs activations="fp8": in bf16 there are no scales.'
            )
        if isinstance(scale, str):
            if scale != "bound":
                raise Error(f'activation_scale must be "row", "bound" or a number, got {scale!r}.')
            if not self.activation.bound() <= 2.0**64:
                raise Error(
                    'activation_scale="bound" needs an activation whose results have a bound, '
                    f"which {self.activation} has not; give a number, such as a checkpoint's "
                    'input_scale, or "row".'
                )
        elif not 2.0**-64 <= scale <= 2.0**64:
            raise Error(f"activation_scale must be from 2^-64 to 2^64, got {scale}.")

    @property
    def inner_scale(self) -> float | None:
        """The scale of all rows between the matmuls; None if each row has its own."""
        if self.activation_scale == "row":
            return None
        if not isinstance(self.activation_scale, str):
            return float(np.float32(self.activation_scale))
        least = max(self.activation.bound() / E4M3_LARGEST, 2.0**-64)
        return 2.0 ** math.ceil(math.log2(least))

    def text(self) -> str:
        """The layer in JSON, which `parse` reads: what operators of torch take."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> LayerSpec:
        """The layer of a text that `text` made; what has a default may be left out.

        Raises:
            Error: if it is none.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise Error(f"the layer's text must be JSON, as LayerSpec.text() gives it: {e}.") from e
        return LayerSpec.of(raw)

    @staticmethod
    def of(raw: Any) -> LayerSpec:
        """The layer of JSON's values.

        Raises:
            Error: if they are none.
        """
        values = _fields_of(LayerSpec, raw, "a layer")
        if "activation" in values:
            values["activation"] = Activation(
                **_fields_of(Activation, values["activation"], "an activation")
            )
        return LayerSpec(**values)

    @property
    def counts_rows(self) -> bool:
        """Whether `down` may begin early, and wait for rows that gate_up counts.

        With scales of inner rows of their own, a kernel between the two writes the rows.
        """
        sizes = max(self.hidden, self.inner)
        is_small = self.experts in EARLY_EXPERTS and sizes <= EARLY_SIZES
        return is_small and (self.activations == "bf16" or self.inner_scale is not None)

    @property
    def layout(self) -> Layout:
        """Of the packed weights."""
        return FP8 if self.activations == "fp8" else _BF16

    @property
    def columns(self) -> int:
        """Of the first matmul's sums."""
        return 2 * self.inner if self.activation.pairs else self.inner

    def _routing_types(self) -> dict[str, str]:
        e, s = self.experts, self.slots
        return {
            "l": f"memref<?x{e}x{self.logits}>", "b": f"memref<{e}xf32>", "i": f"memref<?x{s}xi32>",
            "w": f"memref<?x{s}xf32>", "c": f"memref<128x{e}xi32>", "o": f"memref<{e + 1}xi32>",
            "t": "memref<?xi32>", "p": f"memref<?x{s}xi32>", "x": f"memref<?x{self.hidden}xbf16>",
            "r": f"memref<?x{self.hidden}xbf16>", "q": f"memref<?x{self.hidden}xf8E4M3FN>",
            "s": "memref<?xf32>", "z": f"memref<{e}xi32>", "e": "memref<1xi32>",
        }  # fmt: skip

    def _top_k(self, counts: bool) -> str:
        t = self._routing_types()
        options = (["renormalize"] if self.renormalize else []) + (
            [f"scale = {literal(self.scale)} : f32"] if self.scale != 1 else []
        )
        return (
            f"  mxfp4.top_k logits(%l : {t['l']}) "
            + (f"bias(%b : {t['b']}) " if self.correction else "")
            + f"scoring({self.scoring}) outs(%i, %w : {t['i']}, {t['w']}) "
            + (f"counts(%c : {t['c']}) " if counts else "")
            + (f"{{{', '.join(options)}}}" if options else "")
        )

    def _sort(self, counts: bool) -> str:
        t = self._routing_types()
        return (
            f"  mxfp4.sort_by_expert ids(%i : {t['i']}) "
            + (f"counts(%c : {t['c']}) " if counts else "")
            + f"outs(%o, %t, %p : {t['o']}, {t['t']}, {t['p']}) "
            + (f"zeros(%z : {t['z']}) " if counts and self.counts_rows else "")
            + f"error(%e : {t['e']})"
        )

    def _function(self, name: str, *operations: str) -> str:
        types = self._routing_types()
        used = [n for n in types if any(f"%{n} :" in op or f"%{n}," in op for op in operations)]
        arguments = ", ".join(f"%{n}: {types[n]}" for n in used)
        body = "\n".join(operations)
        return f"func.func @{name}({arguments}) {{\n{body}\n  return\n}}\n"

    def sort_given(self) -> str:
        """The sort of ids that the caller brings in one kernel, for few tokens."""
        return self._function("sort_given", self._sort(False))

    def count(self) -> str:
        """The first of two kernels that sort such ids; the second is `sort`."""
        t = self._routing_types()
        return self._function("count_by_expert", "  mxfp4.count_by_expert "
                              f"ids(%i : {t['i']}) outs(%c : {t['c']})")  # fmt: skip

    def route(self) -> str:
        """Both routing operations in one kernel, for few tokens."""
        return self._function("route", self._top_k(False), self._sort(False))

    def top_k(self) -> str:
        """The first of two routing kernels."""
        return self._function("top_k", self._top_k(True))

    def sort(self) -> str:
        """The second."""
        return self._function("sort_by_expert", self._sort(True))

    def gate_up(self) -> str:
        """The first matmul, of rows in the order of experts, up to the activation."""
        return self._gate_up("gate_up", False)

    def gate_up_gathered(self) -> str:
        """The same, which gathers its rows."""
        return self._gate_up("gate_up_gathered", True)

    def gate_up_through(self) -> str:
        """The same, while a warp of each CTA brings rows into the order of experts."""
        return self._gate_up("gate_up_through", True, through=True)

    def gate_up_through_counted(self) -> str:
        """The same, which counts the rows that it has stored."""
        return self._gate_up("gate_up_through_counted", True, through=True, counts="stored")

    def gate_up_counted(self) -> str:
        """Of rows in the order of experts, such a kernel."""
        return self._gate_up("gate_up_counted", False, counts="stored")

    def _gate_up(self, name: str, gather: bool, through: bool = False, counts: str = "") -> str:
        # Columns of weights that were packed for another kind of layer do not fit.
        columns = ", interleaved" if self.activation.pairs else ""
        fp8, scale = self.activations == "fp8", self.inner_scale
        region = self.activation.region(self.bias, fp8, scale)
        return matmul(
            self, name, self.columns, self.hidden, self.inner, gather, region, columns,
            "bf16" if scale is None else "f8E4M3FN", through=through, counts=counts,
        )  # fmt: skip

    def _dispatch(self) -> str:
        t = self._routing_types()
        return (
            f"  mxfp4.dispatch values(%x : {t['x']}) positions(%p : {t['p']}) "
            f"outs(%r : {t['r']}) error(%e : {t['e']})"
        )

    def _quantize(self) -> str:
        return quantize_operation(self.hidden, f"scatter(%p : {self._routing_types()['p']})")

    def dispatch(self) -> str:
        """Rows in the order of experts."""
        return self._function("dispatch", self._dispatch())

    def sort_dispatch(self) -> str:
        """The second of two routing kernels, and `dispatch`, in one kernel."""
        return self._function("sort_dispatch", self._sort(True), self._dispatch())

    def down(self) -> str:
        """The second matmul, with its bias."""
        return self._down("down", False)

    def down_gathered(self) -> str:
        """The same of rows by index: only so may the rows of experts end before all rows do."""
        return self._down("down_gathered", True)

    def down_counted(self) -> str:
        """The second matmul, whose tiles wait for rows that the first one counts."""
        return self._down("down_counted", False, counts="awaited")

    def _down(self, name: str, gather: bool, counts: str = "") -> str:
        scale = self.inner_scale
        region = down_region(self.bias, self.activations == "fp8", scale)
        return matmul(
            self, name, self.hidden, self.inner, self.hidden, gather, region,
            row_scales=scale is None, older_inputs=True, counts=counts,
        )  # fmt: skip

    def quantize(self) -> str:
        """Rows in the order of experts, in FP8."""
        return self._function("quantize", self._quantize())

    def sort_quantize(self) -> str:
        """The second of two routing kernels, and `quantize`, in one kernel."""
        return self._function("sort_quantize", self._sort(True), self._quantize())

    def quantize_inner(self) -> str:
        """The rows between the two matmuls, in FP8."""
        return quantize_mlir("quantize_inner", self.inner)

    def combine(self) -> str:
        """The weighted sum of each token's rows."""
        h, s = self.hidden, self.slots
        return f"""func.func @combine(%y: memref<?x{h}xbf16>, %p: memref<?x{s}xi32>,
    %w: memref<?x{s}xf32>, %o: memref<?x{h}xbf16>, %e: memref<1xi32>) {{
  mxfp4.combine rows(%y : memref<?x{h}xbf16>) positions(%p : memref<?x{s}xi32>)
    weights(%w : memref<?x{s}xf32>) outs(%o : memref<?x{h}xbf16>) error(%e : memref<1xi32>)
  return
}}
"""


_DEEPSEEK_V4 = Activation("swiglu", limit=10.0)

PRESETS = {
    "gpt-oss-20b": LayerSpec(32, 4, 2880, 2880, GPT_OSS, bias=True),
    "gpt-oss-120b": LayerSpec(128, 4, 2880, 2880, GPT_OSS, bias=True),
    "deepseek-v4-flash": LayerSpec(
        256, 6, 4096, 2048, _DEEPSEEK_V4, scoring="sqrt_softplus", correction=True,
        renormalize=True, scale=1.5, logits="f32",
    ),
    "deepseek-v4-pro": LayerSpec(
        384, 6, 7168, 3072, _DEEPSEEK_V4, scoring="sqrt_softplus", correction=True,
        renormalize=True, scale=2.5, logits="f32",
    ),
    "kimi-k3": LayerSpec(
        896, 16, 3584, 3072, KIMI_K3, scoring="sigmoid", correction=True, renormalize=True,
        logits="f32",
    ),
}  # fmt: skip
"""Layers of published models whose experts are in MXFP4, without experts that all tokens share.

`dataclasses.replace` makes another size of them, such as the part of one of several GPUs.
"""
