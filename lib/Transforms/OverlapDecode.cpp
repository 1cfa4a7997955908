//===- OverlapDecode.cpp - Decode the next fragment while wgmma runs ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_OVERLAPDECODE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kPass = "mxfp4-overlap-decode";

/// What a thread holds of a block of weights: raw words when it is fetched,
/// fragments when it is decoded.
using Registers = SmallVector<Value>;

/// The pipeline between two blocks.
struct State {
  Value sums;
  /// Cursors of the step before (its group may still run), of the step that is
  /// multiplied and of the step behind it.
  Value previous, current, next;
  /// Fragments to multiply, and those of the block before.
  Registers fragments, spare;
  /// Words of the block to decode.
  Registers raw;

  SmallVector<Value> flatten() const;
  void assign(ValueRange values);
};

/// Rewrites one loop. A step has the blocks 0 to `blocks - 1`.
class Overlapper {
public:
  explicit Overlapper(KLoopOp loop)
      : loop(loop), matmul(loop.getOnly<BlockMatmulOp>()),
        blocks(matmul ? matmul.getBlocks() : 0), b(loop.getLoc(), loop) {}

  LogicalResult check();
  void run();

private:
  bool changesWithStep(Value value);
  Registers pin(ValueRange values) {
    if (values.empty())
      return {};
    return Registers(PinOp::create(b, values.getTypes(), values).getPinned());
  }
  Value after(Value cursor) {
    return RingNextOp::create(b, cursor, loop.getSlice());
  }
  Value slotOf(Value cursor) {
    return RingSlotOp::create(b, b.getIndexType(), cursor);
  }
  void emitPlaces();
  Registers emitFetch(int64_t block, Value cursor);
  Registers emitFetchIf(Value condition, int64_t block, Value cursor,
                        const Registers &otherwise);
  Registers emitDecode(const Registers &raw);
  void emitAhead(State &state, int64_t block, Value fetchIf);
  void emitBatch(State &state, int64_t block, bool hasEarlier);
  void release(Value cursor, Value condition);
  void emitSteps(State &state, int64_t steps, std::optional<Value> hasPrevious,
                 Value more);
  void emitLoop(State &state, int64_t stepsAtOnce);

  KLoopOp loop;
  BlockMatmulOp matmul;
  const int64_t blocks;
  /// Steps of each K slice: all odd or all even.
  SmallVector<int64_t> counts;
  ImplicitLocOpBuilder b;
  /// For each block, what its fetch computes whatever the slot.
  SmallVector<IRMapping> places;
  /// Blocks decoded and multiplied so far, in the order of the text: an even
  /// number in the loop, so that two buffers take turns.
  int64_t decoded = 0, multiplied = 0;
};

} // namespace

SmallVector<Value> State::flatten() const {
  SmallVector<Value> values = {sums, previous, current, next};
  for (ArrayRef<Value> part :
       {ArrayRef(fragments), ArrayRef(spare), ArrayRef(raw)})
    llvm::append_range(values, part);
  return values;
}

void State::assign(ValueRange values) {
  for (Value *value : {&sums, &previous, &current, &next}) {
    *value = values.front();
    values = values.drop_front();
  }
  for (SmallVector<Value> *part : {&fragments, &spare, &raw}) {
    part->assign(values.begin(), values.begin() + part->size());
    values = values.drop_front(part->size());
  }
}

Registers Overlapper::emitFetch(int64_t block, Value cursor) {
  // The first block of a step is fetched first.
  if (block == 0)
    RingWaitOp::create(b, loop.getRing(), cursor);
  Region &fetch = matmul.getFetch();
  IRMapping mapping = places[block];
  mapping.map(fetch.getArgument(0), slotOf(cursor));
  for (Operation &op : fetch.front().without_terminator())
    if (!mapping.contains(&op))
      b.clone(op, mapping);
  return llvm::map_to_vector(
      fetch.front().getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}

/// Computes the places of all blocks once, in front of the loop.
void Overlapper::emitPlaces() {
  Region &fetch = matmul.getFetch();
  for (int64_t block = 0; block < blocks; ++block) {
    IRMapping &mapping = places.emplace_back();
    mapping.map(fetch.getArgument(1), indexConstant(b, block));
    for (Operation &op : fetch.front().without_terminator())
      if (isPure(&op) && llvm::all_of(op.getOperands(), [&](Value value) {
            return mapping.contains(value) ||
                   !fetch.isAncestor(value.getParentRegion());
          }))
        b.clone(op, mapping);
  }
}

Registers Overlapper::emitFetchIf(Value condition, int64_t block, Value cursor,
                                  const Registers &otherwise) {
  if (!condition)
    return emitFetch(block, cursor);
  auto branch =
      scf::IfOp::create(b, ValueRange(otherwise).getTypes(), condition,
                        /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitFetch(block, cursor));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, otherwise);
  return Registers(branch.getResults());
}

