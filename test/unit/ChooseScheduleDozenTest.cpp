//===- ChooseScheduleDozenTest.cpp ----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

struct Tile {
  Problem problem;
  Instruction instruction;
  int rows, tokens, slices, ctas;
};

void expectTile(const Tile &expected, const Target &target) {
  const ScheduleChoice choice = choose(expected.problem, {}, target);
  const Schedule &s = choice.schedule;
  SCOPED_TRACE("K = " + std::to_string(expected.problem.k) + ", " +
               std::to_string(expected.problem.rowsHint) +
               " rows: " + choice.reason);
  EXPECT_EQ(s.instruction, expected.instruction);
  EXPECT_EQ(s.tileRows, expected.rows);
  EXPECT_EQ(s.tileTokens, expected.tokens);
  EXPECT_EQ(s.kSlices, expected.slices);
  EXPECT_EQ(s.ctasPerMultiprocessor, expected.ctas);
  EXPECT_FALSE(s.overlapDecode && s.ctasPerMultiprocessor > 1);
  EXPECT_EQ(verifySchedule(s, expected.problem, target), "");
}

constexpr Instruction kMma = Instruction::MmaSync, kWgmma = Instruction::Wgmma;

// Tiles of wgmma without K slices where K has few steps: with up to four for
// all rows that fill two waves of three CTAs, with more from five rows per
// group on.
TEST(ChooseSchedule, FewStepsOfKHaveNoSlices) {
  const Target h200 = targetFor("h200");
  const Tile tiles[] = {
      // 753 and 877 tiles, of 792.
      {{256, 256, 4096, 256, 24}, kMma, 64, 8, 1, 6},
      {{256, 256, 4096, 256, 28}, kWgmma, 128, 16, 1, 3},
      {{256, 256, 2048, 128, 256 * 10}, kWgmma, 128, 16, 1, 3},
      {{256, 256, 4096, 256, 256 * 11}, kWgmma, 128, 32, 1, 3},
      {{128, 128, 2880, 192, 128 * 23}, kWgmma, 128, 32, 1, 3},
      {{128, 128, 2880, 192, 128 * 24}, kWgmma, 192, 48, 1, 2},
      {{256, 256, 4096, 256, 256 * 40}, kWgmma, 192, 48, 1, 2},
      // 192 columns would cover 1536 of 1408.
      {{128, 128, 1408, 192, 128 * 25}, kWgmma, 128, 32, 1, 3},
      {{128, 128, 1408, 192, 128 * 26}, kWgmma, 128, 48, 1, 2},
      {{256, 256, 4096, 256, 256 * 41}, kWgmma, 128, 64, 1, 2},
      {{256, 256, 4096, 256, 256 * 54}, kWgmma, 128, 64, 1, 2},
      {{256, 256, 4096, 256, 256 * 55}, kWgmma, 192, 96, 1, 1},
      // Seven steps.
      {{512, 512, 2048, 448, 512 * 4}, kMma, 64, 8, 1, 6},
      {{512, 512, 2048, 448, 512 * 4 + 1}, kWgmma, 128, 16, 1, 3},
      // Up to twelve steps, from a dozen rows on.
      {{256, 256, 2048, 512, 256 * 8}, kWgmma, 128, 16, 3, 2},
      {{256, 256, 2048, 512, 256 * 16}, kWgmma, 128, 32, 1, 3},
      {{128, 128, 2880, 768, 128 * 32}, kWgmma, 192, 48, 1, 2},
      // One step, and few tiles.
      {{256, 256, 2048, 64, 256 * 8}, kMma, 64, 16, 1, 6},
      {{256, 256, 2048, 64, 256 * 64}, kMma, 128, 64, 1, 2},
      {{8, 8, 4096, 384, 128}, kMma, 64, 32, 1, 4},
      {{8, 8, 4096, 384, 8 * 55}, kWgmma, 128, 96, 1, 1},
      {{8, 8, 4096, 512, 128}, kWgmma, 128, 64, 3, 1},
  };
  for (const Tile &tile : tiles)
    expectTile(tile, h200);
  // Memory of an H100 does not outrun warps that decode; its tensor cores are
  // the same.
  for (const Tile &tile :
       {Tile{{256, 256, 4096, 256, 256 * 8}, kMma, 64, 16, 1, 6},
        Tile{{256, 256, 4096, 256, 256 * 16}, kMma, 64, 32, 1, 4},
        Tile{{256, 256, 4096, 256, 256 * 54}, kMma, 128, 64, 1, 2},
        Tile{{256, 256, 4096, 256, 256 * 55}, kWgmma, 192, 96, 1, 1}})
    expectTile(tile, h100());
}

