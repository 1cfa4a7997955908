//===- ChooserRegimes.cpp - Tiles and warps by rows per group -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles and thresholds measured on an H100 and, where decoding decides, on an
// H200 (docs/tuning/FewRowsH100.md and FewRowsH200.md). Few rows per group: the
// kernel reads weights and little else. Many copies must be in flight then, and
// tiles must be so small that SMs share them evenly; on an H200 as many warps
// as possible decode. Many rows: tensor cores decide, and a decoded fragment
// should serve many tokens.
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

#include <algorithm>
#include <array>

using namespace mxfp4;

/// Rows of which no group can have enough for three tiles of 8.
constexpr int64_t kFewestRows = 16;

/// Of rows in order the same up to a few more, if small tiles that six K slices
/// share are few waves: with three, matmuls alone took 0.91 and 0.95 of the
/// time, and layers 0.97 to 0.99.
constexpr int64_t kFewestRowsOfSix = 24, kFewestWavesOfSix = 3;

/// Up to this bound of a group's tokens, at 12 rows per group, tiles of two
/// kinds take 0.79 to 0.93 of the time of higher tiles under uniform routing
/// and 0.99 to 1.05 under Zipf's; at 16 rows per group 1.01 and more.
constexpr int64_t kMostWide = 18;

/// Tokens of the tiles of 128 columns with the most rows per group, and stages
/// that leave room for them.
constexpr int kMostShared = 72;
/// Up to this bound of a group's tokens such tiles took 0.9 of the time of
/// tiles of 192 columns; at 73 they took 1.1 times as long, because groups with
/// more rows have a second tile. With an epilogue 28 warps would spill.
constexpr int64_t kMostToShareMost = 68;
/// With an epilogue two K slices of three warpgroups spill nothing. With up to
/// two waves of 384 columns such tiles took 0.95 to 1.01 of the time of a layer
/// that tiles of 192 x 96 take, up to this bound; at 67 1.01 under uniform
/// routing. With four waves they took 1.02 to 1.04 under a trained router's.
constexpr int64_t kMostToShareFused = 66, kWavesToShareFused = 2;

int64_t Chooser::waves(double tilesAlongTokens, int tileRows) const {
  const double tiles = tilesAlongTokens * double(ceilDiv(problem.n, tileRows));
  return int64_t(std::ceil(tiles / target.device.multiprocessors));
}

/// A tile of 16 pays before the mean reaches 8, since routing is uneven.
Pick Chooser::pickMmaSync(int64_t rows) const {
  struct Regime {
    int64_t rowsPerGroup;
    int tileRows, tileTokens, warpsRows, stages, ctas;
    const char *why;
  };
  constexpr std::array<Regime, 4> regimes = {{
      {4, 64, 8, 4, 8, 6,
       "few rows per group: memory bound, one n8 column of tokens, deep "
       "prefetch"},
      {12, 64, 16, 4, 6, 6,
       "about ten rows per group: memory bound, 16 tokens, deep prefetch"},
      {40, 64, 32, 4, 5, 4,
       "a few dozen rows per group: 32 tokens share each decoded fragment"},
      {INT64_MAX, 128, 64, 4, 3, 2,
       "many rows per group: compute bound, each warp multiplies 32 rows with "
       "64 tokens"},
  }};
  const auto regime =
      std::find_if(regimes.begin(), regimes.end(), [&](const Regime &r) {
        return ceilDiv(rows, groups) <= r.rowsPerGroup;
      });
  Schedule schedule;
  schedule.instruction = instruction(rows);
  schedule.tileRows = regime->tileRows;
  schedule.tileTokens = regime->tileTokens;
  schedule.warpsRows = regime->warpsRows;
  schedule.placement = preference.placement;
  schedule.ctasPerMultiprocessor = regime->ctas;
  // Keep the stages, and take CTAs away until their shared memory fits.
  schedule.stages = regime->stages;
  while (schedule.ctasPerMultiprocessor > 1 &&
         schedule.ctasPerMultiprocessor *
                 (SharedMemoryMap(schedule, problem.layout, groups).bytes() +
                  target.sharedReserved) >
             target.sharedPerMultiprocessor)
    --schedule.ctasPerMultiprocessor;
  return {schedule, regime->why};
}

/// Whether rows are so few that no tile need have more than 8 tokens.
bool Chooser::isFewest(int64_t rows) const {
  return rows <= kFewestRows ||
         (rows <= kFewestRowsOfSix && !problem.gathers && decodeDecides() &&
          steps >= int64_t(2) * kMostSlices &&
          waves(double(std::min(rows, groups)), 64) <= kFewestWavesOfSix);
}

