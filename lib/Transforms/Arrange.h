//===- Arrange.h - Elements of a tensor in another order --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ARRANGE_H
#define MXFP4_LIB_TRANSFORMS_ARRANGE_H

#include "Digits.h"

#include "mlir/IR/Builders.h"

namespace mxfp4 {

/// Collapses neighbouring dimensions, `counts` of them to each one; 0 makes a
/// dimension of one.
mlir::Value regroup(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                    llvm::ArrayRef<int64_t> counts);

/// How a tensor whose dimensions run over some digits becomes one with a
/// dimension for each group of digits.
struct Arrangement {
  /// From each dimension to dimensions of a digit each.
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<llvm::SmallVector<int64_t, 2>> expand;
  /// The order of these, and how many of them are each dimension of the result.
  llvm::SmallVector<int64_t> permutation, counts;

  /// nullopt if the groups are not the digits of the tensor, each once.
  static std::optional<Arrangement> find(llvm::ArrayRef<int64_t> shape,
                                         const ElementIndex &index,
                                         llvm::ArrayRef<Digits> groups);

  mlir::Value apply(mlir::OpBuilder &b, mlir::Location loc,
                    mlir::Value value) const;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ARRANGE_H
