//===- LowerBringRows.cpp - Rows brought into order, to scf ---------------===//
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
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// The rows that are brought, and the blocks that they are counted in (i32).
struct Blocks {
  Blocks(ImplicitLocOpBuilder &b, Value rows);

  /// Of a row.
  Value number(ImplicitLocOpBuilder &b, Value row) const {
    return arith::ShRUIOp::create(b, row, shift);
  }

  Value rows, shift;
};

} // namespace

Blocks::Blocks(ImplicitLocOpBuilder &b, Value rows) : rows(rows) {
  static_assert(RowCounters::kBlocks == 1 << 10);
  Value most = arith::ShRUIOp::create(b, rows, i32Constant(b, 10));
  shift = arith::SubIOp::create(
      b, i32Constant(b, 32),
      LLVM::CountLeadingZerosOp::create(b, b.getI32Type(), most,
                                        /*is_zero_poison=*/false));
  shift = arith::MaxUIOp::create(b, shift,
                                 i32Constant(b, RowCounters::kLeastShift));
}

static Value asIndex(ImplicitLocOpBuilder &b, Value number) {
  return arith::IndexCastOp::create(b, b.getIndexType(), number);
}

/// Adds to a word of the workspace, and returns what it was.
static Value count(ImplicitLocOpBuilder &b, Value workspace, Value word,
                   Value number) {
  return memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::addi, number,
                                     workspace, word);
}

static void fence(ImplicitLocOpBuilder &b) {
  LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, "device");
}

static int64_t countGroups(Value offsets) {
  return cast<MemRefType>(offsets.getType()).getDimSize(0) - 1;
}

/// Tiles copy whole steps of rows, the last of them some behind the last
/// offset. Bad offsets have no tiles.
Value mxfp4::countBroughtRows(ImplicitLocOpBuilder &b, HandOutTilesOp op) {
  const int64_t step = op.getSchedule().toSchedule().heightStep();
  Value last = memref::LoadOp::create(
      b, op.getOffsets(), indexConstant(b, countGroups(op.getOffsets())));
  Value end = arith::MinUIOp::create(
      b, arith::AddIOp::create(b, last, i32Constant(b, step - 1)),
      op.getRows());
  Value count = sharesTable(op) ? countShared(b, op).first : op.getCount();
  Value isEmpty = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, count,
                                        indexConstant(b, 0));
  return arith::SelectOp::create(b, isEmpty, i32Constant(b, 0), end);
}

void mxfp4::waitForRows(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                        Value brought, Value row, Value valid) {
  const Blocks blocks(b, brought);
  Value step = indexConstant(b, op.getSchedule().toSchedule().heightStep());
  Value end = arith::AddIOp::create(
      b, row,
      arith::MulIOp::create(b, arith::CeilDivUIOp::create(b, valid, step),
                            step));
  const auto toI32 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  };
  end = arith::MinUIOp::create(b, toI32(end), blocks.rows);
  Value size = arith::ShLIOp::create(b, i32Constant(b, 1), blocks.shift);
  Value past = arith::SubIOp::create(b, arith::AddIOp::create(b, end, size),
                                     i32Constant(b, 1));
  scf::ForOp::create(
      b, asIndex(b, blocks.number(b, toI32(row))),
      asIndex(b, blocks.number(b, past)), indexConstant(b, 1), ValueRange(),
      [&](OpBuilder &builder, Location loc, Value block, ValueRange) {
        ImplicitLocOpBuilder b(loc, builder);
        Value before = arith::ShLIOp::create(
            b, arith::IndexCastOp::create(b, b.getI32Type(), block),
            blocks.shift);
        Value least = arith::MinUIOp::create(
            b, size, arith::SubIOp::create(b, blocks.rows, before));
        WaitCountOp::create(
            b, op.getCounter(),
            arith::AddIOp::create(b, block,
                                  indexConstant(b, RowCounters::kReady)),
            least);
        scf::YieldOp::create(b);
      });
}

/// Whether tiles multiply a row (i32): not behind the last offset, nor where
/// its group has no expert.
static Value isMultiplied(ImplicitLocOpBuilder &b, HandOutTilesOp tiles,
                          Value row) {
  using P = arith::CmpIPredicate;
  const int64_t groups = countGroups(tiles.getOffsets());
  const auto offset = [&](Value group) -> Value {
    return memref::LoadOp::create(b, tiles.getOffsets(), group);
  };
  Value isUsed =
      arith::CmpIOp::create(b, P::ult, row, offset(indexConstant(b, groups)));
  if (!tiles.getExpertIds())
    return isUsed;
  // The last group that begins at or before the row: the one that is not empty.
  Value group = indexConstant(b, 0);
  for (int64_t step = llvm::PowerOf2Ceil(groups) / 2; step >= 1; step /= 2) {
    Value candidate = arith::MinUIOp::create(
        b, arith::AddIOp::create(b, group, indexConstant(b, step)),
        indexConstant(b, groups - 1));
    Value isBefore = arith::CmpIOp::create(b, P::ule, offset(candidate), row);
    group = arith::SelectOp::create(b, isBefore, candidate, group);
  }
  Value id = memref::LoadOp::create(b, tiles.getExpertIds(), group);
  Value hasExpert = arith::CmpIOp::create(
      b, P::ult, id, i32Constant(b, static_cast<int64_t>(tiles.getExperts())));
  return arith::AndIOp::create(b, isUsed, hasExpert);
}

