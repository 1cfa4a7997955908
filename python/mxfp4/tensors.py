# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the launcher must know of a tensor, from whatever library it comes.

Torch tensors are read through their attributes, all others through DLPack or
``__cuda_array_interface__``. Nothing is copied and nothing is synchronised: ordering is a matter
of the stream that the caller names.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

from .errors import Error

_CUDA, _CUDA_MANAGED = 2, 13  # DLDeviceType
_DLPACK_DTYPES = {
    (0, 32): "i32",
    (0, 64): "i64",
    (1, 8): "u8",
    (2, 16): "f16",
    (2, 32): "f32",
    (4, 16): "bf16",
    (10, 8): "e4m3",
}
# numpy has no bf16 and no FP8 of its own: ml_dtypes' show as opaque bytes.
_INTERFACE_DTYPES = {
    "<V2": "bf16", "|V2": "bf16", "<V1": "e4m3", "|V1": "e4m3", "|u1": "u8", "<i4": "i32",
    "<f2": "f16", "<f4": "f32",
}  # fmt: skip
_TORCH_DTYPES = {
    "torch.bfloat16": "bf16",
    "torch.float8_e4m3fn": "e4m3",
    "torch.float32": "f32",
    "torch.uint8": "u8",
    "torch.int32": "i32",
}


class Buffer(NamedTuple):
    """A tensor on a device.

    ``dtype`` is "bf16", "e4m3", "f32", "u8", "i32", or the library's own name for any other;
    ``device`` is the CUDA ordinal, or None if the protocol does not tell.
    """

    pointer: int
    dtype: str
    shape: tuple[int, ...]
    contiguous: bool
    device: int | None


def is_torch(tensor: Any) -> bool:
    """Whether it is a torch tensor, without importing torch."""
    return type(tensor).__module__.partition(".")[0] == "torch" or hasattr(tensor, "data_ptr")


def is_host(tensor: Any) -> bool:
    """Whether it is a numpy array (memmaps included)."""
    return hasattr(tensor, "__array_interface__")


def torch_device(device: Any) -> Any:
    """A device that torch can use now.

    Raises:
        Error: if torch does not know the name, or sees no such GPU.
    """
    import torch

    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as e:
        raise Error(
            f'expected a torch device such as "cuda", "cuda:1" or "cpu", got {device!r}.'
        ) from e
    count = torch.cuda.device_count() if found.type == "cuda" else 0
    if found.type == "cuda" and (found.index or 0) >= count:
        seen = f"{count} CUDA GPU{'s' if count != 1 else ''}" if count else "no CUDA GPU"
        raise Error(
            f"torch sees {seen}, but the device {str(found)!r} was asked for; `mxfp4 doctor` says "
            'what is missing. On the CPU, where kernels do not run, use "cpu".'
        )
    return found


def describe(tensor: Any, name: str) -> Buffer:
    """Read pointer, dtype, shape and device.

    Raises:
        Error: if the tensor is not on a CUDA device or offers no known protocol.
    """
    if is_torch(tensor):
        device = tensor.device
        if device.type != "cuda":
            raise Error(f"{name} must be on a CUDA device, got a tensor on {device}.")
        dtype = str(tensor.dtype)
        return Buffer(
            tensor.data_ptr(),
            _TORCH_DTYPES.get(dtype, dtype),
            tuple(tensor.shape),
            tensor.is_contiguous(),
            device.index,
        )
    if hasattr(tensor, "__dlpack__") and hasattr(tensor, "__dlpack_device__"):
        kind, device = tensor.__dlpack_device__()
        if int(kind) not in (_CUDA, _CUDA_MANAGED):
            raise Error(
                f"{name} must be on a CUDA device, got a {type(tensor).__name__} elsewhere "
                f"(DLPack device type {int(kind)})."
            )
        return _from_dlpack(_capsule(tensor), int(device), name)
    if hasattr(tensor, "__cuda_array_interface__"):
        return _from_interface(tensor.__cuda_array_interface__)
    raise Error(
        f"{name} must be a tensor on a CUDA device (torch, or with __dlpack__ or "
        f"__cuda_array_interface__), got {type(tensor).__name__}."
    )


def _capsule(tensor: Any) -> Any:
    """A tensor's DLPack capsule, without waiting for whatever still computes it.

    -1 asks for that. JAX takes any number for the handle of a stream, and waits for none where it
    is given none.
    """
    if type(tensor).__module__.partition(".")[0] in ("jax", "jaxlib"):
        return tensor.__dlpack__()
    return tensor.__dlpack__(stream=-1)


def _contiguous(shape: tuple[int, ...], strides: tuple[int, ...] | None, unit: int) -> bool:
    """Whether strides, in multiples of ``unit``, are those of a dense row-major array."""
    if strides is None or 0 in shape:
        return True
    expected = unit
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _from_interface(interface: dict[str, Any]) -> Buffer:
    dtype = str(interface["typestr"])
    shape = tuple(int(s) for s in interface["shape"])
    strides = interface.get("strides")
    dense = _contiguous(shape, None if strides is None else tuple(strides), int(dtype[2:]))
    return Buffer(
        int(interface["data"][0]), _INTERFACE_DTYPES.get(dtype, dtype), shape, dense, None
    )


class _DLTensor(ctypes.Structure):
    """``DLTensor`` of dlpack.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _from_dlpack(capsule: Any, device: int, name: str) -> Buffer:
    """Look into a capsule without consuming it: its own destructor releases it."""
    address = _get_pointer(capsule, b"dltensor")
    if not address:
        raise Error(f"{name}: the DLPack capsule holds no tensor.")
    t = _DLTensor.from_address(address)
    shape = tuple(t.shape[i] for i in range(t.ndim))
    strides = tuple(t.strides[i] for i in range(t.ndim)) if t.strides else None
    known = _DLPACK_DTYPES.get((t.code, t.bits)) if t.lanes == 1 else None
    return Buffer(
        (t.data or 0) + t.byte_offset,
        known or f"DLPack({t.code}, {t.bits}, {t.lanes})",
        shape,
        _contiguous(shape, strides, 1),
        device,
    )


def stream_handle(stream: Any) -> int:
    """The CUstream of a stream: an integer, or an object of torch, CuPy, or cuda.core.

    Raises:
        Error: if it is none of these.
    """
    if isinstance(stream, int):
        return stream
    if hasattr(stream, "__cuda_stream__"):
        protocol = stream.__cuda_stream__
        return int((protocol() if callable(protocol) else protocol)[1])
    for attribute in ("cuda_stream", "ptr"):
        if hasattr(stream, attribute):
            return int(getattr(stream, attribute))
    raise Error(
        "stream must be an integer handle or a stream object (torch, CuPy, cuda.core), got "
        f"{type(stream).__name__}."
    )
