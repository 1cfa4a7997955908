//===- RoutingLoops.cpp - The specification of routing --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RoutingLoops.h"

#include "LoopBuilder.h"
#include "RoutingScores.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

namespace {

/// ORs bits into an error word, if there is one.
void report(LoopBuilder &l, Value error, int bits) {
  if (!error)
    return;
  Value zero = l.index(0);
  l.store(l.op<arith::OrIOp>(l.load(error, zero), bits), error, zero);
}

/// A signed i32 as an index.
Value toIndex(LoopBuilder &l, Value value) {
  return arith::IndexCastOp::create(l.b, l.b.getIndexType(), value);
}

/// Whether `number`, of an expert or of a row, is in 0 .. count-1. The
/// comparison is unsigned, so that numbers below 0 are out of range, too.
Value isInside(LoopBuilder &l, Value number, Value count) {
  return l.compare(CmpIPredicate::ult, toIndex(l, number), count);
}

/// Counts the slots of each expert for each block of tokens.
class BlockCounts {
public:
  BlockCounts(LoopBuilder &l, Value counts, Value tokens)
      : l(l), counts(counts), tokens(tokens) {}

  void clear() {
    // Without tokens blockTokens() is 0; the maximum prevents a division by 0.
    Value blocks = l.op<arith::CeilDivUIOp>(
        tokens, l.op<arith::MaxUIOp>(blockTokens(), 1));
    l.loopNest({blocks, l.size(counts, 1)},
               [&](ValueRange at) { l.store(l.integer(32, 0), counts, at); });
  }

  void add(Value token, Value expert) {
    Value block = l.op<arith::DivUIOp>(token, blockTokens());
    Value before = l.load(counts, {block, expert});
    l.store(l.op<arith::AddIOp>(before, 1), counts, {block, expert});
  }

private:
  /// Tokens of a block.
  Value blockTokens() {
    Value times = l.op<arith::CeilDivUIOp>(tokens, TopKOp::kBlocks *
                                                       TopKOp::kBlockTokens);
    return l.op<arith::MulIOp>(times, TopKOp::kBlockTokens);
  }

  LoopBuilder &l;
  Value counts, tokens;
};

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

class TopKLoops {
public:
  TopKLoops(TopKOp op) : op(op), l(op), scoring(op.getScoring()) {}

  void emit() {
    tokens = l.size(op.getLogits(), 0);
    experts = l.size(op.getLogits(), 1);
    slots = l.size(op.getIds(), 1);
    if (op.getCounts()) {
      counts.emplace(l, op.getCounts(), tokens);
      counts->clear();
    }
    l.loop(tokens, [&](Value token) { emitToken(token); });
  }

private:
  Value logit(Value token, Value expert) {
    return l.widen(l.load(op.getLogits(), {token, expert}));
  }

  /// The greatest logit, of all experts. NaN if it is infinite, since then the
  /// sum of all scores is NaN.
  Value maximum(Value token) {
    Value max =
        l.reduce(l.index(0), experts, l.f32(-INFINITY),
                 [&](Value expert, Value max) -> Value {
                   return l.op<arith::MaximumFOp>(max, logit(token, expert));
                 });
    return l.op<arith::AddFOp>(max, l.op<arith::MulFOp>(max, l.f32(0)));
  }

  /// The sum over all experts in the denominator of `softmax`.
  Value sumOfAll(Value token, Value max) {
    return l.reduce(
        l.index(0), experts, l.f32(0), [&](Value expert, Value sum) -> Value {
          return l.op<arith::AddFOp>(
              sum, emitScore(l.b, scoring, logit(token, expert), max));
        });
  }

  /// The value by which experts are selected.
  Value compared(Value token, Value expert, Value max, Value sum) {
    Value value = logit(token, expert);
    if (!op.getBias())
      return value;
    if (scoring != Scoring::SoftmaxSelected)
      value = emitScore(l.b, scoring, value, max);
    if (scoring == Scoring::Softmax)
      value = emitWeight(l.b, value, sum, 1.0f);
    return l.op<arith::AddFOp>(value, l.load(op.getBias(), expert));
  }

  /// An i64 for each expert. Experts with greater numbers are selected first,
  /// and no two numbers are equal.
  Value rank(Value token, Value expert, Value max, Value sum) {
    Type i64 = l.b.getI64Type();
    Value key = arith::ExtSIOp::create(
        l.b, i64, emitKey(l.b, compared(token, expert, max, sum)));
    Value lower =
        l.op<arith::SubIOp>(l.integer(64, INT32_MAX), l.convert(expert, i64));
    return l.op<arith::AddIOp>(l.op<arith::ShLIOp>(key, 32), lower);
  }

