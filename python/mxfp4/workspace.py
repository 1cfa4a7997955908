# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counters by which the blocks of a launch share out its tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import Error

_BYTES = 8
"""Of one workspace: two i32."""

_CHUNK = 8192
"""Workspaces that are allocated at once."""

_RESERVE = 1024
"""Free workspaces under which more are allocated: nothing can be, during a capture."""


class Workspaces:
    """Workspaces of one kernel on one device, in device memory.

    A kernel finds zeros in its workspace and leaves zeros, so that launches which cannot run at one
    time may share one: those of a stream, and the runs of one launch in a graph (which write to one
    output). All others get one each.

    Args:
        call: calls a function of ``cuda.bindings.driver`` and checks the status.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._free: list[int] = []
        self._of_stream: dict[int, int] = {}
        self._allocate()

    def _allocate(self) -> None:
        base = int(self._call("cuMemAlloc", _BYTES * _CHUNK))
        self._call("cuMemsetD32", base, 0, _BYTES // 4 * _CHUNK)
        self._call("cuStreamSynchronize", 0)  # other streams do not wait for this clearing
        self._free += range(base + _BYTES * (_CHUNK - 1), base - 1, -_BYTES)

    def address(self, stream: int) -> int:
        """The workspace of a launch on a stream that comes next.

        Raises:
            Error: if a capture needs more workspaces than are left.
        """
        if int(self._call("cuStreamIsCapturing", stream)):
            if not self._free:
                raise Error(
                    "too many launches of this kernel were captured in graphs since one was made "
                    f"outside of a capture ({_RESERVE} are sure to be possible); launch it once "
                    "between captures."
                )
            return self._free.pop()
        number = int(self._call("cuStreamGetId", stream))  # unlike handles, never used again
        if len(self._free) < _RESERVE:
            self._allocate()
        if number not in self._of_stream:
            self._of_stream[number] = self._free.pop()
        return self._of_stream[number]
