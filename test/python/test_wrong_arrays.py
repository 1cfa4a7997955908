# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of wrong shapes, dtypes and values, and numbers that make no sense: functions in numpy
answer with a result or a sentence, and with nothing else."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import mxfp4
import numpy as np
import pytest
from mxfp4 import Error, fp8, fp8_reference, layer_reference, layout, reference, routing
from mxfp4.formats import bfloat16
from mxfp4.layer_spec import Activation, LayerSpec
from mxfp4.weights import PackedWeights, Proof

_RNG = np.random.default_rng(3)
_VALUES = _RNG.standard_normal((2, 64, 96), np.float32)
CODES = mxfp4.quantize(_VALUES)
WEIGHTS, FP8 = mxfp4.pack(*CODES), mxfp4.pack(*CODES, "fp8")
X = _RNG.standard_normal((6, 96)).astype(bfloat16)
OFFSETS, IDS = np.array([0, 2, 6], np.int32), np.array([1, 0], np.int32)
SLOTS = np.array([[0, 1], [2, 3], [7, -1], [1, 0], [3, 4]], np.int32)
LOGITS = _RNG.standard_normal((5, 8)).astype(np.float32)
POSITIONS = routing.sort_by_expert(SLOTS, 8).positions
LAYER = LayerSpec(2, 1, 96, 32, Activation("swiglu"))
DOWN = mxfp4.quantize(_RNG.standard_normal((2, 96, 32), np.float32))
TOKENS, ROUTED = X[:3], np.array([[0], [1], [1]], np.int32)
ONE = WEIGHTS.data[0]

CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "scores": (routing.scores, (LOGITS, "softmax")),
    "top_k": (routing.top_k, (LOGITS, 2, "sigmoid", np.zeros(8, np.float32), True, 2.0)),
    "count_blocks": (routing.count_blocks, (SLOTS, 8)),
    "sort_by_expert": (routing.sort_by_expert, (SLOTS, 8)),
    "dispatch": (routing.dispatch, (X[:5], POSITIONS, np.zeros((10, 96), bfloat16))),
    "combine": (routing.combine, (X, POSITIONS, np.ones((5, 2), np.float32), np.float32)),
    "quantize": (mxfp4.quantize, (_VALUES[0],)),
    "dequantize": (mxfp4.dequantize, tuple(CODES)),
    "pack": (mxfp4.pack, (*CODES, "auto")),
    "pack for FP8": (mxfp4.pack, (*CODES, "fp8")),
    "unpack_bytes": (WEIGHTS.unpack_bytes, (ONE, 1)),
    "decode": (WEIGHTS.decode, (1,)),
    "decode FP8": (FP8.decode, (1,)),
    "validate_experts": (WEIGHTS.validate_experts, (WEIGHTS.data,)),
    "PackedWeights": (PackedWeights, (WEIGHTS.data, 64, 96, WEIGHTS.layout, WEIGHTS.proof)),
    "Proof": (Proof.of, (CODES.scales,)),
    "pack_expert": (layout.pack_expert, (CODES.blocks[0], CODES.scales[0], WEIGHTS.layout)),
    "unpack_expert": (layout.unpack_expert, (ONE, 64, 96, WEIGHTS.layout)),
    "unpack_scales": (layout.unpack_scales, (ONE, WEIGHTS.layout)),
    "padding_is_neutral": (layout.padding_is_neutral, (ONE, 64, 96, WEIGHTS.layout)),
    "to_raw_scales": (layout.to_raw_scales, (ONE.copy(),)),
    "reference": (reference.grouped_matmul, (X, WEIGHTS, OFFSETS, IDS, np.float32)),
    "FP8 reference": (fp8_reference.grouped_matmul, (X, FP8, OFFSETS, IDS, np.float32, "fast")),
    "drift_of": (fp8_reference.drift_of, (96, "fast")),
    "encode_e4m3": (fp8.encode_e4m3, (_VALUES[0],)),
    "quantize_rows": (fp8.quantize_rows, (X, IDS)),
    "layer": (layer_reference.layer, (LAYER, TOKENS, LOGITS[:3, :2], WEIGHTS, DOWN)),
    "experts": (layer_reference.experts,
                (LAYER, TOKENS, ROUTED, np.ones((3, 1), np.float32), CODES, DOWN,
                 np.zeros((2, 64), bfloat16), np.zeros((2, 96), bfloat16))),
    "activate": (layer_reference.activate, (Activation("swiglu"), np.ones((3, 4)))),
}  # fmt: skip


def others(value: Any) -> Iterator[Any]:
    """What might be given instead of a value."""
    if isinstance(value, np.ndarray):
        yield from arrays_like(value)
    elif isinstance(value, int):
        yield from (0, -1, 1, 3, 10**6, 2**31, 2**63, 2**70, 1.5, "3", None)
    elif isinstance(value, float):
        yield from (0, np.nan, np.inf, 1e300, 10**400, "1", None)
    elif isinstance(value, str):
        yield from ("", "nonsense", "\0", "a" * 5000, "%s", None, 3)
    else:
        yield from (None, 3, "x", np.zeros(3), object())


