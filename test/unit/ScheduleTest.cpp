//===- ScheduleTest.cpp - Tiles, warps and registers of schedules ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/ScheduleText.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

using namespace mxfp4;

namespace {

// The fragments of all warps cover each 16-row slice of the tile, and the
// tokens that begin there, once, and so do those of every K slice.
TEST(Schedule, TheTileIsCoveredOnce) {
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    const WarpPlace place = schedule.placeOfWarps(schedule.consumerWarps());
    std::map<std::pair<int, int>, int> seen;
    for (int warp = 0; warp < schedule.consumerWarps(); ++warp)
      for (int i = 0; i < schedule.slices(); ++i)
        ++seen[{place.firstSlice(warp) + i * schedule.sliceStride(),
                place.token(warp)}];
    EXPECT_EQ(static_cast<int>(seen.size()),
              schedule.tileRows / 16 * schedule.warpsTokens);
    for (const auto &[at, times] : seen) {
      EXPECT_GE(at.first, 0);
      EXPECT_LT(at.first, schedule.tileRows / 16);
      EXPECT_EQ(at.second % schedule.warpTokens(), 0);
      EXPECT_LT(at.second, schedule.tileTokens);
      EXPECT_EQ(times, schedule.kSlices);
    }
  }
}

// Fewer warps that ask have the same places, with fewer terms to compute.
TEST(Schedule, ThePlaceOfAWarpIsOne) {
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    const WarpPlace all = schedule.placeOfWarps(schedule.consumerWarps());
    const WarpPlace first = schedule.placeOfWarps(schedule.sliceWarps());
    for (int warp = 0; warp < schedule.sliceWarps(); ++warp) {
      EXPECT_EQ(all.firstSlice(warp), first.firstSlice(warp));
      EXPECT_EQ(all.token(warp), first.token(warp));
    }
    EXPECT_EQ(first.token.modulus, 0);
  }
}

// A hand-over of registers never asks for more than the launch reserved.
TEST(Schedule, RegistersStayWithinThePool) {
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    const RegisterBudget budget(schedule, h100());
    EXPECT_EQ(budget.producer, schedule.producerRegisters);
    EXPECT_LE(budget.launch * schedule.threads() *
                  schedule.ctasPerMultiprocessor,
              h100().registersPerMultiprocessor);
    EXPECT_EQ(budget.consumer == 0, budget.producer == 0);
    if (budget.consumer == 0)
      continue;
    EXPECT_LE(budget.consumer * 32 * schedule.consumerWarps() +
                  budget.producer * schedule.producerThreads(),
              h100().registersPerMultiprocessor);
    EXPECT_LE(budget.consumer, h100().registersPerThread);
    EXPECT_GE(budget.consumer, budget.launch);
  }
}

TEST(Schedule, ConsumersTakeWhatTheProducerLeaves) {
  Schedule three = tiled(192, 192, 16, 12, 1, 1);
  EXPECT_EQ(three.producerThreads(), 128);
  EXPECT_EQ(RegisterBudget(three, h100()).consumer, 160);
  three.producerRegisters = 96;
  EXPECT_EQ(RegisterBudget(three, h100()).consumer, 136);
  three.producerRegisters = 0;
  EXPECT_EQ(RegisterBudget(three, h100()).consumer, 0);
  EXPECT_EQ(RegisterBudget(three, h100()).launch, 128);
  EXPECT_EQ(RegisterBudget(tiled(128, 128, 16, 8, 1, 1), h100()).consumer, 232);
  EXPECT_EQ(RegisterBudget(tiled(128, 64, 8, 8, 3, 1), h100()).consumer, 80);
}

// As ptxas 13.0.88 counts, which was given kernels of these sizes that want all
// registers. An SM's four partitions hold whole warps.
TEST(Schedule, WarpsShareTheRegistersOfAPartition) {
  struct Case {
    int warps, ctas, registers;
  };
  for (const Case &c :
       {Case{5, 1, 255}, Case{5, 2, 168}, Case{5, 3, 128}, Case{5, 4, 96},
        Case{9, 1, 168}, Case{9, 2, 96}, Case{11, 1, 168}, Case{13, 1, 128},
        Case{15, 1, 128}, Case{17, 1, 96}}) {
    Schedule schedule = smallWgmma();
    schedule.warpsRows = (c.warps - 1) / 4 * 4;
    schedule.copyWarps = c.warps - schedule.warpsRows - 1;
    schedule.ctasPerMultiprocessor = c.ctas;
    ASSERT_EQ(schedule.threads(), 32 * c.warps);
    EXPECT_EQ(RegisterBudget(schedule, h100()).launch, c.registers)
        << c.warps << " warps of " << c.ctas << " CTAs";
  }
}

