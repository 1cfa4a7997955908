//===- Barriers.cpp - Named barriers, cluster barriers, fences ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Rendezvous.h"
#include "Sync.h"

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// Synchronising accesses and fences
//===----------------------------------------------------------------------===//

using SyncVar = std::pair<VectorClock, VectorClock>;

static SyncVar &syncVar(ExecContext &X, const MemRef &R, uint64_t Addr) {
  if (R.K == MemRef::Shared)
    return R.Target->SyncVars[R.Off];
  return X.G.SyncVars[Addr];
}

void mxfp4::sim::syncLoad(ExecContext &X, const MemRef &R, uint64_t Addr,
                          bool Acquire) {
  std::lock_guard<std::mutex> Guard(X.G.SyncLock);
  SyncVar &V = syncVar(X, R, Addr);
  if (V.first.empty())
    return;
  if (Acquire)
    acquire(X.W, V.first, &V.second);
  else
    X.W.PendingAcquire.join(V.first);
}

void mxfp4::sim::syncStore(ExecContext &X, const MemRef &R, uint64_t Addr,
                           bool Release) {
  std::lock_guard<std::mutex> Guard(X.G.SyncLock);
  if (Release) {
    SyncVar &V = syncVar(X, R, Addr);
    publish(X.W, V.first, &V.second);
  } else if (!X.W.Released.empty()) {
    SyncVar &V = syncVar(X, R, Addr);
    V.first.join(X.W.Released);
    V.first.raise(atomicAgent(X.W.agent() << 5), X.W.Now);
    V.second.join(X.W.ProxyShared);
  }
}

namespace {

/// A fence of acq_rel or sc: what was read before it is acquired, what is
/// written after it releases.
void execFence(ExecContext &X, const Inst &) {
  acquire(X.W, X.W.PendingAcquire);
  X.W.PendingAcquire.clear();
  publish(X.W, X.W.Released);
}

/// fence.proxy.async: everything known now may be read through the async proxy.
void execProxyFence(ExecContext &X, const Inst &I) {
  for (auto [Bit, Proxy] :
       {std::pair(1, &X.W.ProxyShared), {2, &X.W.ProxyGlobal}})
    if (I.Mods & Bit) {
      Proxy->join(X.W.Clock);
      Proxy->raise(X.W.agent(), X.W.Now);
    }
  ++X.W.Now;
}

void execNothing(ExecContext &, const Inst &) {}

} // namespace

bool mxfp4::sim::decodeFence(Decoder &D) {
  D.I.P = Pipe::Sync;
  if (D.base() == "membar") {
    if (D.take("proxy"))
      return D.fail("membar.proxy is not supported");
    D.takeOneOf({"cta", "gl", "sys"}, 0);
    D.I.Fn = execFence;
    return D.expectOps(0, 0);
  }
  bool Proxy = D.take("proxy");
  bool Mbar = D.take("mbarrier_init");
  if (Proxy) {
    int Kind = D.takeOneOf(
        {"async", "async::generic", "alias", "tensormap", "tensormap::generic"},
        -1);
    if (Kind < 0)
      return D.fail("expected the kind of proxy fence");
    bool Global = D.take("global");
    bool Shared = D.take("shared::cta") || D.take("shared::cluster");
    D.I.Mods = Global ? 2 : Shared ? 1 : 3;
    D.takeOneOf({"acquire", "release", "acq_rel"}, 0);
    D.take("sync_restrict::shared::cluster");
    D.take("sync_restrict::shared::cta");
    D.takeOneOf({"cta", "cluster", "gpu", "sys"}, 0);
    D.I.Fn = Kind == 0 || Kind == 1 ? execProxyFence : execNothing;
    // fence.proxy.tensormap::generic names the map.
    if (Kind >= 3)
      return D.expectOps(0, 2);
    return D.expectOps(0, 0);
  }
  D.takeOneOf({"acq_rel", "sc", "release", "acquire"}, 0);
  D.takeOneOf({"cta", "cluster", "gpu", "sys"}, 0);
  D.take("sync_restrict::shared::cluster");
  D.take("sync_restrict::shared::cta");
  // fence.mbarrier_init makes mbarriers visible to the async proxy.
  D.I.Mods = 1;
  D.I.Fn = Mbar ? execProxyFence : execFence;
  return D.expectOps(0, 0);
}

//===----------------------------------------------------------------------===//
// Named barriers
//===----------------------------------------------------------------------===//

