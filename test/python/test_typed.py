# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of wrong types: every public entry of the package answers with a sentence."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mxfp4
import numpy as np
import pytest
from mxfp4 import formats, fp8, fp8_reference, layout, packing, routing
from mxfp4._typed import typed
from mxfp4.formats import bfloat16
from mxfp4.layer_spec import LayerSpec

# Beside `mxfp4` itself, modules whose functions and classes people call.
MODULES = (
    "activation", "artifact", "checkpoint", "compile", "devices", "experts", "explain", "formats",
    "fp8", "fp8_reference", "kernels", "layer_kernels", "layer_reference", "layer_spec", "layout",
    "make_checkpoint", "module", "packed_checkpoint", "packed_file", "packed_folder", "packing",
    "problem", "reference", "routing", "routing_artifact", "runtime", "simulator", "weights",
)  # fmt: skip
# Of these, with torch.
WITH_TORCH = ("layer", "torch_op", "integrations.transformers", "integrations.torch_export")
# Entries of `mxfp4` that are not typed: calls whose host time counts, which look at tensors
# themselves, and what the package itself makes.
UNTYPED = {"Error", "grouped_matmul", "Quantized", "Simulation"}
VALUES: list[Any] = [
    None, True, 7, 2.5, "words", b"bytes", [], [3], {}, (), object(), Path("/a"), np.zeros(3), int,
]  # fmt: skip
WRONG_FOR = {
    "str": [None, 7, 2.5, b"bytes", [], {}, object(), Path("/a"), np.zeros(3), str],
    "int": [None, 2.5, "7", b"7", [], {}, object(), np.zeros(3), int],
    "float": [None, "1.5", [], {}, object()],
    "bool": [None, 7, "yes", [], object()],
    "str | os.PathLike[str]": [None, 7, b"bytes", [], object()],
    "list[str] | None": ["words", [3], 7, {}],
    "ArrayLike": [None, "words", b"bytes", {}, object(), Path("/a"), float],
    "ArrayLike | None": ["words", {}, object()],
    "frozenset[str]": [None, 7, "bias", b"bias", {"bias": 1}, [3], object()],
    "NDArray[np.uint8]": [None, [], 7, "words", object()],
    "Problem": [None, "experts=1 n=64 k=64", 7],
    "Layout | str": [None, 7, ("spread", "folded")],
}


