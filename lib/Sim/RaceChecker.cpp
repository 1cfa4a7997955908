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

void RaceChecker::uninitialised(uint64_t addr) {
  if (!x.g.opts.checkUninitialised || x.known("uninitialised"))
    return;
  x.report("uninitialised",
           std::string(what()) + " reads " + spaceName() +
               " that nothing has written",
           a.lane, addr);
}

/// Text for a message: the other access, and what would have ordered the two.
std::string RaceChecker::counterpart(const Epoch &e, uint32_t inst,
                                     bool otherWrote) {
  uint32_t kind = agentOf(e.who);
  std::string at = describeInst(x.k, inst);
  if (kind >= kMbarAgent)
    return (at.find("(st.async") == at.npos ? "the bulk copy at "
                                            : "the store at ") +
           at + (otherWrote ? " writes" : " reads") +
           ", and its mbarrier has not been waited for";
  if (kind >= kBulkAgent)
    return "the bulk store at " + at +
           " still reads: cp.async.bulk.wait_group has not waited for it, or "
           "no barrier follows the wait";
  if (kind >= kCopyAgent)
    return "the cp.async at " + at +
           " writes: cp.async.wait_group has not waited for it, or no "
           "barrier follows the wait";
  if (kind >= kWgmmaAgent)
    return "the wgmma at " + at +
           " still reads: wgmma.wait_group has not waited for it, or no "
           "barrier follows the wait";
  bool sameWarp = e.who >> 5 == x.w.agent();
  return describeAgent(x, e.who) + (otherWrote ? " writes" : " reads") +
         " at " + at + ": no barrier orders the two" +
         (sameWarp ? " (threads of one warp: bar.warp.sync)" : "");
}

void RaceChecker::race(const Epoch &e, uint32_t inst, bool otherWrote,
                       uint64_t addr) {
  if (!x.g.opts.checkRaces || x.known("race", inst + 1))
    return;
  x.report("race",
           std::string(what()) +
               (a.is(Access::Write) ? " overwrites " : " reads ") +
               spaceName() + " that " + counterpart(e, inst, otherWrote),
           a.lane, addr, inst + 1);
}

void RaceChecker::missingFence(uint32_t inst, uint64_t addr) {
  if (!x.g.opts.checkRaces || x.known("proxy", inst + 1))
    return;
  x.report("proxy",
           std::string(what()) +
               (a.is(Access::Write) ? " writes " : " reads ") + spaceName() +
               " through the async proxy that the generic proxy wrote at " +
               describeInst(x.k, inst) +
               ", without a fence.proxy.async in between",
           a.lane, addr, inst + 1);
}

