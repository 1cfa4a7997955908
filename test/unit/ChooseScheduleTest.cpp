//===- ChooseScheduleTest.cpp ---------------------------------------------===//
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

TEST(ChooseSchedule, WhateverIsChosenCanRun) {
  for (Placement placement : {Placement::Register, Placement::Shared}) {
    for (const Schedule &schedule : allSchedules(h100(), placement))
      EXPECT_EQ(verifySchedule(schedule, 32, h100()), "");
    for (int64_t groups : {1, 4, 32, 128, 1024})
      for (int64_t rows : {0, 1, 7, 64, 1000, 100000, 100000000}) {
        const ScheduleChoice choice =
            choose(sized(groups, rows), {placement, std::nullopt});
        EXPECT_EQ(verifySchedule(choice.schedule, groups, h100(), 2880), "");
        EXPECT_EQ(choice.schedule.placement, placement);
        EXPECT_FALSE(choice.reason.empty());
        // The CTAs that it promises must fit one SM.
        EXPECT_LE(choice.schedule.ctasPerMultiprocessor *
                      (SharedMemoryMap(choice.schedule, BlockLayout(), groups)
                           .bytes() +
                       h100().sharedReserved),
                  h100().sharedPerMultiprocessor);
      }
  }
}

// Instructions are for their activations, and for nothing else.
TEST(ChooseSchedule, InstructionsFitActivations) {
  const Problem fp8 = sizedFP8(32, 4096, 2880, 0), bf16 = sized(32, 4096);
  const Schedule eight = choose(fp8).schedule, sixteen = choose(bf16).schedule;
  EXPECT_NE(verifySchedule(sixteen, fp8, h100())
                .find("activations of e4m3, but has wgmma for bf16"),
            std::string::npos);
  EXPECT_NE(verifySchedule(eight, bf16, h100())
                .find("activations of bf16, but has wgmma_fp8 for e4m3"),
            std::string::npos);
  // The accumulators of the tallest tile are too many twice.
  Problem tall = sizedFP8(1, 8192, 8192, 0);
  const Schedule tallest = choose(tall).schedule;
  EXPECT_EQ(verifySchedule(tallest, tall, h100()), "");
  tall.promotion = 512;
  EXPECT_NE(verifySchedule(tallest, tall, h100())
                .find("requires at most 192 accumulators per thread"),
            std::string::npos);
}

// The reason says which rule led to the instruction, with the numbers.
TEST(ChooseSchedule, TheInstructionHasItsReason) {
  for (int64_t steps = 1; steps < 20; ++steps)
    for (int64_t rest : {0, 32}) {
      const Problem problem = {4, 4, 192, steps * 64 - rest, 8};
      const ScheduleChoice choice = choose(problem);
      const bool isWgmma = choice.schedule.instruction == Instruction::Wgmma;
      EXPECT_EQ(isWgmma, steps >= 8);
      const std::string why =
          isWgmma ? "; wgmma because K has at least 8 steps of 64 ("
                  : "; mma.sync because K = " + std::to_string(problem.k) +
                        " has only " + std::to_string(steps) +
                        (steps == 1 ? " step" : " steps") +
                        " of 64, and wgmma needs 8 to overlap copies, decoding "
                        "and multiplication (";
      EXPECT_NE(choice.reason.find(why), std::string::npos) << choice.reason;
      for (auto [asked, name] : {std::pair(Instruction::MmaSync, "mma.sync"),
                                 {Instruction::Wgmma, "wgmma"}}) {
        const std::string said =
            choose(problem, {Placement::Register, asked}).reason;
        EXPECT_NE(said.find(std::string("; ") + name + " as asked for ("),
                  std::string::npos)
            << said;
      }
    }
}

// The suite runs every schedule of the list; none may be left out, on whatever
// device.
TEST(ChooseSchedule, WhateverIsChosenIsListed) {
  for (auto [device, placement] : {std::pair("h100-sxm", Placement::Register),
                                   {"h100-sxm", Placement::Shared},
                                   {"h200", Placement::Register},
                                   {"h20", Placement::Register}}) {
    const std::vector<Schedule> all = allSchedules(h100(), placement);
    const Target target = targetFor(device);
    for (int64_t steps : {2, 4, 7, 8, 9, 12, 32, 45, 47, 64})
      for (int64_t groups : {1, 2, 33, 160, 300, 700, 1024})
        for (int64_t n : {64, 2880, 5760}) {
          // Up to this number of rows, the last choice is the same; another
          // test shows that these ranges are exact.
          int64_t sameTo = 0;
          for (int64_t mean = 1; mean < 300; mean += mean < 20 ? 1 : 7) {
            if (mean * groups <= sameTo)
              continue;
            const ScheduleChoice choice =
                choose({groups, groups, n, steps * 64, mean * groups},
                       {placement, std::nullopt}, target);
            sameTo = choice.rowsTo;
            EXPECT_NE(std::find(all.begin(), all.end(), choice.schedule),
                      all.end())
                << groups << " groups, " << mean << " rows each, N = " << n;
          }
        }
  }
}

