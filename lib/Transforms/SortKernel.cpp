//===- SortKernel.cpp - The kernel of mxfp4.sort_by_expert ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each warp of a CTA owns consecutive slots. It counts their experts in a
// histogram of its own; a thread for each expert turns the histograms into the
// first row of each warp; then the warps go through their slots once more, and
// hand out rows. A warp looks at 32 slots together, finds the lanes with the
// same expert by ballots on the bits of the expert, and hands out rows in the
// order of the lanes. The sort is therefore stable, and no two runs differ.
//
// Without counts there is one CTA. With counts, each CTA has whole blocks of
// tokens, and finds the rows ahead of its own by adding up the counts of all
// blocks.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "RoutingKernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

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
  /// What a lane knows of its slot.
  struct Slot {
    Value number, isThere;
    /// The slot's expert as i32; E if the slot has none.
    Value expert, hasExpert;
    /// Slots of the same expert in lower lanes, and in all (i32).
    Value rank, count;
    /// Whether this lane is the lowest with its expert, and acts for all of
    /// them.
    Value isFirst;
  };

  Value shared(ArrayRef<int64_t> shape, int64_t offset) {
    return sharedBuffer(c.b, shape, c.b.getI32Type(), offset);
  }
  Value zero() { return c.integer(32, 0); }

  void emitPart(Value firstToken, Value endToken, Value firstBlock);
  void forFurtherSlots(function_ref<void(const Slot &)> body, bool reports);
  Slot readSlot(Value number, bool reports);
  Value loadId(Value number);
  void clear();
  void sumCounts(Value firstBlock);
  void addCounts(Value counts, Value memory, Value expert);
  void countSlots();
  void countSlot(const Slot &slot);
  void emitStarts(Value firstToken);
  SmallVector<Value> loadHistograms(Value expert);
  Value emitOffset(Value scanned, Value count);
  void storeStarts(Value firstToken, Value offset, ValueRange counts);
  void emitRow(const Slot &slot);
  void clearUnused();

  CtaBuilder &c;
  const RoutingArguments &arg;
  const int64_t experts, slots;
  const SortMemory memory;

  Value histograms, warpTotals, all, before, used;
  /// Ids, tokens and positions by slot.
  Value ids, tokens, positions;
  /// This warp's slots.
  Value firstSlot, endSlot;
  /// The lane's slot of the first 32 slots of the warp, which stays in
  /// registers.
  Slot first;
};

/// The elements of a matrix, row by row, as a vector.
Value flat(CtaBuilder &c, Value matrix) {
  return memref::CollapseShapeOp::create(
      c.b, matrix, ArrayRef<ReassociationIndices>{{0, 1}});
}

} // namespace

void SortKernel::emit() {
  histograms = shared({SortMemory::kWarps, experts}, memory.histograms);
  warpTotals = shared({SortMemory::kWarps}, memory.warpTotals);
  used = shared({1}, memory.used);
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
  // At least one part, because the offsets must be stored without tokens, too.
  Value parts = c.op<arith::MaxUIOp>(c.divideUp(arg.rows, perPart), 1);
  c.loopBy(c.cta, parts, c.ctas, [&](Value part) {
    Value start = c.mul(part, perPart);
    emitPart(start, c.min(c.add(start, perPart), arg.rows),
             c.mul(part, blocks));
    c.syncCta();
  });
}

