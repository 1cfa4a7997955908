# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running compiled kernels through the launcher's library, with no compiler at hand."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import weakref
from typing import Any, NamedTuple

from ._call_checks import CallChecks
from ._typed import typed
from .artifact import Artifact, Manifest
from .errors import Error
from .loaded import LoadedKernel, load_driver
from .tensors import is_torch, stream_handle
from .weights import PackedWeights

UNSORTED = 1
"""Bit of the error word: offsets do not start at 0, decrease, or do not end at R."""

BAD_ID = 2
"""Bit of the error word: an expert id is outside -1 .. E-1."""

BAD_ROW = 4
"""Bit of the error word: a row to gather or to scatter to does not exist."""

_MEANING = {
    UNSORTED: "the offsets do not start at 0, decrease, or do not end at the number of rows; "
    "nothing was stored",
    BAD_ID: "an expert id is outside -1 .. E-1; the rows of its group were not stored",
    BAD_ROW: "a row to gather or to scatter to does not exist; row 0 was gathered, and nothing was "
    "scattered",
}


class _Known(NamedTuple):
    """What is known of a call whose tensors were checked.

    Attributes:
        rows: R.
        device: CUDA ordinal.
        kernel: the library's handle on that device.
        values: of the kernel's arguments; 0 for addresses.
    """

    rows: int
    device: int
    kernel: int
    values: list[int]


_MOST_KNOWN = 4096
"""Calls that are known at most: models call with a handful of shapes."""


