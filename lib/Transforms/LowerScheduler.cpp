//===- LowerScheduler.cpp - The warp that hands out tiles -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelOutlining.h"
#include "ProgramLowering.h"
#include "PromotedSums.h"
#include "RaggedGrid.h"
#include "TileCounts.h"
#include "TileHalves.h"

#include "mxfp4/Core/RowCounters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

/// Whether the first tile is handed out ahead of `griddepcontrol.wait`.
static bool copiesAhead(HandOutTilesOp op) {
  return op.getSchedule().toSchedule().copiesAhead;
}

bool mxfp4::sharesTable(HandOutTilesOp op) {
  const Schedule schedule = op.getSchedule().toSchedule();
  return op.getCounter() && (schedule.isShort() || schedule.isBeside());
}

std::pair<Value, Value> mxfp4::countShared(ImplicitLocOpBuilder &b,
                                           HandOutTilesOp op) {
  const int64_t groups =
      cast<MemRefType>(op.getOffsets().getType()).getDimSize(0) - 1;
  const auto load = [&](int64_t entry) -> Value {
    Value tiles = memref::LoadOp::create(b, op.getTable(),
                                         ValueRange{indexConstant(b, entry)});
    return arith::MulIOp::create(
        b, arith::IndexCastOp::create(b, b.getIndexType(), tiles),
        indexConstant(b, op.getColumns()));
  };
  Value all = load(groups + 1);
  return {all, arith::MinUIOp::create(b, load(groups), all)};
}

/// The number of the next tile where two programs share a table, or that of all
/// if there is none: the first that is not taken, or for short groups the last.
/// The counter has what each program took in a half, so that both are read at
/// once and no tile is taken twice. The first tiles, one for each CTA, are
/// taken already.
static Value takeShared(ImplicitLocOpBuilder &b, HandOutTilesOp op) {
  using P = arith::CmpIPredicate;
  constexpr int64_t kHalf = 16;
  const bool isShort = op.getSchedule().toSchedule().isShort();
  const auto [all, others] = countShared(b, op);
  Value taken = memref::AtomicRMWOp::create(
      b, arith::AtomicRMWKind::addi, i32Constant(b, isShort ? 1 << kHalf : 1),
      op.getCounter(), ValueRange{indexConstant(b, 0)});
  taken = arith::IndexCastUIOp::create(b, b.getIndexType(), taken);
  Value first = arith::AddIOp::create(
      b, arith::AndIOp::create(b, taken, indexConstant(b, (1 << kHalf) - 1)),
      op.getStride());
  Value last = arith::ShRUIOp::create(b, taken, indexConstant(b, kHalf));
  Value few = arith::SubIOp::create(b, all, others);
  Value behind = arith::MinUIOp::create(b, last, few);
  Value isTile = arith::CmpIOp::create(
      b, P::ult, arith::AddIOp::create(b, first, behind), all);
  Value number = first;
  if (isShort) {
    isTile = arith::AndIOp::create(b, isTile,
                                   arith::CmpIOp::create(b, P::ult, last, few));
    number = arith::SubIOp::create(
        b, all, arith::AddIOp::create(b, last, indexConstant(b, 1)));
  }
  return arith::SelectOp::create(b, isTile, number, all);
}

/// The number of the CTA's next tile: the first that no CTA has taken, or
/// `stride` tiles on.
static Value takeNumber(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                        Value number) {
  if (!op.getCounter())
    return arith::AddIOp::create(b, number, op.getStride());
  if (sharesTable(op))
    return takeShared(b, op);
  Value taken = memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::addi,
                                            i32Constant(b, 1), op.getCounter(),
                                            ValueRange{indexConstant(b, 0)});
  taken = arith::IndexCastOp::create(b, b.getIndexType(), taken);
  return arith::AddIOp::create(b, taken, op.getStride());
}

