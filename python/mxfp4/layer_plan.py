# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How a layer's kernels are launched: memory between them, arguments, one call of the library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ._threads import lock
from .artifact import Artifact
from .chain import Chain
from .errors import Error
from .layer_kernels import LayerKernels
from .layer_spec import LayerSpec
from .layer_steps import Source
from .loaded import LoadedKernel
from .routing import COUNT_BLOCKS
from .routing_artifact import RoutingArtifact

_ALIGN = 256
_MOST_PLANS = 4096
"""Numbers of tokens that a layer knows at most."""

_loaded: dict[int, tuple[Any, LoadedKernel]] = {}
_lock = lock(threading.Lock())

_MEANING = {
    1: "offsets do not rise from 0 to the number of rows (ids of -1 must be announced)",
    2: "an expert id is not the number of an expert",
    4: "a row or a position does not exist",
}

_NAMES = {
    "route": {"logits": "logits", "bias": "correction", "ids": "ids", "weights": "gates",
              "offsets": "offsets", "tokens": "tokens", "positions": "positions"},
    "top_k": {"logits": "logits", "bias": "correction", "ids": "ids", "weights": "gates",
              "counts": "counts"},
    "count": {"ids": "given_ids", "counts": "counts"},
    "sort": {"ids": "ids", "counts": "counts", "offsets": "offsets", "tokens": "tokens",
             "positions": "positions", "zeros": "stored"},
    "sort_given": {"ids": "given_ids", "offsets": "offsets", "tokens": "tokens",
                   "positions": "positions"},
    "dispatch": {"x": "x", "positions": "positions", "out": "sorted"},
    "sort_dispatch": {"x": "x", "ids": "ids", "counts": "counts", "offsets": "offsets",
                      "tokens": "tokens", "positions": "positions", "zeros": "stored",
                      "out": "sorted"},
    "gate_up": {"x": "sorted", "weights": "gate_up", "offsets": "offsets", "y": "h",
                "epilogue0": "gate_up_bias"},
    "gate_up_gathered": {"x": "x", "gather": "tokens", "weights": "gate_up", "offsets": "offsets",
                         "y": "h", "epilogue0": "gate_up_bias"},
    "gate_up_through": {"x": "x", "gather": "tokens", "through": "sorted",
                        "through_maps": "sorted", "weights": "gate_up", "offsets": "offsets",
                        "y": "h", "epilogue0": "gate_up_bias"},
    "down": {"x": "h", "weights": "down", "offsets": "offsets", "y": "y",
             "epilogue0": "down_bias"},
    "down_gathered": {"x": "h", "gather": "counting", "weights": "down", "offsets": "offsets",
                      "y": "y", "epilogue0": "down_bias"},
    "combine": {"y": "y", "positions": "positions", "weights": "gates", "out": "out"},
}  # fmt: skip
_FP8 = {
    "quantize": {"x": "x", "positions": "positions", "codes": "sorted", "scales": "sorted_scales"},
    "sort_quantize": {"x": "x", "ids": "ids", "counts": "counts", "offsets": "offsets",
                      "tokens": "tokens", "positions": "positions", "zeros": "stored",
                      "codes": "sorted", "scales": "sorted_scales"},
    "gate_up": {"x": "sorted", "weights": "gate_up", "offsets": "offsets", "y": "h",
                "epilogue0": "gate_up_powers", "epilogue1": "sorted_scales",
                "epilogue2": "gate_up_bias"},
    "quantize_inner": {"x": "h", "codes": "h_codes", "scales": "h_scales"},
    "down": {"x": "h_codes", "weights": "down", "offsets": "offsets", "y": "y",
             "epilogue0": "down_powers", "epilogue1": "h_scales", "epilogue2": "down_bias"},
}  # fmt: skip
_OF_ONE_SCALE = {
    "gate_up": {**_FP8["gate_up"], "y": "h_codes"},
    "down": {"x": "h_codes", "weights": "down", "offsets": "offsets", "y": "y",
             "epilogue0": "down_powers", "epilogue1": "down_bias"},
}  # fmt: skip


