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

/// A word has two counts of up to 256 groups, one of them from this bit on.
static constexpr int64_t kHighHalf = 16;

/// Where few groups are short, the warpgroup that has them would wait for the
/// two others. Groups with up to half as many rows more are short as well then,
/// in two tiles, if all short tiles are at most four for five of the others.
/// With 0.38 times as many short tiles, which became 0.73, matmuls took 0.97
/// of the time, and with 0.35, which became 0.61, 0.99. With 0.41 and 0.42,
/// which would become 0.91 and 1.03, they took 1.03 and 1.02 times as long.
Value RaggedGrid::emitMostShort(ImplicitLocOpBuilder &b,
                                ArrayRef<Value> bounds) const {
  using P = arith::CmpIPredicate;
  if (mostShort == 0)
    return Value();
  const auto number = [&](int64_t value) { return i32Constant(b, value); };
  const auto add = [&](Value sum, Value isCounted, Value count) -> Value {
    return arith::AddIOp::create(
        b, sum, arith::SelectOp::create(b, isCounted, count, number(0)));
  };
  const auto times = [&](Value tiles, int64_t factor) -> Value {
    return arith::MulIOp::create(b, tiles, number(factor));
  };
  // Short groups, and in the other half of a word those that may be; then the
  // tiles of all that are not short.
  Value groups = number(0), others = number(0);
  for (auto [begin, end] : llvm::zip(bounds.drop_back(), bounds.drop_front())) {
    Value rows = arith::SubIOp::create(b, end, begin);
    Value isShort = compare(b, P::ule, rows, number(shortTo));
    Value mayBe = compare(b, P::ule, rows, number(mostShort));
    Value counted = arith::SelectOp::create(
        b, isShort, arith::MinUIOp::create(b, rows, number(1)),
        number(1 << kHighHalf));
    groups = add(groups, mayBe, counted);
    Value tiles = arith::CeilDivUIOp::create(b, rows, number(tileTokens));
    others = arith::AddIOp::create(
        b, others, arith::SelectOp::create(b, isShort, number(0), tiles));
  }
  groups = emitScan(b, groups).second;
  others = emitScan(b, others).second;
  Value few = arith::AndIOp::create(b, groups, number((1 << kHighHalf) - 1));
  Value more = arith::ShRUIOp::create(b, groups, number(kHighHalf));
  // 0.33 < few / others < 0.45, and (few + 2 more) / (others - more) <= 0.8.
  Value areFew = arith::AndIOp::create(
      b, compare(b, P::ugt, times(few, 3), others),
      compare(b, P::ult, times(few, 20), times(others, 9)));
  Value all = arith::AddIOp::create(b, few, times(more, 2));
  Value fit = compare(b, P::ule, times(all, 5),
                      times(arith::SubIOp::create(b, others, more), 4));
  return arith::SelectOp::create(b, arith::AndIOp::create(b, areFew, fit),
                                 number(mostShort), number(shortTo));
}

/// Row tiles of a group with this number of rows that are in a list.
Value RaggedGrid::emitRowTiles(ImplicitLocOpBuilder &b, Value rows, int list,
                               Value most) const {
  using P = arith::CmpIPredicate;
  const int64_t height = list == 1 && most ? shortTo : tileTokens;
  Value tiles = arith::CeilDivUIOp::create(b, rows, i32Constant(b, height));
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
  if (!most)
    most = i32Constant(b, shortTo != 0 ? shortTo : tileTokens / 2);
  Value isListed = compare(b, list == 0 ? P::ugt : P::ule, rows, most);
  return arith::SelectOp::create(b, isListed, tiles, i32Constant(b, 0));
}

/// One round: a list's entries of 32 lanes' groups, of which this lane's begin
/// with `first`. Takes and returns the number of tiles so far.
Value RaggedGrid::emitList(ImplicitLocOpBuilder &b, Value first,
                           ArrayRef<Value> bounds, Value tiles, int list,
                           Value most) const {
  const int64_t perLane = bounds.size() - 1;
  SmallVector<Value> ends; // Tiles up to and with each group.
  Value sum = i32Constant(b, 0);
  for (int64_t i = 0; i < perLane; ++i) {
    Value rows = arith::SubIOp::create(b, bounds[i + 1], bounds[i]);
    sum = arith::AddIOp::create(b, sum, emitRowTiles(b, rows, list, most));
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
      std::min(kGroupsPerLane, (groups + kWarpThreads - 1) / kWarpThreads);
  // Whether bounds were bad, and the tiles of each list.
  SmallVector<Value> start = {
      arith::ConstantIntOp::create(b, b.getI1Type(), 0)};
  start.append(lists(), i32Constant(b, 0));
  auto rounds = scf::ForOp::create(
      b, indexConstant(b, 0), indexConstant(b, groups),
      indexConstant(b, kWarpThreads * perLane), start,
      [&](OpBuilder &builder, Location loc, Value base, ValueRange args) {
        ImplicitLocOpBuilder b(loc, builder);
        Value first = arith::AddIOp::create(
            b, base, arith::MulIOp::create(b, lane, indexConstant(b, perLane)));
        const SmallVector<Value> bounds = loadBounds(b, *this, first, perLane);
        SmallVector<Value> next = {arith::OrIOp::create(
            b, args[0], emitAreBad(b, *this, first, bounds))};
        Value most = emitMostShort(b, bounds);
        for (int list = 0; list < lists(); ++list)
          next.push_back(
              emitList(b, first, bounds, args[list + 1], list, most));
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
