# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Artifacts and the launcher, with a driver made of Python: no GPU is needed.

The fake driver keeps the launcher honest about order and arguments: it records every call, and
reads the kernel parameters through the same pointers that the real one would.
"""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mxfp4 import Artifact, Error, Kernel, Layout, PackedWeights, Proof
from mxfp4.artifact import Manifest, load_all

MANIFEST: dict[str, Any] = {
    "format": "mxfp4-artifact",
    "version": 1,
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
    "schedule": {"instruction": "mma_sync", "placement": "register"},
    "launch": {
        "block": [128, 1, 1],
        "cluster": [1, 1, 1],
        "dynamic_shared_bytes": 65536,
        "grid": {"rule": "persistent", "ctas_per_sm": 2},
    },
    "arguments": [
        {"name": "x", "kind": "pointer", "dtype": "bf16", "align": 16},
        {"name": "weights", "kind": "pointer", "dtype": "u8", "align": 16},
        {"name": "offsets", "kind": "pointer", "dtype": "i32", "align": 4},
        {"name": "y", "kind": "pointer", "dtype": "bf16", "align": 4},
        {"name": "error", "kind": "pointer", "dtype": "i32", "align": 4},
        {"name": "rows", "kind": "i32"},
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


def with_ids() -> str:
    raw = json.loads(manifest(problem__expert_ids=True, problem__groups=5))
    raw["arguments"].insert(
        3, {"name": "expert_ids", "kind": "pointer", "dtype": "i32", "align": 4}
    )
    return json.dumps(raw)


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

    def _cuLaunchKernel(self, *a: Any) -> tuple[int]:
        function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra = a
        assert self.contexts, "a context is current"
        count = len(json.loads(function_manifest[0])["arguments"])
        pointers = (ctypes.c_void_p * count).from_address(parameters)
        values = [ctypes.c_uint64.from_address(p).value for p in pointers]
        launch = {"grid": (gx, gy, gz), "block": (bx, by, bz), "shared": shared, "stream": stream}
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

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._tensor.device_type, self._tensor.device_id

    def __dlpack__(self, stream: int | None = None) -> Any:
        assert stream == -1, "the producer must not synchronise"
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = (
            ctypes.py_object,
            [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
        )
        return new(ctypes.addressof(self._tensor), b"dltensor", None)


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


@pytest.fixture
def driver() -> FakeDriver:
    function_manifest[0] = manifest()
    return FakeDriver()


def test_a_launch_passes_everything_in_order(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    assert ("cuFuncSetAttribute", b"mxfp4_grouped_matmul", "shared", 65536) in driver.calls
    assert ("cuFuncSetAttribute", b"mxfp4_grouped_matmul", "carveout", 58) in driver.calls
    before = len(driver.calls)
    given = arguments()
    assert kernel(**given) is given["out"]
    (launch,) = driver.launches
    assert launch["values"] == [0x1000, 0x2000, 0x3000, 0x4000, driver.ERROR, 9]
    assert launch["grid"] == (264, 1, 1)
    assert launch["block"] == (128, 1, 1)
    assert (launch["shared"], launch["stream"]) == (65536, 77)
    assert not driver.contexts
    per_call = driver.names()[before:]
    assert not any("Sync" in n or "Alloc" in n or "Mem" in n for n in per_call), per_call


def test_no_rows_launch_nothing(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    kernel(**arguments(rows=0))
    assert driver.launches == []


def test_expert_ids_are_passed_when_the_kernel_takes_them(driver: FakeDriver) -> None:
    function_manifest[0] = with_ids()
    kernel = Kernel.load(artifact(with_ids()), driver=driver)
    given = arguments()
    given["offsets"] = Tensor((6,), "<i4", 0x3000)
    with pytest.raises(Error, match="takes a list of expert ids"):
        kernel(**given)
    kernel(**given, expert_ids=Tensor((5,), "<i4", 0x5000))
    assert driver.launches[0]["values"][3] == 0x5000
    with pytest.raises(Error, match=r"expert_ids must have shape \[5\], got \[3\]"):
        kernel(**given, expert_ids=Tensor((3,), "<i4", 0x5000))


def test_dlpack_tensors(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    given = arguments()
    given["x"] = DlTensor((9, 96), 4, 16, 0x9000, device=1)
    given["offsets"] = DlTensor((4,), 0, 32, 0xA000, device=1, strides=(1,))
    kernel(**given)
    assert driver.launches[0]["values"][0] == 0x9000
    assert driver.launches[0]["values"][2] == 0xA000
    assert ("cuDevicePrimaryCtxRetain", 1) in driver.calls, "made ready on the tensors' device"
    given["offsets"] = DlTensor((4,), 0, 32, 0xA000, device=0)
    with pytest.raises(Error, match=r"all tensors must be on one device, got x on 1, offsets on 0"):
        kernel(**given)
    given["x"] = DlTensor((9, 96), 4, 16, 0x9000, kind=1)
    with pytest.raises(Error, match=r"x must be on a CUDA device.*DLPack device type 1"):
        kernel(**given)
    given["x"] = DlTensor((9, 96), 4, 16, 0x9000, strides=(192, 1))
    with pytest.raises(Error, match="x must be dense and row-major"):
        kernel(**given)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("x", Tensor((9, 96), "<f4"), "x must be bf16, got f32"),
        ("x", Tensor((9, 64), "<V2"), r"x must have shape \[R, 96\], got \[9, 64\]"),
        ("x", Tensor((96,), "<V2"), r"x must have shape \[R, 96\], got \[96\]"),
        ("x", Tensor((9, 96), "<V2", 0x1008), "x must be aligned to 16 bytes, got address 0x1008"),
        ("x", Tensor((9, 96), "<V2", strides=(384, 2)), "x must be dense and row-major"),
        ("x", np.zeros((9, 96), np.float32), "DLPack device type 1"),
        ("x", [1, 2], "x must be a tensor on a CUDA device .* got list"),
        ("offsets", Tensor((4,), "<i8"), "offsets must be i32, got <i8"),
        ("offsets", Tensor((3,), "<i4"), r"offsets must have shape \[4\], got \[3\]"),
        ("out", Tensor((9, 70), "<f4"), "y must be bf16, got f32"),
        ("out", Tensor((8, 70), "<V2"), r"y must have shape \[9, 70\], got \[8, 70\]"),
        ("out", Tensor((9, 70), "<V2", 0x4002), "y must be aligned to 4 bytes"),
        ("out", None, "pass out=: x is not a torch tensor"),
        ("stream", None, "pass stream=: x is not a torch tensor"),
        ("stream", "main", "stream must be an integer handle or a stream object"),
        ("weights", np.zeros(3), "weights must be PackedWeights, got ndarray"),
        ("weights", packed(Layout("nibble", "raw")),
         r"packed as fragment_major\(order=nibble, scales=raw\), but the kernel reads "
         r"fragment_major\(order=spread, scales=folded\)"),
        ("weights", packed(experts=4), "E, N, K = 3, 70, 96, but the weights have 4, 70, 96"),
        ("weights", packed(n=71), "E, N, K = 3, 70, 96, but the weights have 3, 71, 96"),
        ("expert_ids", Tensor((3,), "<i4"), "takes no expert ids"),
    ],
)  # fmt: skip
def test_misfits_are_refused_before_the_launch(
    driver: FakeDriver, name: str, value: Any, text: str
) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    given = arguments() | {name: value}
    with pytest.raises(Error, match=text):
        kernel(**given)
    assert driver.launches == []


def test_streams_of_other_libraries(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    streams = [
        SimpleNamespace(cuda_stream=5),
        SimpleNamespace(ptr=6),
        SimpleNamespace(__cuda_stream__=lambda: (0, 7)),
    ]
    for stream in streams:
        kernel(**arguments() | {"stream": stream})
    assert [launch["stream"] for launch in driver.launches] == [5, 6, 7]


@pytest.mark.parametrize(
    ("word", "text"),
    [(1, "offsets do not start at 0"), (2, "expert id is outside"), (8, "unknown error 8")],
)
def test_the_error_word_becomes_a_sentence(driver: FakeDriver, word: int, text: str) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    kernel.check()
    driver.word = word
    with pytest.raises(Error, match=text):
        kernel.check()
    kernel.check()  # reading it cleared it
    driver.word = word
    assert kernel.error_word(clear=False) == word
    assert driver.word == word


def test_the_wrong_gpu() -> None:
    with pytest.raises(Error, match="was compiled for sm_90a, but device 0 is sm_80"):
        Kernel.load(artifact(), driver=FakeDriver((8, 0)))
    with pytest.raises(Error, match="device 2 does not exist; this machine has 2"):
        Kernel.load(artifact(), device=2, driver=FakeDriver())
    big = artifact(manifest(launch__dynamic_shared_bytes=300000))
    with pytest.raises(Error, match=r"needs 300000 bytes of shared memory .* has 232448"):
        Kernel.load(big, driver=FakeDriver())


def test_cubin_first_then_ptx(driver: FakeDriver) -> None:
    both = artifact(cubin=b"\x7fELF code")
    Kernel.load(both, driver=driver)
    images = [c[1] for c in driver.calls if c[0] == "cuModuleLoadData"]
    assert images == [b"\x7fELF code"]
    driver.cubin_fits = False
    Kernel.load(both, driver=driver)
    images = [c[1] for c in driver.calls if c[0] == "cuModuleLoadData"]
    assert images[1:] == [b"\x7fELF code", PTX.encode() + b"\0"]


def test_driver_failures_are_sentences() -> None:
    with pytest.raises(Error, match=r"could not be loaded: cuModuleLoadData failed: a text of the"):
        Kernel.load(artifact(), driver=FakeDriver(fail={"cuModuleLoadData": 218}))
    driver = FakeDriver(fail={"cuLaunchKernel": 700})
    kernel = Kernel.load(artifact(), driver=driver)
    with pytest.raises(Error, match=r"cuLaunchKernel failed: .* \(CUDA error 700\)"):
        kernel(**arguments())
    assert not driver.contexts, "the context is put back"


def test_threads_do_not_mix_their_arguments(driver: FakeDriver) -> None:
    kernel = Kernel.load(artifact(), driver=driver)
    driver._cuCtxGetCurrent = lambda: (0, 100)  # type: ignore[method-assign]
    driver.contexts.append(100)

    def work(base: int) -> None:
        for i in range(300):
            given = arguments(rows=base + i)
            given["x"] = Tensor((base + i, 96), "<V2", 16 * (base + i))
            kernel(**given)

    threads = [threading.Thread(target=work, args=(b,)) for b in (1000, 5000)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(driver.launches) == 600
    assert all(v["values"][0] == 16 * v["values"][5] for v in driver.launches)


# ------------------------------------------------------------------------------------ artifacts


def test_artifacts_round_trip(tmp_path: Path) -> None:
    one = artifact(cubin=b"\x7fELF code")
    one.save(tmp_path / "a")
    again = Artifact.load(tmp_path / "a")
    assert dataclasses.replace(again, origin=one.origin) == one
    assert again.manifest.layout == Layout("spread", "folded")
    assert again.manifest.fits_rows(64)
    assert not again.manifest.fits_rows(65)
    artifact().save(tmp_path / "b")
    assert [a.cubin for a in load_all(tmp_path)] == [b"\x7fELF code", None]
    with pytest.raises(Error, match="has no artifacts"):
        load_all(tmp_path / "a")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": "other"}, '"format": "mxfp4-artifact"'),
        ({"version": 2}, "version 1, got 2; compile the kernel again"),
        ({"entry": ...}, '"entry" is missing'),
        ({"problem__k": ...}, '"problem.k" is missing'),
        ({"problem__k": 48}, '"problem.k" must be a multiple of 32, got 48'),
        ({"problem__n": 0}, '"problem.n" must be at least 1, got 0'),
        ({"problem__n": True}, '"problem.n" has a wrong type: true'),
        ({"problem__groups": 4}, "got 4 groups and 3 experts"),
        ({"problem__output": "f16"}, '"problem.output" must be one of'),
        ({"problem__rows_hint": [1]}, "must be two numbers"),
        ({"weights__layout": "checkpoint"}, '"weights.layout" must be one of'),
        ({"weights__order": "zigzag"}, "layout order must be one of"),
        ({"weights__block_bytes": 2048}, '"weights.block_bytes" must be 2176'),
        ({"launch__block": [128, 0, 1]}, "three positive numbers"),
        ({"launch__grid": {"rule": "static", "ctas_per_sm": 1}}, '"launch.grid.rule" must be one'),
        ({"launch__grid": {"rule": "persistent"}}, '"launch.grid.ctas_per_sm" is missing'),
        ({"problem__expert_ids": True}, '"arguments" must be .*expert_ids'),
        ({"arguments": MANIFEST["arguments"][:-1]}, '"arguments" must be'),
        (
            {"arguments": [{"name": "rows", "kind": "pointer"}]},
            'argument "rows" has the wrong kind',
        ),
        ({"arguments": [{"name": "z", "kind": "i32"}]}, '"name" must be one of'),
        (
            {"arguments": [{"name": "x", "kind": "pointer", "dtype": "f32", "align": 4}]},
            '"dtype" must be one of',
        ),
    ],
)
def test_wrong_manifests(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Error, match=text):
        Manifest.parse(manifest(**changes))


def test_broken_artifacts(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with pytest.raises(Error, match=r"is not an artifact: it has no manifest\.json"):
        Artifact.load(folder)
    artifact().save(folder)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(Error, match=r"manifest\.json is not JSON"):
        Artifact.load(folder)
    artifact().save(folder)
    (folder / "kernel.ptx").write_text(".entry other")
    with pytest.raises(Error, match="the PTX has no entry 'mxfp4_grouped_matmul'"):
        Artifact.load(folder)
    (folder / "kernel.ptx").write_bytes(b"\xff\xfe")
    with pytest.raises(Error, match="is damaged"):
        Artifact.load(folder)
    artifact().save(folder)
    (folder / "kernel.cubin").write_bytes(b"not code")
    with pytest.raises(Error, match="the cubin is not an ELF file"):
        Artifact.load(folder)


def test_import_is_quick_and_pulls_in_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys, mxfp4\n"
        "heavy = {'numpy', 'torch', 'cuda', 'tqdm', 'safetensors', 'ml_dtypes'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "assert mxfp4.Layout().order == 'spread'\n"
    )
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"