def arrays_like(a: np.ndarray) -> Iterator[Any]:
    """Other dimensions, other types, other memory, and what is no array."""
    yield from (np.zeros((), a.dtype), a.ravel(), a[None], a[..., None])
    for axis in range(a.ndim):
        for cut in (slice(0), slice(1), slice(-1), slice(None, None, 2)):
            yield a[(*[slice(None)] * axis, cut)]
        yield np.concatenate([a, a], axis)
    for kind in ("?", "i1", "u1", "i8", "u8", ">i4", "f2", "f8", ">f4", "c16", "O", "U3"):
        with warnings.catch_warnings(), contextlib.suppress(TypeError):
            warnings.simplefilter("ignore")
            yield a.astype(kind)
    fixed = a.copy()
    fixed.flags.writeable = False
    yield from (fixed, np.asfortranarray(a), a.tolist(), [[1, 2], [3]], None, "abc")
    for extreme in (-2, 255, 2**31 - 1, np.inf, np.nan):
        changed = a.copy()
        try:
            changed.flat[-1] = extreme
        except (OverflowError, ValueError):
            continue
        yield changed


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_a_result_or_a_sentence(name: str) -> None:
    function, arguments = CALLS[name]
    function(*arguments)
    said = []
    for i, value in enumerate(arguments):
        for other in others(value):
            try:
                function(*arguments[:i], other, *arguments[i + 1 :])
            except Error as e:
                said.append(str(e))
    assert said
    assert all(text.endswith((".", ")")) for text in said)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: routing.top_k(LOGITS, 9, "softmax"), "slots must be 1 to 8, the experts of logits"),
    (lambda: routing.top_k(LOGITS, 2, "softmax", np.zeros(1)), r"bias must be \[8\], got \[1\]"),
    (lambda: routing.top_k(LOGITS[0], 2, "softmax"), r"logits must be \[T, E\], got \[8\]"),
    (lambda: routing.sort_by_expert(SLOTS, 2**31), "experts must be 1 to 1024, got 2147483648"),
    (lambda: routing.sort_by_expert(SLOTS[0], 8), r"ids must be \[T, S\], got \[2\]"),
    (lambda: routing.sort_by_expert(SLOTS * 1.0, 8), "ids must be integers, got float64"),
    (lambda: routing.dispatch(X, POSITIONS, X), r"positions must be \[6, S\], got \[5, 2\]"),
    (lambda: routing.dispatch(X, POSITIONS, X[:, :9]), "values and rows must be alike but for"),
    (lambda: routing.combine(X, POSITIONS, np.ones(5)), r"weights must be \[5, 2\], got \[5\]"),
    (lambda: routing.combine(X, POSITIONS, POSITIONS, int), "dtype must be bfloat16 or"),
    (lambda: WEIGHTS.decode(2), "expert must be 0 to 1, got 2"),
    (lambda: WEIGHTS.decode(-1), "expert must be 0 to 1, got -1"),
    (lambda: WEIGHTS.validate_experts(WEIGHTS.data[:1]), "expected 2 experts, got 1"),
    (lambda: FP8.validate_experts([*FP8.data, FP8.data[0]]), "expected 2 experts, got 3"),
    (lambda: mxfp4.pack(np.array(3), CODES.scales), "blocks must be an array with a first"),
    (lambda: Proof.of(CODES.scales[:0]), r"scales must be at least one uint8, got uint8 \[0, 64"),
    (lambda: layer_reference.layer(LAYER, X, LOGITS[:3, :2], CODES, DOWN), "x has 6 tokens, but"),
    (lambda: layer_reference.layer(LAYER, TOKENS, LOGITS[:3, :2], DOWN, DOWN),
     r"gate_up must be weights of E, N, K = \[2, 64, 96\], got \[2, 96, 32\]"),
    (lambda: layer_reference.layer(LAYER, TOKENS, LOGITS[:3, :2], CODES, DOWN, np.zeros(64)),
     r"gate_up_bias must be \[2, 64\], got \[64\]"),
    (lambda: layer_reference.activate(Activation("swiglu"), np.ones((3, 5))), "needs pairs"),
    (lambda: fp8_reference.grouped_matmul(X, FP8, OFFSETS, None, np.float16), "output dtype must"),
    (lambda: fp8_reference.drift_of(96, "slow"), "accumulation must be"),
])  # fmt: skip
def test_sentences(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(Error, match=said):
        call()


def test_rows_that_no_slot_has() -> None:
    none = np.full((5, 2), -1, np.int32)
    assert not routing.combine(X[:0], none, np.ones((5, 2), np.float32)).any()


def test_a_read_only_output_is_refused() -> None:
    out = np.empty_like(WEIGHTS.data)
    out.flags.writeable = False
    for call in (
        lambda: mxfp4.pack(*CODES, out=out),
        lambda: layout.pack_expert(CODES.blocks[0], CODES.scales[0], WEIGHTS.layout, out[0]),
        lambda: layout.to_raw_scales(out),
    ):
        with pytest.raises(Error, match="may be written, got a read-only one"):
            call()
