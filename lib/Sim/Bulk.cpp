//===- Bulk.cpp - cp.async.bulk: issue, landing and groups ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bulk operation touches the shadow when it is issued and moves its bytes
// when it lands, some scheduler steps later. Loads read global memory and write
// as the agent of the mbarrier they complete on, stores read as the warp's bulk
// agent: even counters for their reads of shared memory, odd ones for their
// writes.
//
//===----------------------------------------------------------------------===//

#include "Bulk.h"

#include "CpAsync.h"
#include "Tensor.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

/// Marks the destination in one block, and counts the copy in flight.
bool launchInto(ExecContext &x, Cta &t, BulkOp &op, unsigned lane) {
  Mbarrier *b = findMbarrier(x, t, op.mbar, lane, "the bulk copy");
  if (!b)
    return false;
  if (x.w.proxyShared.get(b->init.who >> 5) < b->init.clock &&
      !(b->initFence.clock &&
        happenedBefore(x.w, b->initFence, lane, /*anyLane=*/false)) &&
      !x.known("proxy", b->initInst + 1))
    x.report("proxy",
             "the bulk copy completes on the mbarrier initialised at " +
                 describeInst(x.k, b->initInst) +
                 ", without a fence.mbarrier_init or fence.proxy.async in "
                 "between",
             lane, op.mbar, b->initInst + 1);
  Access a = threadAccess(x, lane, Access::Write | Access::Async);
  a.e = mbarEpoch(*b);
  a.what = "the bulk copy";
  touchShared(x, t, op.shared, op.bytes, a);
  ++b->inFlight;
  b->inFlightBytes += op.bytes;
  return true;
}

bool sizeError(ExecContext &x, uint64_t bytes, unsigned lane) {
  if (bytes % 16 == 0 && bytes > 0 && bytes < (1 << 20))
    return false;
  if (!x.known("bulk-size"))
    x.report("bulk-size",
             "a bulk copy moves a multiple of 16 bytes, more than none and "
             "less than 1 MiB, found " +
                 std::to_string(bytes),
             lane);
  return true;
}

/// The box and coordinates of a tensor operation, from the map in memory.
bool readTensor(ExecContext &x, const Inst &i, unsigned lane, unsigned first,
                BulkOp &op) {
  uint64_t addr = x.lane(x.src(i, first), lane) + uint64_t(i.imm);
  MemRef r;
  if (!resolve(x, Space::Generic, addr, 128, 64, false, lane, r))
    return false;
  if (!TensorMap::decode(r.host, op.map)) {
    if (!x.known("tensor-map"))
      x.report("tensor-map",
               "there is no tensor map at " + hex(addr) +
                   "; the launch must put one there (TensorMap::encode)",
               lane, addr);
    return false;
  }
  if (op.map.rank != i.b) {
    if (!x.known("tensor-map"))
      x.report("tensor-map",
               "the instruction has " + plural(i.b, "coordinate") +
                   ", but the tensor map has rank " +
                   std::to_string(op.map.rank),
               lane);
    return false;
  }
  for (unsigned d = 0; d < i.b; ++d)
    op.coords[d] = int32_t(uint32_t(x.lane(x.src(i, first + 1 + d), lane)));
  op.tensor = true;
  op.bytes = boxBytes(op.map);
  return true;
}

bool sharedEnd(ExecContext &x, uint64_t addr, BulkOp &op, unsigned lane,
               Cta *&t) {
  unsigned align = 16;
  if (op.tensor)
    align = 128;
  return resolveShared(x, addr, op.bytes, align, lane, t, op.shared);
}

