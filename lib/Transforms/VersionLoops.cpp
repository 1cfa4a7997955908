//===- VersionLoops.cpp - A loop for tiles of the fewest tokens -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

namespace mxfp4 {
#define GEN_PASS_DEF_VERSIONLOOPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Makes two of one loop over K: one for tiles of one token step, whose wgmma
/// has that width and no other, and the loop as it was for the rest.
void version(KLoopOp loop) {
  // Who a thread is does not change from step to step, and both loops need it.
  moveLoopInvariantCode(cast<LoopLikeOpInterface>(loop.getOperation()));
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  const Schedule schedule = loop.getSchedule().toSchedule();
  Value tokens = loop.getOnly<BlockMatmulOp>().getWgmma().getTokens();
  const int64_t steps = loop.getSteps() / schedule.kSlices;
  // Neither loop hands on its cursor: ptxas takes what two loops hand on for
  // different in each lane, and then moves descriptors and addresses of
  // barriers to uniform registers for each instruction: 14 % more of them.
  loop.getLastCursor().replaceAllUsesWith(
      RingSkipOp::create(b, loop.getCursor(), steps));
  Value isFew = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, tokens,
                                      indexConstant(b, schedule.tokenStep));
  auto branch = scf::IfOp::create(b, loop.getResult(0).getType(), isFew,
                                  /*withElseRegion=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  auto narrow = cast<KLoopOp>(b.clone(*loop));
  narrow.getOnly<BlockMatmulOp>().getWgmma().setColumns(schedule.tokenStep / 8);
  scf::YieldOp::create(b, narrow.getResult(0));
  b.setInsertionPointToStart(branch.elseBlock());
  auto yield = scf::YieldOp::create(b, loop.getResult(0));
  loop->moveBefore(yield);
  loop.getResult(0).replaceAllUsesExcept(branch.getResult(0), yield);
}

/// Whether the wgmma of a loop over K have a width to choose, the same for all
/// steps.
bool canVersion(KLoopOp loop) {
  if (!loop.drains() || !loop.getSchedule().toSchedule().versionLoops ||
      !loop.getOnly<BlockMatmulOp>() || loop.getInits().size() != 1 ||
      loop.getSteps() % loop.getSchedule().getValue().kSlices != 0)
    return false;
  WgmmaOp wgmma = loop.getOnly<BlockMatmulOp>().getWgmma();
  return wgmma.getTokens() &&
         !loop.getBody().isAncestor(wgmma.getTokens().getParentRegion()) &&
         static_cast<int64_t>(*wgmma.getTokenStep()) ==
             loop.getSchedule().getValue().tokenStep;
}

} // namespace

namespace {

struct VersionLoopsPass : mxfp4::impl::VersionLoopsBase<VersionLoopsPass> {
  using VersionLoopsBase::VersionLoopsBase;

  void runOnOperation() override {
    SmallVector<KLoopOp> loops;
    getOperation()->walk([&](KLoopOp loop) {
      if (canVersion(loop))
        loops.push_back(loop);
    });
    for (KLoopOp loop : loops)
      version(loop);
  }
};

} // namespace
