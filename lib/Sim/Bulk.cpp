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

#include "CpAsync.h"
#include "Decoder.h"
#include "Tensor.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

enum : uint8_t {
  Multicast = 1,
  TensorForm = 2,
  ReadOnlyWait = 4,
  FromShared = 16,
  HintFlag = 32
};

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
  if (i.mods & Multicast)
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

void execLoadBulk(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    BulkOp op{};
    op.k = i.mods & FromShared ? BulkOp::SharedToShared : BulkOp::Load;
    op.i = &i;
    op.lane = l;
    op.srcCta = x.c.rank;
    op.warpId = x.w.id;
    if (i.mods & TensorForm) {
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

void execStoreBulk(ExecContext &x, const Inst &i) {
  bool tensor = i.mods & TensorForm;
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

void execCommitBulk(ExecContext &x, const Inst &) {
  forLanes(x.mask, [&](unsigned l) {
    uint32_t group = ++x.w.bulkGroups[l];
    for (BulkOp &op : x.cl.bulk)
      if ((op.k == BulkOp::Store || op.k == BulkOp::Reduce) &&
          op.srcCta == x.c.rank && op.warpId == x.w.id && op.lane == l &&
          op.group == 0)
        op.group = group;
  });
}

void execWaitBulk(ExecContext &x, const Inst &i) {
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
                    2 * upto + (i.mods & ReadOnlyWait ? 0 : 1));
  });
  ++x.cl.progress;
}

void execNothing(ExecContext &, const Inst &) {}

/// Nothing moves, but the bytes must exist.
void execPrefetch(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    const uint32_t bytes = uint32_t(x.lane(x.src(i, 1), l));
    MemRef r;
    if (!sizeError(x, bytes, l))
      resolve(x, Space::Global, x.lane(x.src(i, 0), l) + uint64_t(i.imm), bytes,
              /*align=*/16, /*write=*/false, l, r);
  });
}

bool decodePrefetch(Decoder &d) {
  if (d.i.mods & TensorForm) {
    d.i.fn = execNothing;
    return true;
  }
  d.i.fn = execPrefetch;
  return d.expectOps(2, 2 + bool(d.i.mods & HintFlag)) &&
         d.address(d.ops()[0]) && d.src(d.ops()[1], Ty::B32);
}

bool decodeTensorOperand(Decoder &d, const AstOperand &op) {
  if (op.k != AstOperand::Addr || op.elems.size() != 2 ||
      op.elems[1].k != AstOperand::Vec)
    return d.fail("expected \"[map, {coordinates}]\"");
  const auto &coords = op.elems[1].elems;
  if (coords.size() != d.i.b)
    return d.fail("expected " + plural(d.i.b, "coordinate") + ", found " +
                  std::to_string(coords.size()));
  if (!d.address(op))
    return false;
  for (const AstOperand &c : coords)
    if (!d.src(c, Ty::B32))
      return false;
  return true;
}

bool decodeLoad(Decoder &d, bool tensor) {
  d.i.fn = execLoadBulk;
  bool mask = d.i.mods & Multicast;
  size_t n = (tensor ? 3 : 4) + mask;
  if (!d.expectOps(n, n + bool(d.i.mods & HintFlag)))
    return false;
  const auto &ops = d.ops();
  uint32_t dst, mbar;
  if (!d.addressInto(ops[0], dst))
    return false;
  if (tensor ? !decodeTensorOperand(d, ops[1])
             : !d.address(ops[1]) || !d.src(ops[2], Ty::B32))
    return false;
  if (!d.addressInto(ops[tensor ? 2 : 3], mbar))
    return false;
  d.i.a = dst;
  d.i.c = mbar;
  return !mask || d.src(ops[n - 1], Ty::B16);
}

bool decodeStore(Decoder &d, bool tensor) {
  d.i.fn = execStoreBulk;
  size_t n = tensor ? 2 : 3;
  if (!d.expectOps(n, n + bool(d.i.mods & HintFlag)))
    return false;
  const auto &ops = d.ops();
  if (tensor ? !decodeTensorOperand(d, ops[0]) : !d.address(ops[0]))
    return false;
  return d.addressInto(ops[1], d.i.c) && (tensor || d.src(ops[2], Ty::B32));
}

/// The operation of a reduction and its type.
bool decodeReduction(Decoder &d) {
  const int op = d.takeOneOf(
      {"and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"},
      -1);
  d.take("noftz");
  d.i.t = d.takeType();
  if (op < 0 || op == 3 || op == 4)
    return d.fail("expected a reduction such as .add");
  d.i.sub = uint8_t(op + 1);
  return true;
}

} // namespace

bool mxfp4::sim::decodeBulk(Decoder &d) {
  bool reduce = d.base() == "cp" ? d.take("reduce") : true;
  d.i.p = Pipe::Copy;
  d.take("async");
  d.take("bulk");
  if (d.take("commit_group")) {
    d.i.fn = execCommitBulk;
    return d.expectOps(0, 0);
  }
  if (d.take("wait_group")) {
    d.i.mods = d.take("read") ? ReadOnlyWait : 0;
    d.i.fn = execWaitBulk;
    return decodeGroupCount(d);
  }
  bool tensor = d.take("tensor");
  if (tensor) {
    d.i.mods |= TensorForm;
    int rank = d.takeOneOf({"1d", "2d", "3d", "4d", "5d"}, -1);
    if (rank < 0)
      return d.fail("expected a rank from .1d to .5d");
    d.i.b = uint32_t(rank) + 1;
    d.take("tile");
  }
  d.i.mods |= d.take("L2::cache_hint") ? HintFlag : 0;
  if (d.take("prefetch")) {
    d.take("L2");
    d.take("global");
    d.i.mods |= d.take("L2::cache_hint") ? HintFlag : 0;
    return decodePrefetch(d);
  }
  if (d.take("multicast::cluster"))
    d.i.mods |= Multicast;
  if (reduce && tensor)
    return d.fail("reductions through a tensor map are not supported");
  if (reduce && !decodeReduction(d))
    return false;
  bool completes = d.take("mbarrier::complete_tx::bytes");
  bool group = d.take("bulk_group");
  bool toCluster = d.take("shared::cluster");
  bool sharedCta = d.take("shared::cta");
  bool global = d.take("global");
  if (group && global && sharedCta)
    return decodeStore(d, tensor);
  if (!completes || reduce)
    return d.fail("this form of bulk copy is not supported");
  if (toCluster && sharedCta && !tensor)
    d.i.mods |= FromShared;
  else if (!global)
    return d.fail("this form of bulk copy is not supported");
  return decodeLoad(d, tensor);
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
