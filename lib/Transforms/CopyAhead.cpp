//===- CopyAhead.cpp - Weights before the kernel ahead has ended ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FillSlots.h"
#include "KernelBuilding.h"
#include "KernelOutlining.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

namespace mxfp4 {
#define GEN_PASS_DEF_COPYAHEAD
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr StringLiteral kCopyAhead = "mxfp4-copy-ahead";

static void emitWait(ImplicitLocOpBuilder &b) {
  NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
}

/// The first operation of a type inside of another one; null if there is none.
template <typename Op> static Op findIn(Operation *root) {
  Op found;
  root->walk([&](Op op) {
    found = op;
    return WalkResult::interrupt();
  });
  return found;
}

/// Of slots that several warps fill, the first warp copies activations.
static void waitInFirstWarp(RoleOp role) {
  ImplicitLocOpBuilder b(role.getLoc(), role.getContext());
  b.setInsertionPointToStart(&role.getBody().front());
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        role.getWarp(), indexConstant(b, 0));
  auto first = scf::IfOp::create(b, isFirst);
  b.setInsertionPointToStart(first.thenBlock());
  emitWait(b);
}

namespace {
/// The steps of which a role copies weights ahead.
struct FirstSteps {
  Value begin;
  int64_t count;
};
} // namespace

/// As many steps as a role has slots, and each K slice has steps.
static FirstSteps firstSteps(ImplicitLocOpBuilder &b, KLoopOp loop) {
  const Schedule schedule = loop.getSchedule().toSchedule();
  int64_t count = loop.getRing().getType().getSlots() / schedule.kSlices;
  SmallVector<int64_t> begins;
  for (int number = 0; number < schedule.kSlices; ++number) {
    const auto steps = schedule.sliceSteps(number, loop.getSteps());
    begins.push_back(steps.begin);
    count = std::min(count, steps.count);
  }
  return {loop.getSlice() ? ofSlice(b, loop.getSlice(), begins)
                          : indexConstant(b, 0),
          count};
}

/// Copies the weights of the first steps of the CTA's first tile.
static void copyFirstWeights(ImplicitLocOpBuilder &b, HandOutTilesOp tiles,
                             TakeTilesOp taken, KLoopOp loop,
                             FirstSteps steps) {
  OpBuilder::InsertionGuard guard(b);
  Value isTile = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                       tiles.getFirst(), tiles.getCount());
  b.setInsertionPointToStart(scf::IfOp::create(b, isTile).thenBlock());
  auto tile = LocateTileOp::create(b, tiles.getFirst(), tiles.getTable(),
                                   tiles.getOffsets(), tiles.getExpertIds(),
                                   tiles.getError(), tiles.getExperts(),
                                   tiles.getColumns(), tiles.getSchedule());
  IRMapping mapping;
  for (auto [argument, value] :
       llvm::zip(taken.getBody().getArguments(), tile.getResults()))
    mapping.map(argument, value);
  for (Operation &op : taken.getBody().front()) {
    if (&op == loop)
      break;
    b.clone(op, mapping);
  }
  scf::ForOp::create(
      b, indexConstant(b, 0), indexConstant(b, steps.count),
      indexConstant(b, 1), taken.getInits().front(),
      [&](OpBuilder &builder, Location, Value number, ValueRange cursor) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        mapping.map(loop.getStep(),
                    arith::AddIOp::create(b, steps.begin, number));
        mapping.map(loop.getCursorOfStep(), cursor.front());
        for (Operation &op : loop.getBody().front().without_terminator())
          if (!isa<TensorCopyActivationsOp>(op))
            b.clone(op, mapping);
        Value next = RingNextOp::create(b, cursor.front(), loop.getSlice());
        scf::YieldOp::create(b, next);
      });
}

