# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiler's C ABI (``libmxfp4.so``), as declared in its header, through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Mapping
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_uint8, c_void_p
from functools import cache
from pathlib import Path

from ._linked import linked
from ._signals import uninterrupted
from ._threads import calls_python
from .errors import Error

ABI_VERSION = 1
FILE = "libmxfp4.so"
INTERPRETER = "libmxfp4-sim.so"
RUNTIME = "libmxfp4rt.so"
_CHOICE = {
    FILE: "MXFP4_LIBRARY",
    INTERPRETER: "MXFP4_SIM_LIBRARY",
    RUNTIME: "MXFP4_RUNTIME_LIBRARY",
}

DiagnosticFn = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)
"""void(int severity, const char *message, void *user); severity 0 note, 1 warning, 2 error."""

KernelFn = ctypes.CFUNCTYPE(None, c_char_p, c_char_p, c_void_p)
"""void(const char *name, const char *ptx, void *user)."""
TraceFn = ctypes.CFUNCTYPE(None, c_char_p, c_char_p, c_char_p, c_void_p)
"""void(const char *pass, const char *summary, const char *mlir, void *user)."""

Signature = tuple[object, list[object]]
"""What a function returns and takes, for ctypes."""

_BYTES = POINTER(c_uint8)
_INTS = POINTER(c_int32)

# name: (result, arguments). Strings that the caller must free are c_void_p.
_SIGNATURES: dict[str, Signature] = {
    "mxfp4_abi_version": (c_int, []),
    "mxfp4_compiler_create": (c_void_p, [DiagnosticFn, c_void_p]),
    "mxfp4_compiler_destroy": (None, [c_void_p]),
    "mxfp4_problem_to_mlir": (c_void_p, [c_void_p, c_char_p]),
    "mxfp4_string_free": (None, [c_void_p]),
    "mxfp4_version": (c_char_p, []),
    "mxfp4_parse": (c_void_p, [c_void_p, c_char_p, c_size_t]),
    "mxfp4_module_destroy": (None, [c_void_p]),
    "mxfp4_module_to_mlir": (c_void_p, [c_void_p]),
    "mxfp4_module_to_bytecode": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "mxfp4_module_run": (c_int, [c_void_p, c_char_p]),
    "mxfp4_module_trace": (c_int, [c_void_p, c_char_p, TraceFn, c_void_p]),
    "mxfp4_module_kernels": (None, [c_void_p, KernelFn, c_void_p]),
    "mxfp4_module_describe": (c_void_p, [c_void_p, c_char_p]),
    "mxfp4_problem_fields": (c_void_p, []),
    "mxfp4_devices": (c_void_p, []),
    "mxfp4_device_words": (c_void_p, [c_char_p, c_int, c_int, c_int, c_int]),
    "mxfp4_assemble": (c_void_p, [c_void_p, c_char_p, c_char_p, c_char_p]),
    "mxfp4_compile": (c_void_p, [c_void_p, c_char_p, c_char_p]),
    "mxfp4_artifact_ptx": (c_char_p, [c_void_p]),
    "mxfp4_artifact_manifest": (c_char_p, [c_void_p]),
    "mxfp4_artifact_cubin": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "mxfp4_artifact_destroy": (None, [c_void_p]),
    "mxfp4_jit": (c_void_p, [c_void_p, c_char_p]),
    "mxfp4_cpu_run": (c_int, [c_void_p, c_void_p, c_int64, c_void_p, _INTS, _INTS, c_void_p]),
    "mxfp4_cpu_destroy": (None, [c_void_p]),
    "mxfp4_pack": (c_int, [_BYTES, _BYTES, c_int64, c_int64, c_char_p, c_char_p, _BYTES]),
    "mxfp4_take_row_powers": (
        c_int,
        [_BYTES, _BYTES, c_int64, c_int64, _BYTES, POINTER(c_float), POINTER(c_int64)],
    ),
    "mxfp4_unpack": (c_int, [_BYTES, c_int64, c_int64, c_char_p, c_char_p, _BYTES, _BYTES]),
}


_CALLING = (
    "mxfp4_problem_to_mlir", "mxfp4_parse", "mxfp4_module_to_bytecode", "mxfp4_module_run",
    "mxfp4_module_trace", "mxfp4_module_kernels", "mxfp4_module_describe", "mxfp4_assemble",
    "mxfp4_compile", "mxfp4_jit",
)  # fmt: skip
"""Functions that call Python, with diagnostics or with what they find."""


