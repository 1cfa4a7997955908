//===- RaggedLoop.h - A matmul as a loop over experts -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_RAGGEDLOOP_H
#define MXFP4_LIB_TRANSFORMS_RAGGEDLOOP_H

#include "Raise.h"

#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

/// What a loop over experts is made of.
struct RaggedLoop {
  int64_t experts = 0;
  /// R x K, and per expert.
  mlir::Value activations, codes, scales;
  /// Rows of the activations, for each row; or null.
  mlir::Value gather;
  /// The matmul in the loop, and what its epilogue's operands are slices of.
  GroupedMatmulOp matmul;
  llvm::SmallVector<mlir::Value> epilogueOperands;
  /// First rows of the experts and the end, or numbers of rows; one is null.
  mlir::Value offsets, sizes;
  /// Number of the loop's result that is the output.
  unsigned output = 0;

  /// What has a row for each row of the output.
  mlir::Value rowSource() const { return gather ? gather : activations; }
};

mlir::FailureOr<RaggedLoop> findRaggedLoop(mlir::scf::ForOp op, Miss *why);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_RAGGEDLOOP_H
