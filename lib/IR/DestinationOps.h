//===- DestinationOps.h - What ops on tensors and memrefs share -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verification, memory effects and shapes of the destination-style ops.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_IR_DESTINATIONOPS_H
#define MXFP4_LIB_IR_DESTINATIONOPS_H

#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

mlir::ShapedType shaped(mlir::Value value);

/// Whether two sizes are equal as far as they are static.
bool compatible(int64_t a, int64_t b);

inline bool isFloatValue(mlir::Type type) {
  return type.isBF16() || type.isF32();
}

/// What a matmul may round its results to.
inline bool isMatmulOutput(mlir::Type type) {
  return isFloatValue(type) || llvm::isa<mlir::Float8E4M3FNType>(type);
}

/// Checks rank, sizes and element type of `value`; `what` names it.
mlir::LogicalResult verifyShaped(mlir::Operation *op, mlir::Value value,
                                 llvm::StringRef what,
                                 llvm::ArrayRef<int64_t> shape,
                                 mlir::Type element);

/// Checks that N is even if gate and up are the halves of N or alternate.
mlir::LogicalResult verifyColumns(mlir::Operation *op,
                                  const BlockLayout &layout, int64_t n);

/// Tensors throughout with one result for each output, or memrefs throughout
/// with none.
mlir::LogicalResult verifyDestinationStyle(mlir::Operation *op);

using Effects = llvm::SmallVectorImpl<
    mlir::SideEffects::EffectInstance<mlir::MemoryEffects::Effect>>;

/// Memref form: reads its inputs, writes its outputs.
void addEffects(mlir::Operation *op, Effects &effects);

/// A result has the shape of its output operand.
mlir::LogicalResult reifyFromInits(mlir::OpBuilder &builder,
                                   mlir::Operation *op,
                                   mlir::ReifiedRankedShapedTypeDims &shapes);

} // namespace mxfp4

// Interfaces whose answer is the same for every destination-style op.
#define MXFP4_DESTINATION_OP(OP)                                               \
  void OP::getEffects(::mxfp4::Effects &effects) {                             \
    addEffects(*this, effects);                                                \
  }                                                                            \
  LogicalResult OP::reifyResultShapes(OpBuilder &builder,                      \
                                      ReifiedRankedShapedTypeDims &shapes) {   \
    return reifyFromInits(builder, *this, shapes);                             \
  }

#endif // MXFP4_LIB_IR_DESTINATIONOPS_H
