# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of a layer with the same weights, whose arguments stay in place from call to call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from . import kernels as choice
from .chain import Prepared
from .layer_kernels import Source
from .layer_plan import LayerRunner

KEPT_BYTES = 4 << 20
"""Memory between kernels that is kept for a stream. Calls that need more take longer on the GPU
than on the host, so they ask torch for it."""

_MOST_STREAMS = 32
_MOST_READY = 128
"""Numbers of tokens, sources and streams that a layer's weights keep ready at most."""


class _Kept:
    """Memory that the calls on each stream of a device share.

    Kernels on a stream use it one behind the other. It is never freed, since a launch that is
    ready has its address.
    """

    def __init__(self, device: int) -> None:
        self._device, self._lock = torch.device("cuda", device), threading.Lock()
        self._of: dict[int, torch.Tensor] = {}

    def address(self, stream: int) -> int:
        """Of a stream's; 0 if too many streams have some."""
        with self._lock:
            found = self._of.get(stream)
            if found is None:
                if len(self._of) >= _MOST_STREAMS:
                    return 0
                found = torch.empty(KEPT_BYTES, dtype=torch.uint8, device=self._device)
                self._of[stream] = found
            return found.data_ptr()


kept = cache(_Kept)


class _Ready:
    """A launch whose arguments are in place but for what each call gives."""

    def __init__(self, launch: Prepared, places: dict[str, tuple[int, ...]]) -> None:
        self._launch, self._places = launch, places

    def __call__(self, given: dict[str, int], stream: int) -> None:
        places = self._places
        self._launch([(places[name], given[name]) for name in given], stream)


class Bound:
    """A layer's weights on a device.

    Args:
        of: the layer.
        own: addresses of its weights, biases and correction, which must stay.
    """

    def __init__(self, of: LayerRunner, own: dict[str, int]) -> None:
        self.of, self.own = of, own
        self._ready: dict[tuple[int, str, int], _Ready] = {}

    def launch(
        self, source: Source, tokens: int, given: dict[str, int], stream: int,
        constants: Callable[[int], dict[str, int]], memory: Callable[[int], Any],
    ) -> None:  # fmt: skip
        """Launch all kernels and return at once.

        Args:
            source: where experts come from.
            tokens: at least 1.
            given: addresses of what this call brings, by name.
            stream: the handle of torch's current one.
            constants: gives the addresses of so many constants.
            memory: gives a tensor of so many bytes.

        Raises:
            Error: if a launch fails.
        """
        ready = self._ready.get((tokens, source, stream))
        capturing = choice.capturing()
        if ready is not None and not capturing:
            ready(given, stream)
            return
        plan = self.of.plan(tokens, source)
        fixed = {**self.own, **constants(plan.counted)} if plan.counted else self.own
        place = 0
        # A graph may be replayed on any stream, so what it captures has memory of its own.
        if plan.bytes <= KEPT_BYTES and not capturing:
            place = kept(self.of.device).address(stream)
        if not place:
            between = memory(plan.bytes)
            plan.launch(between.data_ptr(), {**fixed, **given}, stream)
            return
        if len(self._ready) >= _MOST_READY:
            self._ready.clear()
        launch = plan.chain.prepare(plan.rows, plan.filled(place, {**fixed, **given}))
        places = {name: tuple(at) for name, at in plan.outside if name in given}
        ready = _Ready(launch, {**dict.fromkeys(given, ()), **places})
        self._ready[tokens, source, stream] = ready
        ready(given, stream)