/// Where tiles and halves are, if there are halves.
static std::optional<TileHalves> halvesOf(ImplicitLocOpBuilder &b,
                                          HandOutTilesOp op) {
  if (!op.getSchedule().toSchedule().halfTiles)
    return std::nullopt;
  RaggedGrid grid;
  grid.table = op.getTable();
  grid.groups = cast<MemRefType>(op.getOffsets().getType()).getDimSize(0) - 1;
  grid.columnTiles = 1;
  return TileHalves(b, grid.emitTileCount(b), op.getColumns());
}

/// What the queue holds of a tile.
static SmallVector<Value> emitFields(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                                     const std::optional<TileHalves> &halves,
                                     Value number) {
  if (!halves)
    return SmallVector<Value>(
        locateTile(b, op, number, op.getColumns()).getResults());
  const TileHalves::Place place = halves->locate(b, number);
  LocateTileOp tile = locateTile(b, op, place.rowTile, /*columns=*/1);
  return {tile.getExpert(), tile.getRow(), tile.getValid(), place.column};
}

/// Puts a tile, or the end, into a slot that all have read, once its rows are
/// there where rows are `brought` into order or counts are awaited.
static TileCount publish(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                         const std::optional<TileHalves> &halves, Value brought,
                         Value number, Value isTile, Value cursor) {
  Value slot = RingSlotOp::create(b, b.getIndexType(), cursor);
  const auto store = [&](Value value, int64_t field) {
    if (value.getType().isIndex())
      value = arith::IndexCastOp::create(b, b.getI32Type(), value);
    memref::StoreOp::create(b, value, op.getFields(),
                            ValueRange{slot, indexConstant(b, field)});
  };
  SmallVector<Type> types;
  if (op.getStored())
    llvm::append_range(types,
                       ValueRange(TileCount::nothing(b, op).words).getTypes());
  auto branch = scf::IfOp::create(b, types, isTile, /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    const SmallVector<Value> fields = emitFields(b, op, halves, number);
    if (brought)
      waitForRows(b, op, brought, /*row=*/fields[1], /*valid=*/fields[2]);
    if (op.getAwaited())
      waitForGroups(b, op, /*group=*/fields[0], /*row=*/fields[1],
                    /*valid=*/fields[2]);
    for (auto [field, value] : llvm::enumerate(fields))
      store(value, field);
    if (op.getStored())
      scf::YieldOp::create(b, TileCount::ofTile(b, op, fields).words);
    b.setInsertionPointToStart(branch.elseBlock());
    for (int64_t field = 0; field < QueuedTile::kFields; ++field)
      store(i32Constant(b, -1), field);
    if (op.getStored())
      scf::YieldOp::create(b, TileCount::nothing(b, op).words);
  }
  // One arrival, no bytes.
  RingFillOp::create(b, op.getQueue(), cursor, i32Constant(b, 0));
  return {SmallVector<Value>(branch.getResults())};
}

/// No CTA takes a number any more, and no tile waits for rows. The fences order
/// the numbers that all have taken, the count of roles, and the zeros; LLVM
/// would drop an ordering of the count itself.
void mxfp4::putBack(ImplicitLocOpBuilder &b, Value workspace, Value rows,
                    bool isTwice) {
  auto fence = [&] {
    LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, "device");
  };
  fence();
  Value before = memref::AtomicRMWOp::create(
      b, arith::AtomicRMWKind::addi, i32Constant(b, 1), workspace,
      ValueRange{indexConstant(b, RowCounters::kEnded)});
  fence();
  Value roles = gpu::GridDimOp::create(b, gpu::Dimension::x);
  roles = arith::IndexCastOp::create(b, b.getI32Type(), roles);
  if (const int perCTA = 1 + bool(rows) + isTwice; perCTA > 1)
    roles = arith::MulIOp::create(b, roles, i32Constant(b, perCTA));
  Value isLast =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, before,
                            arith::SubIOp::create(b, roles, i32Constant(b, 1)));
  auto last = scf::IfOp::create(b, isLast);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(last.thenBlock());
  const auto clear = [&](ImplicitLocOpBuilder &b, Value word) {
    memref::StoreOp::create(b, i32Constant(b, 0), workspace, word);
  };
  for (int64_t word : {RowCounters::kTiles, RowCounters::kEnded})
    clear(b, indexConstant(b, word));
  if (!rows)
    return;
  scf::ForOp::create(
      b, indexConstant(b, RowCounters::kClaimed),
      indexConstant(b, RowCounters::kWords), indexConstant(b, 1), ValueRange(),
      [&](OpBuilder &builder, Location loc, Value word, ValueRange) {
        ImplicitLocOpBuilder inner(loc, builder);
        clear(inner, word);
        scf::YieldOp::create(inner);
      });
}

