//===- MatmulLoops.h - Maps of rows and epilogues on the CPU ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `mxfp4-lower-to-loops` and `mxfp4-lower-to-linalg` say in the same way
// of the rows of a matmul.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_MATMULLOOPS_H
#define MXFP4_LIB_TRANSFORMS_MATMULLOOPS_H

#include "LoopBuilder.h"

namespace mxfp4 {

/// An entry of a map of rows, and whether there are more rows than its number.
std::pair<mlir::Value, mlir::Value>
mappedRow(LoopBuilder &l, mlir::Value map, mlir::Value row, mlir::Value count);

/// The epilogue of `arguments`, the sums of a row and a column (or two), to
/// which the values of its operands are appended. `row` makes the number of the
/// row, `columns` those of sums.
mlir::Value finishSums(LoopBuilder &l, GroupedMatmulOp op,
                       llvm::SmallVector<mlir::Value> &arguments,
                       mlir::Value expert,
                       llvm::function_ref<mlir::Value()> row,
                       llvm::function_ref<mlir::Value(int64_t)> columns);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_MATMULLOOPS_H
