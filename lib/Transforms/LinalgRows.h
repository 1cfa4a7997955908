//===- LinalgRows.h - Maps of rows and epilogues on tensors -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `mxfp4-lower-to-linalg` makes of the rows of one group of a grouped
// matmul: `rows` of them, from row `begin` on.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LINALGROWS_H
#define MXFP4_LIB_TRANSFORMS_LINALGROWS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/Builders.h"

namespace mxfp4 {

struct GroupRows {
  mlir::Value begin, rows;
};

/// The rows of the activations that the group's rows are; row 0 in the place of
/// one that does not exist.
mlir::Value gatherInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                           GroupedMatmulOp op, const GroupRows &group);

/// The epilogue of the group's sums, as f32.
mlir::Value finishInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                           GroupedMatmulOp op, const GroupRows &group,
                           mlir::Value expert, mlir::Value sums);

/// `y` with the group's results in the rows that they are scattered to, as far
/// as these exist.
mlir::Value scatterInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                            GroupedMatmulOp op, const GroupRows &group,
                            mlir::Value results, mlir::Value y);

/// Codes and scales of rows in FP8.
std::pair<mlir::Value, mlir::Value>
quantizeRowsInLinalg(mlir::OpBuilder &b, mlir::Location loc, QuantizeRowsOp op);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LINALGROWS_H
