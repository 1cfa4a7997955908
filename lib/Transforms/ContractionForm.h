//===- ContractionForm.h - Operands of a contraction ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The normal form of an operand: a tensor behind everything that only moves its
// elements or widens them, and for each of its dimensions the loops that run
// over it. Transpositions, reshapes and widenings in front of a contraction, in
// whatever order and spelling, disappear in it.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_CONTRACTIONFORM_H
#define MXFP4_LIB_TRANSFORMS_CONTRACTIONFORM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mxfp4 {

/// A part of a loop: (i floordiv divisor) mod size. A whole loop has divisor 1,
/// and a size that may be dynamic.
struct LoopPart {
  unsigned loop;
  int64_t size, divisor;

  bool operator==(const LoopPart &other) const {
    return loop == other.loop && size == other.size && divisor == other.divisor;
  }
};

/// Parts that together are an index, the first with the largest stride.
using LoopParts = llvm::SmallVector<LoopPart>;

/// Numbers that select a position along the first dimension of a tensor, and
/// for each dimension of theirs the loops that run over it.
struct GatherIndex {
  mlir::Value numbers;
  llvm::SmallVector<LoopParts> dims;
};

/// A tensor, and the loops that run over its dimensions.
struct MovedTensor {
  mlir::Value value;
  /// For each dimension; empty for a dimension of one.
  llvm::SmallVector<LoopParts> dims;
  /// Whether what it stands for is rounded to f16.
  bool isRounded = false;
};

struct ContractionOperand : MovedTensor {
  /// If it is there, the first dimension has no loop.
  GatherIndex gather;
  /// Of i1, or null: where it is false, the elements are NaN.
  MovedTensor kept;

  LoopParts flattened() const;
};

/// What a value of the body of `op` is computed from there, itself included.
llvm::SetVector<mlir::Operation *> sliceInBody(mlir::linalg::LinalgOp op,
                                               mlir::Value value);

/// What an operation moves or widens and does nothing else with, or null.
mlir::Value movedBy(mlir::Operation *op);

/// Whether a value is decoded weights, moved or widened at most.
bool isDecoded(mlir::Value value);

/// What an operation takes out of decoded weights, element by element, or null.
mlir::tensor::ExtractOp gatherOf(mlir::linalg::LinalgOp op);

/// For each dimension of the result of a transposition, which may widen the
/// elements, the dimension of its input; nullopt for anything else.
std::optional<llvm::SmallVector<int64_t>>
transposition(mlir::linalg::LinalgOp op);

/// Whether each dimension of a tensor is one loop, each loop once, or has one
/// element, whatever the loops.
bool isProjection(mlir::AffineMap map, mlir::RankedTensorType type);

/// Whether a conversion loses nothing: from bf16 or f16 to f32.
bool isWidening(mlir::Type from, mlir::Type to);

/// An integer in front of conversions that keep the numbers of loops, rows and
/// experts, which are of 31 bits.
mlir::Value stripIndexCasts(mlir::Value value);

/// Appends a part, or makes the last part larger by it.
void appendPart(LoopParts &parts, LoopPart part);

/// The normal form of an input of `op`; nullopt if a dimension is not one loop.
/// `withCopies`: a tensor that has the elements of another several times stands
/// for the other. `isWeights`: a tensor that has NaN in place of some elements
/// of another does, too, and one that is rounded to f16.
std::optional<ContractionOperand> normalForm(mlir::linalg::LinalgOp op,
                                             mlir::OpOperand *input,
                                             bool withCopies,
                                             bool isWeights = false);

/// Looks through an operation that puts NaN in place of elements: JAX does
/// where numbers that select experts are no numbers of experts.
bool throughFill(ContractionOperand &operand, mlir::linalg::LinalgOp op);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_CONTRACTIONFORM_H