namespace {

enum : uint8_t { Sync, Arrive, Red };

/// Everybody who waits learns now: a fast warp may arrive again, and reset the
/// barrier, before a slow one has its next turn.
void releaseBarrier(ExecContext &X, NamedBarrier &B, uint32_t Id) {
  for (Warp &W : X.C.Warps)
    for (Split &S : W.Splits)
      if (S.Wait == WaitKind::Barrier && S.WaitId == Id) {
        acquire(W, B.Clock, &B.Proxy, &B.ProxyG);
        warpSynced(W);
        S.Wait = WaitKind::None;
      }
  B.Arrived = B.Expected = 0;
  ++X.Cl.Progress;
}

/// Who waits at .aligned promises that all threads of the block execute this
/// one instruction. Whole warps at two of them meet on the chip all the same,
/// since it counts warps and does not look where they wait: a warning. (What
/// differs within a warp is an error: requireAligned.) With bar.arrive there is
/// no wait, and the manual's own examples mix it with bar.sync.
void requireOneInstruction(ExecContext &X, const Inst &I, NamedBarrier &B,
                           uint64_t Id, unsigned Lane) {
  if (!(I.Flags & Inst::Aligned) || I.Sub == Arrive)
    return;
  const uint32_t Here = X.PC + 1;
  if (!B.AlignedWait)
    B.AlignedWait = Here;
  if (B.AlignedWait == Here || X.known("barrier", B.AlignedWait))
    return;
  X.report("barrier",
           "threads wait for barrier " + std::to_string(Id) +
               " here, and others at " + describeInst(X.K, B.AlignedWait - 1) +
               ": bar.sync is barrier.sync.aligned, for which PTX asks that "
               "all of them execute the same instruction; barrier.sync does "
               "not ask",
           Lane, ~uint64_t(0), B.AlignedWait, Diagnostic::Severity::Warning);
}

uint32_t blockThreads(const ExecContext &X) {
  return uint32_t(X.G.L->Block.count());
}

void execBarrier(ExecContext &X, const Inst &I) {
  Split &S = X.split();
  uint32_t Active = X.Mask & S.Mask;
  unsigned Lane = unsigned(__builtin_ctz(Active));
  if (I.Flags & Inst::Aligned)
    X.requireAligned(I);
  uint64_t Id = X.lane(X.src(I, 0), Lane);
  if (Id >= 16) {
    X.report("barrier",
             "barrier " + std::to_string(Id) +
                 " does not exist; a block has barriers 0 to 15",
             Lane);
    Id &= 15;
  }
  uint32_t Total = (blockThreads(X) + 31) / 32 * 32, Count = Total;
  if (I.A) {
    Count = uint32_t(X.lane(X.src(I, 1), Lane));
    if ((Count % 32 || Count == 0 || Count > Total) && !X.known("barrier"))
      X.report("barrier",
               "the thread count of a barrier must be a multiple of 32 from 32 "
               "to the block's " +
                   std::to_string(Total) + ", found " + std::to_string(Count),
               Lane);
  }
  NamedBarrier &B = X.C.Barriers[Id];
  if (B.Arrived == 0) {
    B.Expected = Count;
    B.FirstInst = X.PC;
    B.AlignedWait = 0;
    B.Clock = B.Proxy = B.ProxyG = VectorClock();
  } else if (B.Expected != Count && !X.known("barrier", B.FirstInst + 1)) {
    X.report("barrier",
             "barrier " + std::to_string(Id) + " expects " +
                 std::to_string(Count) + " threads here, but " +
                 std::to_string(B.Expected) + " at " +
                 describeInst(X.K, B.FirstInst) + ", which arrived first",
             Lane, ~uint64_t(0), B.FirstInst + 1);
  }
  requireOneInstruction(X, I, B, Id, Lane);
  warpSynced(X.W);
  publish(X.W, B.Clock, &B.Proxy, &B.ProxyG);
  // Barriers count whole warps; diverged threads count by themselves.
  B.Arrived += Active == X.W.Live ? 32 : uint32_t(__builtin_popcount(Active));
  bool Complete = B.Arrived >= B.Expected;
  if (B.Arrived > B.Expected && !X.known("barrier", 1))
    X.report("barrier",
             "barrier " + std::to_string(Id) + " expects " +
                 std::to_string(B.Expected) + " threads and " +
                 std::to_string(B.Arrived) + " have arrived",
             Lane, ~uint64_t(0), 1);
  ++S.PC;
  ++X.Cl.Progress;
  if (I.Sub != Arrive) {
    S.Wait = WaitKind::Barrier;
    S.WaitId = uint32_t(Id);
    X.Yield = true;
  }
  if (Complete)
    releaseBarrier(X, B, uint32_t(Id));
}

bool decodeBar(Decoder &D) {
  D.I.P = Pipe::Sync;
  D.I.Flags |= Inst::Control;
  bool Bar = D.base() == "bar";
  if (D.take("warp")) {
    D.take("sync");
    return decodeWarpSync(D);
  }
  D.take("cta");
  int Kind = D.takeOneOf({"sync", "arrive", "red"}, -1);
  if (Kind < 0)
    return D.fail("expected .sync or .arrive");
  if (Kind == Red)
    return D.fail("barrier reductions are not supported");
  bool Aligned = D.take("aligned") || Bar;
  if (Aligned)
    D.I.Flags |= Inst::Aligned;
  D.I.Sub = uint8_t(Kind);
  D.I.Fn = execBarrier;
  if (!D.expectOps(Kind == Arrive ? 2 : 1, 2))
    return false;
  D.I.A = D.ops().size() == 2;
  return D.src(D.ops()[0], Ty::B32) && (!D.I.A || D.src(D.ops()[1], Ty::B32));
}

//===----------------------------------------------------------------------===//
// The cluster's barrier
//===----------------------------------------------------------------------===//

uint32_t clusterThreads(const Cluster &Cl) {
  uint32_t N = 0;
  for (const Cta &C : Cl.Ctas)
    for (const Warp &W : C.Warps)
      N += uint32_t(__builtin_popcount(W.Live));
  return N;
}

void completeCluster(Cluster &Cl) {
  Cl.ClusterArrived = 0;
  ++Cl.ClusterPhase;
  Cl.ClusterDone = Cl.ClusterClock;
  Cl.ClusterDoneProxy = Cl.ClusterProxy;
  Cl.ClusterDoneProxyG = Cl.ClusterProxyG;
  ++Cl.Progress;
}

void execClusterArrive(ExecContext &X, const Inst &I) {
  if (I.Flags & Inst::Aligned)
    X.requireAligned(I);
  if (X.W.ClusterArrived && !X.known("barrier"))
    X.report("barrier",
             "barrier.cluster.arrive comes twice without barrier.cluster.wait "
             "in between",
             X.firstLane());
  X.W.ClusterArrived = true;
  X.W.ClusterPhase = X.Cl.ClusterPhase;
  if (!I.Sub) { // Not .relaxed.
    warpSynced(X.W);
    publish(X.W, X.Cl.ClusterClock, &X.Cl.ClusterProxy, &X.Cl.ClusterProxyG);
  }
  X.Cl.ClusterArrived += uint32_t(__builtin_popcount(X.Mask & X.split().Mask));
  ++X.split().PC;
  ++X.Cl.Progress;
  if (X.Cl.ClusterArrived >= clusterThreads(X.Cl))
    completeCluster(X.Cl);
}

void execClusterWait(ExecContext &X, const Inst &I) {
  if (I.Flags & Inst::Aligned)
    X.requireAligned(I);
  if (!X.W.ClusterArrived && !X.known("barrier"))
    X.report("barrier",
             "barrier.cluster.wait without barrier.cluster.arrive before it",
             X.firstLane());
  Split &S = X.split();
  ++S.PC;
  S.Wait = WaitKind::Cluster;
  S.WaitValue = X.W.ClusterPhase;
  X.Yield = true;
}

bool decodeClusterBarrier(Decoder &D) {
  D.I.P = Pipe::Sync;
  D.I.Flags |= Inst::Control;
  int Kind = D.takeOneOf({"arrive", "wait"}, -1);
  if (Kind < 0)
    return D.fail("expected .arrive or .wait");
  D.I.Sub = D.take("relaxed");
  D.take("acquire");
  D.take("release");
  if (D.take("aligned"))
    D.I.Flags |= Inst::Aligned;
  D.I.Fn = Kind ? execClusterWait : execClusterArrive;
  return D.expectOps(0, 0);
}

} // namespace

