//===- ScheduleSlicesTest.cpp - How K slices share steps ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

using namespace mxfp4;

namespace {

TEST(Schedule, KSlicesShareTheSteps) {
  Schedule schedule = tiled(64, 16, 0, 4, 3, 1);
  schedule.stages = 9;
  // 45 steps, 46 and 47; an unknown K is not judged.
  for (int64_t k : {2880, 2944, 3008, 0})
    EXPECT_EQ(verifySchedule(schedule, 1, h100(), k), "") << k;
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 320),
            "requires a number of k64 steps that its 3 K slices share evenly "
            "or in pairs, but K = 320 has 5");
  // An odd number of steps is no number of pairs, whichever slice has the odd.
  schedule = tiled(64, 16, 0, 4, 2, 1);
  schedule.stages = 8;
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 2944), "");
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 2880),
            "requires a number of k64 steps that its 2 K slices share evenly "
            "or in pairs, but K = 2880 has 45");
  // Those that do not overlap need not be alike, but there must be three.
  schedule = tiled(128, 64, 8, 8, 3, 1);
  schedule.stages = 9;
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 2944), "");
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 192), "");
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 128),
            "requires a k64 step for each of its 3 K slices, but K = 128 has "
            "2");
}

// All steps, once each, in ranges one behind another.
TEST(Schedule, KSlicesTakeRangesOfSteps) {
  for (const Schedule &schedule :
       {tiled(64, 16, 0, 4, 3, 1), tiled(64, 16, 0, 4, 2, 1),
        tiled(64, 16, 0, 4, 4, 1), tiled(128, 64, 8, 8, 3, 1),
        tiled(64, 64, 8, 4, 5, 1)})
    for (int64_t steps = schedule.kSlices; steps <= 130; ++steps) {
      if (!schedule.sharesSteps(steps))
        continue;
      int64_t next = 0, least = steps, most = 0;
      for (int slice = 0; slice < schedule.kSlices; ++slice) {
        const Schedule::Steps taken = schedule.sliceSteps(slice, steps);
        EXPECT_EQ(taken.begin, next);
        EXPECT_GE(taken.count, 1);
        // Where a loop is unrolled by two, all slices have a step ahead of it
        // or none has, and each has the loop.
        if (schedule.overlapDecode && steps % schedule.kSlices != 0) {
          EXPECT_EQ(taken.count % 2, steps % 2);
          EXPECT_GE(taken.count, 2);
        }
        next += taken.count;
        if (slice > 0) {
          least = std::min(least, taken.count);
          most = std::max(most, taken.count);
        }
      }
      EXPECT_EQ(next, steps);
      EXPECT_LE(most - least, schedule.overlapDecode ? 2 : 1);
      EXPECT_LE(schedule.sliceSteps(0, steps).count, least);
    }
}

// Three slices share any number of steps but the smallest, two an even one.
TEST(Schedule, ThreeSlicesShareAlmostAnyNumberOfSteps) {
  const Schedule three = tiled(64, 16, 0, 4, 3, 1),
                 two = tiled(64, 16, 0, 4, 2, 1),
                 four = tiled(64, 16, 0, 4, 4, 1);
  for (int64_t steps = 1; steps < 300; ++steps) {
    EXPECT_EQ(three.sharesSteps(steps), steps != 1 && steps != 2 &&
                                            steps != 4 && steps != 5 &&
                                            steps != 7)
        << steps;
    EXPECT_EQ(two.sharesSteps(steps), steps % 2 == 0) << steps;
    EXPECT_EQ(four.sharesSteps(steps),
              steps % 2 == 0 && steps != 2 && steps != 6)
        << steps;
  }
}

// The first slice adds the sums meanwhile, which takes as long as three steps;
// slices whose loops are unrolled have as many each, or pairs more.
TEST(Schedule, TheFirstOfSlicesThatDoNotOverlapHasFewerSteps) {
  const auto counts = [](const Schedule &schedule, int64_t steps) {
    std::vector<int64_t> found;
    found.reserve(schedule.kSlices);
    for (int slice = 0; slice < schedule.kSlices; ++slice)
      found.push_back(schedule.sliceSteps(slice, steps).count);
    return found;
  };
  using Counts = std::vector<int64_t>;
  const Schedule six = tiled(128, 64, 8, 8, 3, 1);
  EXPECT_EQ(counts(six, 45), (Counts{13, 16, 16}));
  EXPECT_EQ(counts(six, 64), (Counts{19, 23, 22}));
  EXPECT_EQ(counts(six, 3), (Counts{1, 1, 1}));
  EXPECT_EQ(counts(tiled(64, 16, 0, 4, 3, 1), 45), (Counts{15, 15, 15}));
  EXPECT_EQ(counts(tiled(64, 16, 0, 4, 3, 1), 64), (Counts{20, 22, 22}));
  EXPECT_EQ(counts(tiled(64, 16, 0, 4, 3, 1), 47), (Counts{15, 15, 17}));
  EXPECT_EQ(counts(tiled(64, 16, 0, 4, 4, 1), 46), (Counts{10, 12, 12, 12}));
  EXPECT_EQ(counts(tiled(64, 16, 0, 4, 1, 1), 45), (Counts{45}));
}

} // namespace
