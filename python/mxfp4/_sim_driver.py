# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A GPU that is not there: the driver's functions, over the PTX interpreter's C ABI.

`runtime.Kernel` runs on it as on ``cuda.bindings.driver``, so that what a simulation launches is
what the launcher makes of a manifest: arguments, tensor maps, shared memory, grid. Functions
return (status, results...) as the bindings do; enumerators are their own names.
"""

from __future__ import annotations

import ctypes
import json
from ctypes import c_uint8, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass, field
from typing import Any

from ._sim_library import TensorMap, load_interpreter
from ._sim_memory import ILLEGAL_ADDRESS, INVALID_VALUE, SimMemory
from .errors import Error

H100 = {
    "COMPUTE_CAPABILITY_MAJOR": 9,
    "COMPUTE_CAPABILITY_MINOR": 0,
    "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": 232448,
    "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR": 233472,
}
INVALID_PTX, NO_BINARY = 218, 209


@dataclass
class Launched:
    """What one launch gave.

    Attributes:
        kernel: entry.
        grid: blocks (x, y, z).
        block: threads (x, y, z).
        shared: bytes of dynamic shared memory.
        findings: as ``mxfp4SimDiagnosticsJson`` lists them.
        text: findings, for people.
        statistics: as ``mxfp4SimStatsJson`` gives them.
        costs: statistics, for people.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared: int
    findings: list[dict[str, Any]]
    text: str
    statistics: dict[str, Any]
    costs: str


@dataclass
class _Function:
    module: int
    name: bytes
    parameters: list[int]
    attributes: dict[str, int] = field(default_factory=dict)


class _Encoded:
    """128 bytes that describe a tensor, as the bindings hold them."""

    def __init__(self) -> None:
        self.bytes = (c_uint8 * 128)()

    def getPtr(self) -> int:
        """Host address."""
        return ctypes.addressof(self.bytes)


