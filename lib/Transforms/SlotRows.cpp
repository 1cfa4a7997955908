//===- SlotRows.cpp - Tokens whose slots have rows ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With a sort, each CTA adds up what it needs to know: of each slot, how many
// slots come first, that is those of lower experts and those of the same expert
// of tokens ahead; and some of the offsets. Counts of blocks of tokens say that
// but for the token's own block, whose ids it reads. All CTAs read the same
// few kilobytes, which costs less than a launch for them. Integers are added,
// in any order, so that the sort is stable and no two runs differ.
//
//===----------------------------------------------------------------------===//

#include "SlotRows.h"

#include "KernelBuilding.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cassert>
#include <numeric>

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Parts of rows
//===----------------------------------------------------------------------===//

SmallVector<Value> RowUnits::load(Value x, Value row, Value isThere) {
  auto type =
      VectorType::get({width}, cast<MemRefType>(x.getType()).getElementType());
  SmallVector<Value> loaded;
  for (int64_t i = 0; i < perThread; ++i) {
    const auto read = [&]() -> Value {
      return vector::LoadOp::create(c.b, type, x, ValueRange{row, column(i)});
    };
    Value condition = exists(i);
    if (condition && isThere)
      condition = c.op<arith::AndIOp>(condition, isThere);
    else if (isThere)
      condition = isThere;
    loaded.push_back(condition
                         ? c.ifElse(condition, read,
                                    [&]() -> Value {
                                      return arith::ConstantOp::create(
                                          c.b, type, c.b.getZeroAttr(type));
                                    })
                         : read());
  }
  return loaded;
}

void RowUnits::store(ValueRange values, Value rows, Value row) {
  for (int64_t i = 0; i < perThread; ++i) {
    const auto write = [&] {
      vector::StoreOp::create(c.b, values[i], rows, ValueRange{row, column(i)});
    };
    if (Value condition = exists(i))
      c.ifThen(condition, write);
    else
      write();
  }
}

//===----------------------------------------------------------------------===//
// Rows of slots
//===----------------------------------------------------------------------===//

SlotRows::SlotRows(CtaBuilder &c, const RoutingKernel &kernel,
                   const RoutingArguments &arguments)
    : c(c), arg(arguments), slots(kernel.slots()), experts(kernel.experts()),
      slotWidth(kernel.slotWidth()), offsets(offsetsOfOneToken(experts)),
      sorts(bool(kernel.sort)) {
  if (!sorts)
    return;
  perBlock = emitBlockTokens(c, arg.rows);
  blocks = c.divideUp(arg.rows, perBlock);
}

Value SlotRows::flat(Value perSlot) {
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t dim = 2; dim < cast<MemRefType>(perSlot.getType()).getRank();
       ++dim)
    groups.push_back({dim});
  return memref::CollapseShapeOp::create(c.b, perSlot, groups);
}

void SlotRows::forTokens(function_ref<void(Value)> body) {
  c.loopBy(c.cta, arg.rows, c.ctas, body);
  if (sorts)
    emitFurtherOffsets();
}

void SlotRows::find(Value token) {
  readSlots(token);
  if (!sorts)
    return;
  Value block = c.op<arith::DivUIOp>(token, perBlock);
  sums.clear();
  for (Value id : read)
    sums.push_back({id, /*withAhead=*/true, {}});
  sums.push_back({c.integer(32, experts), /*withAhead=*/false, {}});
  addOffsetSums(token);
  loadIds(token, block);
  sumCounts(block);
  sumIds(token);
  sumCta();
  // Counts of other ids make rows that do not exist.
  const Value end = c.toI32(c.mul(arg.rows, slots));
  for (auto [row, sum, there] : llvm::zip(rows, sums, isThere)) {
    row = sum.total;
    there = c.op<arith::AndIOp>(there, c.less(row, end));
  }
}

/// Ids with a sort, and otherwise positions.
void SlotRows::readSlots(Value token) {
  Value memory = sorts ? arg.ids : arg.positions;
  const Value end =
      sorts ? c.integer(32, experts) : c.toI32(c.mul(arg.rows, slots));
  const int64_t width = sorts ? 1 : slotWidth;
  auto type = VectorType::get({width}, c.b.getI32Type());
  read.clear();
  isThere.clear();
  for (int64_t slot = 0; slot < slots; slot += width) {
    Value some = vector::LoadOp::create(c.b, type, memory,
                                        ValueRange{token, c.index(slot)});
    for (int64_t i = 0; i < width; ++i) {
      read.push_back(vector::ExtractOp::create(c.b, some, i));
      isThere.push_back(c.less(read.back(), end));
    }
  }
  rows = read;
}

void SlotRows::forRows(function_ref<void(Value)> body) {
  for (int64_t slot = 0; slot < slots; ++slot)
    c.ifThen(isThere[slot], [&] { body(c.toIndex(rows[slot])); });
}

