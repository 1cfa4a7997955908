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

// Two programs that run beside each other have the threads and the registers of
// the kernel together, tiles of as many columns, and shared memory one behind
// the other.
TEST(Schedule, ShortGroupsAndOthersShareTheKernel) {
  const Schedule kernel = tellingShortGroups(), beside = kernel.besideProgram(),
                 few = kernel.shortProgram();
  EXPECT_EQ(verifySchedule(kernel, 32, h100()), "");
  EXPECT_FALSE(kernel.isBeside() || kernel.isShort());
  EXPECT_TRUE(beside.isBeside() && !beside.isShort());
  EXPECT_TRUE(few.isShort() && !few.isBeside());
  EXPECT_FALSE(tiled(192, 160, 16, 4, 1, 1).isShort());
  EXPECT_FALSE(tiled(192, 160, 16, 8, 1, 1).isBeside());
  EXPECT_EQ(beside.consumerWarps() + few.consumerWarps(),
            kernel.consumerWarps());
  EXPECT_EQ(beside.copyWarps + few.copyWarps + 2, 4);
  for (const Schedule &program : {beside, few}) {
    EXPECT_EQ(program.tileRows, 128);
    EXPECT_EQ(program.threads(), kernel.threads());
    EXPECT_EQ(RegisterBudget(program, h100()).consumer,
              RegisterBudget(kernel, h100()).consumer);
    EXPECT_EQ(program.tableEntries(32), kernel.tableEntries(32));
    EXPECT_EQ(program.mostTokens(), 176);
  }
  EXPECT_EQ(few.tileTokens, 64);
  EXPECT_EQ(few.slices(), 2);
  EXPECT_EQ(beside.slices(), 1);
  EXPECT_EQ(kernel.mostTokens(), 176);
  const BlockLayout layout;
  const SharedMemoryMap shortMap(few, layout), besideMap(beside, layout),
      map(kernel, layout, 32);
  EXPECT_EQ(shortMap.activations.offset, 0);
  EXPECT_GE(besideMap.activations.offset, shortMap.table.offset);
  EXPECT_EQ(besideMap.activations.offset % 1024, 0);
  EXPECT_GE(map.table.offset, besideMap.table.offset);
  EXPECT_EQ(map.table.count, 2);
  EXPECT_GE(map.table.bytes, int64_t(2 * 4) * kernel.tableEntries(32));
  // Short groups' program brings the rows of both, and those of tiles of one
  // kind may lie where stages of the other program do.
  Schedule brings = kernel;
  brings.stages = 7;
  brings.bringBytes = 8192;
  const SharedMemoryMap bringing(brings, layout, 32),
      longer(brings.besideProgram(), layout),
      first(brings.shortProgram(), layout);
  EXPECT_GE(longer.activations.offset, first.rows.offset + 8192);
  EXPECT_EQ(longer.rows.bytes, 0);
  EXPECT_EQ(bringing.table.offset, longer.table.offset);
  EXPECT_LT(bringing.rows.offset, longer.table.offset);
  // Warps of short groups have the places of a CTA's first ones.
  const WarpPlace place = few.placeOfWarps(few.consumerWarps()),
                  alone = tiled(128, 64, 16, 4, 1, 1).placeOfWarps(4);
  for (int warp = 0; warp < 4; ++warp)
    EXPECT_EQ(place.firstSlice(8 + warp), alone.firstSlice(warp)) << warp;
  EXPECT_EQ(place.token(8), 0);
}

