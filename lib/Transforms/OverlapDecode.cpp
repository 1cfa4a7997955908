//===- OverlapDecode.cpp - Decode the next fragment while wgmma runs ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockPipeline.h"
#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_OVERLAPDECODE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr StringLiteral kOverlapDecode = "mxfp4-overlap-decode";

//===----------------------------------------------------------------------===//
// What can be overlapped
//===----------------------------------------------------------------------===//

/// Whether a value of the loop's body depends on the step, the cursor or the
/// sums, or on an operation with effects.
static bool changesWithStep(KLoopOp loop, Value value) {
  if (value.getParentRegion() != &loop.getBody())
    return false;
  Operation *op = value.getDefiningOp();
  return !op || !isMemoryEffectFree(op) ||
         llvm::any_of(op->getOperands(), [&](Value operand) {
           return changesWithStep(loop, operand);
         });
}

static bool changesWithStep(KLoopOp loop, Region &part) {
  return part
      .walk([&](Operation *op) {
        return llvm::any_of(
                   op->getOperands(),
                   [&](Value value) { return changesWithStep(loop, value); })
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Beside more sums than these of instructions, and as many that they are
/// promoted to, a thread has registers for two sets of fragments of half a step
/// only.
static constexpr int kWholeSteps = 88;

static int64_t partsOf(BlockMatmulOp matmul, const Schedule &schedule) {
  return matmul.getStepsOfSum() != 0 && schedule.accumulators() > kWholeSteps
             ? 2
             : 1;
}

static FailureOr<BlockLoop> findBlocks(KLoopOp loop) {
  auto matmul = loop.getOnly<BlockMatmulOp>();
  if (!matmul || loop.getInits().size() != 1)
    return loop.emitOpError("requires one mxfp4.block_matmul and its sums to "
                            "overlap decoding; run mxfp4-insert-decode first");
  Value tokens = matmul.getWgmma().getTokens();
  if (!tokens || loop.getBody().isAncestor(tokens.getParentRegion()))
    return loop.emitOpError("requires a number of tokens from outside of it to "
                            "overlap decoding");
  for (Region *part :
       {&matmul.getFetch(), &matmul.getDecode(), &matmul.getMultiply()})
    if (changesWithStep(loop, *part))
      return matmul.emitOpError("requires regions that use nothing from inside "
                                "the loop over K that changes from step to "
                                "step");
  const Schedule schedule = loop.getSchedule().toSchedule();
  const auto steps = static_cast<int64_t>(loop.getSteps());
  if (!schedule.sharesSteps(steps))
    return loop.emitOpError()
           << "requires a number of steps that its " << schedule.kSlices
           << " K slices share evenly or in pairs to overlap decoding, but has "
           << steps;
  BlockLoop of;
  of.loop = loop;
  of.matmul = matmul;
  of.blocks = matmul.getBlocks();
  of.counts = sliceCounts(schedule, steps);
  if (!divideSteps(of, partsOf(matmul, schedule)))
    return matmul.emitOpError(
        "requires fragments that are decoded without effects, each half of "
        "them from as many words, and multiplied as they are, to overlap "
        "decoding with sums that are promoted");
  return of;
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

/// The steps from `begin` up to `end`, or to the last. An even number of
/// batches an iteration, so that two sets of fragments keep registers of their
/// own. The last iteration of all fetches nothing; what it decodes last, from
/// old words, nobody multiplies. K slices may have different numbers of
/// iterations.
static void emitLoop(ImplicitLocOpBuilder &b, const BlockLoop &of,
                     BlockState &state, int64_t stepsAtOnce, int64_t begin,
                     std::optional<int64_t> end = std::nullopt) {
  KLoopOp loop = of.loop;
  const auto rounds = [&](int64_t less) {
    return ofSlice(b, loop.getSlice(),
                   llvm::map_to_vector(of.counts, [&](int64_t count) {
                     return (end.value_or(count) - begin) / stepsAtOnce - less;
                   }));
  };
  Value last = end ? Value() : rounds(1);
  auto rewritten = scf::ForOp::create(b, indexConstant(b, 0), rounds(0),
                                      indexConstant(b, 1), state.flatten());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rewritten.getBody());
  state.assign(rewritten.getRegionIterArgs());
  Value round = rewritten.getInductionVar();
  Value isNotLast;
  if (last)
    isNotLast =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, round, last);
  Value isNotFirst =
      begin > 0 ? Value()
                : Value(arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                              round, indexConstant(b, 0)));
  StepNumber first;
  if (state.promoted) {
    first.number =
        arith::MulIOp::create(b, round, indexConstant(b, stepsAtOnce));
    if (begin > 0)
      first.number =
          arith::AddIOp::create(b, first.number, indexConstant(b, begin));
    first.count = ofSlice(b, loop.getSlice(), of.counts);
  }
  emitSteps(b, of, state, stepsAtOnce, isNotFirst, isNotLast, first);
  scf::YieldOp::create(b, state.flatten());
  state.assign(rewritten.getResults());
}

/// Steps of an iteration: an even number of batches.
static int64_t stepsAtOnce(const BlockLoop &of) {
  return of.batches() % 2 == 0 ? 1 : 2;
}

/// Beside more sums than these of instructions, a loop for the first interval
/// is not quicker. Measured: it takes 0.94 to 0.97 of the time in tiles of 160
/// tokens (80 sums), and 0.99 to 1.04 in tiles of 176.
static constexpr int kOwnBegin = 80;

/// Steps of the first interval of sums that are promoted, if it has a loop of
/// its own: later intervals are added to its sums, which are added to nothing.
/// Otherwise 0. Two steps or more are left behind it, so that the step behind
/// the next one, which the loop fetches last, exists.
static int64_t stepsToBegin(const BlockLoop &of) {
  BlockMatmulOp matmul = of.matmul;
  KLoopOp loop = of.loop;
  const auto interval = static_cast<int64_t>(matmul.getStepsOfSum());
  if (interval <= 1 || interval % stepsAtOnce(of) != 0 ||
      loop.getSchedule().toSchedule().accumulators() > kOwnBegin ||
      !matchPattern(loop.getInits()[0], m_AnyZeroFloat()))
    return 0;
  const bool hasMore = llvm::all_of(
      of.counts, [&](int64_t count) { return count >= interval + 2; });
  return hasMore ? interval : 0;
}

static void overlap(BlockLoop of) {
  KLoopOp loop = of.loop;
  // Who a thread is does not change from step to step.
  moveLoopInvariantCode(cast<LoopLikeOpInterface>(loop.getOperation()));
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  of.places = emitPlaces(b, of.matmul, of.blocks);
  const int64_t steps = *llvm::min_element(of.counts), atOnce = stepsAtOnce(of);
  const int64_t toBegin = stepsToBegin(of);
  BlockState state = beginBlocks(b, of, /*promotes=*/toBegin == 0);
  if (toBegin > 0) {
    emitLoop(b, of, state, atOnce, 0, toBegin);
    beginPromotion(b, state);
  }
  // An odd step goes ahead of the loop, because at the end it would leave the
  // loop without a condition to fetch by.
  const int64_t odd = (steps - toBegin) % atOnce;
  if (odd == 1) {
    Value never = arith::ConstantIntOp::create(b, b.getI1Type(), 0);
    StepNumber first;
    if (state.promoted)
      first = {indexConstant(b, toBegin),
               ofSlice(b, loop.getSlice(), of.counts)};
    emitSteps(b, of, state, 1,
              toBegin > 0 ? std::optional<Value>(Value()) : std::nullopt,
              steps == 1 ? never : Value(), first);
  }
  if (steps - toBegin >= atOnce)
    emitLoop(b, of, state, atOnce, toBegin + odd);
  Value sums = WgmmaWaitOp::create(b, state.sums.getType(), state.sums);
  if (state.promoted)
    sums = state.promoted;
  releaseStage(b, loop, state.previous, Value());
  loop.getResult(0).replaceAllUsesWith(sums);
  loop.getLastCursor().replaceAllUsesWith(state.current);
  loop.erase();
}

static void tell(const BlockLoop &of) {
  passedOn(of.loop, kOverlapDecode, "loop", [&] {
    const int64_t steps = *llvm::min_element(of.counts),
                  atOnce = stepsAtOnce(of);
    return llvm::formatv("{0} steps of {1} batches of wgmma, {2} in an "
                         "iteration{3}{4}",
                         steps, of.batches(), atOnce * of.batches(),
                         steps % atOnce == 1 ? " and a step ahead" : "",
                         llvm::all_equal(of.counts)
                             ? ""
                             : "; two more steps in some K slices")
        .str();
  });
}

namespace {

struct OverlapDecodePass : mxfp4::impl::OverlapDecodeBase<OverlapDecodePass> {
  using OverlapDecodeBase::OverlapDecodeBase;

  void runOnOperation() override {
    SmallVector<KLoopOp> loops;
    getOperation()->walk([&](KLoopOp loop) {
      if (loop.drains() && loop.getSchedule().toSchedule().overlapDecode)
        loops.push_back(loop);
      else
        missedOn(loop, kOverlapDecode, "loop", [&] {
          return loop.drains() ? "its schedule has no overlap_decode"
                               : "it drains no ring";
        });
    });
    for (KLoopOp loop : loops) {
      FailureOr<BlockLoop> found = findBlocks(loop);
      if (failed(found))
        return signalPassFailure();
      tell(*found);
      overlap(std::move(*found));
    }
    numOverlapped += loops.size();
  }
};

} // namespace
