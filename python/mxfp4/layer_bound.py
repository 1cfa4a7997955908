# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of a layer with the same weights, whose arguments stay in place from call to call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from . import kernels as choice
from ._threads import lock
from .chain import Prepared
from .lasting import lasting
from .layer_plan import LayerRunner
from .layer_steps import Source

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
        self._device, self._lock = device, lock(threading.Lock())
        self._of: dict[int, Any] = {}

    def address(self, stream: int) -> int:
        """Of a stream's; 0 if too many streams have some."""
        with self._lock:
            found = self._of.get(stream)
            if found is None:
                if len(self._of) >= _MOST_STREAMS:
                    return 0
                found = self._of[stream] = lasting(self._device, KEPT_BYTES)
            return found.data_ptr()


kept = cache(_Kept)


GIVEN: dict[Source, tuple[str, ...]] = {
    "logits": ("logits", "x", "out"),
    "ids": ("given_ids", "gates", "x", "out"),
    "some ids": ("given_ids", "gates", "x", "out"),
}
"""What each call brings, in the order of its addresses."""


class Bound:
    """A layer's weights on a device.

    Args:
        of: the layer.
        own: addresses of its weights, biases and correction, which must stay.
    """

    def __init__(self, of: LayerRunner, own: dict[str, int]) -> None:
        self.of, self.own = of, own
        self._ready: dict[tuple[int, str, int], Prepared] = {}

    def launch(
        self, source: Source, tokens: int, given: tuple[int, ...], stream: int,
        constants: Callable[[int, int], dict[str, int]], memory: Callable[[int, int], Any],
    ) -> None:  # fmt: skip
        """Launch all kernels and return at once.

        Args:
            source: where experts come from.
            tokens: at least 1.
            given: addresses of what this call brings, as `GIVEN` says.
            stream: the handle of torch's current one.
            constants: gives the addresses of a number of constants on a device.
            memory: gives a tensor of a number of bytes on a device.

        Raises:
            Error: if a launch fails.
        """
        ready = self._ready.get((tokens, source, stream))
        if ready is not None and ready(given, stream):
            return
        # A graph may be replayed on any stream, so what it captures has memory of its own.
        captured = ready is not None or choice.capturing()
        device, plan = self.of.device, self.of.plan(tokens, source)
        named = {**self.own, **dict(zip(GIVEN[source], given, strict=True))}
        if plan.counted:
            named.update(constants(device, plan.counted))
        if plan.bytes <= KEPT_BYTES and not captured:
            place = kept(device).address(stream)
            if place:
                if len(self._ready) >= _MOST_READY:
                    self._ready.clear()
                outside = dict(plan.outside)
                places = [outside.get(name, ()) for name in GIVEN[source]]
                ready = plan.chain.prepare(plan.rows, plan.filled(place, named), places)
                self._ready[tokens, source, stream] = ready
                if ready(given, stream):
                    return
        between = memory(device, plan.bytes)
        plan.launch(between.data_ptr(), named, stream)
