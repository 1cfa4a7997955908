//===- MbarrierOps.cpp - Instructions on mbarriers ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

/// The opaque state that an arrival returns: the phase, and the arrivals that
/// were pending before it.
uint64_t stateOf(const Mbarrier &b) {
  return uint64_t(b.pending) << 1 | (b.phase & 1);
}
uint64_t phaseOf(uint64_t state) { return state & 1; }
uint64_t pendingOf(uint64_t state) { return state >> 1; }

enum : uint8_t {
  NoComplete = 1,
  ExpectTx = 2,
  Relaxed = 4,
  Test = 8,
  Parity = 16,
  Drop = 32
};

bool place(ExecContext &x, const Inst &i, unsigned lane, Cta *&t,
           uint32_t &off) {
  uint64_t addr = x.lane(x.src(i, 0), lane) + uint64_t(i.imm);
  return resolveShared(x, addr, 8, 8, lane, t, off);
}

void execInit(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    Cta *t;
    uint32_t off;
    if (!place(x, i, l, t, off))
      return;
    uint32_t count = uint32_t(x.lane(x.src(i, 1), l));
    if ((count == 0 || count >= (1u << 20)) && !x.known("mbarrier", 3))
      x.report("mbarrier",
               "the arrival count of an mbarrier must be from 1 to 2^20 - 1, "
               "found " +
                   std::to_string(count),
               l, off, 3);
    Mbarrier &b = t->mbarriers[off];
    if (b.valid && !x.known("mbarrier", 1))
      x.report("mbarrier",
               "the mbarrier at " + hex(off) +
                   " is initialised again without mbarrier.inval",
               l, off, 1);
    uint32_t agent = b.agent, clock = b.agentClock;
    if (!agent && t->numMbarAgents < kAgentsPerCta - kMbarAgent)
      agent = t->linear * kAgentsPerCta + kMbarAgent + t->numMbarAgents++;
    t->cells.mark(off, 2, 0, Cell::Barrier);
    touchShared(x, *t, off, 8, threadAccess(x, l, Access::Write));
    t->cells.mark(off, 2, Cell::Barrier, 0);
    b = Mbarrier();
    b.valid = true;
    b.count = b.pending = count;
    b.agent = agent;
    b.agentClock = clock;
    b.initInst = x.pc;
    b.init = {agentLane(x.c.linear, x.w.id, l), x.w.now};
  });
  ++x.cl.progress;
}

void execInval(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    Cta *t;
    uint32_t off;
    if (!place(x, i, l, t, off))
      return;
    Mbarrier *b = findMbarrier(x, *t, off, l, "mbarrier.inval");
    if (!b)
      return;
    b->valid = false;
    t->cells.mark(off, 2, 0, Cell::Barrier | Cell::Initialised);
  });
}

void execArrive(ExecContext &x, const Inst &i) {
  bool release = !(i.mods & Relaxed);
  // The clock steps only afterwards: all lanes publish the same work, and one
  // of them does it for all.
  Mbarrier *published = nullptr, *last = nullptr;
  uint32_t phasesBefore = 0;
  forLanes(x.mask, [&](unsigned l) {
    Cta *t;
    uint32_t off;
    if (!place(x, i, l, t, off))
      return;
    Mbarrier *b = findMbarrier(x, *t, off, l, "mbarrier.arrive");
    if (!b)
      return;
    uint32_t n = i.numSrc > 1 ? uint32_t(x.lane(x.src(i, 1), l)) : 1;
    if (i.mods & ExpectTx) {
      expectTx(x, *t, off, *b, n, l);
      n = 1;
    }
    if (i.numDst)
      x.setLane(x.dst(i), l, stateOf(*b));
    if (release && (b != published || b->pend.empty())) {
      published = b;
      tell(x.w, x.mask, b->pend);
      b->pendProxy.join(x.w.proxyShared);
      b->pendProxyG.join(x.w.proxyGlobal);
    }
    if ((n == 0 || n > b->count) && !x.known("mbarrier", 3))
      x.report("mbarrier",
               "an arrival count must be from 1 to the mbarrier's " +
                   std::to_string(b->count) + ", found " + std::to_string(n),
               l, off, 3);
    if (i.mods & Drop)
      b->count -= std::min(b->count, n);
    if (b != last) {
      last = b;
      phasesBefore = b->phase;
    }
    arriveMbarrier(x, *t, off, *b, n, l);
    if (b->phase - phasesBefore > 1 && !x.known("mbarrier", 6))
      x.report("mbarrier",
               "the arrivals of one instruction complete more than one phase "
               "of the mbarrier at " +
                   hex(off) + ", which counts " + plural(b->count, "arrival") +
                   ": nobody can wait for the phases in between",
               l, off, 6);
  });
  ++x.w.now;
  if (i.numDst)
    x.defined(x.dst(i));
}

void execTx(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    Cta *t;
    uint32_t off;
    if (!place(x, i, l, t, off))
      return;
    Mbarrier *b = findMbarrier(x, *t, off, l, "mbarrier.expect_tx");
    if (!b)
      return;
    int64_t n = int64_t(uint32_t(x.lane(x.src(i, 1), l)));
    if (i.sub == 0)
      expectTx(x, *t, off, *b, n, l);
    else
      completeTx(x, *t, off, *b, n);
  });
}

