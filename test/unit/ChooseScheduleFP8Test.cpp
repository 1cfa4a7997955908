//===- ChooseScheduleFP8Test.cpp ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mxfp4;

namespace {

// With e4m3 activations, whatever is chosen runs, is listed, and leaves what is
// promoted as the problem says: a schedule has no field for it.
TEST(ChooseSchedule, SchedulesOfFP8CanRunAndAreListed) {
  for (Placement placement : {Placement::Register, Placement::Shared})
    for (int promotion : {0, 128, 512})
      for (bool gathers : {false, true}) {
        // The baseline differs in the same way.
        if (placement == Placement::Shared && (gathers || promotion == 128))
          continue;
        const std::vector<Schedule> all =
            allSchedules(h100(), placement, gathers, promotion);
        for (int64_t groups : {1, 4, 32, 128, 1024})
          for (int64_t k : {32, 128, 1024, 2880, 8192})
            for (int64_t rows : {0, 1, 7, 64, 300, 1000, 20000, 100000}) {
              Problem problem = sizedFP8(groups, rows, k, promotion);
              problem.gathers = gathers;
              const ScheduleChoice choice =
                  choose(problem, {placement, std::nullopt});
              EXPECT_EQ(verifySchedule(choice.schedule, problem, h100()), "");
              EXPECT_EQ(choice.schedule.instruction, Instruction::WgmmaFP8);
              EXPECT_EQ(choice.schedule.placement, placement);
              EXPECT_NE(choice.reason.find("because activations are e4m3"),
                        std::string::npos);
              EXPECT_LE(choice.schedule.allAccumulators(isPromoted(problem)),
                        192);
              // With sums that are promoted, in registers, and in tall tiles.
              const bool isFast = promotion == 0 || k <= promotion;
              EXPECT_EQ(choice.schedule.overlapDecode,
                        isFast ? choice.schedule.consumerWarps() <= 16
                               : placement == Placement::Register && !gathers &&
                                     choice.schedule.kSlices == 1 &&
                                     choice.schedule.tileTokens >= 96);
              if (k >= 1024 && groups < 1000)
                EXPECT_NE(std::find(all.begin(), all.end(), choice.schedule),
                          all.end())
                    << groups << " groups, " << rows << " rows, K = " << k;
            }
      }
}

// Sums of a K that ends before the first promotion are those of `fast`, and so
// is the schedule; a longer K has others.
TEST(ChooseSchedule, SumsThatEndBeforeAPromotionHaveTheScheduleOfFast) {
  int others = 0;
  for (Placement placement : {Placement::Register, Placement::Shared})
    for (bool gathers : {false, true})
      for (int promotion : {128, 512})
        for (int64_t groups : {1, 8, 128})
          for (int64_t rows : {1, 64, 300, 4096, 40000})
            for (int64_t k : {32, 128, 160, 384, 512, 544, 2880}) {
              Problem problem = sizedFP8(groups, rows, k, promotion);
              problem.gathers = gathers;
              EXPECT_EQ(isPromoted(problem), k > promotion);
              const Schedule schedule =
                  choose(problem, {placement, std::nullopt}).schedule;
              problem.promotion = 0;
              const Schedule fast =
                  choose(problem, {placement, std::nullopt}).schedule;
              if (k <= promotion)
                EXPECT_EQ(schedule, fast)
                    << "K = " << k << ", " << groups << " groups of " << rows;
              others += k > promotion && schedule != fast ? 1 : 0;
            }
  EXPECT_GT(others, 100);
}

// Where a tile holds a whole group, the lowest such tile copies the fewest rows
// behind its end; three warpgroups then only for many waves of `fast`. More
// rows have the tallest tiles, and so have gathered rows.
TEST(ChooseSchedule, WholeGroupsOfFP8HaveLowTiles) {
  for (int promotion : {0, 512}) {
    Problem problem = sizedFP8(32, 4096, 2880, promotion);
    problem.n = 5760;
    ScheduleChoice choice = choose(problem, {});
    EXPECT_EQ(choice.schedule.tileRows, 128);
    EXPECT_EQ(choice.schedule.tileTokens, 160);
    EXPECT_TRUE(choice.schedule.overlapDecode);
    problem.rowsHint = 2500;
    EXPECT_EQ(choose(problem, {}).schedule.tileTokens, 96);
    problem.rowsHint = 16384;
    EXPECT_EQ(choose(problem, {}).schedule.tileTokens,
              promotion == 0 ? 192 : 176);
    problem.rowsHint = 4096;
    problem.gathers = true;
    EXPECT_GT(choose(problem, {}).schedule.tileTokens, 160);
  }
  Problem many = sizedFP8(512, 512 * 128, 2880, 0);
  EXPECT_EQ(choose(many, {}).schedule.tileRows, 192);
}

// Where every K slice had one step, ptxas would serialise its multiplications:
// matmuls that several GPUs share have few steps.
TEST(ChooseSchedule, SomeSliceOfFP8HasTwoSteps) {
  const Target h200 = targetFor("h200");
  for (int promotion : {0, 128, 512})
    for (int64_t k = 32; k <= 1600; k += 32)
      for (int64_t rows : {1, 40, 300, 700, 1200, 5000})
        for (bool isH200 : {false, true}) {
          Problem problem = sizedFP8(32, rows, k, promotion);
          problem.n = 2880;
          const Schedule schedule =
              choose(problem, {}, isH200 ? h200 : h100()).schedule;
          const int64_t steps = problem.layout.colBlocks(k);
          int64_t most = 0;
          for (int slice = 0; slice < schedule.kSlices; ++slice)
            most = std::max(most, schedule.sliceSteps(slice, steps).count);
          EXPECT_GE(most, std::min<int64_t>(steps, 2)) << "K = " << k;
          EXPECT_EQ(verifySchedule(schedule, problem, isH200 ? h200 : h100()),
                    "");
        }
}

// Promoted sums have tiles that leave registers for fragments of whole steps;
// of those that take as long, the lowest.
TEST(ChooseSchedule, PromotedSumsHaveTilesOfWholeSteps) {
  for (auto [groups, mean, tokens] :
       {std::tuple(32, 512, 176), {32, 1024, 176}, {128, 256, 160}}) {
    const Problem problem = sizedFP8(groups, groups * mean, 2880, 512);
    const Schedule schedule = choose(problem, {}).schedule;
    EXPECT_EQ(schedule.tileTokens, tokens) << mean << " rows per group";
    EXPECT_TRUE(schedule.overlapDecode);
  }
}

// One warp copies all weights of the tiles of promoted sums that were measured
// so, with the registers of before; two copy those of other heights, other
// sums, and producers that gather. Where a warp brings rows, one copies them
// in all tiles.
TEST(ChooseSchedule, OneWarpCopiesWeightsOfTallTilesOfPromotedSums) {
  struct Case {
    int promotion, groups, mean, tokens, copyWarps;
  };
  for (const Case &each : {Case{512, 32, 512, 176, 2},
                           {512, 32, 1024, 176, 2},
                           {512, 128, 128, 160, 2},
                           {512, 128, 256, 160, 2},
                           {512, 32, 78, 96, 3},
                           {512, 32, 96, 128, 3},
                           {128, 128, 128, 160, 3},
                           {0, 32, 128, 160, 3},
                           {0, 128, 128, 160, 3},
                           {0, 32, 512, 192, 3}})
    for (const Target &target : {h100(), targetFor("h200")}) {
      const Problem problem =
          sizedFP8(each.groups, each.groups * each.mean, 2880, each.promotion);
      const Schedule schedule = choose(problem, {}, target).schedule;
      EXPECT_EQ(schedule.tileTokens, each.tokens)
          << each.promotion << ", " << each.mean << " rows per group";
      EXPECT_EQ(schedule.copyWarps, each.copyWarps)
          << each.promotion << ", " << each.mean << " rows per group";
      if (each.copyWarps == 2)
        EXPECT_EQ(schedule.producerRegisters, 24);
    }
  Problem gathers = sizedFP8(32, 32 * 512, 2880, 512);
  gathers.gathers = true;
  EXPECT_EQ(choose(gathers, {}).schedule.copyWarps, 3);
  gathers.through = true;
  const Schedule bringing = choose(gathers, {}).schedule;
  EXPECT_GT(bringing.bringBytes, 0);
  EXPECT_EQ(bringing.copyWarps, 2);
  EXPECT_EQ(bringing.producerRegisters, 32);
}

// Decoding decides the time of a tile whose part of a group is narrow, so that
// waves are fewer tiles and not lower ones. (512 rows would share four tiles of
// 160 tokens and three of 176.)
TEST(ChooseSchedule, PromotedSumsHaveFewTiles) {
  for (int64_t columns : {2880, 5760}) {
    Problem problem = sizedFP8(32, 32 * 512, 2880, 512);
    problem.n = columns;
    EXPECT_EQ(choose(problem, {}).schedule.tileTokens, 176) << columns;
  }
}

// Where three warpgroups would have many columns that do not exist, two have
// tall tiles; promoted sums have two everywhere.
TEST(ChooseSchedule, NarrowTilesOfFP8WhereColumnsDoNotExist) {
  for (auto [columns, tileRows] : {std::pair(1024, 128),
                                   {1408, 128},
                                   {512, 128},
                                   {2880, 192},
                                   {5760, 192},
                                   {4096, 192},
                                   {704, 192}})
    for (int64_t mean : {300, 512, 1024}) {
      Problem problem = sizedFP8(128, 128 * mean, 2048, 0);
      problem.n = columns;
      const Schedule fast = choose(problem, {}).schedule;
      EXPECT_EQ(fast.tileRows, tileRows) << columns << " columns";
      if (tileRows == 128 && columns != 512) {
        EXPECT_EQ(fast.tileTokens, 256)
            << columns << " columns, " << mean << " rows per group";
        EXPECT_EQ(fast.producerRegisters, 40);
      }
      EXPECT_EQ(verifySchedule(fast, problem, h100()), "");
      problem.promotion = 512;
      EXPECT_EQ(choose(problem, {}).schedule.tileRows, 128);
    }
}

// Small tiles without K slices, where K has one or two steps, leave room for
// three CTAs per SM, each with one warp that copies; those that slices share,
// for one, with a warp for each slice. Slices may have as few as two steps.
TEST(ChooseSchedule, SmallTilesOfFP8HaveCtasBesideThem) {
  for (auto [k, slices, ctas] :
       {std::tuple(64, 1, 3), {768, 3, 1}, {2880, 3, 1}}) {
    const Problem problem = sizedFP8(32, 32 * 7, k, 0);
    const Schedule schedule = choose(problem, {}).schedule;
    EXPECT_EQ(schedule.tileTokens, 32) << "K = " << k;
    EXPECT_EQ(schedule.kSlices, slices) << "K = " << k;
    EXPECT_EQ(schedule.ctasPerMultiprocessor, ctas) << "K = " << k;
    EXPECT_EQ(schedule.copyWarps, slices) << "K = " << k;
  }
}

// The last mean of tiles of 64 tokens, and the first of those that a model
// chooses.
TEST(ChooseSchedule, SharedTilesOfFP8EndAt48Rows) {
  const auto tokens = [](int64_t mean) {
    return choose(sizedFP8(1, mean, 2880, 0), {}).schedule.tileTokens;
  };
  EXPECT_EQ(tokens(48), 64);
  EXPECT_GT(tokens(49), 64);
}

} // namespace
