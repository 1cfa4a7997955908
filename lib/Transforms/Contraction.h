//===- Contraction.h - A matmul on decoded weights --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_CONTRACTION_H
#define MXFP4_LIB_TRANSFORMS_CONTRACTION_H

#include "Arrange.h"
#include "ContractionForm.h"
#include "Raise.h"

namespace mxfp4 {

/// Codes and scales of weights, and which loops run over the weights.
struct Weights {
  /// Either from a dequantize, or the same slice of its codes and scales,
  DequantizeOp dequantize;
  mlir::tensor::ExtractSliceOp slice;
  /// or from a decode in the body.
  Decode decode;
  /// For each dimension of the weights; the last is K.
  llvm::SmallVector<LoopParts> dims;
  llvm::SmallVector<int64_t> shape;
  /// Numbers that select the first dimension, or null.
  GatherIndex gather;
  /// Where it is false, the weights are NaN, or null.
  MovedTensor kept;

  /// Codes and scales of the weights, made if need be.
  std::pair<mlir::Value, mlir::Value> make(mlir::OpBuilder &b,
                                           mlir::Location loc) const;
};

/// The loops of a contraction by what they run over, and its operands.
struct Contraction {
  ContractionOperand activations;
  Weights weights;
  /// Experts, rows, columns.
  llvm::SmallVector<unsigned> batch, m, n;
  /// The sum, in the order in which the weights have it: a block is neighbours.
  Digits k;
  /// The order in which the output has batch, m and n.
  llvm::SmallVector<unsigned> out;
  /// From codes and scales to `experts x N x K/32 (x 16)`, from the activations
  /// to `rows x K`.
  Arrangement codes, scales, rows;
  /// Groups of rows: one for each expert, or for each number that selects one.
  int64_t groups = 1;
  /// Whether a row of the activations is one of several groups.
  bool repeatsRows = false;
  /// Whether what the sums start at is added behind them.
  bool addsInit = false;
};

/// The input of `op` that a value of its body is an element of, or null.
mlir::OpOperand *inputOf(mlir::linalg::LinalgOp op, mlir::Value factor);

/// The loops that a factor that the body computes depends on: parallel ones
/// first, then those of the sum, as the activations have them, if they are
/// given, so that these need not be transposed.
llvm::SmallVector<unsigned> factorLoops(mlir::linalg::LinalgOp op,
                                        mlir::Value factor,
                                        mlir::OpOperand *activations = nullptr);

/// Weights that an input of the contraction holds.
mlir::FailureOr<Weights> weightsOf(const ContractionOperand &operand,
                                   Miss *why);

/// Weights that the body decodes: `factor` is computed from a code and a scale.
mlir::FailureOr<Weights> weightsInBody(mlir::linalg::LinalgOp op,
                                       mlir::Value factor,
                                       mlir::OpOperand *activations, Miss *why);

/// The two factors of acc + a * b in f32, each in front of its widening.
mlir::FailureOr<std::pair<mlir::Value, mlir::Value>>
matchMultiplyAdd(mlir::linalg::LinalgOp op, Miss *why);

/// A product of extents, or -1 if one is not static. What is too large for any
/// tensor stays INT64_MAX.
int64_t staticProduct(int64_t product, int64_t extent);

/// Which loops are experts, rows, columns and the sum, and how activations and
/// weights become `rows x K` and `experts x N x K`; `found` has the operands.
mlir::LogicalResult arrangeLoops(mlir::linalg::LinalgOp op, Contraction &found,
                                 Miss *why);

/// The sum over loops k of x[batch, m, k] * w[batch, n, k].
mlir::FailureOr<Contraction> matchContraction(mlir::linalg::LinalgOp op,
                                              Miss *why);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_CONTRACTION_H
