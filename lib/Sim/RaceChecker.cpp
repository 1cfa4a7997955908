//===- RaceChecker.cpp - Races, proxies and uninitialised bytes -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RaceChecker.h"

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

void RaceChecker::uninitialised(uint64_t Addr) {
  if (!X.G.Opts.CheckUninitialised || X.known("uninitialised"))
    return;
  X.report("uninitialised",
           std::string(what()) + " reads " + spaceName() +
               " that nothing has written",
           A.Lane, Addr);
}

/// What the other access was, and what would have ordered it.
std::string RaceChecker::counterpart(const Epoch &E, uint32_t Inst,
                                     bool OtherWrote) {
  uint32_t Kind = agentOf(E.Who);
  std::string At = describeInst(X.K, Inst);
  if (Kind >= MbarAgent)
    return (At.find("(st.async") == At.npos ? "the bulk copy at "
                                            : "the store at ") +
           At + (OtherWrote ? " writes" : " reads") +
           ", and its mbarrier has not been waited for";
  if (Kind >= BulkAgent)
    return "the bulk store at " + At +
           " still reads: cp.async.bulk.wait_group has not waited for it, or "
           "no barrier follows the wait";
  if (Kind >= CopyAgent)
    return "the cp.async at " + At +
           " writes: cp.async.wait_group has not waited for it, or no "
           "barrier follows the wait";
  if (Kind >= WgmmaAgent)
    return "the wgmma at " + At +
           " still reads: wgmma.wait_group has not waited for it, or no "
           "barrier follows the wait";
  bool SameWarp = E.Who >> 5 == X.W.agent();
  return describeAgent(X, E.Who) + (OtherWrote ? " writes" : " reads") +
         " at " + At + ": no barrier orders the two" +
         (SameWarp ? " (threads of one warp: bar.warp.sync)" : "");
}

void RaceChecker::race(const Epoch &E, uint32_t Inst, bool OtherWrote,
                       uint64_t Addr) {
  if (!X.G.Opts.CheckRaces || X.known("race", Inst + 1))
    return;
  X.report("race",
           std::string(what()) +
               (A.is(Access::Write) ? " overwrites " : " reads ") +
               spaceName() + " that " + counterpart(E, Inst, OtherWrote),
           A.Lane, Addr, Inst + 1);
}

void RaceChecker::missingFence(uint32_t Inst, uint64_t Addr) {
  if (!X.G.Opts.CheckRaces || X.known("proxy", Inst + 1))
    return;
  X.report("proxy",
           std::string(what()) +
               (A.is(Access::Write) ? " writes " : " reads ") + spaceName() +
               " through the async proxy that the generic proxy wrote at " +
               describeInst(X.K, Inst) +
               ", without a fence.proxy.async in between",
           A.Lane, Addr, Inst + 1);
}

