//===- LowerTileLoops.cpp - Loops over tiles to scf -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelOutlining.h"
#include "ProgramLowering.h"
#include "PromotedSums.h"
#include "RaggedGrid.h"
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

/// i32 in the queue for each tile: expert, row, rows and column; column -1
/// ends.
static constexpr int64_t kFields = 4, kColumn = 3;

/// The tile of this number, if there are `columns` columns of tiles.
template <typename Op>
static LocateTileOp locate(ImplicitLocOpBuilder &b, Op op, Value number,
                           uint64_t columns) {
  return LocateTileOp::create(b, number, op.getTable(), op.getOffsets(),
                              op.getExpertIds(), op.getError(), op.getExperts(),
                              columns, op.getSchedule());
}

void mxfp4::lowerTileLoop(ForTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  auto loop = scf::ForOp::create(
      b, tiles.getFirst(), tiles.getCount(), tiles.getStride(),
      tiles.getInits(),
      [&](OpBuilder &builder, Location, Value number, ValueRange carried) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> arguments(
            locate(b, tiles, number, tiles.getColumns()).getResults());
        llvm::append_range(arguments, carried);
        scf::YieldOp::create(b, inlineRegion(b, tiles.getBody(), arguments));
      });
  tiles.replaceAllUsesWith(loop.getResults());
  tiles.erase();
}

/// while (tile = next of the queue) body(tile);
void mxfp4::lowerTileLoop(TakeTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  auto role = tiles->getParentOfType<RoleOp>();
  const bool isThread = role && role.getOneThread();
  SmallVector<Value> inits(tiles.getInits());
  const size_t carried = inits.size();
  const auto cursorType =
      CursorType::get(b.getContext(), tiles.getQueue().getType().getSlots(), 1);
  inits.push_back(RingStartOp::create(b, cursorType, Value()));
  SmallVector<Type> types(ValueRange(inits).getTypes());
  types.append(kFields, b.getIndexType());
  auto loop = scf::WhileOp::create(
      b, types, inits,
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value cursor = args.back();
        RingWaitOp::create(b, tiles.getQueue(), cursor);
        Value slot = RingSlotOp::create(b, b.getIndexType(), cursor);
        SmallVector<Value> passed(args);
        for (int64_t field = 0; field < kFields; ++field) {
          Value value = memref::LoadOp::create(
              b, tiles.getFields(), ValueRange{slot, indexConstant(b, field)});
          passed.push_back(
              arith::IndexCastOp::create(b, b.getIndexType(), value));
        }
        RingReleaseOp::create(b, tiles.getQueue(), cursor, isThread);
        Value isTile = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                             passed[args.size() + kColumn],
                                             indexConstant(b, 0));
        scf::ConditionOp::create(b, isTile, passed);
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> arguments(args.take_back(kFields));
        llvm::append_range(arguments, args.take_front(carried));
        SmallVector<Value> yielded =
            inlineRegion(b, tiles.getBody(), arguments);
        yielded.push_back(RingNextOp::create(b, args[carried], Value()));
        scf::YieldOp::create(b, yielded);
      });
  tiles.replaceAllUsesWith(loop.getResults().take_front(carried));
  tiles.erase();
}

//===----------------------------------------------------------------------===//
// The scheduler
//===----------------------------------------------------------------------===//

/// Whether the first tile is handed out ahead of `griddepcontrol.wait`.
static bool copiesAhead(HandOutTilesOp op) {
  return op.getSchedule().toSchedule().copiesAhead;
}

/// The number of the CTA's next tile: the first that no CTA has taken, or
/// `stride` tiles on.
static Value takeNumber(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                        Value number) {
  if (!op.getCounter())
    return arith::AddIOp::create(b, number, op.getStride());
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
        locate(b, op, number, op.getColumns()).getResults());
  const TileHalves::Place place = halves->locate(b, number);
  LocateTileOp tile = locate(b, op, place.rowTile, /*columns=*/1);
  return {tile.getExpert(), tile.getRow(), tile.getValid(), place.column};
}

