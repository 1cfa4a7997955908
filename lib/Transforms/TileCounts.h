//===- TileCounts.h - What tiles store, and wait for ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One warp of a CTA hands out tiles. In a kernel that counts what it stores it
// adds each tile to the count of the tile's group, and in a kernel that awaits
// counts it waits for those of a tile's rows.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_TILECOUNTS_H
#define MXFP4_TRANSFORMS_TILECOUNTS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// A group (index), and how many elements of its rows a tile stores (i32); both
/// in one i32 where the warp that hands out tiles has no registers for two
/// words of each tile, and would spill 8 to 28 bytes: where a warp brings rows,
/// and in FP8 where numbers of tiles are taken early and sums are promoted, or
/// K slices share tiles. The word is elements times the first power of two that
/// no group reaches, plus the group. Elsewhere two words took up to 0.9 % less
/// time. Both fit: the table of tiles has a word for each group in shared
/// memory, so that there are fewer than 2^16, and no schedule has tiles of 2^16
/// elements.
struct TileCount {
  llvm::SmallVector<mlir::Value> words;

  /// How many there are.
  static int64_t countWords(HandOutTilesOp op);
  static TileCount nothing(mlir::ImplicitLocOpBuilder &b, HandOutTilesOp op);
  /// What the tile of these fields of the queue stores.
  static TileCount ofTile(mlir::ImplicitLocOpBuilder &b, HandOutTilesOp op,
                          llvm::ArrayRef<mlir::Value> fields);

  /// Adds the elements, which have been stored, to the count of the group.
  void raise(mlir::ImplicitLocOpBuilder &b, HandOutTilesOp op) const;
};

/// Waits until the kernel ahead has stored the rows of all groups that a tile
/// copies rows of: the tile copies whole steps, the last of which may have rows
/// of groups behind its own.
void waitForGroups(mlir::ImplicitLocOpBuilder &b, HandOutTilesOp op,
                   mlir::Value group, mlir::Value row, mlir::Value valid);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_TILECOUNTS_H