bool mxfp4::sim::decodeBarrier(Decoder &D) {
  if (D.take("cluster"))
    return decodeClusterBarrier(D);
  return decodeBar(D);
}

//===----------------------------------------------------------------------===//
// Waiting
//===----------------------------------------------------------------------===//

bool mxfp4::sim::tryUnblock(ExecContext &X, Split &S) {
  switch (S.Wait) {
  case WaitKind::None:
    return true;
  case WaitKind::Barrier:
    return false; // The last thread frees the others.
  case WaitKind::Cluster:
    // Exited threads count as arrived.
    if (X.Cl.ClusterPhase == uint32_t(S.WaitValue)) {
      if (X.Cl.ClusterArrived < clusterThreads(X.Cl))
        return false;
      completeCluster(X.Cl);
    }
    acquire(X.W, X.Cl.ClusterDone, &X.Cl.ClusterDoneProxy,
            &X.Cl.ClusterDoneProxyG);
    warpSynced(X.W);
    X.W.ClusterArrived = false;
    break;
  case WaitKind::Mbarrier: {
    auto It = X.Cl.Ctas[S.WaitCta].Mbarriers.find(S.WaitId);
    bool Done = It == X.Cl.Ctas[S.WaitCta].Mbarriers.end() ||
                phaseDone(It->second, S.WaitValue);
    // try_wait executes again: it gives true, or false when it timed out.
    if (!Done && !S.TimedOut)
      return false;
    break;
  }
  case WaitKind::WarpSync:
    return false; // The last member frees the others.
  case WaitKind::Sleep:
    break;
  }
  S.Wait = WaitKind::None;
  return true;
}
