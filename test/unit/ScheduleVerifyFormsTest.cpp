//===- ScheduleVerifyFormsTest.cpp - Forms that cannot run ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is said of kernels with tiles of two kinds or with short groups, and of
// those that bring rows, copy ahead, halve tiles or fetch first ones.
//
//===----------------------------------------------------------------------===//

#include "BadSchedules.h"

using namespace mxfp4;

namespace {

TEST(Schedule, WhatHasNoTilesOfTwoKindsIsExplained) {
  Schedule twoKinds = decodingTwoKinds();
  twoKinds.stages = 9;
  const BadSchedule cases[] = {
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
  for (const BadSchedule &bad : cases)
    expectExplained(bad, twoKinds);
  Problem problem;
  problem.groups = 32;
  EXPECT_EQ(verifySchedule(twoKinds, problem, h100()), "");
  problem.gathers = true;
  EXPECT_EQ(verifySchedule(twoKinds, problem, h100()), "");
}

TEST(Schedule, WhatTellsNoShortGroupsIsExplained) {
  const char *conditions =
      "requires 12 warps along rows, register placement, "
      "producer_registers, full_tiles_first, rows in order or a warp that "
      "brings them, and none of K slices, wide_from and copies_ahead for "
      "short_to";
  const BadSchedule cases[] = {
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
  for (const BadSchedule &bad : cases)
    expectExplained(bad, tellingShortGroups());
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
  // Of six slices, those of halves would go on and those of whole tiles not.
  problem.experts = problem.groups = 32;
  good.copiesAhead = false;
  good.ctasPerMultiprocessor = 1;
  good.tokenStep = 0;
  good.tileTokens = 8;
  for (int slices : {5, 6}) {
    good.kSlices = good.copyWarps = slices;
    good.stages = 3 * slices;
    EXPECT_EQ(verifySchedule(good, problem, h100()),
              slices == 5 ? ""
                          : "requires at most 5 K slices for half_tiles of 8 "
                            "tokens, but has 6");
  }
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

} // namespace
