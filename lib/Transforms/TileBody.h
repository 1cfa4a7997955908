//===- TileBody.h - What a kernel does with a tile --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Copies of a step, the multiplication, and the store of the sums.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TILEBODY_H
#define MXFP4_LIB_TRANSFORMS_TILEBODY_H

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// What the body of a kernel is built from.
struct TileKernel {
  GroupedMatmulOp op;
  mlir::gpu::GPUFuncOp function;
  /// Arguments; null where the operation has no such operand.
  mlir::Value activations, weights, offsets, expertIds, output, error, rows;
  /// The CTA's first tile, and the number of CTAs.
  mlir::Value first, ctas;

  mlir::Value argument(llvm::StringRef name) const {
    return findArgument(function, name);
  }
  BlockLayout layout() { return op.getBlockType().getLayout(); }
};

/// The body of a loop over tiles, at the builder's place.
void buildTile(mlir::ImplicitLocOpBuilder &b, const TileKernel &kernel,
               ForTilesOp tile, const Schedule &schedule);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TILEBODY_H
