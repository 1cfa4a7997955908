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
uint64_t stateOf(const Mbarrier &B) {
  return uint64_t(B.Pending) << 1 | (B.Phase & 1);
}
uint64_t phaseOf(uint64_t State) { return State & 1; }
uint64_t pendingOf(uint64_t State) { return State >> 1; }

enum : uint8_t {
  NoComplete = 1,
  ExpectTx = 2,
  Relaxed = 4,
  Test = 8,
  Parity = 16,
  Drop = 32
};

bool place(ExecContext &X, const Inst &I, unsigned Lane, Cta *&T,
           uint32_t &Off) {
  uint64_t Addr = X.lane(X.src(I, 0), Lane) + uint64_t(I.Imm);
  return resolveShared(X, Addr, 8, 8, Lane, T, Off);
}

void execInit(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    Cta *T;
    uint32_t Off;
    if (!place(X, I, L, T, Off))
      return;
    uint32_t Count = uint32_t(X.lane(X.src(I, 1), L));
    if ((Count == 0 || Count >= (1u << 20)) && !X.known("mbarrier", 3))
      X.report("mbarrier",
               "the arrival count of an mbarrier must be from 1 to 2^20 - 1, "
               "found " +
                   std::to_string(Count),
               L, Off, 3);
    Mbarrier &B = T->Mbarriers[Off];
    if (B.Valid && !X.known("mbarrier", 1))
      X.report("mbarrier",
               "the mbarrier at " + hex(Off) +
                   " is initialised again without mbarrier.inval",
               L, Off, 1);
    uint32_t Agent = B.Agent, Clock = B.AgentClock;
    if (!Agent && T->NumMbarAgents < AgentsPerCta - MbarAgent)
      Agent = T->Linear * AgentsPerCta + MbarAgent + T->NumMbarAgents++;
    T->Cells.mark(Off, 2, 0, Cell::Barrier);
    touchShared(X, *T, Off, 8, threadAccess(X, L, Access::Write));
    T->Cells.mark(Off, 2, Cell::Barrier, 0);
    B = Mbarrier();
    B.Valid = true;
    B.Count = B.Pending = Count;
    B.Agent = Agent;
    B.AgentClock = Clock;
    B.InitInst = X.PC;
    B.Init = {agentLane(X.C.Linear, X.W.Id, L), X.W.Now};
  });
  ++X.Cl.Progress;
}

void execInval(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    Cta *T;
    uint32_t Off;
    if (!place(X, I, L, T, Off))
      return;
    Mbarrier *B = findMbarrier(X, *T, Off, L, "mbarrier.inval");
    if (!B)
      return;
    B->Valid = false;
    T->Cells.mark(Off, 2, 0, Cell::Barrier | Cell::Initialised);
  });
}

void execArrive(ExecContext &X, const Inst &I) {
  bool Release = !(I.Mods & Relaxed);
  // The clock steps only afterwards: all lanes publish the same work, and one
  // of them does it for all.
  Mbarrier *Published = nullptr, *Last = nullptr;
  uint32_t PhasesBefore = 0;
  forLanes(X.Mask, [&](unsigned L) {
    Cta *T;
    uint32_t Off;
    if (!place(X, I, L, T, Off))
      return;
    Mbarrier *B = findMbarrier(X, *T, Off, L, "mbarrier.arrive");
    if (!B)
      return;
    uint32_t N = I.NumSrc > 1 ? uint32_t(X.lane(X.src(I, 1), L)) : 1;
    if (I.Mods & ExpectTx) {
      expectTx(X, *T, Off, *B, N, L);
      N = 1;
    }
    if (I.NumDst)
      X.setLane(X.dst(I), L, stateOf(*B));
    if (Release && (B != Published || B->Pend.empty())) {
      Published = B;
      tell(X.W, X.Mask, B->Pend);
      B->PendProxy.join(X.W.ProxyShared);
      B->PendProxyG.join(X.W.ProxyGlobal);
    }
    if ((N == 0 || N > B->Count) && !X.known("mbarrier", 3))
      X.report("mbarrier",
               "an arrival count must be from 1 to the mbarrier's " +
                   std::to_string(B->Count) + ", found " + std::to_string(N),
               L, Off, 3);
    if (I.Mods & Drop)
      B->Count -= std::min(B->Count, N);
    if (B != Last) {
      Last = B;
      PhasesBefore = B->Phase;
    }
    arriveMbarrier(X, *T, Off, *B, N, L);
    if (B->Phase - PhasesBefore > 1 && !X.known("mbarrier", 6))
      X.report("mbarrier",
               "the arrivals of one instruction complete more than one phase "
               "of the mbarrier at " +
                   hex(Off) + ", which counts " + plural(B->Count, "arrival") +
                   ": nobody can wait for the phases in between",
               L, Off, 6);
  });
  ++X.W.Now;
  if (I.NumDst)
    X.defined(X.dst(I));
}

void execTx(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    Cta *T;
    uint32_t Off;
    if (!place(X, I, L, T, Off))
      return;
    Mbarrier *B = findMbarrier(X, *T, Off, L, "mbarrier.expect_tx");
    if (!B)
      return;
    int64_t N = int64_t(uint32_t(X.lane(X.src(I, 1), L)));
    if (I.Sub == 0)
      expectTx(X, *T, Off, *B, N, L);
    else
      completeTx(X, *T, Off, *B, N);
  });
}

