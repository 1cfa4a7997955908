//===- ChooserFP8.cpp - Tiles of 8-bit numbers ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Regimes of activations in e4m3. Measured on an H200
// (docs/tuning/FewRowsFP8.md and ManyRowsFP8.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

#include <algorithm>
#include <array>

using namespace mxfp4;

/// The time of a tile of two warpgroups over two thirds of the time of a tile
/// of three: two thirds of the work take 0.7 to 0.73 of the time.
constexpr double kNarrowCostFP8 = 1.06;

/// Heights of the tiles for many rows per group of 8-bit numbers. With promoted
/// sums, or three warpgroups, registers are left for the first of them.
constexpr std::array<int, 8> kHeightsFP8 = {64,  96,  128, 160,
                                            176, 192, 224, 256};
constexpr int kHeightsLow = 6;

/// Tokens of the tallest tile whose promoted sums leave registers for fragments
/// of whole steps, and the time of a taller one over that of its tokens in such
/// tiles. Measured with 256, 512 and 1024 rows per group: 1.09, 1.05 and 1.10;
/// with one group, 1.00 to 1.05.
constexpr int kWholeTokens = 176;
constexpr double kHalfSteps = 1.06;

/// Between tiles of promoted sums that take as long, the lower has more stages
/// and registers. Measured with 256 rows per group: by 160 tokens 0.94 of the
/// time by 176.
constexpr double kLowerAsGood = 1.005;

/// Whether a tile may have this height: sums that are promoted in every step
/// spill in tiles of 176 tokens if N is odd.
bool Chooser::isHeightFP8(int height) const {
  return height != kWholeTokens || !isPromoted(problem) ||
         problem.promotion >= 512;
}

/// Tiles of 8-bit numbers that hold whole groups: three warpgroups, where as
/// many waves of two would take as long.
Pick Chooser::wholeGroupsFP8(int height, int64_t mean) const {
  if (!isPromoted(problem) &&
      costOfMany(height, mean, 192) <
          kNarrowCostFP8 * costOfMany(height, mean, 128))
    return {wgmma(192, height, 16, 12),
            "many rows per group: compute bound, three warpgroups share the "
            "tokens of tiles that hold whole groups"};
  return {wgmma(128, height, 16, 8),
          "many rows per group: compute bound, two warpgroups share the tokens "
          "of tiles that hold whole groups"};
}

/// The height up to `end` whose waves take least time; of those that take as
/// long, the tallest, and of promoted sums the lowest.
Chooser::Height Chooser::heightOfManyFP8(int64_t mean, int tileRows,
                                         const int *end) const {
  const bool isAhead =
      isPromoted(problem) && !problem.gathers && hasSpareRegisters();
  Height best = {};
  double least = 0;
  for (const int *height = end; height-- != kHeightsFP8.begin();) {
    const double cost = (isAhead && *height > kWholeTokens ? kHalfSteps : 1) *
                        costOfMany(*height, mean, tileRows);
    if (isHeightFP8(*height) &&
        (best.tokens == 0 || cost < (isAhead ? kLowerAsGood : 0.98) * least)) {
      least = best.tokens == 0 ? cost : std::min(cost, least);
      best = {*height, cost};
    }
  }
  return best;
}

/// A tile that holds a whole group where one does, and else the height whose
/// waves take least time.
Pick Chooser::pickManyFP8(int64_t mean) const {
  // Measured: of one group, two warpgroups by 256 tokens take 0.92 of the time
  // of three by 192; of 32 groups, three take 0.91 of the time of two.
  const bool promotes = isPromoted(problem);
  const bool isWide = !promotes && groups > 1 && !problem.gathers;
  const int *end = !promotes && !isWide ? kHeightsFP8.end()
                                        : kHeightsFP8.begin() + kHeightsLow;
  // Consumers of the highest need the registers of producers that gather.
  if (problem.gathers)
    --end;
  const int tileRows = isWide ? 192 : 128;
  // A tall tile copies as many rows as it is high, also behind a group's end.
  // Measured with 128 rows for each of 32 groups: by 160 tokens promoted sums
  // take 0.93 of the time by 192, and two warpgroups by 160 take 0.92 of the
  // time of three by 192.
  const int64_t tokens = tokensFor(mean, 1.6);
  const int *whole = std::find_if(kHeightsFP8.begin(), end, [&](int height) {
    return tokens <= height && isHeightFP8(height);
  });
  if (groups > 1 && !problem.gathers && whole != end)
    return wholeGroupsFP8(*whole, mean);
  const Height height = heightOfManyFP8(mean, tileRows, end);
  // Measured with 1024 and 1408 columns and 256, 512 and 1024 rows per group:
  // two warpgroups by 256 tokens took 0.88 to 0.98 of the time of three.
  if (isWide && padsWideTiles())
    if (const Height narrow = heightOfManyFP8(mean, 128, kHeightsFP8.end());
        costOfNarrow(narrow.cost) < height.cost)
      return {wgmma(128, narrow.tokens, 16, 8),
              "many rows per group: compute bound, two warpgroups share the "
              "tokens of narrow tiles, of which fewer have columns that do not "
              "exist"};
  if (isWide)
    return {wgmma(tileRows, height.tokens, 16, 12),
            "many rows per group: compute bound, three warpgroups share the "
            "tokens of tiles that fill the SMs"};
  return {wgmma(tileRows, height.tokens, 16, 8),
          !promotes
              ? "many rows per group: compute bound, two warpgroups share the "
                "tokens of tiles that fill the SMs"
              : "many rows per group: compute bound, two warpgroups share the "
                "tokens of tiles whose sums are promoted to f32"};
}

/// Of 8-bit numbers, tiles of few warpgroups: one decodes while another
/// multiplies, and a step is twice as long. Promotion is the problem's, not a
/// choice; its sums leave a warpgroup registers for a second fragment, in the
/// tallest tiles of half a step (`promotesAhead`).
Pick Chooser::pickFP8(int64_t rows) const {
  if (std::optional<Pick> pick = pickManyDecodersFP8(rows))
    return *pick;
  const int64_t mean = ceilDiv(rows, groups);
  if (tokensFor(mean, 4) <= 8) {
    if (std::optional<Pick> pick = pickFewestDecodersFP8(rows))
      return *pick;
    return {wgmma(64, 8, 0, 4, slices, /*ctas=*/slices == 1 ? 4 : 1),
            "few rows per group: memory bound, 8 tokens, small tiles and many "
            "copies in flight"};
  }
  if (std::optional<Pick> pick = pickDozenFP8(rows))
    return *pick;
  if (std::optional<Pick> pick = pickDecodersFP8(rows))
    return *pick;
  if (tokensFor(mean, 2) <= 16)
    return {
        wgmma(64, 32, 8, 4, slices, /*ctas=*/slices == 1 ? 3 : 1),
        "up to about ten rows per group: memory bound, small tiles and many "
        "copies in flight, up to 32 tokens where a group has more rows "
        "than others"};
  if (tokensFor(mean, 1.4) <= kSharedFP8)
    return {wgmma(128, 64, 16, 8),
            "a few dozen rows per group: two warpgroups share up to 64 tokens"};
  return pickManyFP8(mean);
}
