//===- TopKSelection.cpp - The greatest keys of a warp --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TopKSelection.h"

#include "RoutingScores.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

Value TopKSelection::noKey() { return c.integer(32, kNoKey); }

Value TopKSelection::pack(Value key, Value expert) {
  Value lower = c.sub(c.integer(32, UINT16_MAX), expert);
  return c.op<arith::OrIOp>(c.op<arith::AndIOp>(key, 0xffff0000), lower);
}

Value TopKSelection::expertOfPacked(Value key) {
  return c.sub(c.integer(32, UINT16_MAX), c.op<arith::AndIOp>(key, UINT16_MAX));
}

Value TopKSelection::greatest(ValueRange keys) {
  Value best = keys.front();
  for (Value key : keys.drop_front())
    best = c.op<arith::MaxSIOp>(best, key);
  return best;
}

Value TopKSelection::maximum(ValueRange keys) {
  return c.reduceMax(greatest(keys));
}

/// Takes the best key, which is among these of some lane, out, and returns its
/// expert.
Value TopKSelection::take(Values &keys, int64_t first, int64_t count,
                          Value best) {
  Values isBest;
  for (int64_t i = first; i < first + count; ++i)
    isBest.push_back(c.compare(CmpIPredicate::eq, keys[i], best));
  Value found;
  if (isPacked) {
    found = expertOfPacked(best);
  } else {
    // Of equal experts the lowest.
    Value lowest = c.integer(32, INT32_MAX);
    for (int64_t i = count - 1; i >= 0; --i)
      lowest = c.select(isBest[i], expert(first + i), lowest);
    found = c.reduceMin(lowest);
    for (int64_t i = 0; i < count; ++i)
      isBest[i] = c.compare(CmpIPredicate::eq, expert(first + i), found);
  }
  for (int64_t i = 0; i < count; ++i)
    keys[first + i] = c.select(isBest[i], noKey(), keys[first + i]);
  return found;
}

/// The lowest group with the best key in any lane: it has the lowest expert.
Value TopKSelection::groupOf(ValueRange tops, Value best) {
  if (isPacked)
    return c.op<arith::DivUIOp>(expertOfPacked(best), kWarpThreads * kGroup);
  Value lowest = c.integer(32, INT32_MAX);
  for (int64_t group = groups() - 1; group >= 0; --group)
    lowest = c.select(c.compare(CmpIPredicate::eq, tops[group], best),
                      c.integer(32, group), lowest);
  return c.reduceMin(lowest);
}

/// The same of groups, `tops` being the greatest keys of each: only one group
/// changes, the same in all lanes.
Value TopKSelection::takeOfGroup(Values &keys, Values &tops, Value best) {
  SmallVector<int64_t> cases;
  for (int64_t group = 0; group + 1 < groups(); ++group)
    cases.push_back(group);
  const Values before = keys, topsBefore = tops;
  SmallVector<Type> types(keys.size() + tops.size() + 1, c.b.getI32Type());
  auto branch = scf::IndexSwitchOp::create(
      c.b, types, c.toIndex(groupOf(tops, best)), cases, cases.size());
  for (int64_t group = 0; group < groups(); ++group) {
    OpBuilder::InsertionGuard guard(c.b);
    Region &region = group + 1 < groups() ? branch.getCaseRegions()[group]
                                          : branch.getDefaultRegion();
    c.b.createBlock(&region);
    keys = before;
    tops = topsBefore;
    const int64_t first = group * kGroup, count = groupSize(group);
    Value found = take(keys, first, count, best);
    tops[group] = greatest(ValueRange(keys).slice(first, count));
    Values results = keys;
    llvm::append_range(results, tops);
    results.push_back(found);
    scf::YieldOp::create(c.b, results);
  }
  ValueRange results = branch.getResults();
  keys = Values(results.take_front(before.size()));
  tops = Values(results.slice(before.size(), topsBefore.size()));
  return results.back();
}

/// From keys, tops if there are groups, and the lane's slot to the next.
SmallVector<Value> TopKSelection::selectOne(ValueRange state, Value slot) {
  Values keys = state.take_front(perLane);
  Values tops;
  if (isGrouped())
    tops = state.slice(perLane, groups());
  ValueRange last = state.take_back(2);
  Value best = maximum(isGrouped() ? tops : keys);
  Value found = isGrouped() ? takeOfGroup(keys, tops, best)
                            : take(keys, 0, perLane, best);
  Value isMine = c.compare(CmpIPredicate::eq, lane, slot);
  Values next = keys;
  llvm::append_range(next, tops);
  next.push_back(c.select(isMine, found, last[0]));
  next.push_back(c.select(isMine, best, last[1]));
  return next;
}

TopKSelection::Slot TopKSelection::select(ValueRange keys, int64_t slots) {
  Values state = keys;
  if (isGrouped())
    for (int64_t group = 0; group < groups(); ++group)
      state.push_back(greatest(keys.slice(group * kGroup, groupSize(group))));
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
  return {state[state.size() - 2], state.back()};
}
