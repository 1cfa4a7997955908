//===- ScheduleTest.cpp ---------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Schedule.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

const Target &h100() { return *findTarget("sm_90a"); }

TEST(Schedule, WhateverIsChosenCanRun) {
  for (Placement placement : {Placement::Register, Placement::Shared}) {
    for (const Schedule &schedule : allSchedules(h100(), placement))
      EXPECT_EQ(verifySchedule(schedule, 32, h100()), "");
    for (int64_t groups : {1, 4, 32, 128, 1024})
      for (int64_t rows : {0, 1, 7, 64, 1000, 100000, 100000000}) {
        const Problem problem{groups, groups, 5760, 2880, rows};
        const ScheduleChoice choice =
            chooseSchedule(problem, h100(), {placement, std::nullopt});
        EXPECT_EQ(verifySchedule(choice.schedule, groups, h100()), "");
        EXPECT_EQ(choice.schedule.placement, placement);
        EXPECT_FALSE(choice.reason.empty());
        // The CTAs that it promises must fit one multiprocessor.
        EXPECT_LE(
            choice.schedule.ctasPerMultiprocessor *
                (choice.schedule.sharedBytes(groups) + h100().sharedReserved),
            h100().sharedPerMultiprocessor);
      }
  }
}

// Within mma.sync, whose tiles only grow; wgmma's are chosen by what is lost at
// the end of a group.
TEST(Schedule, MoreRowsNeverGetASmallerTile) {
  int last = 0;
  for (int64_t rows = 1; rows < 100000; rows *= 2) {
    const Problem problem{32, 32, 5760, 2880, rows};
    const int tokens =
        chooseSchedule(problem, h100(),
                       {Placement::Register, Instruction::MmaSync})
            .schedule.tileTokens;
    EXPECT_GE(tokens, last);
    last = tokens;
  }
}

TEST(Schedule, TheInstructionIsAPreference) {
  const Problem few{32, 32, 5760, 2880, 4}, many{32, 32, 5760, 2880, 32768};
  auto instruction = [](const Problem &problem, const Preference &preference) {
    return chooseSchedule(problem, h100(), preference).schedule.instruction;
  };
  EXPECT_EQ(instruction(few, {}), Instruction::MmaSync);
  EXPECT_EQ(instruction(many, {}), Instruction::Wgmma);
  // A few steps of K leave wgmma little to overlap.
  EXPECT_EQ(instruction({32, 32, 5760, 128, 32768}, {}), Instruction::MmaSync);
  EXPECT_EQ(instruction({32, 32, 5760, 480, 32768}, {}), Instruction::Wgmma);
  EXPECT_EQ(instruction(few, {Placement::Register, Instruction::Wgmma}),
            Instruction::Wgmma);
  EXPECT_EQ(instruction(many, {Placement::Register, Instruction::MmaSync}),
            Instruction::MmaSync);
  EXPECT_EQ(instruction(many, {Placement::Shared, std::nullopt}),
            Instruction::MmaSync);
}

// The rows that a choice says it serves lead to the same choice, at both ends.
TEST(Schedule, RangesOfRowsAreExact) {
  for (int64_t rows = 1; rows < 200000; rows = rows * 3 / 2 + 1) {
    const Problem problem{32, 32, 5760, 2880, rows};
    const ScheduleChoice choice = chooseSchedule(problem, h100());
    EXPECT_LE(choice.rowsFrom, rows);
    EXPECT_GE(choice.rowsTo, rows);
    for (int64_t end : {choice.rowsFrom, choice.rowsTo}) {
      if (end == 0 || end == INT64_MAX)
        continue;
      EXPECT_TRUE(chooseSchedule({32, 32, 5760, 2880, end}, h100()).schedule ==
                  choice.schedule);
    }
  }
}

// The fragments of all warps cover each 16-row slice of the tile once.
TEST(Schedule, SlicesAreCoveredOnce) {
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    std::vector<int> seen(schedule.tileRows / 16);
    for (int warp = 0; warp < schedule.warpsRows; ++warp)
      for (int i = 0; i < schedule.warpRows() / 16; ++i)
        ++seen.at(schedule.firstSlice(warp) + i * schedule.sliceStride());
    EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
  }
}

