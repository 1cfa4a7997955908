//===- ProgramLowering.h - Pieces of mxfp4-lower-program --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pass is split by subject: loops over tiles in LowerTileLoops.cpp, the
// warp that hands them out in LowerScheduler.cpp and TileCounts.cpp, loops over
// K in LowerKLoops.cpp, rows that are brought in LowerBringRows.cpp, rings
// and cursors in LowerRings.cpp, and roles, the table of tiles and shared
// memory in LowerProgram.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PROGRAMLOWERING_H
#define MXFP4_TRANSFORMS_PROGRAMLOWERING_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// A tile in the queue: four i32, which are expert, row, rows and column.
/// Column -1 is the end.
struct QueuedTile {
  static constexpr int64_t kFields = 4, kColumn = 3;
};

/// The tile of this number, if there are `columns` columns of tiles.
template <typename Op>
LocateTileOp locateTile(mlir::ImplicitLocOpBuilder &b, Op op,
                        mlir::Value number, uint64_t columns) {
  return LocateTileOp::create(b, number, op.getTable(), op.getOffsets(),
                              op.getExpertIds(), op.getError(), op.getExperts(),
                              columns, op.getSchedule());
}

/// Turn operations into scf loops that carry what they carried, cursors among
/// them.
void lowerTileLoop(ForTilesOp tiles);
void lowerTileLoop(TakeTilesOp tiles);
void lowerScheduler(HandOutTilesOp scheduler, bool isFirstHandedOut);
void lowerKLoop(KLoopOp loop);
/// Fails with a diagnostic where no other role reads the rows.
mlir::LogicalResult lowerBringRows(mlir::Operation *root);

/// Whether two programs take tiles of one table, from both of its ends.
bool sharesTable(HandOutTilesOp op);

/// The tiles of a table: all, and those of groups that are not short, which
/// come first. Bad offsets leave none.
std::pair<mlir::Value, mlir::Value> countShared(mlir::ImplicitLocOpBuilder &b,
                                                HandOutTilesOp op);

/// How many rows (i32) have to be brought into order.
mlir::Value countBroughtRows(mlir::ImplicitLocOpBuilder &b, HandOutTilesOp op);

/// Waits until the rows of a tile (index) have been brought into order, of
/// `brought` rows.
void waitForRows(mlir::ImplicitLocOpBuilder &b, HandOutTilesOp op,
                 mlir::Value brought, mlir::Value row, mlir::Value valid);

/// The last role of the grid to end leaves a workspace as it was. `rows` is how
/// many rows are brought into order, if any, which is a role's work. A CTA has
/// one role that hands out tiles, or `isTwice` two.
void putBack(mlir::ImplicitLocOpBuilder &b, mlir::Value workspace,
             mlir::Value rows, bool isTwice = false);

/// Turns rings into barriers, and cursors into a slot (index) and a parity
/// (i32).
mlir::LogicalResult lowerRings(mlir::Operation *root);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_PROGRAMLOWERING_H
