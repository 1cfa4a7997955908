# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A driver in Python, as functions of C for the launcher's library.

`runtime.Kernel` launches through ``libmxfp4rt`` on any driver. A driver in Python has methods like
those of ``cuda.bindings.driver``, which return (status, results...). The simulator's driver, and
drivers of tests, then get the same calls as a GPU's driver.
"""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_ulonglong
from ctypes import c_void_p as c_pointer
from typing import Any

from ._runtime_library import DriverOptions, SymbolFn, last_error, load_runtime, open_driver
from ._threads import CallsPython, calls_python
from .errors import Error

_DEVICE_ATTRIBUTES = {
    13: "CLOCK_RATE",
    16: "MULTIPROCESSOR_COUNT",
    36: "MEMORY_CLOCK_RATE",
    37: "GLOBAL_MEMORY_BUS_WIDTH",
    38: "L2_CACHE_SIZE",
    75: "COMPUTE_CAPABILITY_MAJOR",
    76: "COMPUTE_CAPABILITY_MINOR",
    81: "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR",
    97: "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
}
_FUNCTION_ATTRIBUTES = {
    8: "MAX_DYNAMIC_SHARED_SIZE_BYTES",
    9: "PREFERRED_SHARED_MEMORY_CARVEOUT",
}
_TENSOR_TYPES = {0: "UINT8", 3: "INT32", 7: "FLOAT32", 9: "BFLOAT16"}
_PROGRAMMATIC = 6
_UNKNOWN = 999  # CUDA_ERROR_UNKNOWN
_FIRST_HANDLE = 1 << 48


class _Attribute(ctypes.Structure):
    """``CUlaunchAttribute``."""

    _fields_ = (("id", c_int), ("padding", c_int), ("value", c_int), ("rest", ctypes.c_char * 60))


class _Config(ctypes.Structure):
    """``CUlaunchConfig``."""

    _fields_ = (
        ("grid", c_uint * 3),
        ("block", c_uint * 3),
        ("shared", c_uint),
        ("stream", c_pointer),
        ("attributes", POINTER(_Attribute)),
        ("count", c_uint),
    )


_Out = POINTER(c_pointer)
_SIGNATURES: dict[str, list[Any]] = {
    "cuInit": [c_uint],
    "cuDriverGetVersion": [POINTER(c_int)],
    "cuGetErrorString": [c_int, POINTER(c_char_p)],
    "cuDeviceGetCount": [POINTER(c_int)],
    "cuDeviceGet": [POINTER(c_int), c_int],
    "cuDeviceGetName": [c_pointer, c_int, c_int],
    "cuDeviceGetAttribute": [POINTER(c_int), c_int, c_int],
    "cuDevicePrimaryCtxRetain": [_Out, c_int],
    "cuDevicePrimaryCtxRelease_v2": [c_int],
    "cuCtxPushCurrent_v2": [c_pointer],
    "cuCtxPopCurrent_v2": [_Out],
    "cuCtxGetCurrent": [_Out],
    "cuCtxSynchronize": [],
    "cuModuleLoadData": [_Out, c_pointer],
    "cuModuleUnload": [c_pointer],
    "cuModuleGetFunction": [_Out, c_pointer, c_char_p],
    "cuFuncSetAttribute": [c_pointer, c_int, c_int],
    "cuMemAlloc_v2": [POINTER(c_uint64), c_size_t],
    "cuMemFree_v2": [c_uint64],
    "cuMemsetD32Async": [c_uint64, c_uint, c_size_t, c_pointer],
    "cuMemcpyDtoH_v2": [c_pointer, c_uint64, c_size_t],
    "cuPointerGetAttribute": [POINTER(c_int), c_int, c_uint64],
    "cuStreamCreate": [_Out, c_uint],
    "cuStreamDestroy_v2": [c_pointer],
    "cuStreamSynchronize": [c_pointer],
    "cuStreamIsCapturing": [c_pointer, POINTER(c_int)],
    "cuStreamGetId": [c_pointer, POINTER(c_ulonglong)],
    "cuThreadExchangeStreamCaptureMode": [POINTER(c_int)],
    "cuTensorMapEncodeTiled": [
        c_pointer, c_int, c_uint32, c_uint64, POINTER(c_uint64), POINTER(c_uint64),
        POINTER(c_uint32), POINTER(c_uint32), c_int, c_int, c_int, c_int,
    ],
    "cuLaunchKernelEx": [POINTER(_Config), c_pointer, c_pointer, c_pointer],
}  # fmt: skip


class DriverCalls:
    """The handle of a driver made of Python.

    What its methods raise cannot cross the library's frames: the library is told of a failure, and
    `check` raises the exception itself.

    Args:
        driver: an object with the driver's functions.
        images: what the library will load: it passes addresses, and methods take bytes.
    """

    def __init__(self, driver: Any, images: list[bytes]) -> None:
        self._driver, self._images = driver, images
        self._thread = threading.local()
        self._objects: list[Any] = []
        self._texts: dict[int, bytes] = {}
        self._functions = {name: self._function(name, _SIGNATURES[name]) for name in _SIGNATURES}
        # ctypes.cast would tie each function to itself for good.
        addresses = {
            n: c_pointer.from_address(ctypes.addressof(f)).value for n, f in self._functions.items()
        }
        self._symbol = SymbolFn(lambda name, _: addresses.get(name.decode(), 0))
        self.library = CallsPython(load_runtime())
        self.handle = calls_python(open_driver)(DriverOptions(None, self._symbol, None))

    def check(self, status: int) -> None:
        """Raise what a function of the library has failed with, or a method of the driver."""
        raised = getattr(self._thread, "raised", None)
        if raised is not None:
            self._thread.raised = None
            raise raised
        if status:
            raise Error(last_error())

    def close(self) -> None:
        """Give up the handle, and the cycles between functions and this object."""
        self.library.mxfp4rt_driver_close(self.handle)
        self._functions.clear()
        self._symbol = SymbolFn()

    def _function(self, symbol: str, types: list[Any]) -> Any:
        """The C function of a symbol: a method of ours, or the driver's with plain arguments."""
        name = symbol.removesuffix("_v2")
        own = getattr(self, f"_{name}", None)

        def call(*arguments: Any) -> int:
            try:
                if own is not None:
                    return int(own(*arguments) or 0)
                return int(getattr(self._driver, name)(*map(self._taken, arguments))[0])
            except BaseException as e:
                self._thread.raised = e
                return _UNKNOWN

        return ctypes.CFUNCTYPE(c_int, *types)(call)

    def _kept(self, handle: Any) -> int:
        """A number for a handle that may be any object."""
        if isinstance(handle, int):
            return handle
        if handle not in self._objects:
            self._objects.append(handle)
        return _FIRST_HANDLE + self._objects.index(handle)

    def _taken(self, handle: Any) -> Any:
        """The handle of a number; null is 0."""
        if isinstance(handle, int) and 0 <= handle - _FIRST_HANDLE < len(self._objects):
            return self._objects[handle - _FIRST_HANDLE]
        return handle or 0

    def _answer(self, out: Any, name: str, *arguments: Any) -> int:
        """Call a function that has one result, and store it."""
        code, *results = getattr(self._driver, name)(*arguments)
        if not int(code):
            out[0] = self._kept(results[0])
        return int(code)

    # Functions whose arguments differ between C and Python ---------------------------------------

    def _cuInit(self, flags: int) -> None:
        pass

    def _cuGetErrorString(self, code: int, out: Any) -> None:
        text = self._driver.cuGetErrorString(code)[1]
        self._texts[code] = text if isinstance(text, bytes) else str(text).encode()
        out[0] = self._texts[code]

    def _cuDriverGetVersion(self, out: Any) -> int:
        return self._answer(out, "cuDriverGetVersion")

    def _cuDeviceGetCount(self, out: Any) -> int:
        return self._answer(out, "cuDeviceGetCount")

    def _cuDeviceGet(self, out: Any, ordinal: int) -> int:
        return self._answer(out, "cuDeviceGet", ordinal)

    def _cuDeviceGetAttribute(self, out: Any, attribute: int, device: int) -> int:
        name = f"CU_DEVICE_ATTRIBUTE_{_DEVICE_ATTRIBUTES[attribute]}"
        kind = getattr(self._driver.CUdevice_attribute, name)
        return self._answer(out, "cuDeviceGetAttribute", kind, device)

    def _cuDevicePrimaryCtxRetain(self, out: Any, device: int) -> int:
        return self._answer(out, "cuDevicePrimaryCtxRetain", device)

    def _cuDevicePrimaryCtxRelease(self, device: int) -> None:
        pass  # the object goes when nothing holds it

    def _cuCtxPopCurrent(self, out: Any) -> int:
        return self._answer(out, "cuCtxPopCurrent")

    def _cuCtxGetCurrent(self, out: Any) -> int:
        return self._answer(out, "cuCtxGetCurrent")

    def _cuModuleLoadData(self, out: Any, address: int) -> int:
        start = ctypes.string_at(address, 4)
        image = next(i for i in self._images if i.startswith(start))
        return self._answer(out, "cuModuleLoadData", image)

    def _cuModuleUnload(self, module: int) -> None:
        pass

    def _cuModuleGetFunction(self, out: Any, module: int, name: bytes) -> int:
        return self._answer(out, "cuModuleGetFunction", self._taken(module), name)

    def _cuFuncSetAttribute(self, function: int, attribute: int, value: int) -> int:
        name = f"CU_FUNC_ATTRIBUTE_{_FUNCTION_ATTRIBUTES[attribute]}"
        kind = getattr(self._driver.CUfunction_attribute, name)
        return int(self._driver.cuFuncSetAttribute(self._taken(function), kind, value)[0])

    def _cuMemAlloc(self, out: Any, size: int) -> int:
        return self._answer(out, "cuMemAlloc", size)

    # A driver in Python captures nothing, and has done everything when a function returns.

    def _cuMemsetD32Async(self, address: int, value: int, count: int, stream: int | None) -> int:
        return int(self._driver.cuMemsetD32(address, value, count)[0])

    def _cuStreamCreate(self, out: Any, flags: int) -> None:
        out[0] = None

    def _cuStreamDestroy(self, stream: int | None) -> None:
        pass

    def _cuThreadExchangeStreamCaptureMode(self, mode: Any) -> None:
        pass

    def _cuPointerGetAttribute(self, out: Any, kind: int, pointer: int) -> int:
        ordinal = self._driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        return self._answer(out, "cuPointerGetAttribute", ordinal, pointer)

    def _cuStreamIsCapturing(self, stream: int | None, out: Any) -> int:
        return self._answer(out, "cuStreamIsCapturing", stream or 0)

    def _cuStreamGetId(self, stream: int | None, out: Any) -> int:
        return self._answer(out, "cuStreamGetId", stream or 0)

    def _cuTensorMapEncodeTiled(
        self, out: int, dtype: int, rank: int, pointer: int, sizes: Any, strides: Any, box: Any,
        steps: Any, *layout: int,
    ) -> int:  # fmt: skip
        # The library asks for one layout alone; its numbers are in lib/Runtime/Driver.h.
        assert layout == (0, 3, 3, 0), layout
        d = self._driver
        code, *results = d.cuTensorMapEncodeTiled(
            getattr(d.CUtensorMapDataType, f"CU_TENSOR_MAP_DATA_TYPE_{_TENSOR_TYPES[dtype]}"),
            rank,
            pointer,
            [d.cuuint64_t(s) for s in sizes[:rank]],
            [d.cuuint64_t(s) for s in strides[: rank - 1]],
            [d.cuuint32_t(s) for s in box[:rank]],
            [d.cuuint32_t(s) for s in steps[:rank]],
            d.CUtensorMapInterleave.CU_TENSOR_MAP_INTERLEAVE_NONE,
            d.CUtensorMapSwizzle.CU_TENSOR_MAP_SWIZZLE_128B,
            d.CUtensorMapL2promotion.CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
            d.CUtensorMapFloatOOBfill.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
        )
        if not int(code):
            ctypes.memmove(out, int(results[0].getPtr()), 128)
        return int(code)

    def _cuLaunchKernelEx(self, config: Any, function: int, values: int, extra: int | None) -> int:
        d, given = self._driver, config[0]
        made = d.CUlaunchConfig()
        made.gridDimX, made.gridDimY, made.gridDimZ = given.grid
        made.blockDimX, made.blockDimY, made.blockDimZ = given.block
        made.sharedMemBytes, made.hStream = given.shared, d.CUstream(given.stream or 0)
        made.attrs, made.numAttrs = [], given.count
        for attribute in given.attributes[: given.count]:
            assert attribute.id == _PROGRAMMATIC, attribute.id
            one = d.CUlaunchAttribute()
            ids = d.CUlaunchAttributeID
            one.id = ids.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
            one.value.programmaticStreamSerializationAllowed = attribute.value
            made.attrs.append(one)
        return int(d.cuLaunchKernelEx(made, self._taken(function), values, extra or 0)[0])
