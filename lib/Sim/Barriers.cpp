//===- Barriers.cpp - Named barriers, cluster barriers, fences ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ahead.h"
#include "Decoder.h"
#include "Rendezvous.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// Synchronising accesses and fences
//===----------------------------------------------------------------------===//

using SyncVar = std::pair<VectorClock, VectorClock>;

static SyncVar &syncVar(ExecContext &x, const MemRef &r, uint64_t addr) {
  if (r.k == MemRef::Shared)
    return r.target->syncVars[r.off];
  return x.g.syncVars[addr];
}

void mxfp4::sim::syncLoad(ExecContext &x, const MemRef &r, uint64_t addr,
                          bool acquires) {
  std::lock_guard<std::mutex> guard(x.g.syncLock);
  SyncVar &v = syncVar(x, r, addr);
  if (v.first.empty())
    return;
  if (acquires)
    acquire(x.w, v.first, &v.second);
  else
    x.w.pendingAcquire.join(v.first);
}

void mxfp4::sim::syncStore(ExecContext &x, const MemRef &r, uint64_t addr,
                           bool release) {
  std::lock_guard<std::mutex> guard(x.g.syncLock);
  if (release) {
    SyncVar &v = syncVar(x, r, addr);
    publish(x.w, v.first, &v.second);
  } else if (!x.w.released.empty()) {
    SyncVar &v = syncVar(x, r, addr);
    v.first.join(x.w.released);
    v.first.raise(atomicAgent(x.w.agent() << 5), x.w.now);
    v.second.join(x.w.proxyShared);
  }
}

namespace {

/// Of fences: their scope is the GPU, or the system.
constexpr uint8_t kOfGpu = 1;

/// A fence of acq_rel or sc: values that were read before the fence are
/// acquired, and writes after the fence release.
void execFence(ExecContext &x, const Inst &i) {
  acquire(x.w, x.w.pendingAcquire);
  x.w.pendingAcquire.clear();
  publish(x.w, x.w.released);
  if (i.mods & kOfGpu)
    keepFence(x);
}

/// fence.proxy.async: the async proxy may read everything that this warp knows
/// now.
void execProxyFence(ExecContext &x, const Inst &i) {
  for (auto [Bit, Proxy] :
       {std::pair(1, &x.w.proxyShared), {2, &x.w.proxyGlobal}})
    if (i.mods & Bit) {
      Proxy->join(x.w.clock);
      Proxy->raise(x.w.agent(), x.w.now);
    }
  ++x.w.now;
}

/// fence.mbarrier_init: the async proxy may use the mbarriers that these
/// threads have initialised. What else they have written, it may not read.
void execInitFence(ExecContext &x, const Inst &) {
  for (auto &[off, b] : x.c.mbarriers)
    if (b.init.who >> 5 == x.w.agent() && x.mask >> (b.init.who & 31) & 1) {
      b.initFence = {b.init.who, x.w.now};
      x.w.releasedInits.raise(laneAgent(b.init.who), x.w.now);
    }
  ++x.w.now;
}

} // namespace

bool mxfp4::sim::decodeFence(Decoder &d) {
  d.i.p = Pipe::Sync;
  if (d.base() == "membar") {
    if (d.take("proxy"))
      return d.fail("membar.proxy is not supported");
    if (d.takeOneOf({"cta", "gl", "sys"}, 0) > 0)
      d.i.mods = kOfGpu;
    d.i.fn = execFence;
    return d.expectOps(0, 0);
  }
  bool proxy = d.take("proxy");
  bool mbar = d.take("mbarrier_init");
  if (proxy) {
    int kind = d.takeOneOf(
        {"async", "async::generic", "alias", "tensormap::generic"}, -1);
    if (kind < 0)
      return d.fail("expected the kind of proxy fence");
    bool global = d.take("global");
    bool shared = d.take("shared::cta") || d.take("shared::cluster");
    d.i.mods = global ? 2 : shared ? 1 : 3;
    d.takeOneOf({"acquire", "release", "acq_rel"}, 0);
    d.take("sync_restrict::shared::cluster");
    d.take("sync_restrict::shared::cta");
    d.takeOneOf({"cta", "cluster", "gpu", "sys"}, 0);
    d.i.fn = kind == 0 || kind == 1 ? execProxyFence : execNothing;
    // fence.proxy.tensormap::generic names the map.
    if (kind == 3)
      return d.expectOps(0, 2);
    return d.expectOps(0, 0);
  }
  d.takeOneOf({"acq_rel", "sc", "release", "acquire"}, 0);
  if (d.takeOneOf({"cta", "cluster", "gpu", "sys"}, 0) > 1)
    d.i.mods = kOfGpu;
  d.take("sync_restrict::shared::cluster");
  d.take("sync_restrict::shared::cta");
  d.i.fn = mbar ? execInitFence : execFence;
  return d.expectOps(0, 0);
}

//===----------------------------------------------------------------------===//
// Named barriers
//===----------------------------------------------------------------------===//

