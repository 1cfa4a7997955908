//===- ChooserDecodersFP8.cpp - Where decoding decides, 8-bit numbers -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Regimes of activations in e4m3 on devices whose memory delivers more than few
// warps decode. Measured on an H200 (docs/tuning/FewRowsFP8.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

using namespace mxfp4;

/// Of 8-bit numbers, whose steps are twice as long: stages of a CTA where 20 or
/// 24 warps decode, and steps that the first of three K slices has fewer.
constexpr int kDecodersStagesFP8 = 25, kSharingStagesFP8 = 12, kSumStepsFP8 = 2;

/// Of 8-bit numbers, stages of a CTA for tiles of 128 columns where 20 or 24
/// warps decode, and waves of such tiles from which 20 warps that decode two
/// blocks per step take less time than with tiles of 64 columns: with 11 waves
/// and more 0.95 to 1.00 of the time, with 9 as long, with 5 to 7 up to 1.04.
constexpr int kDecodersStagesWideFP8 = 15;
constexpr double kManyWavesFP8 = 10;

/// Of 8-bit numbers and up to two rows per group, waves of tiles of 128 columns
/// from which 24 warps of two CTAs take less time than five K slices, with
/// tiles of one kind and of two: tiles of one kind took as long with 10 to 13
/// waves, and 1.04 times as long and more with fewer; tiles of two kinds took
/// 0.98 of the time with 19 waves, and 1.2 under Zipf's routing. Layers and
/// tiles of two kinds have them from more waves on. Their stages, and those of
/// wide tiles.
constexpr double kWavesLowFP8 = 15, kManyWavesLowFP8 = 30;
constexpr int kStagesLowFP8 = 9, kWideStagesLowFP8 = 12;

/// Of 8-bit numbers and three to ten rows per group, waves of tiles of 128
/// columns from which two K slices in two CTAs take less time, and steps of K
/// up to which they do where tiles could be halves.
constexpr double kWavesOfTwoCtasFP8 = 20;
constexpr int64_t kStepsOfTwoCtas = 16;

/// Of 8-bit numbers, tokens of tiles for a dozen or two rows per group: with 16
/// rows, they took 0.89 to 1.00 of the time of tiles of 48.
constexpr int kDozenFP8 = 32, kSixteenFP8 = 16;

/// Of 8-bit numbers with few steps of K, K slices of a tile, stages of tiles of
/// 8, 16 and 32 tokens, as many as two CTAs per SM have room for, and waves of
/// tiles of 128 columns and 8 tokens from which these take less time than tiles
/// of 64: with up to five steps, and with more.
constexpr int kSlicesFewFP8 = 2, kStagesFewFP8 = 10, kStagesFewFP8Of16 = 8,
              kStagesFewFP8Of32 = 6;
constexpr int64_t kFewestStepsFP8 = 5, kStepsOfTallFP8 = 16;
constexpr double kTallFewestWavesFP8 = 1.5, kTallFewWavesFP8 = 5;

/// Of 8-bit numbers, 20 warps in five K slices. The first slice has a step
/// fewer, because it adds all sums and stores, if it has two then: ptxas
/// serialises the multiplications of slices that have one. In tiles of 8 tokens
/// it has two steps fewer if no other slice is longer for it: with 16 and 22
/// steps they take 0.97 to 1.00 of the time.
Schedule Chooser::decodersFP8(int tileRows, int tileTokens, int stages,
                              int64_t rows) const {
  Schedule schedule =
      wgmma(tileRows, tileTokens, tileTokens > 8 ? 8 : 0, 4, kFewestSlices);
  schedule.sideBySide = schedule.overlapDecode = schedule.versionLoops = false;
  schedule.sumSteps = 1;
  if (schedule.sliceSteps(0, steps).count < 2)
    schedule.sumSteps = 0;
  Schedule shorter = schedule;
  shorter.sumSteps = 2;
  const auto saves = [&](int slice) {
    return schedule.sliceSteps(slice, steps).count -
           shorter.sliceSteps(slice, steps).count;
  };
  if (tileTokens <= 8 && schedule.sumSteps != 0 && saves(0) > 0 &&
      saves(1) == 0)
    schedule = shorter;
  // In layers with fewer rows nothing was gained. A guess among 256 groups
  // takes registers: with promoted sums and an epilogue, ptxas spills two of
  // them.
  schedule.prefetchFirst = rows >= groups && groups <= 128;
  return fit(schedule, stages);
}

/// Whether ptxas serialises the multiplications of tiles of 128 columns that
/// five K slices share: sums that are not promoted of two steps for each, or
/// with a list of expert ids where columns are stored one by one.
bool Chooser::isSerialisedFP8() const {
  return !isPromoted(problem) && (steps <= int64_t(2) * kFewestSlices ||
                                  (problem.hasIds && problem.n % 2 != 0));
}

