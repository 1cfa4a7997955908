//===- ChooserDecoders.cpp - Where decoding decides -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Regimes of devices whose memory delivers more than few warps decode, up to
// about ten rows per group. Measured on an H200 (docs/tuning/FewRowsH200.md,
// OneToken.md and FewTiles.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

#include <algorithm>

using namespace mxfp4;

/// Stages of a CTA where 24 warps decode. In each of two CTAs 9 take 0 to 5 %
/// less time than 12, and 15 take 4 % more.
constexpr int kDecodersStages = 9, kDecodersStagesAlone = 18,
              kDecodersStagesFewest = 30;

/// Stages of six K slices of one CTA whose 24 warps decode two blocks per step
/// each: 0.93 to 0.98 of the time of three slices of eight warps in seven
/// cases. All but the first leave their sums at once, in buffers of their own:
/// 0.96 to 0.98 of the time of one buffer in ten cases.
constexpr int kMostSlicesStages = 24;

/// Of six K slices of a tile of 64 columns and 8 tokens, steps that the first
/// one has fewer: of one token they took 0.95 to 1.01 of the time of what was
/// chosen before, mostly five slices with none, in twelve cases, with none 0.96
/// to 1.02.
constexpr int kFewestSumSteps = 2;

/// Steps of K from which a tile's halves take clearly less time than the tile,
/// and the time of a wave of halves over that of whole tiles. With 8 and 11
/// steps, halves of the last tiles took 1.00 to 1.01 of the time, with 32 to 96
/// steps 0.83 to 1.01.
constexpr int64_t kStepsOfHalves = 32;
constexpr double kHalfWave = 0.65;

/// Waves of two CTAs per SM up to which halves are an option in a layer where
/// no tile has columns in one half alone: with 5 to 19 waves, a layer whose
/// `down` begins meanwhile took 0.99 to 1.02 of the time. A matmul alone has
/// halves with more waves, too: it took 0.95 to 1.01 of the time in 16 cases.
constexpr double kWavesOfHalves = 4;

/// Where halves are an option, and K has at least `kStepsAlone` steps, six K
/// slices of one CTA take less than two CTAs up to `kWavesAlone` waves of two
/// CTAs; beyond, `kDecodersAlone` holds. N = K = 2880, 32 groups and 8 to 80
/// tokens: 0.94 to 0.99 of the time, under Zipf's routing 1.01 to 1.05.
constexpr int64_t kStepsAlone = 40;
constexpr double kWavesAlone = 3, kDecodersAloneHalves = 1;

/// Stages of wide tiles, at most; with two CTAs 15 fit.
constexpr int kWideStages = 18;

/// Waves of tiles from which crowded groups have wide tiles. Tiles of the last
/// wave begin at different times then: with 3 to 5 waves, Zipf's routing took
/// 0.99 to 1.26 times as long as with tiles of one kind, with more 0.91 to
/// 0.96.
constexpr double kWideWaves = 10;

/// Steps of K up to which two K slices of tiles of 8 tokens take less time than
/// three of tiles of 16, and their stages. Up to two rows per group, with 8
/// steps they took 0.90 to 0.95 of the time in 14 cases and 0.99 in one, with 9
/// and 10 steps 0.94 to 0.99, under Zipf's routing up to 1.03; with 11 steps
/// 0.98 and 1.04, with 16 1.3.
constexpr int64_t kHalvedSteps = 10;
constexpr int kHalvedStages = 8;

/// The time of a tile of 128 columns and 8 tokens over the time of two of 64:
/// 0.89 to 0.97 in five cases whose waves are equally full.
constexpr double kTallFewest = 0.95;

/// K slices and stages of tiles of 64 columns that are all there at once, in
/// `kCtasAtOnce` CTAs per SM, where K has too few steps for six slices: with 11
/// steps they took 0.86 of the time of five slices in one CTA. With 32 to 48
/// steps, six slices take 0.89 to 1.01 of their time.
constexpr int kSlicesAtOnce = 2, kStagesAtOnce = 10;

/// The time of a row of weights with one CTA per SM, and in tiles of 64 columns
/// that five K slices share, as multiples of its time with two CTAs per SM.
constexpr double kDecodersAlone = 1.12, kDecodersNarrow = 1.25;