/// try_wait blocks until the phase completes, or until the scheduler lets it
/// time out; test_wait looks once.
void execWait(ExecContext &X, const Inst &I) {
  Split &S = X.split();
  uint32_t Active = X.Mask & S.Mask, Done = 0;
  uint32_t WaitOff = 0, WaitCta = 0;
  uint64_t WaitParity = 0;
  const Mbarrier *Acquired = nullptr; // Once for all lanes.
  forLanes(Active, [&](unsigned L) {
    Cta *T;
    uint32_t Off;
    Mbarrier *B = nullptr;
    if (place(X, I, L, T, Off))
      B = findMbarrier(X, *T, Off, L, "mbarrier wait");
    if (!B) {
      Done |= 1u << L;
      return;
    }
    uint64_t P = X.lane(X.src(I, 1), L);
    if ((I.Mods & Parity) && P > 1 && !X.known("mbarrier", 4))
      X.report("mbarrier",
               "the phase parity must be 0 or 1, found " + std::to_string(P), L,
               Off, 4);
    if (!(I.Mods & Parity))
      P = phaseOf(P);
    if (phaseDone(*B, P)) {
      Done |= 1u << L;
      if (B != Acquired)
        acquireMbarrier(X.W, *B);
      Acquired = B;
    } else {
      WaitOff = Off;
      WaitCta = T->Rank;
      WaitParity = P;
    }
  });
  bool Blocks = !(I.Mods & Test) && Done != Active && !S.TimedOut;
  if (Blocks) {
    S.Wait = WaitKind::Mbarrier;
    S.WaitId = WaitOff;
    S.WaitCta = WaitCta;
    S.WaitValue = WaitParity;
    X.Yield = true;
    return;
  }
  S.TimedOut = false;
  X.setPred(X.dst(I), Done);
  ++S.PC;
  X.Yield = Done != Active;
}

void execPending(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    X.setLane(X.dst(I), L, pendingOf(X.lane(X.src(I, 0), L)));
  });
  X.defined(X.dst(I));
}

bool isSharedSpace(Decoder &D) {
  return D.takeOneOf({"shared", "shared::cta", "shared::cluster"}, -1) >= 0;
}

bool decodeArrive(Decoder &D) {
  if (D.take("expect_tx"))
    D.I.Mods |= ExpectTx;
  if (D.take("noComplete"))
    D.I.Mods |= NoComplete;
  if (D.take("relaxed"))
    D.I.Mods |= Relaxed;
  D.take("release");
  D.takeOneOf({"cta", "cluster"}, 0);
  isSharedSpace(D);
  D.take("b64");
  D.I.Fn = execArrive;
  const auto &Ops = D.ops();
  bool HasResult = !Ops.empty() && Ops[0].K != AstOperand::Addr;
  if (!D.expectOps(1 + HasResult, 2 + HasResult))
    return false;
  if (HasResult && Ops[0].K != AstOperand::Sink && !D.dst(Ops[0], Ty::B64))
    return false;
  if (!D.address(Ops[HasResult]))
    return false;
  return Ops.size() == 1u + HasResult || D.src(Ops[1 + HasResult], Ty::B32);
}

} // namespace

bool mxfp4::sim::decodeMbarrier(Decoder &D) {
  D.I.P = Pipe::Sync;
  int Kind =
      D.takeOneOf({"init", "inval", "arrive", "arrive_drop", "expect_tx",
                   "complete_tx", "try_wait", "test_wait", "pending_count"},
                  -1);
  // mbarrier.arrive.expect_tx has both words.
  if (D.take("arrive"))
    Kind = 2;
  switch (Kind) {
  case 0:
    isSharedSpace(D);
    D.take("b64");
    D.I.Fn = execInit;
    return D.expectOps(2, 2) && D.address(D.ops()[0]) &&
           D.src(D.ops()[1], Ty::B32);
  case 1:
    isSharedSpace(D);
    D.take("b64");
    D.I.Fn = execInval;
    return D.expectOps(1, 1) && D.address(D.ops()[0]);
  case 2:
    return decodeArrive(D);
  case 3:
    D.I.Mods |= Drop;
    return decodeArrive(D);
  case 4:
  case 5:
    D.take("relaxed");
    D.takeOneOf({"cta", "cluster"}, 0);
    isSharedSpace(D);
    D.take("b64");
    D.I.Sub = Kind == 5;
    D.I.Fn = execTx;
    return D.expectOps(2, 2) && D.address(D.ops()[0]) &&
           D.src(D.ops()[1], Ty::B32);
  case 6:
  case 7: {
    D.I.Mods |= Kind == 7 ? Test : 0;
    bool P = D.take("parity");
    D.I.Mods |= P ? Parity : 0;
    D.take("acquire");
    D.take("relaxed");
    D.takeOneOf({"cta", "cluster"}, 0);
    isSharedSpace(D);
    D.take("b64");
    D.I.Flags |= Inst::Control;
    D.I.Fn = execWait;
    return D.expectOps(3, Kind == 6 ? 4 : 3) && D.dstPred(D.ops()[0]) &&
           D.address(D.ops()[1]) && D.src(D.ops()[2], P ? Ty::B32 : Ty::B64);
  }
  case 8:
    D.take("b64");
    D.I.Fn = execPending;
    return D.expectOps(2, 2) && D.dst(D.ops()[0], Ty::B32) &&
           D.src(D.ops()[1], Ty::B64);
  default:
    return D.fail("this mbarrier operation is not known");
  }
}