def public(module: Any) -> Iterator[tuple[str, Any]]:
    """Names and functions of what a module offers, methods of its classes too."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield f"{module.__name__}.{name}", value
        elif inspect.isclass(value):
            for method, held in vars(value).items():
                plain = held.__func__ if isinstance(held, (staticmethod, classmethod)) else held
                if inspect.isfunction(plain):
                    yield f"{module.__name__}.{name}.{method}", plain


def typed_functions() -> list[Any]:
    """The functions of all modules that look at the types of their arguments."""
    found = []
    names = [*MODULES, *(WITH_TORCH if importlib.util.find_spec("torch") else ())]
    for name in names:
        if name == "integrations.transformers" and not importlib.util.find_spec("transformers"):
            continue
        functions = dict(public(importlib.import_module(f"mxfp4.{name}")))
        found += [pytest.param(f, id=n) for n, f in functions.items() if is_typed(f)]
    return found


def is_typed(function: Any) -> bool:
    """Whether a function is what `typed` has made."""
    return getattr(function, "__code__", None) is typed(lambda: None).__code__


def test_whatever_the_package_offers_looks_at_types() -> None:
    for name in set(mxfp4.__all__) - UNTYPED:
        value = getattr(mxfp4, name)
        if inspect.isclass(value):
            parameters = list(inspect.signature(value.__init__).parameters)[1:]
            assert is_typed(value.__init__) or not parameters, name
        else:
            assert is_typed(value), name


def test_functions_are_found() -> None:
    assert len(typed_functions()) > 120


@pytest.mark.parametrize("function", typed_functions())
def test_a_wrong_type_is_a_sentence(function: Callable[..., Any]) -> None:
    """Of each parameter by itself, since types are looked at before anything else happens."""
    for parameter in inspect.signature(function).parameters.values():
        for wrong in WRONG_FOR.get(str(parameter.annotation), ()):
            with pytest.raises(mxfp4.Error) as raised:
                function(**{parameter.name: wrong})
            said = str(raised.value)
            assert said.startswith(f"{parameter.name} must be "), said
            shown = repr(wrong) if isinstance(wrong, str) else type(wrong).__name__
            assert re.search(rf", got {re.escape(shown)}(; see mxfp4\.\w+)?\.$", said), said
        if "os.PathLike" in str(parameter.annotation):
            with pytest.raises(mxfp4.Error, match="must not hold a NUL character, got one at 2"):
                function(**{parameter.name: "ab\0c"})


def test_kinds_of_annotations() -> None:
    @typed
    def taken(
        a: int | None = None, b: str | bytes = "", c: float = 0, d: list[str] | None = None,
        *rest: int, e: dict[str, Any] | None = None, f: Callable[[int], str] | None = None,
        **more: int,
    ) -> str:  # fmt: skip
        return "taken"

    accepted: list[dict[str, Any]] = [
        {"a": np.int32(3)}, {"b": b"x"}, {"c": 3}, {"c": np.float32(2)}, {"d": ["x"]}, {"d": None},
        {"e": {}}, {"f": "left open"}, {"more": "left open"},
    ]  # fmt: skip
    accepted += [
        {"a": np.array(3)},
        {"c": np.array(1.5)},
        {"d": ("x", "y")},
        {"d": {"x": 1}.keys()},
    ]
    for given in accepted:
        assert taken(**given) == "taken"
    for given, said in (
        ({"a": 1.0}, "a must be an integer or None, got float."),
        ({"b": 3}, "b must be a string or bytes, got int."),
        ({"d": ["x", 3]}, "d must be a list of strings or None, got list."),
        ({"e": []}, "e must be a dictionary or None, got list."),
    ):
        with pytest.raises(mxfp4.Error) as raised:
            taken(**given)  # type: ignore[arg-type]
        assert str(raised.value) == said
    with pytest.raises(mxfp4.Error, match=r"^b must be"):
        taken(1, 2)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        typed(lambda x: x)(y=3)  # type: ignore[call-arg]


def test_what_stands_for_a_type_becomes_it() -> None:
    """Numbers of numpy, and sequences; what is held is compared, hashed and written as JSON."""

    @typed
    def held(
        a: int = 0, b: bool = False, c: float = 0, d: frozenset[str] = frozenset(),
        e: list[str] | None = None, f: tuple[int, int] = (0, 0), g: str | os.PathLike[str] = "",
    ) -> tuple[Any, ...]:  # fmt: skip
        return a, b, c, d, e, f, g

    for name, given, wanted in (
        ("a", np.int32(3), 3), ("a", np.array(3, np.uint8), 3), ("a", True, True),
        ("b", 1, True), ("b", np.int64(0), False), ("b", np.bool_(True), True),
        ("b", np.array(True), True), ("c", np.float32(0.5), 0.5), ("c", np.array(0.5), 0.5),
        ("c", 3, 3), ("c", np.int8(3), 3), ("d", ["x"], frozenset("x")),
        ("d", ("x", "x"), frozenset("x")), ("d", {"x"}, frozenset("x")),
        ("d", (c for c in "xy"), frozenset("xy")), ("e", ("x",), ["x"]), ("f", [1, 2], (1, 2)),
        ("g", Named("/a/b"), Path("/a/b")), ("g", Named(b"/a/b"), Path("/a/b")),
    ):  # fmt: skip
        found = held(**{name: given})["abcdefg".index(name)]
        assert (found, type(found)) == (wanted, type(wanted)), (name, given)
        assert hash(tuple(found) if name == "e" else found) is not None


class Named:
    """A path that knows nothing else."""

    def __init__(self, path: str | bytes) -> None:
        self._path = path

    def __fspath__(self) -> str | bytes:
        return self._path


@pytest.mark.parametrize("operands", [("row_scale",), ["row_scale"], {"row_scale"}])
def test_a_problem_of_what_stands_for_its_fields(operands: Any) -> None:
    plain = mxfp4.Problem(2, 64, 96, 3, expert_ids=True, operands=frozenset({"row_scale"}))
    numbers = (np.int64(2), np.array(64), np.uint8(96), np.array(3))
    other = mxfp4.Problem(*numbers, expert_ids=1, operands=operands)  # type: ignore[arg-type]
    assert (other, hash(other), other.spec()) == (plain, hash(plain), plain.spec())
    assert json.dumps(vars(other), default=str) == json.dumps(vars(plain), default=str)


def test_a_layer_of_what_stands_for_its_fields() -> None:
    plain = LayerSpec(8, 2, 64, 96, bias=True, scale=1.5)
    other = LayerSpec(
        np.int32(8), np.array(2), 64, 96, bias=1, scale=np.float32(1.5)  # type: ignore[arg-type]
    )  # fmt: skip
    assert other == plain
    assert LayerSpec.parse(other.text()) == plain


def test_remedies() -> None:
    with pytest.raises(mxfp4.Error, match=r"^layout must be a Layout, got NoneType; see mxfp4\.L"):
        mxfp4.Problem(1, 64, 64, layout=None)  # type: ignore[arg-type]
    with pytest.raises(mxfp4.Error, match=r"got tuple; see mxfp4\.pack\.$"):
        mxfp4.unpack((1, 2))  # type: ignore[arg-type]


def test_paths_that_know_nothing_else(tmp_path: Path, given: dict[str, Any]) -> None:
    file = Named(str(tmp_path / "weights"))
    given["weights"].save(file)
    assert np.array_equal(mxfp4.PackedWeights.load(file).data, given["weights"].data)
    mxfp4.packed_file.verify(file)
    assert mxfp4.packed_file.is_whole(file)
    with pytest.raises(mxfp4.Error, match=re.escape(str(tmp_path / "none"))):
        mxfp4.PackedWeights.load(Named(str(tmp_path / "none")))
    with pytest.raises(mxfp4.Error, match="path must not hold a NUL character, got one at 2"):
        mxfp4.PackedWeights.load(Named("/a\0"))


def forms(array: np.ndarray) -> Iterator[Any]:
    """An array as whatever numpy makes the same array of."""
    yield array
    if array.dtype in (np.float64, np.int64):
        yield array.tolist()
        yield tuple(array.tolist())
    yield Held(array)
    if importlib.util.find_spec("torch") and array.dtype != bfloat16:
        import torch

        yield torch.from_numpy(array)


class Held:
    """An array of another library."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._array


