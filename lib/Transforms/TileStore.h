//===- TileStore.h - The store of a tile by one thread ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TILESTORE_H
#define MXFP4_LIB_TRANSFORMS_TILESTORE_H

#include "EpilogueValues.h"
#include "KernelLowering.h"

#include "mxfp4/Core/FragmentMap.h"
#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

/// Stores the accumulators of one thread.
class TileStore {
public:
  TileStore(mlir::ImplicitLocOpBuilder &b, StoreTileOp op,
            StoreTileOp::Adaptor adaptor)
      : b(b), a(b), op(op), adaptor(adaptor),
        schedule(op.getSchedule().toSchedule()),
        type(mlir::cast<mlir::MemRefType>(op.getDestination().getType())),
        n(type.getDimSize(1)), elementBytes(type.getElementTypeBitWidth() / 8),
        pairs(op.takesPairs()),
        exchanges(pairs && elementBytes <= 2 && n % 2 == 0),
        map(mmaAccumulator().permuteRows(BlockLayout::rowPermutation())),
        epilogue(b, op, adaptor) {}

  void emit();

private:
  int64_t slices() const { return schedule.slices(); }
  mlir::Value emitFirstColumn(mlir::Value warp);
  bool loadsAhead();
  void loadColumns();
  void locateThread();
  /// Distance, in columns of sums, from the thread's first column to its column
  /// of fragment `slice`.
  int columnOffset(int slice) const {
    return 16 * slice * schedule.sliceStride();
  }
  bool hasRowOperands();
  /// Whether lanes hold values of row operands for each other. Where columns
  /// are stored one by one, addresses take the registers.
  bool sharesRows() {
    return hasRowOperands() && schedule.traits().cutsSums() && n % 2 == 0;
  }
  void shareRows(int64_t first);
  mlir::SmallVector<mlir::Value> valuesOfRow(int64_t token);
  bool takesRowsAhead();
  /// A token of the thread, counted from its first: of a fragment's column of
  /// eight tokens, that of an element.
  int64_t tokenOf(int column, int element) const {
    return 8 * column + map(element, 0).col;
  }
  mlir::Value exists(int64_t columnOffset);
  mlir::Value tokenRow(mlir::Value firstToken, int64_t token);
  void emitColumns(int first, int count);
  mlir::Value accumulator(int slice, int column, int element);
  mlir::Value bits(mlir::Value value);
  mlir::Value packed(mlir::Value first, mlir::Value second);
  mlir::Value rounded(mlir::ArrayRef<mlir::Value> values);
  mlir::Value roundedToE4M3(mlir::ArrayRef<mlir::Value> values);
  mlir::Value exchange(mlir::ArrayRef<mlir::Value> values);
  mlir::Value guard(mlir::Value isValid, int64_t columns);
  /// A row of the output to store to: an address, the distance in rows from it,
  /// and whether the row exists.
  struct Place {
    mlir::Value address, isValid;
    int64_t row;
  };
  Place placeOf(int64_t token, mlir::Value mapped);
  void store(const Place &place, mlir::Value isValid, int64_t column,
             mlir::Value bits, int64_t count);
  void storeTwo(const Place &place, int slice,
                mlir::ArrayRef<mlir::Value> values);
  void storeOne(const Place &place, int slice, mlir::Value value);
  void storeExchanged(const Place &place, int slice,
                      mlir::ArrayRef<mlir::Value> values);
  void reportMissing(mlir::Value isMissing);
  void emitTokens();
  void countStored();
  /// Of several K slices the first one stores.
  WarpPlace storingWarps() const;

  mlir::ImplicitLocOpBuilder &b;
  Arithmetic a;
  StoreTileOp op;
  StoreTileOp::Adaptor adaptor;
  Schedule schedule;
  mlir::MemRefType type;
  /// Columns of the output.
  const int64_t n, elementBytes;
  const bool pairs, exchanges;
  const FragmentMap map;
  EpilogueValues epilogue;
  /// The thread's first column of sums in the tile, the column of the output
  /// that it becomes, and the address of this column in row 0 of the output
  /// (with a map of rows) or in the row of the thread's first token (without).
  mlir::Value firstColumn, outputColumn, address;
  /// The first token of the tile that the thread has sums of, and the first
  /// that it stores.
  mlir::Value heldToken, storedToken;
  /// Where threads exchange values: whether this one stores the second token.
  mlir::Value isOdd;
  /// Tokens of the tile from the thread's first on; may be negative.
  mlir::Value left;
  /// Values of row operands that the lanes of a warp hold for each other: by 32
  /// tokens of the warp and by operand.
  mlir::SmallVector<mlir::SmallVector<mlir::Value>> shared;
  /// Values of the rows of all tokens, two for each column of a fragment, if
  /// they are taken ahead of the first store.
  mlir::SmallVector<mlir::SmallVector<mlir::Value>> ahead;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TILESTORE_H
