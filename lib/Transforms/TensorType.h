//===- TensorType.h - The type of a value that is a tensor ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TENSORTYPE_H
#define MXFP4_LIB_TRANSFORMS_TENSORTYPE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace mxfp4 {

/// The type of a value that is a tensor with a rank.
inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// The same, or null where the value may be something else.
inline mlir::RankedTensorType tensorTypeOrNull(mlir::Value value) {
  return llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
}

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TENSORTYPE_H