// Where it was measured: on a device whose memory outruns decoding, with rows
// that a warp brings, and about as many rows per group as leave some short.
TEST(Schedule, KernelsForAHundredRowsPerGroupTellShortGroups) {
  const Target h200 = targetFor("h200");
  const auto brings = [](int64_t groups, int64_t rows) {
    Problem problem = sized(groups, groups * rows);
    problem.gathers = problem.through = true;
    return problem;
  };
  const auto tells = [](const Problem &problem, const Target &target) {
    const Schedule schedule = choose(problem, {}, target).schedule;
    EXPECT_EQ(verifySchedule(schedule, problem, target), "");
    return schedule.shortTo != 0;
  };
  for (int64_t groups : {64, 128, 256})
    for (int64_t rows : {116, 128})
      EXPECT_TRUE(tells(brings(groups, rows), h200)) << rows;
  EXPECT_TRUE(tells(brings(128, 144), h200));
  for (int64_t rows : {64, 96, 160, 1024})
    EXPECT_FALSE(tells(brings(128, rows), h200)) << rows;
  Problem problem = brings(128, 128);
  EXPECT_FALSE(tells(problem, h100()));
  EXPECT_FALSE(tells(problem, targetFor("h20")));
  const Schedule schedule = choose(problem, {}, h200).schedule;
  EXPECT_EQ(schedule.bringBytes, 4 * problem.k);
  EXPECT_EQ(schedule.producerRegisters, 40);
  // Tiles of one kind lose no stage.
  Schedule longer = schedule.withoutShort();
  ++longer.stages;
  EXPECT_NE(verifySchedule(longer, problem, h200), "");
  EXPECT_EQ(schedule.besideTokens, 176);
  EXPECT_LT(schedule.tileTokens, 176);
  problem.through = false;
  EXPECT_FALSE(tells(problem, h200));
  EXPECT_FALSE(tells(brings(1, 128), h200));
  // Tiles of 128 columns cover 64 more.
  problem = brings(128, 128);
  problem.n = 2880;
  EXPECT_FALSE(tells(problem, h200));
  // Few tiles.
  EXPECT_FALSE(tells(brings(32, 128), h200));
}

// Matmuls alone gain under Zipf's routing and under the model of trained
// routers, but with some numbers of rows and waves only under Zipf's.
TEST(Schedule, MatmulsAloneTellShortGroups) {
  const Target h200 = targetFor("h200");
  const auto tells = [](const Problem &problem, const Target &target) {
    const ScheduleChoice choice = choose(problem, {}, target);
    EXPECT_EQ(verifySchedule(choice.schedule, problem, target), "");
    const bool found = choice.schedule.shortTo != 0;
    EXPECT_EQ(choice.reason.find("at most 64 rows") != std::string::npos,
              found);
    return found;
  };
  for (int64_t groups : {16, 32, 48})
    for (int64_t rows : {96, 112, 128, 144})
      EXPECT_TRUE(tells(sized(groups, groups * rows), h200))
          << groups << " groups of " << rows;
  for (int64_t rows : {64, 80, 160, 1024})
    EXPECT_FALSE(tells(sized(32, 32 * rows), h200)) << rows;
  // Two waves, fifteen, and 30.
  for (int64_t rows : {96, 112, 128, 144}) {
    EXPECT_FALSE(tells(sized(8, 8 * rows), h200)) << rows;
    EXPECT_EQ(tells(sized(64, 64 * rows), h200), rows <= 112) << rows;
    EXPECT_EQ(tells(sized(128, 128 * rows), h200), rows <= 128) << rows;
  }
  for (const char *other : {"h100-sxm", "h20"})
    EXPECT_FALSE(tells(sized(32, 4096), targetFor(other))) << other;
  // Parts of layers.
  for (bool Problem::*field :
       {&Problem::hasEpilogue, &Problem::olderInputs, &Problem::gathers}) {
    Problem problem = sized(32, 4096);
    problem.*field = true;
    EXPECT_FALSE(tells(problem, h200));
  }
  // Tiles of 128 columns may cover 64 more in few waves; many groups leave no
  // room.
  Problem problem = sized(32, 4096);
  problem.n = 2880;
  EXPECT_TRUE(tells(problem, h200));
  EXPECT_EQ(choose(problem, {}, h200).schedule.besideTokens, 192);
  EXPECT_EQ(choose(problem, {}, h200).schedule.besideStages, 6);
  problem = sized(128, 12288);
  problem.n = 2880;
  EXPECT_FALSE(tells(problem, h200));
  problem = sized(1024, 131072);
  problem.n = 384;
  EXPECT_FALSE(tells(problem, h200));
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
