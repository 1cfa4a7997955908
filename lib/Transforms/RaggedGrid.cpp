//===- RaggedGrid.cpp - Which tile does a CTA compute ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RaggedGrid.h"
#include "KernelBuilding.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr int kWarp = 32;

Value i32(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, b.getI32Type(), value);
}
Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value l,
              Value r) {
  return arith::CmpIOp::create(b, predicate, l, r);
}
Value toIndex(ImplicitLocOpBuilder &b, Value value) {
  return arith::IndexCastOp::create(b, b.getIndexType(), value);
}
Value toI32(ImplicitLocOpBuilder &b, Value value) {
  return arith::IndexCastOp::create(b, b.getI32Type(), value);
}
Value load(ImplicitLocOpBuilder &b, Value memref, Value at) {
  return memref::LoadOp::create(b, memref, ValueRange{at});
}

struct Shuffled {
  Value value, valid;
};
Shuffled shuffle(ImplicitLocOpBuilder &b, gpu::ShuffleMode mode, Value value,
                 int32_t lane) {
  auto op = gpu::ShuffleOp::create(b, value, lane, kWarp, mode);
  return {op.getShuffleResult(), op.getValid()};
}

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
      arith::AndIOp::create(b, isStart,
                            compare(b, P::ne, bounds.front(), i32(b, 0))),
      arith::AndIOp::create(
          b, isEnd,
          compare(b, grid.orLess ? P::sgt : P::ne, bounds.back(), grid.rows)));
  for (auto [begin, end] : llvm::zip(bounds.drop_back(), bounds.drop_front()))
    bad = arith::OrIOp::create(b, bad, compare(b, P::sgt, begin, end));
  return NVVM::VoteSyncOp::create(b, b.getI1Type(), i32(b, -1), bad,
                                  NVVM::VoteSyncKind::any);
}

/// Sum over the lanes before this one, and over all lanes.
std::pair<Value, Value> emitScan(ImplicitLocOpBuilder &b, Value value) {
  Value sum = value;
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const Shuffled before = shuffle(b, gpu::ShuffleMode::UP, sum, distance);
    sum = arith::AddIOp::create(
        b, sum,
        arith::SelectOp::create(b, before.valid, before.value, i32(b, 0)));
  }
  return {arith::SubIOp::create(b, sum, value),
          shuffle(b, gpu::ShuffleMode::IDX, sum, kWarp - 1).value};
}

/// ORs `bits` into the error word, if there is one.
void emitReport(ImplicitLocOpBuilder &b, Value error, int bits) {
  if (error)
    memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, i32(b, bits),
                                error, ValueRange{indexConstant(b, 0)});
}

} // namespace

/// Row tiles of a group with this number of rows that are in a list.
Value RaggedGrid::emitRowTiles(ImplicitLocOpBuilder &b, Value rows,
                               int list) const {
  using P = arith::CmpIPredicate;
  Value tiles = arith::CeilDivUIOp::create(b, rows, i32(b, tileTokens));
  if (fewestRows != 0)
    tiles = arith::SelectOp::create(
        b, compare(b, P::uge, rows, i32(b, fewestRows)), tiles, i32(b, 0));
  if (mostRows != 0)
    tiles = arith::SelectOp::create(
        b, compare(b, P::ule, rows, i32(b, mostRows)), tiles, i32(b, 0));
  if (!fullFirst)
    return tiles;
  Value isListed = compare(b, list == 0 ? P::ugt : P::ule, rows,
                           i32(b, shortTo != 0 ? shortTo : tileTokens / 2));
  return arith::SelectOp::create(b, isListed, tiles, i32(b, 0));
}

/// One round: a list's entries of 32 lanes' groups, of which this lane's begin
/// with `first`. Takes and returns the number of tiles so far.
Value RaggedGrid::emitList(ImplicitLocOpBuilder &b, Value first,
                           ArrayRef<Value> bounds, Value tiles,
                           int list) const {
  const int64_t perLane = bounds.size() - 1;
  SmallVector<Value> ends; // Tiles up to and with each group.
  Value sum = i32(b, 0);
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
  start.append(lists(), i32(b, 0));
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
  tiles = arith::SelectOp::create(b, isBad, i32(b, 0), tiles);
  Value isFirstLane =
      compare(b, arith::CmpIPredicate::eq, lane, indexConstant(b, 0));
  scf::IfOp::create(b, isFirstLane, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    for (int list = 0; list < lists(); ++list)
      memref::StoreOp::create(b, i32(b, 0), table,
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
    Value steps = arith::CeilDivUIOp::create(b, share, i32(b, tokenStep));
    height = toIndex(b, arith::MulIOp::create(b, steps, i32(b, tokenStep)));
  }
  tile.row = arith::AddIOp::create(
      b, group.begin, arith::MulIOp::create(b, group.within, height));
  tile.valid = arith::MinUIOp::create(
      b, arith::SubIOp::create(b, group.end, tile.row), height);
}

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
  const int64_t chunks = llvm::divideCeil(groups, kWarp);
  Value isLast = compare(b, P::eq, lane, indexConstant(b, kWarp - 1));
  Value behind =
      toI32(b, arith::SelectOp::create(b, isLast, indexConstant(b, 0),
                                       add(lane, indexConstant(b, 1))));
  // Where the group of each lane begins, and the one of the lane behind.
  SmallVector<Value> numbers, begins, ends;
  for (int64_t i = 0; i <= chunks; ++i) {
    numbers.push_back(add(lane, indexConstant(b, kWarp * i)));
    Value at = arith::MinUIOp::create(b, numbers[i], indexConstant(b, groups));
    begins.push_back(LoadEarlyOp::create(b, b.getI32Type(), offsets, at));
  }
  for (Value begin : begins)
    ends.push_back(gpu::ShuffleOp::create(b, begin, behind, i32(b, kWarp),
                                          gpu::ShuffleMode::IDX)
                       .getShuffleResult());
  Value all = i32(b, 0);
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
  NVVM::SyncWarpOp::create(b, i32(b, -1));
  Value isFirstLane =
      compare(b, arith::CmpIPredicate::eq, lane, indexConstant(b, 0));
  scf::IfOp::create(b, isFirstLane, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    Value rowTile = toI32(b, locateFirst(b, all).rowTile);
    Value isEnd = compare(b, arith::CmpIPredicate::uge, rowTile, tiles);
    scf::IfOp::create(b, isEnd, [&](OpBuilder &then, Location loc) {
      ImplicitLocOpBuilder b(loc, then);
      emitStore(b, SmallVector<Value>(4, i32(b, -1)));
      scf::YieldOp::create(b);
    });
    const auto ring = cast<RingType>(queue.getType());
    Value cursor = RingStartOp::create(
        b, CursorType::get(b.getContext(), ring.getSlots(), 1), Value());
    RingFillOp::create(b, queue, cursor, i32(b, 0));
    scf::YieldOp::create(b);
  });
}

/// Id -1 has no expert; a bad id has no rows either.
void RaggedGrid::emitExpert(ImplicitLocOpBuilder &b, Value group,
                            Tile &tile) const {
  using P = arith::CmpIPredicate;
  Value id = load(b, expertIds, group);
  Value isUsed = compare(b, P::ult, id, i32(b, experts));
  Value isGood =
      arith::OrIOp::create(b, isUsed, compare(b, P::eq, id, i32(b, -1)));
  tile.valid =
      arith::SelectOp::create(b, isGood, tile.valid, indexConstant(b, 0));
  tile.expert = toIndex(b, arith::SelectOp::create(b, isUsed, id, i32(b, -1)));
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
