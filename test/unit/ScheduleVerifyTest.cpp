//===- ScheduleVerifyTest.cpp - Schedules that cannot run -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

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
      {"requires 1 to 6 K slices, but has 7",
       [](Schedule &s) { s.kSlices = 7; }},
      // More than an int can count: slices are looked at before threads.
      {"requires 1 to 6 K slices, but has 1024",
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
      {"side_by_side, wide_from and short_to",
       [](Schedule &s) { s.wideFrom = 65; }},
      {"side_by_side, wide_from and short_to",
       [](Schedule &s) { s.shortTo = 48; }},
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
      {"requires at least 3 stages for overlap_decode where a warpgroup has "
       "one block of rows, because the words of two steps ahead are read while "
       "a step is multiplied, but has 2",
       [](Schedule &s) { s.overlapDecode = true, s.stages = 2; }},
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
      {"requires overlap_decode or K slices, and a token_step below the tokens "
       "of the tile, for version_loops",
       [](Schedule &s) { s.versionLoops = true; }},
      {"requires overlap_decode or K slices, and a token_step below the tokens "
       "of the tile, for version_loops",
       [](Schedule &s) { s.versionLoops = true, s.tokenStep = 8; }},
      {"requires overlap_decode or K slices, and a token_step below the tokens "
       "of the tile, for version_loops",
       [](Schedule &s) {
         s.versionLoops = true, s.kSlices = s.copyWarps = 2, s.stages = 6;
       }},
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
       [](Schedule &s) { s.tokenStep = 0, s.versionLoops = false; }},
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
  const char *conditions =
      "requires 12 warps along rows, register placement, "
      "producer_registers, full_tiles_first, rows in order or a warp that "
      "brings them, and none of K slices, wide_from and copies_ahead for "
      "short_to";
  const BadSchedule beside[] = {
      {conditions,
       [](Schedule &s) { s.tileRows = 128, s.warpsRows = 8, s.copyWarps = 2; }},
      {conditions,
       [](Schedule &s) {
         s.placement = Placement::Shared, s.stages = 3, s.tileTokens = 64;
       }},
      {conditions, [](Schedule &s) { s.fullTilesFirst = false; }},
      {conditions, [](Schedule &s) { s.copiesAhead = true; }},
      {"requires multiples of the token_step of 16 for short_to and for "
       "beside_tokens, which is more, but has 56 and 176",
       [](Schedule &s) { s.shortTo = 56; }},
      {"but has 64 and 168", [](Schedule &s) { s.besideTokens = 168; }},
      {"but has 64 and 64", [](Schedule &s) { s.besideTokens = 64; }},
      {"requires at least 3 stages for overlap_decode where a warpgroup has "
       "one "
       "block of rows, because the words of two steps ahead are read while a "
       "step is multiplied, but has 2 in the tiles beside short groups",
       [](Schedule &s) { s.besideStages = 2; }},
      {"requires 2 to 32 stages, but has 1 in the tiles of short groups",
       [](Schedule &s) { s.shortStages = 1; }},
      {"requires at least 134 registers per thread for wgmma of 208 tokens, "
       "but "
       "512 threads and 1 CTAs per SM leave 128; use fewer tokens, warps or "
       "CTAs "
       "in the tiles beside short groups",
       [](Schedule &s) { s.besideTokens = 208, s.besideStages = 4; }},
      {"requires at most 160 accumulators per thread, but a warp's 32 x 176 "
       "tile needs 176 in the tiles of short groups",
       [](Schedule &s) { s.shortTo = 176, s.besideTokens = 192; }},
      {"requires short_to for short_stages, beside_tokens and beside_stages",
       [](Schedule &s) { s.shortTo = 0; }},
      {"bytes of shared memory", [](Schedule &s) { s.besideStages = 7; }},
  };
  for (const BadSchedule &bad : beside)
    expectExplained(bad, tellingShortGroups());
  Problem problem;
  problem.groups = 32;
  EXPECT_EQ(verifySchedule(twoKinds, problem, h100()), "");
  problem.gathers = true;
  EXPECT_EQ(verifySchedule(twoKinds, problem, h100()), "");
  EXPECT_NE(verifySchedule({}, 0, h100()).find("groups"), std::string::npos);
  EXPECT_NE(verifySchedule({}, 1025, h100()).find("groups"), std::string::npos);
}

