//===- SlotRows.h - Tokens whose slots have rows ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What dispatch and quantize_rows share where a CTA has a token, whose row it
// holds in registers and stores in the rows of the token's slots: which part a
// thread has, and where these rows are. They are read; or, of a kernel that has
// the sort, too, found.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_SLOTROWS_H
#define MXFP4_LIB_TRANSFORMS_SLOTROWS_H

#include "RoutingKernels.h"

namespace mxfp4 {

/// A thread's part of a row: vectors of `width` columns, one every `threads`.
class RowUnits {
public:
  RowUnits(CtaBuilder &c, const RoutingKernel &kernel)
      : width(kernel.vectorWidth()), c(c), units(kernel.n() / width),
        perThread((units + c.threads - 1) / c.threads) {}

  const int64_t width;

  /// The thread's units of a row of x; zeros beyond the row, and where the row
  /// is not there, unless `isThere` is null.
  llvm::SmallVector<mlir::Value> load(mlir::Value x, mlir::Value row,
                                      mlir::Value isThere);
  /// Stores one value for each unit.
  void store(mlir::ValueRange values, mlir::Value rows, mlir::Value row);

private:
  /// The number of a unit of this thread, and whether the row has it; null if
  /// each thread's exists.
  mlir::Value unit(int64_t number) {
    return c.add(c.thread, number * c.threads);
  }
  mlir::Value exists(int64_t number) {
    return (number + 1) * c.threads <= units ? mlir::Value()
                                             : c.less(unit(number), units);
  }
  mlir::Value column(int64_t number) { return c.mul(unit(number), width); }

  CtaBuilder &c;
  const int64_t units, perThread;
};

/// The rows of each token's slots, by the token's CTA.
class SlotRows {
public:
  SlotRows(CtaBuilder &c, const RoutingKernel &kernel,
           const RoutingArguments &arguments);

  /// Runs `body` for each token of this CTA. It calls `find` and `finish`
  /// inside.
  void forTokens(llvm::function_ref<void(mlir::Value token)> body);

  /// Finds the rows, which all threads need; with a sort, all must get here.
  void find(mlir::Value token);
  /// Runs `body` for each row of the token.
  void forRows(llvm::function_ref<void(mlir::Value row)> body);
  /// Stores what the sort results in, and reports what is wrong.
  void finish(mlir::Value token);

  /// Rows of all slots (T * S), as rows of a matrix, or as elements.
  mlir::Value flat(mlir::Value perSlot);

private:
  /// The number of slots of all experts below `expert` (i32), and with
  /// `withAhead` of the expert's own ahead of the token.
  struct Sum {
    mlir::Value expert;
    bool withAhead;
    mlir::Value total;
  };

  void readSlots(mlir::Value token);
  void sumLoop(mlir::Value lower, mlir::Value upper, mlir::Value step,
               llvm::function_ref<void(mlir::Value)> body);
  void addWhere(Sum &sum, mlir::Value condition, mlir::Value count);
  void sumCounts(mlir::Value block);
  void addExperts(mlir::Value expert, int64_t width, mlir::Value block,
                  mlir::Value first, int64_t step);
  void loadIds(mlir::Value token, mlir::Value block);
  void sumIds(mlir::Value token);
  void sumCta();
  mlir::Value offsetNumber(mlir::Value pass, int64_t i) {
    return c.add(c.mul(pass, offsets), i);
  }
  void addOffsetSums(mlir::Value pass);
  void storeOffsets(mlir::Value pass, int64_t first);
  void emitFurtherOffsets();
  /// ORs bits into the error word if a number is neither -1 nor below `end`.
  void reportBad(mlir::Value number, mlir::Value end, int64_t bits);
  void reportNoRow(int64_t slot);

  CtaBuilder &c;
  const RoutingArguments &arg;
  const int64_t slots, experts, slotWidth;
  /// Of a sort, offsets that a CTA stores for each token.
  const int64_t offsets;
  const bool sorts;

  mlir::Value perBlock, blocks;
  /// Of the token at hand, by slot: what was read, the row (i32), and whether
  /// there is one.
  llvm::SmallVector<mlir::Value> read, rows, isThere;
  /// Ids of the token's block: the thread's first, the end, and the first ones.
  static constexpr int64_t kEarlyIds = 2;
  mlir::Value firstId, endIds;
  llvm::SmallVector<mlir::Value> early;
  /// Of slots, of all rows, and of offsets.
  llvm::SmallVector<Sum> sums;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_SLOTROWS_H