// A hand-over of registers never asks for more than the launch reserved.
TEST(Schedule, RegistersStayWithinThePool) {
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    const int consumer = schedule.consumerRegisters(h100());
    if (consumer == 0)
      continue;
    EXPECT_LE(consumer * 32 * schedule.consumerWarps() +
                  schedule.producerRegisters() * schedule.producerThreads(),
              h100().registersPerMultiprocessor);
    EXPECT_LE(consumer, h100().registersPerThread);
  }
}

TEST(Schedule, PreferencesAreRead) {
  Preference preference;
  EXPECT_EQ(parsePreference("register", "auto", preference), "");
  EXPECT_FALSE(preference.instruction.has_value());
  EXPECT_EQ(parsePreference("shared", "mma_sync", preference), "");
  EXPECT_EQ(preference.placement, Placement::Shared);
  EXPECT_NE(parsePreference("global", "auto", preference), "");
  EXPECT_NE(parsePreference("register", "hmma", preference), "");
  EXPECT_NE(parsePreference("shared", "wgmma", preference), "");
}

TEST(Schedule, ThePlansTileIsValid) {
  Schedule schedule;
  schedule.tileRows = schedule.tileTokens = 64;
  schedule.warpsRows = schedule.warpsTokens = 1;
  EXPECT_EQ(schedule.threads(), 32);
  EXPECT_EQ(verifySchedule(schedule, 1, h100()), "");
}

TEST(Schedule, SharedBytesAreTheSumOfTheParts) {
  Schedule schedule;
  schedule.tileRows = 128;
  schedule.tileTokens = 32;
  schedule.stages = 3;
  EXPECT_EQ(schedule.sharedBytes(3), 3 * (2 * 2176 + 32 * 128) + 16);
  EXPECT_EQ(schedule.sharedBytes(4), 3 * (2 * 2176 + 32 * 128) + 32);
  schedule.placement = Placement::Shared;
  EXPECT_EQ(schedule.sharedBytes(3),
            3 * (2 * 2176 + 32 * 128) + 16 + 128 * 128);
}

struct BadSchedule {
  const char *expected;
  void (*change)(Schedule &);
};

TEST(Schedule, WhatCannotRunIsExplained) {
  const BadSchedule cases[] = {
      {"requires at least one warp", [](Schedule &s) { s.warpsRows = 0; }},
      {"requires at most 32 warps",
       [](Schedule &s) { s.warpsRows = s.warpsTokens = 8; }},
      {"multiple of 64, but has 32", [](Schedule &s) { s.tileRows = 32; }},
      {"multiple of 16 for each of the 3 warps",
       [](Schedule &s) { s.warpsRows = 3; }},
      {"multiple of 8 for each of the 1 warps along tokens, but has 12",
       [](Schedule &s) { s.tileTokens = 12; }},
      {"at most 160 accumulators",
       [](Schedule &s) {
         s.tileRows = s.tileTokens = 128;
         s.warpsRows = 2;
       }},
      {"requires 2 to 16 stages", [](Schedule &s) { s.stages = 1; }},
      {"bytes of shared memory",
       [](Schedule &s) {
         s.tileRows = 64 * 16;
         s.warpsRows = 16;
         s.stages = 16;
       }},
      {"CTAs a multiprocessor",
       [](Schedule &s) { s.ctasPerMultiprocessor = 65; }},
  };
  for (const BadSchedule &bad : cases) {
    Schedule schedule;
    bad.change(schedule);
    EXPECT_NE(verifySchedule(schedule, 1, h100()).find(bad.expected),
              std::string::npos)
        << bad.expected << " / " << verifySchedule(schedule, 1, h100());
  }
  EXPECT_NE(verifySchedule({}, 0, h100()).find("groups"), std::string::npos);
  EXPECT_NE(verifySchedule({}, 1025, h100()).find("groups"), std::string::npos);
}

TEST(Schedule, NamesRoundTrip) {
  for (Placement placement : {Placement::Register, Placement::Shared}) {
    Placement back;
    EXPECT_TRUE(parse(name(placement), back));
    EXPECT_EQ(back, placement);
    EXPECT_FALSE(parse("global", back));
  }
  Instruction instruction;
  EXPECT_TRUE(parse(name(Instruction::MmaSync), instruction));
  EXPECT_FALSE(parse("hmma", instruction));
}

TEST(Target, UnknownChipsAreNotFound) {
  EXPECT_NE(findTarget("sm_90a"), nullptr);
  EXPECT_EQ(findTarget("sm_80"), nullptr);
}

} // namespace
