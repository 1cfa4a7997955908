//===- TopKKernel.cpp - The kernel of mxfp4.top_k -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A warp has a token. Lane l holds the keys (RoutingScores.h) of the experts l,
// l + 32, ...; the greatest key of the warp, and of those that have it the
// lowest expert, are two `redux` for each slot. Then lane s computes the weight
// of slot s. Sums are over lanes l, l + 16, then l, l + 8, and so on; of the
// experts of a lane in increasing order.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "RoutingKernels.h"
#include "RoutingScores.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

namespace {

class TopKKernel {
public:
  TopKKernel(CtaBuilder &c, const RoutingKernel &kernel,
             const RoutingArguments &arguments)
      : c(c), op(kernel.topK), arg(arguments), experts(kernel.experts()),
        slots(kernel.slots()),
        perLane(llvm::divideCeil(experts, CtaBuilder::kLanes)),
        scoring(op.getScoring()) {}

  void emit();

private:
  /// An expert of this lane, as i32, and whether there is one.
  Value expert(int64_t number) {
    return c.add(lane, number * CtaBuilder::kLanes);
  }
  bool mayMiss(int64_t number) const {
    return (number + 1) * CtaBuilder::kLanes > experts;
  }
  Value exists(int64_t number) { return c.less(expert(number), experts); }

  void emitToken(Value token, Value histogram);
  void load(Value token);
  void score();
  void emitKeys();
  void select();
  SmallVector<Value> selectOne(ValueRange state, Value slot);
  Value maximumOf(ValueRange keysOfLane);
  Value selectedLogit(Value token);
  Value selectedMaximum(Value logit, Value isSlot);
  Value weight(Value token, Value isSlot);

  CtaBuilder &c;
  TopKOp op;
  const RoutingArguments &arg;
  const int64_t experts, slots, perLane;
  const Scoring scoring;

  /// This lane's number, i32.
  Value lane;
  // Of the token at hand, for each expert of the lane.
  SmallVector<Value> logits, keys, scores;
  /// Of all experts, where softmax is before the selection.
  Value maximum, sum;
  /// Of the lane's slot: the expert (i32) and its key; the first slot's key.
  Value selected, selectedKey, firstKey;
};

} // namespace

Value mxfp4::emitBlockTokens(CtaBuilder &c, Value rows) {
  Value times = c.divideUp(rows, kCountBlocks * kCountBlockTokens);
  return c.mul(c.op<arith::MaxUIOp>(times, 1), kCountBlockTokens);
}

void TopKKernel::emit() {
  lane = c.toI32(c.lane);
  Value histogram;
  if (arg.counts)
    histogram = sharedBuffer(c.b, {experts}, c.b.getI32Type(), 0);
  Value perBlock = emitBlockTokens(c, arg.rows);
  c.loopBy(c.cta, c.divideUp(arg.rows, perBlock), c.ctas, [&](Value block) {
    if (histogram) {
      c.threadLoop(c.index(experts), [&](Value expert) {
        c.store(c.integer(32, 0), histogram, expert);
      });
      c.syncCta();
    }
    Value first = c.mul(block, perBlock);
    Value end = c.min(c.add(first, perBlock), arg.rows);
    c.loopBy(c.add(first, c.warp), end, c.index(c.warps()),
             [&](Value token) { emitToken(token, histogram); });
    if (!histogram)
      return;
    c.syncCta();
    c.threadLoop(c.index(experts), [&](Value expert) {
      c.store(c.load(histogram, expert), arg.counts, {block, expert});
    });
    // The next block's zeros come behind these loads.
    c.syncCta();
  });
}

void TopKKernel::emitToken(Value token, Value histogram) {
  load(token);
  score();
  emitKeys();
  select();
  Value isSlot = c.less(lane, slots);
  Value result = weight(token, isSlot);
  c.ifThen(isSlot, [&] {
    c.store(selected, arg.ids, {token, c.lane});
    c.store(result, arg.weights, {token, c.lane});
    if (histogram)
      c.atomicAdd(c.integer(32, 1), histogram, c.toIndex(selected));
  });
}

void TopKKernel::load(Value token) {
  logits.clear();
  for (int64_t i = 0; i < perLane; ++i) {
    Value at = expert(i);
    if (mayMiss(i))
      at = c.select(exists(i), at, c.integer(32, experts - 1));
    logits.push_back(c.widen(c.load(arg.logits, {token, c.toIndex(at)})));
  }
}

/// The greatest of some keys of each lane, over all lanes.
Value TopKKernel::maximumOf(ValueRange keysOfLane) {
  Value best = keysOfLane.front();
  for (Value key : keysOfLane.drop_front())
    best = c.op<arith::MaxSIOp>(best, key);
  return c.reduceMax(best);
}

