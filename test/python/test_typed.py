# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of wrong types: every public entry of the package answers with a sentence."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mxfp4
import numpy as np
import pytest
from mxfp4._typed import typed
from mxfp4.formats import bfloat16

# Beside `mxfp4` itself, modules whose functions and classes people call.
MODULES = (
    "activation", "artifact", "checkpoint", "compile", "devices", "experts", "explain", "formats",
    "fp8", "fp8_reference", "kernels", "layer_kernels", "layer_reference", "layer_spec", "layout",
    "make_checkpoint", "module", "packed_checkpoint", "packed_file", "packed_folder", "problem",
    "reference", "routing", "routing_artifact", "runtime", "simulator", "weights",
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
            assert said.endswith(f", got {shown}."), said
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
