//===- SortKernel.cpp - The kernel of mxfp4.sort_by_expert ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each warp of a CTA owns consecutive slots. It counts their experts in a
// histogram of its own; a thread for each expert turns the histograms into the
// first row of each warp; then the warps go through their slots once more, and
// hand out rows. Among the 32 slots that a warp looks at together, `match`
// finds those with the same expert, and their order is that of the lanes: the
// sort is stable, and no two runs differ.
//
// Without counts there is one CTA. With them each CTA has whole blocks, and
// finds the rows ahead of its own by adding up the counts of all blocks.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "RoutingKernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

namespace {

class SortKernel {
public:
  SortKernel(CtaBuilder &c, const RoutingKernel &kernel,
             const RoutingArguments &arguments)
      : c(c), arg(arguments), experts(kernel.experts()), slots(kernel.slots()),
        memory(experts) {}

  void emit();

private:
  Value shared(ArrayRef<int64_t> shape, int64_t offset) {
    return sharedBuffer(c.b, shape, c.b.getI32Type(), offset);
  }
  Value zero() { return c.integer(32, 0); }

  void emitPart(Value firstToken, Value endToken, Value firstBlock);
  void forSlots(function_ref<void(Value slot, Value isThere)> body);
  void clear();
  void sumCounts(Value firstBlock);
  void countSlots();
  void emitStarts(Value firstToken);
  Value emitFirstRow(Value count);
  void emitRows();
  void clearUnused();

  CtaBuilder &c;
  const RoutingArguments &arg;
  const int64_t experts, slots;
  const SortMemory memory;

  Value histograms, warpTotals, all, before;
  /// Ids, tokens and positions by slot.
  Value ids, tokens, positions;
  /// This warp's slots, and the number of rows in use (i32).
  Value firstSlot, endSlot, used;
};

/// A matrix by rows as one row.
Value flat(CtaBuilder &c, Value matrix) {
  return memref::CollapseShapeOp::create(
      c.b, matrix, ArrayRef<ReassociationIndices>{{0, 1}});
}

} // namespace

void SortKernel::emit() {
  histograms = shared({SortMemory::kWarps, experts}, memory.histograms);
  warpTotals = shared({SortMemory::kWarps}, memory.warpTotals);
  ids = flat(c, arg.ids);
  tokens = flat(c, arg.tokens);
  positions = flat(c, arg.positions);
  if (!arg.counts)
    return emitPart(c.index(0), arg.rows, Value());
  all = shared({experts}, memory.all);
  before = shared({experts}, memory.before);
  Value perBlock = emitBlockTokens(c, arg.rows);
  // As many blocks as give each thread about one slot.
  Value blocks = c.op<arith::MaxUIOp>(
      c.op<arith::DivUIOp>(c.index(c.threads), c.mul(perBlock, slots)), 1);
  Value perPart = c.mul(perBlock, blocks);
  // One part where there are no tokens: offsets are to be stored.
  Value parts = c.op<arith::MaxUIOp>(c.divideUp(arg.rows, perPart), 1);
  c.loopBy(c.cta, parts, c.ctas, [&](Value part) {
    Value first = c.mul(part, perPart);
    emitPart(first, c.min(c.add(first, perPart), arg.rows),
             c.mul(part, blocks));
    c.syncCta();
  });
}

void SortKernel::emitPart(Value firstToken, Value endToken, Value firstBlock) {
  Value first = c.mul(firstToken, slots), end = c.mul(endToken, slots);
  // Whole groups of lanes for each warp.
  Value perWarp =
      c.mul(c.divideUp(c.sub(end, first), c.threads), CtaBuilder::kLanes);
  firstSlot = c.min(c.add(first, c.mul(c.warp, perWarp)), end);
  endSlot = c.min(c.add(firstSlot, perWarp), end);
  clear();
  if (arg.counts) {
    c.syncCta();
    sumCounts(firstBlock);
  }
  countSlots();
  c.syncCta();
  emitStarts(firstToken);
  c.syncCta();
  emitRows();
  clearUnused();
}

/// The warp's histogram is the warp's alone.
void SortKernel::clear() {
  c.laneLoop(c.index(experts), [&](Value expert) {
    c.store(zero(), histograms, {c.warp, expert});
  });
  if (arg.counts)
    c.threadLoop(c.index(experts), [&](Value expert) {
      c.store(zero(), all, expert);
      c.store(zero(), before, expert);
    });
  c.syncWarp();
}

void SortKernel::sumCounts(Value firstBlock) {
  Value blocks = c.divideUp(arg.rows, emitBlockTokens(c, arg.rows));
  c.loopBy(c.warp, blocks, c.index(c.warps()), [&](Value block) {
    c.laneLoop(c.index(experts), [&](Value expert) {
      Value count = c.load(arg.counts, {block, expert});
      c.atomicAdd(count, all, expert);
      c.ifThen(c.less(block, firstBlock),
               [&] { c.atomicAdd(count, before, expert); });
    });
  });
}

/// Runs `body` for 32 slots at a time of this warp, in all lanes.
void SortKernel::forSlots(function_ref<void(Value, Value)> body) {
  c.loopBy(firstSlot, endSlot, c.index(CtaBuilder::kLanes), [&](Value first) {
    Value slot = c.add(first, c.lane);
    body(slot, c.less(slot, endSlot));
  });
}

