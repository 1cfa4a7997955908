//===- RaceChecker.h - What one access means for one cell -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checks an access against what a cell knows of earlier ones, and records it
// there. Which cells an access has is not its business (Shadow.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_RACECHECKER_H
#define MXFP4_LIB_SIM_RACECHECKER_H

#include "Memory.h"

namespace mxfp4::sim {

class RaceChecker {
public:
  RaceChecker(ExecContext &x, const Access &a, ReadSets &sets, bool global)
      : x(x), a(a), sets(sets), global(global) {}

  /// The access to the bytes of one cell, the first of which is at \p addr.
  /// \p sameValue: a write changes nothing there.
  void cell(Cell &c, uint64_t addr, bool sameValue);
  void uninitialised(uint64_t addr);

private:
  ExecContext &x;
  const Access &a;
  ReadSets &sets;
  const bool global;

  const char *what() const { return a.what ? a.what : "this instruction"; }
  const char *spaceName() const {
    return global ? "global memory" : "shared memory";
  }
  bool before(const Epoch &e) const {
    return happenedBefore(x.w, e, a.lane, a.is(Access::AnyLane));
  }
  /// Is \p e of the warp that makes the access (and not of one of its
  /// asynchronous agents)?
  bool ofThisWarp(const Epoch &e) const { return e.who >> 5 == x.w.agent(); }
  bool afterFence(const Epoch &e) const {
    return x.w.clock.get(atomicAgent(e.who)) >= e.clock;
  }

  std::string counterpart(const Epoch &e, uint32_t inst, bool otherWrote);
  void race(const Epoch &e, uint32_t inst, bool otherWrote, uint64_t addr);
  void missingFence(uint32_t inst, uint64_t addr);
  void barrierTouched(uint64_t addr);
  bool lastWriteOrdered(const Cell &c, bool sameValue) const;
  void checkWrite(const Cell &c, uint64_t addr, bool sameValue);
  bool mayBeThisLane(const Cell &c, const ReadSets::Reader &r) const;
  void checkReads(const Cell &c, uint64_t addr);
  void checkCovered(const Cell &c, uint64_t addr);
  bool keepAtomics(Cell &c);
  void recordWrite(Cell &c);
  void recordRead(Cell &c);
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_RACECHECKER_H
