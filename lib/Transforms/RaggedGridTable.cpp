//===- RaggedGridTable.cpp - The table of tiles ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The lanes of a warp check the offsets, count the row tiles of their groups
// and write where each group begins.
//
//===----------------------------------------------------------------------===//

#include "GridBuilding.h"
#include "RaggedGrid.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;
using namespace mxfp4::grid;

namespace {

/// Groups that one lane looks after in a round: their bounds are loaded at
/// once, so that a round waits for memory once.
constexpr int64_t kGroupsPerLane = 8;

/// Row bounds of the lane's groups `first .. first+count-1`: count + 1 values,
/// clamped to the last, so that groups past the end are empty.
SmallVector<Value> loadBounds(ImplicitLocOpBuilder &b, const RaggedGrid &grid,
                              Value first, int64_t count) {
  SmallVector<Value> bounds;
  for (int64_t i = 0; i <= count; ++i) {
    Value at = arith::MinUIOp::create(
        b, arith::AddIOp::create(b, first, indexConstant(b, i)),
        indexConstant(b, grid.groups));
    bounds.push_back(load(b, grid.offsets, at));
  }
  return bounds;
}

/// i1: in some lane the bounds of the groups from `first` on do not rise, or
/// those at an end are not 0 or the number of rows.
Value emitAreBad(ImplicitLocOpBuilder &b, const RaggedGrid &grid, Value first,
                 ArrayRef<Value> bounds) {
  using P = arith::CmpIPredicate;
  const int64_t count = bounds.size() - 1;
  Value isStart = compare(b, P::eq, first, indexConstant(b, 0));
  Value isEnd =
      compare(b, P::uge, first, indexConstant(b, grid.groups - count));
  Value bad = arith::OrIOp::create(
      b,
      arith::AndIOp::create(
          b, isStart, compare(b, P::ne, bounds.front(), i32Constant(b, 0))),
      arith::AndIOp::create(
          b, isEnd,
          compare(b, grid.orLess ? P::sgt : P::ne, bounds.back(), grid.rows)));
  for (auto [begin, end] : llvm::zip(bounds.drop_back(), bounds.drop_front()))
    bad = arith::OrIOp::create(b, bad, compare(b, P::sgt, begin, end));
  return NVVM::VoteSyncOp::create(b, b.getI1Type(), i32Constant(b, -1), bad,
                                  NVVM::VoteSyncKind::any);
}

} // namespace

/// Row tiles of a group with this number of rows that are in a list.
Value RaggedGrid::emitRowTiles(ImplicitLocOpBuilder &b, Value rows,
                               int list) const {
  using P = arith::CmpIPredicate;
  Value tiles = arith::CeilDivUIOp::create(b, rows, i32Constant(b, tileTokens));
  if (fewestRows != 0)
    tiles = arith::SelectOp::create(
        b, compare(b, P::uge, rows, i32Constant(b, fewestRows)), tiles,
        i32Constant(b, 0));
  if (mostRows != 0)
    tiles = arith::SelectOp::create(
        b, compare(b, P::ule, rows, i32Constant(b, mostRows)), tiles,
        i32Constant(b, 0));
  if (!fullFirst)
    return tiles;
  Value isListed =
      compare(b, list == 0 ? P::ugt : P::ule, rows,
              i32Constant(b, shortTo != 0 ? shortTo : tileTokens / 2));
  return arith::SelectOp::create(b, isListed, tiles, i32Constant(b, 0));
}

