//===- TileCounts.cpp - What tiles store, and wait for --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileCounts.h"

#include "KernelBuilding.h"
#include "ProgramLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

TileCount TileCount::nothing(ImplicitLocOpBuilder &b) {
  return {indexConstant(b, 0), i32Constant(b, 0)};
}

TileCount TileCount::ofTile(ImplicitLocOpBuilder &b, HandOutTilesOp op,
                            ArrayRef<Value> fields) {
  const auto toI32 = [&](Value value) -> Value {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  };
  Value column = toI32(fields[QueuedTile::kColumn]),
        width = op.getTileColumns(), step = width;
  if (op.getSchedule().toSchedule().halfTiles) {
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

void TileCount::raise(ImplicitLocOpBuilder &b, HandOutTilesOp op) const {
  Value isSome = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, elements,
                                       i32Constant(b, 0));
  auto some = scf::IfOp::create(b, isSome);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(some.thenBlock());
  RaiseCountOp::create(b, op.getStored(), group, elements);
}

void mxfp4::waitForGroups(ImplicitLocOpBuilder &b, HandOutTilesOp op,
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