  void emitToken(Value token) {
    Value max, sum;
    if (!isScalarScoring(scoring))
      max = maximum(token);
    if (scoring == Scoring::Softmax)
      sum = sumOfAll(token, max);
    select(token, max, sum);
    emitWeights(token, max, sum);
    if (op.getCounts())
      count(token);
  }

  void select(Value token, Value max, Value sum) {
    Value least = l.integer(64, uint64_t(INT64_MIN));
    l.reduce(l.index(0), slots, l.integer(64, INT64_MAX),
             [&](Value slot, Value last) -> Value {
               Value best = l.reduce(
                   l.index(0), experts, least,
                   [&](Value expert, Value best) -> Value {
                     Value candidate = rank(token, expert, max, sum);
                     Value better = l.op<arith::AndIOp>(
                         l.compare(CmpIPredicate::slt, candidate, last),
                         l.compare(CmpIPredicate::sgt, candidate, best));
                     return l.select(better, candidate, best);
                   });
               Value lower = l.i32(l.op<arith::AndIOp>(best, INT32_MAX));
               l.store(l.op<arith::SubIOp>(l.integer(32, INT32_MAX), lower),
                       op.getIds(), {token, slot});
               return best;
             });
  }

  Value selectedLogit(Value token, Value slot) {
    Value expert = toIndex(l, l.load(op.getIds(), {token, slot}));
    return logit(token, expert);
  }

  void emitWeights(Value token, Value max, Value sum) {
    if (scoring == Scoring::SoftmaxSelected)
      max = l.reduce(l.index(0), slots, l.f32(-INFINITY),
                     [&](Value slot, Value max) -> Value {
                       return l.op<arith::MaximumFOp>(
                           max, selectedLogit(token, slot));
                     });
    l.loop(slots, [&](Value slot) {
      l.store(emitScore(l.b, scoring, selectedLogit(token, slot), max),
              op.getWeights(), {token, slot});
    });
    const bool overSelected =
        op.getRenormalize() || scoring == Scoring::SoftmaxSelected;
    if (overSelected)
      sum = l.reduce(l.index(0), slots, l.f32(0),
                     [&](Value slot, Value sum) -> Value {
                       return l.op<arith::AddFOp>(
                           sum, l.load(op.getWeights(), {token, slot}));
                     });
    if (!sum)
      sum = l.f32(1);
    l.loop(slots, [&](Value slot) {
      Value score = l.load(op.getWeights(), {token, slot});
      l.store(emitWeight(l.b, score, sum, op.getScale().convertToFloat()),
              op.getWeights(), {token, slot});
    });
  }

  void count(Value token) {
    l.loop(slots, [&](Value slot) {
      counts->add(token, toIndex(l, l.load(op.getIds(), {token, slot})));
    });
  }

  TopKOp op;
  LoopBuilder l;
  Scoring scoring;
  Value tokens, experts, slots;
  std::optional<BlockCounts> counts;
};

//===----------------------------------------------------------------------===//
// sort_by_expert
//===----------------------------------------------------------------------===//

class SortLoops {
public:
  SortLoops(SortByExpertOp op) : op(op), l(op) {}

  void emit() {
    tokens = l.size(op.getIds(), 0);
    slots = l.size(op.getIds(), 1);
    experts = l.op<arith::SubIOp>(l.size(op.getOffsets(), 0), 1);
    emitStarts();
    l.loop(l.op<arith::MulIOp>(tokens, slots),
           [&](Value row) { l.store(l.integer(32, 0), op.getTokens(), row); });
    emitRows();
    restoreStarts();
    if (op.getZeros())
      l.loop(experts, [&](Value expert) {
        l.store(l.integer(32, 0), op.getZeros(), expert);
      });
  }

private:
  Value one() { return l.integer(32, 1); }
  Value offset(Value expert) { return l.load(op.getOffsets(), expert); }
  void setOffset(Value value, Value expert) {
    l.store(value, op.getOffsets(), expert);
  }

  /// Runs `body` for the slots with an expert, in order.
  void forSlots(function_ref<void(ValueRange at, Value expert)> body,
                function_ref<void(ValueRange at, Value id)> otherwise) {
    l.loopNest({tokens, slots}, [&](ValueRange at) {
      Value id = l.load(op.getIds(), at);
      l.ifThen(
          isInside(l, id, experts), [&] { body(at, toIndex(l, id)); },
          [&] { otherwise(at, id); });
    });
  }

