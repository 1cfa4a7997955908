//===- Epilogue.h - What happens to sums before the store -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mxfp4.grouped_matmul and mxfp4.store_tile share their epilogue: a region of
// scalar operations on f32, and operands that are bf16 or f32. The arguments of
// the region are the sum and one value for each operand, in order; in an
// epilogue on pairs, two sums and two values of each operand of rank 2.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_EPILOGUE_H
#define MXFP4_IR_EPILOGUE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

namespace mxfp4 {

/// What an epilogue operand has a value for; its rank says so.
enum class EpilogueOperand {
  /// Rank 0.
  Scalar,
  /// Rank 1: each row.
  PerRow,
  /// Rank 2: each expert and column.
  PerColumn
};
EpilogueOperand epilogueOperandOf(mlir::Type type);

/// Whether the region of an operation, if it has one, takes two columns to make
/// one.
bool epilogueTakesPairs(mlir::MutableArrayRef<mlir::Region> regions,
                        mlir::ValueRange operands);

/// Checks operands against `experts`, `rows` and `n` (ShapedType::kDynamic
/// where unknown).
mlir::LogicalResult verifyEpilogueOperands(mlir::Operation *op,
                                           mlir::ValueRange operands,
                                           int64_t experts, int64_t rows,
                                           int64_t n);
/// Checks the region, for an operation's verifyRegions.
mlir::LogicalResult
verifyEpilogueRegion(mlir::Operation *op,
                     mlir::MutableArrayRef<mlir::Region> regions,
                     mlir::ValueRange operands);

/// Clones the body of an epilogue at the builder. Returns what it yields.
mlir::Value cloneEpilogue(mlir::OpBuilder &b, mlir::Region &region,
                          mlir::ValueRange arguments);

/// `(operands : types)`, or nothing.
mlir::ParseResult parseEpilogueOperands(
    mlir::OpAsmParser &parser,
    llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &operands,
    llvm::SmallVectorImpl<mlir::Type> &types);
void printEpilogueOperands(mlir::OpAsmPrinter &printer, mlir::Operation *op,
                           mlir::OperandRange operands, mlir::TypeRange types);

} // namespace mxfp4

#endif // MXFP4_IR_EPILOGUE_H
