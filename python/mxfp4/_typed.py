# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of other types than a function says, as sentences.

Without this a wrong argument fails where it is first used, inside of the package, with Python's own
words for that. Calls whose host time counts are not `typed`: they look at their tensors themselves.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import Error

_T = TypeVar("_T", bound=Callable[..., Any])

# Annotations, what they are called, and the classes of their values. Some values of other classes
# are converted, see `_Kind.converted`.
_PLAIN: dict[str, tuple[str, Any]] = {
    "None": ("None", type(None)),
    "str": ("a string", str),
    "bytes": ("bytes", bytes),
    "int": ("an integer", numbers.Integral),
    "float": ("a number", numbers.Real),
    "os.PathLike": ("a path", os.PathLike),
    "Path": ("a pathlib.Path", Path),
    "list": ("a list", list),
    "tuple": ("a tuple", tuple),
    "dict": ("a dictionary", dict),
    "frozenset": ("a set", frozenset),
    "Mapping": ("a mapping", Mapping),
    "Sequence": ("a sequence", Sequence),
    "Iterable": ("an iterable", Iterable),
}
# The same by the names of classes, which need not be imported.
_NAMED = {
    "bool": ("True or False", {"bool", "bool_"}),
    "NDArray": ("a numpy array", {"ndarray"}),
    "np.ndarray": ("a numpy array", {"ndarray"}),
    "torch.Tensor": ("a tensor of torch", {"Tensor"}),
    "nn.Module": ("a module of torch", {"Module"}),
    "Activation": ("an Activation, such as Activation('geglu_tanh') of mxfp4.activation",
                   {"Activation"}),
    "PackedWeights": ("PackedWeights", {"PackedWeights"}),
    **{
        name: (f"an {name}" if name[0] in "AEIO" else f"a {name}", {name})
        for name in (
            "Artifact", "Checkpoint", "Compiler", "ExpertTensor", "Kernel", "LayerKernels",
            "LayerSpec", "Layout", "Manifest", "Problem", "Proof", "Quantized", "RoutingArtifact",
            "RoutingManifest", "Shape",
        )
    },
}  # fmt: skip

_SEE = {"Layout": "mxfp4.Layout", "PackedWeights": "mxfp4.pack"}
"""Where values of these types are from."""

_ARRAY = "a numpy array"
_ARRAYS = ("__array__", "__array_interface__", "__dlpack__", "__buffer__")


def _is_array_like(value: Any) -> bool:
    """Whether numpy makes an array of numbers of it, as far as its type says."""
    if isinstance(value, (type, str, bytes)):
        return False
    known = isinstance(value, (numbers.Number, list, tuple, memoryview, bytearray))
    return known or any(hasattr(value, name) for name in _ARRAYS)


class _Kind:
    """What an annotation demands."""

    def __init__(self, annotation: str) -> None:
        parts = re.findall(r"[^\s|\[]+(?:\[.*?\](?=\s*(?:\||$)))?", annotation)
        names = [part.split("[")[0] for part in parts]
        self.checked = all(name in (*_PLAIN, *_NAMED, "ArrayLike") for name in names)
        if not self.checked:
            return
        self._classes = tuple(_PLAIN[n][1] for n in names if n in _PLAIN)
        self.is_float = "float" in names
        self.is_path = "os.PathLike" in names or "Path" in names
        self._names = set().union(*(_NAMED[n][1] for n in names if n in _NAMED))
        self._arrays = "ArrayLike" in names
        self._plain = {n for n in names if n in _PLAIN or n == "bool"}
        self._strings = next((p for p in parts if p in ("list[str]", "frozenset[str]")), None)
        said = [
            f"{_PLAIN[name][0]} of strings" if part == self._strings
            else _ARRAY if name == "ArrayLike" else (_PLAIN.get(name) or _NAMED[name])[0]
            for name, part in zip(names, parts, strict=True)
        ]  # fmt: skip
        *first, last = said
        self.said = f"{', '.join(first)} or {last}" if first else last
        self.see = "".join(f"; see {_SEE[n]}" for n in names if n in _SEE)

    def accepts(self, value: Any) -> bool:
        """Whether a value is of one of the types."""
        if self._strings and isinstance(value, (list, frozenset)):
            return all(isinstance(one, str) for one in value)
        if self._arrays and _is_array_like(value):
            return True
        if getattr(value, "shape", None) == () and self._plain & {"Iterable", "Sequence"}:
            return False  # it has an iterator, which fails
        if isinstance(value, self._classes):
            # A string is iterable, but nobody means its letters.
            return not isinstance(value, str) or str in self._classes
        return any(c.__name__ in self._names for c in type(value).__mro__)

    def converted(self, value: Any) -> Any:
        """A value as the one of the annotated type that it stands for, if it stands for one."""
        if not self._arrays and self._plain & {"int", "float", "bool"}:
            value = self._number(value)
        if self.is_path and isinstance(value, os.PathLike) and not isinstance(value, Path):
            return Path(os.fsdecode(os.fspath(value)))
        if isinstance(value, (str, bytes, Mapping, *self._classes)):
            return value
        listed = isinstance(value, (list, tuple))
        if self._strings and (listed or isinstance(value, Iterable)):
            return list(value) if self._strings == "list[str]" else frozenset(value)
        return tuple(value) if listed and "tuple" in self._plain else value

    def _number(self, value: Any) -> Any:
        """Numbers of numpy, and arrays and tensors without dimensions, as Python's."""
        if getattr(value, "shape", None) == () and hasattr(value, "item"):
            found = value.item()
            value = found if isinstance(found, numbers.Real) else value
        if "int" in self._plain and isinstance(value, numbers.Integral):
            return value if isinstance(value, int) else int(value)
        if "float" in self._plain and isinstance(value, numbers.Real):
            return value if isinstance(value, (int, float)) else float(value)
        if "bool" in self._plain and isinstance(value, int) and value in (0, 1):
            return bool(value)
        return value


