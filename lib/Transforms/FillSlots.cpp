//===- FillSlots.cpp - How a copy role fills a slot of its ring -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FillSlots.h"
#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

int64_t mxfp4::fillingWarps(const Schedule &schedule) {
  return schedule.kSlices > 1 ? 1 : schedule.copyWarps;
}

static int weightBytes(FilledLoop filled) {
  return filled.schedule.weightStageBytes(
      layoutOf(filled.weights.getSource().getType()));
}

/// Bytes of a stage with `rows` rows of activations: whole boxes are copied.
static Value stageBytes(ImplicitLocOpBuilder &b, const FilledLoop &filled,
                        Value rows) {
  const Schedule &schedule = filled.schedule;
  const int weights = weightBytes(filled);
  if (schedule.tokenStep == 0)
    return i32Constant(b, weights + schedule.activationStageBytes());
  Value count = arith::IndexCastOp::create(b, b.getI32Type(), rows);
  Value boxes =
      arith::CeilDivUIOp::create(b, count, i32Constant(b, schedule.tokenStep));
  const int box = schedule.activationStageBytes() / schedule.tileTokens *
                  schedule.tokenStep;
  return arith::AddIOp::create(
      b, arith::MulIOp::create(b, boxes, i32Constant(b, box)),
      i32Constant(b, weights));
}

/// Announces the bytes of a stage, and copies its activations.
static void copyActivations(ImplicitLocOpBuilder &b, FilledLoop filled,
                            Value slot) {
  CopyActivationsOp copy = filled.activations;
  KLoopOp loop = filled.loop;
  RingFillOp::create(b, loop.getRing(), loop.getCursorOfStep(),
                     stageBytes(b, filled, copy.getValid()));
  TensorCopyActivationsOp::create(b, copy.getSource(), copy.getRow(),
                                  loop.getStep(), copy.getValid(),
                                  copy.getDestination(), slot, filled.full);
}

/// Copies the weights of a stage, or a part of them.
static void copyWeights(ImplicitLocOpBuilder &b, FilledLoop filled, Value slot,
                        Value part, int64_t parts) {
  CopyWeightsOp copy = filled.weights;
  BulkCopyWeightsOp::create(b, copy.getSource(), copy.getExpert(),
                            copy.getBlock(), filled.loop.getStep(),
                            copy.getDestination(), slot, filled.full, part,
                            part ? b.getI64IntegerAttr(parts) : IntegerAttr(),
                            filled.schedule.evictFirst, copy.getHalfLast());
}

/// Threads copy the rows of a stage from wherever they are, once they know the
/// rows of the tile.
static void gatherActivations(ImplicitLocOpBuilder &b, FilledLoop filled,
                              Value slot) {
  GatherActivationsOp copy = filled.gather;
  auto rows = copy.getRows().getDefiningOp<LoadRowsOp>();
  const int64_t warps = fillingWarps(filled.schedule), together = 4 * warps;
  const int64_t tokens =
      cast<MemRefType>(copy.getDestination().getType()).getDimSize(1);
  const auto type =
      VectorType::get({(tokens + together - 1) / together}, b.getI32Type());
  const IntegerAttr count = b.getI64IntegerAttr(warps);
  Value warp, mine;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(filled.loop);
    warp = warps > 1 ? Value(filled.role.getWarp()) : indexConstant(b, 0);
    mine = LoadRowsOp::create(b, type, rows.getMap(), rows.getRow(),
                              rows.getValid(), rows.getLimit(), rows.getError(),
                              warp, count);
  }
  GatherActivationsOp::create(b, copy.getSource(), mine, filled.loop.getStep(),
                              copy.getValid(), copy.getDestination(), slot,
                              warp, count, filled.full, copy.getBranchRows());
}

/// All threads of the role gather; one of each warp starts copies of weights,
/// whose bytes count from the first warp's arrival.
static void fillByThreads(ImplicitLocOpBuilder &b, FilledLoop filled,
                          Value slot) {
  RoleOp role = filled.role;
  KLoopOp loop = filled.loop;
  const int64_t warps = fillingWarps(filled.schedule);
  const bool isShared = warps > 1;
  Value elected = NVVM::ElectSyncOp::create(b, b.getI1Type(), Value());
  auto one = scf::IfOp::create(b, elected);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(one.thenBlock());
    const auto announce = [&](OpBuilder &at, Location) {
      ImplicitLocOpBuilder inner(b.getLoc(), at);
      RingFillOp::create(inner, loop.getRing(), loop.getCursorOfStep(),
                         i32Constant(inner, weightBytes(filled)));
      if (isShared)
        scf::YieldOp::create(inner);
    };
    if (isShared)
      scf::IfOp::create(b,
                        arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                              role.getWarp(),
                                              indexConstant(b, 0)),
                        announce);
    else
      announce(b, b.getLoc());
    copyWeights(b, filled, slot, isShared ? Value(role.getWarp()) : Value(),
                warps);
  }
  gatherActivations(b, filled, slot);
}

/// One thread of each warp starts copies of the engine.
static void fillByEngine(ImplicitLocOpBuilder &b, FilledLoop filled,
                         Value slot) {
  RoleOp role = filled.role;
  if (fillingWarps(filled.schedule) == 1) {
    copyActivations(b, filled, slot);
    copyWeights(b, filled, slot, Value(), 1);
    return;
  }
  // The bytes of all count from the first warp's arrival: no phase completes
  // without it.
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        role.getWarp(), indexConstant(b, 0));
  auto parts = scf::IfOp::create(b, isFirst, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(parts.thenBlock());
  copyActivations(b, filled, slot);
  b.setInsertionPointToStart(parts.elseBlock());
  copyWeights(b, filled, slot,
              arith::SubIOp::create(b, role.getWarp(), indexConstant(b, 1)),
              filled.schedule.copyWarps - 1);
}

void mxfp4::fillSlot(ImplicitLocOpBuilder &b, FilledLoop filled) {
  Value slot =
      RingSlotOp::create(b, b.getIndexType(), filled.loop.getCursorOfStep());
  if (filled.gather)
    fillByThreads(b, filled, slot);
  else
    fillByEngine(b, filled, slot);
}
