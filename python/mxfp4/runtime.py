# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running compiled kernels through NVIDIA's driver bindings, with no compiler at hand."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .artifact import Argument, Artifact, Manifest
from .errors import Error
from .tensor_map import TensorMaps
from .tensors import Buffer, describe, is_torch, stream_handle
from .weights import PackedWeights
from .workspace import Workspaces

UNSORTED = 1
"""Bit of the error word: offsets do not start at 0, decrease, or do not end at R."""

BAD_ID = 2
"""Bit of the error word: an expert id is outside -1 .. E-1."""

_MEANING = {
    UNSORTED: "the offsets do not start at 0, decrease, or do not end at the number of rows; "
    "nothing was stored",
    BAD_ID: "an expert id is outside -1 .. E-1; the rows of its group were not stored",
}


_PROVIDERS: dict[str, Callable[[_OnDevice, int, int], int]] = {
    "rows": lambda on, stream, rows: rows,
    "error": lambda on, stream, rows: on.error,
    "workspace": lambda on, stream, rows: on.workspaces.address(stream) if on.workspaces else 0,
}
"""Values of the arguments that the launcher provides, for a launch on a stream."""


def load_driver() -> Any:
    """The module ``cuda.bindings.driver``, initialised.

    Raises:
        Error: if the bindings are not installed or there is no driver or GPU.
    """
    try:
        from cuda.bindings import driver
    except ImportError as e:
        raise Error(
            "running a kernel needs NVIDIA's driver bindings: pip install cuda-bindings."
        ) from e
    try:
        code = driver.cuInit(0)[0]
    except Exception as e:  # the bindings raise RuntimeError if libcuda cannot be loaded
        raise Error(f"the CUDA driver could not be loaded ({e}); is this a GPU machine?") from e
    if int(code):
        raise Error(f"the CUDA driver did not start (error {int(code)}); is there a GPU?")
    return driver


@dataclass
class _OnDevice:
    """A kernel made ready on one device."""

    context: Any
    context_handle: int
    function: Any
    config: Any
    error: int
    workspaces: Workspaces | None


