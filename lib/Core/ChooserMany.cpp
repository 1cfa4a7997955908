//===- ChooserMany.cpp - Many rows per group ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensor cores decide, and a decoded fragment should serve many tokens. Tiles
// fill the waves of all SMs, by a model of their time. Measured on an H100 and,
// tiles of two warpgroups, on an H200 (docs/tuning/ManyRows.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

#include <algorithm>
#include <array>

using namespace mxfp4;

/// Tokens of a tile that take as long to multiply as the tile's beginning and
/// end; and tokens below which decoding decides the time of a tile. Both hold
/// for tensor cores of kTensorOps operations per clock: slower ones multiply
/// fewer tokens in that time.
constexpr double kTileEnds = 10, kFewestTokens = 100, kTensorOps = 4096;

/// The same time at the end of a tile of promoted sums: 3600 clocks where 176
/// tokens take 22400.
constexpr double kTileEndsPromoted = 28;

/// Tokens of a tile of promoted sums below which decoding decides its time,
/// since two warpgroups hide little of it. Measured with 32 groups: of 512
/// rows, which tiles of 160 tokens share in parts of 128 and 144, they
/// take 1.14 times the time of tiles of 176; of 1024 rows, in parts of
/// 160, 1.05 times.
constexpr double kFewestTokensPromoted = 160;

/// Heights of the tiles for many rows per group. Consumers of the highest tile
/// need registers that producers which gather need, too.
constexpr std::array<int, 6> kHeights = {64, 96, 144, 160, 176, 192};
constexpr int kHeightsToGather = 5;

/// The time of a tile of two warpgroups over two thirds of the time of a tile
/// of three, with a margin that makes another kernel worth it. Measured with
/// 64, 96 and 128 rows for each of 8 groups: 256 tiles of two took 0.73, 0.83
/// and 0.71 of the time of 176 of three, which leave a third of the SMs idle in
/// a second wave. Below, the heights of tiles of two warpgroups.
constexpr double kNarrowCost = 1.2;
constexpr std::array<int, 4> kNarrowHeights = {96, 144, 160, 176};

/// Columns that tiles of 192 cover over those that tiles of 128 cover, from
/// which narrow tiles win with many rows as well. They begin and end more
/// often, which costs as much of K a tile as 1.3 k64 steps: narrow tiles
/// took 1.16, 1.10, 1.02 to 1.03 and 1.02 times as long per column with 8, 11,
/// 32 and 44 steps.
constexpr double kPadded = 1.05, kNarrowEnds = 1.3 * 64;

/// The time of the fullest SM, in tokens of a tile, when the rows of groups
/// vary as under uniform routing and tiles share a group's rows evenly. Fitted
/// on an H100 to 4096 rows of one group; for other problems it predicts the
/// ratio between two heights to about 2 %.
double Chooser::costOfMany(int height, int64_t mean, int tileRows) const {
  constexpr std::pair<double, double> sizes[] = {
      {-1.6, 0.1}, {-0.8, 0.25}, {0, 0.3}, {0.8, 0.25}, {1.6, 0.1}};
  const double speed = target.device.tensorOps / kTensorOps;
  const bool promotes = isPromoted(problem);
  const double ends = promotes ? kTileEndsPromoted : kTileEnds;
  const double fewest =
      promotes && groups > 1 ? kFewestTokensPromoted : kFewestTokens;
  double tiles = 0, work = 0;
  for (auto [deviations, share] : sizes) {
    const double tokens = std::max(
        1.0, double(mean) + (groups > 1 ? deviations * std::sqrt(mean) : 0));
    const double parts = std::ceil(tokens / height);
    const double width = std::ceil(tokens / parts / 16) * 16;
    tiles += share * parts;
    work += share * parts * (std::max(width, fewest * speed) + ends * speed);
  }
  return double(waves(tiles * double(groups), tileRows)) * work / tiles *
         tileRows / 192;
}

/// The lowest tile of which hardly any group needs more (one or two) than of
/// the highest, because a lower tile leaves room for stages. Another height if
/// its waves are fuller.
Chooser::Height Chooser::heightOfMany(int64_t mean, int tileRows) const {
  const auto *end =
      kHeights.begin() + (problem.gathers ? kHeightsToGather : kHeights.size());
  const int64_t tokens = tokensFor(mean, 2.4);
  int best = *std::find_if(kHeights.begin(), end - 1, [&](int height) {
    const int64_t tiles = ceilDiv(tokens, height);
    return tiles <= 2 && tiles == ceilDiv(tokens, end[-1]);
  });
  // A gain that is not certain is not worth another kernel.
  double least = (groups > 1 ? 0.995 : 0.96) * costOfMany(best, mean, tileRows);
  for (const int *height = kHeights.begin(); height != end; ++height)
    if (const double cost = costOfMany(*height, mean, tileRows); cost < least) {
      best = *height;
      least = cost;
    }
  return {best, least};
}

/// Whether tiles of three warpgroups have many columns that do not exist, and
/// tiles of two have not.
bool Chooser::padsWideTiles() const {
  const auto covered = [&](int64_t tileRows) {
    return double(ceilDiv(problem.n, tileRows) * tileRows);
  };
  return covered(192) >= kPadded * covered(128);
}

/// The time of narrow tiles for all of K, of their cost by the model.
double Chooser::costOfNarrow(double cost) const {
  return (1 + kNarrowEnds / double(steps * problem.layout.cols)) * cost;
}

