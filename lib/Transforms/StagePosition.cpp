//===- StagePosition.cpp - Where a role is in the stages ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StagePosition.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mxfp4;

SmallVector<scf::ForOp> mxfp4::findSteps(Operation *root) {
  SmallVector<scf::ForOp> found;
  root->walk([&](scf::ForOp loop) {
    if (loop->hasAttr("mxfp4.stages"))
      found.push_back(loop);
  });
  return found;
}

namespace {

class Carrier {
public:
  using Rewrite = function_ref<void(scf::ForOp steps, StagePosition at)>;

  Carrier(ImplicitLocOpBuilder &b, const Schedule &schedule, Value slice,
          Rewrite rewrite)
      : b(b), schedule(schedule), rewrite(rewrite),
        first(slice ? slice : index(0)) {}

  void throughTiles(scf::ForOp tiles);

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(b, b.getI32Type(), value);
  }
  StagePosition next(StagePosition at);
  StagePosition throughSteps(scf::ForOp steps, StagePosition start);
  StagePosition throughBranch(scf::ForOp steps, StagePosition start);

  ImplicitLocOpBuilder &b;
  const Schedule &schedule;
  const Rewrite rewrite;
  /// Slot to begin with.
  const Value first;
};

} // namespace

/// Slice s has the slots s, s + S, ...
StagePosition Carrier::next(StagePosition at) {
  Value slot = arith::AddIOp::create(b, at.slot, index(schedule.kSlices));
  Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, slot,
                                      index(schedule.stages));
  Value flipped = arith::XOrIOp::create(b, at.parity, i32(1));
  return {arith::SelectOp::create(b, wraps, first, slot),
          arith::SelectOp::create(b, wraps, flipped, at.parity)};
}

StagePosition Carrier::throughSteps(scf::ForOp steps, StagePosition start) {
  steps->removeAttr("mxfp4.stages");
  IRRewriter rewriter(b.getContext());
  rewriter.setInsertionPoint(steps);
  auto replaced = steps.replaceWithAdditionalYields(
      rewriter, ValueRange{start.slot, start.parity},
      /*replaceInitOperandUsesInLoop=*/false,
      [&](OpBuilder &builder, Location, ArrayRef<BlockArgument> args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        const StagePosition after = next({args[0], args[1]});
        return SmallVector<Value>{after.slot, after.parity};
      });
  auto loop = cast<scf::ForOp>(replaced->getOperation());
  const unsigned last = loop.getNumRegionIterArgs();
  OpBuilder::InsertionGuard guard(b);
  rewrite(loop,
          {loop.getRegionIterArg(last - 2), loop.getRegionIterArg(last - 1)});
  return {loop.getResult(last - 2), loop.getResult(last - 1)};
}

/// Tiles whose expert id is -1 have no steps: the branch that goes around the
/// loop hands the position on.
StagePosition Carrier::throughBranch(scf::ForOp steps, StagePosition start) {
  auto branch = dyn_cast<scf::IfOp>(steps->getParentOp());
  const StagePosition after = throughSteps(steps, start);
  if (!branch)
    return after;
  auto yieldMore = [&](Block *block, StagePosition position) {
    Operation *yield = block->getTerminator();
    yield->insertOperands(yield->getNumOperands(),
                          {position.slot, position.parity});
  };
  yieldMore(branch.thenBlock(), after);
  yieldMore(branch.elseBlock(), start);
  SmallVector<Type> types(branch.getResultTypes());
  types.append({b.getIndexType(), b.getI32Type()});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch);
  auto extended = scf::IfOp::create(b, types, branch.getCondition(),
                                    /*addThenBlock=*/false,
                                    /*addElseBlock=*/false);
  extended.getThenRegion().takeBody(branch.getThenRegion());
  extended.getElseRegion().takeBody(branch.getElseRegion());
  branch.replaceAllUsesWith(
      extended.getResults().take_front(branch.getNumResults()));
  branch.erase();
  const unsigned count = extended.getNumResults();
  return {extended.getResult(count - 2), extended.getResult(count - 1)};
}

void Carrier::throughTiles(scf::ForOp tiles) {
  IRRewriter rewriter(b.getContext());
  rewriter.setInsertionPoint(tiles);
  (void)*tiles.replaceWithAdditionalYields(
      rewriter, ValueRange{first, i32(0)},
      /*replaceInitOperandUsesInLoop=*/false,
      [&](OpBuilder &builder, Location, ArrayRef<BlockArgument> args) {
        Operation *body = builder.getInsertionBlock()->getParentOp();
        const StagePosition after =
            throughBranch(findSteps(body).front(), {args[0], args[1]});
        return SmallVector<Value>{after.slot, after.parity};
      });
}

void mxfp4::carryPosition(
    ImplicitLocOpBuilder &b, scf::ForOp tiles, const Schedule &schedule,
    Value slice,
    function_ref<void(scf::ForOp steps, StagePosition at)> rewrite) {
  b.setInsertionPoint(tiles);
  Carrier(b, schedule, slice, rewrite).throughTiles(tiles);
}
