//===- ChooserDozen.cpp - Few steps of K, and a dozen or two rows ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two regimes of devices whose memory delivers more than few warps decode:
// matmuls with so few steps of K that K slices have nothing to share, and a
// dozen or two rows per group. Measured on an H200 (docs/tuning/FewSteps.md and
// FewRowsH200.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

using namespace mxfp4;

/// Steps of K up to which wgmma takes less time than mma.sync for any number of
/// rows that fills the SMs: 0.66 to 0.97 of the time with 2, 3 and 4 steps.
constexpr int64_t kFewestSteps = 4;
/// Rows per group from which it does with more steps: 0.80 and 0.88 of the time
/// with 5 and 8 rows, where 4 rows took 0.98 and 1.05.
constexpr int64_t kRowsOfFewSteps = 5;

/// Tokens of a busy group past which tensor cores decide on any device: tiles
/// of mma.sync took twice as long as those of wgmma.
constexpr int64_t kManyTokens = 64;

/// Waves of tiles from which such tiles, in three CTAs per SM, take less time
/// than smaller ones of mma.sync: with 1.9 they took 1.01 of the time, and with
/// 1.6 as many rows of fewer groups 1.13.
constexpr int64_t kAloneWaves = 2;

/// Rows per group up to which tiles of 32 tokens that two K slices share take
/// less time than tiles of 64: under Zipf's routing, tiles of 32 took 1.17
/// times as long with 22 rows.
constexpr int64_t kMostOfDozen = 18;
/// Waves of such tiles, in two CTAs per SM, and their stages: with 2.8 waves
/// Zipf's routing took 1.19 times as long, with more 0.96 to 1.03 times.
constexpr int64_t kDozenWaves = 4;
constexpr int kDozenStages = 10;

/// Tokens of a busy group from which twelve warps in tiles of 192 columns and
/// 48 tokens take less time: from 24 rows per group to 40 0.92 to 1.01 of the
/// time (Zipf's routing: 0.91 to 0.98), with 16 0.98 to 1.04 (0.91 to 0.99).
constexpr int64_t kWideAloneFrom = 30;

/// Of a single step no loop is left, and ptxas serialises its multiplications.
constexpr int64_t kLeastSteps = 2;

/// Whether K has few steps, but at most that many, on such a device. Rows that
/// are gathered were not measured.
bool Chooser::hasFewSteps(int64_t most) const {
  return outrunsDecode() && steps >= kLeastSteps && steps <= most &&
         !problem.gathers && !problem.through;
}

/// Whether tiles of 128 columns fill that many waves of all SMs.
bool Chooser::fillsWaves(int64_t rows, int64_t waves, int ctas) const {
  return decoderTiles(rows) >=
         double(waves * ctas * target.device.multiprocessors);
}

/// Whether wgmma takes less time than mma.sync although K has few steps.
bool Chooser::winsFewSteps(int64_t rows) const {
  if (steps < kLeastSteps || preference.batchInvariant ||
      !hasSpareRegisters() || problem.gathers || problem.through)
    return false;
  const int64_t mean = ceilDiv(rows, groups);
  return tokensFor(mean, 1.4) > kManyTokens ||
         (hasFewSteps(kMostAloneSteps) && fillsWaves(rows, kAloneWaves, 3) &&
          (steps <= kFewestSteps || mean >= kRowsOfFewSteps));
}

/// Eight warps decode a tile alone, in each of three CTAs, or of two where sums
/// take more registers. For some thirty rows per group twelve warps do.
std::optional<Pick> Chooser::pickFewSteps(int64_t rows) const {
  if (!hasFewSteps(kMostAloneSteps) ||
      (steps >= kFewSteps && !fillsWaves(rows, kAloneWaves, 3)))
    return std::nullopt;
  const auto alone = [&](int tokens, int ctas, int stages, int columns = 128) {
    Schedule schedule =
        wgmma(columns, tokens, 8, columns / 16, /*kSlices=*/1, ctas);
    schedule.overlapDecode = schedule.versionLoops = schedule.fullTilesFirst =
        false;
    return fit(schedule, stages);
  };
  const int64_t mean = ceilDiv(rows, groups);
  if (tokensFor(mean, 2) <= 16)
    return Pick{alone(16, /*ctas=*/3, /*stages=*/8),
                "up to about ten rows per group and few steps of K: decoding "
                "decides, in 24 warps of three CTAs without K slices"};
  const char *why = "a dozen rows per group or more, and few steps of K: as "
                    "many tokens as a group has share each decoded fragment, "
                    "in two or three CTAs without K slices";
  const int64_t tokens = tokensFor(mean, 1.4);
  if (tokens >= kWideAloneFrom && tokens <= 48 && !padsWideTiles())
    return Pick{alone(48, /*ctas=*/2, /*stages=*/6, /*columns=*/192), why};
  if (tokens <= 32)
    return Pick{alone(32, /*ctas=*/3, /*stages=*/6), why};
  if (tokens <= 48)
    return Pick{alone(48, /*ctas=*/2, /*stages=*/8), why};
  if (tokens <= kManyTokens)
    return Pick{alone(64, /*ctas=*/2, /*stages=*/7), why};
  return std::nullopt;
}

/// Whether groups have a dozen or two rows, and tiles of 32 tokens fill the
/// waves.
bool Chooser::isDozen(int64_t rows) const {
  const int64_t mean = ceilDiv(rows, groups);
  return decodeDecides() && !problem.gathers && !problem.through &&
         steps > kMostAloneSteps && tokensFor(mean, 2) > 16 &&
         mean <= kMostOfDozen && fillsWaves(rows, kDozenWaves, 2) &&
         sharesByWarpgroups(rows);
}

/// Warps that decode two blocks per step need fewer instructions for each, but
/// twice as many registers for sums: 16 warps of two CTAs have them.
Pick Chooser::pickDozen() const {
  Schedule schedule = wgmma(128, 32, 8, 4, /*kSlices=*/2, /*ctas=*/2);
  schedule.overlapDecode = schedule.versionLoops = schedule.sideBySide = false;
  schedule.sumSteps = 0;
  return {fit(schedule, kDozenStages),
          "a dozen or two rows per group: up to 32 tokens share each decoded "
          "fragment, with the fewest instructions per byte, in 16 warps of two "
          "CTAs"};
}
