//===- EpilogueConsumer.h - What follows a grouped_matmul -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is fused is matched by a function that takes a `Miss`, so that the
// reason that a user reads is the condition that failed.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_EPILOGUECONSUMER_H
#define MXFP4_LIB_TRANSFORMS_EPILOGUECONSUMER_H

#include "Miss.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mxfp4 {

//===----------------------------------------------------------------------===//
// Views of the result
//===----------------------------------------------------------------------===//

/// How a view of the result has its columns.
enum class Columns {
  /// One dimension of all of them.
  All,
  /// N/2 x 2.
  Split,
  /// N/2 x 1: the first or the second of each pair.
  OneOfSplit,
  /// N/2: the first or the second of each pair.
  One
};

/// A tensor that is the result, or a part of it, in another shape.
struct ResultView {
  mlir::Value value;
  Columns columns = Columns::All;
  /// Of each pair of columns, for those that have one.
  int64_t parity = 0;
  /// The operation that made experts x rows of the rows, or null.
  mlir::Operation *byExpert = nullptr;
};

/// A use of the result that is no view.
struct ResultUse {
  mlir::OpOperand *operand;
  ResultView view;
};

/// The views and the uses of a matmul's result. Questions about sizes are
/// neither.
struct ResultUses {
  llvm::SmallVector<mlir::Operation *> views;
  llvm::SmallVector<ResultUse> uses;
};
ResultUses findResultUses(GroupedMatmulOp matmul);

/// The size of the matmul's output is asked of its init, not of its result.
void detachSizes(GroupedMatmulOp matmul);

//===----------------------------------------------------------------------===//
// Consumers
//===----------------------------------------------------------------------===//

/// What an input of the consumer has a value for.
enum class InputKind { Sum, Scalar, PerRow, PerColumn, PerExpertAndColumn };

struct ConsumerInput {
  InputKind kind = InputKind::Scalar;
  /// A tensor, or a scalar; null for a sum and for a constant.
  mlir::Value value;
  /// The dimensions of the tensor that matter; others are of size 1.
  llvm::SmallVector<int64_t> dims;
  /// The value of a scalar that is known.
  mlir::TypedAttr constant;
  /// Of a pair of columns, the one that is read; for inputs that have a value
  /// for each column of sums.
  std::optional<int64_t> parity;
};

/// An operation that can become a part of the epilogue.
struct EpilogueConsumer {
  mlir::linalg::LinalgOp op;
  /// Whether it makes one column of two.
  bool pairs = false;
  /// The operation that made experts x rows of the rows, or null.
  mlir::Operation *byExpert = nullptr;
  /// For each input of the operation.
  llvm::SmallVector<ConsumerInput> inputs;
};

/// The consumer of a matmul's result. `at` is the operation that a miss is
/// about; null if nothing that could be fused follows.
mlir::FailureOr<EpilogueConsumer> findConsumer(GroupedMatmulOp matmul,
                                               const ResultUses &uses,
                                               mlir::Operation *&at, Miss *why);

/// Whether the epilogue can have the operations of a consumer's body.
llvm::LogicalResult matchBody(mlir::linalg::LinalgOp op, Miss *why);

/// What an input that is not the result has values for. `map` is from loops of
/// rows (`rowLoops` of them) and columns to its elements.
mlir::FailureOr<ConsumerInput> matchInput(mlir::Value value,
                                          mlir::AffineMap map,
                                          unsigned rowLoops, Miss *why);

/// The matmul with the consumer in its epilogue, and what replaces the
/// consumer's result.
struct FusedEpilogue {
  GroupedMatmulOp matmul;
  mlir::Value result;
};
FusedEpilogue fuseConsumer(GroupedMatmulOp matmul, EpilogueConsumer consumer);

/// Takes out roundings to bf16 that are widened again; those that change
/// values only if `contract`. Returns how many that change values are left.
unsigned simplifyRoundings(GroupedMatmulOp matmul, bool contract);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_EPILOGUECONSUMER_H
