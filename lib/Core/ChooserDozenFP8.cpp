//===- ChooserDozenFP8.cpp - Tiles without K slices, 8-bit numbers --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Regimes of activations in e4m3 in which several CTAs per SM decode for tiles
// without K slices: few steps of K, and a dozen rows per group to forty.
// Measured on an H200 (docs/tuning/FewSteps.md and LayersFP8.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

using namespace mxfp4;

/// Steps of K up to which no tile has K slices.
constexpr int64_t kAloneStepsFP8 = 3;

/// The columns of all waves of tiles of 192 columns in two CTAs per SM over
/// those of 128 columns in one, up to which 192 take less time: with few steps
/// of K they took 0.79 to 0.85 of the time at 1.09; with more 0.91 to 0.99 at
/// 1.00 to 1.05, and 0.99 to 1.2 at 1.09 and more.
constexpr double kWorkOf192FP8 = 1.06, kWorkOf192FewFP8 = 1.12;
constexpr int64_t kFewStepsOf192FP8 = 9;

/// Waves of tiles of 128 columns and 8 tokens in two CTAs per SM, from one on,
/// up to which tiles of 64 columns take less time: 0.94 to 0.96 of it in two
/// cases.
constexpr double kLowWavesFP8 = 1.5;

/// Steps of K up to which tiles of 48 tokens have 192 columns: 0.94 to 0.99 of
/// the time of 128. Promoted sums would spill there, in 32 tokens of three CTAs
/// and in 96 of two.
constexpr int64_t kStepsOf192By48FP8 = 4;

/// Tokens of the tiles, and the standard deviations within which those of a
/// group fit the highest: with 40 rows per group they took 0.80 to 0.97 of the
/// time of tiles before, with 48 rows 1.00 to 1.17.
constexpr int kLowFP8 = 16, kDozenTokensFP8 = 32, kMostTokensFP8 = 48;
constexpr double kDeviationsFP8 = 1.2;

/// The same in layers, of sums that are not promoted.
constexpr int kMostTokensInLayersFP8 = 32;

/// Tokens of tiles for more rows per group, with one step of K and with two:
/// with one step they took 0.90 of the time with 64 rows and 0.91 with 256,
/// with two steps 0.93 with 64. Other numbers of rows were not measured.
constexpr int kTallAloneFP8 = 96;
constexpr int64_t kStepsOfTallAloneFP8 = 2;

/// A tile without K slices in several CTAs per SM. ptxas serialises the
/// multiplications of one step, unless they overlap decode.
Schedule Chooser::aloneFP8(int tileRows, int tileTokens, int ctas,
                           int stages) const {
  int tokenStep = 0;
  if (tileTokens > 8)
    tokenStep = tileTokens <= kMostTokensFP8 ? 8 : 16;
  Schedule schedule = wgmma(tileRows, tileTokens, tokenStep, tileRows / 16,
                            /*kSlices=*/1, ctas);
  schedule.overlapDecode = steps == 1 && tileTokens > 8;
  schedule.versionLoops = schedule.fullTilesFirst = false;
  return fit(schedule, stages);
}

/// Whether K has so few steps that no tile has K slices.
bool Chooser::isAloneFP8() const {
  return outrunsDecode() && isBare() && steps <= kAloneStepsFP8;
}

/// Few steps of K and the fewest rows: two CTAs per SM took 0.76 to 0.96 of the
/// time of four. Tiles of 128 columns take less than those of 64 where these
/// are more than a wave, unless they are just more than a wave themselves.
Pick Chooser::pickFewestAloneFP8(int64_t rows) const {
  const auto waves = [&](int64_t columns) {
    return decoderTiles(rows, columns) /
           double(2 * target.device.multiprocessors);
  };
  const bool isNarrow =
      waves(64) <= 1 || (waves(128) > 1 && waves(128) <= kLowWavesFP8);
  return {isNarrow ? aloneFP8(64, 8, /*ctas=*/2, /*stages=*/16)
                   : aloneFP8(128, 8, /*ctas=*/2, /*stages=*/10),
          "few rows per group and few steps of K: decoding decides, 8 tokens, "
          "in two CTAs without K slices"};
}