class _Names:
    """An enumeration whose values are their names."""

    def __getattr__(self, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Record:
    """A structure of the bindings; parts that were not set are structures too."""

    def __getattr__(self, name: str) -> _Record:
        if name.startswith("__"):
            raise AttributeError(name)
        part = _Record()
        setattr(self, name, part)
        return part


class SimDriver(SimMemory):
    """The functions of the driver that the launcher calls, with one H100 of a size to choose.

    Args:
        multiprocessors: how many SMs it claims to have; a persistent grid follows from that.
        options: of the interpreter, see ``mxfp4SimOption``.
    """

    def __init__(self, multiprocessors: int = 2, **options: int) -> None:
        super().__init__()
        self._sim = load_interpreter()
        self._facts = {**H100, "MULTIPROCESSOR_COUNT": multiprocessors}
        self._options = options
        self._modules: list[int] = []
        self._stream = self._sim.mxfp4SimStreamCreate()
        self._context = 0
        self._message = ""
        self.launches: list[Launched] = []
        for name in ("CUdevice_attribute", "CUfunction_attribute", "CUpointer_attribute"):
            setattr(self, name, _Names())
        for name in ("DataType", "Interleave", "Swizzle", "L2promotion", "FloatOOBfill"):
            setattr(self, f"CUtensorMap{name}", _Names())
        self.CUlaunchAttributeID = _Names()
        self.CUlaunchConfig = self.CUlaunchAttribute = _Record
        self.cuuint32_t = self.cuuint64_t = self.CUstream = int

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the simulated driver has no {name}")

    def __del__(self) -> None:
        for module in self.__dict__.get("_modules", ()):
            self._sim.mxfp4SimModuleDestroy(module)
        if "_stream" in self.__dict__:
            self._sim.mxfp4SimStreamDestroy(self._stream)

    # Device, contexts, streams -----------------------------------------------------------------

    def cuGetErrorString(self, code: int) -> tuple[int, bytes]:
        """What went wrong."""
        text = {INVALID_VALUE: "invalid value", NO_BINARY: "machine code cannot be simulated",
                ILLEGAL_ADDRESS: "no memory at this address"}.get(code, "")  # fmt: skip
        return 0, (self._message or text).encode()

    def cuDeviceGetCount(self) -> tuple[int, int]:
        """One."""
        return 0, 1

    def cuDeviceGet(self, ordinal: int) -> tuple[int, int]:
        """The device."""
        return 0, ordinal

    def cuDeviceGetAttribute(self, attribute: str, device: int) -> tuple[int, ...]:
        """A fact of the chip."""
        fact = self._facts.get(attribute.removeprefix("CU_DEVICE_ATTRIBUTE_"))
        return (INVALID_VALUE,) if fact is None else (0, fact)

    def cuDevicePrimaryCtxRetain(self, device: int) -> tuple[int, int]:
        """The context, a number."""
        return 0, 1

    def cuCtxPushCurrent(self, context: int) -> tuple[int]:
        """Make it current."""
        self._context += 1
        return (0,)

    def cuCtxPopCurrent(self) -> tuple[int, int]:
        """Make the one before it current."""
        self._context -= 1
        return 0, 1

    def cuCtxGetCurrent(self) -> tuple[int, int]:
        """The context, or 0."""
        return 0, int(self._context > 0)

    def cuCtxSynchronize(self) -> tuple[int]:
        """Nothing to wait for."""
        return (0,)

    def cuStreamIsCapturing(self, stream: Any) -> tuple[int, int]:
        """Nothing is captured."""
        return 0, 0

    def cuStreamGetId(self, stream: Any) -> tuple[int, int]:
        """There is one stream."""
        return 0, 0

    def cuStreamSynchronize(self, stream: Any) -> tuple[int]:
        """Nothing to wait for."""
        return (0,)

    def cuMemFree(self, address: int) -> tuple[int]:
        """Free, so that a later access is out of bounds."""
        for memory in self.memory:
            if memory.address == address:
                self._sim.mxfp4SimStreamForget(self._stream, address, memory.data.size)
        return super().cuMemFree(address)

    # Kernels -----------------------------------------------------------------------------------

    def cuModuleLoadData(self, image: bytes) -> tuple[int, ...]:
        """Parse PTX."""
        if image.startswith(b"\x7fELF"):
            return (NO_BINARY,)
        text = image.rstrip(b"\0")
        module = self._sim.mxfp4SimParse(text, len(text), b"kernel.ptx")
        self._modules.append(module)
        if not self._sim.mxfp4SimModuleOk(module):
            self._message = self._sim.mxfp4SimModuleErrors(module).decode()
            return (INVALID_PTX,)
        return 0, module

    def cuModuleGetFunction(self, module: int, name: bytes) -> tuple[Any, ...]:
        """A kernel by name."""
        for i in range(self._sim.mxfp4SimModuleNumKernels(module)):
            if self._sim.mxfp4SimModuleKernel(module, i) == name:
                parameters = json.loads(self._sim.mxfp4SimModuleParamsJson(module, i))
                return 0, _Function(module, name, [p["size"] for p in parameters])
        return (500,)

    def cuFuncSetAttribute(self, f: _Function, name: str, value: int) -> tuple[int]:
        """Remember it."""
        f.attributes[name] = value
        return (0,)

    def cuTensorMapEncodeTiled(
        self, dtype: str, rank: int, pointer: int, dims: list[int], strides: list[int],
        box: list[int], element_strides: list[int], interleave: str, swizzle: str, l2: str,
        fill: str,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Describe a tensor; refuses what the driver refuses."""
        name = dtype.removeprefix("CU_TENSOR_MAP_DATA_TYPE_")
        size = {"UINT8": 1, "UINT16": 2, "FLOAT16": 2, "BFLOAT16": 2, "UINT32": 4, "INT32": 4,
                "FLOAT32": 4, "UINT64": 8, "INT64": 8, "FLOAT64": 8}.get(name)  # fmt: skip
        if size is None or not interleave.endswith("_NONE"):
            self._message = f"tensor maps of {dtype}, {interleave} are not simulated"
            return (INVALID_VALUE,)
        spans = {"NONE": 0, "32B": 1, "64B": 2, "128B": 3}
        described = TensorMap(
            pointer, rank, size, (c_uint64 * 5)(*dims), (c_uint64 * 4)(*strides),
            (c_uint32 * 5)(*box), (c_uint32 * 5)(*element_strides),
            spans[swizzle.rpartition("_")[2]], not fill.endswith("_NONE"),
        )  # fmt: skip
        encoded = _Encoded()
        scratch = self._sim.mxfp4SimLaunchCreate(None, b"")
        try:
            wrong = self._sim.mxfp4SimEncodeTensorMap(scratch, described, encoded.bytes)
            self._message = wrong.decode() if wrong else ""
        finally:
            self._sim.mxfp4SimLaunchDestroy(scratch)
        return (INVALID_VALUE,) if self._message else (0, encoded)

    def cuLaunchKernel(
        self, f: _Function, gx: int, gy: int, gz: int, bx: int, by: int, bz: int, shared: int,
        stream: Any, parameters: int, extra: int, cluster: tuple[int, int, int] = (1, 1, 1),
        programmatic: bool = False,
    ) -> tuple[int]:  # fmt: skip
        """Run to the end, and add a record to ``launches``."""
        most = f.attributes.get("CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES", 48 << 10)
        if shared > most:
            self._message = f"{shared} bytes of shared memory, but the kernel's limit is {most}"
            return (INVALID_VALUE,)
        sim = self._sim
        launch = sim.mxfp4SimLaunchCreate(f.module, f.name)
        try:
            sim.mxfp4SimLaunchGrid(launch, gx, gy, gz)
            sim.mxfp4SimLaunchBlock(launch, bx, by, bz)
            sim.mxfp4SimLaunchCluster(launch, *cluster)
            sim.mxfp4SimLaunchShared(launch, shared)
            for name, value in {**self._options, "programmatic": int(programmatic)}.items():
                if sim.mxfp4SimOption(launch, name.encode(), value):
                    raise Error(f"the interpreter has no option {name}.")
            pointers = (c_void_p * len(f.parameters)).from_address(parameters)
            for pointer, size in zip(pointers, f.parameters, strict=True):
                sim.mxfp4SimArgBytes(launch, pointer, size)
            sim.mxfp4SimLaunchStream(launch, self._stream)
            self._run(launch)
            self.launches.append(
                Launched(
                    f.name.decode(), (gx, gy, gz), (bx, by, bz), shared,
                    json.loads(sim.mxfp4SimDiagnosticsJson(launch)),
                    sim.mxfp4SimDiagnostics(launch).decode(),
                    json.loads(sim.mxfp4SimStatsJson(launch)),
                    sim.mxfp4SimReport(launch).decode(),
                )
            )  # fmt: skip
        finally:
            sim.mxfp4SimLaunchDestroy(launch)
        return (0,)

    def cuLaunchKernelEx(
        self, config: Any, f: _Function, parameters: int, extra: int
    ) -> tuple[int]:
        """The same with attributes, of which two count here.

        They are the cluster's dimensions, and whether the launch may begin before the one ahead of
        it has ended: the interpreter then looks for accesses ahead of griddepcontrol.wait.
        """
        cluster, programmatic = (1, 1, 1), False
        for attribute in config.attrs if isinstance(config.attrs, list) else []:
            if str(attribute.id).endswith("CLUSTER_DIMENSION"):
                d = attribute.value.clusterDim
                cluster = (d.x, d.y, d.z)
            if str(attribute.id).endswith("PROGRAMMATIC_STREAM_SERIALIZATION"):
                programmatic = bool(attribute.value.programmaticStreamSerializationAllowed)
        grid = (config.gridDimX, config.gridDimY, config.gridDimZ)
        block = (config.blockDimX, config.blockDimY, config.blockDimZ)
        return self.cuLaunchKernel(f, *grid, *block, config.sharedMemBytes, config.hStream,
                                   parameters, extra, cluster, programmatic)  # fmt: skip

    def _run(self, launch: int) -> None:
        """Map all memory, run, and take back what is known of it."""
        sim = self._sim
        bits = []
        for memory in self.memory:
            number = sim.mxfp4SimAddBufferAt(
                launch, memory.data.ctypes.data, memory.data.size, memory.known is None,
                memory.writable, memory.name.encode(), memory.address,
            )  # fmt: skip
            if memory.known is not None and memory.known.size:
                place = sim.mxfp4SimInitialisedBits(launch, number)
                ctypes.memmove(place, memory.known.ctypes.data, memory.known.size)
                bits.append((place, memory.known))
        sim.mxfp4SimRun(launch)
        for place, known in bits:
            ctypes.memmove(known.ctypes.data, place, known.size)