/// Tiles for each CTA up to which numbers are taken late. With up to 15, layers
/// took 0.96 to 1.00 of the time and matmuls 0.82 to 1.00, but for one with
/// 1.01; with 29 tiles and more, layers took 0.99 to 1.004 under uniform
/// routing and up to 1.014 under Zipf's.
constexpr int64_t kFewTiles = 16;

/// Whether the launch has more tiles, and numbers are taken early; null if
/// they are in any case. Measured where full tiles come first. Two kinds of
/// tiles took up to 1.005 of the time with late numbers; expert ids, 8-bit
/// numbers, the baseline and warps that bring rows were not measured.
static Value hasManyTiles(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                          Value count) {
  const Schedule schedule = op.getSchedule().toSchedule();
  if (!op.getCounter() || op.getRows() || op.getExpertIds() ||
      !schedule.fullTilesFirst || schedule.wideFrom != 0 ||
      schedule.placement != Placement::Register || schedule.traits().cutsSums())
    return Value();
  return arith::CmpIOp::create(
      b, arith::CmpIPredicate::ugt, count,
      arith::MulIOp::create(b, op.getStride(), indexConstant(b, kFewTiles)));
}

/// Whether numbers are taken late however many tiles there are: with promoted
/// sums whose first interval has a loop of its own, matmuls took 0.97 to 1.00
/// of the time, and layers 0.985 to 1.00. A choice at run time, as above, cost
/// layers of many tiles 0.6 to 1 %. In kernels that count, promote sums and
/// decode nothing ahead, the warp that hands out tiles would spill 8 bytes for
/// numbers that are taken early; layers took 0.99 to 1.00 of the time.
static bool takesLate(HandOutTilesOp op) {
  auto kernel = op->getParentOfType<FunctionOpInterface>();
  if (!op.getCounter() || op.getRows() || op.getExpertIds() || !kernel)
    return false;
  const Schedule schedule = op.getSchedule().toSchedule();
  const bool spills = op.getStored() && !schedule.overlapDecode &&
                      schedule.kSlices == 1 && promotesSums(kernel);
  return spills || hasLoopOfFirstInterval(kernel);
}

/// One of two numbers, which is made if it is needed.
static Value choose(ImplicitLocOpBuilder &b, Value isFirst,
                    function_ref<Value()> first, function_ref<Value()> second) {
  if (!isFirst)
    return first();
  auto choice =
      scf::IfOp::create(b, b.getIndexType(), isFirst, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, first());
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, second());
  return choice.getResult(0);
}

/// Counts the last tiles: the loop ends with some that warps may still store.
/// `results` of the loop are the number, the cursor of the end of the queue,
/// and the tiles, the latest first. A tile has been stored when all warps have
/// taken what the queue holds behind it.
static void countLast(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                      ValueRange results) {
  Value cursor = results[1];
  const ValueRange tiles = results.drop_front(2);
  const int64_t words = TileCount::countWords(op);
  for (int64_t i = op.getQueue().getType().getSlots(); i >= 1; --i) {
    cursor = RingNextOp::create(b, cursor, Value());
    RingAcquireOp::create(b, op.getQueue(), cursor);
    TileCount{SmallVector<Value>(tiles.slice(i * words, words))}.raise(b, op);
  }
}

