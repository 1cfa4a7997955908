//===- Rendezvous.cpp - Gathering the members of a .sync instruction ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rendezvous.h"

using namespace mxfp4::sim;

bool mxfp4::sim::gatherMembers(ExecContext &x, const Inst &i) {
  Split &s = x.split();
  uint32_t active = x.mask & s.mask;
  if (!active) {
    ++s.pc;
    return false;
  }
  uint32_t members =
      uint32_t(x.lane(x.src(i, i.a), unsigned(__builtin_ctz(active))));
  if (active & ~members && !x.known("membermask"))
    x.report("membermask",
             "a thread executes this instruction, but its member mask " +
                 hex(members) + " leaves that thread out",
             unsigned(__builtin_ctz(active & ~members)));
  uint32_t wanted = (members & x.w.live) | active;
  uint32_t here = active;
  for (const Split &o : x.w.splits)
    if (o.wait == WaitKind::WarpSync && o.pc == x.pc)
      here |= o.waitId;
  if ((here & wanted) != wanted) {
    s.wait = WaitKind::WarpSync;
    s.waitId = active;
    x.yield = true;
    return false;
  }
  for (Split &o : x.w.splits)
    if (o.wait == WaitKind::WarpSync && o.pc == x.pc) {
      o.wait = WaitKind::None;
      ++o.pc;
    }
  ++x.split().pc;
  ++x.cl.progress;
  x.mask = here;
  return true;
}