void RaceChecker::barrierTouched(uint64_t Addr) {
  if (X.known("mbarrier"))
    return;
  X.report("mbarrier",
           std::string(what()) +
               " overwrites a live mbarrier object; mbarrier.inval must come "
               "first",
           A.Lane, Addr);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

bool RaceChecker::lastWriteOrdered(const Cell &C, bool SameValue) const {
  if (!ofThisWarp(C.Write))
    return before(C.Write);
  if (C.is(Cell::WrittenByLanes) && C.is(Cell::WriteAtomic)) {
    if (A.is(Access::AnyLane) || C.Write.Clock < X.W.SyncNow)
      return true;
  } else if (C.is(Cell::WrittenByLanes)) {
    // One instruction wrote the same value from several lanes. Only the last
    // is known by number, and a reader may be any of the others.
    if (!A.is(Access::Write) || A.is(Access::AnyLane) ||
        C.Write.Clock < X.W.SyncNow)
      return true;
  } else if (before(C.Write)) {
    return true;
  }
  // Lanes of one instruction may write the same value to one place.
  return A.is(Access::Write) && SameValue && C.WriteInst == A.Inst &&
         C.Write.Clock == A.E.Clock;
}

void RaceChecker::checkWrite(const Cell &C, uint64_t Addr, bool SameValue) {
  if (!C.is(Cell::Written) || (A.is(Access::Atomic) && C.is(Cell::WriteAtomic)))
    return;
  if (!lastWriteOrdered(C, SameValue))
    return race(C.Write, C.WriteInst, true, Addr);
  const VectorClock &Proxy = Global ? X.W.ProxyGlobal : X.W.ProxyShared;
  if (A.is(Access::Async) && !C.is(Cell::WriteAsync) &&
      Proxy.get(C.Write.Who >> 5) < C.Write.Clock)
    missingFence(C.WriteInst, Addr);
}

/// Writes that atomic operations have overwritten: the last of these came after
/// plain ones, but others need not, and atomic ones come in any order.
void RaceChecker::checkCovered(const Cell &C, uint64_t Addr) {
  if (!C.is(Cell::SetHasWrites))
    return;
  for (const ReadSets::Reader &R : Sets.get(C.ReadSet)) {
    const bool Plain = R.Kind == ReadSets::Reader::PlainWrite;
    const bool Atomic = R.Kind == ReadSets::Reader::AtomicWrite;
    if ((Plain || (Atomic && !A.is(Access::Atomic))) && !before(R.E))
      return race(R.E, R.Inst, true, Addr);
  }
}

void RaceChecker::checkReads(const Cell &C, uint64_t Addr) {
  const bool Atomic = A.is(Access::Atomic);
  if (C.is(Cell::WasRead) && !(Atomic && C.is(Cell::ReadAtomic))) {
    bool Ordered =
        before(C.Read) || (C.is(Cell::ReadAtomic) && afterFence(C.Read));
    // Several lanes read: the one kept may be the writer itself.
    if (ofThisWarp(C.Read) && C.is(Cell::ReadByLanes) && !A.is(Access::AnyLane))
      Ordered = C.Read.Clock < X.W.SyncNow || C.ReadInst == A.Inst;
    if (!Ordered)
      return race(C.Read, C.ReadInst, false, Addr);
  }
  if (!C.ReadSet)
    return;
  // The set forgets the lanes of plain reads: it says nothing of those of the
  // warp's own threads.
  for (const ReadSets::Reader &R : Sets.get(C.ReadSet)) {
    if (before(R.E) || (ofThisWarp(R.E) && R.Kind == ReadSets::Reader::Plain) ||
        (R.atomic() && (Atomic || afterFence(R.E))))
      continue;
    return race(R.E, R.Inst, R.Kind >= ReadSets::Reader::AtomicWrite, Addr);
  }
}

//===----------------------------------------------------------------------===//
// Records
//===----------------------------------------------------------------------===//

/// Atomic operations need no order among each other, but what is plain and
/// comes later needs one with each of them, and each of them with what is plain
/// and came earlier: all of it is kept beside the last. True if there is any.
bool RaceChecker::keepAtomics(Cell &C) {
  if (!A.is(Access::Atomic))
    return false;
  using Reader = ReadSets::Reader;
  const bool WasAtomic = C.is(Cell::WriteAtomic);
  if (C.is(Cell::Written) &&
      !(WasAtomic && (C.Write.Who >> 5 == A.E.Who >> 5 || before(C.Write)))) {
    C.ReadSet = Sets.add(
        C.ReadSet, {C.Write, C.WriteInst,
                    WasAtomic ? Reader::AtomicWrite : Reader::PlainWrite});
    C.set(Cell::SetHasWrites);
  }
  return C.is(Cell::WasRead) || C.ReadSet;
}

void RaceChecker::recordWrite(Cell &C) {
  const bool Kept = keepAtomics(C);
  bool Lanes = false;
  if (C.is(Cell::Written) && C.Write.Who >> 5 == A.E.Who >> 5) {
    if (C.Write.Clock == A.E.Clock)
      Lanes = C.is(Cell::WrittenByLanes) || C.Write.Who != A.E.Who;
    else if (ofThisWarp(C.Write) && A.is(Access::Atomic) &&
             C.is(Cell::WriteAtomic))
      Lanes = C.is(Cell::WrittenByLanes) ? C.Write.Clock >= X.W.SyncNow
                                         : !before(C.Write);
  }
  C.set(Cell::WrittenByLanes, Lanes);
  C.set(Cell::Written | Cell::Initialised);
  C.set(Cell::WriteAtomic, A.is(Access::Atomic));
  C.set(Cell::WriteAsync, A.is(Access::Async));
  C.Write = A.E;
  C.WriteInst = A.Inst;
  if (Kept)
    return;
  C.Read = {};
  C.ReadInst = C.ReadSet = 0;
  C.set(Cell::WasRead | Cell::ReadAtomic | Cell::ReadByLanes |
            Cell::SetHasWrites,
        false);
}

void RaceChecker::recordRead(Cell &C) {
  using Reader = ReadSets::Reader;
  const bool Atomic = A.is(Access::Atomic), WasAtomic = C.is(Cell::ReadAtomic);
  bool Lanes = false;
  if (C.is(Cell::WasRead)) {
    const bool SameAgent = C.Read.Who >> 5 == A.E.Who >> 5;
    // Who comes after an atomic read need not say so, that of a plain one must.
    bool Further = Atomic && !WasAtomic;
    if (!SameAgent) {
      Further |= !before(C.Read);
    } else if (C.Read.Clock != A.E.Clock) {
      // The warp's clock steps without the lanes having met.
      if (ofThisWarp(C.Read))
        Lanes = C.is(Cell::ReadByLanes) ? C.Read.Clock >= X.W.SyncNow
                                        : !before(C.Read);
    } else if (Atomic == WasAtomic) {
      Lanes = C.is(Cell::ReadByLanes) || C.Read.Who != A.E.Who;
    } else if (Atomic) {
      if (C.Read.Who != A.E.Who)
        C.ReadSet = Sets.add(C.ReadSet, {A.E, A.Inst, Reader::Atomic});
      return;
    } else {
      Further = C.Read.Who != A.E.Who;
    }
    if (Further)
      C.ReadSet =
          Sets.add(C.ReadSet, {C.Read, C.ReadInst,
                               WasAtomic ? Reader::Atomic : Reader::Plain});
  }
  C.set(Cell::ReadByLanes, Lanes);
  C.set(Cell::WasRead);
  C.set(Cell::ReadAtomic, Atomic);
  C.Read = A.E;
  C.ReadInst = A.Inst;
}

void RaceChecker::cell(Cell &C, uint64_t Addr, bool SameValue) {
  if (A.is(Access::Write)) {
    if (C.is(Cell::Barrier))
      barrierTouched(Addr);
    checkWrite(C, Addr, SameValue);
    checkReads(C, Addr);
    if (!A.is(Access::Peek))
      recordWrite(C);
    return;
  }
  checkWrite(C, Addr, false);
  checkCovered(C, Addr);
  if (!Global && !A.is(Access::NoInit) && !C.is(Cell::Initialised))
    uninitialised(Addr);
  if (!A.is(Access::Peek))
    recordRead(C);
}
