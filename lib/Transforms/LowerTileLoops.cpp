//===- LowerTileLoops.cpp - Loops over tiles to scf -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "ProgramLowering.h"

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

/// The tile of this number.
template <typename Op>
static LocateTileOp locate(ImplicitLocOpBuilder &b, Op op, Value number) {
  return LocateTileOp::create(b, number, op.getTable(), op.getOffsets(),
                              op.getExpertIds(), op.getError(), op.getExperts(),
                              op.getColumns(), op.getSchedule());
}

void mxfp4::lowerTileLoop(ForTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  auto loop = scf::ForOp::create(
      b, tiles.getFirst(), tiles.getCount(), tiles.getStride(),
      tiles.getInits(),
      [&](OpBuilder &builder, Location, Value number, ValueRange carried) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> arguments(locate(b, tiles, number).getResults());
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

/// Puts a tile, or the end, into a slot that all have read, once its rows are
/// there where rows are `brought` into order.
static void publish(ImplicitLocOpBuilder &b, HandOutTilesOp op, Value brought,
                    Value number, Value isTile, Value cursor) {
  Value slot = RingSlotOp::create(b, b.getIndexType(), cursor);
  const auto store = [&](Value value, int64_t field) {
    if (value.getType().isIndex())
      value = arith::IndexCastOp::create(b, b.getI32Type(), value);
    memref::StoreOp::create(b, value, op.getFields(),
                            ValueRange{slot, indexConstant(b, field)});
  };
  auto branch = scf::IfOp::create(b, isTile, /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    LocateTileOp tile = locate(b, op, number);
    if (brought)
      waitForRows(b, op, brought, tile.getRow(), tile.getValid());
    for (auto [field, value] : llvm::enumerate(tile.getResults()))
      store(value, field);
    b.setInsertionPointToStart(branch.elseBlock());
    for (int64_t field = 0; field < kFields; ++field)
      store(i32Constant(b, -1), field);
  }
  // One arrival, no bytes.
  RingFillOp::create(b, op.getQueue(), cursor, i32Constant(b, 0));
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

/// while (publish(number)) number = next;
///
/// As a rule the next number is taken ahead of everything that takes time.
/// Where the first tile is handed out elsewhere, or ahead of
/// `griddepcontrol.wait`, it is taken when there is a slot for its tile (and
/// behind the wait): CTAs begin at different times then, and the first ones
/// would take the numbers of tiles that the last ones could begin earlier.
void mxfp4::lowerScheduler(HandOutTilesOp op, bool isFirstHandedOut) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const auto cursorType =
      CursorType::get(b.getContext(), op.getQueue().getType().getSlots(), 1);
  const bool isAhead = copiesAhead(op);
  const bool isEarly = !isAhead && !isFirstHandedOut;
  const auto takeNext = [&](Value number, Value cursor) {
    RingAcquireOp::create(b, op.getQueue(), cursor);
    return takeNumber(b, op, number);
  };
  Value start = RingStartOp::create(b, cursorType, Value());
  Value first = op.getFirst();
  if (isFirstHandedOut) {
    start = RingNextOp::create(b, start, Value());
    first = takeNext(first, start);
  }
  Value brought = op.getRows() ? countBroughtRows(b, op) : Value();
  scf::WhileOp::create(
      b, TypeRange{b.getIndexType(), cursorType}, ValueRange{first, start},
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value following = args[0];
        if (isEarly)
          following = takeNumber(b, op, args[0]);
        Value isTile = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                             args[0], op.getCount());
        if (isEarly)
          RingAcquireOp::create(b, op.getQueue(), args[1]);
        publish(b, op, brought, args[0], isTile, args[1]);
        scf::ConditionOp::create(b, isTile, ValueRange{following, args[1]});
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value next = RingNextOp::create(b, args[1], Value());
        if (isAhead)
          NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
        Value number = isEarly ? args[0] : takeNext(args[0], next);
        scf::YieldOp::create(b, ValueRange{number, next});
      });
  b.setInsertionPoint(op);
  // A CTA without a tile has not waited yet.
  if (isAhead)
    NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
  if (op.getCounter())
    putBack(b, op.getCounter(), op.getRows());
  op.erase();
}