class Kernel:
    """A compiled kernel, ready to run.

    Launching reads no device memory, allocates nothing but ``y`` (and only if ``out`` is not
    given), and never waits for the device, so it can be captured in a CUDA graph. A kernel may be
    used from several threads. The device holds one error word for it, which `check` reads.
    """

    def __init__(self, artifact: Artifact, driver: Any = None) -> None:
        self.artifact = artifact
        self.manifest: Manifest = artifact.manifest
        self._driver = driver if driver is not None else load_driver()
        self._devices: dict[int, _OnDevice] = {}
        self._libraries: list[Any] = []
        self._lock = threading.Lock()
        self._arguments = {a.name: a for a in self.manifest.arguments}
        self._check_providers()
        self._values = (ctypes.c_uint64 * len(self.manifest.arguments))()
        base, size = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint64)
        self._pointers = (ctypes.c_void_p * len(self._values))(
            *(base + size * i for i in range(len(self._values)))
        )
        self._parameters = ctypes.addressof(self._pointers)
        x = self._arguments["x"]
        self._maps = (
            TensorMaps(self._driver, self._call, x, self.manifest.k)
            if x.kind == "tensor_maps"
            else None
        )

    def _check_providers(self) -> None:
        """Refuse a kernel with an argument that only another launcher can provide."""
        for a in self.manifest.arguments:
            if a.provider == "launcher" and a.name not in _PROVIDERS and not a.nullable:
                raise Error(
                    f"{self.artifact.origin} expects its launcher to provide {a.name}, which this "
                    "version of mxfp4 does not know; use the version that compiled the kernel, or "
                    "compile it again."
                )

    @staticmethod
    def load(
        artifact: Artifact | str | os.PathLike[str], device: int = 0, driver: Any = None
    ) -> Kernel:
        """Load an artifact and make it ready on a device.

        Args:
            artifact: an `Artifact`, or the folder of one.
            device: CUDA ordinal. Other devices are made ready on their first call, which must not
                be captured in a graph.
            driver: a module like ``cuda.bindings.driver``, which is the default.

        Raises:
            Error: if the artifact is broken, there is no driver, or the device does not fit.
        """
        if not isinstance(artifact, Artifact):
            artifact = Artifact.load(artifact)
        kernel = Kernel(artifact, driver)
        kernel.prepare(device)
        return kernel

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a driver function; its results without the status."""
        code, *results = getattr(self._driver, name)(*arguments)
        if int(code):
            text = self._driver.cuGetErrorString(code)[1]
            text = text.decode() if isinstance(text, bytes) else str(text)
            raise Error(f"{name} failed: {text} (CUDA error {int(code)}).")
        return results[0] if len(results) == 1 else results

    def prepare(self, device: int = 0) -> None:
        """Load the kernel on a device, allocate and clear its error word, size its grid.

        Raises:
            Error: if the device is not the kernel's target, or a driver call fails.
        """
        with self._lock:
            if device not in self._devices:
                self._devices[device] = self._prepare(device)

    def _prepare(self, device: int) -> _OnDevice:
        d, m = self._driver, self.manifest
        count = self._call("cuDeviceGetCount")
        if not 0 <= device < count:
            raise Error(f"device {device} does not exist; this machine has {count}.")
        handle = self._call("cuDeviceGet", device)

        def ask(name: str) -> int:
            attribute = getattr(d.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
            return int(self._call("cuDeviceGetAttribute", attribute, handle))

        chip = 10 * ask("COMPUTE_CAPABILITY_MAJOR") + ask("COMPUTE_CAPABILITY_MINOR")
        if m.target.removeprefix("sm_").rstrip("af") != str(chip):
            raise Error(
                f"{self.artifact.origin} was compiled for {m.target}, but device {device} is "
                f"sm_{chip}; compile it for this device."
            )
        limit = ask("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN")
        if m.dynamic_shared_bytes > limit:
            raise Error(
                f"{self.artifact.origin} needs {m.dynamic_shared_bytes} bytes of shared memory a "
                f"block, but device {device} has {limit}."
            )
        context = self._call("cuDevicePrimaryCtxRetain", handle)
        self._call("cuCtxPushCurrent", context)
        try:
            function = self._load_function()
            kinds = d.CUfunction_attribute
            # Always: the default limit of 48 KiB counts static shared memory too.
            most = kinds.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            self._call("cuFuncSetAttribute", function, most, m.dynamic_shared_bytes)
            # The grid counts on ctas_per_sm blocks to a multiprocessor; each costs 1 KiB more.
            wanted = m.ctas_per_sm * (m.dynamic_shared_bytes + 1024)
            share = min(100, -(-100 * wanted // ask("MAX_SHARED_MEMORY_PER_MULTIPROCESSOR")))
            split = kinds.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT
            self._call("cuFuncSetAttribute", function, split, share)
            error = int(self._call("cuMemAlloc", 4))
            self._call("cuMemsetD32", error, 0, 1)
            self._call("cuStreamSynchronize", 0)  # other streams do not wait for this clearing
            workspaces = Workspaces(self._call) if "workspace" in self._arguments else None
        finally:
            self._call("cuCtxPopCurrent")
        grid = m.ctas_per_sm * ask("MULTIPROCESSOR_COUNT")
        config = self._configure(grid - grid % m.cluster[0])
        return _OnDevice(context, int(context), function, config, error, workspaces)

    def _configure(self, grid: int) -> Any:
        """Of launches that may begin before the work ahead of them on the stream has ended.

        The kernel waits for that itself, once it has set itself up (griddepcontrol.wait).
        """
        d, m = self._driver, self.manifest
        attribute = d.CUlaunchAttribute()
        ids = d.CUlaunchAttributeID
        attribute.id = ids.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
        attribute.value.programmaticStreamSerializationAllowed = 1
        config = d.CUlaunchConfig()
        config.gridDimX, config.gridDimY, config.gridDimZ = grid, 1, 1
        config.blockDimX, config.blockDimY, config.blockDimZ = m.block
        config.sharedMemBytes = m.dynamic_shared_bytes
        config.attrs, config.numAttrs = [attribute], 1
        return config

    def _load_function(self) -> Any:
        """Load the cubin, or, if there is none or it does not fit, let the driver compile PTX."""
        failures = []
        for image in (self.artifact.cubin, self.artifact.ptx.encode() + b"\0"):
            if image is None:
                continue
            try:
                module = self._call("cuModuleLoadData", image)
                self._libraries.append(module)
                return self._call("cuModuleGetFunction", module, self.manifest.entry.encode())
            except Error as e:
                failures.append(str(e))
        raise Error(f"{self.artifact.origin} could not be loaded: " + " Then: ".join(failures))

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
        `check`.

        Args:
            x: bf16 ``[R, K]``, rows sorted by group. With R = 0 nothing is launched.
            weights: packed in the kernel's layout, data on the device.
            offsets: i32 ``[G+1]``.
            out: ``[R, N]`` of the kernel's output type; a new torch tensor if None and x is one.
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
        m = self.manifest
        self._check_weights(weights)
        bx = self._buffer("x", x)
        if len(bx.shape) != 2 or bx.shape[1] != m.k:
            raise Error(f"x must have shape [R, {m.k}], got {list(bx.shape)}.")
        rows = bx.shape[0]
        if rows > m.most_rows:
            raise Error(
                f"x must have at most {m.most_rows} rows for this kernel, got {rows}; "
                "pass fewer at a time, or compile a kernel for so many."
            )
        if out is None:
            out = self._allocate(x, rows)
        if expert_ids is not None:
            operands["expert_ids"] = expert_ids
        self._check_operands(operands)
        shapes = {a.name: a.shape_for(rows) for a in m.arguments}
        if expert_ids is not None and not rows and 0 in describe(expert_ids, "expert_ids").shape:
            # No groups, no rows: nothing is launched, whatever the kernel's number.
            shapes |= {"expert_ids": (0,), "offsets": (1,)}
        given = {"weights": weights.data, "y": out, **operands, "offsets": offsets}
        values = {"x": bx}
        values |= {name: self._buffer(name, given[name], shapes[name]) for name in given}
        device = self._common_device(values)
        if stream is None:
            if not is_torch(x):
                raise Error("pass stream=: x is not a torch tensor, so its stream is not known.")
            import torch

            handle = torch.cuda.current_stream(device).cuda_stream
        else:
            handle = stream_handle(stream)
        if rows:
            self._launch(device, handle, rows, values)
        return out

    def _check_operands(self, operands: dict[str, Any]) -> None:
        """Are they those that the kernel takes? Nullable ones may be left out."""
        for name in operands:
            if name not in self.manifest.operands:
                takes = ", ".join(sorted(self.manifest.operands)) or "none"
                raise Error(
                    f"this kernel takes no {name} (of optional operands it takes {takes}); compile "
                    f"one for a problem with {name.replace('_', '-')}=1."
                )
        for name in self.manifest.operands:
            if name not in operands and not self._arguments[name].nullable:
                raise Error(f"this kernel takes {name}: pass {name}=.")

    def _check_weights(self, weights: PackedWeights) -> None:
        m = self.manifest
        if not isinstance(weights, PackedWeights):
            raise Error(f"weights must be PackedWeights, got {type(weights).__name__}; see pack().")
        if weights.layout != m.layout:
            raise Error(
                f"the weights are packed as {weights.layout}, but the kernel reads {m.layout}; "
                "pack them in that layout, or compile a kernel for theirs."
            )
        if weights.shape != (m.experts, m.n, m.k):
            raise Error(
                f"the kernel is for E, N, K = {m.experts}, {m.n}, {m.k}, but the weights have "
                f"{', '.join(map(str, weights.shape))}."
            )

    def _buffer(self, name: str, tensor: Any, shape: tuple[int, ...] | None = None) -> Buffer:
        """Describe a tensor and check it against the kernel's argument of that name."""
        buffer = describe(tensor, name)
        argument: Argument = self._arguments[name]
        if buffer.dtype != argument.dtype:
            raise Error(f"{name} must be {argument.dtype}, got {buffer.dtype}.")
        if shape is not None and buffer.shape != shape:
            raise Error(f"{name} must have shape {list(shape)}, got {list(buffer.shape)}.")
        if not buffer.contiguous:
            raise Error(f"{name} must be dense and row-major; pass {name}.contiguous().")
        if buffer.pointer % argument.align:
            raise Error(
                f"{name} must be aligned to {argument.align} bytes, got address "
                f"{buffer.pointer:#x}; copy it into a tensor of its own."
            )
        return buffer

    def _common_device(self, buffers: dict[str, Buffer]) -> int:
        found = {b.device: name for name, b in buffers.items() if b.device is not None}
        if len(found) > 1:
            where = ", ".join(f"{name} on {device}" for device, name in found.items())
            raise Error(f"all tensors must be on one device, got {where}.")
        if found:
            return next(iter(found))
        pointer = buffers["x"].pointer or buffers["weights"].pointer
        kind = self._driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        return int(self._call("cuPointerGetAttribute", kind, pointer))

    def _allocate(self, x: Any, rows: int) -> Any:
        if not is_torch(x):
            raise Error("pass out=: x is not a torch tensor, so no output can be made like it.")
        import torch

        dtype = torch.bfloat16 if self.manifest.output == "bf16" else torch.float32
        return torch.empty((rows, self.manifest.n), dtype=dtype, device=x.device)

    def _launch(self, device: int, stream: int, rows: int, buffers: dict[str, Buffer]) -> None:
        on = self._devices.get(device)
        if on is None:
            self.prepare(device)
            on = self._devices[device]
        other = int(self._call("cuCtxGetCurrent")) != on.context_handle
        if other:
            self._call("cuCtxPushCurrent", on.context)
        try:
            with self._lock:  # the driver copies the values before it returns
                for i, argument in enumerate(self.manifest.arguments):
                    buffer, provide = buffers.get(argument.name), _PROVIDERS.get(argument.name)
                    if argument.provider == "launcher":
                        self._values[i] = provide(on, stream, rows) if provide else 0
                    elif argument.kind == "tensor_maps" and self._maps and buffer:
                        self._pointers[i] = self._maps.address(buffer.pointer, rows)
                    else:
                        self._values[i] = buffer.pointer if buffer else 0
                on.config.hStream = self._driver.CUstream(stream)
                self._call("cuLaunchKernelEx", on.config, on.function, self._parameters, 0)
        finally:
            if other:
                self._call("cuCtxPopCurrent")

    def error_word(self, device: int = 0, clear: bool = True) -> int:
        """Wait for the device's work, read the error word, and clear it unless told not to."""
        on = self._devices.get(device)
        if on is None:
            raise Error(f"the kernel was never made ready on device {device}.")
        self._call("cuCtxPushCurrent", on.context)
        try:
            self._call("cuCtxSynchronize")
            word = ctypes.c_int32()
            self._call("cuMemcpyDtoH", ctypes.addressof(word), on.error, 4)
            if clear and word.value:
                self._call("cuMemsetD32", on.error, 0, 1)
                self._call("cuStreamSynchronize", 0)
        finally:
            self._call("cuCtxPopCurrent")
        return word.value

    @property
    def devices(self) -> tuple[int, ...]:
        """The devices that it was made ready on."""
        return tuple(self._devices)

    def check(self, device: int = 0) -> None:
        """Wait for the device, and raise if a launch since the last check met bad values.

        Raises:
            Error: saying what was wrong with the offsets or expert ids.
        """
        word = self.error_word(device)
        if word:
            what = [text for bit, text in _MEANING.items() if word & bit]
            raise Error("grouped_matmul: " + "; ".join(what or [f"unknown error {word}"]) + ".")
