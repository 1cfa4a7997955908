# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A manifest, a driver and device tensors made of Python.

The fake driver keeps the launcher honest about order and arguments: it records every call, and
reads the kernel parameters through the same pointers that the real one would.
"""

from __future__ import annotations

import copy
import ctypes
import json
from types import SimpleNamespace
from typing import Any

from mxfp4 import Artifact, Layout, PackedWeights, Proof
from mxfp4.artifact import Manifest

MANIFEST: dict[str, Any] = {
    "format": "mxfp4-artifact",
    "version": 4,
    "entry": "mxfp4_grouped_matmul",
    "target": "sm_90a",
    "problem": {
        "experts": 3,
        "groups": 3,
        "n": 70,
        "k": 96,
        "output": "bf16",
        "activation": "bf16",
        "expert_ids": False,
        "rows_hint": [1, 64],
    },
    "weights": {
        "layout": "fragment_major",
        "order": "spread",
        "scales": "folded",
        "block_bytes": 2176,
    },
    "schedule": {
        "instruction": "mma_sync",
        "placement": "register",
        "tile": {"rows": 64, "tokens": 8},
    },
    "launch": {
        "block": [128, 1, 1],
        "cluster": [1, 1, 1],
        "dynamic_shared_bytes": 65536,
        "grid": {"rule": "persistent", "ctas_per_sm": 2},
    },
    "arguments": [
        {
            "name": "x",
            "kind": "pointer",
            "dtype": "bf16",
            "align": 16,
            "shape": ["rows", 96],
            "provider": "caller",
        },
        {
            "name": "weights",
            "kind": "pointer",
            "dtype": "u8",
            "align": 16,
            "shape": [3, 2, 2, 2176],
            "provider": "caller",
        },
        {
            "name": "offsets",
            "kind": "pointer",
            "dtype": "i32",
            "align": 4,
            "shape": [4],
            "provider": "caller",
        },
        {
            "name": "y",
            "kind": "pointer",
            "dtype": "bf16",
            "align": 4,
            "shape": ["rows", 70],
            "provider": "caller",
        },
        {
            "name": "error",
            "kind": "pointer",
            "dtype": "i32",
            "align": 4,
            "shape": [1],
            "provider": "launcher",
        },
        {"name": "rows", "kind": "i32", "provider": "launcher"},
    ],
    "versions": {"mxfp4": "0.1.0"},
}
PTX = ".version 8.0\n.target sm_90a\n.visible .entry mxfp4_grouped_matmul(\n) { ret; }\n"


def manifest(**changes: Any) -> str:
    """The manifest with dotted entries changed; a value of ... removes the entry."""
    raw = copy.deepcopy(MANIFEST)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = raw
        for key in parents:
            node = node[key]
        if value is ...:
            del node[last]
        else:
            node[last] = value
    return json.dumps(raw)


def with_argument(argument: dict[str, Any], place: int = 3, **changes: Any) -> str:
    """The manifest with one more argument."""
    raw = json.loads(manifest(**changes))
    raw["arguments"].insert(place, argument)
    return json.dumps(raw)


def without_shapes(text: str) -> str:
    """A manifest of before arguments stated shape and provider, which follow from the problem."""
    raw = json.loads(text)
    for argument in raw["arguments"]:
        argument.pop("shape", None)
        argument.pop("provider", None)
    return json.dumps(raw)


def with_ids() -> str:
    """A kernel with a list of ids for 5 groups, of before arguments said more than that."""
    raw = json.loads(manifest(problem__expert_ids=True, problem__groups=5))
    raw["arguments"].insert(
        3, {"name": "expert_ids", "kind": "pointer", "dtype": "i32", "align": 4}
    )
    return without_shapes(json.dumps(raw))


ROW_SCALE = {"name": "row_scale", "kind": "pointer", "dtype": "f32", "align": 4,
             "shape": ["rows"], "provider": "caller"}  # fmt: skip
"""An optional operand that this package has never heard of."""


def artifact(text: str | None = None, cubin: bytes | None = None) -> Artifact:
    return Artifact(Manifest.parse(text or manifest()), PTX, cubin, "the artifact")


class FakeDriver:
    """The calls that the launcher makes, with one device of two by default sm_90."""

    ERROR = 0xE000

    def __init__(self, chip: tuple[int, int] = (9, 0), fail: dict[str, int] | None = None) -> None:
        names = ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT")
        names += ("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN", "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR")
        self.CUdevice_attribute = SimpleNamespace(**{f"CU_DEVICE_ATTRIBUTE_{n}": n for n in names})
        self.CUfunction_attribute = SimpleNamespace(
            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES="shared",
            CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT="carveout",
        )
        self.CUlaunchAttributeID = SimpleNamespace(
            CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION="programmatic"
        )
        self.CUlaunchConfig, self.CUstream = SimpleNamespace, int
        self.CUlaunchAttribute = lambda: SimpleNamespace(value=SimpleNamespace())
        self.CUpointer_attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL="ordinal")
        self.facts = dict(zip(names, (*chip, 132, 232448, 233472), strict=True))
        self.fail = fail or {}
        self.calls: list[tuple[Any, ...]] = []
        self.launches: list[dict[str, Any]] = []
        self.contexts: list[int] = []
        self.word = 0
        self.cubin_fits = True

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append((name, *arguments))
            if name in self.fail:
                return (self.fail[name],)
            return getattr(self, f"_{name}", lambda *_: (0,))(*arguments)

        return call

    def names(self) -> list[str]:
        return [c[0] for c in self.calls]

    def _cuGetErrorString(self, code: int) -> tuple[int, bytes]:
        return 0, b"a text of the driver"

    def _cuDeviceGetCount(self) -> tuple[int, int]:
        return 0, 2

    def _cuDeviceGet(self, device: int) -> tuple[int, int]:
        return 0, device

    def _cuDeviceGetAttribute(self, attribute: str, device: int) -> tuple[int, int]:
        return 0, self.facts[attribute]

    def _cuDevicePrimaryCtxRetain(self, device: int) -> tuple[int, int]:
        return 0, 100 + device

    def _cuCtxPushCurrent(self, context: int) -> tuple[int]:
        self.contexts.append(context)
        return (0,)

    def _cuCtxPopCurrent(self) -> tuple[int, int]:
        return 0, self.contexts.pop()

    def _cuCtxGetCurrent(self) -> tuple[int, int]:
        return 0, self.contexts[-1] if self.contexts else 0

    def _cuModuleLoadData(self, image: bytes) -> tuple[int, ...]:
        if image.startswith(b"\x7fELF") and not self.cubin_fits:
            return (209,)
        return 0, 7

    def _cuModuleGetFunction(self, module: int, name: bytes) -> tuple[int, bytes]:
        return 0, name

    def _cuMemAlloc(self, size: int) -> tuple[int, int]:
        return 0, self.ERROR

    def _cuPointerGetAttribute(self, kind: str, pointer: int) -> tuple[int, int]:
        return 0, 0

    def _cuMemcpyDtoH(self, target: int, source: int, size: int) -> tuple[int]:
        assert source == self.ERROR
        ctypes.c_int32.from_address(target).value = self.word
        return (0,)

    def _cuMemsetD32(self, pointer: int, value: int, count: int) -> tuple[int]:
        assert (pointer, value, count) == (self.ERROR, 0, 1)
        self.word = 0
        return (0,)

    def _cuLaunchKernelEx(self, c: Any, function: Any, parameters: int, extra: int) -> tuple[int]:
        assert self.contexts, "a context is current"
        assert [(a.id, vars(a.value)) for a in c.attrs] == [
            ("programmatic", {"programmaticStreamSerializationAllowed": 1})
        ]
        grid, block = (c.gridDimX, c.gridDimY, c.gridDimZ), (c.blockDimX, c.blockDimY, c.blockDimZ)
        count = len(json.loads(function_manifest[0])["arguments"])
        pointers = (ctypes.c_void_p * count).from_address(parameters)
        values = [ctypes.c_uint64.from_address(p).value for p in pointers]
        launch = {"grid": grid, "block": block, "shared": c.sharedMemBytes, "stream": c.hStream}
        self.launches.append({**launch, "values": values, "extra": extra, "function": function})
        return (0,)


function_manifest = [json.dumps(MANIFEST)]


class Tensor:
    """A device tensor by ``__cuda_array_interface__``."""

    def __init__(
        self, shape: tuple[int, ...], dtype: str, pointer: int = 0x1000, strides: Any = None
    ) -> None:
        self.shape, self.dtype = shape, {"|u1": "uint8"}.get(dtype, dtype)
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": dtype,
            "data": (pointer, False),
            "strides": strides,
            "version": 3,
        }


class DlTensor:
    """A device tensor by DLPack: a capsule made by hand."""

    def __init__(
        self, shape: tuple[int, ...], code: int, width: int, pointer: int, device: int = 0,
        kind: int = 2, strides: tuple[int, ...] | None = None,
    ) -> None:  # fmt: skip
        from mxfp4.tensors import _DLTensor

        array = ctypes.c_int64 * len(shape)
        self._shape = array(*shape)
        self._strides = array(*strides) if strides else None
        pointer_type = ctypes.POINTER(ctypes.c_int64)
        self._tensor = _DLTensor(
            pointer - 16, kind, device, len(shape), code, width, 1,
            ctypes.cast(self._shape, pointer_type),
            ctypes.cast(self._strides, pointer_type) if strides else None,
            16,
        )  # fmt: skip

    no_stream: int | None = -1

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._tensor.device_type, self._tensor.device_id

    def __dlpack__(self, stream: int | None = None) -> Any:
        assert stream == self.no_stream, "the producer must not synchronise"
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
        )
        return new(ctypes.addressof(self._tensor), b"dltensor", None)


class JaxTensor(DlTensor):
    """JAX takes -1 for the handle of a stream, which the driver refuses."""

    no_stream = None


JaxTensor.__module__ = "jaxlib._jax"


def packed(layout: Layout | None = None, experts: int = 3, n: int = 70) -> PackedWeights:
    data = Tensor((experts, -(-n // 64), 2, 2176), "|u1", 0x2000)
    return PackedWeights(data, n, 96, layout or Layout(), Proof(100, 120, False))


def arguments(rows: int = 9) -> dict[str, Any]:
    return {
        "x": Tensor((rows, 96), "<V2", 0x1000),
        "weights": packed(),
        "offsets": Tensor((4,), "<i4", 0x3000),
        "out": Tensor((rows, 70), "<V2", 0x4000),
        "stream": 77,
    }
