//===- ScheduleTest.cpp ---------------------------------------------------===//
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

TEST(Schedule, AChipWithoutTheInstructionIsExplained) {
  Target target = h100();
  target.instructions = {Instruction::MmaSync};
  EXPECT_EQ(verifySchedule({}, 1, target), "");
  EXPECT_EQ(verifySchedule(smallWgmma(), 1, target),
            "requires an instruction that sm_90a has, but has wgmma");
  // And the chooser keeps to those that it has.
  for (const Schedule &schedule : allSchedules(target, Placement::Register))
    EXPECT_EQ(schedule.instruction, Instruction::MmaSync);
  EXPECT_EQ(
      chooseSchedule({32, 32, 5760, 2880, 4096}, target).schedule.instruction,
      Instruction::MmaSync);
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
      {"requires warps_rows from 1", [](Schedule &s) { s.warpsRows = 0; }},
      {"requires warps_tokens from 1", [](Schedule &s) { s.warpsTokens = 0; }},
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
      {"requires k_slices from 1 to 1024, but has 0",
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
      {"requires wgmma for copy_warps", [](Schedule &s) { s.copyWarps = 1; }},
      {"requires wgmma for copy_warps",
       [](Schedule &s) { s.producerRegisters = 24; }},
      {"requires wgmma for overlap_decode",
       [](Schedule &s) { s.overlapDecode = true; }},
      {"requires wgmma for overlap_decode",
       [](Schedule &s) { s.versionLoops = true; }},
      {"requires wgmma for overlap_decode",
       [](Schedule &s) { s.evictFirst = true; }},
      {"requires wgmma for overlap_decode",
       [](Schedule &s) { s.fullTilesFirst = true; }},
      {"requires wgmma for overlap_decode",
       [](Schedule &s) { s.sideBySide = true; }},
      {"side_by_side and wide_from", [](Schedule &s) { s.wideFrom = 65; }},
      {"requires K slices without overlap_decode for sum_steps",
       [](Schedule &s) { s.sumSteps = 3; }},
      {"requires 2 to 32 stages, but has 1", [](Schedule &s) { s.stages = 1; }},
      {"requires 2 to 32 stages, but has 33",
       [](Schedule &s) { s.stages = 33; }},
      {"bytes of shared memory",
       [](Schedule &s) {
         s.tileRows = 64 * 16;
         s.warpsRows = 16;
         s.stages = 16;
       }},
      {"CTAs per SM", [](Schedule &s) { s.ctasPerMultiprocessor = 65; }},
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
         s.kSlices = s.copyWarps = 5;
         s.stages = 15;
       }},
      {"requires copy_warps for wgmma", [](Schedule &s) { s.copyWarps = 0; }},
      {"requires at most 2 copy_warps, one for the activations and one for "
       "each 64 rows of the tile, but has 3",
       [](Schedule &s) { s.copyWarps = 3; }},
      {"requires copy_warps = 2, one for each K slice, but has 1",
       [](Schedule &s) { s.kSlices = 2, s.stages = 6; }},
      {"requires one CTA per SM and two consumer warpgroups for "
       "producer_registers",
       [](Schedule &s) { s.producerRegisters = 24; }},
      {"requires K slices without overlap_decode for sum_steps",
       [](Schedule &s) { s.sumSteps = 3; }},
      {"requires overlap_decode and a token_step below the tokens of the tile",
       [](Schedule &s) { s.versionLoops = true; }},
      {"requires overlap_decode and a token_step below the tokens of the tile",
       [](Schedule &s) { s.versionLoops = true, s.tokenStep = 16; }},
      {"requires a token_step for full_tiles_first",
       [](Schedule &s) { s.fullTilesFirst = true; }},
      {"requires K slices, register placement, one CTA per SM and no "
       "overlap_decode for side_by_side",
       [](Schedule &s) { s.sideBySide = true; }},
  };
  for (const BadSchedule &bad : wgmmaCases)
    expectExplained(bad, smallWgmma());
  Schedule six = tiled(128, 64, 8, 8, 3, 1);
  six.stages = 9;
  const BadSchedule sliced[] = {
      {"requires producer_registers to be a multiple of 8 from 24 to 64, less "
       "than the 72 of an equal share, but has 72",
       [](Schedule &s) { s.producerRegisters = 72; }},
      {"requires producer_registers to be a multiple of 8",
       [](Schedule &s) { s.producerRegisters = 28; }},
      {"requires producer_registers to be a multiple of 8",
       [](Schedule &s) { s.producerRegisters = 16; }},
      {"requires one CTA per SM",
       [](Schedule &s) { s.ctasPerMultiprocessor = 2; }},
      {"requires K slices without overlap_decode for sum_steps",
       [](Schedule &s) { s.overlapDecode = true; }},
      {"no overlap_decode for side_by_side",
       [](Schedule &s) { s.overlapDecode = true, s.sumSteps = 0; }},
      {"requires K slices, register placement",
       [](Schedule &s) { s.placement = Placement::Shared; }},
      {"requires at most 3 copy_warps with producer_registers",
       [](Schedule &s) {
         s.kSlices = s.copyWarps = 4;
         s.warpsRows = 4;
         s.tileRows = 64;
         s.stages = 12;
       }},
      {"requires rows from 1 to 1024, but has 1152 in the tall tiles of "
       "side_by_side",
       [](Schedule &s) { s.tileRows = 384, s.tileTokens = 16; }},
  };
  for (const BadSchedule &bad : sliced)
    expectExplained(bad, six);
  Schedule twoKinds = decodingTwoKinds();
  twoKinds.stages = 9;
  const BadSchedule kinds[] = {
      {"requires a token_step, register placement and none of "
       "full_tiles_first, side_by_side and producer_registers for wide_from",
       [](Schedule &s) { s.tokenStep = 0; }},
      {"and none of full_tiles_first, side_by_side",
       [](Schedule &s) { s.fullTilesFirst = true; }},
      {"and none of full_tiles_first, side_by_side",
       [](Schedule &s) {
         s.ctasPerMultiprocessor = 1;
         s.sideBySide = true;
       }},
      {"and producer_registers for wide_from",
       [](Schedule &s) {
         s.ctasPerMultiprocessor = 1;
         s.producerRegisters = 24;
       }},
      {"register placement",
       [](Schedule &s) { s.placement = Placement::Shared; }},
      {"requires wide_from to be more than the 16 tokens of a tile and at most "
       "twice as many, but has 16",
       [](Schedule &s) { s.wideFrom = 16; }},
      {"requires wide_from to be more than the 16 tokens of a tile and at most "
       "twice as many, but has 33",
       [](Schedule &s) { s.wideFrom = 33; }},
      {"requires half of the tile rows to be a multiple of 128, and twice the "
       "tile tokens to be at most 256, for wide_from, but has 128 and 16",
       [](Schedule &s) { s.warpsRows = 8; }},
      {"requires half of the tile rows to be a multiple of 64, and twice the "
       "tile tokens to be at most 256, for wide_from, but has 192 and 16",
       [](Schedule &s) { s.tileRows = 192; }},
      {"requires at least three wide_stages for each of the 3 K slices, the "
       "same number for all, but has 6",
       [](Schedule &s) { s.wideStages = 6; }},
      {"requires at least three wide_stages for each of the 3 K slices, the "
       "same number for all, but has 10",
       [](Schedule &s) { s.wideStages = 10; }},
      {"requires wide_stages from 0 to 32, but has 33",
       [](Schedule &s) { s.wideStages = 33; }},
      {"requires wide_from for wide_stages",
       [](Schedule &s) { s.wideFrom = 0; }},
      // As much shared memory as the larger of both takes.
      {"bytes of shared memory",
       [](Schedule &s) {
         s.tileTokens = 24, s.wideFrom = 25, s.wideStages = 30;
       }},
  };
  for (const BadSchedule &bad : kinds)
    expectExplained(bad, twoKinds);
  Problem problem;
  problem.groups = 32;
  EXPECT_EQ(verifySchedule(twoKinds, problem, h100()), "");
  problem.gathers = true;
  EXPECT_EQ(verifySchedule(twoKinds, problem, h100()), "");
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
      with(smallWgmma(),
           [](Schedule &s) { s.kSlices = s.copyWarps = 5, s.stages = 15; }),
      with(smallWgmma(), [](Schedule &s) { s.copyWarps = 2; }),
      with(tiled(128, 64, 8, 8, 3, 1),
           [](Schedule &s) { s.stages = 9, s.producerRegisters = 64; }),
      // The rows of tall tiles.
      with(tiled(320, 16, 8, 8, 3, 1),
           [](Schedule &s) {
             s.tileRows = 256, s.kSlices = s.copyWarps = 4, s.warpsRows = 4;
             s.stages = 12, s.producerRegisters = 0, s.sideBySide = true;
           }),
  };
  for (const Schedule &schedule : allowed)
    EXPECT_EQ(verifySchedule(schedule, 1, h100()), "");
  EXPECT_EQ(verifySchedule({}, 1024, h100()), "");
  // As many k64 steps as slices, the last of them one of 32 alone.
  EXPECT_EQ(verifySchedule(allowed[7], 1, h100(), 5 * 64 - 32), "");
  EXPECT_NE(verifySchedule(allowed[7], 1, h100(), 4 * 64), "");

  Target target = h100();
  target.sharedPerCTA = SharedMemoryMap(Schedule(), BlockLayout(), 9).bytes();
  EXPECT_EQ(verifySchedule({}, 9, target), "");
  --target.sharedPerCTA;
  EXPECT_NE(verifySchedule({}, 9, target), "");
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