def _counted(names: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Names of the matmuls of which the second begins before the first one has ended."""
    ups = [name for name in ("gate_up", "gate_up_through") if name in names]
    counted = {f"{name}_counted": {**names[name], "stored": "stored"} for name in ups}
    return {**counted, "down_counted": {**names["down"], "awaited": "stored"}}


def _with_maps(names: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Names of FP8's kernels, and of their matmuls that gather rows in the order they have."""
    others = {f"{n}_gathered": {**names[n], "gather": "counting"} for n in ("gate_up", "down")}
    return _NAMES | names | others | _counted(names)


def names_of(spec: LayerSpec) -> dict[str, dict[str, str]]:
    """What each argument of a kernel is in the layer; "counting" is i32 0, 1, 2 and so on: as
    many as rows.
    """
    if spec.activations == "bf16":
        return _NAMES | _counted(_NAMES)
    return _with_maps(_FP8 if spec.inner_scale is None else _FP8 | _OF_ONE_SCALE)


_OF_ROWS = ("quantize_inner",)
"""Kernels that are no matmuls and take rows instead of tokens."""


def loaded(artifact: Artifact | RoutingArtifact, driver: Any = None) -> LoadedKernel:
    """The kernel of an artifact, loaded once for all layers."""
    if driver is not None:
        return LoadedKernel(artifact, driver)
    with _lock:
        found = _loaded.get(id(artifact))
        if found is None:
            found = _loaded[id(artifact)] = (artifact, LoadedKernel(artifact))
        return found[1]


def check() -> None:
    """Wait for the devices, and raise if a kernel of any layer met bad values.

    Raises:
        Error: saying what was wrong.
    """
    check_kernels([kernel for _, kernel in list(_loaded.values())])


def check_kernels(kernels: list[LoadedKernel]) -> None:
    """The same for some kernels."""
    wrong = []
    for kernel in kernels:
        for device in kernel.devices:
            word = kernel.error_word(device)
            what = [text for bit, text in _MEANING.items() if word & bit]
            wrong += [f"{kernel.manifest.entry}: {'; '.join(what)}."] if what else []
    if wrong:
        raise Error(" ".join(wrong))


def _sizes(spec: LayerSpec, tokens: int) -> dict[str, int]:
    """Bytes of what is between the kernels, by name."""
    rows = tokens * spec.slots
    return {
        "ids": 4 * rows, "gates": 4 * rows, "counts": 4 * COUNT_BLOCKS * spec.experts,
        "stored": 4 * spec.experts,
        "offsets": 4 * (spec.experts + 1), "tokens": 4 * rows, "positions": 4 * rows,
        "h": 2 * rows * spec.inner,
        "sorted": (1 if spec.activations == "fp8" else 2) * rows * spec.hidden,
        "y": 2 * rows * spec.hidden,
        "sorted_scales": 4 * rows, "h_codes": rows * spec.inner, "h_scales": 4 * rows,
    }  # fmt: skip


class _Arguments(NamedTuple):
    """The arguments of a chain: contents of its values, and their places.

    Attributes:
        chain: of the kernels.
        places: by name of the layer's memory or of what the caller gives.
        own_rows: places of the number of rows that a gather reads from, with what it counts.
        of_rows: for each kernel, whether it takes rows or tokens.
    """

    chain: Chain
    places: dict[str, list[int]]
    own_rows: list[tuple[int, bool]]
    of_rows: list[bool]


class Plan(NamedTuple):
    """How to launch a layer for a number of tokens.

    Attributes:
        chain: the kernels.
        rows: of each of them.
        bytes: of the memory between them.
        values: of all arguments; in place of addresses offsets in that memory, or 0.
        inside: places of such offsets.
        outside: places by the names of what the caller gives.
        counted: how many "counting" numbers kernels read.
    """

    chain: Chain
    rows: list[int]
    bytes: int
    values: list[int]
    inside: list[int]
    outside: list[tuple[str, list[int]]]
    counted: int

    def launch(self, memory: int, given: Mapping[str, int], stream: int) -> None:
        """Launch all kernels and return at once.

        Args:
            memory: address of ``bytes`` bytes.
            given: addresses by name.
            stream: a handle.

        Raises:
            Error: if the library refuses.
        """
        self.chain.launch(self.rows, self.filled(memory, given), stream)

    def filled(self, memory: int, given: Mapping[str, int]) -> list[int]:
        """The values of all arguments, see `launch`."""
        values = self.values.copy()
        for place in self.inside:
            values[place] += memory
        for name, places in self.outside:
            address = given[name]
            for place in places:
                values[place] = address
        return values


class LayerRunner:
    """The kernels of a layer on a device, by addresses: it knows no tensors.

    Args:
        kernels: of the layer.
        device: CUDA ordinal.
        driver: CUDA's if None; see `LoadedKernel`.
        before_loading: called before kernels are compiled or loaded.
    """

    def __init__(
        self,
        kernels: LayerKernels,
        device: int = 0,
        driver: Any = None,
        before_loading: Callable[[], Any] = lambda: None,
    ) -> None:
        self.kernels, self.spec = kernels, kernels.spec
        self.device, self._driver, self._before = device, driver, before_loading
        self._chains: dict[tuple[int, ...], _Arguments] = {}
        self.plan = lru_cache(maxsize=_MOST_PLANS)(self._plan)
        """`_plan`, which is run once for each number of tokens."""
        self.loaded: list[LoadedKernel] = []

    def _plan(self, tokens: int, source: Source = "logits") -> Plan:
        """How to launch a call; kernels that it needs are compiled and loaded.

        Raises:
            Error: if a kernel is missing and cannot be compiled, or loading fails.
        """
        chain, found, own_rows, of_rows = self._arguments(tokens, source)
        sizes, rows = _sizes(self.spec, tokens), tokens * self.spec.slots
        # What is sorted is not needed any more when down's rows are written, unless down begins
        # early: gate_up's last tiles still read it then.
        is_early = len(found.get("stored", [])) > 1
        is_shared = "sorted" in found and not is_early
        if is_shared:
            sizes["sorted"] = sizes["y"]
        offsets: dict[str, int] = {}
        end = 0
        for name in [name for name in sizes if name in found and self._is_inside(name, source)]:
            if name == "y" and is_shared:
                offsets[name] = offsets["sorted"]
                continue
            offsets[name] = end
            end += -(-sizes[name] // _ALIGN) * _ALIGN
        values = [0] * chain.size
        for place, of_h in own_rows:
            values[place] = rows if of_h else tokens
        for name, offset in offsets.items():
            for place in found[name]:
                values[place] = offset
        inside = [place for name in offsets for place in found[name]]
        outside = [(name, places) for name, places in found.items() if name not in offsets]
        counted = rows if "counting" in found else 0
        counts = [rows if r else tokens for r in of_rows]
        return Plan(chain, counts, end, values, inside, outside, counted)

    @staticmethod
    def _is_inside(name: str, source: Source) -> bool:
        return source == "logits" or name != "gates"

    def _arguments(self, tokens: int, source: Source) -> _Arguments:
        """The chain for a number of tokens; numbers with the same kernels share one."""
        if not self.kernels.has(tokens, source):
            self._before()
        chosen = self.kernels.chosen(tokens, source)
        key = tuple(id(artifact) for _, artifact in chosen)
        if key in self._chains:
            return self._chains[key]
        self._before()
        kernels = [loaded(artifact, self._driver) for _, artifact in chosen]
        chain = Chain(kernels, self.device)
        found, names = _Arguments(chain, {}, [], []), names_of(self.spec)
        for number, (name, artifact) in enumerate(chosen):
            found.of_rows.append(name in _OF_ROWS or isinstance(artifact, Artifact))
            for argument in artifact.manifest.arguments:
                if argument.provider != "caller":
                    continue
                place = chain.place(number, argument.name)
                if argument.name == "x_rows":
                    found.own_rows.append((place, "counting" in names[name].values()))
                else:
                    what = names[name][argument.name]
                    if what == "ids" and source != "logits":
                        what = "given_ids"
                    found.places.setdefault(what, []).append(place)
        self._chains[key] = found
        self.loaded += [kernel for kernel in kernels if kernel not in self.loaded]
        return found

    def check(self) -> None:
        """Wait for the device, and raise if a kernel of this layer met bad values.

        Raises:
            Error: saying what was wrong.
        """
        check_kernels(self.loaded)
