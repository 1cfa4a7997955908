//===- ScheduleTest.cpp ---------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mxfp4;

namespace {

const Target &h100() { return *findTarget("sm_90a"); }

ScheduleChoice choose(const Problem &problem,
                      const Preference &preference = {}) {
  return chooseSchedule(problem, h100(), preference);
}

/// A problem of gpt-oss's size: N = 5760, K = 2880, one expert a group.
Problem sized(int64_t groups, int64_t rows) {
  return {groups, groups, 5760, 2880, rows};
}

/// One consuming warpgroup, with the smallest of everything.
Schedule smallWgmma() {
  Schedule schedule;
  schedule.instruction = Instruction::Wgmma;
  schedule.tileTokens = 16;
  schedule.warpsRows = 4;
  return schedule;
}

TEST(Schedule, WhateverIsChosenCanRun) {
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
        // The CTAs that it promises must fit one multiprocessor.
        EXPECT_LE(
            choice.schedule.ctasPerMultiprocessor *
                (choice.schedule.sharedBytes(groups) + h100().sharedReserved),
            h100().sharedPerMultiprocessor);
      }
  }
}

// The suite runs every schedule of the list; none may be left out.
TEST(Schedule, WhateverIsChosenIsListed) {
  for (Placement placement : {Placement::Register, Placement::Shared}) {
    const std::vector<Schedule> all = allSchedules(h100(), placement);
    for (int64_t steps : {9, 45, 47, 64})
      for (int64_t groups : {1, 2, 33, 160, 300, 700, 1024})
        for (int64_t n : {64, 2880, 5760})
          for (int64_t mean = 1; mean < 300; mean += mean < 20 ? 1 : 7) {
            const ScheduleChoice choice =
                choose({groups, groups, n, steps * 64, mean * groups},
                       {placement, std::nullopt});
            EXPECT_NE(std::find(all.begin(), all.end(), choice.schedule),
                      all.end())
                << groups << " groups, " << mean << " rows each, N = " << n;
          }
  }
}

// Within mma.sync, whose tiles only grow; wgmma's are chosen by what is lost at
// the end of a group.
TEST(Schedule, MoreRowsNeverGetASmallerTile) {
  int last = 0;
  for (int64_t rows = 1; rows < 100000; rows *= 2) {
    const int tokens =
        choose(sized(32, rows), {Placement::Register, Instruction::MmaSync})
            .schedule.tileTokens;
    EXPECT_GE(tokens, last);
    last = tokens;
  }
}

TEST(Schedule, TheInstructionIsAPreference) {
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
  // Seven steps of K leave wgmma little to overlap; eight do not. Who asks for
  // it gets it.
  EXPECT_EQ(instruction({32, 32, 5760, 448, 32768}, {}), Instruction::MmaSync);
  EXPECT_EQ(instruction({32, 32, 5760, 480, 32768}, {}), Instruction::Wgmma);
  EXPECT_EQ(instruction({32, 32, 5760, 448, 32768},
                        {Placement::Register, Instruction::Wgmma}),
            Instruction::Wgmma);
}

struct Regime {
  Problem problem;
  const char *why;
  Schedule schedule;
};

/// The fields that regimes differ in; stages follow from shared memory.
Schedule tiled(int rows, int tokens, int step, int warps, int slices,
               int ctas) {
  Schedule schedule = smallWgmma();
  schedule.tileRows = rows;
  schedule.tileTokens = tokens;
  schedule.tokenStep = step;
  schedule.warpsRows = warps;
  schedule.kSlices = slices;
  schedule.ctasPerMultiprocessor = ctas;
  return schedule;
}