/// Of 8-bit numbers and up to two rows per group, 24 warps of two CTAs decode
/// for tiles of 128 columns and 8 tokens, in many waves, where 20 warps that
/// decode two blocks per step cannot have halves of tiles: 0.82 to 1.00 of the
/// time of tiles of 64 columns in eight cases. Where they can, groups with more
/// than 8 rows have tiles of half as many columns: 0.90 to 0.96 of the time
/// under uniform and a trained router's routing, and 1.07 under Zipf's, with
/// which tiles of one kind took 1.11. Layers of 384 groups took 0.93 to 1.00 of
/// the time, and of 512 groups 1.02 with 17 waves, 1.01 with 29 and 1.00 with
/// 44; of 256 groups, with tiles of two kinds, 0.96 to 1.02.
std::optional<Pick> Chooser::pickManyLowFP8(int64_t rows) const {
  const double waves = decoderTiles(rows) / target.device.multiprocessors;
  const bool haveHalves = groups <= Schedule::kMostGroupsOfHalves;
  if ((haveHalves && !isBare()) || tokensFor(ceilDiv(rows, groups), 4) > 8 ||
      waves < (haveHalves || !isBare() ? kManyWavesLowFP8 : kWavesLowFP8))
    return std::nullopt;
  Schedule schedule = wgmma(128, 8, haveHalves ? 8 : 0, 4, kSharingSlices,
                            /*ctas=*/2);
  schedule.overlapDecode = schedule.versionLoops = false;
  schedule = withStages(schedule, /*sumSteps=*/0, kStagesLowFP8);
  if (!haveHalves)
    return Pick{schedule, "few rows per group and many tiles: decoding "
                          "decides, 8 tokens, in 24 warps of two CTAs"};
  schedule.wideFrom = schedule.tileTokens + 1;
  schedule.wideStages = kWideStagesLowFP8;
  return Pick{schedule,
              "few rows per group and many tiles: decoding decides, in 24 "
              "warps of two CTAs; groups with more than 8 rows have tiles for "
              "16"};
}

/// Of 8-bit numbers, few rows per group and many tiles: 20 warps decode two
/// blocks per step for tiles of 128 columns, which share activations. They took
/// 0.92 to 0.98 of the time of 24 warps that decode one block per step. With
/// more groups than have halves of tiles, and with few steps of K, two K slices
/// in two CTAs per SM took 0.85 to 0.96 of the time, and layers 0.89 to 1.00.
std::optional<Pick> Chooser::pickManyDecodersFP8(int64_t rows) const {
  if (!decodeDecides() || problem.gathers ||
      steps < int64_t(2) * kFewestSlices ||
      tokensFor(ceilDiv(rows, groups), 2) > kSixteenFP8)
    return std::nullopt;
  if (std::optional<Pick> pick = pickManyLowFP8(rows))
    return pick;
  const double waves = decoderTiles(rows) / target.device.multiprocessors;
  const bool haveHalves = groups <= Schedule::kMostGroupsOfHalves;
  const char *why = "up to about ten rows per group and many tiles: decoding "
                    "decides, with the fewest instructions per byte, in 16 or "
                    "20 warps";
  if (tokensFor(ceilDiv(rows, groups), 4) > 8 && waves >= kWavesOfTwoCtasFP8 &&
      (!haveHalves || steps <= kStepsOfTwoCtas))
    return Pick{twoSlicesFP8(kSixteenFP8, kStagesFewFP8Of16), why};
  if (!haveHalves || waves < kManyWavesFP8 || isSerialisedFP8())
    return std::nullopt;
  // With 8 tokens as quick under uniform routing, and 1.1 times the time under
  // Zipf's.
  Schedule schedule = decodersFP8(128, 16, kDecodersStagesWideFP8, rows);
  schedule.halfTiles = true;
  return Pick{schedule, why};
}

/// Whether 8-bit numbers have too few steps of K for five slices, but two for
/// each of two slices: ptxas serialises the multiplications of slices of one.
bool Chooser::hasFewStepsFP8() const {
  return decodeDecides() && !problem.gathers &&
         steps >= int64_t(2) * kSlicesFewFP8 &&
         steps < int64_t(2) * kFewestSlices;
}

/// Of 8-bit numbers, few steps of K and the fewest rows, two K slices in each
/// of two or three CTAs per SM: tiles of 64 columns where few waves are to
/// fill, else of 128, in which a warp decodes two blocks per step. They took
/// 0.69 to 0.95 of the time of one CTA.
Pick Chooser::pickFewestFewStepsFP8(int64_t rows) const {
  const auto waves = [&](int64_t columns, int ctas) {
    const int places = ctas * target.device.multiprocessors;
    return decoderTiles(rows, columns) / places;
  };
  const bool isTall = waves(128, 2) >= (steps <= kFewestStepsFP8
                                            ? kTallFewestWavesFP8
                                            : kTallFewWavesFP8),
             isAtOnce = waves(64, 2) > 1 && waves(64, kCtasAtOnce) <= 1;
  Schedule schedule = wgmma(isTall ? 128 : 64, 8, 0, 4, kSlicesFewFP8,
                            !isTall && isAtOnce ? kCtasAtOnce : 2);
  schedule.overlapDecode = false;
  return {withStages(schedule, /*sumSteps=*/0, kStagesFewFP8),
          isTall ? "few rows per group and few steps of K: decoding decides, 8 "
                   "tokens, tiles of 128 columns that two K slices share, in "
                   "two CTAs per SM"
                 : "few rows per group and few steps of K: decoding decides, 8 "
                   "tokens, small tiles that two K slices share, in several "
                   "CTAs per SM"};
}