/// Pinned: nothing reads fragments before the next batch, and LLVM would decode
/// there, behind the wait instead of in front of it.
Registers Overlapper::emitDecode(const Registers &raw) {
  return pin(inlinePart(b, matmul.getDecode(), raw, decoded++ % 2));
}

/// Decodes the next block into the spare fragments, and fetches the one after,
/// if `fetchIf` (null for always) is true. In a branch that is always taken,
/// which only the run shows: ptxas would move a decode outside of one down,
/// behind the wait.
void Overlapper::emitAhead(State &state, int64_t block, Value fetchIf) {
  Value hasTokens =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                            matmul.getWgmma().getTokens(), indexConstant(b, 0));
  const int64_t stepsAhead = (block + 2) / blocks;
  Value fetched = stepsAhead == 0   ? state.current
                  : stepsAhead == 1 ? state.next
                                    : after(state.next);
  SmallVector<Value> values(state.spare);
  values.append(state.raw);
  auto branch = scf::IfOp::create(b, ValueRange(values).getTypes(), hasTokens,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, values);
    b.setInsertionPointToStart(branch.thenBlock());
    values = emitDecode(state.raw);
    values.append(
        emitFetchIf(fetchIf, (block + 2) % blocks, fetched, state.raw));
    scf::YieldOp::create(b, values);
  }
  ValueRange results = branch.getResults();
  const size_t count = state.fragments.size();
  state.spare =
      std::exchange(state.fragments, Registers(results.take_front(count)));
  state.raw = Registers(results.drop_front(count));
}

/// Starts the batch of one block and waits for the one before, if any, whose
/// fragments are spare from then on.
void Overlapper::emitBatch(State &state, int64_t block, bool hasEarlier) {
  SmallVector<Value> arguments = {
      slotOf(state.current),
      vector::ExtractOp::create(b, state.sums, ArrayRef<int64_t>{block})};
  llvm::append_range(arguments, state.fragments);
  Value sums =
      inlinePart(b, matmul.getMultiply(), arguments, multiplied++ % 2).front();
  if (hasEarlier)
    sums = WgmmaWaitOp::create(b, sums.getType(), sums, /*pending=*/1);
  state.sums =
      vector::InsertOp::create(b, sums, state.sums, ArrayRef<int64_t>{block});
}

/// Gives a stage back, if the condition holds; null: always.
void Overlapper::release(Value cursor, Value condition) {
  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(scf::IfOp::create(b, condition).thenBlock());
  RingReleaseOp::create(b, loop.getRing(), cursor, /*one_thread=*/false);
}

/// Consecutive steps: start a batch, and prepare the next blocks while it runs.
/// There is none before the first without `hasPrevious`; else its stage is
/// released if that is true. What is fetched past the last of them is fetched
/// if `more`. Null: always.
void Overlapper::emitSteps(State &state, int64_t steps,
                           std::optional<Value> hasPrevious, Value more) {
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t block = 0; block < blocks; ++block) {
      const bool isInside = step * blocks + block + 2 < steps * blocks;
      emitBatch(state, block, hasPrevious || step > 0 || block > 0);
      if (block == 0 && (hasPrevious || step > 0))
        release(state.previous, step > 0 ? Value() : *hasPrevious);
      emitAhead(state, block, isInside ? Value() : more);
    }
    state.previous = state.current;
    state.current = state.next;
    state.next = after(state.next);
  }
}

/// An even number of blocks an iteration, so that two sets of fragments keep
/// registers of their own. The last iteration fetches nothing; what it decodes
/// last, from old words, nobody multiplies. K slices may have different numbers
/// of iterations.
void Overlapper::emitLoop(State &state, int64_t stepsAtOnce) {
  const auto rounds = [&](int64_t less) {
    return ofSlice(b, loop.getSlice(),
                   llvm::map_to_vector(counts, [&](int64_t count) -> int64_t {
                     return count / stepsAtOnce - less;
                   }));
  };
  Value last = rounds(1);
  auto rewritten = scf::ForOp::create(b, indexConstant(b, 0), rounds(0),
                                      indexConstant(b, 1), state.flatten());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rewritten.getBody());
  state.assign(rewritten.getRegionIterArgs());
  Value round = rewritten.getInductionVar();
  Value isNotLast =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, round, last);
  Value isNotFirst =
      counts.front() % stepsAtOnce == 1
          ? Value()
          : Value(arith::CmpIOp::create(b, arith::CmpIPredicate::ne, round,
                                        indexConstant(b, 0)));
  emitSteps(state, stepsAtOnce, isNotFirst, isNotLast);
  scf::YieldOp::create(b, state.flatten());
  state.assign(rewritten.getResults());
}

