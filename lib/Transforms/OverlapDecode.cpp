//===- OverlapDecode.cpp - Decode the next fragment while wgmma runs ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockPipeline.h"
#include "KernelBuilding.h"
#include "KernelRemarks.h"
#include "PromotedSums.h"

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

/// The number of a step, `begin` and as many as a round has times `round`, and
/// the count of all; null if no sums are promoted.
static StepNumber numberOf(ImplicitLocOpBuilder &b, const BlockLoop &of,
                           const BlockState &state, Value round,
                           int64_t stepsAtOnce, int64_t begin) {
  StepNumber step;
  if (!state.promoted)
    return step;
  KLoopOp loop = of.loop;
  step.number = arith::MulIOp::create(b, round, indexConstant(b, stepsAtOnce));
  if (begin > 0)
    step.number =
        arith::AddIOp::create(b, step.number, indexConstant(b, begin));
  step.count = ofSlice(b, loop.getSlice(), of.counts);
  return step;
}

/// Whether this is not the first step of all; null: it is not.
static Value emitIsNotFirst(ImplicitLocOpBuilder &b, Value round,
                            int64_t begin) {
  return begin > 0 ? Value()
                   : Value(arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                                 round, indexConstant(b, 0)));
}

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
  state.endsAll = !end && llvm::all_of(of.counts, [&](int64_t count) {
    return (count - begin) / stepsAtOnce == 1;
  });
  emitSteps(b, of, state, stepsAtOnce, emitIsNotFirst(b, round, begin),
            isNotLast, numberOf(b, of, state, round, stepsAtOnce, begin));
  scf::YieldOp::create(b, state.flatten());
  state.assign(rewritten.getResults());
}

/// A region of a loop that hands on the number of a round and the state.
static void beginRound(ImplicitLocOpBuilder &b, Region &region, TypeRange types,
                       BlockState &state, Value &round) {
  const SmallVector<Location> locs(types.size(), b.getLoc());
  Block *block = b.createBlock(&region, {}, types, locs);
  round = block->getArgument(0);
  state.assign(block->getArguments().drop_front());
}

/// An odd number of steps from `begin` on, in pairs, of which the last has no
/// second one, so that no step stands ahead of the loop. No interval ends with
/// the first of a pair, but for the last behind the loop.
static void emitLeavingLoop(ImplicitLocOpBuilder &b, const BlockLoop &of,
                            BlockState &state, int64_t begin) {
  KLoopOp loop = of.loop;
  Value last = ofSlice(b, loop.getSlice(),
                       llvm::map_to_vector(of.counts, [&](int64_t count) {
                         return (count - begin) / 2;
                       }));
  const auto handOn = [&](Value round) {
    SmallVector<Value> values = {round};
    llvm::append_range(values, state.flatten());
    return values;
  };
  const SmallVector<Value> inits = handOn(indexConstant(b, 0));
  const TypeRange types = ValueRange(inits).getTypes();
  auto rewritten = scf::WhileOp::create(b, types, inits);
  OpBuilder::InsertionGuard guard(b);
  Value round;
  beginRound(b, rewritten.getBefore(), types, state, round);
  Value isNotLast =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, round, last);
  StepNumber number = numberOf(b, of, state, round, 2, begin);
  number.endsInterval = false;
  emitSteps(b, of, state, 1, emitIsNotFirst(b, round, begin), isNotLast,
            number);
  scf::ConditionOp::create(b, isNotLast, handOn(round));
  beginRound(b, rewritten.getAfter(), types, state, round);
  Value next = arith::AddIOp::create(b, round, indexConstant(b, 1));
  // The second step of a pair fetches that of the next.
  Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, next, last);
  number = numberOf(b, of, state, round, 2, begin + 1);
  number.count = Value();
  emitSteps(b, of, state, 1, std::optional<Value>(Value()), more, number);
  scf::YieldOp::create(b, handOn(next));
  state.assign(rewritten.getResults().drop_front());
}

/// Steps of an iteration: an even number of batches.
static int64_t stepsAtOnce(const BlockLoop &of) {
  return of.batches() % 2 == 0 ? 1 : 2;
}

/// Beside more sums than these of instructions, and a warp that brings rows, a
/// loop for the first interval leaves too few registers: ptxas spills.
static constexpr int kBringing = 80;

/// Steps of the first interval of sums that are promoted, if it has a loop of
/// its own: later intervals are added to its sums, which are added to nothing.
/// Otherwise 0. Two steps or more are left behind it, so that the step behind
/// the next one, which the loop fetches last, exists. Measured with fragments
/// of whole steps alone.
static int64_t stepsToBegin(const BlockLoop &of) {
  BlockMatmulOp matmul = of.matmul;
  KLoopOp loop = of.loop;
  const auto interval = static_cast<int64_t>(matmul.getStepsOfSum());
  const Schedule schedule = loop.getSchedule().toSchedule();
  if (interval <= 1 || interval % stepsAtOnce(of) != 0 || of.parts > 1 ||
      (schedule.bringBytes > 0 && schedule.accumulators() > kBringing) ||
      !matchPattern(loop.getInits()[0], m_AnyZeroFloat()))
    return 0;
  const bool hasMore = llvm::all_of(
      of.counts, [&](int64_t count) { return count >= interval + 2; });
  return hasMore ? interval : 0;
}

/// Whether steps behind the first interval's own loop are in one that is left
/// between two of them, because their number is odd: intervals end with the
/// second of a pair, and the last one behind the loop. Measured: both loops
/// take 0.92 to 0.99 of the time of forms with a step ahead of a loop.
static bool leavesBetweenSteps(const BlockLoop &of, int64_t toBegin) {
  return toBegin > 0 && of.batches() == 1 && of.counts.front() % 2 == 1;
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
  const bool leaves = leavesBetweenSteps(of, toBegin);
  if (leaves) {
    emitLeavingLoop(b, of, state, toBegin);
  } else if (odd == 1) {
    Value never = arith::ConstantIntOp::create(b, b.getI1Type(), 0);
    StepNumber first;
    if (state.promoted)
      first = {indexConstant(b, toBegin),
               ofSlice(b, loop.getSlice(), of.counts)};
    state.endsAll = steps - toBegin == 1;
    emitSteps(b, of, state, 1,
              toBegin > 0 ? std::optional<Value>(Value()) : std::nullopt,
              steps == 1 ? never : Value(), first);
  }
  if (!leaves && steps - toBegin >= atOnce)
    emitLoop(b, of, state, atOnce, toBegin + odd);
  Value sums = WgmmaWaitOp::create(b, state.sums.getType(), state.sums);
  if (state.promoted)
    sums = leaves ? addSums(b, state.promoted, sums) : state.promoted;
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
                         leavesBetweenSteps(of, stepsToBegin(of))
                             ? ", whose last leaves one out"
                         : steps % atOnce == 1 ? " and a step ahead"
                                               : "",
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
