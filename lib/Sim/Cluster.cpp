//===- Cluster.cpp - Blocks, warps and their first registers --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Scheduler.h"

using namespace mxfp4::sim;

namespace {

uint32_t specialValue(const Grid &g, const Cluster &cl, const Cta &c,
                      const Warp &w, unsigned lane, Special s) {
  const Dim3 &b = g.l->block, &n = g.l->grid, &k = g.clusterDim;
  uint32_t t = w.id * 32 + lane;
  switch (s) {
  case Special::TidX:
    return t % b.x;
  case Special::TidY:
    return t / b.x % b.y;
  case Special::TidZ:
    return t / b.x / b.y;
  case Special::NTidX:
    return b.x;
  case Special::NTidY:
    return b.y;
  case Special::NTidZ:
    return b.z;
  case Special::CtaX:
    return c.id.x;
  case Special::CtaY:
    return c.id.y;
  case Special::CtaZ:
    return c.id.z;
  case Special::NCtaX:
    return n.x;
  case Special::NCtaY:
    return n.y;
  case Special::NCtaZ:
    return n.z;
  case Special::LaneId:
    return lane;
  case Special::WarpId:
    return w.id;
  case Special::NWarpId:
    return uint32_t(c.warps.size());
  case Special::WarpSize:
    return 32;
  case Special::LaneEq:
    return 1u << lane;
  case Special::LaneLt:
    return (1u << lane) - 1;
  case Special::LaneLe:
    return (2u << lane) - 1;
  case Special::LaneGt:
    return ~((2u << lane) - 1);
  case Special::LaneGe:
    return ~((1u << lane) - 1);
  case Special::ClusterX:
    return cl.id.x;
  case Special::ClusterY:
    return cl.id.y;
  case Special::ClusterZ:
    return cl.id.z;
  case Special::NClusterX:
    return n.x / k.x;
  case Special::NClusterY:
    return n.y / k.y;
  case Special::NClusterZ:
    return n.z / k.z;
  case Special::ClusterCtaX:
    return c.id.x % k.x;
  case Special::ClusterCtaY:
    return c.id.y % k.y;
  case Special::ClusterCtaZ:
    return c.id.z % k.z;
  case Special::ClusterNCtaX:
    return k.x;
  case Special::ClusterNCtaY:
    return k.y;
  case Special::ClusterNCtaZ:
    return k.z;
  case Special::ClusterCtaRank:
    return c.rank;
  case Special::ClusterNCtaRank:
    return uint32_t(k.count());
  case Special::SmId:
    return c.linear % 132;
  case Special::NSmId:
    return 132;
  case Special::GridId:
    return 0;
  case Special::DynamicSmem:
    return g.l->dynamicShared;
  case Special::TotalSmem:
    return g.sharedBytes - kSharedBase;
  case Special::IsExplicitCluster:
    return k.count() > 1;
  case Special::Count:
    break;
  }
  return 0;
}

void makeWarp(Grid &g, Cluster &cl, Cta &c, Warp &w, uint32_t id) {
  const Kernel &k = *g.k;
  w.c = &c;
  w.id = id;
  uint32_t left = uint32_t(g.l->block.count()) - 32 * id;
  w.exists = w.live = left >= 32 ? ~0u : (1u << left) - 1;
  w.regStorage.resize(k.regBytes + 64);
  uintptr_t p = reinterpret_cast<uintptr_t>(w.regStorage.data());
  w.regs = w.regStorage.data() + ((64 - p % 64) % 64);
  // Poison: what an unwritten register would show depends on the seed.
  uint64_t poison = cl.rng.next();
  for (uint32_t b = 0; b + 8 <= k.regBytes; b += 8)
    std::memcpy(w.regs + b, &poison, 8);
  w.states.resize(k.numSlots);
  w.states[k.firstConstSlot].def = ~0u;
  for (auto &[Number, O] : k.specials) {
    for (unsigned l = 0; l < 32; ++l) {
      uint32_t v = specialValue(g, cl, c, w, l, Special(Number));
      std::memcpy(w.regs + O.offset() + 4 * l, &v, 4);
    }
    w.states[O.slot].def = ~0u;
  }
  for (VectorClock *v :
       {&w.clock, &w.proxyShared, &w.proxyGlobal, &w.releasedInits})
    v->init(cl.firstCta, uint32_t(cl.ctas.size()));
  w.registers = g.opts.launchRegisters;
  Split s;
  s.mask = w.live;
  w.splits.push_back(s);
}

} // namespace

std::unique_ptr<Cluster> mxfp4::sim::makeCluster(Grid &g, uint32_t index) {
  std::unique_ptr<Cluster> cl(new Cluster);
  const Dim3 &n = g.l->grid, &k = g.clusterDim;
  cl->g = &g;
  cl->rng = Random(g.opts.seed * 0x9e3779b9 + index);
  uint32_t cx = n.x / k.x, cy = n.y / k.y;
  cl->id = {index % cx, index / cx % cy, index / cx / cy};
  uint32_t size = uint32_t(k.count());
  cl->firstCta = index * size;
  cl->ctas.resize(size);
  for (uint32_t r = 0; r < size; ++r) {
    Cta &c = cl->ctas[r];
    c.cl = cl.get();
    c.rank = r;
    c.linear = cl->firstCta + r;
    c.id = {cl->id.x * k.x + r % k.x, cl->id.y * k.y + r / k.x % k.y,
            cl->id.z * k.z + r / k.x / k.y};
    // Slack for a swizzle in the last, partial row of 128 bytes.
    c.shared.assign(g.sharedBytes + 128, 0xff);
    c.cells.resize(g.sharedBytes + 128);
    c.liveWarps = uint32_t((g.l->block.count() + 31) / 32);
    c.warps.resize(c.liveWarps);
    for (uint32_t w = 0; w < c.warps.size(); ++w)
      makeWarp(g, *cl, c, c.warps[w], w);
  }
  return cl;
}
