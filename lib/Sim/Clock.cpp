//===- Clock.cpp - What a warp knows of others' work ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

using namespace mxfp4::sim;

bool mxfp4::sim::happenedBefore(const Warp &W, const Epoch &E, unsigned Lane,
                                bool AnyLane) {
  uint32_t Agent = E.Who >> 5;
  if (Agent == W.agent()) {
    if (AnyLane || laneOf(E.Who) == Lane)
      return true;
    return E.Clock < W.SyncNow || W.Clock.get(laneAgent(E.Who)) >= E.Clock;
  }
  if (W.Clock.get(Agent) < E.Clock && W.Clock.get(laneAgent(E.Who)) < E.Clock)
    return false;
  if (Agent == W.agent(CopyAgent) && !AnyLane && laneOf(E.Who) != Lane)
    return E.Clock <= W.CopySync;
  return true;
}

void mxfp4::sim::publish(Warp &W, VectorClock &Out, VectorClock *Proxy,
                         VectorClock *ProxyG) {
  tell(W, W.Live, Out);
  if (Proxy)
    Proxy->join(W.ProxyShared);
  if (ProxyG)
    ProxyG->join(W.ProxyGlobal);
  ++W.Now;
}

void mxfp4::sim::tell(const Warp &W, uint32_t Lanes, VectorClock &Out) {
  Out.join(W.Clock);
  if ((Lanes & W.Live) == W.Live)
    return Out.raise(W.agent(), W.Now);
  Out.raise(W.agent(), W.SyncNow - 1);
  for (uint32_t Left = Lanes; Left; Left &= Left - 1) {
    const unsigned Lane = unsigned(__builtin_ctz(Left));
    Out.raise(laneAgent(W.agent() << 5 | Lane), W.Now);
  }
}

void mxfp4::sim::acquire(Warp &W, const VectorClock &In,
                         const VectorClock *Proxy, const VectorClock *ProxyG) {
  W.Clock.join(In);
  if (Proxy)
    W.ProxyShared.join(*Proxy);
  if (ProxyG)
    W.ProxyGlobal.join(*ProxyG);
}

void mxfp4::sim::warpSynced(Warp &W) {
  W.SyncNow = ++W.Now;
  W.CopySync = W.CopyDone;
}
