//===- Rendezvous.cpp - Gathering the members of a .sync instruction ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rendezvous.h"

using namespace mxfp4::sim;

bool mxfp4::sim::gatherMembers(ExecContext &X, const Inst &I) {
  Split &S = X.split();
  uint32_t Active = X.Mask & S.Mask;
  if (!Active) {
    ++S.PC;
    return false;
  }
  uint32_t Members =
      uint32_t(X.lane(X.src(I, I.A), unsigned(__builtin_ctz(Active))));
  if (Active & ~Members && !X.known("membermask"))
    X.report("membermask",
             "a thread executes this instruction, but its member mask " +
                 hex(Members) + " leaves that thread out",
             unsigned(__builtin_ctz(Active & ~Members)));
  uint32_t Wanted = (Members & X.W.Live) | Active;
  uint32_t Here = Active;
  for (const Split &O : X.W.Splits)
    if (O.Wait == WaitKind::WarpSync && O.PC == X.PC)
      Here |= O.WaitId;
  if ((Here & Wanted) != Wanted) {
    S.Wait = WaitKind::WarpSync;
    S.WaitId = Active;
    X.Yield = true;
    return false;
  }
  for (Split &O : X.W.Splits)
    if (O.Wait == WaitKind::WarpSync && O.PC == X.PC) {
      O.Wait = WaitKind::None;
      ++O.PC;
    }
  ++X.split().PC;
  ++X.Cl.Progress;
  X.Mask = Here;
  return true;
}