def candidates(file: str = FILE) -> list[Path]:
    """Where a library is looked for, in order.

    The environment variable MXFP4_LIBRARY, MXFP4_SIM_LIBRARY for the PTX interpreter, or
    MXFP4_RUNTIME_LIBRARY for the launcher (a file; nothing else is tried then), the folder of
    this package, and ``build/lib`` of the source tree that this package is in.
    """
    chosen = os.environ.get(_CHOICE[file])
    if chosen:
        return [Path(chosen)]
    package = Path(__file__).resolve().parent
    places = [package / file, package / "lib" / file]
    return [*places, package.parents[1] / "build" / "lib" / file]


def find() -> Path | None:
    """The library's file, or None."""
    return next((p for p in candidates() if p.is_file()), None)


def how_to_have(file: str = FILE) -> str:
    """What to do where a library is missing: a sentence."""
    chosen = os.environ.get(_CHOICE[file])
    if chosen and not Path(chosen).is_file():
        return f"{_CHOICE[file]} names {chosen}, which is no file: correct or unset it."
    return f"Build it (cmake --build), or set {_CHOICE[file]} to its path."


def find_interpreter() -> Path | None:
    """The PTX interpreter's file, or None; `simulator` needs it, and nothing else does."""
    return next((p for p in candidates(INTERPRETER) if p.is_file()), None)


def find_runtime() -> Path | None:
    """The launcher's file, or None; whatever launches a kernel needs it."""
    return next((p for p in candidates(RUNTIME) if p.is_file()), None)


def identity() -> str:
    """What compiles, or an empty string if nothing does.

    A digest of the library's file, with size and time of the libraries of LLVM and MLIR that it is
    linked with, because an update of these may make other kernels.
    """
    path = find()
    if path is None:
        return ""
    stamp = path.stat()
    own = _digest(path, stamp.st_size, stamp.st_mtime_ns)
    others = [(file.name, file.stat()) for file in linked(path)]
    return " ".join([own, *(f"{name}:{s.st_size}:{s.st_mtime_ns}" for name, s in others)])


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def encoded(text: str, what: str) -> bytes:
    """A text for a function of C.

    Raises:
        Error: if it holds a NUL, where it would end for C.
    """
    if "\0" in text:
        raise Error(f"{what} must not hold a NUL character, got one at {text.index(chr(0))}.")
    return text.encode()


def locate(file: str, what: str) -> Path:
    """A library's file.

    Args:
        file: its name, one of `FILE`, `INTERPRETER`, `RUNTIME`.
        what: for messages.

    Raises:
        Error: if there is none.
    """
    places = candidates(file)
    found = next((p for p in places if p.is_file()), None)
    if found is None:
        looked = ", ".join(map(str, places))
        raise Error(f"{what} was not found; looked for {looked}. {how_to_have(file)}")
    return found


def declare(
    path: Path, what: str, signatures: Mapping[str, Signature], version: tuple[str, int]
) -> ctypes.CDLL:
    """Load a library and declare its functions.

    Args:
        path: its file.
        what: for messages.
        signatures: of all functions, by their whole names.
        version: the function that gives the version of its interface, and the one wanted.

    Raises:
        Error: if it cannot be loaded, lacks a function, or is of another version.
    """
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as e:
        advice = "."
        if "libMLIR" in str(e) or "libLLVM" in str(e):
            advice = (
                "; it needs LLVM's and MLIR's shared libraries, version 22.1: install Debian's "
                "libmlir-22, or name their folder in LD_LIBRARY_PATH. Kernels that were compiled "
                "ahead of time run without."
            )
        raise Error(f"{path} could not be loaded as {what}: {e}{advice}") from e
    asked, wanted = version
    found = getattr(library, asked)()
    if found != wanted:
        raise Error(f"{path} has ABI version {found}; this package needs {wanted}.")
    return library


def load() -> ctypes.CDLL:
    """The library, with its functions declared.

    Raises:
        Error: if it is not found, cannot be loaded, or is of another ABI version.
    """
    return _load(locate(FILE, "the mxfp4 compiler library"))


def take_string(pointer: int) -> str:
    """Text that a function of the library returned to its caller; frees it."""
    try:
        return ctypes.string_at(pointer).decode()
    finally:
        load().mxfp4_string_free(pointer)


@cache
def _load(path: Path) -> ctypes.CDLL:
    found = declare(path, "the mxfp4 compiler", _SIGNATURES, ("mxfp4_abi_version", ABI_VERSION))
    for name in _CALLING:
        function = calls_python(getattr(found, name), keeps_forks=True)
        setattr(found, name, uninterrupted(function))
    return found
