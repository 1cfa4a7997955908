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
// With `fullFirst` there are two such lists, of the groups that have more rows
// than half a tile and of the others, and the tiles of the first are numbered
// first: what is done last should not take long.
//
// A kernel with tiles of two kinds has a table for each kind, in which groups
// of the other kind have no tiles.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_RAGGEDGRID_H
#define MXFP4_TRANSFORMS_RAGGEDGRID_H

#include "TileHalves.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// What the grid is about. `error` may be null.
struct RaggedGrid {
  /// Groups whose rows a warp has counted before it writes the table.
  static constexpr int64_t kGroupsAtOnce = 256;

  /// i32[G+1] in global memory.
  mlir::Value offsets;
  /// i32 in shared memory: for each of G groups the row tiles before it, then
  /// the row tiles of all, and the number that there is to compute: the same,
  /// or 0 if the offsets are bad. With `fullFirst`, the first G+1 entries count
  /// tiles of groups with more rows than half a tile, and G+1 entries for the
  /// other groups follow.
  mlir::Value table;
  /// i32[G] in global memory, or null: the experts of the groups.
  mlir::Value expertIds;
  /// i32[1] in global memory, or null: bit 0 reports bad offsets, bit 1 a bad
  /// id.
  mlir::Value error;
  /// Rows, i32, and whether offsets may end before. For the table only.
  mlir::Value rows;
  bool orLess = false;
  /// Whether the table is built before the kernel ahead has ended.
  bool ahead = false;
  int64_t experts;
  int64_t groups;
  /// Most rows of a tile, and the number that its height is a multiple of.
  int64_t tileTokens;
  int64_t tokenStep;
  /// Whether groups with more rows than half a tile come before all others.
  bool fullFirst = false;
  /// The most rows of the others; 0 for half a tile.
  int64_t shortTo = 0;
  /// The same where these are few beside the groups with more rows; 0 for
  /// `shortTo` everywhere. Then a group of the others has a tile for each
  /// `shortTo` of its rows. For the table only.
  int64_t mostShort = 0;
  /// Groups with fewer or with more rows have no tiles; 0 for no bound. For the
  /// table only.
  int64_t fewestRows = 0, mostRows = 0;
  /// Tiles along N.
  int64_t columnTiles;
  /// Whether the last tiles are halves, which `columnTiles` counts then. For
  /// the table only.
  bool halves = false;

  /// The CTA's first tile (index), and the queue that the table's warp puts it
  /// into, or null. For the table and for guesses only.
  mlir::Value first, queue, fields;

  /// For the lanes of one warp: checks the offsets and fills the table. Bad
  /// offsets leave a table of zeros, so that nothing is computed or stored.
  void emitTable(mlir::ImplicitLocOpBuilder &b, mlir::Value lane) const;

  /// For the lanes of one warp: where the tile `first` is, if offsets that the
  /// kernel ahead may still write are right. Where it is `found` (i1), in one
  /// lane then, the group exists, whatever the offsets.
  struct Guess {
    mlir::Value found, group, column;
  };
  Guess emitGuess(mlir::ImplicitLocOpBuilder &b, mlir::Value lane) const;

  /// The number of tiles, once the table is visible.
  mlir::Value emitTileCount(mlir::ImplicitLocOpBuilder &b) const;

  /// The results of mxfp4.locate_tile.
  struct Tile {
    mlir::Value expert, row, valid, column;
  };
  Tile emitTile(mlir::ImplicitLocOpBuilder &b, mlir::Value number) const;

private:
  /// Rows that a group begins and ends with, row tiles before it and up to its
  /// end, and how many of its own come before the tile (index).
  struct Group {
    mlir::Value begin, end, first, within;
    mlir::function_ref<mlir::Value()> last;
  };
  void emitRows(mlir::ImplicitLocOpBuilder &b, const Group &group,
                Tile &tile) const;
  void emitExpert(mlir::ImplicitLocOpBuilder &b, mlir::Value group,
                  Tile &tile) const;
  void emitStore(mlir::ImplicitLocOpBuilder &b,
                 mlir::ArrayRef<mlir::Value> tile) const;
  void emitFirst(mlir::ImplicitLocOpBuilder &b, mlir::Value first,
                 mlir::ArrayRef<mlir::Value> bounds,
                 mlir::ArrayRef<mlir::Value> tiles, mlir::Value all) const;
  void emitHandOut(mlir::ImplicitLocOpBuilder &b, mlir::Value lane,
                   mlir::Value tiles, mlir::Value all) const;
  TileHalves::Place locateFirst(mlir::ImplicitLocOpBuilder &b,
                                mlir::Value rowTiles) const;
  /// Where list 0 or 1 of the table begins.
  int64_t listBegin(int list) const { return list * (groups + 2); }
  int lists() const { return fullFirst ? 2 : 1; }
  /// Rows up to which groups are in list 1, if only the device knows (i32).
  mlir::Value emitMostShort(mlir::ImplicitLocOpBuilder &b,
                            mlir::ArrayRef<mlir::Value> bounds) const;
  mlir::Value emitRowTiles(mlir::ImplicitLocOpBuilder &b, mlir::Value rows,
                           int list, mlir::Value most = {}) const;
  mlir::Value emitList(mlir::ImplicitLocOpBuilder &b, mlir::Value first,
                       mlir::ArrayRef<mlir::Value> bounds, mlir::Value tiles,
                       int list, mlir::Value most) const;
};

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_RAGGEDGRID_H