/// Waves of two CTAs per SM up to which such narrow tiles are an option. Six
/// cases with 0.6 to 1.5 waves, where the model of waves takes them: 0.77 to
/// 0.97 of the time; with more waves they take up to 1.2 times as long.
constexpr double kNarrowWaves = 2;
constexpr int kNarrowStages = 25;

/// Whether memory delivers more than few warps decode. Half of the last tile's
/// columns may be masked, which must be a small part of all columns.
bool Chooser::outrunsDecode() const {
  const int64_t blocks = problem.layout.rowBlocks(problem.n);
  return !preference.batchInvariant && hasSpareRegisters() &&
         target.device.bytesPerClock() >= kBytesDecoded &&
         (blocks % 2 == 0 || blocks >= 9);
}

/// The same, with enough steps of K for slices.
bool Chooser::decodeDecides() const {
  return outrunsDecode() && steps >= kSharingSlices;
}

/// Groups with more rows than a tile decode their weights once per wide tile. A
/// stage of wide tiles brings half as many weights, and takes as long when
/// other CTAs load the memory: wide tiles have as many stages as fit.
Schedule Chooser::withWideTiles(Schedule schedule) const {
  schedule.wideFrom = schedule.tileTokens + 1;
  schedule.wideStages = kWideStages;
  while (schedule.wideStages > schedule.stages && !fits(schedule))
    schedule.wideStages -= schedule.kSlices;
  return schedule;
}

/// 24 warps decode, each without a second fragment, and the warps that copy
/// have as few instructions as possible: 128 columns share activations.
Schedule Chooser::decoders(int warps, int ctas, int stages) const {
  Schedule schedule = wgmma(128, 16, 8, warps, kSharingSlices, ctas);
  schedule.overlapDecode = schedule.sideBySide = false;
  // Unrolled by turns of the ring, loops have 124 instead of 150 instructions
  // per step: 0.90 to 0.97 of the time in 20 cases of 21. Six slices have more
  // slots than a warp has uniform registers for.
  schedule.versionLoops = ctas == 2;
  // With two CTAs per SM, the first slice need not be early.
  schedule.sumSteps = ctas == 1 ? kSumSteps : 0;
  return fit(schedule, stages);
}

/// Whether threads gather so few rows that tiles of 128 columns are between one
/// wave and two, the last ones halves: a tile of 64 columns gathers as many
/// rows for half of the columns. A layer of gpt-oss of one token took 0.94 of
/// the time that it takes with tiles of 64 columns that five slices share.
bool Chooser::gathersFewest(int64_t rows) const {
  return problem.gathers && hasHalves() && steps >= kStepsAlone &&
         waves(double(std::min(rows, groups)), 128) == 2 &&
         pickDecoders(rows).schedule.kSlices == kMostSlices;
}

/// 24 warps of one CTA: six K slices, where K has two steps for each. Kernels
/// that gather rows were measured with halves of tiles.
Schedule Chooser::decodersAlone() const {
  if ((problem.gathers && !hasHalves()) || steps < int64_t(2) * kMostSlices)
    return decoders(8, /*ctas=*/1, kDecodersStagesAlone);
  Schedule schedule = wgmma(128, 16, 8, 4, kMostSlices);
  schedule.overlapDecode = schedule.versionLoops = schedule.sideBySide = false;
  schedule.sumSteps = 0;
  return fit(schedule, kMostSlicesStages);
}

bool Chooser::hasHalves() const {
  return steps >= kStepsOfHalves && groups <= Schedule::kMostGroupsOfHalves;
}

/// Standard deviations by which other numbers of groups that have rows than the
/// expected one count. With one deviation, tiles that just fill a wave of two
/// CTAs per SM lost to one CTA, which took 1.05 to 1.08 of the time.
constexpr double kDeviations = 0.7;

/// Groups from which others than the expected number count: of fewer, tokens
/// that choose two or four do not miss as many as the model says.
constexpr int64_t kFewestUncertain = 16;

/// The mean of a time that depends on how many groups have rows, over as many
/// as are expected, and some fewer and more: a wave that is full with the
/// expected number may be followed by one that is nearly empty.
double
Chooser::overBusyGroups(int64_t rows,
                        const std::function<double(double busy)> &time) const {
  const BusyGroups busy = busyGroups(rows);
  const double away =
      groups < kFewestUncertain ? 0 : kDeviations * busy.deviation;
  const double fewer = std::max(1.0, busy.mean - away),
               more = std::min(double(groups), busy.mean + away);
  return (time(fewer) + 2 * time(busy.mean) + time(more)) / 4;
}