namespace {

enum : uint8_t { Sync, Arrive, Red };

/// All waiting warps learn of the release now, because a fast warp may arrive
/// again, and reset the barrier, before a slow warp has its next turn.
void releaseBarrier(ExecContext &x, NamedBarrier &b, uint32_t id) {
  for (Warp &w : x.c.warps)
    for (Split &s : w.splits)
      if (s.wait == WaitKind::Barrier && s.waitId == id) {
        acquire(w, b.clock, &b.proxy, &b.proxyG);
        warpSynced(w);
        // The warp's own copies that others have waited for at an mbarrier.
        w.copySync = std::max(w.copySync, b.clock.get(w.agent(kCopyAgent)));
        s.wait = WaitKind::None;
      }
  b.arrived = b.expected = 0;
  ++x.cl.progress;
}

/// Who waits at .aligned promises that all threads of the block execute this
/// one instruction. Whole warps at two of them meet on the chip all the same,
/// since it counts warps and does not look where they wait: a warning. (What
/// differs within a warp is an error: requireAligned.) With bar.arrive there is
/// no wait, and the manual's own examples mix it with bar.sync.
void requireOneInstruction(ExecContext &x, const Inst &i, NamedBarrier &b,
                           uint64_t id, unsigned lane) {
  if (!(i.flags & Inst::Aligned) || i.sub == Arrive)
    return;
  const uint32_t here = x.pc + 1;
  if (!b.alignedWait)
    b.alignedWait = here;
  if (b.alignedWait == here || x.known("barrier", b.alignedWait))
    return;
  x.report("barrier",
           "threads wait for barrier " + std::to_string(id) +
               " here, and others at " + describeInst(x.k, b.alignedWait - 1) +
               ": bar.sync is barrier.sync.aligned, for which PTX asks that "
               "all of them execute the same instruction; barrier.sync does "
               "not ask",
           lane, ~uint64_t(0), b.alignedWait, Diagnostic::Severity::Warning);
}

uint32_t blockThreads(const ExecContext &x) {
  return uint32_t(x.g.l->block.count());
}

void execBarrier(ExecContext &x, const Inst &i) {
  Split &s = x.split();
  uint32_t active = x.mask & s.mask;
  unsigned lane = unsigned(__builtin_ctz(active));
  if (i.flags & Inst::Aligned)
    x.requireAligned(i);
  uint64_t id = x.lane(x.src(i, 0), lane);
  if (id >= 16) {
    x.report("barrier",
             "barrier " + std::to_string(id) +
                 " does not exist; a block has barriers 0 to 15",
             lane);
    id &= 15;
  }
  uint32_t total = (blockThreads(x) + 31) / 32 * 32, count = total;
  if (i.a) {
    count = uint32_t(x.lane(x.src(i, 1), lane));
    if ((count % 32 || count == 0 || count > total) && !x.known("barrier"))
      x.report("barrier",
               "the thread count of a barrier must be a multiple of 32 from 32 "
               "to the block's " +
                   std::to_string(total) + ", found " + std::to_string(count),
               lane);
  }
  NamedBarrier &b = x.c.barriers[id];
  if (b.arrived == 0) {
    b.expected = count;
    b.firstInst = x.pc;
    b.alignedWait = 0;
    b.clock = b.proxy = b.proxyG = VectorClock();
  } else if (b.expected != count && !x.known("barrier", b.firstInst + 1)) {
    x.report("barrier",
             "barrier " + std::to_string(id) + " expects " +
                 std::to_string(count) + " threads here, but " +
                 std::to_string(b.expected) + " at " +
                 describeInst(x.k, b.firstInst) + ", which arrived first",
             lane, ~uint64_t(0), b.firstInst + 1);
  }
  requireOneInstruction(x, i, b, id, lane);
  warpSynced(x.w);
  publish(x.w, b.clock, &b.proxy, &b.proxyG);
  // Barriers count whole warps; diverged threads count by themselves.
  b.arrived += active == x.w.live ? 32 : uint32_t(__builtin_popcount(active));
  bool complete = b.arrived >= b.expected;
  if (b.arrived > b.expected && !x.known("barrier", 1))
    x.report("barrier",
             "barrier " + std::to_string(id) + " expects " +
                 std::to_string(b.expected) + " threads and " +
                 std::to_string(b.arrived) + " have arrived",
             lane, ~uint64_t(0), 1);
  ++s.pc;
  ++x.cl.progress;
  if (i.sub != Arrive) {
    s.wait = WaitKind::Barrier;
    s.waitId = uint32_t(id);
    x.yield = true;
  }
  if (complete)
    releaseBarrier(x, b, uint32_t(id));
}

bool decodeBar(Decoder &d) {
  d.i.p = Pipe::Sync;
  d.i.flags |= Inst::Control;
  bool bar = d.base() == "bar";
  if (d.take("warp")) {
    d.take("sync");
    return decodeWarpSync(d);
  }
  d.take("cta");
  int kind = d.takeOneOf({"sync", "arrive", "red"}, -1);
  if (kind < 0)
    return d.fail("expected .sync or .arrive");
  if (kind == Red)
    return d.fail("barrier reductions are not supported");
  bool aligned = d.take("aligned") || bar;
  if (aligned)
    d.i.flags |= Inst::Aligned;
  d.i.sub = uint8_t(kind);
  d.i.fn = execBarrier;
  if (!d.expectOps(kind == Arrive ? 2 : 1, 2))
    return false;
  d.i.a = d.ops().size() == 2;
  return d.src(d.ops()[0], Ty::B32) && (!d.i.a || d.src(d.ops()[1], Ty::B32));
}

//===----------------------------------------------------------------------===//
// The cluster's barrier
//===----------------------------------------------------------------------===//

uint32_t clusterThreads(const Cluster &cl) {
  uint32_t n = 0;
  for (const Cta &c : cl.ctas)
    for (const Warp &w : c.warps)
      n += uint32_t(__builtin_popcount(w.live));
  return n;
}

void completeCluster(Cluster &cl) {
  cl.clusterArrived = 0;
  ++cl.clusterPhase;
  cl.clusterDone = cl.clusterClock;
  cl.clusterDoneProxy = cl.clusterProxy;
  cl.clusterDoneProxyG = cl.clusterProxyG;
  ++cl.progress;
}

void execClusterArrive(ExecContext &x, const Inst &i) {
  if (i.flags & Inst::Aligned)
    x.requireAligned(i);
  if (x.w.clusterArrived && !x.known("barrier"))
    x.report("barrier",
             "barrier.cluster.arrive comes twice without barrier.cluster.wait "
             "in between",
             x.firstLane());
  x.w.clusterArrived = true;
  x.w.clusterPhase = x.cl.clusterPhase;
  if (!i.sub) { // Not .relaxed.
    warpSynced(x.w);
    publish(x.w, x.cl.clusterClock, &x.cl.clusterProxy, &x.cl.clusterProxyG);
  } else { // What fences have released.
    x.cl.clusterClock.join(x.w.released);
    x.cl.clusterClock.join(x.w.releasedInits);
    x.cl.clusterProxy.join(x.w.proxyShared);
    x.cl.clusterProxyG.join(x.w.proxyGlobal);
  }
  x.cl.clusterArrived += uint32_t(__builtin_popcount(x.mask & x.split().mask));
  ++x.split().pc;
  ++x.cl.progress;
  if (x.cl.clusterArrived >= clusterThreads(x.cl))
    completeCluster(x.cl);
}

void execClusterWait(ExecContext &x, const Inst &i) {
  if (i.flags & Inst::Aligned)
    x.requireAligned(i);
  if (!x.w.clusterArrived && !x.known("barrier"))
    x.report("barrier",
             "barrier.cluster.wait without barrier.cluster.arrive before it",
             x.firstLane());
  Split &s = x.split();
  ++s.pc;
  s.wait = WaitKind::Cluster;
  s.waitValue = x.w.clusterPhase;
  x.yield = true;
}

bool decodeClusterBarrier(Decoder &d) {
  d.i.p = Pipe::Sync;
  d.i.flags |= Inst::Control;
  int kind = d.takeOneOf({"arrive", "wait"}, -1);
  if (kind < 0)
    return d.fail("expected .arrive or .wait");
  d.i.sub = d.take("relaxed");
  d.take("acquire");
  d.take("release");
  if (d.take("aligned"))
    d.i.flags |= Inst::Aligned;
  d.i.fn = kind ? execClusterWait : execClusterArrive;
  return d.expectOps(0, 0);
}

} // namespace

