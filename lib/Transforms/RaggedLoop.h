//===- RaggedLoop.h - A matmul as a loop over experts -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_RAGGEDLOOP_H
#define MXFP4_LIB_TRANSFORMS_RAGGEDLOOP_H

#include "Raise.h"

namespace mxfp4 {

/// What a loop over experts is made of.
struct RaggedLoop {
  int64_t experts = 0;
  /// R x K, and per expert.
  mlir::Value activations, codes, scales;
  /// First rows of the experts and the end, or numbers of rows; one is null.
  mlir::Value offsets, sizes;
  /// Number of the loop's result that is the output.
  unsigned output = 0;
};

mlir::FailureOr<RaggedLoop> findRaggedLoop(mlir::scf::ForOp op, Miss *why);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_RAGGEDLOOP_H