/// A thread for each slot.
void SlotRows::finish(Value token) {
  const Value slotCount = c.mul(arg.rows, slots);
  for (int64_t slot = 0; slot < slots; ++slot)
    c.ifThen(c.compare(CmpIPredicate::eq, c.thread, slot), [&] {
      reportBad(read[slot], sorts ? c.index(experts) : slotCount,
                sorts ? 2 : 4);
      if (!sorts)
        return;
      reportNoRow(slot);
      const Value row = rows[slot], used = sums[slots].total;
      c.store(c.select(isThere[slot], row, c.integer(32, UINT32_MAX)),
              arg.positions, {token, c.index(slot)});
      Value tokens = flat(arg.tokens);
      c.ifThen(isThere[slot],
               [&] { c.store(c.toI32(token), tokens, c.toIndex(row)); });
      Value own = c.add(c.mul(token, slots), slot);
      c.ifThen(c.compare(CmpIPredicate::uge, c.toI32(own), used),
               [&] { c.store(c.integer(32, 0), tokens, own); });
    });
  if (sorts)
    storeOffsets(token, slots + 1);
}

void SlotRows::reportBad(Value number, Value end, int64_t bits) {
  if (!arg.error)
    return;
  // -1 as an unsigned number is followed by 0.
  Value isBad = c.compare(CmpIPredicate::ugt, c.add(number, 1), c.toI32(end));
  c.ifThen(isBad, [&] { c.report(arg.error, bits); });
}

