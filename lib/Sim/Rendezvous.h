//===- Rendezvous.h - Instructions that gather a warp's threads -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_RENDEZVOUS_H
#define MXFP4_LIB_SIM_RENDEZVOUS_H

#include "Memory.h"

namespace mxfp4::sim {

class Decoder;
bool decodeWarpSync(Decoder &D);

/// Waits until the members named by source I.A are all here. Returns false
/// while some are missing; otherwise X.Mask covers them all and the splits that
/// waited have been sent on.
bool gatherMembers(ExecContext &X, const Inst &I);

/// A .sync instruction with a member mask: the operation runs once, when the
/// last member arrives, for all of them.
template <void (*Op)(ExecContext &, const Inst &)>
void execRendezvous(ExecContext &X, const Inst &I) {
  if (gatherMembers(X, I))
    Op(X, I);
}

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_RENDEZVOUS_H