/// Weights of the first tile's first steps, the wait, and a loop over tiles
/// that does not copy these again.
static void copyFirstTile(HandOutTilesOp tiles, TakeTilesOp taken,
                          KLoopOp loop) {
  ImplicitLocOpBuilder b(taken.getLoc(), taken);
  const FirstSteps steps = firstSteps(b, loop);
  copyFirstWeights(b, tiles, taken, loop, steps);
  emitWait(b);
  SmallVector<Value> inits(taken.getInits());
  Value none = indexConstant(b, 0);
  inits.push_back(
      arith::AddIOp::create(b, steps.begin, indexConstant(b, steps.count)));
  auto extended =
      TakeTilesOp::create(b, TypeRange(ValueRange(inits)), taken.getQueue(),
                          taken.getFields(), inits);
  extended.getBody().takeBody(taken.getBody());
  Value from = extended.getBody().addArgument(b.getIndexType(), b.getLoc());
  Operation *yield = extended.getYield();
  yield->insertOperands(yield->getNumOperands(), none);
  taken.replaceAllUsesWith(extended.getResults().drop_back());
  taken.erase();

  auto fill = loop.getOnly<RingFillOp>();
  auto copy = loop.getOnly<BulkCopyWeightsOp>();
  b.setInsertionPoint(fill);
  Value isNew =
      arith::CmpIOp::create(b, arith::CmpIPredicate::uge, loop.getStep(), from);
  auto filling = scf::IfOp::create(b, isNew);
  fill->moveBefore(filling.thenBlock()->getTerminator());
  copy->moveBefore(filling.thenBlock()->getTerminator());
}

/// Threads that store results and that take what other threads copied wait at
/// the start of their role, and let the next kernel begin then.
static void waitAtStart(RoleOp role) {
  ImplicitLocOpBuilder b(role.getLoc(), role.getContext());
  b.setInsertionPointToStart(&role.getBody().front());
  emitGridDependency(b);
}

/// Whether the wait was moved into the roles.
static FailureOr<bool> copyAhead(WarpRolesOp roles) {
  auto tiles = findIn<HandOutTilesOp>(roles);
  auto kernel = roles->getParentOfType<gpu::GPUFuncOp>();
  if (!kernel || tiles.getRows())
    return roles.emitOpError("requires a gpu.func around it, and rows that no "
                             "warp brings, to copy ahead");
  if (tiles.getExpertIds()) {
    missedOn(roles, kCopyAhead, "wait",
             [] { return "bad expert ids are reported behind the wait"; });
    return false;
  }
  for (RoleOp role : roles.getOrderedRoles())
    if (auto loop = findIn<KLoopOp>(role);
        loop && (!findIn<TakeTilesOp>(role) ||
                 (loop.getFills() && loop.getOnly<TensorCopyActivationsOp>() &&
                  !isa<TakeTilesOp>(loop->getParentOp()))))
      return loop.emitOpError("requires to be in its mxfp4.take_tiles directly "
                              "to copy ahead");
  SmallVector<NVVM::GriddepcontrolOp> controls;
  kernel.walk([&](NVVM::GriddepcontrolOp op) { controls.push_back(op); });
  for (NVVM::GriddepcontrolOp op : controls)
    op.erase();
  for (RoleOp role : roles.getOrderedRoles()) {
    auto loop = findIn<KLoopOp>(role);
    if (!loop)
      continue; // The scheduler.
    auto taken = findIn<TakeTilesOp>(role);
    if (!loop.getFills())
      waitAtStart(role);
    else if (fillingWarps(loop.getSchedule().toSchedule()) > 1)
      waitInFirstWarp(role);
    else
      copyFirstTile(tiles, taken, loop);
  }
  passedOn(roles, kCopyAhead, "wait", [] {
    return std::string("offsets are read, and weights of the first stages are "
                       "copied, before the kernel ahead has ended");
  });
  return true;
}

namespace {

struct CopyAheadPass : mxfp4::impl::CopyAheadBase<CopyAheadPass> {
  using CopyAheadBase::CopyAheadBase;

  void runOnOperation() override {
    SmallVector<WarpRolesOp> programs;
    getOperation()->walk([&](WarpRolesOp roles) {
      auto tiles = findIn<HandOutTilesOp>(roles);
      if (tiles && tiles.getSchedule().toSchedule().copiesAhead)
        programs.push_back(roles);
    });
    for (WarpRolesOp roles : programs) {
      FailureOr<bool> isAhead = copyAhead(roles);
      if (failed(isAhead))
        return signalPassFailure();
      numAhead += *isAhead;
    }
  }
};

} // namespace
