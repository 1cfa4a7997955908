//===- TrailingIndex.h - Where do elements come from? -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoded weights are a number of *leading* dimensions (experts, rows) and
// *trailing* ones, which together run over K: `K`, `K/32 x 32` or `K/32 x 16 x
// 2`. Position k is an index into the trailing ones, flattened.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TRAILINGINDEX_H
#define MXFP4_LIB_TRANSFORMS_TRAILINGINDEX_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mxfp4 {

/// Where the elements of a result of shape `to` come from in a tensor of shape
/// `from`, if `map` leads from positions in the one to positions in the other:
/// for dimensions `leading ..`, position k of the flattened result to a
/// position of the flattened source. Fails if the first `leading` dimensions
/// are not passed through, or if anything is dynamic.
std::optional<llvm::SmallVector<int64_t>>
trailingIndex(mlir::AffineMap map, llvm::ArrayRef<int64_t> from,
              llvm::ArrayRef<int64_t> to, int64_t leading);

/// The map from positions in the result of `op`, which has one, to positions in
/// an input; null if the result is not written in the order of some loops each.
mlir::AffineMap mapFromResult(mlir::linalg::LinalgOp op, unsigned input);

/// The type of a tensor, or null.
inline mlir::RankedTensorType tensorTypeOf(mlir::Value value) {
  return llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
}

/// Elements of the trailing dimensions, or -1 if that is not known.
int64_t trailingSize(mlir::RankedTensorType type, int64_t leading);

/// index[k] == k / by for every k.
bool dividesBy(llvm::ArrayRef<int64_t> index, int64_t by);

/// Gives a tensor the trailing dimensions `to`.
mlir::Value reshapeTrailing(mlir::OpBuilder &b, mlir::Location loc,
                            mlir::Value value, int64_t leading,
                            llvm::ArrayRef<int64_t> to);

/// The operand of a reshape that leaves the leading dimensions alone, and with
/// them the position of every element; null for anything else.
mlir::Value throughReshape(mlir::Value value, int64_t leading);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TRAILINGINDEX_H
