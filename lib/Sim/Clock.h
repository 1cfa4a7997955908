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

constexpr uint32_t AgentsPerCta = 256;
constexpr uint32_t WgmmaAgent = 32, CopyAgent = 64, BulkAgent = 96,
                   MbarAgent = 128;

/// Number of an agent in the whole grid, with the lane below it.
using AgentLane = uint32_t;
inline AgentLane agentLane(uint32_t Cta, uint32_t Agent, uint32_t Lane) {
  return (Cta << 13) | (Agent << 5) | Lane;
}
inline uint32_t ctaOf(AgentLane A) { return A >> 13; }
inline uint32_t agentOf(AgentLane A) { return (A >> 5) & 255; }
inline uint32_t laneOf(AgentLane A) { return A & 31; }
/// The agent that is one lane of a warp, for what only that lane has told of
/// its work. Counted from the other end, where there are no blocks.
inline uint32_t laneAgent(AgentLane A) { return ~A; }
/// The agent that is a warp's atomic operations behind a fence: whoever has
/// seen one, and has a fence behind that, comes after it. (Lanes of wgmmas have
/// nothing to tell: their numbers are free.)
inline uint32_t atomicAgent(AgentLane A) {
  return laneAgent(((A >> 5) + WgmmaAgent) << 5);
}
constexpr uint32_t MaxCtas = 1u << 19;

class VectorClock {
public:
  void init(uint32_t FirstCta, uint32_t NumCtas) {
    Base = FirstCta * AgentsPerCta;
    Dense.assign(size_t(NumCtas) * AgentsPerCta, 0);
    Foreign.clear();
  }
  /// \p Agent counts over the grid: cta * 256 + agent.
  uint32_t get(uint32_t Agent) const {
    uint32_t Index = Agent - Base;
    if (Index < Dense.size())
      return Dense[Index];
    auto It = Foreign.find(Agent);
    return It == Foreign.end() ? 0 : It->second;
  }
  void raise(uint32_t Agent, uint32_t Value) {
    uint32_t Index = Agent - Base;
    uint32_t &Slot = Index < Dense.size() ? Dense[Index] : Foreign[Agent];
    if (Slot < Value)
      Slot = Value;
  }
  void join(const VectorClock &O) {
    if (O.Dense.empty())
      return;
    if (Dense.empty()) {
      *this = O;
      return;
    }
    if (O.Base == Base && O.Dense.size() == Dense.size()) {
      for (size_t I = 0, N = Dense.size(); I < N; ++I)
        Dense[I] = Dense[I] < O.Dense[I] ? O.Dense[I] : Dense[I];
    } else {
      for (size_t I = 0, N = O.Dense.size(); I < N; ++I)
        if (O.Dense[I])
          raise(O.Base + uint32_t(I), O.Dense[I]);
    }
    for (auto &[Agent, Value] : O.Foreign)
      raise(Agent, Value);
  }
  void clear() {
    Dense.clear();
    Foreign.clear();
  }
  bool empty() const { return Dense.empty(); }

private:
  uint32_t Base = 0;
  std::vector<uint32_t> Dense;
  std::unordered_map<uint32_t, uint32_t> Foreign;
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_CLOCK_H
