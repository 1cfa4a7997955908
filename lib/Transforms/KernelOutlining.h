//===- KernelOutlining.h - Operations of the host to kernels ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A gpu.module with an empty kernel for an operation, and the launch that takes
// the operation's place: the same for every operation of ours.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_KERNELOUTLINING_H
#define MXFP4_TRANSFORMS_KERNELOUTLINING_H

#include "mxfp4/IR/KernelSignature.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// What keeps an operation of memrefs from being outlined, as the rest of a
/// sentence; empty if nothing does.
std::string unmetForOutlining(mlir::Operation *op);

/// A kernel with an empty body, in a gpu.module of its own that is marked as
/// ours and is named after the function that the operation is in.
mlir::gpu::GPUFuncOp outlineKernel(mlir::Operation *op,
                                   llvm::ArrayRef<KernelArgument> signature,
                                   int64_t threads,
                                   int64_t ctasPerMultiprocessor);

/// griddepcontrol: waits for the kernels ahead, and lets the next kernel start.
/// In this order, all kernels but the one ahead have ended when a kernel
/// starts: what those have written it may read before it waits itself.
void emitGridDependency(mlir::ImplicitLocOpBuilder &b);

/// Launches a kernel of `threads` threads per CTA in front of the insertion
/// point.
void emitLaunch(mlir::ImplicitLocOpBuilder &b, mlir::gpu::GPUFuncOp kernel,
                mlir::gpu::KernelDim3 grid, int64_t threads,
                int64_t sharedBytes, mlir::ValueRange arguments);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_KERNELOUTLINING_H
