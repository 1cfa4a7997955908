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

// The rows that a choice says it serves lead to the same choice, at both ends,
// and the next one to another.
TEST(ChooseSchedule, RangesOfRowsAreExact) {
  for (auto [device, groups] : {std::pair("h100-sxm", 1),
                                {"h100-sxm", 32},
                                {"h200", 32},
                                {"h200", 128}})
    for (int64_t rows = 1; rows < 200000; rows = rows * 3 / 2 + 1) {
      const auto choose = [target = targetFor(device)](const Problem &problem) {
        return chooseSchedule(problem, target);
      };
      const ScheduleChoice choice = choose(sized(groups, rows));
      EXPECT_LE(choice.rowsFrom, rows);
      EXPECT_GE(choice.rowsTo, rows);
      for (int64_t end : {choice.rowsFrom, choice.rowsTo}) {
        if (end == 0 || end == INT64_MAX)
          continue;
        EXPECT_TRUE(choose(sized(groups, end)).schedule == choice.schedule);
      }
      if (choice.rowsTo != INT64_MAX)
        EXPECT_EQ(choose(sized(groups, choice.rowsTo + 1)).rowsFrom,
                  choice.rowsTo + 1);
    }
}

// Where an SM gets more than 13 bytes per clock, the regime up to ten
// rows per group has as many warps that decode as fit; all others are the same.
TEST(ChooseSchedule, MoreBandwidthTakesMoreWarpsThatDecode) {
  const Target h200 = targetFor("h200");
  const char *two = "24 warps of two CTAs", *one = "24 warps of one CTA",
             *narrow = "five K slices share small tiles";
  const Regime regimes[] = {
      {sized(32, 64), two, decoding(4, 2)},
      {sized(32, 320), two, decoding(4, 2)},
      {sized(128, 17), two, decoding(4, 2)},
      {sized(1024, 4096), two, decodingTwoKinds()},
      // 64, 32 and 112 steps of K, and 47: three slices share them as they
      // come.
      {{256, 256, 4096, 4096, 512}, two, decodingTwoKinds()},
      {{256, 256, 7168, 2048, 2048}, two, decodingTwoKinds()},
      {{256, 256, 4096, 7168, 128}, two, decodingTwoKinds()},
      // From ten waves, 2640 tiles, on: 2273 and 3650, then 2549 and 2943; and
      // up to 12 rows per group.
      {sized(128, 64), two, decoding(4, 2)},
      {sized(128, 128), two, decodingTwoKinds()},
      {{128, 128, 2880, 2880, 256}, two, decoding(4, 2)},
      {{128, 128, 2880, 2880, 1024}, two, decodingTwoKinds()},
      {{512, 512, 2688, 1024, 512 * 12}, two, decodingTwoKinds()},
      {{32, 32, 5760, 3008, 64}, two, decoding(4, 2)},
      // 918 tiles, by 20 groups that have rows: four rounds of 264 CTAs, in
      // whose time one CTA per SM has 7.5 of 132 for 7. Then 627 tiles, three
      // rounds and five, but 724 and 456, three rounds and six, two and four.
      {sized(32, 32), one, decoding(8, 1)},
      {sized(32, 17), one, decoding(8, 1)},
      {sized(32, 21), two, decoding(4, 2)},
      {sized(32, 12), two, decoding(4, 2)},
      // 320 tiles are two rounds, the second of which is nearly empty; as 641
      // of 64 columns they are five of 132. And 303.
      {{256, 256, 512, 4096, 96}, narrow, narrowDecoding()},
      {{128, 128, 768, 2880, 64}, narrow, narrowDecoding()},
      // K of nine steps is too short for five slices.
      {{256, 256, 512, 576, 96}, one, decoding(8, 1)},
  };
  for (const Regime &regime : regimes) {
    const ScheduleChoice choice = choose(regime.problem, {}, h200);
    Schedule expected = regime.schedule;
    expected.stages = expected.kSlices == 5                 ? 25
                      : expected.ctasPerMultiprocessor == 2 ? 9
                                                            : 18;
    EXPECT_TRUE(choice.schedule == expected)
        << regime.problem.rowsHint << " rows of " << regime.problem.groups
        << " groups, N = " << regime.problem.n << ": " << choice.reason;
    EXPECT_NE(choice.reason.find(regime.why), std::string::npos)
        << choice.reason;
    EXPECT_EQ(verifySchedule(choice.schedule, regime.problem.groups, h200,
                             regime.problem.k),
              "");
    EXPECT_FALSE(choose(regime.problem).schedule == choice.schedule);
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
      // 360 tiles of 64 columns or 180 of 128 for 132 SMs, then 1024 or 512.
      {sized(32, 4), 64, 8, 5, 20},
      {{256, 256, 7168, 2048, 8}, 64, 8, 5, 20},
      {{256, 256, 4096, 7168, 8}, 128, 8, 3, 24},
      {sized(32, 8), 128, 8, 3, 24},
      {{32, 32, 2880, 2880, 4}, 128, 8, 3, 24},
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
  // Rows that are gathered.
  Problem gathered = sized(32, 32 * 56);
  gathered.gathers = true;
  EXPECT_TRUE(choose(gathered, {}, h200).schedule == choose(gathered).schedule);
}

/// The first numbers of rows of each range that has a schedule of its own.
std::vector<int64_t> rangesOf(int64_t groups, const Preference &preference) {
  std::vector<int64_t> starts;
  for (int64_t rows = 1;;) {
    const ScheduleChoice choice = choose(sized(groups, rows), preference);
    starts.push_back(choice.rowsFrom);
    if (choice.rowsTo == INT64_MAX)
      return starts;
    rows = choice.rowsTo + 1;
  }
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

// Where the choice changes was measured, with the numbers that lead to it. A
// change of these lists is a change of kernels that users get.
TEST(ChooseSchedule, RangesOfRowsAreThoseThatWereMeasured) {
  using Starts = std::vector<int64_t>;
  const Preference any, mma = {Placement::Register, Instruction::MmaSync},
                        shared = {Placement::Shared, std::nullopt};
  EXPECT_EQ(rangesOf(1, any),
            (Starts{0,    9,    17,   65,   97,   193,  385,  417,  577,  769,
                    1153, 1281, 1537, 1793, 2049, 2305, 2561, 2817, 3073, 3329,
                    3585, 3841, 4609, 5121, 5633, 6145, 7169, 7681}));
  EXPECT_EQ(rangesOf(8, any),
            (Starts{0,    2,    3,    17,   81,   433,  577,  641,  705,  897,
                    961,  1025, 1153, 1281, 1409, 1921, 2049, 2305, 2817, 3073,
                    3329, 3585, 4097, 4609, 5121, 5633, 6145, 7169, 7681}));
  EXPECT_EQ(rangesOf(32, any),
            (Starts{0,     2,     3,     17,    321,   1729,  2305, 2561, 2817,
                    3585,  3841,  4097,  4609,  5121,  6657,  7681, 8193, 9217,
                    11265, 12289, 13313, 18433, 20481, 24577, 26625}));
  EXPECT_EQ(rangesOf(128, any),
            (Starts{0, 2, 3, 17, 1281, 5121, 6145, 9217, 14337, 18433, 20481,
                    26625, 30721, 32769, 36865}));
  // As many waves of the tallest tiles as the middle regime does not take.
  EXPECT_EQ(rangesOf(100, any),
            (Starts{0, 2, 3, 17, 1001, 4001, 4801, 7201, 11201, 12801, 14401,
                    19201, 24001, 25601, 28801, 41601, 44801, 48001, 51201}));
  EXPECT_EQ(rangesOf(32, mma), (Starts{0, 129, 385, 1281}));
  EXPECT_EQ(rangesOf(32, shared),
            (Starts{0,    17,    321,   1281,  1537,  2305,  2561,  2817,
                    3585, 3841,  4097,  4609,  5121,  6657,  7681,  8193,
                    9217, 11265, 12289, 13313, 18433, 20481, 24577, 26625}));
}

// Tiles are filled evenly with 1024 rows in each of several groups; more rows
// do not change the choice.
TEST(ChooseSchedule, MoreThanManyRowsAGroupChangeNothing) {
  for (int64_t groups : {2, 3, 8, 32})
    for (int64_t size : {1024, 2048, 4096}) {
      const auto chosen = [&](int64_t rows) {
        return choose({groups, groups, size, size, groups * rows}).schedule;
      };
      for (int64_t rows : {1025, 1500, 2048, 5000, 20000})
        EXPECT_TRUE(chosen(rows) == chosen(1024))
            << groups << " groups of " << rows << " rows, N = K = " << size;
    }
}

} // namespace