// Of the producer, one warp hands out tiles, and the others copy; a producer
// that hands over registers is a warpgroup.
TEST(Schedule, AProducerHasWarpsForItsCopies) {
  Schedule schedule = smallWgmma();
  schedule.copyWarps = 2;
  EXPECT_EQ(schedule.threads(), 128 + 32 * 3);
  schedule.warpsRows = 8;
  schedule.producerRegisters = 40;
  EXPECT_EQ(schedule.threads(), 256 + 128);
  EXPECT_EQ(Schedule().producerThreads(), 0);
}

TEST(Schedule, PreferencesAreRead) {
  Preference preference;
  EXPECT_EQ(parsePreference("register", "auto", preference), "");
  EXPECT_FALSE(preference.instruction.has_value());
  EXPECT_EQ(parsePreference("shared", "mma_sync", preference), "");
  EXPECT_EQ(preference.placement, Placement::Shared);
  EXPECT_NE(parsePreference("global", "auto", preference), "");
  EXPECT_NE(parsePreference("register", "hmma", preference), "");
  EXPECT_EQ(parsePreference("shared", "wgmma", preference), "");
  EXPECT_EQ(preference.instruction, Instruction::Wgmma);
}

TEST(Schedule, ThePlansTileIsValid) {
  Schedule schedule;
  schedule.tileRows = schedule.tileTokens = 64;
  schedule.warpsRows = schedule.warpsTokens = 1;
  EXPECT_EQ(schedule.threads(), 32);
  EXPECT_EQ(verifySchedule(schedule, 1, h100()), "");
}

// A tile with fewer tokens works on whole steps; without a step, on all.
TEST(Schedule, TheHeightOfATileGrowsInSteps) {
  EXPECT_EQ(tiled(64, 48, 16, 4, 1, 1).heightStep(), 16);
  EXPECT_EQ(tiled(64, 48, 0, 4, 1, 1).heightStep(), 48);
  EXPECT_EQ(verifySchedule(tiled(64, 48, 16, 4, 1, 1), 1, h100()), "");
}

// A thread that looks up rows and masks columns has no registers left for
// more stores than two columns of tokens need.
TEST(Registers, StoresOfMaskedScattersAreFew) {
  Schedule schedule = smallWgmma();
  for (int columns : {1, 2, 4}) {
    schedule.storeColumns = columns;
    EXPECT_EQ(storeColumnsOf(schedule, false, false), columns);
    EXPECT_EQ(storeColumnsOf(schedule, true, false), columns);
    EXPECT_EQ(storeColumnsOf(schedule, false, true), columns);
    EXPECT_EQ(storeColumnsOf(schedule, true, true), std::min(columns, 2));
  }
}

TEST(Schedule, PlacementsHaveNames) {
  for (Placement placement : {Placement::Register, Placement::Shared}) {
    Placement back;
    EXPECT_TRUE(parse(name(placement), back));
    EXPECT_EQ(back, placement);
    EXPECT_FALSE(parse("global", back));
  }
}

// The layout is the problem's: nothing assumes another.
TEST(Schedule, SizesFollowTheLayout) {
  Problem problem;
  problem.layout.rows = 128;
  Schedule schedule = smallWgmma();
  EXPECT_EQ(verifySchedule(schedule, problem, h100()),
            "requires tile rows to be a positive multiple of 128, but has 64");
  schedule.tileRows = 128;
  EXPECT_EQ(verifySchedule(schedule, problem, h100()), "");
  EXPECT_EQ(schedule.weightStageBytes(problem.layout), problem.layout.bytes());
  schedule.copyWarps = 3;
  EXPECT_EQ(verifySchedule(schedule, problem, h100()),
            "requires at most 2 copy_warps, one for the activations and one "
            "for each 128 rows of the tile, but has 3");
  EXPECT_EQ(verifySchedule(schedule, 1, h100()), "");
  problem.layout.cols = 128;
  EXPECT_EQ(verifySchedule(schedule, problem, h100()),
            "requires blocks of 64 weights along K, as many as a stage has, "
            "but they have 128");
}

} // namespace