namespace {

/// A group (index), and how many elements of its rows a tile stores (i32).
struct Stored {
  Value group, elements;

  static Stored nothing(ImplicitLocOpBuilder &b) {
    return {indexConstant(b, 0), i32Constant(b, 0)};
  }
  SmallVector<Value> values() const { return {group, elements}; }
};

} // namespace

/// What the tile of these fields of the queue stores.
static Stored elementsOf(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                         ArrayRef<Value> fields, bool hasHalves) {
  const auto toI32 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  };
  Value column = toI32(fields[kColumn]), width = op.getTileColumns(),
        step = width;
  if (hasHalves) {
    Value one = i32Constant(b, 1);
    step = arith::ShRUIOp::create(b, width, one);
    Value isHalf = arith::TruncIOp::create(b, b.getI1Type(), column);
    width = arith::SelectOp::create(b, isHalf, step, width);
    column = arith::ShRUIOp::create(b, column, one);
  }
  Value before = arith::MulIOp::create(b, column, step);
  Value columns = arith::MinUIOp::create(
      b, arith::SubIOp::create(b, op.getStoredColumns(), before), width);
  return {fields[0], arith::MulIOp::create(b, toI32(fields[2]), columns)};
}

/// Adds what a tile has stored to the count of its group.
static void count(ImplicitLocOpBuilder &b, HandOutTilesOp op, Stored stored) {
  Value isSome = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                       stored.elements, i32Constant(b, 0));
  auto some = scf::IfOp::create(b, isSome);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(some.thenBlock());
  RaiseCountOp::create(b, op.getStored(), stored.group, stored.elements);
}

/// Waits until the kernel ahead has stored the rows of all groups that a tile
/// copies rows of: it copies whole steps, the last of which may have rows of
/// groups behind its own.
static void waitForGroups(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                          Value group, Value row, Value valid) {
  const int64_t groups = op.getExperts();
  Value step = indexConstant(b, op.getSchedule().toSchedule().heightStep());
  Value end = arith::AddIOp::create(
      b, row,
      arith::MulIOp::create(b, arith::CeilDivUIOp::create(b, valid, step),
                            step));
  end = arith::IndexCastOp::create(b, b.getI32Type(), end);
  const auto offset = [&](Value group) -> Value {
    return memref::LoadOp::create(b, op.getOffsets(), group);
  };
  scf::WhileOp::create(
      b, TypeRange{b.getIndexType(), b.getI32Type()},
      ValueRange{group, offset(group)},
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value next = arith::AddIOp::create(b, args[0], indexConstant(b, 1));
        Value behind = offset(next);
        Value rows = arith::SubIOp::create(b, behind, args[1]);
        WaitCountOp::create(
            b, op.getAwaited(), args[0],
            arith::MulIOp::create(b, rows, op.getAwaitedColumns()));
        Value isCopied =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, behind, end);
        Value isGroup = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                              next, indexConstant(b, groups));
        scf::ConditionOp::create(b, arith::AndIOp::create(b, isCopied, isGroup),
                                 ValueRange{next, behind});
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        scf::YieldOp::create(b, args);
      });
}

/// Puts a tile, or the end, into a slot that all have read, once its rows are
/// there where rows are `brought` into order or counts are awaited.
static Stored publish(ImplicitLocOpBuilder &b, HandOutTilesOp op,
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
    types = {b.getIndexType(), b.getI32Type()};
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
      scf::YieldOp::create(
          b, elementsOf(b, op, fields, halves.has_value()).values());
    b.setInsertionPointToStart(branch.elseBlock());
    for (int64_t field = 0; field < kFields; ++field)
      store(i32Constant(b, -1), field);
    if (op.getStored())
      scf::YieldOp::create(b, Stored::nothing(b).values());
  }
  // One arrival, no bytes.
  RingFillOp::create(b, op.getQueue(), cursor, i32Constant(b, 0));
  return op.getStored() ? Stored{branch.getResult(0), branch.getResult(1)}
                        : Stored();
}

