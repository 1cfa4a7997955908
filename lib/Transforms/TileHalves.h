//===- TileHalves.h - How whole tiles and halves are numbered ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the last tiles of a launch are halves along N (`mxfp4-halve-tiles`), a
// tile's number says which row tile it has, and whether it is whole: first come
// whole tiles, then both halves of the other ones, then halves that have no
// other one, because N ends in front of it.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TILEHALVES_H
#define MXFP4_LIB_TRANSFORMS_TILEHALVES_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

class TileHalves {
public:
  /// For a launch of `rowTiles` row tiles (index), each of which has `columns`
  /// halves along N, on all CTAs of the grid.
  TileHalves(mlir::ImplicitLocOpBuilder &b, mlir::Value rowTiles,
             int64_t columns);

  /// The number of tiles and halves.
  mlir::Value count() const { return all; }

  /// The row tile of a number, and twice the number of the half that the tile
  /// begins with, plus 1 if the tile is this half alone. Of a number from
  /// `count()` on, the row tile is one that does not exist.
  struct Place {
    mlir::Value rowTile, column;
  };
  Place locate(mlir::ImplicitLocOpBuilder &b, mlir::Value number) const;

private:
  int64_t columns;
  /// Where whole tiles, halves that have another one, and all end.
  mlir::Value whole, paired, all;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TILEHALVES_H
