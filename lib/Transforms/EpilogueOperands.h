//===- EpilogueOperands.h - Operands of a fused epilogue --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_EPILOGUEOPERANDS_H
#define MXFP4_LIB_TRANSFORMS_EPILOGUEOPERANDS_H

#include "EpilogueConsumer.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// Makes epilogue operands of a consumer's inputs.
class OperandBuilder {
public:
  OperandBuilder(mlir::ImplicitLocOpBuilder &b, GroupedMatmulOp matmul,
                 bool pairs)
      : b(b), operands(matmul.getEpilogueOperands()),
        experts(matmul.getNumExperts()), pairs(pairs) {}

  /// The number of the operand that has an input's values.
  unsigned add(const ConsumerInput &input);
  llvm::ArrayRef<mlir::Value> get() const { return operands; }

private:
  mlir::Value make(const ConsumerInput &input);
  mlir::Value keepDims(mlir::Value tensor, llvm::ArrayRef<int64_t> dims);
  mlir::Value spread(mlir::Value values, bool forExperts, bool forPairs);

  mlir::ImplicitLocOpBuilder &b;
  llvm::SmallVector<mlir::Value> operands;
  /// Inputs that have become operands, and which.
  llvm::SmallVector<std::pair<ConsumerInput, unsigned>> added;
  int64_t experts;
  bool pairs;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_EPILOGUEOPERANDS_H
