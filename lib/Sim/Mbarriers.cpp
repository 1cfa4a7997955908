//===- Mbarriers.cpp - mbarrier objects -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

Mbarrier *mxfp4::sim::findMbarrier(ExecContext &x, Cta &t, uint32_t off,
                                   unsigned lane, const char *what) {
  auto it = t.mbarriers.find(off);
  if (it != t.mbarriers.end() && it->second.valid) {
    Mbarrier &b = it->second;
    if (!happenedBefore(x.w, b.init, lane, false) &&
        !x.known("mbarrier", b.initInst + 1))
      x.report("mbarrier",
               std::string(what) + " uses the mbarrier initialised at " +
                   describeInst(x.k, b.initInst) +
                   " by another thread: no barrier orders the two",
               lane, off, b.initInst + 1);
    return &b;
  }
  if (!x.known("mbarrier"))
    x.report("mbarrier",
             std::string(what) + " uses an mbarrier at shared address " +
                 hex(off) + ", where none has been initialised",
             lane, off);
  return nullptr;
}

static void completePhase(ExecContext &x, Cta &t, uint32_t off, Mbarrier &b) {
  ++b.phase;
  ++b.agentClock;
  b.pending = b.count;
  b.done.join(b.pend);
  b.doneProxy.join(b.pendProxy);
  b.doneProxyG.join(b.pendProxyG);
  b.pend.clear();
  b.pendProxy.clear();
  b.pendProxyG.clear();
  ++t.cl->progress;
  if (b.inFlight && !x.known("transaction-bytes"))
    x.report("transaction-bytes",
             "the phase of the mbarrier at " + hex(off) + " completes while " +
                 plural(uint64_t(b.inFlightBytes), "byte") +
                 " of copies are still on their way: expect_tx has announced "
                 "too few bytes",
             x.firstLane(), off);
}

void mxfp4::sim::arriveMbarrier(ExecContext &x, Cta &t, uint32_t off,
                                Mbarrier &b, uint32_t count, unsigned lane) {
  if (count > b.pending) {
    if (!x.known("mbarrier", 2))
      x.report("mbarrier",
               "the mbarrier at " + hex(off) + " counts " +
                   plural(b.count, "arrival") +
                   " a phase, and more threads arrive than that",
               lane, off, 2);
    count = b.pending;
  }
  b.pending -= count;
  ++t.cl->progress;
  if (b.pending == 0 && b.tx == 0)
    completePhase(x, t, off, b);
}

void mxfp4::sim::expectTx(ExecContext &x, Cta &, uint32_t off, Mbarrier &b,
                          int64_t bytes, unsigned lane) {
  b.tx += bytes;
  if ((b.tx > (1 << 20) - 1 || b.tx < -((1 << 20) - 1)) &&
      !x.known("transaction-bytes"))
    x.report("transaction-bytes",
             "the transaction count of the mbarrier at " + hex(off) +
                 " reaches " + std::to_string(b.tx) +
                 ", beyond what it can hold (2^20 - 1)",
             lane, off);
}

void mxfp4::sim::completeTx(ExecContext &x, Cta &t, uint32_t off, Mbarrier &b,
                            int64_t bytes) {
  b.tx -= bytes;
  ++t.cl->progress;
  if (b.pending == 0 && b.tx == 0)
    completePhase(x, t, off, b);
}

void mxfp4::sim::acquireMbarrier(Warp &w, const Mbarrier &b) {
  acquire(w, b.done, &b.doneProxy, &b.doneProxyG);
  if (b.agent)
    w.clock.raise(b.agent, b.agentClock);
  // What the warp's own lanes did before they arrived here.
  w.syncNow = std::max(w.syncNow, b.done.get(w.agent()) + 1);
  w.copySync = std::max(w.copySync, b.done.get(w.agent(kCopyAgent)));
}
