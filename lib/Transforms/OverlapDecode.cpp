//===- OverlapDecode.cpp - Decode the next fragment while wgmma runs ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_OVERLAPDECODE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// What passes from step to step: the accumulator, then slot and parity.
using State = SmallVector<Value>;

/// Rewrites one loop, whose body is cut into four parts at the operations that
/// give it its order:
///   front    up to the fence: wait for the stage, load, decode;
///   batch    up to the commit: the matrix instructions;
///   back     up to the release of the stage: wait for them;
///   advance  the rest: the position of the next step.
class Overlapper {
public:
  explicit Overlapper(scf::ForOp loop) : loop(loop), b(loop.getLoc(), loop) {}

  LogicalResult run();

private:
  LogicalResult cut();
  LogicalResult checkParts();
  void clone(ArrayRef<Operation *> part, IRMapping &mapping) {
    for (Operation *op : part)
      b.clone(*op, mapping);
  }
  IRMapping mapState(ValueRange state);
  SmallVector<Value> emitFront(ValueRange state);
  State positionAfter(ValueRange state);
  State emitStep(ValueRange state, SmallVector<Value> &fragments, bool hasNext);

  scf::ForOp loop;
  ImplicitLocOpBuilder b;
  SmallVector<Operation *> front, batch, back, advance;
  /// Values of `front` that `batch` uses: the fragments.
  SmallVector<Value> handedOn;
};

} // namespace

/// The parts run at different times: only fragments may pass from front to
/// batch, and sums from batch to back. The number of the step does not exist in
/// the rewritten loop.
LogicalResult Overlapper::checkParts() {
  const Value step = loop.getInductionVar();
  const auto usesStep = [&](Operation &op) {
    return llvm::is_contained(op.getOperands(), step);
  };
  if (llvm::any_of(*loop.getBody(), usesStep))
    return loop.emitOpError("marked mxfp4.overlap requires a body that does "
                            "not use the number of its step");
  llvm::MapVector<Operation *, int> partOf;
  int count = 0;
  for (const SmallVector<Operation *> *part :
       {&front, &batch, &back, &advance}) {
    for (Operation *op : *part)
      partOf[op] = count;
    ++count;
  }
  for (auto [op, number] : partOf)
    for (Operation *user : op->getUsers()) {
      // The sums come from the back, the next position from the advance.
      if (user == loop.getBody()->getTerminator() && number >= 2)
        continue;
      auto at = partOf.find(user);
      if (at != partOf.end() &&
          (at->second == number || (number < 2 && at->second == number + 1)))
        continue;
      return op->emitOpError("in a loop marked mxfp4.overlap requires users in "
                             "its own part of the loop (before the fence, up "
                             "to the commit, up to the release, after it) or "
                             "in the matrix instructions and their wait");
    }
  return success();
}

LogicalResult Overlapper::cut() {
  SmallVector<Operation *> *part = &front;
  for (Operation &op : loop.getBody()->without_terminator()) {
    if (isa<NVVM::WgmmaFenceAlignedOp>(op))
      part = &batch;
    part->push_back(&op);
    if (isa<NVVM::WgmmaGroupSyncAlignedOp>(op))
      part = &back;
    if (isa<ArriveBarrierOp>(op))
      part = &advance;
  }
  if (batch.empty() || back.empty() || part != &advance ||
      loop.getNumRegionIterArgs() != 3)
    return loop.emitOpError("marked mxfp4.overlap requires a batch of wgmma "
                            "between a fence and a commit, the release of its "
                            "stage, and an accumulator, slot and parity to "
                            "carry");
  if (failed(checkParts()))
    return failure();
  llvm::SmallPtrSet<Operation *, 32> inFront(front.begin(), front.end());
  llvm::SetVector<Value> used;
  for (Operation *op : batch)
    for (Value operand : op->getOperands())
      if (Operation *definition = operand.getDefiningOp())
        if (inFront.contains(definition))
          used.insert(operand);
  handedOn = used.takeVector();
  return success();
}

/// The loop's induction variable is not used by consumers; their position is
/// in the state.
IRMapping Overlapper::mapState(ValueRange state) {
  IRMapping mapping;
  mapping.map(loop.getRegionIterArgs(), state);
  return mapping;
}

SmallVector<Value> Overlapper::emitFront(ValueRange state) {
  IRMapping mapping = mapState(state);
  clone(front, mapping);
  SmallVector<Value> fragments;
  for (Value value : handedOn)
    fragments.push_back(mapping.lookup(value));
  return fragments;
}

State Overlapper::positionAfter(ValueRange state) {
  IRMapping mapping = mapState(state);
  clone(advance, mapping);
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  State after;
  for (Value value : yield.getOperands().drop_front())
    after.push_back(mapping.lookupOrDefault(value));
  return after;
}

/// Starts the batch of one step, prepares the next step's fragments behind it,
/// and finishes the step.
State Overlapper::emitStep(ValueRange state, SmallVector<Value> &fragments,
                           bool hasNext) {
  IRMapping mapping = mapState(state);
  mapping.map(handedOn, fragments);
  clone(batch, mapping);
  State position = positionAfter(state);
  if (hasNext) {
    State next = {state[0]};
    next.append(position);
    fragments = emitFront(next);
  }
  clone(back, mapping);
  auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
  State after = {mapping.lookupOrDefault(yield.getOperand(0))};
  after.append(position);
  return after;
}

LogicalResult Overlapper::run() {
  if (failed(cut()))
    return failure();
  const std::optional<llvm::APInt> count = loop.getStaticTripCount();
  if (!count || count->isZero())
    return loop.emitOpError("marked mxfp4.overlap requires a constant, "
                            "positive number of steps");
  const int64_t steps = count->getSExtValue();

  State state(loop.getInits());
  SmallVector<Value> fragments = emitFront(state);
  // Pairs of steps that both have a next one.
  const int64_t pairs = (steps - 1) / 2;
  if (pairs > 0) {
    SmallVector<Value> carried(state);
    carried.append(fragments);
    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    Value end = arith::ConstantIndexOp::create(b, pairs);
    auto unrolled = scf::ForOp::create(b, zero, end, one, carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(unrolled.getBody());
      State inner(unrolled.getRegionIterArgs().take_front(3));
      SmallVector<Value> held(unrolled.getRegionIterArgs().drop_front(3));
      for (int i = 0; i < 2; ++i)
        inner = emitStep(inner, held, /*hasNext=*/true);
      SmallVector<Value> yielded(inner);
      yielded.append(held);
      scf::YieldOp::create(b, yielded);
    }
    state.assign(unrolled.getResults().begin(),
                 unrolled.getResults().begin() + 3);
    fragments.assign(unrolled.getResults().begin() + 3,
                     unrolled.getResults().end());
  }
  for (int64_t step = 2 * pairs; step < steps; ++step)
    state = emitStep(state, fragments, /*hasNext=*/step + 1 < steps);
  loop.replaceAllUsesWith(state);
  loop.erase();
  return success();
}

namespace {

struct OverlapDecodePass : mxfp4::impl::OverlapDecodeBase<OverlapDecodePass> {
  using OverlapDecodeBase::OverlapDecodeBase;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (loop->hasAttr("mxfp4.overlap"))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      if (failed(Overlapper(loop).run()))
        return signalPassFailure();
  }
};

} // namespace
