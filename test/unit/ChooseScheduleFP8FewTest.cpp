//===- ChooseScheduleFP8FewTest.cpp ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is chosen for e4m3 activations with few rows, where decoding decides.
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mxfp4;

namespace {

// On an H200 many warps decode up to a few dozen rows per group, with either
// accumulation; an H100's memory delivers less, and fewer warps keep up with
// it. Neither if bits may not depend on the number of rows, which K slices do.
TEST(ChooseSchedule, ManyWarpsDecodeFewRowsOfFP8) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 512})
    for (auto [rows, warps, tokens] :
         {std::tuple(4, 20, 8), {64, 20, 8}, {256, 20, 16}, {1024, 16, 48}}) {
      const Problem problem = sizedFP8(32, rows, 2880, promotion);
      const Schedule many = choose(problem, {}, h200).schedule;
      EXPECT_EQ(many.consumerWarps() * many.ctasPerMultiprocessor, warps)
          << rows << " rows";
      EXPECT_EQ(many.tileTokens, tokens) << rows << " rows";
      EXPECT_LE(choose(problem).schedule.consumerWarps(), 12);
      Preference invariant;
      invariant.batchInvariant = true;
      EXPECT_EQ(choose(problem, invariant, h200).schedule.kSlices, 1);
    }
}

// Groups of a dozen or two rows have tiles of 32 tokens, which copy less than
// tiles of 48; groups of up to 40 rows have tiles of 48. Tiles have 192 columns
// in two CTAs per SM where their waves are as full as those of 128 columns in
// one: with 32 groups and N = 5760 the waves of 192 cover 1.09 times as many
// columns, with 128 groups and N = 2880 1.04 times. Layers have the same,
// unless K has few steps or threads gather rows.
TEST(ChooseSchedule, GroupsOfSixteenRowsOfFP8HaveTilesOf32) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 512})
    for (auto [groups, n, mean, tileRows, tokens, ctas] :
         {std::tuple(32, 5760, 16, 128, 32, 1),
          {32, 2880, 20, 192, 32, 2},
          {128, 2880, 16, 192, 32, 2},
          {128, 1408, 16, 128, 32, 1},
          {128, 2880, 22, 192, 32, 2},
          {128, 2880, 24, 128, 48, 2},
          {32, 5760, 40, 128, 48, 2}}) {
      Problem problem = sizedFP8(groups, groups * mean, 2880, promotion);
      problem.n = n;
      const Schedule schedule = choose(problem, {}, h200).schedule;
      EXPECT_EQ(schedule.tileRows, tileRows) << mean << " rows per group";
      EXPECT_EQ(schedule.tileTokens, tokens) << mean << " rows per group";
      EXPECT_EQ(schedule.ctasPerMultiprocessor, ctas)
          << mean << " rows per group";
      EXPECT_EQ(schedule.kSlices, ctas == 1 ? 3 : 1);
      problem.rowsHint = groups * 42;
      EXPECT_NE(choose(problem, {}, h200).schedule.ctasPerMultiprocessor, 2);
      problem.rowsHint = groups * mean;
      problem.hasEpilogue = true;
      EXPECT_EQ(choose(problem, {}, h200).schedule == schedule,
                promotion != 0 || mean != 40);
      problem.k = 384;
      EXPECT_EQ(choose(problem, {}, h200).schedule.ctasPerMultiprocessor, 1);
      problem.k = 2880;
      problem.gathers = true;
      EXPECT_EQ(choose(problem, {}, h200).schedule.ctasPerMultiprocessor, 1);
    }
}