/// Whether a value of the loop's body depends on the step, the cursor or the
/// sums, or on an operation with effects.
bool Overlapper::changesWithStep(Value value) {
  if (value.getParentRegion() != &loop.getBody())
    return false;
  Operation *op = value.getDefiningOp();
  return !op || !isMemoryEffectFree(op) ||
         llvm::any_of(op->getOperands(),
                      [&](Value operand) { return changesWithStep(operand); });
}

LogicalResult Overlapper::check() {
  if (!matmul || loop.getInits().size() != 1)
    return loop.emitOpError("requires one mxfp4.block_matmul and its sums to "
                            "overlap decoding; run mxfp4-insert-decode first");
  if (!matmul.getWgmma().getTokens() ||
      loop.getBody().isAncestor(
          matmul.getWgmma().getTokens().getParentRegion()))
    return loop.emitOpError("requires a number of tokens from outside of it to "
                            "overlap decoding");
  for (Region *part :
       {&matmul.getFetch(), &matmul.getDecode(), &matmul.getMultiply()})
    if (const WalkResult result = part->walk([&](Operation *op) {
          const bool usesStep =
              llvm::any_of(op->getOperands(),
                           [&](Value value) { return changesWithStep(value); });
          return usesStep ? WalkResult::interrupt() : WalkResult::advance();
        });
        result.wasInterrupted())
      return matmul.emitOpError("requires regions that use nothing from inside "
                                "the loop over K that changes from step to "
                                "step");
  const Schedule schedule = loop.getSchedule().toSchedule();
  if (!schedule.sharesSteps(loop.getSteps()))
    return loop.emitOpError()
           << "requires a number of steps that its " << schedule.kSlices
           << " K slices share evenly or in pairs to overlap decoding, but has "
           << loop.getSteps();
  counts = sliceCounts(schedule, loop.getSteps());
  return success();
}

void Overlapper::run() {
  // Who a thread is does not change from step to step.
  moveLoopInvariantCode(cast<LoopLikeOpInterface>(loop.getOperation()));
  emitPlaces();
  const int64_t steps = *llvm::min_element(counts);
  State state;
  // Zeros that are made inside the first batch would serialise it.
  state.sums = pin(loop.getInits()[0]).front();
  state.previous = state.current = loop.getCursor();
  state.next = after(state.current);
  state.fragments = emitDecode(emitFetch(0, state.current));
  state.spare = pin(state.fragments);
  const bool isAlone = steps * blocks == 1;
  state.raw =
      emitFetch(1 % blocks, blocks > 1 || isAlone ? state.current : state.next);
  // An odd step goes ahead of the loop: at the end it would leave the loop
  // without a condition to fetch by.
  const int64_t stepsAtOnce = blocks % 2 == 0 ? 1 : 2;
  passedOn(loop, kPass, "loop", [&] {
    return llvm::formatv("{0} steps of {1} batches of wgmma, {2} in an "
                         "iteration{3}{4}",
                         steps, blocks, stepsAtOnce * blocks,
                         steps % stepsAtOnce == 1 ? " and a step ahead" : "",
                         llvm::all_equal(counts)
                             ? ""
                             : "; two more steps in some K slices")
        .str();
  });
  if (steps % stepsAtOnce == 1) {
    Value never = arith::ConstantIntOp::create(b, b.getI1Type(), 0);
    emitSteps(state, 1, std::nullopt, steps == 1 ? never : Value());
  }
  if (steps >= stepsAtOnce)
    emitLoop(state, stepsAtOnce);
  Value sums = WgmmaWaitOp::create(b, state.sums.getType(), state.sums);
  release(state.previous, Value());
  loop.getResult(0).replaceAllUsesWith(sums);
  loop.getLastCursor().replaceAllUsesWith(state.current);
  loop.erase();
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
        missedOn(loop, kPass, "loop", [&] {
          return loop.drains() ? "its schedule has no overlap_decode"
                               : "it drains no ring";
        });
    });
    for (KLoopOp loop : loops) {
      Overlapper overlapper(loop);
      if (failed(overlapper.check()))
        return signalPassFailure();
      overlapper.run();
    }
    numOverlapped += loops.size();
  }
};

} // namespace