/// Tiles of two warpgroups, if these take less time than `least`: where tiles
/// of three would have many columns that do not exist, and with few tiles.
std::optional<Pick> Chooser::pickNarrow(int64_t mean, double least) const {
  if (groups == 1 || !hasSpareRegisters() || problem.gathers)
    return std::nullopt;
  std::optional<Pick> best;
  if (padsWideTiles()) {
    const Height height = heightOfMany(mean, 128);
    if (const double cost = costOfNarrow(height.cost); cost < least) {
      least = cost;
      best = Pick{wgmma(128, height.tokens, 16, 8),
                  "many rows per group: compute bound, two warpgroups share "
                  "the tokens of narrow tiles, of which fewer have columns "
                  "that do not exist"};
    }
  }
  if (waves(double(groups), 192) > 2)
    return best;
  for (int height : kNarrowHeights)
    if (const double cost = kNarrowCost * costOfMany(height, mean, 128);
        mean <= height && cost < least) {
      least = cost;
      best = Pick{wgmma(128, height, 16, 8),
                  "many rows per group and few tiles: compute bound, two "
                  "warpgroups share the tokens of narrow tiles, so that fewer "
                  "SMs are idle in the last wave"};
    }
  return best;
}

/// Where a kernel tells short groups: where a warp brings rows, or in matmuls
/// alone; with rows per group and waves of its tiles under uniform routing from
/// which and up to which it does. Then the height of tiles beside short groups,
/// and whether these may cover more columns.
struct Telling {
  bool isBrought;
  int64_t fewestRows, mostRows, fewestWaves, mostWaves;
  int besideTokens;
  bool mayPad;
};

/// Where a warp brings rows: with 96 rows, a layer of 128 experts took 1.02
/// times as long under uniform routing, and 0.97 under Zipf's. With eight
/// waves, layers took 0.99 to 1.024 times as long, with 26 0.96 to 1.002. With
/// 2880 columns, where tiles of 128 cover 64 more, the model of trained routers
/// took 1.03 times as long.
///
/// In matmuls alone of up to twelve waves uniform routing took 0.997 to 1.005
/// times as long, Zipf's 0.91 to 0.98 and the model of trained routers 0.91 to
/// 1.004, in seven cases; with 160 rows 0.99, 1.03 and 1.01. With more waves
/// 0.998 to 1.000, 0.92 to 0.94 and 0.93 to 0.996; but the model took 1.03
/// times as long with 15 waves and 128 rows, and 1.02 with 30 waves and 144
/// rows, and with 2880 columns.
constexpr std::array<Telling, 4> kTelling = {
    {{true, 112, 144, 12, INT64_MAX, 176, false},
     {false, 96, 144, 4, 12, 192, true},
     {false, 96, 112, 13, INT64_MAX, 192, false},
     {false, 113, 128, 24, INT64_MAX, 192, false}}};
/// What short groups have at most, and the stages of both programs, which are
/// all that fit.
constexpr int kShortRows = 64, kShortStages = 4, kBesideStages = 6;

/// Where the routing leaves many groups with few rows, whose decoding would
/// leave the tensor cores idle, these are multiplied beside the others.
/// Measured on an H200. Slow tensor cores would not be idle. Layers whose rows
/// are not brought took up to 1.02 times as long under uniform routing.
Schedule Chooser::tellingShortGroups(Schedule schedule, int64_t mean) const {
  if (groups == 1 || !outrunsDecode() || !hasSpareRegisters() ||
      problem.gathers || target.device.tensorOps < kTensorOps ||
      problem.activations != NumberType::BF16 ||
      (!problem.through && (problem.hasEpilogue || problem.olderInputs)) ||
      schedule.producerRegisters == 0)
    return schedule;
  const int64_t all = waves(double(groups), schedule.tileRows);
  const auto *where =
      std::find_if(kTelling.begin(), kTelling.end(), [&](const Telling &each) {
        return each.isBrought == problem.through && mean >= each.fewestRows &&
               mean <= each.mostRows && all >= each.fewestWaves &&
               all <= each.mostWaves && schedule.tileTokens < each.besideTokens;
      });
  if (where == kTelling.end())
    return schedule;
  Schedule telling = schedule;
  telling.shortTo = kShortRows;
  telling.shortStages = kShortStages;
  telling.besideTokens = where->besideTokens;
  telling.besideStages = kBesideStages;
  const Schedule beside = telling.besideProgram();
  if (!where->mayPad && beside.columnTiles(problem.n) * beside.tileRows >
                            schedule.columnTiles(problem.n) * schedule.tileRows)
    return schedule;
  // Many groups have large tables.
  return fits(telling) ? telling : schedule;
}

/// For a single group the best height changes every few rows; the choice may
/// change eight times between two powers of two.
Pick Chooser::pickMany(int64_t rows) const {
  int64_t mean = ceilDiv(rows, groups), step = 1;
  while (step * 16 < mean)
    step *= 2;
  mean = ceilDiv(mean, step) * step;
  const Height height = heightOfMany(mean, 192);
  if (std::optional<Pick> narrow = pickNarrow(mean, height.cost))
    return *narrow;
  const Schedule schedule =
      tellingShortGroups(wgmma(192, height.tokens, 16, 12), mean);
  if (schedule.shortTo != 0)
    return {
        schedule,
        "many rows per group: compute bound, three warpgroups share the "
        "tokens of tiles that fill the SMs; where many groups have at most "
        "64 rows, one of the warpgroups multiplies these beside the others"};
  return {schedule,
          "many rows per group: compute bound, three warpgroups share the "
          "tokens of tiles that fill the SMs"};
}