void RaceChecker::barrierTouched(uint64_t addr) {
  if (x.known("mbarrier"))
    return;
  x.report("mbarrier",
           std::string(what()) +
               " overwrites a live mbarrier object; mbarrier.inval must come "
               "first",
           a.lane, addr);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

bool RaceChecker::lastWriteOrdered(const Cell &c, bool sameValue) const {
  if (!ofThisWarp(c.write))
    return before(c.write);
  if (c.is(Cell::WrittenByLanes) && c.is(Cell::WriteAtomic)) {
    if (a.is(Access::AnyLane) || c.write.clock < x.w.syncNow)
      return true;
  } else if (c.is(Cell::WrittenByLanes)) {
    // One instruction wrote the same value from several lanes. The cell has the
    // number of the last lane only, and the reader may be any of the others.
    if (!a.is(Access::Write) || a.is(Access::AnyLane) ||
        c.write.clock < x.w.syncNow)
      return true;
  } else if (before(c.write)) {
    return true;
  }
  // Lanes of one instruction may write the same value to one place.
  return a.is(Access::Write) && sameValue && c.writeInst == a.inst &&
         c.write.clock == a.e.clock;
}

void RaceChecker::checkWrite(const Cell &c, uint64_t addr, bool sameValue) {
  if (!c.is(Cell::Written) || (a.is(Access::Atomic) && c.is(Cell::WriteAtomic)))
    return;
  if (!lastWriteOrdered(c, sameValue))
    return race(c.write, c.writeInst, true, addr);
  const VectorClock &proxy = global ? x.w.proxyGlobal : x.w.proxyShared;
  if (a.is(Access::Async) && !c.is(Cell::WriteAsync) &&
      proxy.get(c.write.who >> 5) < c.write.clock)
    missingFence(c.writeInst, addr);
}

/// Checks writes that atomic operations have overwritten. The last atomic
/// operation came after the plain writes, but this access may not have.
void RaceChecker::checkCovered(const Cell &c, uint64_t addr) {
  if (!c.is(Cell::SetHasWrites))
    return;
  for (const ReadSets::Reader &r : sets.get(c.readSet)) {
    const bool plain = r.kind == ReadSets::Reader::PlainWrite;
    const bool atomic = r.kind == ReadSets::Reader::AtomicWrite;
    if ((plain || (atomic && !a.is(Access::Atomic))) && !before(r.e))
      return race(r.e, r.inst, true, addr);
  }
}

/// Whether a set's plain read by this warp may be by the lane that writes now.
/// The set has no lanes; the cell has that of the read that joined the set
/// last, unless a warp of another block has the same number.
bool RaceChecker::mayBeThisLane(const Cell &c,
                                const ReadSets::Reader &r) const {
  const auto number = [](uint32_t who) { return who >> 5 & 31; };
  if (!(c.setLane & Cell::SetLaneKnown) || number(c.setLane) != number(r.e.who))
    return true;
  unsigned warps = 0;
  for (const ReadSets::Reader &other : sets.get(c.readSet))
    warps += other.kind == ReadSets::Reader::Plain &&
             agentOf(other.e.who) == agentOf(r.e.who);
  if (warps > 1)
    return true;
  if (c.setLane & Cell::SetLanes)
    return a.is(Access::AnyLane) || r.e.clock < x.w.syncNow;
  return before({r.e.who | (c.setLane & 31U), r.e.clock});
}

void RaceChecker::checkReads(const Cell &c, uint64_t addr) {
  const bool atomic = a.is(Access::Atomic);
  if (c.is(Cell::WasRead) && !(atomic && c.is(Cell::ReadAtomic))) {
    bool ordered =
        before(c.read) || (c.is(Cell::ReadAtomic) && afterFence(c.read));
    // Several lanes read, and the cell has one of them, perhaps the writer.
    if (ofThisWarp(c.read) && c.is(Cell::ReadByLanes) && !a.is(Access::AnyLane))
      ordered = c.read.clock < x.w.syncNow || c.readInst == a.inst;
    if (!ordered)
      return race(c.read, c.readInst, false, addr);
  }
  if (!c.readSet)
    return;
  for (const ReadSets::Reader &r : sets.get(c.readSet)) {
    const bool isPlain = r.kind == ReadSets::Reader::Plain;
    if (isPlain && ofThisWarp(r.e)
            ? mayBeThisLane(c, r)
            : before(r.e) || (r.atomic() && (atomic || afterFence(r.e))))
      continue;
    return race(r.e, r.inst, r.kind >= ReadSets::Reader::AtomicWrite, addr);
  }
}

//===----------------------------------------------------------------------===//
// Records
//===----------------------------------------------------------------------===//

/// Atomic operations need no order among each other. A plain access must be
/// ordered with each atomic operation before and after it, so that the cell
/// keeps all earlier accesses, not only the last. True if there are any.
bool RaceChecker::keepAtomics(Cell &c) {
  if (!a.is(Access::Atomic))
    return false;
  using Reader = ReadSets::Reader;
  const bool wasAtomic = c.is(Cell::WriteAtomic);
  if (c.is(Cell::Written) &&
      !(wasAtomic && (c.write.who >> 5 == a.e.who >> 5 || before(c.write)))) {
    c.readSet = sets.add(
        c.readSet, {c.write, c.writeInst,
                    wasAtomic ? Reader::AtomicWrite : Reader::PlainWrite});
    c.set(Cell::SetHasWrites);
  }
  return c.is(Cell::WasRead) || c.readSet;
}

void RaceChecker::recordWrite(Cell &c) {
  const bool kept = keepAtomics(c);
  bool lanes = false;
  if (c.is(Cell::Written) && c.write.who >> 5 == a.e.who >> 5) {
    if (c.write.clock == a.e.clock)
      lanes = c.is(Cell::WrittenByLanes) || c.write.who != a.e.who;
    else if (ofThisWarp(c.write) && a.is(Access::Atomic) &&
             c.is(Cell::WriteAtomic))
      lanes = c.is(Cell::WrittenByLanes) ? c.write.clock >= x.w.syncNow
                                         : !before(c.write);
  }
  c.set(Cell::WrittenByLanes, lanes);
  c.set(Cell::Written | Cell::Initialised);
  c.set(Cell::WriteAtomic, a.is(Access::Atomic));
  c.set(Cell::WriteAsync, a.is(Access::Async));
  c.write = a.e;
  c.writeInst = a.inst;
  if (kept)
    return;
  c.read = {};
  c.readInst = c.readSet = 0;
  c.setLane = 0;
  c.set(Cell::WasRead | Cell::ReadAtomic | Cell::ReadByLanes |
            Cell::SetHasWrites,
        false);
}

void RaceChecker::recordRead(Cell &c) {
  using Reader = ReadSets::Reader;
  const bool atomic = a.is(Access::Atomic), wasAtomic = c.is(Cell::ReadAtomic);
  bool lanes = false;
  if (c.is(Cell::WasRead)) {
    Epoch earlier = c.read;
    const bool sameAgent = c.read.who >> 5 == a.e.who >> 5;
    // An access must be ordered after a plain read, not after an atomic one.
    bool further = atomic && !wasAtomic;
    if (!sameAgent) {
      further |= !before(c.read);
    } else if (further) {
      // The cell keeps the plain read, because sets do not have its lane.
      if (!(c.read == a.e))
        c.readSet = sets.add(c.readSet, {a.e, a.inst, Reader::Atomic});
      return;
    } else if (atomic != wasAtomic) {
      // Of several lanes the cell has one, perhaps this one.
      if (c.is(Cell::ReadByLanes) && earlier.who == a.e.who)
        earlier.who ^= 1;
      further = earlier.who != a.e.who;
    } else if (c.read.clock == a.e.clock) {
      lanes = c.is(Cell::ReadByLanes) || c.read.who != a.e.who;
    } else if (ofThisWarp(c.read)) {
      // The warp's clock advances although its lanes have not synchronised.
      lanes = c.is(Cell::ReadByLanes) ? c.read.clock >= x.w.syncNow
                                      : !before(c.read);
    }
    if (further && !wasAtomic && agentOf(earlier.who) < kWgmmaAgent)
      c.setLane = Cell::laneOfSet(earlier, c.is(Cell::ReadByLanes));
    if (further)
      c.readSet =
          sets.add(c.readSet, {earlier, c.readInst,
                               wasAtomic ? Reader::Atomic : Reader::Plain});
  }
  c.set(Cell::ReadByLanes, lanes);
  c.set(Cell::WasRead);
  c.set(Cell::ReadAtomic, atomic);
  c.read = a.e;
  c.readInst = a.inst;
}

void RaceChecker::cell(Cell &c, uint64_t addr, bool sameValue) {
  if (a.is(Access::Write)) {
    if (c.is(Cell::Barrier))
      barrierTouched(addr);
    checkWrite(c, addr, sameValue);
    checkReads(c, addr);
    if (!a.is(Access::Peek))
      recordWrite(c);
    return;
  }
  checkWrite(c, addr, false);
  checkCovered(c, addr);
  if (!global && !a.is(Access::NoInit) && !c.is(Cell::Initialised))
    uninitialised(addr);
  if (!a.is(Access::Peek))
    recordRead(c);
}