/// Few steps of K and up to about ten rows per group.
std::optional<Pick> Chooser::pickLowAloneFP8() const {
  if (!isAloneFP8())
    return std::nullopt;
  const char *why = "up to about ten rows per group and few steps of K: "
                    "decoding decides, in 16 to 24 warps of two or three CTAs "
                    "without K slices";
  if (steps == 1)
    return Pick{aloneFP8(192, kDozenTokensFP8, /*ctas=*/2, /*stages=*/5), why};
  if (steps == 2)
    return Pick{aloneFP8(128, kLowFP8, /*ctas=*/3, /*stages=*/6), why};
  return Pick{padsWideTiles()
                  ? aloneFP8(128, kLowFP8, /*ctas=*/2, /*stages=*/9)
                  : aloneFP8(192, kLowFP8, /*ctas=*/2, /*stages=*/6),
              why};
}

/// Whether tiles of 192 columns in two CTAs per SM take less time than tiles of
/// 128 in one, by the waves of both.
bool Chooser::fillsWavesOf192FP8(int64_t rows) const {
  const auto work = [&](int columns, int ctas) {
    const double places = double(ctas) * target.device.multiprocessors;
    return std::ceil(decoderTiles(rows, columns) / places) * places * columns;
  };
  return work(192, 2) <=
         (steps <= kFewStepsOf192FP8 ? kWorkOf192FewFP8 : kWorkOf192FP8) *
             work(128, 1);
}

/// Few steps of K and more than forty rows per group.
std::optional<Pick> Chooser::pickTallAloneFP8(int64_t mean) const {
  if (steps > kStepsOfTallAloneFP8 || groups == 1 || isPromoted(problem) ||
      (steps > 1 && tokensFor(mean, kDeviationsFP8) > kTallAloneFP8))
    return std::nullopt;
  return Pick{
      aloneFP8(128, kTallAloneFP8, /*ctas=*/2, /*stages=*/5),
      "more than forty rows per group and few steps of K: up to 96 tokens "
      "share each decoded fragment, in two CTAs"};
}

/// Whether a layer has other tiles for some twelve to forty rows per group.
/// With the tiles of matmuls alone, layers took 0.88 to 0.99 of the time with
/// promoted sums, and 0.95 to 1.02 with others, but of these 1.00 to 1.02 where
/// K of `down` has six or eight steps, with 32 rows 0.99 to 1.05, and with 41
/// 1.06. Fewer steps were not measured.
bool Chooser::differsInLayers(int64_t mean) const {
  if (isBare())
    return false;
  if (problem.gathers || steps <= kAloneStepsFP8)
    return true;
  return !isPromoted(problem) &&
         (steps < int64_t(2) * kFewestSlices ||
          tokensFor(mean, kDeviationsFP8) > kMostTokensInLayersFP8);
}

/// Tiles as high as a group has tokens share each decoded fragment.
std::optional<Pick> Chooser::pickDozenFP8(int64_t rows) const {
  const int64_t mean = ceilDiv(rows, groups);
  if (!outrunsDecode() || differsInLayers(mean))
    return std::nullopt;
  if (tokensFor(mean, 2) <= kLowFP8)
    return pickLowAloneFP8();
  const bool hasWide = steps == 1 || fillsWavesOf192FP8(rows);
  const char *why = "a dozen rows per group or more: as many tokens as a group "
                    "has share each decoded fragment, in two or three CTAs "
                    "without K slices";
  if (tokensFor(mean, 2) <= kDozenTokensFP8) {
    if (hasWide)
      return Pick{aloneFP8(192, kDozenTokensFP8, /*ctas=*/2, /*stages=*/5),
                  why};
    if (steps <= kAloneStepsFP8)
      return Pick{aloneFP8(128, kDozenTokensFP8, isPromoted(problem) ? 2 : 3,
                           /*stages=*/5),
                  why};
    return std::nullopt;
  }
  if (tokensFor(mean, kDeviationsFP8) > kMostTokensFP8)
    return pickTallAloneFP8(mean);
  if (hasWide && steps <= kStepsOf192By48FP8 && !isPromoted(problem))
    return Pick{aloneFP8(192, kMostTokensFP8, /*ctas=*/2, /*stages=*/4), why};
  return Pick{aloneFP8(128, kMostTokensFP8, /*ctas=*/2, /*stages=*/6), why};
}
