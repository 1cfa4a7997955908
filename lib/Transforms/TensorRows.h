//===- TensorRows.h - Which tensors have as many rows -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TENSORROWS_H
#define MXFP4_LIB_TRANSFORMS_TENSORROWS_H

#include "mlir/IR/OpDefinition.h"

namespace mxfp4 {

/// What two tensors of equal value here have as many rows as: a number of rows,
/// or a tensor.
mlir::Value rowsOf(mlir::Value tensor);

/// Whether `size` is known to be the number of a tensor's rows.
bool isNumberOfRows(mlir::OpFoldResult size, mlir::Value tensor);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TENSORROWS_H