// The regimes of wgmma, from few rows to many. Routing to 32 groups is uneven,
// so a tile is chosen with room above the mean; one group has what is expected.
TEST(Schedule, EachRegimeHasItsTile) {
  // The first three: 90 tiles, one for each of 90 multiprocessors; 180, all at
  // once if two share one; 270, so that some get a third in any case.
  const Regime regimes[] = {
      {sized(32, 1), "few rows a group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(32, 2), "few rows a group and few tiles",
       tiled(64, 8, 0, 4, 3, 2)},
      {sized(32, 3), "few rows a group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(32, 64), "few rows a group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(32, 65), "about ten rows", tiled(64, 16, 8, 4, 3, 1)},
      {sized(32, 320), "about ten rows", tiled(64, 16, 8, 4, 3, 1)},
      {sized(32, 321), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(32, 1632), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(32, 1633), "many rows", tiled(192, 64, 16, 12, 1, 1)},
      {sized(32, 1729), "many rows", tiled(192, 96, 16, 12, 1, 1)},
      {sized(32, 100000), "many rows", tiled(192, 192, 16, 12, 1, 1)},
      {sized(1, 8), "few rows a group:", tiled(64, 8, 0, 4, 3, 1)},
      {sized(1, 9), "about ten rows", tiled(64, 16, 8, 4, 3, 1)},
      {sized(1, 17), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(1, 60), "a few dozen rows", tiled(128, 64, 8, 8, 3, 1)},
      {sized(1, 61), "many rows", tiled(192, 64, 16, 12, 1, 1)},
      // Alone, a group has a round or two of tiles, which are to be full: 90 of
      // 64 tokens for 132 multiprocessors, and 90 of 96.
      {sized(1, 192), "many rows", tiled(192, 64, 16, 12, 1, 1)},
      {sized(1, 193), "many rows", tiled(192, 96, 16, 12, 1, 1)},
      // 390 tiles of 160 tokens take three rounds, and so do 330 of 192.
      {{1, 1, 2880, 2880, 4096}, "many rows", tiled(192, 160, 16, 12, 1, 1)},
      {{1, 1, 2880, 2880, 8192}, "many rows", tiled(192, 192, 16, 12, 1, 1)},
      {{1, 1, 8192, 8192, 8192}, "many rows", tiled(192, 160, 16, 12, 1, 1)},
      // Of 256 rows two standard deviations more still make two tiles.
      {sized(128, 32768), "many rows", tiled(192, 144, 16, 12, 1, 1)},
      // Without a hint, what loses little at either end.
      {sized(32, 0), "no hint", tiled(128, 64, 8, 8, 3, 1)},
      // 8 rounds of all multiprocessors with tiles of 384 rows.
      {{128, 128, 2880, 2880, 2048}, "a few", tiled(128, 64, 8, 8, 3, 1)},
      // 15: enough for a tile with more tokens, but not for more of them.
      {{128, 128, 5760, 2880, 5120},
       "many tiles",
       tiled(384, 96, 16, 12, 1, 1)},
      {{128, 128, 5760, 2880, 5121}, "many rows", tiled(192, 64, 16, 12, 1, 1)},
      // 64 steps of K: two slices share them evenly.
      {{32, 32, 5760, 4096, 64}, "few rows", tiled(64, 8, 0, 4, 2, 1)},
      {{32, 32, 5760, 4096, 512}, "a few dozen", tiled(128, 64, 8, 8, 3, 1)},
      // 47 steps: nobody shares them evenly, as those must who overlap decode.
      // More CTAs instead, or six warpgroups.
      {{32, 32, 5760, 3008, 64}, "few rows", tiled(64, 8, 0, 4, 1, 4)},
      {{32, 32, 5760, 3008, 320}, "about ten", tiled(64, 16, 8, 4, 1, 4)},
      {{32, 32, 5760, 3008, 512}, "a few dozen", tiled(128, 64, 8, 8, 3, 1)},
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
    EXPECT_TRUE(more.stages * shared > 30 ||
                more.ctasPerMultiprocessor *
                        (more.sharedBytes(regime.problem.groups) +
                         h100().sharedReserved) >
                    h100().sharedPerMultiprocessor)
        << choice.reason;
  }
}