/// What is needed of all logits before the selection.
void TopKKernel::score() {
  scores.clear();
  maximum = sum = Value();
  if (scoring == Scoring::Softmax) {
    // Experts that a lane does not have repeat the last one.
    SmallVector<Value> all = llvm::map_to_vector(
        logits, [&](Value logit) { return emitKey(c.b, logit); });
    maximum = emitValueOfKey(c.b, maximumOf(all));
    for (int64_t i = 0; i < perLane; ++i) {
      Value power = emitScore(c.b, scoring, logits[i], maximum);
      if (mayMiss(i))
        power = c.select(exists(i), power, c.f32(0));
      sum = sum ? c.op<arith::AddFOp>(sum, power) : power;
      scores.push_back(power);
    }
    sum = c.sumLanes(sum);
  }
  if (!op.getBias())
    return;
  for (int64_t i = 0; i < perLane; ++i) {
    if (scoring == Scoring::Softmax)
      scores[i] = emitWeight(c.b, scores[i], sum, 1.0f);
    else
      scores.push_back(isScalarScoring(scoring)
                           ? emitScore(c.b, scoring, logits[i], Value())
                           : logits[i]);
  }
}

void TopKKernel::emitKeys() {
  keys.clear();
  for (int64_t i = 0; i < perLane; ++i) {
    Value compared = logits[i];
    if (op.getBias()) {
      Value at = expert(i);
      if (mayMiss(i))
        at = c.select(exists(i), at, c.integer(32, experts - 1));
      compared =
          c.op<arith::AddFOp>(scores[i], c.load(arg.bias, c.toIndex(at)));
    }
    Value key = emitKey(c.b, compared);
    if (mayMiss(i))
      key = c.select(exists(i), key, c.integer(32, kNoKey));
    keys.push_back(key);
  }
}

/// One slot: from keys, and of the lane's slot expert and key, to the next.
SmallVector<Value> TopKKernel::selectOne(ValueRange state, Value slot) {
  ValueRange keysLeft = state.take_front(perLane);
  Value best = maximumOf(keysLeft);
  // Of equal experts the lowest.
  Value lowest = c.integer(32, INT32_MAX);
  for (int64_t i = perLane - 1; i >= 0; --i)
    lowest = c.select(c.compare(CmpIPredicate::eq, keysLeft[i], best),
                      expert(i), lowest);
  Value found = c.reduceMin(lowest);
  SmallVector<Value> next;
  for (int64_t i = 0; i < perLane; ++i)
    next.push_back(c.select(c.compare(CmpIPredicate::eq, expert(i), found),
                            c.integer(32, kNoKey), keysLeft[i]));
  Value isMine = c.compare(CmpIPredicate::eq, lane, slot);
  next.push_back(c.select(isMine, found, state[perLane]));
  next.push_back(c.select(isMine, best, state[perLane + 1]));
  return next;
}

void TopKKernel::select() {
  SmallVector<Value> state = keys;
  // Expert 0 for lanes without a slot.
  state.push_back(c.integer(32, 0));
  state.push_back(c.integer(32, 0));
  constexpr int64_t kMostUnrolled = 64;
  if (perLane * slots <= kMostUnrolled) {
    for (int64_t slot = 0; slot < slots; ++slot)
      state = selectOne(state, c.integer(32, slot));
  } else {
    auto loop =
        scf::ForOp::create(c.b, c.index(0), c.index(slots), c.index(1), state);
    OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(c.b, selectOne(loop.getRegionIterArgs(),
                                        c.toI32(loop.getInductionVar())));
    state.assign(loop.getResults().begin(), loop.getResults().end());
  }
  selected = state[perLane];
  selectedKey = state[perLane + 1];
}

/// Without a bias it can be had from the key.
Value TopKKernel::selectedLogit(Value token) {
  if (!op.getBias())
    return emitValueOfKey(c.b, selectedKey);
  return c.widen(c.load(arg.logits, {token, c.toIndex(selected)}));
}

/// Of softmax over the selected: the first slot has the greatest logit, if not
/// for a bias.
Value TopKKernel::selectedMaximum(Value logit, Value isSlot) {
  if (!op.getBias())
    return emitValueOfKey(c.b, c.shuffle(selectedKey, c.integer(32, 0)));
  Value key = c.select(isSlot, emitKey(c.b, logit), c.integer(32, kNoKey));
  return emitValueOfKey(c.b, c.reduceMax(key));
}

Value TopKKernel::weight(Value token, Value isSlot) {
  Value logit = selectedLogit(token), max = maximum;
  if (scoring == Scoring::SoftmaxSelected)
    max = selectedMaximum(logit, isSlot);
  Value score = emitScore(c.b, scoring, logit, max);
  Value divisor = sum ? sum : c.f32(1);
  if (op.getRenormalize() || scoring == Scoring::SoftmaxSelected)
    divisor = c.sumLanes(c.select(isSlot, score, c.f32(0)),
                         int64_t(llvm::PowerOf2Ceil(uint64_t(slots))));
  return emitWeight(c.b, score, divisor, op.getScale().convertToFloat());
}

void mxfp4::emitTopK(CtaBuilder &c, const RoutingKernel &kernel,
                     const RoutingArguments &arguments) {
  TopKKernel(c, kernel, arguments).emit();
}