  /// offsets[e] becomes the first row of expert e, and offsets[E] the number of
  /// all rows.
  void emitStarts() {
    l.loop(l.op<arith::AddIOp>(experts, 1),
           [&](Value expert) { setOffset(l.integer(32, 0), expert); });
    forSlots(
        [&](ValueRange, Value expert) {
          Value next = l.op<arith::AddIOp>(expert, 1);
          setOffset(l.op<arith::AddIOp>(offset(next), one()), next);
        },
        [&](ValueRange, Value id) {
          l.ifThen(l.compare(CmpIPredicate::ne, id, -1),
                   [&] { report(l, op.getError(), 2); });
        });
    l.loop(experts, [&](Value expert) {
      Value next = l.op<arith::AddIOp>(expert, 1);
      setOffset(l.op<arith::AddIOp>(offset(next), offset(expert)), next);
    });
  }

  /// offsets[e] counts up to the first row of expert e + 1.
  void emitRows() {
    forSlots(
        [&](ValueRange at, Value expert) {
          Value row = offset(expert);
          l.store(row, op.getPositions(), at);
          l.store(l.i32(at[0]), op.getTokens(), toIndex(l, row));
          setOffset(l.op<arith::AddIOp>(row, one()), expert);
        },
        [&](ValueRange at, Value) {
          l.store(l.integer(32, UINT32_MAX), op.getPositions(), at);
        });
  }

  void restoreStarts() {
    l.loop(experts, [&](Value i) {
      Value expert = l.op<arith::SubIOp>(experts, i);
      setOffset(offset(l.op<arith::SubIOp>(expert, 1)), expert);
    });
    setOffset(l.integer(32, 0), l.index(0));
  }

  SortByExpertOp op;
  LoopBuilder l;
  Value tokens, slots, experts;
};

} // namespace

void mxfp4::emitTopKLoops(TopKOp op) { TopKLoops(op).emit(); }

void mxfp4::emitSortLoops(SortByExpertOp op) { SortLoops(op).emit(); }

void mxfp4::emitCountLoops(CountByExpertOp op) {
  LoopBuilder l(op);
  Value tokens = l.size(op.getIds(), 0);
  Value experts = l.size(op.getCounts(), 1);
  BlockCounts counts(l, op.getCounts(), tokens);
  counts.clear();
  l.loopNest({tokens, l.size(op.getIds(), 1)}, [&](ValueRange at) {
    Value id = l.load(op.getIds(), at);
    l.ifThen(isInside(l, id, experts),
             [&] { counts.add(at[0], toIndex(l, id)); });
  });
}

//===----------------------------------------------------------------------===//
// combine
//===----------------------------------------------------------------------===//

void mxfp4::emitCombineLoops(CombineOp op) {
  LoopBuilder l(op);
  Value rows = l.size(op.getRows(), 0), slots = l.size(op.getPositions(), 1);
  auto position = [&](Value token, Value slot) {
    return l.load(op.getPositions(), {token, slot});
  };
  Value tokens = l.size(op.getInit(), 0);
  if (op.getError())
    l.loopNest({tokens, slots}, [&](ValueRange at) {
      // Adding 1 maps -1, which is allowed, to 0.
      Value next = l.op<arith::AddIOp>(position(at[0], at[1]), 1);
      l.ifThen(l.compare(CmpIPredicate::ugt, toIndex(l, next), rows),
               [&] { report(l, op.getError(), 4); });
    });
  l.loopNest({tokens, l.size(op.getInit(), 1)}, [&](ValueRange at) {
    Value sum = l.reduce(
        l.index(0), slots, l.f32(0), [&](Value slot, Value sum) -> Value {
          Value row = position(at[0], slot);
          Value isThere = isInside(l, row, rows);
          // Row 0 is read in place of a row that does not exist, and not used.
          Value place = l.select(isThere, toIndex(l, row), l.index(0));
          Value y = l.widen(l.load(op.getRows(), {place, at[1]}));
          Value w = l.load(op.getWeights(), {at[0], slot});
          return l.select(isThere, math::FmaOp::create(l.b, w, y, sum), sum);
        });
    Type element = cast<MemRefType>(op.getInit().getType()).getElementType();
    l.store(l.roundTo(sum, element), op.getInit(), at);
  });
}