def _refuse_nul(name: str, path: Any) -> None:
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if isinstance(text, str) and "\0" in text:
        raise Error(f"{name} must not hold a NUL character, got one at {text.index(chr(0))}.")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) and len(value) < 40 else type(value).__name__


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters.values()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    kinds = {p.name: _Kind(str(p.annotation)) for p in parameters if p.kind not in several}
    names = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]

    def look(name: str, given: Any) -> Any:
        kind = kinds.get(name)
        if kind is None or not kind.checked:
            return given
        value = kind.converted(given)
        if not kind.accepts(value):
            raise Error(f"{name} must be {kind.said}, got {_shown(given)}{kind.see}.")
        if kind.is_float and isinstance(value, int) and abs(value) > sys.float_info.max:
            raise Error(
                f"{name} must be a number that f64 holds, got one of {value.bit_length()} bits."
            )
        if kind.is_path:
            _refuse_nul(name, value)
        return value

    @functools.wraps(function)
    def wrapper(*positional: Any, **named: Any) -> Any:
        # While another thread imports torch, a part of it may not be there yet.
        compiler = getattr(sys.modules.get("torch"), "compiler", None)
        if compiler is not None and compiler.is_compiling():
            # A tracer would trace the looking, too, which cannot become part of a graph.
            return function(*positional, **named)
        looked = [look(name, value) for name, value in zip(names, positional, strict=False)]
        options = {name: look(name, value) for name, value in named.items()}
        return function(*looked, *positional[len(looked) :], **options)

    return wrapper


def as_array(name: str, value: Any) -> NDArray[Any]:
    """An array of numbers, of what is annotated as ``ArrayLike``.

    Raises:
        Error: if numpy cannot make one of it.
    """
    try:
        found = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as e:
        raise Error(f"{name} must be {_ARRAY}, got {_shown(value)}: {e}") from e
    if found.dtype.kind in "OSUMmc" or found.dtype.type is np.void:
        raise Error(f"{name} must be an array of numbers, got {found.dtype}.")
    return found


def shaped(name: str, value: Any, *shape: int | str) -> NDArray[Any]:
    """The same, with as many dimensions as `shape` has; those given as numbers have these sizes.

    Raises:
        Error: as `as_array`, or if it has another shape.
    """
    found = as_array(name, value)
    sizes = zip(found.shape, shape, strict=False)
    if found.ndim != len(shape) or any(want not in (got, str(want)) for got, want in sizes):
        raise Error(f"{name} must be [{', '.join(map(str, shape))}], got {list(found.shape)}.")
    return found


def integers(name: str, value: Any, *shape: int | str) -> NDArray[Any]:
    """The same, of integers.

    Raises:
        Error: as `shaped`, or if they are none.
    """
    found = shaped(name, value, *shape)
    if found.dtype.kind not in "iu":
        raise Error(f"{name} must be integers, got {found.dtype}.")
    return found


def check_numbers(**numbers: tuple[Any, int, int]) -> None:
    """Check that each is a whole number from a least to a most one.

    Raises:
        Error: if one is not.
    """
    for name, (value, least, most) in numbers.items():
        if not isinstance(value, int | np.integer) or not least <= value <= most:
            raise Error(f"{name} must be a whole number from {least} to {most}, found {value!r}.")


def typed(what: _T) -> _T:
    """A function whose arguments must be of the types of its annotations, or a class with such
    methods: all that are public, and the constructor. What an annotation leaves open stays open.

    Numbers of numpy, 0 and 1 for a bool, and sequences for tuples, lists and sets of strings become
    what the annotation says; arrays stay what they are, and functions convert them (`as_array`).
    """
    if not inspect.isclass(what):
        return _checked(what)  # type: ignore[return-value]
    for name, value in list(vars(what).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(value, (staticmethod, classmethod)):
            setattr(what, name, type(value)(_checked(value.__func__)))
        elif inspect.isfunction(value):
            setattr(what, name, _checked(value))
    return what
