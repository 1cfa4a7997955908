//===- KernelBuilding.h - What passes build kernels from --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Constants, buffers in shared memory and values that are the same in all
// lanes: the small pieces that several passes on kernels emit.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_KERNELBUILDING_H
#define MXFP4_TRANSFORMS_KERNELBUILDING_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// The only operation of a type inside of another one, at any depth; null if
/// there is none, or if there are several.
template <typename Op> Op onlyIn(mlir::Operation *root) {
  llvm::SmallVector<Op> ops;
  root->walk([&](Op op) { ops.push_back(op); });
  return ops.size() == 1 ? ops.front() : Op();
}

/// Constants of type index and i32.
mlir::Value indexConstant(mlir::ImplicitLocOpBuilder &b, int64_t value);
mlir::Value i32Constant(mlir::ImplicitLocOpBuilder &b, int64_t value);

/// The type of a contiguous buffer in shared memory, and a region of the CTA's
/// dynamic shared memory as such a buffer.
mlir::MemRefType sharedType(mlir::ArrayRef<int64_t> shape, mlir::Type element);
mlir::Value sharedBuffer(mlir::ImplicitLocOpBuilder &b,
                         mlir::ArrayRef<int64_t> shape, mlir::Type element,
                         int64_t offset);

/// The k64 steps that each K slice multiplies.
llvm::SmallVector<int64_t> sliceCounts(const Schedule &schedule, int64_t steps);

/// One of a few numbers, one for each K slice.
mlir::Value ofSlice(mlir::ImplicitLocOpBuilder &b, mlir::Value slice,
                    mlir::ArrayRef<int64_t> numbers);

/// The cursor behind a loop whose K slices have a ring, from the one in front
/// of it: ptxas would take what several loops hand on for different in each
/// lane.
mlir::Value skipSteps(mlir::ImplicitLocOpBuilder &b, KLoopOp loop);

/// A number (index, 32 bits of it used) that is the same in all lanes, made
/// known to be: wgmma must not stand in a branch that could diverge.
mlir::Value makeUniform(mlir::ImplicitLocOpBuilder &b, mlir::Value number);

/// Clones the body of a region of one block with these arguments. Returns what
/// the region yields.
llvm::SmallVector<mlir::Value> inlineRegion(mlir::ImplicitLocOpBuilder &b,
                                            mlir::Region &region,
                                            mlir::ValueRange arguments);

/// The same for a part of a mxfp4.block_matmul that uses the decoded buffer of
/// this number (0 or 1).
llvm::SmallVector<mlir::Value> inlinePart(mlir::ImplicitLocOpBuilder &b,
                                          mlir::Region &part,
                                          mlir::ValueRange arguments,
                                          int64_t buffer);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_KERNELBUILDING_H