// With up to three steps of K no tile of FP8 has K slices. With the fewest rows
// tiles have 64 or 128 columns, by the waves; with more rows they are as high
// as a group has tokens. With one step, tiles of more than 8 tokens overlap
// decode, because ptxas would serialise their multiplications otherwise.
TEST(ChooseSchedule, FewestStepsOfFP8HaveNoSlices) {
  const Target h200 = targetFor("h200");
  for (auto [n, k, rows, tileRows, tokens, ctas] :
       {std::tuple(2048, 128, 8, 64, 8, 2),
        {2048, 128, 512, 128, 8, 2},
        {2048, 128, 2048, 192, 32, 2},
        {2048, 128, 8192, 192, 48, 2},
        {2048, 128, 16384, 128, 96, 2},
        {2048, 128, 256 * 256, 128, 96, 2},
        {2048, 256, 8, 64, 8, 2},
        {2048, 256, 32, 128, 8, 2},
        {2048, 256, 2048, 128, 16, 3},
        {2048, 256, 8192, 192, 48, 2},
        {2048, 256, 16384, 128, 96, 2},
        {2880, 384, 8, 128, 8, 2},
        {2880, 384, 2048, 192, 16, 2},
        {1024, 384, 2048, 128, 16, 2},
        {2816, 352, 256 * 16, 192, 32, 2},
        {1024, 384, 256 * 16, 128, 32, 3},
        {1024, 384, 256 * 32, 128, 48, 2}}) {
    Problem problem = sizedFP8(256, rows, k, /*promotion=*/512);
    problem.n = n;
    const Schedule schedule = choose(problem, {}, h200).schedule;
    EXPECT_EQ(schedule.tileRows, tileRows) << "K = " << k << ", " << rows;
    EXPECT_EQ(schedule.tileTokens, tokens) << "K = " << k << ", " << rows;
    EXPECT_EQ(schedule.ctasPerMultiprocessor, ctas)
        << "K = " << k << ", " << rows;
    EXPECT_EQ(schedule.kSlices, 1);
    EXPECT_EQ(schedule.overlapDecode, k == 128 && tokens > 8)
        << "K = " << k << ", " << rows;
    EXPECT_EQ(schedule.prefetchFirst, tokens <= 16) << "K = " << k;
    EXPECT_EQ(verifySchedule(schedule, problem, h200), "");
    // Sums that are promoted have tiles that spill nothing.
    problem.promotion = 128;
    const Schedule promoted = choose(problem, {}, h200).schedule;
    const bool spills = tokens == 96 || (tileRows == 192 && tokens == 48) ||
                        (ctas == 3 && tokens == 32);
    EXPECT_EQ(promoted == schedule, k == 128 || !spills)
        << "K = " << k << ", " << rows;
  }
}

// With up to two rows per group and many tiles, tiles have 128 columns and 8
// tokens, in two CTAs per SM; where others could be halves, groups with more
// rows have tiles for 16. With more rows two K slices share a tile where there
// are more than 256 groups, or up to 16 steps of K. Layers have the same, but
// no tiles of two kinds.
TEST(ChooseSchedule, ManyTilesOfFewRowsInFP8HaveTwoCtas) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 512})
    for (auto [groups, n, k, rows, tokens, slices, wideFrom] :
         {std::tuple(384, 7168, 2048, 512, 8, 3, 0),
          {384, 7168, 2048, 128, 8, 3, 0},
          {384, 7168, 2048, 2048, 16, 2, 0},
          {512, 2048, 4096, 2560, 16, 2, 0},
          {128, 5760, 2880, 256, 8, 3, 9},
          {256, 4096, 2048, 384, 8, 3, 9},
          {256, 4096, 2048, 1536, 16, 2, 0}}) {
      Problem problem = sizedFP8(groups, rows, k, promotion);
      problem.n = n;
      Schedule schedule = choose(problem, {}, h200).schedule;
      EXPECT_EQ(schedule.tileRows, 128) << rows << " rows";
      EXPECT_EQ(schedule.tileTokens, tokens) << rows << " rows";
      EXPECT_EQ(schedule.kSlices, slices) << rows << " rows";
      EXPECT_EQ(schedule.ctasPerMultiprocessor, 2) << rows << " rows";
      EXPECT_EQ(schedule.wideFrom, wideFrom) << rows << " rows";
      EXPECT_EQ(schedule.prefetchFirst, wideFrom == 0) << rows << " rows";
      EXPECT_EQ(verifySchedule(schedule, problem, h200), "");
      problem.hasEpilogue = true;
      EXPECT_EQ(choose(problem, {}, h200).schedule.kSlices,
                wideFrom == 0 ? slices : 5);
    }
  // Fewer tiles; of two rows per group, 19 to 26 waves, too.
  for (auto [groups, n, k, rows] : {std::tuple(384, 1024, 2048, 64),
                                    {128, 2880, 2880, 256},
                                    {256, 2048, 2048, 512},
                                    {256, 1024, 2048, 1024}}) {
    Problem problem = sizedFP8(groups, rows, k, 512);
    problem.n = n;
    EXPECT_EQ(choose(problem, {}, h200).schedule.kSlices, 5) << rows;
  }
}

// A row or a few are one wave of tiles of 128 columns: 24 warps decode for
// them, with up to 16 steps of K.
TEST(ChooseSchedule, OneWaveOfFP8HasTilesOf128) {
  for (auto [k, rows, tileRows] : {std::tuple(736, 4, 128),
                                   {1440, 4, 128},
                                   {1440, 8, 64},
                                   {2880, 4, 64}}) {
    Problem problem = sizedFP8(32, rows, k, 512);
    problem.n = 2880;
    const Schedule schedule = choose(problem, {}, targetFor("h200")).schedule;
    EXPECT_EQ(schedule.tileRows, tileRows) << "K = " << k;
    EXPECT_EQ(schedule.tileTokens, 8) << "K = " << k;
  }
}

