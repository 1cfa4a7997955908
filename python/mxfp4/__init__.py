# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MoE layers and grouped GEMMs with MXFP4 weights, and activations in bf16 or FP8.

Importing the package is cheap: everything below is loaded on first use, so neither numpy nor
torch nor the CUDA driver is touched by ``import mxfp4``.

==================  =============================================================================
``formats``         MXFP4 numbers: decode, dequantize, quantize (numpy, independent reference)
``reference``       the grouped matmul in float64 and the error bound that kernels must meet
``layout``          the packed (fragment-major) weight layout: pack and unpack
``weights``         ``PackedWeights``: packed bytes, their layout and proof; save and load
``packing``         ``pack`` and ``unpack``, one expert at a time
``packed_file``     packed weights in safetensors files, expert by expert
``packed_checkpoint``  all packed tensors of a checkpoint in a folder
``checkpoint``      reader of gpt-oss style safetensors
``artifact``        compiled kernels on disk: PTX, cubin, manifest
``problem``         what a kernel is compiled for, as a value and in words
``compile``         the compiler, through its C ABI
``module``          modules of MLIR: pipelines, each pass watched, bytecode
``explain``         a page that shows how a kernel came about
``runtime``         launcher over the CUDA driver
``kernels``         which kernel a call runs; kernels compiled ahead of time
``ops``             ``grouped_matmul``, one call for GPU tensors and numpy arrays
``simulator``       run a compiled kernel in the PTX interpreter, and report its hazards
``activation``      what is between the matmuls of an expert
``layer_spec``      a mixture-of-experts layer as a value, in JSON, and as MLIR
``layer_steps``     which kernels a call of it runs
``layer_kernels``   its kernels: compiled, saved, chosen for a call
``layer``           a layer on a GPU, launched by one call
``layer_reference`` what a layer means, in numpy
``layer_simulator`` a layer's kernels in the PTX interpreter
``torch_layer``     the operators ``torch.ops.mxfp4.moe`` and ``moe_with_routing``
``torch_op``        the operator ``torch.ops.mxfp4.grouped_matmul``; ``GroupedLinear``
``integrations``    models of other libraries on our kernels
==================  =============================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import Error

if TYPE_CHECKING:
    from .artifact import Artifact
    from .checkpoint import Checkpoint
    from .compile import Compiler, compile_artifact
    from .formats import Quantized, dequantize, quantize
    from .kernels import prepare
    from .layout import Layout
    from .ops import grouped_matmul
    from .packing import pack, unpack
    from .problem import Problem
    from .runtime import Kernel
    from .simulator import Simulation, simulate
    from .torch_op import GroupedLinear
    from .weights import PackedWeights, Proof

__version__ = "0.1.0"

_LAZY = {
    "Artifact": "artifact",
    "Checkpoint": "checkpoint",
    "Compiler": "compile",
    "GroupedLinear": "torch_op",
    "Kernel": "runtime",
    "Layout": "layout",
    "PackedWeights": "weights",
    "Problem": "problem",
    "Proof": "weights",
    "Quantized": "formats",
    "Simulation": "simulator",
    "compile_artifact": "compile",
    "dequantize": "formats",
    "grouped_matmul": "ops",
    "pack": "packing",
    "prepare": "kernels",
    "quantize": "formats",
    "simulate": "simulator",
    "unpack": "packing",
}

_MODULES = frozenset({
    "activation", "artifact", "checkpoint", "compile", "explain", "formats", "integrations",
    "kernels", "layer", "layer_kernels", "layer_reference", "layer_simulator", "layer_spec",
    "layer_steps", "layout", "module", "ops", "packed_checkpoint", "packed_file", "packing",
    "problem", "reference", "runtime", "simulator", "torch_layer", "torch_op", "weights",
})  # fmt: skip

__all__ = [
    "Artifact",
    "Checkpoint",
    "Compiler",
    "Error",
    "GroupedLinear",
    "Kernel",
    "Layout",
    "PackedWeights",
    "Problem",
    "Proof",
    "Quantized",
    "Simulation",
    "compile_artifact",
    "dequantize",
    "grouped_matmul",
    "pack",
    "prepare",
    "quantize",
    "simulate",
    "unpack",
]


def __getattr__(name: str) -> Any:
    """Load a public name or module on first use (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'mxfp4' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_MODULES})
