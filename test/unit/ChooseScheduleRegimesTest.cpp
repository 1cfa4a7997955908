//===- ChooseScheduleRegimesTest.cpp --------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

struct Regime {
  Problem problem;
  const char *why;
  Schedule schedule;
};

// The regimes of wgmma, from few rows to many. Routing to 32 groups is uneven,
// so a tile is chosen with room above the mean; one group has what is expected.
TEST(ChooseSchedule, EachRegimeHasItsTile) {
  // The first three: 90 tiles, one for each of 90 SMs; 180, all at
  // once if two share one; 270, so that some get a third in any case.
  const Regime regimes[] = {
      {sized(32, 1), "few rows per group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(32, 2), "few rows per group and few tiles",
       tiled(64, 8, 0, 4, 3, 2)},
      {sized(32, 3), "few rows per group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(32, 16), "few rows per group:", tiled(64, 8, 0, 4, 3, 1)},
      // From here on a group can have three tiles of 8.
      {sized(32, 17), "up to about ten rows", tiled(64, 32, 8, 4, 3, 1)},
      {sized(32, 320), "up to about ten rows", tiled(64, 32, 8, 4, 3, 1)},
      {sized(32, 321), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(32, 1728), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(32, 1729), "many rows", tiled(192, 96, 16, 12, 1, 1)},
      {sized(32, 100000), "many rows", tiled(192, 192, 16, 12, 1, 1)},
      {sized(1, 8), "few rows per group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(1, 9), "up to about ten rows", tiled(64, 32, 8, 4, 3, 1)},
      {sized(1, 17), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(1, 64), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(1, 65), "many rows", tiled(192, 96, 16, 12, 1, 1)},
      // Alone, a group has a round or two of tiles, which are to be full: 90 of
      // 64 tokens for 132 SMs, and 90 of 96.
      {sized(1, 192), "many rows", tiled(192, 64, 16, 12, 1, 1)},
      {sized(1, 193), "many rows", tiled(192, 96, 16, 12, 1, 1)},
      // 390 tiles of 160 tokens take three rounds, and so do 330 of 192.
      {{1, 1, 2880, 2880, 4096}, "many rows", tiled(192, 160, 16, 12, 1, 1)},
      {{1, 1, 2880, 2880, 8192}, "many rows", tiled(192, 192, 16, 12, 1, 1)},
      {{1, 1, 8192, 8192, 8192}, "many rows", tiled(192, 160, 16, 12, 1, 1)},
      // One tile for most groups of 128 rows, two for those of 256.
      {sized(128, 16384), "many rows", tiled(192, 160, 16, 12, 1, 1)},
      {sized(128, 32768), "many rows", tiled(192, 160, 16, 12, 1, 1)},
      // With few rounds, those that exceed a lower tile take no more of them.
      {sized(32, 4096), "many rows", tiled(192, 144, 16, 12, 1, 1)},
      // Without a hint, what loses little at either end.
      {sized(32, 0), "no hint", tiled(128, 64, 8, 8, 3, 1)},
      // 8 waves of tiles of 384 rows.
      {{128, 128, 2880, 2880, 2048}, "a few", tiled(128, 64, 8, 8, 3, 1)},
      // 15: enough for a tile with more tokens, but not for more of them.
      {{128, 128, 5760, 2880, 5120},
       "many tiles",
       tiled(384, 96, 16, 12, 1, 1)},
      {{128, 128, 5760, 2880, 5121}, "many rows", tiled(192, 64, 16, 12, 1, 1)},
      // 64 and 47 steps of K: three slices share them in pairs.
      {{32, 32, 5760, 4096, 16}, "few rows", tiled(64, 8, 0, 4, 3, 1)},
      {{32, 32, 5760, 4096, 17}, "up to about", tiled(64, 32, 8, 4, 3, 1)},
      {{32, 32, 5760, 4096, 512}, "a few dozen", tiled(128, 64, 8, 8, 3, 1)},
      {{32, 32, 5760, 3008, 64}, "up to about", tiled(64, 32, 8, 4, 3, 1)},
      {{32, 32, 5760, 3008, 512}, "a few dozen", tiled(128, 64, 8, 8, 3, 1)},
      // 8 steps: with pairs, one of three would have as many as one of two.
      {{32, 32, 5760, 512, 16}, "few rows", tiled(64, 8, 0, 4, 2, 1)},
      {{32, 32, 5760, 512, 17}, "up to about", tiled(64, 32, 8, 4, 2, 1)},
  };
  // Two steps are too few for three slices, if somebody insists on wgmma.
  for (int64_t k : {64, 128}) {
    const Schedule few =
        chooseSchedule({32, 32, 5760, k, 512}, h100(),
                       {Placement::Register, Instruction::Wgmma})
            .schedule;
    EXPECT_EQ(verifySchedule(few, 32, h100(), k), "");
    EXPECT_EQ(few.kSlices, 1);
  }
  for (const Regime &regime : regimes) {
    const ScheduleChoice choice = choose(regime.problem);
    Schedule expected = regime.schedule;
    expected.stages = choice.schedule.stages;
    EXPECT_TRUE(choice.schedule == expected)
        << regime.problem.rowsHint << " rows of " << regime.problem.groups
        << " groups, N = " << regime.problem.n << ", K = " << regime.problem.k
        << ": " << choice.schedule.tileRows << " x "
        << choice.schedule.tileTokens << ", " << choice.reason;
    EXPECT_NE(choice.reason.find(regime.why), std::string::npos)
        << choice.reason;
    // One stage more would not fit, or would not help.
    Schedule more = choice.schedule;
    more.stages += more.kSlices;
    const int shared = more.kSlices > 1 ? more.ctasPerMultiprocessor : 1;
    EXPECT_TRUE(
        more.stages * shared > 30 ||
        more.ctasPerMultiprocessor *
                (SharedMemoryMap(more, BlockLayout(), regime.problem.groups)
                     .bytes() +
                 h100().sharedReserved) >
            h100().sharedPerMultiprocessor)
        << choice.reason;
  }
}

// Where an SM gets more than 13 bytes per clock, the regime up to ten
// rows per group has as many warps that decode as fit; all others are the same.
TEST(ChooseSchedule, MoreBandwidthTakesMoreWarpsThatDecode) {
  const Target h200 = targetFor("h200");
  const char *two = "24 warps of two CTAs", *one = "24 warps of one CTA",
             *narrow = "five K slices share small tiles";
  const Regime regimes[] = {
      {sized(32, 64), two, withHalves(decoding(4, 2))},
      {sized(32, 320), two, withHalves(decoding(4, 2))},
      {sized(1024, 4096), two, decodingTwoKinds()},
      // 64, 32 and 112 steps of K, and 47: three slices share them as they
      // come.
      {{256, 256, 4096, 4096, 512}, two, decodingTwoKinds()},
      {{256, 256, 7168, 2048, 2048}, two, decodingTwoKinds()},
      {{256, 256, 4096, 7168, 128}, two, decodingTwoKinds()},
      // From ten waves, 2640 tiles, on: 2273 and 3650, then 2549 and 2943; and
      // up to 12 rows per group.
      {sized(128, 64), two, withHalves(decoding(4, 2))},
      {sized(128, 128), two, decodingTwoKinds()},
      {{128, 128, 2880, 2880, 256}, two, withHalves(decoding(4, 2))},
      {{128, 128, 2880, 2880, 1024}, two, decodingTwoKinds()},
      {{512, 512, 2688, 1024, 512 * 12}, two, decodingTwoKinds()},
      {{32, 32, 5760, 3008, 64}, two, withHalves(decoding(4, 2))},
      // Where N has an odd number of halves the last tiles are halves: 9.65
      // waves of two CTAs are ten, or 19 half waves. 4.8 waves of one CTA are
      // five or ten half waves, but 5.04 with 0.7 deviations more groups.
      {{128, 128, 2880, 2880, 64}, two, withHalves(decoding(4, 2))},
      {{32, 32, 2880, 2880, 256}, one, withHalves(decodingInSix())},
      {{32, 32, 2880, 2880, 64}, one, withHalves(decodingInSix())},
      // Otherwise up to four waves: 918 tiles, by 20 groups that have rows, are
      // 7.0 half waves of two CTAs per SM; of 627, 724 and 456 tiles, one CTA
      // per SM has ten, eleven and seven half waves, where two have five, six
      // and four.
      {sized(32, 32), two, withHalves(decoding(4, 2))},
      {sized(32, 17), one, withHalves(decodingInSix())},
      {sized(32, 21), one, withHalves(decodingInSix())},
      {sized(32, 12), one, withHalves(decodingInSix())},
      // 320 tiles are three half waves of two CTAs per SM, and five of one.
      {{256, 256, 512, 4096, 96}, one, withHalves(decodingInSix())},
      {{128, 128, 768, 2880, 64}, one, withHalves(decodingInSix())},
      // With 20 steps of K no tile is a half: the second of two rounds is
      // nearly
      // empty, and as 641 of 64 columns they are five of 132. And 303.
      {{256, 256, 512, 1280, 96}, narrow, narrowDecoding()},
      {{128, 128, 768, 1280, 64}, narrow, narrowDecoding()},
      // More groups than a warp counts at once have whole tiles.
      {{257, 257, 1024, 2048, 128}, two, decoding(4, 2)},
      {{256, 256, 1024, 2048, 128}, two, withHalves(decoding(4, 2))},
      // K of nine steps is too short for five slices, and for six; these take
      // K from 12 steps on.
      {{256, 256, 512, 576, 96}, one, decoding(8, 1)},
      {{256, 256, 1024, 704, 136}, one, decoding(8, 1)},
      {{256, 256, 1024, 768, 136}, one, decodingInSix()},
  };
  for (const Regime &regime : regimes) {
    const ScheduleChoice choice = choose(regime.problem, {}, h200);
    Schedule expected = regime.schedule;
    expected.stages = expected.kSlices == 5                 ? 25
                      : expected.kSlices == 6               ? 24
                      : expected.ctasPerMultiprocessor == 2 ? 9
                                                            : 18;
    expected.prefetchFirst = expected.wideFrom == 0;
    EXPECT_TRUE(choice.schedule == expected)
        << regime.problem.rowsHint << " rows of " << regime.problem.groups
        << " groups, N = " << regime.problem.n << ": " << choice.reason;
    EXPECT_NE(choice.reason.find(regime.why), std::string::npos)
        << choice.reason;
    EXPECT_EQ(verifySchedule(choice.schedule, regime.problem.groups, h200,
                             regime.problem.k),
              "");
    EXPECT_FALSE(choose(regime.problem).schedule == choice.schedule);
    // A layer's first matmul is the same with an epilogue, and gathered.
    Problem layers = regime.problem;
    layers.hasEpilogue = true;
    Schedule inLayers = choose(layers, {}, h200).schedule;
    const int64_t columns = (layers.n + 63) / 64;
    const bool isLong = layers.rowsHint >= 64 && layers.n >= 5760;
    EXPECT_EQ(inLayers.halfTiles,
              choice.schedule.halfTiles && !(isLong && columns % 2 == 0))
        << layers.rowsHint << " rows, N = " << layers.n;
    inLayers.halfTiles = choice.schedule.halfTiles;
    EXPECT_FALSE(inLayers.prefetchFirst);
    inLayers.prefetchFirst = choice.schedule.prefetchFirst;
    EXPECT_TRUE(inLayers == choice.schedule);
    layers.gathers = choice.schedule.halfTiles;
    expected = choose(layers, {}, h200).schedule;
    expected.gatherRows = choice.schedule.gatherRows;
    expected.halfTiles = choice.schedule.halfTiles;
    EXPECT_FALSE(expected.prefetchFirst);
    expected.prefetchFirst = choice.schedule.prefetchFirst;
    EXPECT_TRUE(expected == choice.schedule);
  }
  // Lanes that count the tiles of more groups spill registers.
  for (int64_t groups : {512, 513, 896, 1024})
    EXPECT_EQ(choose({groups, groups, 6144, 3584, 16}, {}, h200)
                  .schedule.prefetchFirst,
              groups <= 512)
        << groups << " groups";
  // Gathered rows of one token: 180 tiles of 128 columns for 132 SMs. With half
  // as many columns they are one wave, with twice as many three.
  for (const auto &[n, slices] : {std::pair(5760, 6), {2880, 3}, {11520, 3}}) {
    Problem gathered = {32, 32, n, 2880, 4};
    EXPECT_FALSE(choose(gathered, {}, h200).schedule.halfTiles) << n;
    gathered.gathers = true;
    const Schedule chosen = choose(gathered, {}, h200).schedule;
    EXPECT_EQ(chosen.kSlices, slices) << n;
    EXPECT_EQ(chosen.halfTiles, slices == 6) << n;
  }
  // Other rows, the baseline, a half-empty tile, and two steps of K with few
  // rows have what they have on an H100.
  const Preference any, shared = {Placement::Shared, std::nullopt};
  for (auto [problem, preference] : {std::pair(sized(32, 32 * 30), any),
                                     {sized(32, 32 * 23), any},
                                     {sized(32, 100000), any},
                                     {sized(32, 64), shared},
                                     {Problem{32, 32, 64, 2880, 64}, any},
                                     {Problem{32, 32, 5760, 128, 16}, any}})
    EXPECT_TRUE(choose(problem, preference, h200).schedule ==
                choose(problem, preference).schedule)
        << problem.rowsHint << " rows, N = " << problem.n;
  // Which it is follows from the facts of the device, not from its name.
  Target slow = h200;
  slow.device.bandwidth = 3350;
  for (int64_t rows : {4, 64, 32 * 56})
    EXPECT_TRUE(choose(sized(32, rows), {}, slow).schedule ==
                choose(sized(32, rows)).schedule);
}

// On such a device other regimes have more warps that decode, too: the fewest
// rows, by how full the waves of high and low tiles are; a few dozen rows with
// many waves; and some sixty rows.
TEST(ChooseSchedule, MoreBandwidthTakesMoreWarpsInOtherRegimes) {
  const Target h200 = targetFor("h200");
  struct Other {
    Problem problem;
    int tileRows, tileTokens, kSlices, warps;
  };
  const Other others[] = {
      // 360 tiles of 64 columns or 180 of 128 for 132 SMs, then 1024 or 512. In
      // three CTAs per SM, 396 tiles of 64 columns are there at once, where K
      // has too few steps for six slices.
      {sized(32, 4), 64, 8, 6, 24},
      {{128, 128, 2816, 704, 8}, 64, 8, 2, 8},
      {{128, 128, 2816, 768, 8}, 64, 8, 6, 24},
      {{256, 256, 4096, 2048, 6}, 64, 8, 6, 24},
      {{256, 256, 7168, 2048, 8}, 64, 8, 6, 24},
      {{256, 256, 4096, 7168, 8}, 128, 8, 3, 24},
      {sized(32, 8), 64, 8, 6, 24},
      {{32, 32, 2880, 2880, 4}, 128, 8, 3, 24},
      // Up to 24 rows if tiles of 64 columns are three waves: 352, and 384.
      {{512, 512, 1024, 2688, 22}, 64, 8, 6, 24},
      {{256, 256, 1024, 2048, 24}, 64, 8, 6, 24},
      {{256, 256, 1024, 2048, 25}, 128, 16, 3, 12},
      {{256, 256, 1088, 2048, 24}, 128, 16, 6, 24},
      // Of 32 groups, 16 rows are expected in 13, of 128 in 15: five waves of
      // 64 columns in place of six, where three of 128 take 5.5 times as long.
      {{32, 32, 2880, 2880, 16}, 64, 8, 6, 24},
      {{128, 128, 2880, 2880, 16}, 128, 8, 3, 24},
      // From 13 rows per group on, however many tiles there are.
      {sized(1024, 1024 * 13), 192, 64, 2, 24},
      {sized(128, 128 * 32), 192, 64, 2, 24},
      {{256, 256, 7168, 2048, 256 * 20}, 192, 64, 2, 24},
      {sized(32, 32 * 56), 128, 72, 3, 24},
  };
  for (const Other &other : others) {
    const ScheduleChoice choice = choose(other.problem, {}, h200);
    const Schedule &s = choice.schedule;
    EXPECT_EQ(s.tileRows, other.tileRows) << choice.reason;
    EXPECT_EQ(s.tileTokens, other.tileTokens) << choice.reason;
    EXPECT_EQ(s.kSlices, other.kSlices) << choice.reason;
    EXPECT_EQ(s.consumerWarps(), other.warps) << choice.reason;
    EXPECT_EQ(verifySchedule(s, other.problem.groups, h200, other.problem.k),
              "");
    EXPECT_FALSE(choose(other.problem).schedule == s) << choice.reason;
  }
  // The same in layers.
  for (bool Problem::*inLayers :
       {&Problem::hasEpilogue, &Problem::olderInputs, &Problem::gathers}) {
    Problem layers = sized(32, 4);
    layers.*inLayers = true;
    EXPECT_EQ(choose(layers, {}, h200).schedule.kSlices, 6);
  }
  // Rows that are gathered.
  Problem gathered = sized(32, 32 * 56);
  gathered.gathers = true;
  EXPECT_TRUE(choose(gathered, {}, h200).schedule == choose(gathered).schedule);
}

// With up to 16 rows warps decode alone if tiles of 128 columns fill an H200
// for five rounds: twelve rows are 528 tiles of 5632 columns, four for each SM.
TEST(ChooseSchedule, TheFewestRowsDecodeAloneInFiveRounds) {
  const auto chosen = [](int64_t n) {
    return choose({32, 32, n, 2880, 12}, {}, targetFor("h200")).schedule;
  };
  EXPECT_TRUE(chosen(5633) == chosen(5760));
  EXPECT_TRUE(chosen(5632) == chosen(5505));
  EXPECT_FALSE(chosen(5632) == chosen(5633));
}

} // namespace
