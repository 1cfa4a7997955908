# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Workspaces: launches that may overlap never share one."""

from __future__ import annotations

from typing import Any

import pytest
from mxfp4.errors import Error
from mxfp4.workspace import _BYTES, _CHUNK, _RESERVE, Workspaces


class Driver:
    """Streams with identities, some of them being captured, and memory that starts as ones."""

    def __init__(self) -> None:
        self.capturing: set[int] = set()
        self.zeros: dict[int, int] = {}
        self.allocated = 0
        self.synchronised = True

    def call(self, name: str, *arguments: Any) -> Any:
        return getattr(self, name)(*arguments)

    def cuMemAlloc(self, size: int) -> int:
        assert not self.capturing, "nothing can be allocated while something is captured"
        self.allocated += 1
        return self.allocated << 32

    def cuMemsetD32(self, base: int, value: int, count: int) -> None:
        assert value == 0
        self.zeros[base] = 4 * count
        self.synchronised = False

    def cuStreamSynchronize(self, stream: int) -> None:
        self.synchronised = True

    def cuStreamIsCapturing(self, stream: int) -> int:
        return int(stream in self.capturing)

    def cuStreamGetId(self, stream: int) -> int:
        return 1000 + stream

    def is_cleared(self, address: int) -> bool:
        return self.synchronised and any(
            base <= address <= base + size - _BYTES for base, size in self.zeros.items()
        )


def test_a_stream_keeps_its_workspace_and_shares_it_with_no_other() -> None:
    driver = Driver()
    workspaces = Workspaces(driver.call)
    first, second = workspaces.address(5), workspaces.address(6)
    assert first != second
    assert first % _BYTES == second % _BYTES == 0
    assert driver.is_cleared(first)
    assert driver.is_cleared(second)
    assert (workspaces.address(5), workspaces.address(6)) == (first, second)


def test_each_captured_launch_has_a_workspace_of_its_own() -> None:
    # Two graphs with one captured launch each may run at one time, and beside the stream.
    driver = Driver()
    workspaces = Workspaces(driver.call)
    found = [workspaces.address(5)]
    driver.capturing = {5}
    found += [workspaces.address(5) for _ in range(_RESERVE)]
    driver.capturing = set()
    found.append(workspaces.address(6))
    assert len(set(found)) == len(found)
    assert workspaces.address(5) == found[0]


def test_captures_cannot_take_all_and_a_plain_launch_makes_room() -> None:
    driver = Driver()
    workspaces = Workspaces(driver.call)
    driver.capturing = {5}
    seen = {workspaces.address(5) for _ in range(_CHUNK)}
    assert len(seen) == _CHUNK
    with pytest.raises(Error, match="launch it once between captures"):
        workspaces.address(5)
    driver.capturing = set()
    workspaces.address(6)
    driver.capturing = {5}
    more = {workspaces.address(5) for _ in range(_RESERVE)}
    assert not seen & more
    assert all(driver.is_cleared(address) for address in seen | more)