// The rows that a choice says it serves lead to the same choice, at both ends,
// and the next one to another.
TEST(Schedule, RangesOfRowsAreExact) {
  for (int64_t groups : {1, 32})
    for (int64_t rows = 1; rows < 200000; rows = rows * 3 / 2 + 1) {
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

// The fragments of all warps cover each 16-row slice of the tile once, and so
// do those of every K slice.
TEST(Schedule, SlicesAreCoveredOnce) {
  for (const Schedule &schedule : allSchedules(h100(), Placement::Register)) {
    std::vector<int> seen(schedule.tileRows / 16);
    for (int warp = 0; warp < schedule.consumerWarps(); ++warp)
      for (int i = 0; i < schedule.warpRows() / 16; ++i)
        ++seen.at(schedule.firstSlice(warp) + i * schedule.sliceStride());
    EXPECT_EQ(seen, std::vector<int>(seen.size(),
                                     schedule.warpsTokens * schedule.kSlices));
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

// Of the producer, one warp hands out tiles, and the others copy: one for each
// K slice, or one for the activations and up to two for the weights, or one.
TEST(Schedule, AProducerHasWarpsForItsCopies) {
  Schedule schedule = smallWgmma();
  EXPECT_EQ(schedule.copyingWarps(), 2);
  EXPECT_EQ(schedule.threads(), 128 + 32 * 3);
  schedule.tileRows = 192;
  EXPECT_EQ(schedule.copyingWarps(), 3);
  EXPECT_EQ(schedule.producerThreads(), 32 * 4);
  schedule.ctasPerMultiprocessor = 2;
  EXPECT_EQ(schedule.copyingWarps(), 1);
  EXPECT_EQ(schedule.producerThreads(), 32 * 2);
  schedule.kSlices = 3;
  EXPECT_EQ(schedule.copyingWarps(), 3);
  EXPECT_EQ(schedule.threads(), 3 * 128 + 32 * 4);
  schedule = Schedule();
  EXPECT_EQ(schedule.producerThreads(), 0);
}

// Registers go to the consumers where they need more than an equal share: one
// CTA, several warpgroups, many accumulators.
TEST(Schedule, RegistersAreHandedOverWhereTheyAreNeeded) {
  const Schedule needy = tiled(192, 192, 16, 12, 1, 1);
  EXPECT_EQ(needy.accumulators(), 96);
  EXPECT_EQ(needy.producerThreads(), 128);
  EXPECT_EQ(needy.producerRegisters(), 32);
  EXPECT_EQ(needy.consumerRegisters(h100()), 160);
  // Two warpgroups can leave the producer more.
  EXPECT_EQ(tiled(128, 128, 16, 8, 1, 1).producerRegisters(), 40);
  EXPECT_EQ(tiled(128, 128, 16, 8, 1, 1).consumerRegisters(h100()), 232);
  // Six have so few that half as many accumulators are too many.
  const Schedule six = tiled(128, 64, 8, 8, 3, 1);
  EXPECT_EQ(six.accumulators(), 32);
  EXPECT_EQ(six.producerRegisters(), 24);
  EXPECT_EQ(six.consumerRegisters(h100()), 80);
  // A warpgroup of producers has no warps for five slices and the tiles.
  EXPECT_EQ(tiled(64, 64, 8, 4, 5, 1).producerThreads(), 32 * 6);
  for (const Schedule &content :
       {tiled(192, 96, 16, 12, 1, 1), tiled(64, 192, 16, 4, 1, 1),
        tiled(128, 128, 16, 8, 1, 2), tiled(128, 48, 8, 8, 3, 1),
        tiled(64, 64, 8, 4, 5, 1)}) {
    EXPECT_FALSE(content.handsOverRegisters());
    EXPECT_EQ(content.producerRegisters(), 0);
    EXPECT_EQ(content.consumerRegisters(h100()), 0);
  }
}

// Up to four warpgroups have registers for a second fragment.
TEST(Schedule, FewWarpgroupsOverlapDecode) {
  EXPECT_TRUE(tiled(192, 192, 16, 12, 1, 1).overlapsDecode());
  EXPECT_TRUE(tiled(128, 64, 8, 8, 2, 1).overlapsDecode());
  EXPECT_FALSE(tiled(64, 64, 8, 4, 5, 1).overlapsDecode());
  EXPECT_FALSE(tiled(128, 64, 8, 8, 3, 1).overlapsDecode());
}

// The same threads and registers, the same tokens and so the same table of
// tiles, which lies behind all stages of both.
TEST(Schedule, KSlicesThatDoNotOverlapHaveTilesSideBySide) {
  for (const Placement placement : {Placement::Register, Placement::Shared})
    for (const Schedule &schedule : allSchedules(h100(), placement)) {
      const std::optional<Schedule> tall = schedule.sideBySide();
      EXPECT_EQ(tall.has_value(), placement == Placement::Register &&
                                      schedule.kSlices > 1 &&
                                      !schedule.overlapsDecode());
      if (!tall)
        continue;
      EXPECT_EQ(verifySchedule(*tall, 32, h100()), "");
      EXPECT_EQ(tall->tileRows, schedule.tileRows * schedule.kSlices);
      EXPECT_EQ(tall->kSlices, 1);
      EXPECT_EQ(tall->threads(), schedule.threads());
      EXPECT_EQ(tall->warpTokens(), schedule.warpTokens());
      EXPECT_EQ(tall->producerRegisters(), schedule.producerRegisters());
      EXPECT_EQ(tall->consumerRegisters(h100()),
                schedule.consumerRegisters(h100()));
      EXPECT_EQ(tall->tableEntries(32), schedule.tableEntries(32));
      EXPECT_LE(tall->tableOffset(), schedule.tableOffset());
      EXPECT_FALSE(tall->sideBySide());
    }
  EXPECT_TRUE(tiled(128, 64, 8, 8, 3, 1).sideBySide());
  EXPECT_FALSE(tiled(128, 64, 8, 8, 2, 1).sideBySide());
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

// Stages, then the table of tiles: two entries more than there are groups, in
// whole units of 16 bytes. What mma.sync decodes is declared by the kernel.
TEST(Schedule, SharedBytesAreTheSumOfTheParts) {
  Schedule schedule;
  schedule.tileRows = 128;
  schedule.tileTokens = 32;
  schedule.stages = 3;
  const int64_t stages = int64_t(3) * (2 * 2176 + 32 * 128);
  EXPECT_EQ(schedule.sharedBytes(2), stages + 16);
  EXPECT_EQ(schedule.sharedBytes(3), stages + 32);
  schedule.placement = Placement::Shared;
  EXPECT_EQ(schedule.dynamicSharedBytes(3), stages + 32);
  EXPECT_EQ(schedule.sharedBytes(3), stages + 32 + 128 * 128);
}

// wgmma: activations; two decoded blocks of 64 x 64 bf16 for each warpgroup, if
// they are decoded to shared memory; weights; the f32 sums of a K slice; the
// table. Barriers are declared, and end where the next KiB begins.
TEST(Schedule, WgmmaReadsTilesThatBeginAtWholeKiB) {
  Schedule schedule = tiled(128, 32, 8, 8, 2, 1);
  schedule.stages = 6;
  const int64_t activations = int64_t(6) * 32 * 128,
                weights = int64_t(6) * 2 * 2176;
  const int64_t sums = int64_t(128) * 32 * 4;
  EXPECT_EQ(schedule.decodedOffset(), activations);
  EXPECT_EQ(schedule.weightOffset(), activations);
  EXPECT_EQ(schedule.reductionOffset(), activations + weights);
  EXPECT_EQ(schedule.dynamicSharedBytes(2), activations + weights + sums + 16);
  EXPECT_EQ(schedule.sharedBytes(2), schedule.dynamicSharedBytes(2) + 1024);
  schedule.placement = Placement::Shared;
  const int64_t decoded = int64_t(4) * 2 * 64 * 128;
  EXPECT_EQ(schedule.decodedOffset(), activations);
  EXPECT_EQ(schedule.weightOffset(), activations + decoded);
  EXPECT_EQ(schedule.reductionOffset(), activations + decoded + weights);
  EXPECT_EQ(schedule.sharedBytes(2),
            activations + decoded + weights + sums + 16 + 1024);
  for (const Schedule &any : allSchedules(h100(), Placement::Shared))
    if (any.instruction == Instruction::Wgmma) {
      EXPECT_EQ(any.decodedOffset() % 1024, 0);
      EXPECT_EQ(any.activationStageBytes() % 1024, 0);
    }
  schedule.kSlices = 1;
  EXPECT_EQ(schedule.reductionBytes(), 0);
}

// A tile with fewer tokens works on whole steps; without a step, on all.
TEST(Schedule, TheHeightOfATileGrowsInSteps) {
  EXPECT_EQ(tiled(64, 48, 16, 4, 1, 1).heightStep(), 16);
  EXPECT_EQ(tiled(64, 48, 0, 4, 1, 1).heightStep(), 48);
  EXPECT_EQ(verifySchedule(tiled(64, 48, 16, 4, 1, 1), 1, h100()), "");
}

TEST(Schedule, KSlicesShareTheSteps) {
  Schedule schedule = tiled(64, 16, 0, 4, 3, 1);
  schedule.stages = 9;
  // 45 steps and 46; an unknown K is not judged.
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 2880), "");
  EXPECT_EQ(verifySchedule(schedule, 1, h100()), "");
  EXPECT_EQ(verifySchedule(schedule, 1, h100(), 2944),
            "requires a number of k64 steps that its 3 K slices share evenly, "
            "but K = 2944 has 46");
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
        tiled(128, 64, 8, 8, 3, 1), tiled(64, 64, 8, 4, 5, 1)})
    for (int64_t steps = schedule.kSlices; steps <= 130; ++steps) {
      if (schedule.overlapsDecode() && steps % schedule.kSlices != 0)
        continue;
      int64_t next = 0, least = steps, most = 0;
      for (int slice = 0; slice < schedule.kSlices; ++slice) {
        const Schedule::Steps taken = schedule.sliceSteps(slice, steps);
        EXPECT_EQ(taken.begin, next);
        EXPECT_GE(taken.count, 1);
        next += taken.count;
        if (slice > 0) {
          least = std::min(least, taken.count);
          most = std::max(most, taken.count);
        }
      }
      EXPECT_EQ(next, steps);
      EXPECT_LE(most - least, 1);
      EXPECT_LE(schedule.sliceSteps(0, steps).count, least);
    }
}

// The first slice adds the sums meanwhile, which takes as long as three steps;
// slices whose loops are unrolled have as many each.
TEST(Schedule, TheFirstOfSlicesThatDoNotOverlapHasFewerSteps) {
  const auto counts = [](const Schedule &schedule, int64_t steps) {
    std::vector<int64_t> found;
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
  EXPECT_EQ(counts(tiled(64, 16, 0, 4, 1, 1), 45), (Counts{45}));
}

struct BadSchedule {
  const char *expected;
  void (*change)(Schedule &);
};

void expectExplained(const BadSchedule &bad, Schedule schedule) {
  ASSERT_EQ(verifySchedule(schedule, 1, h100()), "");
  bad.change(schedule);
  const std::string message = verifySchedule(schedule, 1, h100());
  EXPECT_NE(message.find(bad.expected), std::string::npos)
      << bad.expected << " / " << message;
}

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
      {"token step that is a multiple of 8 and divides the 64 tokens of the "
       "tile, but has 24",
       [](Schedule &s) { s.tokenStep = 24; }},
      {"token step that is a multiple of 8 and divides the 64 tokens of the "
       "tile, but has 4",
       [](Schedule &s) { s.tokenStep = 4; }},
      {"requires 1 to 5 K slices, but has 0",
       [](Schedule &s) { s.kSlices = 0; }},
      {"requires 1 to 5 K slices, but has 6",
       [](Schedule &s) { s.kSlices = 6; }},
      // More than an int can count: slices are looked at before threads.
      {"requires 1 to 5 K slices, but has 1024",
       [](Schedule &s) { s.warpsRows = s.warpsTokens = s.kSlices = 1024; }},
      {"requires wgmma for K slices and for a token step",
       [](Schedule &s) { s.kSlices = 2; }},
      {"requires wgmma for K slices and for a token step",
       [](Schedule &s) { s.tokenStep = 8; }},
      {"requires 2 to 32 stages, but has 1", [](Schedule &s) { s.stages = 1; }},
      {"requires 2 to 32 stages, but has 33",
       [](Schedule &s) { s.stages = 33; }},
      {"bytes of shared memory",
       [](Schedule &s) {
         s.tileRows = 64 * 16;
         s.warpsRows = 16;
         s.stages = 16;
       }},
      {"CTAs a multiprocessor",
       [](Schedule &s) { s.ctasPerMultiprocessor = 65; }},
  };
  for (const BadSchedule &bad : cases)
    expectExplained(bad, {});
  const BadSchedule wgmmaCases[] = {
      {"requires whole warpgroups along rows for wgmma (a multiple of 4 warps "
       "along rows, 1 along tokens), but has 2 and 1",
       [](Schedule &s) { s.warpsRows = 2; }},
      {"requires whole warpgroups along rows for wgmma (a multiple of 4 warps "
       "along rows, 1 along tokens), but has 4 and 2",
       [](Schedule &s) { s.warpsTokens = 2; }},
      {"requires at most 256 tile tokens for wgmma, but has 264",
       [](Schedule &s) { s.tileTokens = 264; }},
      {"requires at least three stages for each of the 2 K slices, the same "
       "number for all, but has 4",
       [](Schedule &s) { s.kSlices = 2; }},
      {"requires at least three stages for each of the 2 K slices, the same "
       "number for all, but has 7",
       [](Schedule &s) { s.kSlices = 2, s.stages = 7; }},
      // Five slices of two warpgroups are 40 warps; five copy, one hands out
      // tiles.
      {"requires at most 32 warps, but has 46",
       [](Schedule &s) {
         s.tileRows = 128;
         s.warpsRows = 8;
         s.kSlices = 5;
         s.stages = 15;
       }},
  };
  for (const BadSchedule &bad : wgmmaCases)
    expectExplained(bad, smallWgmma());
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
