//===- ScheduleProgramsTest.cpp -------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels with a program of tall or of wide tiles beside their own.
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/ScheduleText.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

// The same threads and registers, the same tokens and so the same table of
// tiles, which lies behind all stages of both.
TEST(Schedule, TallTilesFitTheKernelOfTheirKSlices) {
  int count = 0;
  for (const Placement placement : {Placement::Register, Placement::Shared})
    for (const Schedule &schedule : allSchedules(h100(), placement)) {
      EXPECT_EQ(schedule.sideBySide,
                placement == Placement::Register && schedule.kSlices > 1 &&
                    !schedule.overlapDecode && schedule.tileTokens >= 64);
      if (!schedule.sideBySide)
        continue;
      ++count;
      const Schedule tall = schedule.tallProgram(BlockLayout());
      EXPECT_EQ(verifySchedule(tall, 32, h100()), "");
      EXPECT_EQ(tall.tileRows, schedule.tileRows * schedule.kSlices);
      EXPECT_EQ(tall.kSlices, 1);
      EXPECT_EQ(tall.threads(), schedule.threads());
      EXPECT_EQ(tall.warpTokens(), schedule.warpTokens());
      EXPECT_EQ(RegisterBudget(tall, h100()).consumer,
                RegisterBudget(schedule, h100()).consumer);
      EXPECT_EQ(tall.tableEntries(32), schedule.tableEntries(32));
      EXPECT_LE(SharedMemoryMap(tall, BlockLayout()).table.offset,
                SharedMemoryMap(schedule, BlockLayout()).table.offset);
      EXPECT_FALSE(tall.sideBySide);
    }
  EXPECT_GT(count, 0);
}

// Tiles of half the columns and twice the tokens: as many sums for each thread,
// in the shared memory in front of the tables, of which there are two.
TEST(Schedule, WideTilesFitTheKernelOfTheOthers) {
  int count = 0;
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    if (schedule.wideFrom == 0)
      continue;
    ++count;
    const Schedule wide = schedule.wideProgram();
    EXPECT_FALSE(schedule.isWide());
    EXPECT_TRUE(wide.isWide());
    EXPECT_EQ(wide.tileTokens, 2 * schedule.tileTokens);
    EXPECT_EQ(wide.mostTokens(), wide.tileTokens);
    EXPECT_EQ(schedule.mostTokens(), wide.tileTokens);
    EXPECT_EQ(wide.accumulators(), schedule.accumulators());
    EXPECT_EQ(wide.threads(), schedule.threads());
    const SharedMemoryMap map(schedule, BlockLayout(), 32);
    EXPECT_EQ(map.table.count, 2);
    EXPECT_GE(map.table.bytes, int64_t(2 * 4) * schedule.tableEntries(32));
    EXPECT_EQ(SharedMemoryMap(wide, BlockLayout()).table.offset,
              map.table.offset);
    EXPECT_GT(wide.stages, schedule.stages);
    // Alone it would do, with groups of every size.
    Schedule alone = wide;
    alone.wideFrom = alone.wideStages = 0;
    EXPECT_EQ(verifySchedule(alone, 32, h100()), "");
  }
  EXPECT_GT(count, 0);
  EXPECT_EQ(Schedule().mostTokens(), Schedule().tileTokens);
}

// Whatever is accepted has a second program that is accepted too, if it has
// one.
TEST(Schedule, WhatIsAcceptedHasTallTilesThatAre) {
  int accepted = 0;
  for (int rows : {64, 128, 192, 384, 640})
    for (int warps : {4, 8, 12})
      for (int slices : {1, 2, 3, 4, 5})
        for (int registers : {0, 24, 40})
          for (int bits = 0; bits < 16; ++bits) {
            Schedule s = tiled(rows, 16, 8, warps, slices, 1);
            s.stages = 3 * slices;
            s.copyWarps = slices;
            s.producerRegisters = registers;
            s.overlapDecode = bits & 1;
            s.sumSteps = bits & 2 ? 3 : 0;
            s.versionLoops = bits & 4;
            s.sideBySide = bits & 8;
            if (!verifySchedule(s, 32, h100()).empty() || !s.sideBySide)
              continue;
            ++accepted;
            EXPECT_EQ(verifySchedule(s.tallProgram(BlockLayout()), 32, h100()),
                      "")
                << text(s) << "; " << text(s.tallProgram(BlockLayout()));
          }
  EXPECT_GT(accepted, 20);
}

// Wide tiles have half the columns, and so fewer blocks for warps to copy.
TEST(Schedule, WideTilesHaveABlockForEachCopyingWarp) {
  Schedule schedule = tiled(128, 16, 8, 4, 1, 1);
  schedule.stages = 9;
  schedule.wideFrom = 17;
  schedule.wideStages = 9;
  schedule.copyWarps = 2;
  EXPECT_EQ(verifySchedule(schedule, 32, h100()), "");
  schedule.copyWarps = 3;
  EXPECT_EQ(verifySchedule(schedule, 32, h100()),
            "requires at most 2 copy_warps, one for the activations and one "
            "for each 64 rows of half of the tile, for wide_from, but has 3");
}

TEST(Schedule, WhatIsAcceptedHasWideTilesThatAre) {
  int accepted = 0;
  for (int rows : {64, 128, 192, 256, 384})
    for (int tokens : {8, 16, 32, 64})
      for (int warps : {4, 8, 12})
        for (int slices : {1, 2, 3})
          for (int copyWarps : {1, 2, 3, 4, 5})
            for (int bits = 0; bits < 4; ++bits) {
              Schedule s = tiled(rows, tokens, 8, warps, slices, 1);
              s.stages = s.wideStages = 3 * slices;
              s.copyWarps = copyWarps;
              s.overlapDecode = bits & 1;
              s.sumSteps = bits & 2 ? 3 : 0;
              s.wideFrom = tokens + 1;
              if (!verifySchedule(s, 32, h100()).empty())
                continue;
              ++accepted;
              Schedule alone = s.wideProgram();
              alone.wideFrom = alone.wideStages = 0;
              EXPECT_EQ(verifySchedule(alone, 32, h100()), "")
                  << text(s) << "; " << text(alone);
            }
  EXPECT_GT(accepted, 20);
}

} // namespace
