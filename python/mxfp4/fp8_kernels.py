# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels of ``mxfp4.quantize_rows``, which bring activations to FP8 on a GPU."""

from __future__ import annotations

from typing import Any

from . import kernels, library
from .chain import Chain
from .compile import compile_routing_text
from .errors import Error
from .fp8 import quantize_mlir
from .loaded import LoadedKernel


class Quantizer:
    """Rounds rows of K values to FP8 on a device, by addresses: it knows no tensors.

    Args:
        k: K.
        device: CUDA ordinal.
        driver: CUDA's if None; see `LoadedKernel`.

    Raises:
        Error: if no such kernel was compiled ahead of time, and the compiler is not there.
    """

    def __init__(self, k: int, device: int = 0, driver: Any = None) -> None:
        artifact = kernels.quantizer_ahead(k)
        if artifact is None:
            if library.find() is None:
                raise Error(
                    f"there is no kernel that rounds rows of {k} values to FP8, and no compiler to "
                    "make one. Where the compiler is, run mxfp4 compile with a problem of "
                    f"activations=fp8 and k={k}, and name its folder in MXFP4_KERNELS."
                )
            artifact = compile_routing_text(quantize_mlir("quantize", k))
        self.kernel = LoadedKernel(artifact, driver)
        self._chain = Chain([self.kernel], device)
        self._places = [self._chain.place(0, name) for name in ("x", "codes", "scales")]

    def __call__(self, rows: int, x: int, codes: int, scales: int, stream: int) -> None:
        """Launch and return at once.

        Args:
            rows: R.
            x: address of bf16 ``[R, K]``.
            codes: address of E4M3 ``[R, K]``.
            scales: address of f32 ``[R]``.
            stream: a handle.

        Raises:
            Error: if the launch fails.
        """
        values = [0] * self._chain.size
        for place, address in zip(self._places, (x, codes, scales), strict=True):
            values[place] = address
        self._chain.launch([rows], values, stream)


_loaded: dict[tuple[int, int], Quantizer] = {}


def quantizer(k: int, device: int = 0) -> Quantizer:
    """The one of rows of K values on a device, which is loaded when it is first asked for.

    Raises:
        Error: as `Quantizer`; also if it would be loaded while a CUDA graph is captured.
    """
    found = _loaded.get((k, device))
    if found is None:
        if kernels.capturing():
            raise Error(
                f"the kernel that rounds rows of {k} values to FP8 is not loaded, and cannot be "
                "while a CUDA graph is captured. Before the capture, call mxfp4.prepare(weights), "
                "or run once."
            )
        found = _loaded[k, device] = Quantizer(k, device)
    return found
