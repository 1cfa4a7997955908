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
bool decodeWarpSync(Decoder &d);

/// Waits until the members named by source I.A are all here. Returns false
/// while some are missing; otherwise x.mask covers them all and the splits that
/// waited have been sent on.
bool gatherMembers(ExecContext &x, const Inst &i);

/// A .sync instruction with a member mask: the operation runs once, when the
/// last member arrives, for all of them.
template <void (*Op)(ExecContext &, const Inst &)>
void execRendezvous(ExecContext &x, const Inst &i) {
  if (gatherMembers(x, i))
    Op(x, i);
}

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_RENDEZVOUS_H
