//===- KeptRows.h - Rows of an init that a result keeps ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_KEPTROWS_H
#define MXFP4_LIB_TRANSFORMS_KEPTROWS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mxfp4 {

/// Whether rows of the result may be rows of the init that have values: rows to
/// which nothing is scattered, and with a gather rows behind the last group.
/// What follows such a matmul works on these rows, too, so that it cannot
/// become a part of the matmul.
inline bool keepsRowsOfInit(GroupedMatmulOp op) {
  return (op.getGather() || op.getScatter()) &&
         !op.getInit().getDefiningOp<mlir::tensor::EmptyOp>();
}

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_KEPTROWS_H
