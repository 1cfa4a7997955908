//===- PtxPasses.td - Out of the dialect -------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Out of the dialect: level "PTX". The order of definitions is the order of
// docs/Passes.md.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PTX_PASSES
#define MXFP4_TRANSFORMS_PTX_PASSES

include "mlir/Pass/PassBase.td"

def LowerToNVVM : Pass<"mxfp4-lower-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Kernels to the NVVM dialect";
  let description = [{
    Converts everything in a `gpu.module`: fragments and tiles to `ldmatrix`,
    `mma.sync` or `wgmma`, `cp.async` or bulk copies, and plain loads and stores,
    control flow to branches, kernels to `llvm.func`. Memrefs become bare pointers: kernels take
    contiguous buffers whose only dynamic size is the first, and the launch
    contract (the manifest of the artifact) is one pointer for each. Accumulators
    become arrays of sums, and in tiles of at least 96 tokens with 8-bit numbers
    blocks hand them on sum by sum, which takes LLVM a tenth less time for the same
    instructions.

    Preconditions: no `mxfp4.tile_matmul` and no `mxfp4.decode` left; kernels of
    whole warps, without private attributions.
  }];
  let dependentDialects = [
    "::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect"
  ];
}

def OnKernels : Pass<"mxfp4-on-kernels"> {
  let summary = "Run passes on the kernels of this dialect alone";
  let description = [{
    Runs a pipeline on each `gpu.module` that `mxfp4-tile` has made, however deeply
    it is nested; the attribute `mxfp4.kernels` marks these modules. Passes that change any code,
    such as `canonicalize`, or that lower code by rules which hold for our kernels
    alone, such as `mxfp4-lower-to-nvvm`, then leave the kernels and the host code
    of other stacks alone.

    Example: `mxfp4-on-kernels{pipeline=canonicalize,cse}`.
  }];
  let constructor = "::mxfp4::createOnKernels()";
  let options = [
    Option<"pipeline", "pipeline", "std::string", "\"\"",
           "Passes to run on gpu.module">
  ];
}

def Serialize : Pass<"mxfp4-serialize"> {
  let summary = "Kernels of this dialect to PTX or a cubin";
  let description = [{
    Turns each `gpu.module` that carries `mxfp4.kernels` into a `gpu.binary` for
    one chip, which carries `mxfp4.compiled`. With `format=none` the module stays as
    it is, in the NVVM dialect, and is marked `mxfp4.compiled`: from then on it
    belongs to the user, and passes of this dialect leave it alone.

    Every other `gpu.module` stays as it is; `gpu-module-to-binary` serialises it
    by its own target attributes, before or afterwards.

    Preconditions: kernels as `mxfp4-lower-to-nvvm` leaves them, with names that
    are identifiers of PTX. Options that LLVM cannot take are refused before any
    pass of the pipeline runs.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_90a\"", "Target">,
    Option<"ptxVersion", "ptx-version", "int", "0",
           "PTX version, 80 for 8.0 (0: the target's default)">,
    Option<"optLevel", "opt-level", "int", "2",
           "LLVM optimisation level, 0 to 3">,
    Option<"format", "format", "std::string", "\"isa\"",
           "What the gpu.binary holds: isa (PTX), bin (cubin, needs ptxas), or "
           "none to stop at the NVVM dialect">
  ];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect"
  ];
}

#endif // MXFP4_TRANSFORMS_PTX_PASSES