namespace {

/// What a lane knows of its slot.
struct Slot {
  /// i32; -1 if there is none.
  Value expert;
  Value hasExpert;
  /// Slots of the same expert in lower lanes, and in all (i32).
  Value rank, count;
  /// Whether this lane acts for all with this expert.
  Value isFirst;
};

/// `bad` runs for an id that is neither -1 nor an expert's.
Slot readSlot(CtaBuilder &c, Value ids, Value at, Value isThere,
              int64_t experts, function_ref<void()> bad) {
  const Value none = c.integer(32, UINT32_MAX);
  Slot slot;
  Value id =
      c.ifElse(isThere, [&] { return c.load(ids, at); }, [&] { return none; });
  slot.hasExpert = c.less(id, experts);
  slot.expert = c.select(slot.hasExpert, id, none);
  if (bad)
    c.ifThen(c.compare(CmpIPredicate::ne, id, slot.expert), bad);
  Value same = c.matchLanes(slot.expert);
  Value bit = c.op<arith::ShLIOp>(c.integer(32, 1), c.toI32(c.lane));
  Value lower = c.op<arith::SubIOp>(bit, 1);
  slot.rank = c.bitCount(c.op<arith::AndIOp>(same, lower));
  slot.count = c.bitCount(same);
  slot.isFirst = c.op<arith::AndIOp>(slot.hasExpert, c.isZero(slot.rank));
  return slot;
}

} // namespace

void SortKernel::countSlots() {
  forSlots([&](Value at, Value isThere) {
    const auto bad = [&] { c.report(arg.error, 2); };
    Slot slot = readSlot(c, ids, at, isThere, experts,
                         arg.error ? function_ref<void()>(bad) : nullptr);
    c.ifThen(slot.isFirst, [&] {
      SmallVector<Value> place = {c.warp, c.toIndex(slot.expert)};
      c.store(c.add(c.load(histograms, place), slot.count), histograms, place);
    });
    c.syncWarp();
  });
}

/// The sum of `count` over the threads below this one; `used` becomes that of
/// all.
Value SortKernel::emitFirstRow(Value count) {
  Value scanned = c.scanLanes(count);
  Value isLast = c.compare(CmpIPredicate::eq, c.lane, CtaBuilder::kLanes - 1);
  c.ifThen(isLast, [&] { c.store(scanned, warpTotals, c.warp); });
  c.syncCta();
  // Each warp for itself: a lane has the total of a warp.
  Value total = c.load(warpTotals, c.lane);
  Value totals = c.scanLanes(total);
  used = c.shuffle(totals, c.integer(32, CtaBuilder::kLanes - 1));
  Value below = c.shuffle(c.sub(totals, total), c.toI32(c.warp));
  return c.add(below, c.sub(scanned, count));
}

/// A thread has an expert: its first row, and that of each warp's slots of it.
void SortKernel::emitStarts(Value firstToken) {
  Value isExpert = c.less(c.thread, experts);
  Value expert = c.min(c.thread, c.index(experts - 1));
  SmallVector<Value> counts;
  Value total = zero();
  for (int64_t warp = 0; warp < SortMemory::kWarps; ++warp) {
    counts.push_back(c.load(histograms, {c.index(warp), expert}));
    total = c.add(total, counts.back());
  }
  Value ofAll = arg.counts ? c.load(all, expert) : total;
  Value first = emitFirstRow(c.select(isExpert, ofAll, zero()));
  c.ifThen(isExpert, [&] {
    Value row = first;
    if (arg.counts)
      row = c.add(row, c.load(before, expert));
    for (int64_t warp = 0; warp < SortMemory::kWarps; ++warp) {
      c.store(row, histograms, {c.index(warp), expert});
      row = c.add(row, counts[warp]);
    }
    c.ifThen(c.isZero(firstToken), [&] {
      c.store(first, arg.offsets, expert);
      c.ifThen(c.isZero(expert),
               [&] { c.store(used, arg.offsets, c.index(experts)); });
    });
  });
}

void SortKernel::emitRows() {
  forSlots([&](Value at, Value isThere) {
    Slot slot = readSlot(c, ids, at, isThere, experts, nullptr);
    Value place = c.select(slot.hasExpert, c.toIndex(slot.expert), c.index(0));
    Value first = c.load(histograms, {c.warp, place});
    c.syncWarp();
    c.ifThen(slot.isFirst, [&] {
      c.store(c.add(first, slot.count), histograms, {c.warp, place});
    });
    c.syncWarp();
    Value row = c.add(first, slot.rank);
    c.ifThen(isThere, [&] {
      c.store(c.select(slot.hasExpert, row, c.integer(32, UINT32_MAX)),
              positions, at);
    });
    c.ifThen(slot.hasExpert, [&] {
      c.store(c.toI32(c.op<arith::DivUIOp>(at, slots)), tokens, c.toIndex(row));
    });
  });
}

void SortKernel::clearUnused() {
  Value first =
      c.add(c.toIndex(used), c.add(c.mul(c.cta, c.threads), c.thread));
  c.loopBy(first, c.mul(arg.rows, slots), c.mul(c.ctas, c.threads),
           [&](Value row) { c.store(zero(), tokens, row); });
}

void mxfp4::emitSort(CtaBuilder &c, const RoutingKernel &kernel,
                     const RoutingArguments &arguments) {
  SortKernel(c, kernel, arguments).emit();
}