IDS = np.array([[0, 2], [1, -1], [2, 0]], np.int64)
ROWS = np.linspace(-3, 3, 3 * 64).reshape(3, 64)
LOGITS = np.linspace(-3, 3, 12).reshape(4, 3)
CONVERTED: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "quantize": (mxfp4.quantize, [ROWS]),
    "dequantize": (mxfp4.dequantize, list(mxfp4.quantize(ROWS))),
    "pack_codes": (formats.pack_codes, [np.arange(64, dtype=np.uint8).reshape(1, 64) % 16]),
    "unpack_codes": (formats.unpack_codes, [mxfp4.quantize(ROWS).blocks]),
    "pack_expert": (lambda *a: layout.pack_expert(*a, mxfp4.Layout()), list(mxfp4.quantize(ROWS))),
    "Proof.of": (mxfp4.Proof.of, [mxfp4.quantize(ROWS).scales]),
    "interleave_halves": (packing.interleave_halves, [np.arange(8).reshape(4, 2)]),
    "encode_e4m3": (fp8.encode_e4m3, [ROWS]),
    "scores": (lambda logits: routing.scores(logits, "softmax"), [LOGITS]),
    "top_k": (lambda logits, bias: routing.top_k(logits, 2, "sigmoid", bias), [LOGITS, LOGITS[0]]),
    "count_blocks": (lambda ids: routing.count_blocks(ids, 3), [IDS]),
    "sort_by_expert": (lambda ids: routing.sort_by_expert(ids, 3), [IDS]),
    "dispatch": (routing.dispatch, [ROWS, IDS, np.zeros((3, 64))]),
    "combine": (routing.combine, [ROWS, IDS, np.ones((3, 2))]),
    "error_bound": (lambda v, a: mxfp4.reference.error_bound(v, a, 64), [ROWS, np.abs(ROWS)]),
    "mismatches": (mxfp4.reference.mismatches, [ROWS, ROWS + (ROWS > 1)]),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_what_numpy_makes_an_array_of_is_one(name: str) -> None:
    function, arrays = CONVERTED[name]
    wanted = function(*arrays)
    for i, array in enumerate(arrays):
        for form in forms(array):
            found = function(*arrays[:i], form, *arrays[i + 1 :])
            for a, b in zip(leaves(found), leaves(wanted), strict=True):
                np.testing.assert_array_equal(a, b)
        for wrong in ([[1.0], [1.0, 2.0]], [object()], ["x"], [1j], [None]):
            with pytest.raises(
                mxfp4.Error, match=r"must be a(n array of numbers| numpy array), got "
            ):
                function(*arrays[:i], wrong, *arrays[i + 1 :])


