//===- TileCounts.cpp - What tiles store, and wait for --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileCounts.h"

#include "KernelBuilding.h"
#include "ProgramLowering.h"
#include "PromotedSums.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

int64_t TileCount::countWords(HandOutTilesOp op) {
  if (op.getRows())
    return 1;
  const Schedule schedule = op.getSchedule().toSchedule();
  auto kernel = op->getParentOfType<FunctionOpInterface>();
  if (!schedule.traits().cutsSums() || !kernel)
    return 2;
  const bool isPromoted =
      promotesSums(kernel) && !hasLoopOfFirstInterval(kernel);
  return isPromoted || schedule.kSlices > 1 ? 1 : 2;
}

TileCount TileCount::nothing(ImplicitLocOpBuilder &b, HandOutTilesOp op) {
  Value none = i32Constant(b, 0);
  if (countWords(op) == 1)
    return {{none}};
  return {{indexConstant(b, 0), none}};
}

/// Bits of a word that have the group.
static Value groupBits(ImplicitLocOpBuilder &b, HandOutTilesOp op) {
  return i32Constant(b, llvm::Log2_64_Ceil(op.getExperts()));
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
  Value elements = arith::MulIOp::create(b, toI32(fields[2]), columns);
  if (countWords(op) == 2)
    return {{fields[0], elements}};
  Value shifted = arith::ShLIOp::create(b, elements, groupBits(b, op));
  return {{arith::OrIOp::create(b, shifted, toI32(fields[0]))}};
}

void TileCount::raise(ImplicitLocOpBuilder &b, HandOutTilesOp op) const {
  Value isSome = arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                       words.back(), i32Constant(b, 0));
  auto some = scf::IfOp::create(b, isSome);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(some.thenBlock());
  Value group = words.front(), elements = words.back();
  if (words.size() == 1) {
    Value bits = groupBits(b, op);
    elements = arith::ShRUIOp::create(b, words[0], bits);
    Value high = arith::ShLIOp::create(b, elements, bits);
    group = arith::IndexCastUIOp::create(
        b, b.getIndexType(), arith::XOrIOp::create(b, words[0], high));
  }
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