/// The time of tiles of 128 columns with one or two CTAs per SM, in waves of
/// one CTA per SM, and whether the last tiles are halves, which is quicker
/// then.
std::pair<double, bool> Chooser::decoderTime(int64_t rows, int ctas) const {
  const double places = double(ctas) * target.device.multiprocessors;
  const auto waves = [&](double busy, int64_t columns) {
    return std::ceil(busy * double(ceilDiv(problem.n, columns)) / places);
  };
  const double whole = overBusyGroups(
      rows, [&](double busy) { return waves(busy, 128) * ctas; });
  const bool hasEdge = ceilDiv(problem.n, 64) % 2 != 0;
  const bool isLayers = problem.hasEpilogue || problem.olderInputs;
  const bool isLong =
      decoderTiles(rows) > kWavesOfHalves * 2 * target.device.multiprocessors;
  if (!hasHalves() || (isLong && isLayers && !hasEdge))
    return {whole, false};
  const double halved = overBusyGroups(rows, [&](double busy) {
    const double halfWaves = waves(busy, 64);
    const double wholeWaves = std::floor(halfWaves / 2);
    return (wholeWaves + (halfWaves == 2 * wholeWaves ? 0 : kHalfWave)) * ctas;
  });
  return {std::min(whole, halved),
          halved < whole || (isLong && !isLayers && ctas == 2)};
}

/// 20 warps decode in tiles of 64 columns.
Schedule Chooser::narrowDecoders() const {
  Schedule schedule = wgmma(64, 16, 8, 4, kFewestSlices);
  schedule.sideBySide = false;
  schedule.sumSteps = 0;
  return fit(schedule, kNarrowStages);
}

/// Groups that have rows, under uniform routing, of a number of rows that has
/// eight values between two powers of two, so that the choice changes with few
/// numbers of rows.
Chooser::BusyGroups Chooser::busyGroups(int64_t rows) const {
  if (groups == 1)
    return {1, 0};
  int64_t step = groups;
  if (rows <= groups)
    for (step = 1; step * 16 < rows;)
      step *= 2;
  const double expected = double(ceilDiv(rows, step) * step);
  const double all = double(groups);
  // The chances that one group, and that two, have no rows.
  const double none = std::pow(1 - 1 / all, expected),
               both = std::pow(1 - 2 / all, expected);
  const double variance =
      all * none * (1 - all * none) + all * (all - 1) * both;
  return {all * (1 - none), std::sqrt(std::max(0.0, variance))};
}

/// Tiles of `columns` columns of all groups that are expected to have rows.
double Chooser::decoderTiles(int64_t rows, int64_t columns) const {
  return busyGroups(rows).mean * double(ceilDiv(problem.n, columns));
}

/// Whether a launch has enough tiles for crowded groups to have wide ones.
bool Chooser::hasWideTiles(int64_t rows) const {
  return decodeDecides() &&
         decoderTiles(rows) >= kWideWaves * 2 * target.device.multiprocessors;
}

/// Two K slices in place of three, in two CTAs, where K has few steps and
/// hardly any group has rows for a second tile. A layer took 0.98 to 0.99 of
/// the time.
std::optional<Pick> Chooser::pickHalvedDecoders(int64_t rows) const {
  if (steps > kHalvedSteps || problem.gathers ||
      tokensFor(ceilDiv(rows, groups), 4) > 8)
    return std::nullopt;
  Schedule schedule =
      wgmma(128, 8, /*tokenStep=*/0, 4, /*kSlices=*/2, /*ctas=*/2);
  schedule.overlapDecode = false;
  return Pick{withStages(schedule, /*sumSteps=*/0, kHalvedStages),
              "few rows per group and few steps of K: decoding decides, 8 "
              "tokens, two K slices in 16 warps of two CTAs"};
}

