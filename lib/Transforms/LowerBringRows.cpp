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

void mxfp4::waitForRows(ImplicitLocOpBuilder &b, HandOutTilesOp op, Value row,
                        Value valid) {
  const Blocks blocks(b, op.getRows());
  // Whole steps of rows are copied.
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

/// The row of the source that becomes row `number`. Rows behind the last offset
/// may name any: TMA reads a few with the last tile, whose sums nobody stores.
static Value mappedRow(ImplicitLocOpBuilder &b, BringRowsOp op, Value number) {
  Value row = memref::LoadOp::create(b, op.getMap(), asIndex(b, number));
  Value exists =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, row, op.getLimit());
  Value offsets = op.getOffsets();
  const int64_t groups = cast<MemRefType>(offsets.getType()).getDimSize(0) - 1;
  Value last = memref::LoadOp::create(b, offsets, indexConstant(b, groups));
  Value isUsed =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number, last);
  if (op.getError())
    scf::IfOp::create(
        b, arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, isUsed, exists),
        [&](OpBuilder &builder, Location loc) {
          ImplicitLocOpBuilder inner(loc, builder);
          memref::AtomicRMWOp::create(inner, arith::AtomicRMWKind::ori,
                                      i32Constant(inner, 4), op.getError(),
                                      indexConstant(inner, 0));
          scf::YieldOp::create(inner);
        });
  return asIndex(b, arith::SelectOp::create(b, exists, row, i32Constant(b, 0)));
}

/// Brings rows `first` and so on, as many as the buffer holds or there are, and
/// counts them.
static void bring(ImplicitLocOpBuilder &b, BringRowsOp op, const Blocks &blocks,
                  Value first, Value parity) {
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
    Value row =
        mappedRow(b, op, arith::AddIOp::create(b, first, i32Constant(b, i)));
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

void mxfp4::lowerBringRows(BringRowsOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const Blocks blocks(b, op.getRows());
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
        bring(inner, op, blocks, args[0], args[1]);
        Value parity =
            arith::XOrIOp::create(inner, args[1], i32Constant(inner, 1));
        scf::YieldOp::create(inner, ValueRange{next, parity});
      });
  b.setInsertionPoint(op);
  putBack(b, op.getWorkspace(), op.getRows());
  op.erase();
}