// All schedules of a problem that must give a row the same bits add over K in
// the same order, by the same instruction; without the wish some do not.
TEST(ChooseSchedule, BatchInvariantSchedulesAddInOneOrder) {
  int others = 0;
  for (Placement placement : {Placement::Register, Placement::Shared}) {
    const std::vector<Schedule> all = allSchedules(h100(), placement);
    for (int64_t steps : {1, 7, 8, 9, 45, 47, 64})
      for (int64_t groups : {1, 8, 32, 128, 1024})
        for (int64_t n : {64, 2880, 5760}) {
          const Problem any = {groups, groups, n, steps * 64, 1};
          Preference preference = {placement, std::nullopt,
                                   /*batchInvariant=*/true};
          const Schedule first = choose(any, preference).schedule;
          for (int64_t rows = 1; rows < 300 * groups; rows += rows / 3 + 1) {
            Problem problem = any;
            problem.rowsHint = rows;
            const Schedule schedule = choose(problem, preference).schedule;
            EXPECT_EQ(verifySchedule(schedule, problem, h100()), "");
            EXPECT_EQ(verifyBatchInvariant(schedule), "");
            EXPECT_TRUE(schedule.sumsInOrder() && !schedule.sideBySide);
            EXPECT_EQ(schedule.instruction, first.instruction);
            EXPECT_EQ(schedule.placement, placement);
            EXPECT_NE(std::find(all.begin(), all.end(), schedule), all.end());
            const Schedule free =
                choose(problem, {placement, std::nullopt}).schedule;
            others += !free.sumsInOrder();
            EXPECT_EQ(verifyBatchInvariant(free).empty(), free.sumsInOrder());
          }
        }
  }
  EXPECT_GT(others, 100);
}

// Within mma.sync, whose tiles only grow; wgmma's are chosen by what is lost at
// the end of a group.
TEST(ChooseSchedule, MoreRowsNeverGetASmallerTile) {
  int last = 0;
  for (int64_t rows = 1; rows < 100000; rows *= 2) {
    const int tokens =
        choose(sized(32, rows), {Placement::Register, Instruction::MmaSync})
            .schedule.tileTokens;
    EXPECT_GE(tokens, last);
    last = tokens;
  }
}

TEST(ChooseSchedule, TheInstructionIsAPreference) {
  auto instruction = [](const Problem &problem, const Preference &preference) {
    return choose(problem, preference).schedule.instruction;
  };
  for (Placement placement : {Placement::Register, Placement::Shared})
    for (int64_t rows : {4, 32768}) {
      const Problem problem = sized(32, rows);
      EXPECT_EQ(instruction(problem, {placement, std::nullopt}),
                Instruction::Wgmma);
      EXPECT_EQ(instruction(problem, {placement, Instruction::Wgmma}),
                Instruction::Wgmma);
      EXPECT_EQ(instruction(problem, {placement, Instruction::MmaSync}),
                Instruction::MmaSync);
    }
  // Seven steps of K leave wgmma little to overlap; eight do not, nor do many
  // rows per group. Who asks for it gets it.
  EXPECT_EQ(instruction({32, 32, 5760, 448, 32 * 54}, {}),
            Instruction::MmaSync);
  EXPECT_EQ(instruction({32, 32, 5760, 448, 32 * 55}, {}), Instruction::Wgmma);
  EXPECT_EQ(instruction({32, 32, 5760, 480, 32 * 54}, {}), Instruction::Wgmma);
  EXPECT_EQ(instruction({32, 32, 5760, 448, 64},
                        {Placement::Register, Instruction::Wgmma}),
            Instruction::Wgmma);
}

// Stages fill shared memory to its last byte, if they come out even.
TEST(ChooseSchedule, StagesFillSharedMemory) {
  for (int64_t rows : {4, 64, 1024, 32768}) {
    const Schedule chosen = choose(sized(32, rows)).schedule;
    Target target = h100();
    target.sharedPerCTA = SharedMemoryMap(chosen, BlockLayout(), 32).bytes();
    EXPECT_TRUE(choose(sized(32, rows), {}, target).schedule == chosen) << rows;
    --target.sharedPerCTA;
    EXPECT_LT(choose(sized(32, rows), {}, target).schedule.stages,
              chosen.stages)
        << rows;
  }
}

} // namespace