// The reason names the rule; what was not measured keeps mma.sync, and so do
// rows that must have the same bits whatever other rows there are.
// Where K has few steps and groups hardly more than 8 rows, two slices share
// them, unless threads gather rows.
TEST(ChooseSchedule, TwoSlicesShareFewStepsOfK) {
  const Target h200 = targetFor("h200");
  const auto sizedK = [](int64_t k, int64_t rows) {
    return Problem{256, 256, 2048, k, rows};
  };
  const Tile tiles[] = {
      {sizedK(512, 32), kWgmma, 128, 8, 2, 2},
      {sizedK(512, 256 * 2), kWgmma, 128, 8, 2, 2},
      {sizedK(640, 256 * 2), kWgmma, 128, 8, 2, 2},
      {sizedK(512, 256 * 2 + 1), kWgmma, 128, 16, 3, 2},
      {sizedK(672, 256 * 2), kWgmma, 128, 16, 3, 2},
  };
  for (const Tile &tile : tiles)
    expectTile(tile, h200);
  for (bool Problem::*inLayers :
       {&Problem::hasEpilogue, &Problem::olderInputs, &Problem::gathers}) {
    Problem problem = sizedK(512, 256 * 2);
    problem.*inLayers = true;
    EXPECT_EQ(choose(problem, {}, h200).schedule.kSlices,
              problem.gathers ? 3 : 2);
  }
}

TEST(ChooseSchedule, FewStepsOfKHaveTheirReason) {
  const Target h200 = targetFor("h200");
  Problem problem = {256, 256, 4096, 256, 2048};
  EXPECT_NE(choose(problem, {}, h200)
                .reason.find("wgmma because K = 256 has only 4 steps of 64, "
                             "but there are enough rows for wgmma"),
            std::string::npos);
  const auto instruction = [&](const Preference &preference) {
    return choose(problem, preference, h200).schedule.instruction;
  };
  EXPECT_EQ(instruction({}), kWgmma);
  EXPECT_EQ(instruction({Placement::Shared, std::nullopt}), kMma);
  EXPECT_EQ(instruction({Placement::Register, kMma}), kMma);
  Preference invariant;
  invariant.batchInvariant = true;
  for (int64_t rows : {1, 2048, 256 * 64}) {
    problem.rowsHint = rows;
    EXPECT_EQ(instruction(invariant), kMma);
  }
  problem.gathers = true;
  for (bool through : {false, true}) {
    problem.through = through;
    EXPECT_EQ(instruction({}), kMma);
  }
}

// 16 warps of two CTAs, each of which decodes two blocks per step, for groups
// with a dozen or two rows.
TEST(ChooseSchedule, ADozenRowsHaveTwoBlocksPerStep) {
  const Target h200 = targetFor("h200");
  const Tile tiles[] = {
      {sized(32, 32 * 10), kWgmma, 128, 16, 3, 2},
      {sized(32, 32 * 11), kWgmma, 128, 32, 2, 2},
      {sized(32, 32 * 18), kWgmma, 128, 32, 2, 2},
      {sized(32, 32 * 18 + 1), kWgmma, 128, 64, 3, 1},
      // Not with many waves.
      {sized(128, 128 * 16), kWgmma, 192, 64, 2, 1},
      {{256, 256, 7168, 2048, 256 * 16}, kWgmma, 192, 64, 2, 1},
      // 1068 and 1044 tiles, where four waves are 1056; and 13 steps.
      {{89, 89, 1536, 2880, 89 * 16}, kWgmma, 128, 32, 2, 2},
      {{87, 87, 1536, 2880, 87 * 16}, kWgmma, 128, 64, 3, 1},
      {{128, 128, 2880, 832, 128 * 16}, kWgmma, 128, 32, 2, 2},
  };
  for (const Tile &tile : tiles)
    expectTile(tile, h200);
  for (bool through : {false, true}) {
    Problem gathered = sized(32, 32 * 16);
    gathered.gathers = true;
    gathered.through = through;
    const Schedule chosen = choose(gathered, {}, h200).schedule;
    EXPECT_FALSE(chosen.tileTokens == 32 && chosen.kSlices == 2);
  }
}

} // namespace
