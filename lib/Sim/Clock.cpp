//===- Clock.cpp - What a warp knows of others' work ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

// Barriers join clocks of a KiB each.
#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void raiseEach(uint32_t *to, const uint32_t *from, size_t n) {
  for (size_t i = 0; i < n; ++i)
    to[i] = to[i] < from[i] ? from[i] : to[i];
}

} // namespace

void VectorClock::raiseAll(uint32_t *to, const uint32_t *from, size_t n) {
  raiseEach(to, from, n);
}

bool mxfp4::sim::happenedBefore(const Warp &w, const Epoch &e, unsigned lane,
                                bool anyLane) {
  uint32_t agent = e.who >> 5;
  if (agent == w.agent()) {
    if (anyLane || laneOf(e.who) == lane)
      return true;
    return e.clock < w.syncNow || w.clock.get(laneAgent(e.who)) >= e.clock;
  }
  if (w.clock.get(agent) < e.clock && w.clock.get(laneAgent(e.who)) < e.clock)
    return false;
  if (agent == w.agent(kCopyAgent) && !anyLane && laneOf(e.who) != lane)
    return e.clock <= w.copySync;
  return true;
}

void mxfp4::sim::publish(Warp &w, VectorClock &out, VectorClock *proxy,
                         VectorClock *proxyG) {
  tell(w, w.live, out);
  if (proxy)
    proxy->join(w.proxyShared);
  if (proxyG)
    proxyG->join(w.proxyGlobal);
  ++w.now;
}

void mxfp4::sim::tell(const Warp &w, uint32_t lanes, VectorClock &out) {
  out.join(w.clock);
  if ((lanes & w.live) == w.live)
    return out.raise(w.agent(), w.now);
  out.raise(w.agent(), w.syncNow - 1);
  for (uint32_t left = lanes; left; left &= left - 1) {
    const unsigned lane = unsigned(__builtin_ctz(left));
    out.raise(laneAgent(w.agent() << 5 | lane), w.now);
  }
}

void mxfp4::sim::acquire(Warp &w, const VectorClock &in,
                         const VectorClock *proxy, const VectorClock *proxyG) {
  w.clock.join(in);
  if (proxy)
    w.proxyShared.join(*proxy);
  if (proxyG)
    w.proxyGlobal.join(*proxyG);
}

void mxfp4::sim::warpSynced(Warp &w) {
  w.syncNow = ++w.now;
  w.copySync = std::max(w.copySync, w.copyDone);
}