// The first of five slices has fewer steps for it adds the sums of all, in
// tiles of 8 tokens as few as cost no other slice a step.
TEST(ChooseSchedule, FirstSlicesOfFewestRowsInFP8AreShort) {
  const auto counts = [](int64_t steps, int64_t rows) {
    const Schedule schedule =
        choose(sizedFP8(128, rows, 128 * steps, 512), {}, targetFor("h200"))
            .schedule;
    EXPECT_EQ(schedule.tileTokens, rows == 4 ? 8 : 16);
    return std::pair(schedule.sliceSteps(0, steps).count,
                     schedule.sliceSteps(1, steps).count);
  };
  EXPECT_EQ(counts(16, 4), std::pair(int64_t(1), int64_t(4)));
  EXPECT_EQ(counts(22, 4), std::pair(int64_t(2), int64_t(5)));
  EXPECT_EQ(counts(23, 4), std::pair(int64_t(3), int64_t(5)));
  EXPECT_EQ(counts(24, 4), std::pair(int64_t(4), int64_t(5)));
  EXPECT_EQ(counts(32, 4), std::pair(int64_t(4), int64_t(7)));
  EXPECT_EQ(counts(22, 512), std::pair(int64_t(3), int64_t(5)));
}

// With few steps of K and the fewest rows two K slices share a tile, in two
// CTAs per SM, or in three where these take all tiles at once; many tiles have
// 128 columns. Not on an H100, where producers gather, and with ten steps and
// an epilogue, which five slices share.
TEST(ChooseSchedule, FewStepsOfFewestRowsInFP8HaveSeveralCtas) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 512})
    for (auto [groups, n, steps, rows, tileRows, ctas] :
         {std::tuple(256, 2048, 4, 8, 64, 2),
          {256, 2048, 4, 16, 64, 2},
          {256, 2048, 4, 64, 128, 2},
          {256, 2048, 4, 512, 128, 2},
          {128, 2816, 6, 8, 64, 3},
          {128, 2816, 6, 16, 64, 2},
          {128, 2816, 6, 32, 64, 2},
          {128, 2816, 6, 128, 128, 2}}) {
      Problem problem = sizedFP8(groups, rows, 128 * steps, promotion);
      problem.n = n;
      const Schedule schedule = choose(problem, {}, h200).schedule;
      EXPECT_EQ(schedule.tileRows, tileRows) << rows << " rows";
      EXPECT_EQ(schedule.tileTokens, 8) << rows << " rows";
      EXPECT_EQ(schedule.kSlices, 2) << rows << " rows";
      EXPECT_EQ(schedule.ctasPerMultiprocessor, ctas) << rows << " rows";
      EXPECT_FALSE(schedule.overlapDecode) << rows << " rows";
      EXPECT_TRUE(schedule.prefetchFirst) << rows << " rows";
      EXPECT_EQ(choose(problem, {}).schedule.ctasPerMultiprocessor, 1);
      problem.gathers = true;
      EXPECT_EQ(choose(problem, {}, h200).schedule.ctasPerMultiprocessor, 1);
      problem.gathers = false;
      problem.k = 128 * 10;
      problem.hasEpilogue = true;
      EXPECT_EQ(choose(problem, {}, h200).schedule.kSlices, 5);
    }
}

// More rows per group have tiles of 16 tokens there and, in layers, of 32, in
// two CTAs per SM, for each of which there is room; sums that are promoted
// would spill in those of 32, and have tiles without slices.
TEST(ChooseSchedule, FewStepsOfFewRowsInFP8HaveTwoCtas) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 512})
    for (int64_t steps : {4, 6, 9})
      for (auto [mean, tokens] :
           {std::pair(3, 16), {10, 16}, {11, 32}, {23, 32}}) {
        Problem problem = sizedFP8(128, 128 * mean, 128 * steps, promotion);
        problem.hasEpilogue = tokens == 32;
        const Schedule schedule = choose(problem, {}, h200).schedule;
        if (isPromoted(problem) && tokens == 32) {
          EXPECT_EQ(schedule.kSlices, 1) << mean << " rows";
          continue;
        }
        EXPECT_EQ(schedule.tileRows, 128) << mean << " rows";
        EXPECT_EQ(schedule.tileTokens, tokens) << mean << " rows";
        EXPECT_EQ(schedule.kSlices, 2) << mean << " rows";
        EXPECT_EQ(schedule.ctasPerMultiprocessor, 2) << mean << " rows";
        EXPECT_FALSE(schedule.versionLoops) << mean << " rows";
        EXPECT_LE(2 * (SharedMemoryMap(schedule, problem.layout, 128).bytes() +
                       h200.sharedReserved),
                  h200.sharedPerMultiprocessor);
        problem.rowsHint = 128 * 24;
        EXPECT_NE(choose(problem, {}, h200).schedule.kSlices, 2);
      }
}

