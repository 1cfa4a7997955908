//===- VersionLoops.cpp - A loop for tiles of the fewest tokens -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "llvm/Support/FormatVariadic.h"

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
  // Neither loop hands on its cursor: ptxas takes what two loops hand on for
  // different in each lane, and then moves descriptors and addresses of
  // barriers to uniform registers for each instruction: 14 % more instructions.
  if (schedule.overlapDecode)
    loop.getLastCursor().replaceAllUsesWith(skipSteps(b, loop));
  Value isFew = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, tokens,
                                      indexConstant(b, schedule.tokenStep));
  auto branch = scf::IfOp::create(b, loop.getResult(0).getType(), isFew,
                                  /*withElseRegion=*/true);
  if (!schedule.overlapDecode) {
    // Behind the loops, whose threads have no register for it.
    b.setInsertionPointAfter(branch);
    loop.getLastCursor().replaceAllUsesWith(skipSteps(b, loop));
  }
  b.setInsertionPointToStart(branch.thenBlock());
  auto narrow = cast<KLoopOp>(b.clone(*loop));
  narrow.getOnly<BlockMatmulOp>().getWgmma().setColumns(schedule.tokenStep / 8);
  scf::YieldOp::create(b, narrow.getResult(0));
  // Tiles of two token steps are all that is left for the other loop, which
  // then chooses nothing.
  if (!schedule.overlapDecode && schedule.tileTokens == 2 * schedule.tokenStep)
    loop.getOnly<BlockMatmulOp>().getWgmma().setTokenStep(schedule.tileTokens);
  b.setInsertionPointToStart(branch.elseBlock());
  auto yield = scf::YieldOp::create(b, loop.getResult(0));
  loop->moveBefore(yield);
  loop.getResult(0).replaceAllUsesExcept(branch.getResult(0), yield);
}

/// Why a loop over K has no width to choose that is the same for all its steps;
/// empty if it has.
StringRef whyNot(KLoopOp loop) {
  if (!loop.drains())
    return "it drains no ring";
  const Schedule schedule = loop.getSchedule().toSchedule();
  if (!schedule.versionLoops)
    return "its schedule has no version_loops";
  auto matmul = loop.getOnly<BlockMatmulOp>();
  if (!matmul || loop.getInits().size() != 1)
    return "it holds other things than one mxfp4.block_matmul and its sums";
  if (!schedule.sharesSteps(loop.getSteps()))
    return "its K slices cannot share its steps";
  WgmmaOp wgmma = matmul.getWgmma();
  if (!wgmma.getTokens() ||
      loop.getBody().isAncestor(wgmma.getTokens().getParentRegion()))
    return "its number of tokens is not known ahead of it";
  if (static_cast<int64_t>(*wgmma.getTokenStep()) != schedule.tokenStep)
    return "its wgmma has another token_step than its schedule";
  return "";
}

} // namespace

namespace {

struct VersionLoopsPass : mxfp4::impl::VersionLoopsBase<VersionLoopsPass> {
  using VersionLoopsBase::VersionLoopsBase;

  void runOnOperation() override {
    constexpr StringLiteral pass = "mxfp4-version-loops";
    SmallVector<KLoopOp> loops;
    getOperation()->walk([&](KLoopOp loop) {
      const StringRef why = whyNot(loop);
      if (why.empty())
        loops.push_back(loop);
      else
        missedOn(loop, pass, "loop", [&] { return why.str(); });
    });
    for (KLoopOp loop : loops) {
      passedOn(loop, pass, "loop", [&] {
        return llvm::formatv(
                   "tiles of at most {0} tokens have a loop over K of "
                   "their own",
                   loop.getSchedule().getValue().tokenStep)
            .str();
      });
      version(loop);
    }
    numVersioned += loops.size();
  }
};

} // namespace
