//===- Mbarriers.cpp - mbarrier objects -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

Mbarrier *mxfp4::sim::findMbarrier(ExecContext &X, Cta &T, uint32_t Off,
                                   unsigned Lane, const char *What) {
  auto It = T.Mbarriers.find(Off);
  if (It != T.Mbarriers.end() && It->second.Valid) {
    Mbarrier &B = It->second;
    if (!happenedBefore(X.W, B.Init, Lane, false) &&
        !X.known("mbarrier", B.InitInst + 1))
      X.report("mbarrier",
               std::string(What) + " uses the mbarrier initialised at " +
                   describeInst(X.K, B.InitInst) +
                   " by another thread: no barrier orders the two",
               Lane, Off, B.InitInst + 1);
    return &B;
  }
  if (!X.known("mbarrier"))
    X.report("mbarrier",
             std::string(What) + " uses an mbarrier at shared address " +
                 hex(Off) + ", where none has been initialised",
             Lane, Off);
  return nullptr;
}

static void completePhase(ExecContext &X, Cta &T, uint32_t Off, Mbarrier &B) {
  ++B.Phase;
  ++B.AgentClock;
  B.Pending = B.Count;
  B.Done.join(B.Pend);
  B.DoneProxy.join(B.PendProxy);
  B.DoneProxyG.join(B.PendProxyG);
  B.Pend.clear();
  B.PendProxy.clear();
  B.PendProxyG.clear();
  ++T.Cl->Progress;
  if (B.InFlight && !X.known("transaction-bytes"))
    X.report("transaction-bytes",
             "the phase of the mbarrier at " + hex(Off) + " completes while " +
                 plural(uint64_t(B.InFlightBytes), "byte") +
                 " of copies are still on their way: expect_tx has announced "
                 "too few bytes",
             X.firstLane(), Off);
}

void mxfp4::sim::arriveMbarrier(ExecContext &X, Cta &T, uint32_t Off,
                                Mbarrier &B, uint32_t Count, unsigned Lane) {
  if (Count > B.Pending) {
    if (!X.known("mbarrier", 2))
      X.report("mbarrier",
               "the mbarrier at " + hex(Off) + " counts " +
                   plural(B.Count, "arrival") +
                   " a phase, and more threads arrive than that",
               Lane, Off, 2);
    Count = B.Pending;
  }
  B.Pending -= Count;
  ++T.Cl->Progress;
  if (B.Pending == 0 && B.Tx == 0)
    completePhase(X, T, Off, B);
}

void mxfp4::sim::expectTx(ExecContext &X, Cta &, uint32_t Off, Mbarrier &B,
                          int64_t Bytes, unsigned Lane) {
  B.Tx += Bytes;
  if ((B.Tx > (1 << 20) - 1 || B.Tx < -((1 << 20) - 1)) &&
      !X.known("transaction-bytes"))
    X.report("transaction-bytes",
             "the transaction count of the mbarrier at " + hex(Off) +
                 " reaches " + std::to_string(B.Tx) +
                 ", beyond what it can hold (2^20 - 1)",
             Lane, Off);
}

void mxfp4::sim::completeTx(ExecContext &X, Cta &T, uint32_t Off, Mbarrier &B,
                            int64_t Bytes) {
  B.Tx -= Bytes;
  ++T.Cl->Progress;
  if (B.Pending == 0 && B.Tx == 0)
    completePhase(X, T, Off, B);
}

void mxfp4::sim::acquireMbarrier(Warp &W, const Mbarrier &B) {
  acquire(W, B.Done, &B.DoneProxy, &B.DoneProxyG);
  if (B.Agent)
    W.Clock.raise(B.Agent, B.AgentClock);
  // What the warp's own lanes did before they arrived here.
  W.SyncNow = std::max(W.SyncNow, B.Done.get(W.agent()) + 1);
  W.CopySync = std::max(W.CopySync, B.Done.get(W.agent(CopyAgent)));
}