/// While memory delivers more than the warps decode, the number of instructions
/// per byte decides, and enough warps to issue them. Two CTAs of three
/// warpgroups, which decode two blocks per step, need fewer instructions than
/// one CTA of six; with few tiles, however, their last wave is emptier.
Pick Chooser::pickDecoders(int64_t rows) const {
  const double tiles = decoderTiles(rows);
  const std::optional<Pick> halved = pickHalvedDecoders(rows);
  if (halved && hasWideTiles(rows))
    return *halved;
  if (hasWideTiles(rows))
    return {withWideTiles(decoders(4, /*ctas=*/2, kDecodersStages)),
            "up to a dozen rows per group and many tiles: decoding decides, "
            "with the fewest instructions per byte, in 24 warps of two CTAs; "
            "groups with more than 16 rows have tiles for 32"};
  const double all = target.device.multiprocessors;
  const auto [two, twoHalves] = decoderTime(rows, 2);
  const auto [one, oneHalves] = decoderTime(rows, 1);
  const bool isShort =
      hasHalves() && steps >= kStepsAlone && tiles <= kWavesAlone * 2 * all;
  const double alone = (isShort ? kDecodersAloneHalves : kDecodersAlone) * one;
  const double narrow =
      kDecodersNarrow / 2 * overBusyGroups(rows, [&](double busy) {
        return std::ceil(busy * double(ceilDiv(problem.n, 64)) / all);
      });
  if (tiles <= kNarrowWaves * 2 * all && !problem.gathers &&
      steps >= int64_t(2) * kFewestSlices && narrow < std::min(two, alone))
    return {narrowDecoders(),
            "up to about ten rows per group and few tiles: decoding decides, "
            "in 20 warps; five K slices share small tiles, which fill the SMs"};
  if (halved && two <= alone)
    return *halved;
  Schedule schedule =
      two <= alone ? decoders(4, /*ctas=*/2, kDecodersStages) : decodersAlone();
  schedule.halfTiles = two <= alone ? twoHalves : oneHalves;
  if (two <= alone)
    return {schedule,
            "up to about ten rows per group: decoding decides, with the fewest "
            "instructions per byte, in 24 warps of two CTAs"};
  return {schedule,
          "up to about ten rows per group and few tiles: decoding decides, in "
          "24 warps of one CTA"};
}

/// Tiles of 64 columns and 8 tokens, in 24 warps where K has two steps for each
/// of six slices, or 20. Layers took 0.97 to 0.99 of the time of 20 warps.
Schedule Chooser::fewestDecoders() const {
  const bool isMost = steps >= int64_t(2) * kMostSlices;
  Schedule schedule = wgmma(64, 8, 0, 4, isMost ? kMostSlices : kFewestSlices);
  schedule.sideBySide = false;
  schedule.sumSteps = isMost ? kFewestSumSteps : 0;
  return fit(schedule, kDecodersStagesFewest);
}

/// While memory delivers more than the warps decode, 20 or 24 warps of one CTA
/// decode. Tiles of 128 columns share activations, but SMs share fewer tiles
/// less evenly. Three waves of small tiles are one of three CTAs per SM, in
/// which 24 warps decode, too.
Pick Chooser::pickFewestDecoders(int64_t rows) const {
  const auto waves = [&](int64_t columns, int ctas) {
    return overBusyGroups(rows, [&](double busy) {
      const int places = ctas * target.device.multiprocessors;
      return std::ceil(busy * double(ceilDiv(problem.n, columns)) / places);
    });
  };
  const double narrow = waves(64, 1);
  if (2 * kTallFewest * waves(128, 1) < narrow) {
    Schedule schedule = wgmma(128, 8, 0, 8, kSharingSlices);
    schedule.sideBySide = false;
    schedule.sumSteps = kSumSteps;
    return {fit(schedule, kDecodersStagesAlone),
            "few rows per group: decoding decides, 8 tokens, tiles of 128 "
            "columns fill the SMs"};
  }
  if (narrow > 2 && waves(64, kCtasAtOnce) <= 1 && !problem.gathers &&
      steps < int64_t(2) * kMostSlices) {
    Schedule schedule = wgmma(64, 8, 0, 4, kSlicesAtOnce, kCtasAtOnce);
    schedule.overlapDecode = false;
    return {withStages(schedule, /*sumSteps=*/0, kStagesAtOnce),
            "few rows per group: decoding decides, 8 tokens, small tiles that "
            "are all there at once, in three CTAs per SM"};
  }
  const Schedule schedule = fewestDecoders();
  return {schedule,
          schedule.kSlices == kMostSlices
              ? "few rows per group: decoding decides, 8 tokens, small tiles "
                "that six K slices share"
              : "few rows per group: decoding decides, 8 tokens, small tiles "
                "that five K slices share"};
}

Schedule Chooser::withStages(Schedule schedule, int sumSteps,
                             int stages) const {
  schedule.sideBySide = false;
  schedule.sumSteps = sumSteps;
  return fit(schedule, stages);
}
