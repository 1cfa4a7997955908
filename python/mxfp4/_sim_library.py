# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``libmxfp4-sim.so``, the PTX interpreter's C interface (mxfp4-c/Sim.h), for ctypes."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from functools import cache

from . import library
from ._threads import stop_with

API_VERSION = 1


class TensorMap(ctypes.Structure):
    """``Mxfp4SimTensorMap`` of mxfp4-c/Sim.h."""

    _fields_ = (
        ("base", c_uint64),
        ("rank", c_uint32),
        ("element_bytes", c_uint32),
        ("dims", c_uint64 * 5),
        ("strides", c_uint64 * 4),
        ("box", c_uint32 * 5),
        ("element_strides", c_uint32 * 5),
        ("swizzle", c_uint32),
        ("fill_nan", c_uint32),
    )


_SIGNATURES: dict[str, library.Signature] = {
    "ApiVersion": (c_int, []),
    "Parse": (c_void_p, [c_char_p, c_size_t, c_char_p]),
    "ModuleDestroy": (None, [c_void_p]),
    "ModuleOk": (c_int, [c_void_p]),
    "ModuleErrors": (c_char_p, [c_void_p]),
    "ModuleNumKernels": (c_int, [c_void_p]),
    "ModuleKernel": (c_char_p, [c_void_p, c_int]),
    "ModuleParamsJson": (c_char_p, [c_void_p, c_int]),
    "LaunchCreate": (c_void_p, [c_void_p, c_char_p]),
    "LaunchDestroy": (None, [c_void_p]),
    "LaunchGrid": (None, [c_void_p, c_uint32, c_uint32, c_uint32]),
    "LaunchBlock": (None, [c_void_p, c_uint32, c_uint32, c_uint32]),
    "LaunchCluster": (None, [c_void_p, c_uint32, c_uint32, c_uint32]),
    "LaunchShared": (None, [c_void_p, c_uint32]),
    "Option": (c_int, [c_void_p, c_char_p, c_uint64]),
    "StreamCreate": (c_void_p, []),
    "StreamDestroy": (None, [c_void_p]),
    "StreamForget": (None, [c_void_p, c_uint64, c_size_t]),
    "LaunchStream": (None, [c_void_p, c_void_p]),
    "AddBufferAt": (c_int, [c_void_p, c_void_p, c_size_t, c_int, c_int, c_char_p, c_uint64]),
    "InitialisedBits": (c_void_p, [c_void_p, c_int]),
    "ArgBytes": (None, [c_void_p, c_void_p, c_size_t]),
    "EncodeTensorMap": (c_char_p, [c_void_p, POINTER(TensorMap), POINTER(c_uint8)]),
    "Run": (c_int, [c_void_p]),
    "Stop": (None, [c_int]),
    "Diagnostics": (c_char_p, [c_void_p]),
    "DiagnosticsJson": (c_char_p, [c_void_p]),
    "StatsJson": (c_char_p, [c_void_p]),
    "Report": (c_char_p, [c_void_p]),
}


@cache
def load_interpreter() -> ctypes.CDLL:
    """``libmxfp4-sim.so`` with its functions declared.

    Raises:
        Error: if it is not found, cannot be loaded, or is of another version.
    """
    what = "the PTX interpreter"
    signatures = {f"mxfp4Sim{name}": of for name, of in _SIGNATURES.items()}
    path = library.locate(library.INTERPRETER, what)
    found = library.declare(path, what, signatures, ("mxfp4SimApiVersion", API_VERSION))
    stop_with(found.mxfp4SimStop)
    return found
