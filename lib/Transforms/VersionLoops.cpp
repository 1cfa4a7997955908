//===- VersionLoops.cpp - A loop for tiles of the fewest tokens -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_VERSIONLOOPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Rewrites one loop.
class Versioner {
public:
  Versioner(scf::ForOp loop, const Schedule &schedule)
      : loop(loop), schedule(schedule), b(loop.getLoc(), loop) {}

  /// Leaves a loop alone whose wgmma have no width to choose, or that carries
  /// more than sums, slot and parity.
  void run();

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  bool findTokens();
  void emitVersions();
  SmallVector<Value> emitPosition(int64_t steps);

  scf::ForOp loop;
  const Schedule &schedule;
  ImplicitLocOpBuilder b;
  /// Of the tile.
  Value tokens;
};

} // namespace

bool Versioner::findTokens() {
  for (auto op : loop.getOps<WgmmaOp>()) {
    if (!op.getTokens() || (tokens && tokens != op.getTokens()) ||
        static_cast<int64_t>(*op.getTokenStep()) != schedule.tokenStep)
      return false;
    tokens = op.getTokens();
  }
  return tokens && loop.isDefinedOutsideOfLoop(tokens);
}

/// Sums come from the loop of the width of one step or from the loop as it was.
void Versioner::emitVersions() {
  const int64_t step = schedule.tokenStep;
  Value isFew =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ule, tokens, index(step));
  auto branch = scf::IfOp::create(b, loop.getResult(0).getType(), isFew,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  auto narrow = cast<scf::ForOp>(b.clone(*loop));
  for (auto op : narrow.getOps<WgmmaOp>())
    op.setColumns(step / 8);
  scf::YieldOp::create(b, narrow.getResult(0));
  b.setInsertionPointToStart(branch.elseBlock());
  auto yield = scf::YieldOp::create(b, loop.getResult(0));
  loop->moveBefore(yield);
  loop.getResult(0).replaceAllUsesExcept(branch.getResult(0), yield);
}

/// Slot and parity behind the loop, without it. ptxas takes what two loops hand
/// on for different in each lane, and then moves descriptors and addresses of
/// barriers to uniform registers for each instruction: 14 % more of them.
SmallVector<Value> Versioner::emitPosition(int64_t steps) {
  Value stages = index(schedule.stages);
  Value slot = arith::AddIOp::create(b, loop.getInits()[1],
                                     index(steps * schedule.kSlices));
  Value wraps = arith::IndexCastOp::create(
      b, b.getI32Type(), arith::DivUIOp::create(b, slot, stages));
  Value flips = arith::AndIOp::create(
      b, wraps, arith::ConstantIntOp::create(b, b.getI32Type(), 1));
  return {arith::RemUIOp::create(b, slot, stages),
          arith::XOrIOp::create(b, loop.getInits()[2], flips)};
}

void Versioner::run() {
  const std::optional<llvm::APInt> steps = loop.getStaticTripCount();
  if (!steps || loop.getNumResults() != 3 ||
      !loop.getResult(1).getType().isIndex() ||
      !loop.getResult(2).getType().isInteger(32) || !findTokens())
    return;
  const SmallVector<Value> position = emitPosition(steps->getSExtValue());
  loop.getResult(1).replaceAllUsesWith(position[0]);
  loop.getResult(2).replaceAllUsesWith(position[1]);
  emitVersions();
}

namespace {

struct VersionLoopsPass : mxfp4::impl::VersionLoopsBase<VersionLoopsPass> {
  using VersionLoopsBase::VersionLoopsBase;

  void runOnOperation() override {
    getOperation()->walk([&](gpu::GPUFuncOp kernel) {
      auto attr = kernel->getAttrOfType<ScheduleAttr>("mxfp4.schedule");
      const Schedule schedule = attr ? attr.toSchedule() : Schedule();
      if (!schedule.versionLoops)
        return;
      SmallVector<scf::ForOp> loops;
      kernel.walk([&](scf::ForOp loop) {
        if (loop->hasAttr("mxfp4.overlap"))
          loops.push_back(loop);
      });
      for (scf::ForOp loop : loops)
        Versioner(loop, schedule).run();
    });
  }
};

} // namespace
