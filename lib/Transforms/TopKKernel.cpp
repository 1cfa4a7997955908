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
#include "TopKSelection.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mxfp4;

namespace {

class TopKKernel {
public:
  TopKKernel(CtaBuilder &c, const RoutingKernel &kernel,
             const RoutingArguments &arguments)
      : c(c), op(kernel.topK), arg(arguments), experts(kernel.experts()),
        slots(kernel.slots()), perLane(llvm::divideCeil(experts, kWarpThreads)),
        scoring(op.getScoring()),
        isPacked(!op.getBias() && cast<MemRefType>(op.getLogits().getType())
                                      .getElementType()
                                      .isBF16()),
        lane(c.toI32(c.lane)), selection(c, lane, perLane, isPacked) {}

  void emit();

private:
  /// An expert of this lane, as i32, and whether there is one.
  Value expert(int64_t number) { return selection.expert(number); }
  bool mayMiss(int64_t number) const {
    return (number + 1) * kWarpThreads > experts;
  }
  Value exists(int64_t number) { return c.less(expert(number), experts); }

  void emitToken(Value token, Value histogram);
  void load(Value token);
  void score();
  void emitKeys();
  Value selectedLogit(Value token);
  Value valueOf(Value key);
  Value selectedMaximum(Value logit, Value isSlot);
  Value weight(Value token, Value isSlot);

  CtaBuilder &c;
  TopKOp op;
  const RoutingArguments &arg;
  const int64_t experts, slots, perLane;
  const Scoring scoring;
  /// Whether a key has its expert in its low half.
  const bool isPacked;

  /// This lane's number, i32.
  Value lane;
  TopKSelection selection;
  // Of the token at hand, for each expert of the lane.
  SmallVector<Value> logits, keys, scores;
  /// Of all experts, where softmax is before the selection.
  Value maximum, sum;
  TopKSelection::Slot selected;
};

} // namespace

Value mxfp4::emitBlockTokens(CtaBuilder &c, Value rows) {
  Value times = c.divideUp(rows, kCountBlocks * kCountBlockTokens);
  return c.mul(c.op<arith::MaxUIOp>(times, 1), kCountBlockTokens);
}

void TopKKernel::emit() {
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
  selected = selection.select(keys, slots);
  Value isSlot = c.less(lane, slots);
  Value result = weight(token, isSlot);
  c.ifThen(isSlot, [&] {
    c.store(selected.expert, arg.ids, {token, c.lane});
    c.store(result, arg.weights, {token, c.lane});
    if (arg.staged) {
      Value at = c.add(c.mul(token, slots), c.lane);
      c.ifThen(c.less(at, SortMemory::kStagedIds),
               [&] { c.store(selected.expert, arg.staged, at); });
    }
    if (histogram)
      c.atomicAdd(c.integer(32, 1), histogram, c.toIndex(selected.expert));
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

/// What is needed of all logits before the selection.
void TopKKernel::score() {
  scores.clear();
  maximum = sum = Value();
  if (scoring == Scoring::Softmax) {
    // Experts that a lane does not have repeat the last one. With a NaN or an
    // infinity the sum of all scores is NaN, and so is every score: also where
    // the sum of the selected takes its place.
    SmallVector<Value> all = llvm::map_to_vector(logits, [&](Value logit) {
      Value isOrdinary = arith::CmpFOp::create(c.b, arith::CmpFPredicate::OLT,
                                               logit, c.f32(INFINITY));
      return c.select(isOrdinary, emitKey(c.b, logit),
                      c.integer(32, INT32_MAX));
    });
    maximum = emitValueOfKey(c.b, selection.maximum(all));
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
    if (isPacked)
      key = selection.pack(key, expert(i));
    if (mayMiss(i))
      key = c.select(exists(i), key, selection.noKey());
    keys.push_back(key);
  }
}

/// What was compared, of a slot's key.
Value TopKKernel::valueOf(Value key) {
  Value value = emitValueOfKey(c.b, key);
  if (!isPacked)
    return value;
  Value bits = arith::BitcastOp::create(c.b, c.b.getI32Type(), value);
  return arith::BitcastOp::create(c.b, c.b.getF32Type(),
                                  c.op<arith::AndIOp>(bits, 0xffff0000));
}

/// Without a bias it can be had from the key.
Value TopKKernel::selectedLogit(Value token) {
  if (!op.getBias())
    return valueOf(selected.key);
  return c.widen(c.load(arg.logits, {token, c.toIndex(selected.expert)}));
}

/// Of softmax over the selected: the first slot has the greatest logit, if not
/// for a bias.
Value TopKKernel::selectedMaximum(Value logit, Value isSlot) {
  if (!op.getBias())
    return valueOf(c.shuffle(selected.key, c.integer(32, 0)));
  Value key = c.select(isSlot, emitKey(c.b, logit), selection.noKey());
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