/// Where a lane's copy comes from, where it goes, and on which mbarrier it
/// completes; the block that it writes to is `to`.
bool readLoad(ExecContext &x, const Inst &i, unsigned l, BulkOp &op, Cta *&to) {
  // Sources: dst, (map, coords...) or (src, size), mbar, [mask].
  const unsigned at = op.tensor ? 2 + i.b : 3;
  Cta *waiting;
  if (!sharedEnd(x, x.lane(x.src(i, 0), l) + int64_t(int32_t(i.a)), op, l,
                 to) ||
      !resolveShared(x, x.lane(x.src(i, at), l) + int64_t(int32_t(i.c)), 8, 8,
                     l, waiting, op.mbar))
    return false;
  if (waiting != to && !x.known("mbarrier", 5))
    x.report("mbarrier",
             "a bulk copy must complete on an mbarrier of the block it "
             "writes to",
             l, op.mbar, 5);
  op.ctaMask = uint16_t(1u << to->rank);
  if (i.mods & bulk::Multicast)
    op.ctaMask = uint16_t(x.lane(x.src(i, at + 1), l));
  return true;
}

/// Reads the shared memory of a block of the cluster, whose address is then
/// its offset and its rank.
bool touchSharedSource(ExecContext &x, BulkOp &op, unsigned l) {
  Cta *from;
  uint32_t off;
  if (!resolveShared(x, op.global, op.bytes, 16, l, from, off))
    return false;
  Access a = agentAccess(x, kBulkAgent, 0, l, Access::Async);
  a.what = "the bulk copy";
  touchShared(x, *from, off, op.bytes, a);
  op.global = off | uint64_t(from->rank) << 32;
  return true;
}

/// Starts the copy in the blocks of its mask; leaves those in which it runs.
void launchLoad(ExecContext &x, BulkOp &op, unsigned l) {
  uint16_t mask = 0;
  for (Cta &c : x.cl.ctas)
    if (op.ctaMask >> c.rank & 1 && launchInto(x, c, op, l))
      mask |= uint16_t(1u << c.rank);
  if (op.ctaMask >> x.cl.ctas.size() && !x.known("cluster"))
    x.report("cluster",
             "the multicast mask " + hex(op.ctaMask) +
                 " names blocks beyond the cluster's " +
                 std::to_string(x.cl.ctas.size()),
             l);
  op.ctaMask = mask;
}

} // namespace

void mxfp4::sim::bulk::load(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    BulkOp op{};
    op.k = i.mods & bulk::FromShared ? BulkOp::SharedToShared : BulkOp::Load;
    op.i = &i;
    op.lane = l;
    op.srcCta = x.c.rank;
    op.warpId = x.w.id;
    if (i.mods & bulk::TensorForm) {
      if (!readTensor(x, i, l, 1, op))
        return;
    } else {
      op.bytes = uint32_t(x.lane(x.src(i, 2), l));
      op.global = x.lane(x.src(i, 1), l) + uint64_t(i.imm);
      if (sizeError(x, op.bytes, l))
        return;
    }
    Cta *to;
    if (!readLoad(x, i, l, op, to) ||
        !(op.k == BulkOp::SharedToShared ? touchSharedSource(x, op, l)
                                         : touchSource(x, op, *to, l)))
      return;
    launchLoad(x, op, l);
    x.s.stats.sharedAsyncWriteBytes +=
        uint64_t(op.bytes) * unsigned(__builtin_popcount(op.ctaMask));
    if (op.k == BulkOp::SharedToShared)
      x.s.stats.sharedAsyncReadBytes += op.bytes;
    op.due = x.cl.step + x.cl.rng.below(x.cl.rng.below(8) ? 40 : 400);
    x.cl.bulk.push_back(op);
    ++x.s.stats.bulkCopies;
    x.s.stats.bulkLoadBytes += op.bytes;
  });
  ++x.cl.progress;
}

