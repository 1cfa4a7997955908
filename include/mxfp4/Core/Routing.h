//===- Routing.h - Launches of routing and combination ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How many threads, CTAs and bytes of shared memory the kernels around the
// grouped matmuls have, for the pass that makes them and for the manifest that
// says how they are launched.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_ROUTING_H
#define MXFP4_CORE_ROUTING_H

#include "mxfp4/Core/Warp.h"

#include <algorithm>
#include <cstdint>

namespace mxfp4 {

/// Limits of the kernels: a lane of a warp has a slot, the 32 histograms of a
/// CTA fit its shared memory, and the registers of a CTA hold a row.
inline constexpr int64_t kMostSlots = kWarpThreads, kMostExperts = 1024,
                         kMostUnitsOfRow = 4096;
/// Tokens for which one CTA routes as fast as several, and experts for which it
/// has registers enough.
inline constexpr int64_t kMostTokensOfOneCta = 64, kMostExpertsOfOneCta = 512;

/// Counts of experts by blocks of tokens: lines, and tokens of a block while
/// the lines suffice.
inline constexpr int64_t kCountBlocks = 128, kCountBlockTokens = 32;

/// Tokens up to which a CTA for each token finds the rows of its slots by
/// itself faster than a launch for them does; and slots and experts for which
/// it has registers.
inline constexpr int64_t kMostTokensOfOneTokenCtas = 8192,
                         kMostSlotsOfOneToken = 8, kMostExpertsOfOneToken = 256;
/// Tokens times experts up to which that is so, too, because the CTA has few
/// counts to add up. A CTA that quantizes its row has less time for them, where
/// there are more than `kFewTokensQuantized`. All numbers are measured on an
/// H200 (docs/tuning/LayerRows.md).
inline constexpr int64_t kMostCountedOfOneToken = 131072,
                         kMostCountedOfOneQuantized = 32768,
                         kFewTokensQuantized = 1024;
/// Whether tokens and experts are so few that the sort and what stores in its
/// rows are one kernel. Tokens that fill more blocks than there are lines make
/// blocks larger, and counts no more.
inline bool isFewOfOneToken(int64_t tokens, int64_t experts, bool quantizes) {
  const int64_t counted = std::min(tokens, kCountBlocks * kCountBlockTokens);
  return tokens <= kMostTokensOfOneTokenCtas &&
         experts <= kMostExpertsOfOneToken &&
         counted * experts <= (quantizes && tokens > kFewTokensQuantized
                                   ? kMostCountedOfOneQuantized
                                   : kMostCountedOfOneToken);
}

/// The grid of a launch: one CTA, or one in x for each `rows` tokens and `y` in
/// y. Any grid is correct.
struct GridRule {
  /// 0: one CTA.
  int64_t rows = 0;
  int64_t y = 1;

  bool isOne() const { return rows == 0; }
};

struct LaunchPlan {
  int64_t threads;
  int64_t sharedBytes;
  GridRule grid;
  /// CTAs of an SM that the kernel's registers leave room for.
  int64_t ctasPerMultiprocessor = 1;
};

/// Where the sort keeps what in shared memory: i32 words from these offsets on.
struct SortMemory {
  explicit SortMemory(int64_t experts)
      : warpTotals(kWarps * experts * 4), all(warpTotals + kWarps * 4),
        before(all + experts * 4), used(before + experts * 4), ids(used + 16),
        end(ids + kStagedIds * 4) {}

  static constexpr int64_t kWarps = 32;
  /// Ids that top_k hands to the sort of the same CTA without global memory.
  static constexpr int64_t kStagedIds = 2048;
  /// A histogram for each warp.
  int64_t histograms = 0;
  /// Sums of each warp's experts.
  int64_t warpTotals;
  /// Of each expert, slots of all tokens, and of the blocks before the CTA's.
  int64_t all, before;
  /// The number of rows in use.
  int64_t used;
  int64_t ids, end;
};

/// `hasCounts`: the counts of blocks are stored, or read.
LaunchPlan topKPlan(int64_t experts, bool hasCounts);
LaunchPlan countPlan(int64_t experts);
LaunchPlan sortPlan(int64_t experts, int64_t slots, bool hasCounts);
/// top_k and the sort of its ids, in one CTA.
LaunchPlan routePlan(int64_t experts);
/// `units`: of a token's output; each thread has one of `tokens` tokens.
LaunchPlan combinePlan(int64_t units, int64_t tokens);
/// `units`: of a row, of which each thread of a CTA has the same number in
/// registers.
LaunchPlan quantizeRowsPlan(int64_t units);
/// The same, for rows that are stored in several places, which the sort of the
/// same kernel finds by `sums` that each CTA has; 0: it reads them. `isLean`:
/// few registers are enough for them.
LaunchPlan dispatchPlan(int64_t units, int64_t sums, bool isLean = false);

/// Offsets that a CTA for each token stores, of a sort in the same kernel: all,
/// from 64 tokens on.
inline int64_t offsetsOfOneToken(int64_t experts) {
  return (experts + 1 + 63) / 64;
}
/// For its slots and its offsets, and for the number of all rows.
inline int64_t sumsOfOneToken(int64_t experts, int64_t slots) {
  return slots + 1 + offsetsOfOneToken(experts);
}
/// Words of shared memory in front of the sums of all warps. There is one for
/// each warp, and one more where three words would follow a multiple of four:
/// LLVM loads those as four, of which nobody has stored the last.
inline int64_t wordsBeforeSums(int64_t warps, int64_t sums) {
  return warps + (warps * (1 + sums) % 4 == 3 ? 1 : 0);
}

} // namespace mxfp4

#endif // MXFP4_CORE_ROUTING_H