TEST(Schedule, WhatCannotBringRowsIsExplained) {
  Problem problem = {32, 32, 5760, 2880, 32768};
  problem.through = true;
  const ScheduleChoice choice = chooseSchedule(problem, h100());
  EXPECT_EQ(choice.schedule.bringBytes, 2 * 2880 * 2);
  EXPECT_EQ(choice.schedule.copyWarps, 2);
  EXPECT_EQ(verifySchedule(choice.schedule, problem, h100()), "");
  const BadSchedule cases[] = {
      {"requires wgmma, one CTA per SM, at most 2 copy_warps",
       [](Schedule &s) { s.copyWarps = 3; }},
      {"requires bring_bytes to be one or two rows of activations of 5760 "
       "bytes, in units of 16, but has 5776",
       [](Schedule &s) { s.bringBytes = 5776; }},
      {"requires bring_bytes from 0 to 65536, but has 65537",
       [](Schedule &s) { s.bringBytes = 65537; }},
      {"bytes of shared memory", [](Schedule &s) { ++s.stages; }},
  };
  for (const BadSchedule &bad : cases) {
    Schedule schedule = choice.schedule;
    bad.change(schedule);
    const std::string message = verifySchedule(schedule, problem, h100());
    EXPECT_NE(message.find(bad.expected), std::string::npos)
        << bad.expected << " / " << message;
  }
  problem.through = false;
  EXPECT_EQ(verifySchedule(choice.schedule, problem, h100()),
            "requires memory to gather through for bring_bytes: without it no "
            "warp brings rows");
  problem.through = true;
  // Rows that do not fit, and few rows, are gathered by threads.
  problem.k = 16384;
  EXPECT_EQ(chooseSchedule(problem, h100()).schedule.bringBytes, 0);
  problem.k = 2880;
  problem.rowsHint = 16;
  EXPECT_EQ(chooseSchedule(problem, h100()).schedule.bringBytes, 0);
}

TEST(Schedule, WhatCannotCopyAheadIsExplained) {
  Problem problem = {32, 32, 2880, 2880, 64};
  problem.olderInputs = true;
  Schedule good = chooseSchedule(problem, targetFor("h200")).schedule;
  ASSERT_TRUE(good.copiesAhead);
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  // By hand it is a promise, too.
  problem.olderInputs = false;
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  const std::string wanted = "requires wgmma, rows in order, and neither "
                             "side_by_side nor wide_from for copies_ahead";
  problem.gathers = true;
  EXPECT_EQ(verifySchedule(good, problem, h100()), wanted);
  problem.gathers = false;
  Schedule sideBySide = good, wide = good, mma;
  sideBySide.sideBySide = true;
  wide.wideFrom = 17;
  mma.copiesAhead = true;
  for (const Schedule &bad : {sideBySide, wide, mma})
    EXPECT_EQ(verifySchedule(bad, problem, h100()), wanted);
}

TEST(Schedule, WhatHasNoHalvesIsExplained) {
  Problem problem = {32, 32, 2880, 2880, 64};
  Schedule good;
  good.instruction = Instruction::Wgmma;
  good.tileRows = 128;
  good.tileTokens = 16;
  good.tokenStep = 8;
  good.warpsRows = 4;
  good.kSlices = good.copyWarps = 3;
  good.stages = 9;
  good.ctasPerMultiprocessor = 2;
  good.halfTiles = true;
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  EXPECT_EQ(good.halfProgram().tileRows, 64);
  EXPECT_EQ(good.halfProgram().columnTiles(2880), 45);
  const std::string wanted =
      "requires wgmma, register placement, K slices of one warpgroup with two "
      "blocks of rows, and none of overlap_decode, full_tiles_first, "
      "side_by_side and wide_from for half_tiles";
  void (*const changes[])(Schedule &) = {
      [](Schedule &s) { s.placement = Placement::Shared; },
      // A block of rows for each warpgroup, and a tile of two warpgroups.
      [](Schedule &s) { s.tileRows = 64; },
      [](Schedule &s) {
        s.tileRows = 256, s.warpsRows = 8, s.ctasPerMultiprocessor = 1;
      },
      [](Schedule &s) { s.overlapDecode = true; },
      [](Schedule &s) { s.fullTilesFirst = true; },
      [](Schedule &s) { s.wideFrom = 17, s.wideStages = 9; },
      [](Schedule &s) { s.kSlices = 1, s.copyWarps = 1; },
  };
  for (const auto &change : changes) {
    Schedule bad = good;
    change(bad);
    EXPECT_EQ(verifySchedule(bad, problem, h100()), wanted);
  }
  problem.gathers = true;
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  problem.gathers = false;
  good.copiesAhead = true;
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  problem.experts = problem.groups = 256;
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  problem.experts = problem.groups = 257;
  EXPECT_EQ(verifySchedule(good, problem, h100()),
            "requires at most 256 groups for half_tiles, but has 257");
}

