//===- RaggedGrid.h - Which tile does a CTA compute -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How many tiles each group has depends on the offsets, which only the device
// knows. Every CTA builds the same table in its shared memory: entry g is the
// number of row tiles before group g, entry G their total. Tiles are numbered
// columns first, so that CTAs that run together share activations and walk
// one expert's weights.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_RAGGEDGRID_H
#define MXFP4_TRANSFORMS_RAGGEDGRID_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// What the grid is about. `error` may be null.
struct RaggedGrid {
  /// i32[G+1] in global memory.
  mlir::Value offsets;
  /// i32[G+2] in shared memory: for each group the row tiles before it, then
  /// the row tiles of all, and the number that there is to compute: the same,
  /// or 0 if the offsets are bad.
  mlir::Value table;
  /// i32[G] in global memory, or null: the experts of the groups.
  mlir::Value expertIds;
  /// i32[1] in global memory, or null: bit 0 reports bad offsets, bit 1 a bad
  /// id.
  mlir::Value error;
  /// Rows of the activations, i32. For the table only.
  mlir::Value rows;
  int64_t experts;
  int64_t groups;
  /// Most rows of a tile, and the number that its height is a multiple of.
  int64_t tileTokens;
  int64_t tokenStep;
  /// Tiles along N.
  int64_t columnTiles;

  /// For the lanes of one warp: checks the offsets and fills the table. Bad
  /// offsets leave a table of zeros, so that nothing is computed or stored.
  void emitTable(mlir::ImplicitLocOpBuilder &b, mlir::Value lane) const;

  /// The number of tiles, once the table is visible.
  mlir::Value emitTileCount(mlir::ImplicitLocOpBuilder &b) const;

  /// The results of mxfp4.locate_tile.
  struct Tile {
    mlir::Value expert, row, valid, column;
  };
  Tile emitTile(mlir::ImplicitLocOpBuilder &b, mlir::Value number) const;

private:
  void emitExpert(mlir::ImplicitLocOpBuilder &b, mlir::Value group,
                  Tile &tile) const;
  std::pair<mlir::Value, mlir::Value>
  emitRound(mlir::ImplicitLocOpBuilder &b, mlir::Value lane, mlir::Value base,
            int64_t perLane, mlir::Value tiles, mlir::Value bad) const;
};

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_RAGGEDGRID_H
