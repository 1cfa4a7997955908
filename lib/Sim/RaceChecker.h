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
  RaceChecker(ExecContext &X, const Access &A, ReadSets &Sets, bool Global)
      : X(X), A(A), Sets(Sets), Global(Global) {}

  /// The access to the bytes of one cell, the first of which is at \p Addr.
  /// \p SameValue: a write changes nothing there.
  void cell(Cell &C, uint64_t Addr, bool SameValue);
  void uninitialised(uint64_t Addr);

private:
  ExecContext &X;
  const Access &A;
  ReadSets &Sets;
  const bool Global;

  const char *what() const { return A.What ? A.What : "this instruction"; }
  const char *spaceName() const {
    return Global ? "global memory" : "shared memory";
  }
  bool before(const Epoch &E) const {
    return happenedBefore(X.W, E, A.Lane, A.is(Access::AnyLane));
  }
  /// Is \p E of the warp that makes the access (and not of one of its
  /// asynchronous agents)?
  bool ofThisWarp(const Epoch &E) const { return E.Who >> 5 == X.W.agent(); }
  bool afterFence(const Epoch &E) const {
    return X.W.Clock.get(atomicAgent(E.Who)) >= E.Clock;
  }

  std::string counterpart(const Epoch &E, uint32_t Inst, bool OtherWrote);
  void race(const Epoch &E, uint32_t Inst, bool OtherWrote, uint64_t Addr);
  void missingFence(uint32_t Inst, uint64_t Addr);
  void barrierTouched(uint64_t Addr);
  bool lastWriteOrdered(const Cell &C, bool SameValue) const;
  void checkWrite(const Cell &C, uint64_t Addr, bool SameValue);
  void checkReads(const Cell &C, uint64_t Addr);
  void checkCovered(const Cell &C, uint64_t Addr);
  bool keepAtomics(Cell &C);
  void recordWrite(Cell &C);
  void recordRead(Cell &C);
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_RACECHECKER_H