def leaves(result: Any) -> list[Any]:
    """The arrays of a result."""
    return list(result) if isinstance(result, tuple) else [result]


def test_scalars_are_arrays_without_dimensions() -> None:
    assert fp8.encode_e4m3(1.0) == fp8.encode_e4m3([1.0])[0] == 0x38
    assert mxfp4.reference.error_bound(1.0, 1.0, 64).shape == ()
    with pytest.raises(mxfp4.Error, match="the last dimension must be a positive multiple of 32"):
        mxfp4.quantize(1.0)


def test_offsets_and_ids_of_definitions(given: dict[str, Any]) -> None:
    """As tensors, lists, and arrays of other libraries."""
    ids = np.array([1, 0], np.int32)
    fp8_weights = mxfp4.pack(*mxfp4.unpack(given["weights"]), "fp8")
    for function, packed in (
        (mxfp4.reference.grouped_matmul, given["weights"]),
        (mxfp4.reference.bounded_matmul, given["weights"]),
        (fp8_reference.grouped_matmul, fp8_weights),
    ):
        wanted = function(given["x"], packed, given["offsets"], ids)
        for offsets in forms(given["offsets"]):
            for other in forms(ids):
                found = function(Held(given["x"]), packed, offsets, other)
                for a, b in zip(leaves(found), leaves(wanted), strict=True):
                    assert np.array_equal(a, b)
        with pytest.raises(mxfp4.Error, match="offsets must be a one-dimensional int32 array"):
            function(given["x"], packed, [0, 1, 3], ids)
        with pytest.raises(mxfp4.Error, match="x must be"):
            function(3.0, packed, given["offsets"], ids)


def test_tensors_that_numpy_does_not_take() -> None:
    torch = pytest.importorskip("torch")
    for tensor in (torch.ones(32, dtype=torch.bfloat16), torch.ones(32, requires_grad=True),
                   torch.ones(32, device="meta"), torch.eye(32).to_sparse()):  # fmt: skip
        with pytest.raises(mxfp4.Error, match=r"values must be a numpy array, got Tensor: "):
            mxfp4.quantize(tensor)


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    """The arguments of a small call."""
    weights = mxfp4.pack(*mxfp4.quantize(np.ones((2, 64, 64), np.float32)))
    return {"x": np.ones((3, 64), bfloat16), "weights": weights,
            "offsets": np.array([0, 1, 3], np.int32)}  # fmt: skip


@pytest.mark.parametrize("name", ["x", "weights", "offsets", "expert_ids", "out_dtype", "out"])
def test_a_call_looks_at_its_tensors(given: dict[str, Any], name: str) -> None:
    for wrong in VALUES:
        if wrong is None and name not in given:
            continue
        with pytest.raises(mxfp4.Error) as raised:
            mxfp4.grouped_matmul(**{**given, name: wrong})
        assert str(raised.value).endswith("."), raised.value


@pytest.mark.parametrize("name", ["x", "weights", "offsets", "expert_ids"])
def test_a_call_in_torch_looks_at_its_tensors(given: dict[str, Any], name: str) -> None:
    torch = pytest.importorskip("torch")
    call = {"x": torch.ones((3, 64), dtype=torch.bfloat16), "weights": given["weights"],
            "offsets": torch.tensor([0, 1, 3], dtype=torch.int32)}  # fmt: skip
    for wrong in VALUES:
        if wrong is None and name not in call:
            continue
        with pytest.raises(mxfp4.Error) as raised:
            mxfp4.grouped_matmul(**{**call, name: wrong})
        assert str(raised.value).endswith("."), raised.value


def test_texts_with_nul_are_not_cut() -> None:
    """Also those that no public function's parameter holds."""
    problem = mxfp4.Problem(1, 64, 64, operands=frozenset({"bi\0as"}))
    with mxfp4.Compiler() as compiler:
        with pytest.raises(mxfp4.Error, match="the problem must not hold a NUL character"):
            compiler.mlir(problem)
        good = compiler.mlir(mxfp4.Problem(1, 64, 64))
        for call in (compiler.compile, compiler.assemble):
            with pytest.raises(mxfp4.Error, match="must not hold a NUL character"):
                call(good + "\0")
        with pytest.raises(mxfp4.Error, match="custom op 'more' is unknown"):
            compiler.parse(f"{good}\0 more")
        module = compiler.parse(good)
        with pytest.raises(mxfp4.Error, match="the pipeline must not hold a NUL character"):
            module.run("cse\0,canonicalize")
