//===- ScheduleTest.cpp ---------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

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

TEST(Schedule, SmallTilesVersionTheirLoops) {
  EXPECT_TRUE(tiled(64, 32, 8, 4, 3, 1).versionsLoops());
  EXPECT_TRUE(tiled(64, 16, 8, 4, 1, 1).versionsLoops());
  // One width; more tokens than memory decides about; registers of four CTAs.
  EXPECT_FALSE(tiled(64, 8, 0, 4, 3, 1).versionsLoops());
  EXPECT_FALSE(tiled(64, 8, 8, 4, 3, 1).versionsLoops());
  EXPECT_FALSE(tiled(64, 40, 8, 4, 3, 1).versionsLoops());
  EXPECT_FALSE(tiled(64, 16, 8, 4, 1, 4).versionsLoops());
  Schedule sync = tiled(64, 32, 8, 4, 1, 1);
  sync.instruction = Instruction::MmaSync;
  EXPECT_FALSE(sync.versionsLoops());
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
  EXPECT_EQ(schedule.sharedBytes(3), stages + 32 + int64_t(128) * 128);
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
  for (const Schedule &any : allSchedules(h100(), Placement::Register))
    if (any.instruction == Instruction::Wgmma)
      EXPECT_EQ(any.staticSharedBytes() % 1024, 0);
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

// Beside what is a step too far stands what is allowed.
TEST(Schedule, TheLimitsThemselvesAreAllowed) {
  auto with = [](Schedule schedule, void (*change)(Schedule &)) {
    change(schedule);
    return schedule;
  };
  const Schedule allowed[] = {
      with({}, [](Schedule &s) { s.tileTokens = 8, s.stages = 2; }),
      with({}, [](Schedule &s) { s.tileTokens = 8, s.stages = 32; }),
      with({}, [](Schedule &s) { s.warpsRows = 4, s.warpsTokens = 8; }),
      // 160 accumulators.
      with({}, [](Schedule &s) { s.tileRows = 64, s.tileTokens = 80; }),
      with({}, [](Schedule &s) { s.ctasPerMultiprocessor = 1; }),
      with({}, [](Schedule &s) { s.ctasPerMultiprocessor = 64; }),
      with(smallWgmma(), [](Schedule &s) { s.tileTokens = s.tokenStep = 256; }),
      with(smallWgmma(), [](Schedule &s) { s.kSlices = 5, s.stages = 15; }),
  };
  for (const Schedule &schedule : allowed)
    EXPECT_EQ(verifySchedule(schedule, 1, h100()), "");
  EXPECT_EQ(verifySchedule({}, 1024, h100()), "");
  // As many k64 steps as slices, the last of them one of 32 alone.
  EXPECT_EQ(verifySchedule(allowed[7], 1, h100(), 5 * 64 - 32), "");
  EXPECT_NE(verifySchedule(allowed[7], 1, h100(), 4 * 64), "");

  Target target = h100();
  target.sharedPerCTA = Schedule().sharedBytes(9);
  EXPECT_EQ(verifySchedule({}, 9, target), "");
  --target.sharedPerCTA;
  EXPECT_NE(verifySchedule({}, 9, target), "");
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
