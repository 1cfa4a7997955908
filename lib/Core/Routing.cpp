//===- Routing.cpp - Launches of routing and combination ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Routing.h"

#include <algorithm>

using namespace mxfp4;

namespace {

constexpr int64_t kThreads = kWarpThreads * SortMemory::kWarps;

/// Registers per thread of kernels whose CTAs wait for counts most of their
/// time, so that as many as possible should wait together. Left alone, ptxas
/// takes 96 with 128 experts, and 1024 tokens need two waves. Measured on an
/// H200 (docs/tuning/LayerRows.md).
constexpr int64_t kSortRegisters = 88;

/// CTAs of an SM whose threads have that many registers.
int64_t ctasOf(int64_t threads, int64_t registers) {
  constexpr int64_t kRegisters = 65536, kMostCtas = 32;
  return std::clamp<int64_t>(kRegisters / (registers * threads), 1, kMostCtas);
}

} // namespace

LaunchPlan mxfp4::topKPlan(int64_t experts, bool hasCounts) {
  // A lane holds the keys of every 32nd expert in registers.
  const int64_t threads = experts <= kMostExpertsOfOneCta ? kThreads : 512;
  return {threads, hasCounts ? experts * 4 : 0, {kCountBlockTokens, 1}};
}

LaunchPlan mxfp4::countPlan(int64_t experts) {
  // Two slots per thread where tokens have eight.
  return {128, experts * 4, {kCountBlockTokens, 1}};
}

LaunchPlan mxfp4::sortPlan(int64_t experts, int64_t slots, bool hasCounts) {
  const SortMemory memory(experts);
  if (!hasCounts)
    return {kThreads, memory.ids, {}};
  // Whole blocks, of about one slot per thread.
  const int64_t blocks =
      std::max<int64_t>(1, kThreads / (kCountBlockTokens * slots));
  return {kThreads, memory.ids, {blocks * kCountBlockTokens, 1}};
}

LaunchPlan mxfp4::routePlan(int64_t experts) {
  return {kThreads, SortMemory(experts).end, {}};
}

LaunchPlan mxfp4::combinePlan(int64_t units, int64_t tokens) {
  // CTAs of about 128 threads that share a token's units evenly.
  constexpr int64_t kMostThreads = 128;
  const auto divideUp = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  units = std::max<int64_t>(1, units);
  const int64_t parts = divideUp(units, kMostThreads);
  const int64_t threads = kWarpThreads * divideUp(units, kWarpThreads * parts);
  return {threads, 0, {tokens, divideUp(units, threads)}};
}

LaunchPlan mxfp4::quantizeRowsPlan(int64_t units) {
  // Four units per thread are as many loads as it takes to keep the memory
  // busy, and few enough registers for many CTAs in an SM.
  constexpr int64_t kUnits = 4, kMostWarps = 32;
  const int64_t warps = std::clamp<int64_t>(
      (units + kWarpThreads * kUnits - 1) / (kWarpThreads * kUnits), 1,
      kMostWarps);
  return {kWarpThreads * warps, warps * 4, {1, 1}};
}

LaunchPlan mxfp4::dispatchPlan(int64_t units, int64_t sums, bool isLean) {
  LaunchPlan plan = quantizeRowsPlan(units);
  // Behind what rounding keeps there: of each warp, all sums.
  const int64_t warps = plan.threads / kWarpThreads;
  if (sums == 0)
    return plan;
  plan.sharedBytes = 4 * (wordsBeforeSums(warps, sums) + warps * sums);
  if (isLean)
    plan.ctasPerMultiprocessor = ctasOf(plan.threads, kSortRegisters);
  return plan;
}
