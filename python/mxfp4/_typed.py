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

from .errors import Error

_T = TypeVar("_T", bound=Callable[..., Any])

# Annotations, what they are called, and the classes of their values.
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
    "frozenset": ("a frozenset", frozenset),
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


class _Kind:
    """What an annotation demands."""

    def __init__(self, annotation: str) -> None:
        parts = re.findall(r"[^\s|\[]+(?:\[.*?\](?=\s*(?:\||$)))?", annotation)
        names = [part.split("[")[0] for part in parts]
        self.checked = all(name in _PLAIN or name in _NAMED for name in names)
        if not self.checked:
            return
        self._classes = tuple(_PLAIN[n][1] for n in names if n in _PLAIN)
        self.is_path = "os.PathLike" in names or "Path" in names
        self._names = set().union(*(_NAMED[n][1] for n in names if n in _NAMED))
        self._strings = "list[str]" in parts
        said = [(_PLAIN.get(n) or _NAMED[n])[0] for n in names]
        if self._strings:
            said[parts.index("list[str]")] = "a list of strings"
        *first, last = said
        self.said = f"{', '.join(first)} or {last}" if first else last

    def accepts(self, value: Any) -> bool:
        """Whether a value is of one of the types."""
        if self._strings and isinstance(value, list):
            return all(isinstance(one, str) for one in value)
        if isinstance(value, self._classes):
            # A string is iterable, but nobody means its letters.
            return not isinstance(value, str) or str in self._classes
        return any(c.__name__ in self._names for c in type(value).__mro__)


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

    def look(name: str, value: Any) -> None:
        kind = kinds.get(name)
        if kind is not None and kind.checked:
            if not kind.accepts(value):
                raise Error(f"{name} must be {kind.said}, got {_shown(value)}.")
            if kind.is_path:
                _refuse_nul(name, value)

    @functools.wraps(function)
    def wrapper(*positional: Any, **named: Any) -> Any:
        if "torch" in sys.modules and sys.modules["torch"].compiler.is_compiling():
            # A tracer would trace the looking, too, which cannot become part of a graph.
            return function(*positional, **named)
        for name, value in zip(names, positional, strict=False):
            look(name, value)
        for name, value in named.items():
            look(name, value)
        return function(*positional, **named)

    return wrapper


def typed(what: _T) -> _T:
    """A function whose arguments must be of the types of its annotations, or a class with such
    methods: all that are public, and the constructor. What an annotation leaves open stays open.
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