void SortKernel::emitPart(Value firstToken, Value endToken, Value firstBlock) {
  Value start = c.mul(firstToken, slots), end = c.mul(endToken, slots);
  // Each warp has a multiple of 32 slots.
  Value perWarp = c.mul(c.divideUp(c.sub(end, start), c.threads), kWarpThreads);
  firstSlot = c.min(c.add(start, c.mul(c.warp, perWarp)), end);
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
  emitRow(first);
  forFurtherSlots([&](const Slot &slot) { emitRow(slot); }, /*reports=*/false);
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

/// Each warp adds up every 32nd block. Its lanes have neighbouring experts; all
/// counts of a block are loaded before the first is added.
void SortKernel::sumCounts(Value firstBlock) {
  Value blocks = c.divideUp(arg.rows, emitBlockTokens(c, arg.rows));
  const int64_t width = std::gcd<int64_t>(experts, 4);
  auto type = VectorType::get({width}, c.b.getI32Type());
  Value zeros = arith::ConstantOp::create(c.b, type, c.b.getZeroAttr(type));
  const auto sumOf = [&](Value expert) {
    Value sum = zeros, sumBefore = zeros;
    for (int64_t i = 0; i < kCountBlocks; i += SortMemory::kWarps) {
      Value block = c.add(c.warp, i);
      Value counts = c.ifElse(
          c.less(block, blocks),
          [&]() -> Value {
            return vector::LoadOp::create(c.b, type, arg.counts,
                                          ValueRange{block, expert});
          },
          [&] { return zeros; });
      sum = c.add(sum, counts);
      sumBefore =
          c.add(sumBefore, c.select(c.less(block, firstBlock), counts, zeros));
    }
    addCounts(sum, all, expert);
    addCounts(sumBefore, before, expert);
  };
  c.loopBy(c.mul(c.lane, width), c.index(experts),
           c.index(width * kWarpThreads), sumOf);
}

/// Adds the counts of neighbouring experts, from `expert` on, to `memory`.
void SortKernel::addCounts(Value counts, Value memory, Value expert) {
  const int64_t width = cast<VectorType>(counts.getType()).getNumElements();
  for (int64_t i = 0; i < width; ++i) {
    Value count = vector::ExtractOp::create(c.b, counts, i);
    c.ifThen(c.compare(CmpIPredicate::ne, count, 0),
             [&] { c.atomicAdd(count, memory, c.add(expert, i)); });
  }
}

Value SortKernel::loadId(Value number) {
  if (!arg.staged)
    return c.load(ids, number);
  return c.ifElse(
      c.less(number, SortMemory::kStagedIds),
      [&] { return c.load(arg.staged, number); },
      [&] { return c.load(ids, number); });
}

/// Reads a slot. With `reports`, an id that is neither -1 nor an expert's sets
/// the error word.
SortKernel::Slot SortKernel::readSlot(Value number, bool reports) {
  const Value none = c.integer(32, experts);
  Slot slot;
  slot.number = number;
  slot.isThere = c.less(number, endSlot);
  Value id = c.ifElse(
      slot.isThere, [&] { return loadId(number); },
      [&] { return c.integer(32, UINT32_MAX); });
  slot.hasExpert = c.less(id, experts);
  slot.expert = c.select(slot.hasExpert, id, none);
  if (reports && arg.error) {
    // -1 as an unsigned number is followed by 0.
    Value isBad = c.compare(CmpIPredicate::ugt, c.add(id, 1), none);
    c.ifThen(isBad, [&] { c.report(arg.error, 2); });
  }
  Value same =
      c.matchLanes(slot.expert, llvm::Log2_64_Ceil(uint64_t(experts) + 1));
  Value bit = c.op<arith::ShLIOp>(c.integer(32, 1), c.toI32(c.lane));
  Value lower = c.op<arith::SubIOp>(bit, 1);
  slot.rank = c.bitCount(c.op<arith::AndIOp>(same, lower));
  slot.count = c.bitCount(same);
  slot.isFirst = c.op<arith::AndIOp>(slot.hasExpert, c.isZero(slot.rank));
  return slot;
}

/// Runs `body` in all lanes for 32 slots of this warp at a time, from the
/// second 32 on.
void SortKernel::forFurtherSlots(function_ref<void(const Slot &)> body,
                                 bool reports) {
  c.loopBy(c.add(firstSlot, kWarpThreads), endSlot, c.index(kWarpThreads),
           [&](Value start) { body(readSlot(c.add(start, c.lane), reports)); });
}

void SortKernel::countSlots() {
  first = readSlot(c.add(firstSlot, c.lane), /*reports=*/true);
  countSlot(first);
  forFurtherSlots([&](const Slot &slot) { countSlot(slot); },
                  /*reports=*/true);
}

void SortKernel::countSlot(const Slot &slot) {
  c.ifThen(slot.isFirst, [&] {
    SmallVector<Value> place = {c.warp, c.toIndex(slot.expert)};
    c.store(c.add(c.load(histograms, place), slot.count), histograms, place);
  });
  c.syncWarp();
}

/// The number of an expert's slots in each warp, and last their sum.
SmallVector<Value> SortKernel::loadHistograms(Value expert) {
  SmallVector<Value> counts;
  Value total = zero();
  for (int64_t warp = 0; warp < SortMemory::kWarps; ++warp) {
    counts.push_back(c.load(histograms, {c.index(warp), expert}));
    total = c.add(total, counts.back());
  }
  counts.push_back(total);
  return counts;
}

/// Each thread of the first warps has one expert. It finds the expert's first
/// row, and the first row of each warp's slots of this expert.
void SortKernel::emitStarts(Value firstToken) {
  const int64_t expertWarps = llvm::divideCeil(experts, kWarpThreads);
  Value hasExperts = c.less(c.warp, expertWarps);
  Value expert = c.min(c.thread, c.index(experts - 1));
  auto part = scf::IfOp::create(
      c.b, SmallVector<Type>(SortMemory::kWarps + 2, c.b.getI32Type()),
      hasExperts,
      /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(part.thenBlock());
    SmallVector<Value> values = loadHistograms(expert);
    Value ofAll = arg.counts ? c.load(all, expert) : values.back();
    values.back() = c.select(c.less(c.thread, experts), ofAll, zero());
    values.push_back(c.scanLanes(values.back()));
    Value isLast = c.compare(CmpIPredicate::eq, c.lane, kWarpThreads - 1);
    c.ifThen(isLast, [&] { c.store(values.back(), warpTotals, c.warp); });
    scf::YieldOp::create(c.b, values);
    c.b.setInsertionPointToStart(part.elseBlock());
    scf::YieldOp::create(c.b,
                         SmallVector<Value>(SortMemory::kWarps + 2, zero()));
  }
  if (expertWarps > 1)
    c.syncCta();
  else
    c.syncWarp();
  ValueRange results = part.getResults();
  c.ifThen(hasExperts, [&] {
    Value offset = emitOffset(results.back(), results[SortMemory::kWarps]);
    storeStarts(firstToken, offset, results.take_front(SortMemory::kWarps));
  });
}

/// The number of rows of all experts before the thread's. `used` becomes the
/// number of rows of all experts.
Value SortKernel::emitOffset(Value scanned, Value count) {
  const int64_t expertWarps = llvm::divideCeil(experts, kWarpThreads);
  // Each warp computes this by itself: lane i has the total of warp i.
  Value isWarp = c.less(c.lane, expertWarps);
  Value total = c.ifElse(
      isWarp, [&] { return c.load(warpTotals, c.lane); },
      [&] { return zero(); });
  Value totals = c.scanLanes(total);
  Value sum = c.shuffle(totals, c.integer(32, kWarpThreads - 1));
  c.ifThen(c.isZero(c.thread), [&] { c.store(sum, used, c.index(0)); });
  Value below = c.shuffle(c.sub(totals, total), c.toI32(c.warp));
  return c.add(below, c.sub(scanned, count));
}

void SortKernel::storeStarts(Value firstToken, Value offset,
                             ValueRange counts) {
  c.ifThen(c.less(c.thread, experts), [&] {
    Value row = offset;
    if (arg.counts)
      row = c.add(row, c.load(before, c.thread));
    for (int64_t warp = 0; warp < SortMemory::kWarps; ++warp) {
      c.store(row, histograms, {c.index(warp), c.thread});
      row = c.add(row, counts[warp]);
    }
    c.ifThen(c.isZero(firstToken), [&] {
      c.store(offset, arg.offsets, c.thread);
      if (arg.zeros)
        c.store(zero(), arg.zeros, c.thread);
      c.ifThen(c.isZero(c.thread), [&] {
        c.store(c.load(used, c.index(0)), arg.offsets, c.index(experts));
      });
    });
  });
}

void SortKernel::emitRow(const Slot &slot) {
  Value place = c.select(slot.hasExpert, c.toIndex(slot.expert), c.index(0));
  Value start = c.load(histograms, {c.warp, place});
  c.syncWarp();
  c.ifThen(slot.isFirst, [&] {
    c.store(c.add(start, slot.count), histograms, {c.warp, place});
  });
  c.syncWarp();
  Value row = c.add(start, slot.rank), hasRow = slot.hasExpert;
  if (arg.counts) {
    // Counts of other ids make rows that do not exist.
    Value exists = c.less(row, c.toI32(c.mul(arg.rows, slots)));
    hasRow = c.op<arith::AndIOp>(hasRow, exists);
    if (arg.error)
      c.ifThen(c.compare(CmpIPredicate::ne, hasRow, slot.hasExpert),
               [&] { c.report(arg.error, 4); });
  }
  c.ifThen(slot.isThere, [&] {
    c.store(c.select(hasRow, row, c.integer(32, UINT32_MAX)), positions,
            slot.number);
  });
  c.ifThen(hasRow, [&] {
    c.store(c.toI32(c.op<arith::DivUIOp>(slot.number, slots)), tokens,
            c.toIndex(row));
  });
}

void SortKernel::clearUnused() {
  Value rows = c.load(used, c.index(0)), end = c.mul(arg.rows, slots);
  // As an unsigned number, since sums of other ids' counts may be negative.
  if (arg.counts)
    rows = c.min(rows, c.toI32(end));
  Value start =
      c.add(c.toIndex(rows), c.add(c.mul(c.cta, c.threads), c.thread));
  c.loopBy(start, end, c.mul(c.ctas, c.threads),
           [&](Value row) { c.store(zero(), tokens, row); });
}

void mxfp4::emitSort(CtaBuilder &c, const RoutingKernel &kernel,
                     const RoutingArguments &arguments) {
  SortKernel(c, kernel, arguments).emit();
}