/// Of 8-bit numbers, tiles of 128 columns that two K slices share, in two CTAs
/// per SM.
Schedule Chooser::twoSlicesFP8(int tileTokens, int stages) const {
  Schedule schedule = wgmma(128, tileTokens, 8, 4, kSlicesFewFP8, /*ctas=*/2);
  schedule.overlapDecode = schedule.versionLoops = false;
  return withStages(schedule, /*sumSteps=*/0, stages);
}

/// Of 8-bit numbers and few steps of K, more rows per group than that: tiles of
/// 16 or 32 tokens, which took 0.66 to 0.89 of the time of one CTA per SM. Of
/// 32 tokens, sums that are promoted would spill.
std::optional<Pick> Chooser::pickFewStepsFP8(int64_t rows) const {
  const int64_t tokens = tokensFor(ceilDiv(rows, groups), 2);
  if (!hasFewStepsFP8() ||
      tokens > (isPromoted(problem) ? kSixteenFP8 : kDozenFP8))
    return std::nullopt;
  const bool isLow = tokens <= kSixteenFP8;
  return Pick{isLow ? twoSlicesFP8(kSixteenFP8, kStagesFewFP8Of16)
                    : twoSlicesFP8(kDozenFP8, kStagesFewFP8Of32),
              "up to two dozen rows per group and few steps of K: decoding "
              "decides, tiles of 128 columns that two K slices share, in two "
              "CTAs per SM"};
}

/// Of 8-bit numbers and the fewest rows, 20 warps decode, too. Measured from 1
/// to 64 rows in all: 0.93 to 1.00 of the time of three K slices of four warps.
/// Where tiles of 128 columns are one wave and those of 64 are not, 24 warps
/// decode for these: with 6 and 12 steps 0.93 and 0.95 of the time, with 22 and
/// 23 steps 1.00 to 1.08.
std::optional<Pick> Chooser::pickFewestDecodersFP8(int64_t rows) const {
  if (isAloneFP8())
    return pickFewestAloneFP8(rows);
  const auto areAtOnce = [&](int64_t columns) {
    return decoderTiles(rows, columns) <= target.device.multiprocessors;
  };
  if (!decodeDecides() || problem.gathers)
    return std::nullopt;
  if (isBare() && steps >= int64_t(2) * kSharingSlices &&
      steps <= kStepsOfTallFP8 && areAtOnce(128) && !areAtOnce(64))
    return Pick{withStages(wgmma(128, 8, 0, 8, kSharingSlices), /*sumSteps=*/0,
                           kDecodersStagesWideFP8),
                "few rows per group: decoding decides, 8 tokens, tiles of 128 "
                "columns fill the SMs"};
  if (hasFewStepsFP8())
    return pickFewestFewStepsFP8(rows);
  if (steps < int64_t(2) * kFewestSlices)
    return std::nullopt;
  return Pick{decodersFP8(64, 8, kDecodersStagesFP8, rows),
              "few rows per group: decoding decides, 8 tokens, small tiles "
              "that five K slices share"};
}

/// Of 8-bit numbers, 20 warps decode for tiles of up to 16 tokens, and 24 for
/// tiles of 32 and 48.
std::optional<Pick> Chooser::pickDecodersFP8(int64_t rows) const {
  const int64_t mean = ceilDiv(rows, groups);
  if (!decodeDecides() || problem.gathers)
    return std::nullopt;
  if (std::optional<Pick> pick = pickFewStepsFP8(rows))
    return pick;
  if (tokensFor(mean, 2) <= 16 && steps >= int64_t(2) * kFewestSlices)
    return Pick{decodersFP8(64, 16, kDecodersStagesFP8, rows),
                "up to about ten rows per group: decoding decides, 16 tokens, "
                "small tiles that five K slices share"};
  if (tokensFor(mean, 2) <= 16 || tokensFor(mean, 1.4) > kSharedFP8 ||
      steps <= kSharingSlices)
    return std::nullopt;
  if (tokensFor(mean, 2) <= kDozenFP8) {
    Schedule schedule = withStages(wgmma(128, kDozenFP8, 8, 8, kSharingSlices),
                                   /*sumSteps=*/0, kDecodersStagesWideFP8);
    // As measured; with promoted sums and 24, ptxas spills a register where N
    // is odd.
    schedule.producerRegisters = 0;
    return Pick{schedule,
                "a dozen or two rows per group: decoding decides, up to 32 "
                "tokens share each decoded fragment, in 24 warps of one CTA"};
  }
  Schedule schedule = withStages(wgmma(128, kSharedFP8, 8, 8, kSharingSlices),
                                 kSumStepsFP8, kSharingStagesFP8);
  schedule.producerRegisters = 24;
  return Pick{schedule,
              "a few dozen rows per group: up to 48 tokens share each decoded "
              "fragment, and while some warpgroups multiply others decode"};
}