/// One round: a list's entries of 32 lanes' groups, of which this lane's begin
/// with `first`. Takes and returns the number of tiles so far.
Value RaggedGrid::emitList(ImplicitLocOpBuilder &b, Value first,
                           ArrayRef<Value> bounds, Value tiles,
                           int list) const {
  const int64_t perLane = bounds.size() - 1;
  SmallVector<Value> ends; // Tiles up to and with each group.
  Value sum = i32Constant(b, 0);
  for (int64_t i = 0; i < perLane; ++i) {
    Value rows = arith::SubIOp::create(b, bounds[i + 1], bounds[i]);
    sum = arith::AddIOp::create(b, sum, emitRowTiles(b, rows, list));
    ends.push_back(sum);
  }
  const std::pair<Value, Value> scan = emitScan(b, sum);
  Value before = arith::AddIOp::create(b, tiles, scan.first);
  if (queue) {
    SmallVector<Value> counts = {before};
    for (Value end : ends)
      counts.push_back(arith::AddIOp::create(b, before, end));
    emitFirst(b, first, bounds, counts, scan.second);
  }
  for (int64_t i = 0; i < perLane; ++i) {
    Value group = arith::AddIOp::create(b, first, indexConstant(b, i));
    Value exists =
        compare(b, arith::CmpIPredicate::ult, group, indexConstant(b, groups));
    scf::IfOp::create(b, exists, [&](OpBuilder &then, Location loc) {
      ImplicitLocOpBuilder b(loc, then);
      Value next = arith::AddIOp::create(b, group,
                                         indexConstant(b, listBegin(list) + 1));
      memref::StoreOp::create(b, arith::AddIOp::create(b, before, ends[i]),
                              table, ValueRange{next});
      scf::YieldOp::create(b);
    });
  }
  return arith::AddIOp::create(b, tiles, scan.second);
}

void RaggedGrid::emitTable(ImplicitLocOpBuilder &b, Value lane) const {
  // What `griddepcontrol.wait` would do: the L1 may hold other offsets.
  if (ahead)
    LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, "device");
  const int64_t perLane =
      std::min(kGroupsPerLane, (groups + kWarp - 1) / kWarp);
  // Whether bounds were bad, and the tiles of each list.
  SmallVector<Value> start = {
      arith::ConstantIntOp::create(b, b.getI1Type(), 0)};
  start.append(lists(), i32Constant(b, 0));
  auto rounds = scf::ForOp::create(
      b, indexConstant(b, 0), indexConstant(b, groups),
      indexConstant(b, kWarp * perLane), start,
      [&](OpBuilder &builder, Location loc, Value base, ValueRange args) {
        ImplicitLocOpBuilder b(loc, builder);
        Value first = arith::AddIOp::create(
            b, base, arith::MulIOp::create(b, lane, indexConstant(b, perLane)));
        const SmallVector<Value> bounds = loadBounds(b, *this, first, perLane);
        SmallVector<Value> next = {arith::OrIOp::create(
            b, args[0], emitAreBad(b, *this, first, bounds))};
        for (int list = 0; list < lists(); ++list)
          next.push_back(emitList(b, first, bounds, args[list + 1], list));
        scf::YieldOp::create(b, next);
      });
  Value isBad = rounds.getResult(0), tiles = rounds.getResult(1);
  if (fullFirst)
    tiles = arith::AddIOp::create(b, tiles, rounds.getResult(2));
  Value all = tiles;
  tiles = arith::SelectOp::create(b, isBad, i32Constant(b, 0), tiles);
  Value isFirstLane =
      compare(b, arith::CmpIPredicate::eq, lane, indexConstant(b, 0));
  scf::IfOp::create(b, isFirstLane, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    for (int list = 0; list < lists(); ++list)
      memref::StoreOp::create(b, i32Constant(b, 0), table,
                              ValueRange{indexConstant(b, listBegin(list))});
    memref::StoreOp::create(b, tiles, table,
                            ValueRange{indexConstant(b, groups + 1)});
    if (error)
      scf::IfOp::create(b, isBad, [&](OpBuilder &then, Location loc) {
        ImplicitLocOpBuilder b(loc, then);
        // Launches ahead may be of this kernel, and use the same word.
        if (ahead)
          NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
        emitReport(b, error, 1);
        scf::YieldOp::create(b);
      });
    scf::YieldOp::create(b);
  });
  // Who has the first tile may read the table.
  if (queue)
    emitHandOut(b, lane, tiles, all);
}
