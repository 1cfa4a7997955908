//===- EpilogueValues.h - Epilogues in registers ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the epilogue of a mxfp4.store_tile makes of the sums of one thread.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_EPILOGUEVALUES_H
#define MXFP4_TRANSFORMS_EPILOGUEVALUES_H

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

/// Values of the epilogue's operands, as f32.
class EpilogueValues {
public:
  EpilogueValues(mlir::ImplicitLocOpBuilder &b, StoreTileOp op,
                 StoreTileOp::Adaptor adaptor)
      : b(b), a(b), op(op), adaptor(adaptor), n(op.getN()) {}

  /// Loads what is the same for all tokens: for the columns (two neighbours
  /// each) that the thread holds of its slices, `columns` of them. What it
  /// loads stays as it is in memory until `widenColumns`, so that few registers
  /// hold it in between.
  void loadColumns(mlir::ArrayRef<mlir::Value> columns);
  void widenColumns();
  /// Registers that hold what `loadColumns` loads.
  int64_t registersOfColumns(int64_t slices);
  /// Values of a row for the operands that have one for each.
  llvm::SmallVector<mlir::Value> loadRow(mlir::Value row);
  /// The epilogue of the sums of both columns of a slice in a row: two values,
  /// or one of a pair.
  llvm::SmallVector<mlir::Value> finish(mlir::ArrayRef<mlir::Value> sums,
                                        int slice,
                                        mlir::ArrayRef<mlir::Value> ofRow);

private:
  mlir::MemRefType typeOf(unsigned operand) {
    return llvm::cast<mlir::MemRefType>(
        op.getEpilogueOperands()[operand].getType());
  }
  /// Whether the expert is compared, though there always is one.
  bool mayNotSpill();
  mlir::Value load(unsigned operand, mlir::Value index);
  mlir::Value widen(mlir::Value value);

  mlir::ImplicitLocOpBuilder &b;
  Arithmetic a;
  StoreTileOp op;
  StoreTileOp::Adaptor adaptor;
  const int64_t n;
  /// By operand: of a scalar one value, of columns two for each slice; and as
  /// loaded, where two neighbours are one vector.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> fixed, loaded;
  mlir::Value isUsed;
};

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_EPILOGUEVALUES_H
