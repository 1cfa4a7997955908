//===- ScheduleVerifyTest.cpp - Schedules that cannot run -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is said of tiles, warps, loops over K, registers and shared memory, and
// what the limits themselves allow.
//
//===----------------------------------------------------------------------===//

#include "BadSchedules.h"

#include "mxfp4/Core/Resources.h"

using namespace mxfp4;

namespace {

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
  EXPECT_NE(verifySchedule({}, 0, h100()).find("groups"), std::string::npos);
  EXPECT_NE(verifySchedule({}, 1025, h100()).find("groups"), std::string::npos);
}

TEST(Schedule, WhatOnlyWgmmaHasIsExplained) {
  const BadSchedule cases[] = {
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
  };
  for (const BadSchedule &bad : cases)
    expectExplained(bad, {});
}

TEST(Schedule, TilesOfWgmmaThatCannotRunAreExplained) {
  const BadSchedule cases[] = {
      {"requires whole warpgroups along rows for wgmma (a multiple of 4 warps "
       "along rows, 1 along tokens), but has 2 and 1",
       [](Schedule &s) { s.warpsRows = 2; }},
      {"requires whole warpgroups along rows for wgmma (a multiple of 4 warps "
       "along rows, 1 along tokens), but has 4 and 2",
       [](Schedule &s) { s.warpsTokens = 2; }},
      {"requires at most 256 tile tokens for wgmma, but has 264",
       [](Schedule &s) { s.tileTokens = 264; }},
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
      {"requires K slices, register placement, one CTA per SM and no "
       "overlap_decode for side_by_side",
       [](Schedule &s) { s.sideBySide = true; }},
  };
  for (const BadSchedule &bad : cases)
    expectExplained(bad, smallWgmma());
}

TEST(Schedule, LoopsOfWgmmaThatCannotRunAreExplained) {
  const BadSchedule cases[] = {
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
  };
  for (const BadSchedule &bad : cases)
    expectExplained(bad, smallWgmma());
}

TEST(Schedule, KSlicesThatCannotRunAreExplained) {
  Schedule six = tiled(128, 64, 8, 8, 3, 1);
  six.stages = 9;
  const BadSchedule cases[] = {
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
  for (const BadSchedule &bad : cases)
    expectExplained(bad, six);
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