void mxfp4::sim::bulk::store(ExecContext &x, const Inst &i) {
  bool tensor = i.mods & bulk::TensorForm;
  // Sources: (map, coords...), src or dst, src, size.
  forLanes(x.mask, [&](unsigned l) {
    BulkOp op{};
    op.k = i.sub ? BulkOp::Reduce : BulkOp::Store;
    op.reduceOp = uint8_t(i.sub - 1);
    op.reduceType = i.t;
    op.i = &i;
    op.lane = l;
    op.srcCta = x.c.rank;
    op.warpId = x.w.id;
    Cta *t;
    unsigned from = tensor ? 1 + i.b : 1;
    if (tensor) {
      if (!readTensor(x, i, l, 0, op))
        return;
    } else {
      op.bytes = uint32_t(x.lane(x.src(i, 2), l));
      op.global = x.lane(x.src(i, 0), l) + uint64_t(i.imm);
      if (sizeError(x, op.bytes, l))
        return;
    }
    if (!sharedEnd(x, x.lane(x.src(i, from), l) + int64_t(int32_t(i.c)), op, l,
                   t))
      return;
    uint32_t group = x.w.bulkStored[l] = x.w.bulkGroups[l] + 1;
    Access a = agentAccess(x, kBulkAgent, 2 * group, l, Access::Async);
    a.what = "the bulk store";
    touchShared(x, *t, op.shared, op.bytes, a);
    if (!touchTarget(x, op, l, 2 * group + 1))
      return;
    op.due = x.cl.step + x.cl.rng.below(200);
    x.cl.bulk.push_back(op);
    ++x.s.stats.bulkCopies;
    x.s.stats.bulkStoreBytes += op.bytes;
    x.s.stats.sharedAsyncReadBytes += op.bytes;
  });
  ++x.cl.progress;
}

void mxfp4::sim::bulk::commit(ExecContext &x, const Inst &) {
  forLanes(x.mask, [&](unsigned l) {
    uint32_t group = ++x.w.bulkGroups[l];
    for (BulkOp &op : x.cl.bulk)
      if ((op.k == BulkOp::Store || op.k == BulkOp::Reduce) &&
          op.srcCta == x.c.rank && op.warpId == x.w.id && op.lane == l &&
          op.group == 0)
        op.group = group;
  });
}

void mxfp4::sim::bulk::wait(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    uint32_t committed = x.w.bulkGroups[l];
    if (committed <= i.a)
      return;
    uint32_t upto = committed - i.a;
    auto &ops = x.cl.bulk;
    for (size_t n = 0; n < ops.size();) {
      BulkOp &op = ops[n];
      if (op.group && op.group <= upto && op.lane == l &&
          op.srcCta == x.c.rank && op.warpId == x.w.id) {
        landBulk(x, op);
        ops.erase(ops.begin() + n);
      } else {
        ++n;
      }
    }
    // Each lane counts groups of its own.
    x.w.clock.raise(laneAgent(x.w.agent(kBulkAgent) << 5 | l),
                    2 * upto + (i.mods & bulk::ReadOnlyWait ? 0 : 1));
  });
  ++x.cl.progress;
}

/// Nothing moves, but the bytes must exist.
void mxfp4::sim::bulk::prefetch(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    const uint32_t bytes = uint32_t(x.lane(x.src(i, 1), l));
    MemRef r;
    if (!sizeError(x, bytes, l))
      resolve(x, Space::Global, x.lane(x.src(i, 0), l) + uint64_t(i.imm), bytes,
              /*align=*/16, /*write=*/false, l, r);
  });
}

void mxfp4::sim::landBulk(ExecContext &x, BulkOp &op) {
  if (op.k == BulkOp::Store || op.k == BulkOp::Reduce)
    return moveOut(x, op);
  for (Cta &t : x.cl.ctas) {
    if (!(op.ctaMask >> t.rank & 1))
      continue;
    moveIn(x, op, t);
    auto it = t.mbarriers.find(op.mbar);
    if (it == t.mbarriers.end())
      continue;
    Mbarrier &b = it->second;
    if (b.inFlight)
      --b.inFlight;
    b.inFlightBytes -= op.bytes;
    completeTx(x, t, op.mbar, b, op.bytes);
  }
}