/// The row of the source that becomes row `number`. Who multiplies a row that
/// does not exist is only looked up then, because padding may be such rows.
static Value mappedRow(ImplicitLocOpBuilder &b, BringRowsOp op,
                       HandOutTilesOp tiles, Value number) {
  Value row = memref::LoadOp::create(b, op.getMap(), asIndex(b, number));
  Value isMissing =
      arith::CmpIOp::create(b, arith::CmpIPredicate::uge, row, op.getLimit());
  if (op.getError()) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(scf::IfOp::create(b, isMissing).thenBlock());
    Value isWrong = isMultiplied(b, tiles, number);
    b.setInsertionPointToStart(scf::IfOp::create(b, isWrong).thenBlock());
    memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, i32Constant(b, 4),
                                op.getError(), indexConstant(b, 0));
  }
  return asIndex(b,
                 arith::SelectOp::create(b, isMissing, i32Constant(b, 0), row));
}

/// Brings rows `first` and so on, as many as the buffer holds or there are, and
/// counts them.
static void bring(ImplicitLocOpBuilder &b, BringRowsOp op, HandOutTilesOp tiles,
                  const Blocks &blocks, Value first, Value parity) {
  auto buffer = cast<MemRefType>(op.getBuffer().getType());
  const int64_t together = buffer.getDimSize(0);
  const int64_t bytes =
      buffer.getDimSize(1) * buffer.getElementTypeBitWidth() / 8;
  Value some =
      arith::MinUIOp::create(b, arith::SubIOp::create(b, blocks.rows, first),
                             i32Constant(b, together));
  ExpectBytesOp::create(b, op.getBarrier(), indexConstant(b, 0),
                        arith::MulIOp::create(b, some, i32Constant(b, bytes)));
  for (int64_t i = 0; i < together; ++i) {
    OpBuilder::InsertionGuard guard(b);
    if (i > 0)
      b.setInsertionPointToStart(
          scf::IfOp::create(b,
                            arith::CmpIOp::create(b, arith::CmpIPredicate::ugt,
                                                  some, i32Constant(b, i)))
              .thenBlock());
    Value row = mappedRow(b, op, tiles,
                          arith::AddIOp::create(b, first, i32Constant(b, i)));
    BulkCopyRowOp::create(b, op.getSource(), row, op.getBuffer(),
                          indexConstant(b, i), op.getBarrier());
  }
  WaitBarrierOp::create(b, op.getBarrier(), indexConstant(b, 0), parity);
  BulkStoreRowsOp::create(b, op.getBuffer(), op.getDestination(),
                          asIndex(b, first), some);
  fence(b);
  count(b, op.getWorkspace(),
        arith::AddIOp::create(b, asIndex(b, blocks.number(b, first)),
                              indexConstant(b, RowCounters::kReady)),
        some);
}

static void lower(BringRowsOp op, HandOutTilesOp tiles) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const Blocks blocks(b, countBroughtRows(b, tiles));
  Value together =
      i32Constant(b, cast<MemRefType>(op.getBuffer().getType()).getDimSize(0));
  const auto claim = [&](ImplicitLocOpBuilder &b) {
    return count(b, op.getWorkspace(), indexConstant(b, RowCounters::kClaimed),
                 together);
  };
  scf::WhileOp::create(
      b, TypeRange{b.getI32Type(), b.getI32Type()},
      ValueRange{claim(b), i32Constant(b, 0)},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder inner(loc, builder);
        Value isLeft = arith::CmpIOp::create(inner, arith::CmpIPredicate::ult,
                                             args[0], blocks.rows);
        scf::ConditionOp::create(inner, isLeft, args);
      },
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder inner(loc, builder);
        // Ahead of everything that takes time.
        Value next = claim(inner);
        bring(inner, op, tiles, blocks, args[0], args[1]);
        Value parity =
            arith::XOrIOp::create(inner, args[1], i32Constant(inner, 1));
        scf::YieldOp::create(inner, ValueRange{next, parity});
      });
  b.setInsertionPoint(op);
  putBack(b, op.getWorkspace(), op.getRows(), sharesTable(tiles));
  op.erase();
}

/// The operation of another role whose tiles wait for the rows, or null.
static HandOutTilesOp findTiles(BringRowsOp op) {
  HandOutTilesOp found;
  if (auto roles = op->getParentOfType<WarpRolesOp>())
    roles.walk([&](HandOutTilesOp tiles) {
      if (tiles.getRows() && tiles.getCounter() == op.getWorkspace() &&
          tiles.getOffsets() == op.getOffsets())
        found = tiles;
    });
  return found;
}

LogicalResult mxfp4::lowerBringRows(Operation *root) {
  SmallVector<BringRowsOp> ops;
  root->walk([&](BringRowsOp op) { ops.push_back(op); });
  for (BringRowsOp op : ops) {
    HandOutTilesOp tiles = findTiles(op);
    if (!tiles)
      return op.emitOpError("requires a mxfp4.hand_out_tiles in the same "
                            "mxfp4.warp_roles that waits for rows with the "
                            "same offsets and workspace");
    lower(op, tiles);
  }
  return success();
}
