//===- RaggedGridFirst.cpp - The first tile of a CTA ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The warp that counts tiles knows where the first one lies before others can
// read the table, and hands it out; ahead of the wait for the kernel before it
// can guess it.
//
//===----------------------------------------------------------------------===//

#include "GridBuilding.h"
#include "RaggedGrid.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;
using namespace mxfp4::grid;

/// The CTA's first tile, if there are `rowTiles` (i32).
TileHalves::Place RaggedGrid::locateFirst(ImplicitLocOpBuilder &b,
                                          Value rowTiles) const {
  if (halves)
    return TileHalves(b, toIndex(b, rowTiles), columnTiles).locate(b, first);
  Value columns = indexConstant(b, columnTiles);
  Value rowTile = arith::DivUIOp::create(b, first, columns);
  return {rowTile, arith::RemUIOp::create(b, first, columns)};
}

/// As `emitList` and `emitFirst` do behind the wait. Lanes have groups side by
/// side: relaxed loads pass by the L1, and each sector that lanes do not share
/// is a request to the L2, to which all CTAs send the same.
RaggedGrid::Guess RaggedGrid::emitGuess(ImplicitLocOpBuilder &b,
                                        Value lane) const {
  using P = arith::CmpIPredicate;
  const auto add = [&](Value l, Value r) -> Value {
    return arith::AddIOp::create(b, l, r);
  };
  const int64_t chunks = llvm::divideCeil(groups, kWarpThreads);
  Value isLast = compare(b, P::eq, lane, indexConstant(b, kWarpThreads - 1));
  Value behind =
      toI32(b, arith::SelectOp::create(b, isLast, indexConstant(b, 0),
                                       add(lane, indexConstant(b, 1))));
  // Where the group of each lane begins, and the one of the lane behind.
  SmallVector<Value> numbers, begins, ends;
  for (int64_t i = 0; i <= chunks; ++i) {
    numbers.push_back(add(lane, indexConstant(b, kWarpThreads * i)));
    Value at = arith::MinUIOp::create(b, numbers[i], indexConstant(b, groups));
    begins.push_back(LoadEarlyOp::create(b, b.getI32Type(), offsets, at));
  }
  for (Value begin : begins)
    ends.push_back(gpu::ShuffleOp::create(b, begin, behind,
                                          i32Constant(b, kWarpThreads),
                                          gpu::ShuffleMode::IDX)
                       .getShuffleResult());
  Value all = i32Constant(b, 0);
  SmallVector<Value> tiles, before;
  for (int64_t i = 0; i < chunks; ++i) {
    Value end = arith::SelectOp::create(b, isLast, ends[i + 1], ends[i]);
    Value rows = arith::SubIOp::create(b, end, begins[i]);
    tiles.push_back(emitRowTiles(b, rows, /*list=*/0));
    const std::pair<Value, Value> scan = emitScan(b, tiles[i]);
    before.push_back(add(all, scan.first));
    all = add(all, scan.second);
  }
  const TileHalves::Place place = locateFirst(b, all);
  Value wanted = toI32(b, place.rowTile);
  Guess guess = {arith::ConstantIntOp::create(b, b.getI1Type(), 0), numbers[0],
                 place.column};
  for (int64_t i = 0; i < chunks; ++i) {
    Value within = arith::SubIOp::create(b, wanted, before[i]);
    Value isMine = compare(b, P::ult, within, tiles[i]);
    guess.found = arith::OrIOp::create(b, guess.found, isMine);
    guess.group = arith::SelectOp::create(b, isMine, numbers[i], guess.group);
  }
  // Both bounds of what is behind the last group may have been read at
  // different times.
  guess.found = arith::AndIOp::create(
      b, guess.found,
      compare(b, P::ult, guess.group, indexConstant(b, groups)));
  return guess;
}

/// Into the first slot of the queue.
void RaggedGrid::emitStore(ImplicitLocOpBuilder &b,
                           ArrayRef<Value> tile) const {
  for (auto [field, value] : llvm::enumerate(tile))
    memref::StoreOp::create(
        b, value.getType().isIndex() ? toI32(b, value) : value, fields,
        ValueRange{indexConstant(b, 0), indexConstant(b, field)});
}

/// The lane that looks after the group of the first tile stores it: `tiles` are
/// the row tiles before the lane's groups, and up to the end of each, and `all`
/// those of all lanes.
void RaggedGrid::emitFirst(ImplicitLocOpBuilder &b, Value firstGroup,
                           ArrayRef<Value> bounds, ArrayRef<Value> tiles,
                           Value all) const {
  using P = arith::CmpIPredicate;
  Value rowTile = locateFirst(b, all).rowTile;
  Value wanted = toI32(b, rowTile);
  Value group = firstGroup, begin = bounds[0], end = bounds[1];
  Value from = tiles[0], to = tiles[1];
  for (size_t i = 1; i + 1 < tiles.size(); ++i) {
    Value isPast = compare(b, P::uge, wanted, tiles[i]);
    const auto choose = [&](Value &value, Value other) {
      value = arith::SelectOp::create(b, isPast, other, value);
    };
    choose(group, arith::AddIOp::create(b, firstGroup, indexConstant(b, i)));
    choose(begin, bounds[i]);
    choose(end, bounds[i + 1]);
    choose(from, tiles[i]);
    choose(to, tiles[i + 1]);
  }
  Value isMine = arith::AndIOp::create(b, compare(b, P::uge, wanted, from),
                                       compare(b, P::ult, wanted, to));
  scf::IfOp::create(b, isMine, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    Tile tile;
    Value before = toIndex(b, from);
    emitRows(b,
             {toIndex(b, begin), toIndex(b, end), before,
              arith::SubIOp::create(b, rowTile, before),
              [&] { return toIndex(b, to); }},
             tile);
    emitStore(b, {group, tile.row, tile.valid, locateFirst(b, all).column});
    scf::YieldOp::create(b);
  });
}

/// The first lane hands out what a lane has stored, or the end if none has or
/// the offsets are bad: then `tiles` is 0 instead of `all`.
void RaggedGrid::emitHandOut(ImplicitLocOpBuilder &b, Value lane, Value tiles,
                             Value all) const {
  NVVM::SyncWarpOp::create(b, i32Constant(b, -1));
  Value isFirstLane =
      compare(b, arith::CmpIPredicate::eq, lane, indexConstant(b, 0));
  scf::IfOp::create(b, isFirstLane, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    Value rowTile = toI32(b, locateFirst(b, all).rowTile);
    Value isEnd = compare(b, arith::CmpIPredicate::uge, rowTile, tiles);
    scf::IfOp::create(b, isEnd, [&](OpBuilder &then, Location loc) {
      ImplicitLocOpBuilder b(loc, then);
      emitStore(b, SmallVector<Value>(4, i32Constant(b, -1)));
      scf::YieldOp::create(b);
    });
    const auto ring = cast<RingType>(queue.getType());
    Value cursor = RingStartOp::create(
        b, CursorType::get(b.getContext(), ring.getSlots(), 1), Value());
    RingFillOp::create(b, queue, cursor, i32Constant(b, 0));
    scf::YieldOp::create(b);
  });
}
