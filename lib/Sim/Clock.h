//===- Clock.h - Vector clocks ----------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Who knows of whose work. Every block has 256 agents, each with a counter:
//
//     0 ..  31   its warps
//    32 ..  63   the wgmmas of warp n-32 (counter: wgmma groups)
//    64 ..  95   the cp.async copies of warp n-64 (counter: copy groups)
//    96 .. 127   the bulk stores of warp n-96 (counter: bulk groups)
//   128 .. 255   its mbarriers (counter: phases); bulk copies that complete on
//                a barrier write as this agent
//
// An access is an epoch (agent, counter). It happened before what a warp does
// now when the warp's clock for that agent has reached the counter. A wait for
// an asynchronous operation is thus nothing special: it raises the clock of the
// operation's agent, and barriers hand it on.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_CLOCK_H
#define MXFP4_LIB_SIM_CLOCK_H

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mxfp4::sim {

constexpr uint32_t kAgentsPerCta = 256;
constexpr uint32_t kWgmmaAgent = 32, kCopyAgent = 64, kBulkAgent = 96,
                   kMbarAgent = 128;

/// Number of an agent in the whole grid, with the lane below it.
using AgentLane = uint32_t;
inline AgentLane agentLane(uint32_t cta, uint32_t agent, uint32_t lane) {
  return (cta << 13) | (agent << 5) | lane;
}
inline uint32_t ctaOf(AgentLane a) { return a >> 13; }
inline uint32_t agentOf(AgentLane a) { return (a >> 5) & 255; }
inline uint32_t laneOf(AgentLane a) { return a & 31; }
/// The agent that is one lane of a warp, for what only that lane has told of
/// its work. Counted from the other end, where there are no blocks.
inline uint32_t laneAgent(AgentLane a) { return ~a; }
/// The agent that is a warp's atomic operations behind a fence: whoever has
/// seen one, and has a fence behind that, comes after it. (Lanes of wgmmas have
/// nothing to tell: their numbers are free.)
inline uint32_t atomicAgent(AgentLane a) {
  return laneAgent(((a >> 5) + kWgmmaAgent) << 5);
}
constexpr uint32_t kMaxCtas = 1u << 19;

class VectorClock {
public:
  void init(uint32_t firstCta, uint32_t numCtas) {
    base = firstCta * kAgentsPerCta;
    dense.assign(size_t(numCtas) * kAgentsPerCta, 0);
    foreign.clear();
  }
  /// \p agent counts over the grid: cta * 256 + agent.
  uint32_t get(uint32_t agent) const {
    uint32_t index = agent - base;
    if (index < dense.size())
      return dense[index];
    auto it = foreign.find(agent);
    return it == foreign.end() ? 0 : it->second;
  }
  void raise(uint32_t agent, uint32_t value) {
    uint32_t index = agent - base;
    uint32_t &slot = index < dense.size() ? dense[index] : foreign[agent];
    if (slot < value)
      slot = value;
  }
  void join(const VectorClock &o) {
    if (o.dense.empty())
      return;
    if (dense.empty()) {
      *this = o;
      return;
    }
    if (o.base == base && o.dense.size() == dense.size()) {
      raiseAll(dense.data(), o.dense.data(), dense.size());
    } else {
      for (size_t i = 0, n = o.dense.size(); i < n; ++i)
        if (o.dense[i])
          raise(o.base + uint32_t(i), o.dense[i]);
    }
    for (auto &[Agent, Value] : o.foreign)
      raise(Agent, Value);
  }
  void clear() {
    dense.clear();
    foreign.clear();
  }
  bool empty() const { return dense.empty(); }

private:
  static void raiseAll(uint32_t *to, const uint32_t *from, size_t n);

  uint32_t base = 0;
  std::vector<uint32_t> dense;
  std::unordered_map<uint32_t, uint32_t> foreign;
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_CLOCK_H