TEST(Schedule, WhatFetchesNoFirstTilesIsExplained) {
  const Problem problem = {32, 32, 2880, 2880, 64};
  Schedule good;
  good.instruction = Instruction::Wgmma;
  good.tileRows = 64;
  good.tileTokens = 8;
  good.warpsRows = 4;
  good.kSlices = good.copyWarps = 3;
  good.stages = 9;
  good.prefetchFirst = true;
  EXPECT_EQ(verifySchedule(good, problem, h100()), "");
  const std::string wanted =
      "requires wgmma, copy_warps, and none of full_tiles_first, "
      "side_by_side, wide_from, bring_bytes and copies_ahead for "
      "prefetch_first";
  void (*const changes[])(Schedule &) = {
      [](Schedule &s) { s.fullTilesFirst = true, s.tokenStep = 8; },
      [](Schedule &s) { s.copiesAhead = true; },
  };
  for (const auto &change : changes) {
    Schedule bad = good;
    change(bad);
    EXPECT_EQ(verifySchedule(bad, problem, h100()), wanted);
  }
}

// ptxas 13.0.88 assembles what is accepted here, and nothing that is refused:
// an SM's warps are spread over four partitions, and one wgmma needs what it
// needs.
TEST(Schedule, RegistersOfOneInstructionAreThere) {
  struct Case {
    int warps, ctas, tokens, registers;
    bool isShared;
  };
  const auto verify = [](const Case &c, int tokens) {
    Schedule s = smallWgmma();
    s.warpsRows = c.warps;
    s.tileRows = 16 * c.warps;
    s.tileTokens = tokens;
    s.ctasPerMultiprocessor = c.ctas;
    s.stages = tokens > 64 ? 4 : 3;
    s.placement = c.isShared ? Placement::Shared : Placement::Register;
    s.producerRegisters = c.warps == 16 ? 24 : 0;
    return verifySchedule(s, 1, h100());
  };
  // The most tokens that can be assembled.
  const Case cases[] = {{16, 1, 128, 96, false},
                        {12, 1, 192, 128, false},
                        {4, 8, 16, 40, false},
                        {4, 8, 24, 40, true}};
  for (const Case &c : cases) {
    EXPECT_EQ(verify(c, c.tokens), "");
    const int more = c.tokens + 8, needed = more / 2 + (c.isShared ? 26 : 30);
    EXPECT_EQ(verify(c, more),
              "requires at least " + std::to_string(needed) +
                  " registers per thread for wgmma of " + std::to_string(more) +
                  " tokens, but " +
                  std::to_string(c.warps == 16 ? 640 : 32 * c.warps + 64) +
                  " threads and " + std::to_string(c.ctas) +
                  " CTAs per SM leave " + std::to_string(c.registers) +
                  "; use fewer tokens, warps or CTAs");
  }
  // Wide tiles have twice the tokens, for one of the two instructions.
  Schedule wide = decodingTwoKinds();
  wide.tileTokens = 112;
  wide.tokenStep = 16;
  wide.wideFrom = 113;
  wide.stages = wide.wideStages = 3;
  wide.kSlices = wide.copyWarps = 1;
  wide.versionLoops = false;
  wide.warpsRows = 8;
  wide.tileRows = 256;
  EXPECT_NE(verifySchedule(wide, 1, h100()).find("wgmma of 224 tokens"),
            std::string::npos)
      << verifySchedule(wide, 1, h100());
}

// What was asked for is refused, and no other instruction takes its place.
TEST(Schedule, AnInstructionForOtherActivationsIsExplained) {
  const auto said = [](const Problem &problem, Instruction wanted) {
    const Preference preference = {Placement::Register, wanted};
    return verifySchedule(choose(problem, preference).schedule, problem,
                          h100());
  };
  for (const int64_t rows : {1, 64, 4096, 65536}) {
    EXPECT_EQ(said(sized(32, rows), Instruction::WgmmaFP8),
              "requires an instruction for activations of bf16, but has "
              "wgmma_fp8 for e4m3");
    for (const int promotion : {0, 128, 512})
      for (const Instruction wanted :
           {Instruction::Wgmma, Instruction::MmaSync}) {
        const std::string name = traitsOf(wanted).name;
        EXPECT_EQ(said(sizedFP8(32, rows, 2880, promotion), wanted),
                  "requires an instruction for activations of e4m3, but has " +
                      name + " for bf16");
      }
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
      with(smallWgmma(),
           [](Schedule &s) { s.overlapDecode = true, s.stages = 3; }),
      // Two blocks of a step are fetched one ahead of the other.
      with(smallWgmma(),
           [](Schedule &s) {
             s.overlapDecode = true, s.tileRows = 128, s.stages = 2;
           }),
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

} // namespace