bool mxfp4::sim::decodeBarrier(Decoder &d) {
  if (d.take("cluster"))
    return decodeClusterBarrier(d);
  return decodeBar(d);
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

bool mxfp4::sim::tryUnblock(ExecContext &x, Split &s) {
  switch (s.wait) {
  case WaitKind::None:
    return true;
  case WaitKind::Barrier:
    return false; // The last thread frees the others.
  case WaitKind::Cluster:
    // Exited threads count as arrived.
    if (x.cl.clusterPhase == uint32_t(s.waitValue)) {
      if (x.cl.clusterArrived < clusterThreads(x.cl))
        return false;
      completeCluster(x.cl);
    }
    acquire(x.w, x.cl.clusterDone, &x.cl.clusterDoneProxy,
            &x.cl.clusterDoneProxyG);
    warpSynced(x.w);
    x.w.clusterArrived = false;
    break;
  case WaitKind::Mbarrier: {
    auto it = x.cl.ctas[s.waitCta].mbarriers.find(s.waitId);
    bool done = it == x.cl.ctas[s.waitCta].mbarriers.end() ||
                phaseDone(it->second, s.waitValue);
    // try_wait executes again: it gives true, or false when it timed out.
    if (!done && !s.timedOut)
      return false;
    break;
  }
  case WaitKind::WarpSync:
    return false; // The last member frees the others.
  case WaitKind::Sleep:
    break;
  }
  s.wait = WaitKind::None;
  return true;
}