/// while (publish(number)) number = next;
///
/// In launches of many tiles the next number is taken ahead of everything that
/// takes time. With few tiles, with promoted sums, with counts to wait for, and
/// where the first tile is handed out elsewhere, or ahead of
/// `griddepcontrol.wait`, it is taken when there is a slot for its tile (and
/// behind the wait): CTAs begin and end tiles at different times, and some
/// would take the numbers of tiles that others could begin earlier.
void mxfp4::lowerScheduler(HandOutTilesOp op, bool isFirstHandedOut) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const int64_t slots = op.getQueue().getType().getSlots();
  const auto cursorType = CursorType::get(b.getContext(), slots, 1);
  const bool isAhead = copiesAhead(op);
  const bool mayBeEarly =
      !isAhead && !isFirstHandedOut && !op.getAwaited() && !takesLate(op);
  const auto takeNext = [&](Value number, Value cursor) {
    RingAcquireOp::create(b, op.getQueue(), cursor);
    // CTAs begin one after the other: the first ones would take all tiles.
    if (op.getAwaited())
      RingAcquireOp::create(b, op.getQueue(),
                            RingNextOp::create(b, cursor, Value()));
    return takeNumber(b, op, number);
  };
  Value start = RingStartOp::create(b, cursorType, Value());
  Value first = op.getFirst();
  if (isFirstHandedOut) {
    start = RingNextOp::create(b, start, Value());
    first = takeNext(first, start);
  }
  Value brought = op.getRows() ? countBroughtRows(b, op) : Value();
  const std::optional<TileHalves> halves = halvesOf(b, op);
  const bool isShared = sharesTable(op);
  Value count = isShared ? countShared(b, op).first : Value(op.getCount());
  if (isShared && op.getSchedule().toSchedule().isShort())
    first = takeShared(b, op);
  Value isMany = mayBeEarly ? hasManyTiles(b, op, count) : Value();
  const int64_t words = TileCount::countWords(op);
  // Tiles whose warps may not all have taken the next one, the latest first.
  SmallVector<Value> inits = {first, start};
  for (int64_t i = 0; op.getStored() && i <= slots; ++i)
    llvm::append_range(inits, TileCount::nothing(b, op).words);
  auto loop = scf::WhileOp::create(
      b, TypeRange(ValueRange(inits)), inits,
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value number = args[0], following = number;
        if (mayBeEarly)
          following = choose(
              b, isMany, [&] { return takeNumber(b, op, number); },
              [&] { return number; });
        Value isTile =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number, count);
        if (mayBeEarly)
          RingAcquireOp::create(b, op.getQueue(), args[1]);
        if (op.getStored())
          TileCount{SmallVector<Value>(args.take_back(words))}.raise(b, op);
        const TileCount latest =
            publish(b, op, halves, brought, number, isTile, args[1]);
        SmallVector<Value> passed = {following, args[1]};
        if (op.getStored()) {
          llvm::append_range(passed, latest.words);
          llvm::append_range(passed, args.drop_front(2).drop_back(words));
        }
        scf::ConditionOp::create(b, isTile, passed);
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value number = args[0];
        Value next = RingNextOp::create(b, args[1], Value());
        if (isAhead)
          NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
        if (!mayBeEarly)
          number = takeNext(number, next);
        else if (isMany)
          number = choose(
              b, isMany, [&] { return number; },
              [&] { return takeNext(number, next); });
        SmallVector<Value> yielded = {number, next};
        llvm::append_range(yielded, args.drop_front(2));
        scf::YieldOp::create(b, yielded);
      });
  b.setInsertionPoint(op);
  if (op.getStored())
    countLast(b, op, loop.getResults());
  // A CTA without a tile has not waited yet.
  if (isAhead)
    NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
  // Kernels behind this one count on all kernels ahead having ended.
  if (op.getAwaited())
    emitGridDependency(b);
  if (op.getCounter())
    putBack(b, op.getCounter(), op.getRows(), isShared);
  op.erase();
}
