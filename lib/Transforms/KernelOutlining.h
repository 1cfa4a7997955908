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

/// When the next kernel of the stream may start its own prologue, if it is
/// launched so: with this kernel, or when the kernels ahead of this one have
/// ended.
enum class NextLaunch { AtOnce, BehindWait };

/// griddepcontrol: lets the next kernel start, and waits for the kernels ahead,
/// because this kernel reads nothing before those have ended.
void emitGridDependency(mlir::ImplicitLocOpBuilder &b,
                        NextLaunch next = NextLaunch::AtOnce);

/// Launches a kernel of `threads` threads per CTA in front of the insertion
/// point.
void emitLaunch(mlir::ImplicitLocOpBuilder &b, mlir::gpu::GPUFuncOp kernel,
                mlir::gpu::KernelDim3 grid, int64_t threads,
                int64_t sharedBytes, mlir::ValueRange arguments);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_KERNELOUTLINING_H