// Layers have the tiles of matmuls alone for a dozen rows per group or more,
// but for few steps of K and, of sums that are not promoted, few dozen rows. Of
// up to two rows per group, they have tiles of 128 columns from more waves on,
// and none of two kinds.
TEST(ChooseSchedule, LayersOfFP8DifferWhereTheyTookLonger) {
  const Target h200 = targetFor("h200");
  const auto areAlike = [&](Problem problem) {
    const Schedule alone = choose(problem, {}, h200).schedule;
    problem.hasEpilogue = true;
    Schedule layers = choose(problem, {}, h200).schedule;
    layers.prefetchFirst |= alone.prefetchFirst;
    return layers == alone;
  };
  for (int promotion : {0, 512}) {
    const bool isPromoted = promotion != 0;
    EXPECT_TRUE(areAlike(sizedFP8(128, 128 * 16, 2880, promotion)));
    EXPECT_TRUE(areAlike(sizedFP8(32, 32 * 26, 2880, promotion)));
    EXPECT_EQ(areAlike(sizedFP8(32, 32 * 28, 2880, promotion)), isPromoted);
    EXPECT_EQ(areAlike(sizedFP8(128, 128 * 16, 768, promotion)), isPromoted);
    EXPECT_FALSE(areAlike(sizedFP8(128, 128 * 16, 384, promotion)));
    EXPECT_TRUE(areAlike(sizedFP8(384, 384 * 4, 2880, promotion)));
    EXPECT_TRUE(areAlike(sizedFP8(384, 256, 2880, promotion)));
    EXPECT_FALSE(areAlike(sizedFP8(384, 64, 2880, promotion)));
    EXPECT_FALSE(areAlike(sizedFP8(256, 512, 2880, promotion)));
  }
}

// With many tiles, 20 warps decode two blocks per step for few rows, tiles of
// 128 columns share activations, and the last tiles are halves; not on an H100,
// with few columns or groups, where producers gather, or where ptxas would
// serialise: sums that are not promoted, and columns that are stored one by one
// with a list of expert ids, or two steps for each of five slices, where tiles
// are not so many that two slices in two CTAs share them. First tiles
// are fetched, with an epilogue where most groups have rows, and then of up to
// 128 groups: ptxas spills in kernels of 256 with promoted sums.
TEST(ChooseSchedule, ManyGroupsOfFewRowsOfFP8HaveWideTiles) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 512})
    for (int64_t rows : {64, 512, 1024}) {
      Problem problem = sizedFP8(128, rows, 2880, promotion);
      const auto tileRows = [&](const Target &target) {
        return choose(problem, {}, target).schedule.tileRows;
      };
      const Schedule schedule = choose(problem, {}, h200).schedule;
      EXPECT_EQ(schedule.tileRows, 128) << rows << " rows";
      EXPECT_EQ(schedule.tileTokens, 16) << rows << " rows";
      EXPECT_EQ(schedule.consumerWarps(), 20) << rows << " rows";
      EXPECT_TRUE(schedule.halfTiles) << rows << " rows";
      EXPECT_TRUE(schedule.prefetchFirst) << rows << " rows";
      Problem fused = problem;
      fused.hasEpilogue = true;
      EXPECT_EQ(choose(fused, {}, h200).schedule.prefetchFirst, rows >= 128)
          << rows << " rows";
      Problem more =
          sizedFP8(256, std::max<int64_t>(2 * rows, 1024), 2880, promotion);
      EXPECT_TRUE(choose(more, {}, h200).schedule.prefetchFirst);
      more.hasEpilogue = true;
      EXPECT_FALSE(choose(more, {}, h200).schedule.prefetchFirst);
      EXPECT_EQ(schedule.sliceSteps(0, 23).count, 3);
      EXPECT_EQ(tileRows(h100()), 64) << rows << " rows";
      problem.gathers = true;
      EXPECT_EQ(tileRows(h200), 64) << rows << " rows";
      problem.gathers = false;
      problem.experts = 256;
      problem.hasIds = true;
      EXPECT_EQ(tileRows(h200), 128) << rows << " rows";
      ++problem.n;
      EXPECT_EQ(tileRows(h200), promotion == 0 ? 64 : 128) << rows << " rows";
      --problem.n;
      problem.k = 1280;
      problem.hasEpilogue = true;
      EXPECT_EQ(tileRows(h200), promotion == 0 && rows == 64 ? 64 : 128)
          << rows << " rows";
      problem.hasEpilogue = false;
      problem.k = 2880;
      problem.n = 1024;
      EXPECT_EQ(tileRows(h200), 64) << rows << " rows";
    }
}

} // namespace
