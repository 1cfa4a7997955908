//===- ChooseScheduleManyTest.cpp -----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mxfp4;

namespace {

/// The columns of tiles for this number of rows in each of 128 groups.
int columnsOfTiles(int64_t n, int64_t mean, const char *device,
                   bool gathers = false) {
  Problem problem = {128, 128, n, 2048, 128 * mean};
  problem.gathers = gathers;
  return choose(problem, {}, targetFor(device)).schedule.tileRows;
}

// Tiles of 192 columns would cover 1152 for N = 1024, and 1536 for N = 1408.
// Where they cover less than 1.05 times what tiles of 128 cover, they stay:
// each decoded weight serves as many tokens, and fewer copies of activations
// do.
TEST(ChooseSchedule, ColumnsThatDoNotExistTakeNarrowTiles) {
  for (const char *device : {"h100-sxm", "h200", "h20"})
    for (int64_t mean : {128, 256, 512, 1024}) {
      for (int64_t n : {64, 128, 256, 512, 1024, 1408})
        EXPECT_EQ(columnsOfTiles(n, mean, device), 128) << n << " " << mean;
      for (int64_t n : {192, 576, 1152, 2048, 2880, 4096, 5760})
        EXPECT_EQ(columnsOfTiles(n, mean, device), 192) << n << " " << mean;
      // Producers that gather need the registers.
      EXPECT_EQ(columnsOfTiles(1024, mean, device, /*gathers=*/true), 192);
    }
}

// Producers that gather rows keep their addresses in registers.
TEST(ChooseSchedule, ProducersThatGatherHaveMoreRegisters) {
  for (const char *device : {"h100-sxm", "h200"})
    for (int64_t mean : {128, 512, 1024}) {
      Problem problem = {32, 32, 5760, 2880, 32 * mean};
      const Target target = targetFor(device);
      EXPECT_LT(choose(problem, {}, target).schedule.producerRegisters, 56);
      problem.gathers = true;
      EXPECT_EQ(choose(problem, {}, target).schedule.producerRegisters, 56);
    }
}

// Narrow tiles begin and end more often, which counts where K is short.
TEST(ChooseSchedule, ShortKHasWideTiles) {
  const auto columns = [](int64_t k) {
    return choose({128, 128, 1024, k, 128 * 512}).schedule.tileRows;
  };
  for (int64_t k : {1344, 2048, 7168})
    EXPECT_EQ(columns(k), 128) << k;
  for (int64_t k : {512, 576})
    EXPECT_EQ(columns(k), 192) << k;
}

// One group has few waves, in which other heights count for more.
TEST(ChooseSchedule, OneGroupHasWideTiles) {
  for (int64_t rows : {1024, 8192, 32768})
    EXPECT_EQ(choose({1, 1, 1024, 2048, rows}).schedule.tileRows, 192);
}

// What is chosen for such columns runs, and is in the list of all schedules.
TEST(ChooseSchedule, NarrowTilesAreListed) {
  for (bool batchInvariant : {false, true}) {
    const std::vector<Schedule> all =
        allSchedules(h100(), Placement::Register, /*gathers=*/false);
    for (int64_t groups : {2, 32, 128, 1024})
      for (int64_t n : {64, 448, 1024, 1408})
        for (int64_t mean = 1; mean < 1024; mean += 1 + mean / 8) {
          const Problem problem = {groups, groups, n, 2880, groups * mean};
          Preference preference;
          preference.batchInvariant = batchInvariant;
          const ScheduleChoice choice = choose(problem, preference);
          EXPECT_EQ(verifySchedule(choice.schedule, problem, h100()), "");
          EXPECT_NE(std::find(all.begin(), all.end(), choice.schedule),
                    all.end())
              << groups << " groups, " << mean << " rows each, N = " << n;
        }
  }
}

} // namespace