/// try_wait blocks until the phase completes, or until the scheduler lets it
/// time out; test_wait looks once.
void execWait(ExecContext &x, const Inst &i) {
  Split &s = x.split();
  uint32_t active = x.mask & s.mask, done = 0;
  uint32_t waitOff = 0, waitCta = 0;
  uint64_t waitParity = 0;
  const Mbarrier *acquired = nullptr; // Once for all lanes.
  forLanes(active, [&](unsigned l) {
    Cta *t;
    uint32_t off;
    Mbarrier *b = nullptr;
    if (place(x, i, l, t, off))
      b = findMbarrier(x, *t, off, l, "mbarrier wait");
    if (!b) {
      done |= 1u << l;
      return;
    }
    uint64_t p = x.lane(x.src(i, 1), l);
    if ((i.mods & Parity) && p > 1 && !x.known("mbarrier", 4))
      x.report("mbarrier",
               "the phase parity must be 0 or 1, found " + std::to_string(p), l,
               off, 4);
    if (!(i.mods & Parity))
      p = phaseOf(p);
    if (phaseDone(*b, p)) {
      done |= 1u << l;
      if (b != acquired)
        acquireMbarrier(x.w, *b);
      acquired = b;
    } else {
      waitOff = off;
      waitCta = t->rank;
      waitParity = p;
    }
  });
  bool blocks = !(i.mods & Test) && done != active && !s.timedOut;
  if (blocks) {
    s.wait = WaitKind::Mbarrier;
    s.waitId = waitOff;
    s.waitCta = waitCta;
    s.waitValue = waitParity;
    x.yield = true;
    return;
  }
  s.timedOut = false;
  x.setPred(x.dst(i), done);
  ++s.pc;
  x.yield = done != active;
}

void execPending(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    x.setLane(x.dst(i), l, pendingOf(x.lane(x.src(i, 0), l)));
  });
  x.defined(x.dst(i));
}

bool isSharedSpace(Decoder &d) {
  return d.takeOneOf({"shared", "shared::cta", "shared::cluster"}, -1) >= 0;
}

bool decodeArrive(Decoder &d) {
  if (d.take("expect_tx"))
    d.i.mods |= ExpectTx;
  if (d.take("noComplete"))
    d.i.mods |= NoComplete;
  if (d.take("relaxed"))
    d.i.mods |= Relaxed;
  d.take("release");
  d.takeOneOf({"cta", "cluster"}, 0);
  isSharedSpace(d);
  d.take("b64");
  d.i.fn = execArrive;
  const auto &ops = d.ops();
  bool hasResult = !ops.empty() && ops[0].k != AstOperand::Addr;
  if (!d.expectOps(1 + hasResult, 2 + hasResult))
    return false;
  if (hasResult && ops[0].k != AstOperand::Sink && !d.dst(ops[0], Ty::B64))
    return false;
  if (!d.address(ops[hasResult]))
    return false;
  return ops.size() == 1u + hasResult || d.src(ops[1 + hasResult], Ty::B32);
}

} // namespace

bool mxfp4::sim::decodeMbarrier(Decoder &d) {
  d.i.p = Pipe::Sync;
  int kind =
      d.takeOneOf({"init", "inval", "arrive", "arrive_drop", "expect_tx",
                   "complete_tx", "try_wait", "test_wait", "pending_count"},
                  -1);
  // mbarrier.arrive.expect_tx has both words.
  if (d.take("arrive"))
    kind = 2;
  switch (kind) {
  case 0:
    isSharedSpace(d);
    d.take("b64");
    d.i.fn = execInit;
    return d.expectOps(2, 2) && d.address(d.ops()[0]) &&
           d.src(d.ops()[1], Ty::B32);
  case 1:
    isSharedSpace(d);
    d.take("b64");
    d.i.fn = execInval;
    return d.expectOps(1, 1) && d.address(d.ops()[0]);
  case 2:
    return decodeArrive(d);
  case 3:
    d.i.mods |= Drop;
    return decodeArrive(d);
  case 4:
  case 5:
    d.take("relaxed");
    d.takeOneOf({"cta", "cluster"}, 0);
    isSharedSpace(d);
    d.take("b64");
    d.i.sub = kind == 5;
    d.i.fn = execTx;
    return d.expectOps(2, 2) && d.address(d.ops()[0]) &&
           d.src(d.ops()[1], Ty::B32);
  case 6:
  case 7: {
    d.i.mods |= kind == 7 ? Test : 0;
    bool p = d.take("parity");
    d.i.mods |= p ? Parity : 0;
    d.take("acquire");
    d.take("relaxed");
    d.takeOneOf({"cta", "cluster"}, 0);
    isSharedSpace(d);
    d.take("b64");
    d.i.flags |= Inst::Control;
    d.i.fn = execWait;
    return d.expectOps(3, kind == 6 ? 4 : 3) && d.dstPred(d.ops()[0]) &&
           d.address(d.ops()[1]) && d.src(d.ops()[2], p ? Ty::B32 : Ty::B64);
  }
  case 8:
    d.take("b64");
    d.i.fn = execPending;
    return d.operands({Ty::B32, Ty::B64});
  default:
    return d.fail("this mbarrier operation is not known");
  }
}