/// No CTA takes a number any more, and no tile waits for rows. The fences order
/// the numbers that all have taken, the count of roles, and the zeros; LLVM
/// would drop an ordering of the count itself.
void mxfp4::putBack(ImplicitLocOpBuilder &b, Value workspace, Value rows) {
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
  if (rows)
    roles = arith::MulIOp::create(b, roles, i32Constant(b, 2));
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
static Value hasManyTiles(ImplicitLocOpBuilder &b, HandOutTilesOp op) {
  const Schedule schedule = op.getSchedule().toSchedule();
  if (!op.getCounter() || op.getRows() || op.getExpertIds() ||
      !schedule.fullTilesFirst || schedule.wideFrom != 0 ||
      schedule.placement != Placement::Register || schedule.traits().cutsSums())
    return Value();
  return arith::CmpIOp::create(
      b, arith::CmpIPredicate::ugt, op.getCount(),
      arith::MulIOp::create(b, op.getStride(), indexConstant(b, kFewTiles)));
}

/// Whether numbers are taken late however many tiles there are: with promoted
/// sums whose first interval has a loop of its own, matmuls took 0.97 to 1.00
/// of the time, and layers 0.985 to 1.00. A choice at run time, as above, cost
/// layers of many tiles 0.6 to 1 %.
static bool takesLate(HandOutTilesOp op) {
  auto kernel = op->getParentOfType<FunctionOpInterface>();
  return op.getCounter() && !op.getRows() && !op.getExpertIds() && kernel &&
         hasLoopOfFirstInterval(kernel);
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

/// Counts the last tiles, in front of which `results` of the loop have the end:
/// each when all warps have taken what comes behind it.
static void countLast(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                      ValueRange results) {
  Value cursor = results[1];
  const ValueRange tiles = results.drop_front(2);
  for (int64_t i = op.getQueue().getType().getSlots(); i >= 1; --i) {
    cursor = RingNextOp::create(b, cursor, Value());
    RingAcquireOp::create(b, op.getQueue(), cursor);
    count(b, op, {tiles[2 * i], tiles[2 * i + 1]});
  }
}

/// while (publish(number)) number = next;
///
/// In launches of many tiles the next number is taken ahead of everything that
/// takes time. With few tiles, with promoted sums, and where the first tile is
/// handed out elsewhere, or ahead of `griddepcontrol.wait`, it is taken when
/// there is a slot for its tile (and behind the wait): CTAs begin and end tiles
/// at different times, and some would take the numbers of tiles that others
/// could begin earlier.
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
  Value isMany = mayBeEarly ? hasManyTiles(b, op) : Value();
  // Tiles whose warps may not all have taken the next one, the latest first.
  SmallVector<Value> inits = {first, start};
  for (int64_t i = 0; op.getStored() && i <= slots; ++i)
    llvm::append_range(inits, Stored::nothing(b).values());
  auto loop = scf::WhileOp::create(
      b, TypeRange(ValueRange(inits)), inits,
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value number = args[0], following = number;
        if (mayBeEarly)
          following = choose(
              b, isMany, [&] { return takeNumber(b, op, number); },
              [&] { return number; });
        Value isTile = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                             number, op.getCount());
        if (mayBeEarly)
          RingAcquireOp::create(b, op.getQueue(), args[1]);
        if (op.getStored())
          count(b, op, {args.end()[-2], args.end()[-1]});
        const Stored latest =
            publish(b, op, halves, brought, number, isTile, args[1]);
        SmallVector<Value> passed = {following, args[1]};
        if (op.getStored()) {
          llvm::append_range(passed, latest.values());
          llvm::append_range(passed, args.drop_front(2).drop_back(2));
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
    putBack(b, op.getCounter(), op.getRows());
  op.erase();
}