class Kernel(LoadedKernel):
    """A compiled grouped matmul, ready to run.

    Launching reads no device memory, allocates nothing but ``y`` (and only if ``out`` is not
    given), and never waits for the device, so it can be captured in a CUDA graph. A kernel may be
    used from several threads. The device holds one error word for it, which `check` reads.
    """

    artifact: Artifact
    manifest: Manifest

    @typed
    def __init__(self, artifact: Artifact, driver: Any = None) -> None:
        super().__init__(artifact, driver if driver is not None else load_driver())
        self._launch = self.driver.library.mxfp4rt_launch
        self._checks = CallChecks(self.manifest)
        self._known: dict[tuple[Any, ...], _Known] = {}
        self._weights: dict[int, weakref.ref[PackedWeights]] = {}
        names = [a.name for a in self.manifest.arguments]
        self._places = {name: i for i, name in enumerate(names)}
        self._at = [self._places[name] for name in ("x", "weights", "offsets", "y")]
        self._pack = struct.Struct(f"={len(names)}Q").pack

    @staticmethod
    @typed
    def load(
        artifact: Artifact | str | os.PathLike[str], device: int = 0, driver: Any = None
    ) -> Kernel:
        """Load an artifact and make it ready on a device.

        Args:
            artifact: an `Artifact`, or the folder of one.
            device: CUDA ordinal. Other devices are made ready on their first call, which must not
                be captured in a graph.
            driver: an object with functions as ``cuda.bindings.driver`` has, in place of CUDA's
                driver.

        Raises:
            Error: if the artifact is broken, there is no driver, or the device does not fit.
        """
        if not isinstance(artifact, Artifact):
            artifact = Artifact.load(artifact)
        kernel = Kernel(artifact, driver)
        kernel.prepare(device)
        return kernel

    def __call__(
        self,
        x: Any,
        weights: PackedWeights,
        offsets: Any,
        out: Any = None,
        expert_ids: Any = None,
        stream: Any = None,
        **operands: Any,
    ) -> Any:
        """Launch on a stream and return the output at once.

        All tensors are dense, on one CUDA device, from torch or any library with DLPack or
        ``__cuda_array_interface__``. Values of offsets and ids are checked on the device: see
        `check`. What torch tensors are is checked once for each combination of shapes, types and
        devices.

        Args:
            x: bf16 ``[R, K]``, rows sorted by group, or any rows if the kernel gathers them. With
                R = 0 nothing is launched.
            weights: packed in the kernel's layout, data on the device.
            offsets: i32 ``[G+1]``.
            out: ``[R, N]`` of the kernel's output type, or with more rows if the kernel scatters
                them; a new torch tensor if None and x is one.
            expert_ids: i32 ``[G]``, if and only if the kernel takes ids; with none of them
                ``offsets`` is [0], R is 0, and nothing is launched.
            stream: a stream object or handle; torch's current stream if None and x is torch's.
            operands: whatever else the kernel takes, by the names in its manifest
                (``manifest.operands``).

        Returns:
            ``out``.

        Raises:
            Error: if anything does not fit the kernel, or the launch fails.
        """
        checked = self._weights.get(id(weights))
        if checked is None or checked() is not weights:
            self._checks.check_weights(weights)
            self._remember(weights)
        if expert_ids is not None:
            operands["expert_ids"] = expert_ids
        return self.run(x, weights.data, offsets, out, stream, operands)

    def _remember(self, weights: PackedWeights) -> None:
        """Weights that fit, for as long as they live."""
        number, known = id(weights), self._weights
        known[number] = weakref.ref(weights, lambda _: known.pop(number, None))

    def run(
        self, x: Any, data: Any, offsets: Any, out: Any, stream: Any, operands: dict[str, Any]
    ) -> Any:
        """A call with the bytes of weights that are known to be packed for this kernel.

        Raises:
            Error: as a call.
        """
        known = self.run_known(x, data, offsets, out, stream, operands)
        if known is None:
            return self._run_checked(x, data, offsets, out, stream, operands)
        return known

    def run_known(
        self, x: Any, data: Any, offsets: Any, out: Any, stream: Any, operands: dict[str, Any]
    ) -> Any:
        """The same if such tensors were checked before; otherwise None, and nothing happens.

        Raises:
            Error: if an address does not fit, or the launch fails.
        """
        try:
            known = self._known.get(_key(x, data, offsets, out, operands))
        except (AttributeError, TypeError):  # not torch's tensors
            return None
        if known is None:
            return None
        if out is None:
            out = self._checks.new_output(x, known.rows)
        values = known.values.copy()
        at_x, at_weights, at_offsets, at_y = self._at
        values[at_x], values[at_weights] = x.data_ptr(), data.data_ptr()
        values[at_offsets], values[at_y] = offsets.data_ptr(), out.data_ptr()
        for name, t in operands.items():
            values[self._places[name]] = t.data_ptr()
        handle = _current_stream(known.device) if stream is None else stream_handle(stream)
        if status := self._launch(known.kernel, known.rows, self._pack(*values), handle):
            self.driver.check(status)
        return out

    def _run_checked(
        self, x: Any, data: Any, offsets: Any, out: Any, stream: Any, operands: dict[str, Any]
    ) -> Any:
        """A call that is not known; if its tensors are torch's, it is from now on."""
        call = self._checks.check(x, data, offsets, out, operands)
        pointers = {name: buffer.pointer for name, buffer in call.buffers.items()}
        device = call.device
        if device is None:
            device = self._device_of(pointers["x"] or pointers["weights"])
        if stream is None:
            if not is_torch(x):
                raise Error("pass stream=: x is not a torch tensor, so its stream is not known.")
            handle = _current_stream(device)
        else:
            handle = stream_handle(stream)
        if not call.rows:
            return call.out
        counts = [call.counts.get(name, 0) for name in self._places]
        known = _Known(call.rows, device, self.handle(device), counts)
        values = [pointers.get(name, counts[i]) for name, i in self._places.items()]
        status = self._launch(known.kernel, known.rows, self._pack(*values), handle)
        self.driver.check(status)
        if all(map(is_torch, (x, data, offsets, call.out, *operands.values()))):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[_key(x, data, offsets, out, operands)] = known
        return call.out

    def _device_of(self, pointer: int) -> int:
        ordinal = ctypes.c_int()
        library, handle = self.driver.library, self.driver.handle
        self.driver.check(library.mxfp4rt_device_of(handle, pointer, ordinal))
        return ordinal.value

    @typed
    def check(self, device: int = 0) -> None:
        """Wait for the device, and raise if a launch since the last check met bad values.

        Raises:
            Error: saying what was wrong with the offsets or expert ids.
        """
        word = self.error_word(device)
        if word:
            what = [text for bit, text in _MEANING.items() if word & bit]
            raise Error("grouped_matmul: " + "; ".join(what or [f"unknown error {word}"]) + ".")


def _key(x: Any, data: Any, offsets: Any, out: Any, operands: dict[str, Any]) -> tuple[Any, ...]:
    """What the checks of a call depend on, of torch's tensors, but for their addresses."""
    key: tuple[Any, ...] = (
        x.shape, x.dtype, x.is_contiguous(), x.device,
        data.shape, data.dtype, data.is_contiguous(), data.device,
        offsets.shape, offsets.dtype, offsets.is_contiguous(), offsets.device,
    )  # fmt: skip
    if out is not None:
        key += (out.shape, out.dtype, out.is_contiguous(), out.device)
    for name, t in operands.items():
        key += (name, t.shape, t.dtype, t.is_contiguous(), t.device)
    return key


def _current_stream(device: int) -> int:
    """The handle of torch's current stream."""
    torch = sys.modules["torch"]
    # What torch.cuda.current_stream asks, without an object for the stream.
    raw = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    if raw is not None:
        return int(raw(device))
    return int(torch.cuda.current_stream(device).cuda_stream)