/// While memory decides, a taller tile costs nothing, and a second tile of a
/// group takes as long as the first: under skewed routing 8 tokens are too few.
Pick Chooser::pickWgmma(int64_t rows) const {
  const std::optional<Pick> fewSteps = pickFewSteps(rows);
  if (fewSteps && steps < kFewSteps)
    return *fewSteps;
  const int64_t mean = ceilDiv(rows, groups);
  // With the fewest rows, SMs must have enough tiles to share evenly.
  const bool manyDecode =
      decodeDecides() &&
      tokensFor(mean, 2) <= (hasWideTiles(rows) ? kMostWide : 16) &&
      (!isFewest(rows) || gathersFewest(rows) ||
       waves(double(std::min(rows, groups)), 128) >= 5);
  if (!manyDecode && tokensFor(mean, 4) <= 8 && (slices == 1 || isFewest(rows)))
    return pickFewest(rows);
  if (manyDecode)
    return pickDecoders(rows);
  if (fewSteps && tokensFor(mean, 2) > 16)
    return *fewSteps;
  if (isDozen(rows))
    return pickDozen();
  // Without K slices, three CTAs have as many copies in flight as four would.
  if (tokensFor(mean, 2) <= 16)
    return {wgmma(64, 32, 8, 4, slices, /*ctas=*/slices == 1 ? 3 : 1),
            "up to about ten rows per group: memory bound, small tiles and "
            "many copies in flight, up to 32 tokens where a group has more "
            "rows than others"};
  if (tokensFor(mean, 1.4) <= (sharesByWarpgroups(rows) ? 64 : 48))
    return pickMiddle(rows);
  if (decodeDecides() && steps >= kFewSteps && !problem.gathers &&
      sharesByWarpgroups(rows))
    if (std::optional<Schedule> schedule = sharingMost(rows))
      return {*schedule,
              "some sixty rows per group: up to 72 tokens share each decoded "
              "fragment, and while some warpgroups multiply others decode"};
  return pickMany(rows);
}

/// The tiles for the most rows per group that share fragments, if these rows
/// are not too many for them.
std::optional<Schedule> Chooser::sharingMost(int64_t rows) const {
  const int64_t tokens = tokensFor(ceilDiv(rows, groups), 1.4);
  if (!problem.hasEpilogue && tokens <= kMostToShareMost)
    return wgmma(128, kMostShared, 8, 8, kSharingSlices);
  if (problem.hasEpilogue && !problem.through && tokens <= kMostToShareFused &&
      waves(double(std::min(rows, groups)), 384) <= kWavesToShareFused)
    return wgmma(192, kMostShared, 8, 12, 2);
  return std::nullopt;
}

/// If there are at most two tiles per SM, two CTAs per SM start all at once.
Pick Chooser::pickFewest(int64_t rows) const {
  const char *why = "few rows per group: memory bound, 8 tokens, small tiles "
                    "and many copies in flight";
  if (slices == 1)
    return {wgmma(64, 8, 0, 4, 1, /*ctas=*/4), why};
  if (decodeDecides() && steps >= kFewestSlices)
    return pickFewestDecoders(rows);
  const int64_t tiles = std::min(rows, groups) * ceilDiv(problem.n, 64);
  if (hasSpareRegisters() && tiles > target.device.multiprocessors &&
      tiles <= int64_t(2) * target.device.multiprocessors)
    return {wgmma(64, 8, 0, 4, slices, /*ctas=*/2),
            "few rows per group and few tiles: memory bound, 8 tokens, two "
            "CTAs per SM take all tiles at once"};
  return {wgmma(64, 8, 0, 4, slices), why};
}

/// Whether a few dozen rows per group take as many warpgroups as a CTA holds.
/// Not in the baseline, whose blocks in shared memory leave no room for stages;
/// and not from 12 waves on, where the last wave matters little and skewed
/// routing much.
bool Chooser::sharesByWarpgroups(int64_t rows) const {
  return !preference.batchInvariant && hasSpareRegisters() &&
         steps >= kSharingSlices &&
         waves(double(std::min(rows, groups)), 384) < 12;
}

/// Decoding and memory take about as long. Tiles have more tokens than the mean
/// group, because a busier group decodes its weights once per tile.
Pick Chooser::pickMiddle(int64_t rows) const {
  // Without slices, tiles of few rows lose less in the last wave; with at most
  // two waves, tall tiles lose nothing.
  const bool hasWaves = waves(double(std::min(rows, groups)), 384) > 2;
  if (steps < kSharingSlices || (!hasSpareRegisters() && slices == 1) ||
      problem.gathers || (preference.batchInvariant && hasWaves))
    return {
        wgmma(192, 64, 16, 12),
        "a few dozen rows per group: three warpgroups share up to 64 tokens"};
  if (!hasSpareRegisters())
    return {wgmma(128, 48, 8, 4, slices),
            "a few dozen rows per group: up to 48 tokens share each decoded "
            "fragment"};
  if (!sharesByWarpgroups(rows) && decodeDecides())
    return {wgmma(192, 64, 8, 12, 2),
            "a few dozen rows per group and many tiles: up to 64 tokens share "
            "each decoded fragment, and while some warpgroups multiply others "
            "decode"};
  if (!sharesByWarpgroups(rows))
    return {wgmma(384, 96, 16, 12),
            "a few dozen rows per group and many tiles: up to 96 tokens share "
            "each decoded fragment, so that a group with more rows than others "
            "has few tiles"};
  return {wgmma(128, 64, 8, 8, kSharingSlices),
          "a few dozen rows per group: up to 64 tokens share each decoded "
          "fragment, and while some warpgroups multiply others decode"};
}