/// Of a sort: a slot with an expert has a row, unless counts are of other ids.
void SlotRows::reportNoRow(int64_t slot) {
  if (!arg.error)
    return;
  Value hasExpert = c.less(read[slot], experts);
  c.ifThen(c.compare(CmpIPredicate::ne, hasExpert, isThere[slot]),
           [&] { c.report(arg.error, 4); });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void SlotRows::addOffsetSums(Value pass) {
  for (int64_t i = 0; i < offsets; ++i) {
    Value number = c.min(offsetNumber(pass, i), c.index(experts));
    sums.push_back({c.toI32(number), /*withAhead=*/false, {}});
  }
}

/// A loop over `lower`, `lower` + `step`, ... that carries all sums.
void SlotRows::sumLoop(Value lower, Value upper, Value step,
                       function_ref<void(Value)> body) {
  SmallVector<Value> totals;
  for (Sum &sum : sums)
    totals.push_back(sum.total ? sum.total : c.integer(32, 0));
  auto loop = scf::ForOp::create(c.b, lower, upper, step, totals);
  {
    OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(loop.getBody());
    for (auto [sum, carried] : llvm::zip(sums, loop.getRegionIterArgs()))
      sum.total = carried;
    body(loop.getInductionVar());
    totals.clear();
    for (Sum &sum : sums)
      totals.push_back(sum.total);
    scf::YieldOp::create(c.b, totals);
  }
  for (auto [sum, result] : llvm::zip(sums, loop.getResults()))
    sum.total = result;
}

void SlotRows::addWhere(Sum &sum, Value condition, Value count) {
  sum.total = c.add(sum.total, c.select(condition, count, c.integer(32, 0)));
}

/// Adds counts of all blocks; `block` is the token's. A thread has neighbouring
/// experts in some of the blocks. It adds up each expert's counts first, so
/// that experts are compared once and not in every block.
void SlotRows::sumCounts(Value block) {
  assert(experts > 0 && "an operation has at least one expert");
  const int64_t width = std::gcd<int64_t>(experts, 4);
  const int64_t vectors = experts / width, step = c.threads / vectors;
  for (Sum &sum : sums)
    sum.total = c.integer(32, 0);
  if (step == 0)
    return sumLoop(c.thread, c.index(vectors), c.index(c.threads),
                   [&](Value number) {
                     addExperts(c.mul(number, width), width, block, c.index(0),
                                /*step=*/1);
                   });
  Value first = c.op<arith::DivUIOp>(c.thread, vectors);
  if (step * vectors != c.threads)
    first = c.select(c.less(c.thread, step * vectors), first, blocks);
  Value number = c.op<arith::RemUIOp>(c.thread, vectors);
  addExperts(c.mul(number, width), width, block, first, step);
}

/// Adds the counts of `width` experts from `expert` on, in block `first` and
/// every `step` blocks behind it. A thread loads some before it adds the first.
void SlotRows::addExperts(Value expert, int64_t width, Value block, Value first,
                          int64_t step) {
  constexpr int64_t kLoads = 4;
  auto type = VectorType::get({width}, c.b.getI32Type());
  Value zeros = arith::ConstantOp::create(c.b, type, c.b.getZeroAttr(type));
  // Of all blocks, and of those ahead of the token's.
  auto loop = scf::ForOp::create(c.b, first, blocks, c.index(kLoads * step),
                                 ValueRange{zeros, zeros});
  {
    OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(loop.getBody());
    Value all = loop.getRegionIterArg(0), ahead = loop.getRegionIterArg(1);
    SmallVector<std::pair<Value, Value>> loaded;
    for (int64_t i = 0; i < kLoads; ++i) {
      Value line = c.add(loop.getInductionVar(), i * step);
      loaded.emplace_back(line, c.ifElse(
                                    c.less(line, blocks),
                                    [&]() -> Value {
                                      return vector::LoadOp::create(
                                          c.b, type, arg.counts,
                                          ValueRange{line, expert});
                                    },
                                    [&] { return zeros; }));
    }
    for (auto [line, counts] : loaded) {
      all = c.add(all, counts);
      ahead = c.add(ahead, c.select(c.less(line, block), counts, zeros));
    }
    scf::YieldOp::create(c.b, ValueRange{all, ahead});
  }
  for (int64_t i = 0; i < width; ++i) {
    Value own = c.toI32(c.add(expert, i));
    Value all = vector::ExtractOp::create(c.b, loop.getResult(0), i);
    Value ahead = vector::ExtractOp::create(c.b, loop.getResult(1), i);
    for (Sum &sum : sums) {
      addWhere(sum, c.less(own, sum.expert), all);
      if (sum.withAhead)
        addWhere(sum, c.compare(CmpIPredicate::eq, own, sum.expert), ahead);
    }
  }
}

/// The first ids of the token's block that this thread has, -1 for none. They
/// are loaded ahead of the counts, so that memory is waited for once.
void SlotRows::loadIds(Value token, Value block) {
  Value ids = flat(arg.ids);
  firstId = c.add(c.mul(c.mul(block, perBlock), slots), c.thread);
  // The token's last slot is ahead of none of its slots.
  endIds = c.add(c.mul(token, slots), slots - 1);
  early.clear();
  for (int64_t i = 0; i < kEarlyIds; ++i) {
    Value at = c.add(firstId, i * c.threads);
    early.push_back(c.ifElse(
        c.less(at, endIds), [&] { return c.load(ids, at); },
        [&] { return c.integer(32, UINT32_MAX); }));
  }
}

/// Adds, for each slot, the slots of its expert ahead in the token's block.
void SlotRows::sumIds(Value token) {
  Value own = c.mul(token, slots), ids = flat(arg.ids);
  const auto add = [&](Value at, Value id) {
    for (int64_t slot = 0; slot < slots; ++slot) {
      Value counts =
          c.op<arith::AndIOp>(c.compare(CmpIPredicate::eq, id, read[slot]),
                              c.less(at, c.add(own, slot)));
      addWhere(sums[slot], counts, c.integer(32, 1));
    }
  };
  for (auto [i, id] : llvm::enumerate(early))
    add(c.add(firstId, int64_t(i) * c.threads), id);
  sumLoop(c.add(firstId, kEarlyIds * c.threads), endIds, c.index(c.threads),
          [&](Value at) { add(at, c.load(ids, at)); });
}

/// Makes sums of threads those of the CTA.
void SlotRows::sumCta() {
  for (Sum &sum : sums)
    sum.total = c.reduceAdd(sum.total);
  if (c.warps() == 1)
    return;
  const auto count = static_cast<int64_t>(sums.size());
  Value partial = sharedBuffer(c.b, {count, c.warps()}, c.b.getI32Type(),
                               4 * wordsBeforeSums(c.warps(), count));
  c.ifThen(c.isZero(c.lane), [&] {
    for (auto [i, sum] : llvm::enumerate(sums))
      c.store(sum.total, partial, {c.index(int64_t(i)), c.warp});
  });
  c.syncCta();
  for (auto [i, sum] : llvm::enumerate(sums)) {
    sum.total = Value();
    for (int64_t warp = 0; warp < c.warps(); ++warp) {
      Value some = c.load(partial, {c.index(int64_t(i)), c.index(warp)});
      sum.total = sum.total ? c.add(sum.total, some) : some;
    }
  }
  // The next token's sums come behind these loads.
  c.syncCta();
}

//===----------------------------------------------------------------------===//
// Offsets
//===----------------------------------------------------------------------===//

/// Those of a token or of a further pass; their sums are from `first` on.
void SlotRows::storeOffsets(Value pass, int64_t first) {
  for (int64_t i = 0; i < offsets; ++i) {
    Value number = offsetNumber(pass, i);
    Value isMine =
        c.op<arith::AndIOp>(c.compare(CmpIPredicate::eq, c.thread, first + i),
                            c.less(number, experts + 1));
    c.ifThen(isMine, [&] {
      c.store(sums[first + i].total, arg.offsets, number);
      if (arg.zeros)
        c.ifThen(c.less(number, experts),
                 [&] { c.store(c.integer(32, 0), arg.zeros, number); });
    });
  }
}

/// What is left of them where there are too few tokens.
void SlotRows::emitFurtherOffsets() {
  const int64_t passes = (experts + offsets) / offsets;
  c.loopBy(c.add(arg.rows, c.cta), c.index(passes), c.ctas, [&](Value pass) {
    sums.clear();
    addOffsetSums(pass);
    sumCounts(c.index(0));
    sumCta();
    storeOffsets(pass, 0);
  });
}
