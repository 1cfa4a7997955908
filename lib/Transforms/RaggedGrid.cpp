//===- RaggedGrid.cpp - Which tile does a CTA compute ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The search for a tile in the table that RaggedGridTable.cpp builds. A CTA's
// first tile is found without it, in RaggedGridFirst.cpp.
//
//===----------------------------------------------------------------------===//

#include "RaggedGrid.h"
#include "GridBuilding.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;
using namespace mxfp4::grid;

Value RaggedGrid::emitTileCount(ImplicitLocOpBuilder &b) const {
  Value rowTiles = toIndex(b, load(b, table, indexConstant(b, groups + 1)));
  return arith::MulIOp::create(b, rowTiles, indexConstant(b, columnTiles));
}

RaggedGrid::Tile RaggedGrid::emitTile(ImplicitLocOpBuilder &b,
                                      Value number) const {
  Tile tile;
  Value columns = indexConstant(b, columnTiles);
  Value rowTile = arith::DivUIOp::create(b, number, columns);
  tile.column = arith::RemUIOp::create(b, number, columns);
  Value wanted = arith::IndexCastOp::create(b, b.getI32Type(), rowTile);
  Value list = indexConstant(b, 0);
  if (fullFirst) {
    Value full = load(b, table, indexConstant(b, groups));
    Value isFull = compare(b, arith::CmpIPredicate::slt, wanted, full);
    list = arith::SelectOp::create(b, isFull, list,
                                   indexConstant(b, listBegin(1)));
    wanted = arith::SelectOp::create(b, isFull, wanted,
                                     arith::SubIOp::create(b, wanted, full));
  }
  auto entry = [&](Value group) {
    return load(b, table, arith::AddIOp::create(b, list, group));
  };

  // The last group that begins at or before the wanted row tile. Empty groups
  // begin where the next one does, so the last is never empty.
  int64_t step = 1;
  while (step * 2 < groups)
    step *= 2;
  Value group = indexConstant(b, 0);
  for (; step >= 1 && groups > 1; step /= 2) {
    Value candidate = arith::MinUIOp::create(
        b, arith::AddIOp::create(b, group, indexConstant(b, step)),
        indexConstant(b, groups));
    Value isBefore =
        compare(b, arith::CmpIPredicate::sle, entry(candidate), wanted);
    group = arith::SelectOp::create(b, isBefore, candidate, group);
  }

  Value next = arith::AddIOp::create(b, group, indexConstant(b, 1));
  Value first = toIndex(b, entry(group));
  Value within = arith::SubIOp::create(b, toIndex(b, wanted), first);
  Value begin = toIndex(b, load(b, offsets, group));
  Value end = toIndex(b, load(b, offsets, next));
  tile.expert = group;
  emitRows(b,
           {begin, end, first, within, [&] { return toIndex(b, entry(next)); }},
           tile);
  if (expertIds)
    emitExpert(b, group, tile);
  return tile;
}

/// The group's tiles share its rows evenly, in whole token steps: a tile that
/// is full but for one row costs less than one that holds one row more.
void RaggedGrid::emitRows(ImplicitLocOpBuilder &b, const Group &group,
                          Tile &tile) const {
  Value height = indexConstant(b, tileTokens);
  if (tokenStep < tileTokens) {
    Value tiles = arith::SubIOp::create(b, group.last(), group.first);
    Value rows = arith::SubIOp::create(b, group.end, group.begin);
    // In 32 bits, where a division is short.
    Value share =
        arith::CeilDivUIOp::create(b, toI32(b, rows), toI32(b, tiles));
    Value steps =
        arith::CeilDivUIOp::create(b, share, i32Constant(b, tokenStep));
    height =
        toIndex(b, arith::MulIOp::create(b, steps, i32Constant(b, tokenStep)));
  }
  tile.row = arith::AddIOp::create(
      b, group.begin, arith::MulIOp::create(b, group.within, height));
  tile.valid = arith::MinUIOp::create(
      b, arith::SubIOp::create(b, group.end, tile.row), height);
}

/// Id -1 has no expert; a bad id has no rows either.
void RaggedGrid::emitExpert(ImplicitLocOpBuilder &b, Value group,
                            Tile &tile) const {
  using P = arith::CmpIPredicate;
  Value id = load(b, expertIds, group);
  Value isUsed = compare(b, P::ult, id, i32Constant(b, experts));
  Value isGood = arith::OrIOp::create(
      b, isUsed, compare(b, P::eq, id, i32Constant(b, -1)));
  tile.valid =
      arith::SelectOp::create(b, isGood, tile.valid, indexConstant(b, 0));
  tile.expert =
      toIndex(b, arith::SelectOp::create(b, isUsed, id, i32Constant(b, -1)));
  if (!error)
    return;
  Value isBad = arith::XOrIOp::create(
      b, isGood, arith::ConstantIntOp::create(b, b.getI1Type(), 1));
  scf::IfOp::create(b, isBad, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    emitReport(b, error, 2);
    scf::YieldOp::create(b);
  });
}
