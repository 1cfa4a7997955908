# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The GPU that a kernel is chosen for, as facts.

The compiler chooses schedules for a device in words: a name such as "h200", or facts such as
"multiprocessors=78,bandwidth=4000". Where there is a GPU, its driver is asked; "" means the H100
SXM, for which kernels are chosen where nothing is said.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import library
from ._typed import typed
from .errors import Error
from .loaded import load_driver

_log = logging.getLogger(__name__)

DEFAULT = "h100-sxm"
NATIVE = "native"
"""In place of a device in words: the first GPU of this machine."""
_NEAR_BANDWIDTH = 0.08
"""Drivers and data sheets differ by a few percent; parts of one size differ by more."""


@typed
@dataclass(frozen=True)
class Facts:
    """What a driver says of a GPU; 0 is unknown.

    Attributes:
        name: as the driver spells it.
        multiprocessors: their number.
        clock: the highest, in MHz.
        bandwidth: of the memory, in GB/s.
        l2: MiB of L2 cache.
    """

    name: str
    multiprocessors: int
    clock: int = 0
    bandwidth: int = 0
    l2: int = 0

    def words(self) -> str:
        """The device in words, as the compiler knows it.

        Raises:
            Error: if there is no compiler.
        """
        name = library.encoded(self.name, "the name of a device")
        pointer = library.load().mxfp4_device_words(
            name, self.multiprocessors, self.clock, self.bandwidth, self.l2
        )
        return library.take_string(pointer)

    def is_like(self, device: Mapping[str, Any] | None) -> bool:
        """Whether the "device" of a manifest has the same facts; what is unknown is no difference.

        A manifest that says nothing is of a kernel that was chosen for no device.
        """
        if not device:
            return True
        if device["multiprocessors"] != self.multiprocessors:
            return False
        if not self.bandwidth:
            return True
        return abs(device["bandwidth"] / self.bandwidth - 1) <= _NEAR_BANDWIDTH


@cache
def facts_of(ordinal: int | None = None) -> Facts | None:
    """The facts of a GPU, by default the first; None where there is no driver or no such GPU."""
    try:
        driver = load_driver()
        device = dict(enumerate(driver.devices())).get(ordinal or 0)
    except Error as e:
        _log.debug("no GPU says what it is, so kernels are chosen for %s: %s", DEFAULT, e)
        return None
    if device is None:
        return None
    name, count = device.name.decode(errors="replace"), device.multiprocessors
    try:
        speed = driver.speed(ordinal or 0)
    except Error as e:
        _log.debug("the driver does not say how fast %s is: %s", name, e)
        return Facts(name, count)
    bandwidth = speed.memory_clock * speed.memory_bus_bits // 4_000_000  # two transfers per clock
    return Facts(name, count, speed.clock // 1000, bandwidth, speed.l2_bytes >> 20)


@typed
def option_for(ordinal: int | None = None) -> str:
    """The compiler's option that names a GPU, "" for the default.

    Raises:
        Error: if there is no compiler.
    """
    facts = facts_of(ordinal)
    return option(facts.words()) if facts else ""


@typed
def option(device: str) -> str:
    """The compiler's option for a device in words, or `NATIVE`; "" for the default.

    Raises:
        Error: if `NATIVE` is asked for and there is no GPU or no compiler.
    """
    if device == NATIVE:
        facts = facts_of()
        if facts is None:
            raise Error(
                f"--device {NATIVE} asks this machine's GPU, but there is none that a driver "
                "knows; name the device, such as h200 (mxfp4 compile --help)."
            )
        device = facts.words()
    return f"device={device}" if device not in ("", DEFAULT) else ""


def known() -> list[dict[str, Any]]:
    """The devices that have a name, with their facts.

    Raises:
        Error: if there is no compiler.
    """
    return json.loads(library.take_string(library.load().mxfp4_devices()))
