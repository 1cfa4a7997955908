//===- ScheduleTextTest.cpp -----------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

/// A schedule whose every field has another value than the default.
Schedule unlikeDefaults() {
  Schedule s;
  // Counts the members: another one must be added here.
  auto &[instruction, rows, tokens, step, warpsRows, warpsTokens, slices,
         stages, placement, ctas, copyWarps, registers, overlap, version, evict,
         full, sumSteps, sideBySide, copiesAhead, halves, prefetch, wideFrom,
         wideStages, shortTo, shortStages, besideTokens, besideStages,
         gatherRows, storeColumns, bringBytes] = s;
  instruction = Instruction::Wgmma;
  placement = Placement::Shared;
  int number = 64;
  for (int *member :
       {&rows,       &tokens,     &step,         &warpsRows,    &warpsTokens,
        &slices,     &stages,     &ctas,         &copyWarps,    &registers,
        &sumSteps,   &gatherRows, &storeColumns, &wideFrom,     &wideStages,
        &bringBytes, &shortTo,    &shortStages,  &besideTokens, &besideStages})
    *member = --number;
  copyWarps = 32;
  wideStages = 31, shortStages = 30, besideStages = 29;
  for (bool *member : {&overlap, &version, &evict, &full, &sideBySide,
                       &copiesAhead, &halves, &prefetch})
    *member = true;
  return s;
}

// Every member is a field: it counts for equality and is told by text.
TEST(ScheduleText, EveryMemberIsAField) {
  const Schedule other = unlikeDefaults();
  int fields = 0;
  for (const ScheduleField &field : scheduleFields()) {
    ++fields;
    EXPECT_FALSE(field.isDefault(other)) << field.name;
    Schedule one;
    std::visit([&](auto member) { one.*member = other.*member; }, field.member);
    EXPECT_FALSE(one == Schedule()) << field.name;
    EXPECT_NE(one, other) << field.name;
    EXPECT_NE(text(one).find(field.name + " = " + field.text(other)),
              std::string::npos)
        << text(one);
    EXPECT_NE(text(one), text(Schedule()));
  }
  EXPECT_EQ(fields, 30);
  EXPECT_EQ(other, unlikeDefaults());
}

TEST(ScheduleText, DefaultsAreLeftOut) {
  EXPECT_EQ(text(Schedule()),
            "instruction = mma_sync, rows = 64, tokens = 64, warps_rows = 1, "
            "warps_tokens = 1, stages = 4, placement = register, ctas = 1");
  EXPECT_EQ(text(unlikeDefaults()),
            "instruction = wgmma, rows = 63, tokens = 62, warps_rows = 60, "
            "warps_tokens = 59, stages = 57, placement = shared, ctas = 56, "
            "token_step = 61, k_slices = 58, copy_warps = 32, "
            "producer_registers = 54, overlap_decode = true, version_loops = "
            "true, evict_first = true, full_tiles_first = true, sum_steps = "
            "53, side_by_side = true, wide_from = 50, wide_stages = 31, "
            "short_to = 47, short_stages = 30, beside_tokens = 45, "
            "beside_stages = 29, gather_rows = 52, "
            "store_columns = 51, bring_bytes = 48, copies_ahead = true, "
            "half_tiles = true, prefetch_first = true");
}

// Defaults that follow from a tile are left out too, at the places where they
// change: text of a time when there was no such field means what it meant.
TEST(ScheduleText, InferredDefaultsAreLeftOut) {
  struct Row {
    int tokens, warpsTokens, gatherRows, storeColumns;
  };
  for (const Row &row :
       {Row{8, 1, 8, 2}, Row{32, 1, 8, 2}, Row{40, 1, 16, 2}, Row{64, 1, 16, 2},
        Row{72, 1, 72, 4}, Row{128, 2, 128, 2}, Row{144, 2, 144, 4},
        Row{192, 1, 192, 4}}) {
    Schedule schedule;
    schedule.tileTokens = row.tokens;
    schedule.warpsTokens = row.warpsTokens;
    for (const ScheduleField &field : scheduleFields())
      field.infer(schedule);
    EXPECT_EQ(schedule.gatherRows, row.gatherRows) << row.tokens;
    EXPECT_EQ(schedule.storeColumns, row.storeColumns) << row.tokens;
    EXPECT_EQ(text(schedule).find("gather_rows"), std::string::npos);
    EXPECT_EQ(text(schedule).find("store_columns"), std::string::npos);
    schedule.gatherRows = row.gatherRows + 8;
    schedule.storeColumns = 6 - row.storeColumns;
    EXPECT_NE(text(schedule).find(
                  ", gather_rows = " + std::to_string(row.gatherRows + 8) +
                  ", store_columns = " + std::to_string(6 - row.storeColumns)),
              std::string::npos)
        << text(schedule);
  }
}

TEST(ScheduleText, NumbersOutOfRangeAreExplained) {
  for (const ScheduleField &field : scheduleFields()) {
    if (!std::holds_alternative<int Schedule::*>(field.member))
      continue;
    Schedule schedule;
    EXPECT_NE(field.set(schedule, int64_t(field.least) - 1), "") << field.name;
    EXPECT_NE(field.set(schedule, int64_t(field.most) + 1), "") << field.name;
    EXPECT_EQ(schedule, Schedule());
    EXPECT_EQ(field.set(schedule, field.least), "");
    EXPECT_EQ(field.get(schedule), field.least);
  }
}

/// What text of the first format said of a schedule.
Schedule ofFormat1(const Schedule &schedule) {
  Schedule old;
  for (const ScheduleField &field : scheduleFields())
    if (field.format == 1)
      std::visit([&](auto member) { old.*member = schedule.*member; },
                 field.member);
    else
      field.infer(old);
  return old;
}

/// What the first format did not say: numbers, and flags by their first letter.
struct Later {
  int copyWarps = 0, producerRegisters = 0;
  const char *flags = "";
  int sumSteps = 0;
};

std::string text(const Later &later) {
  std::string result;
  const auto number = [&](const char *name, int value) {
    if (value != 0)
      result += std::string(", ") + name + " = " + std::to_string(value);
  };
  const auto flag = [&](const std::string &name) {
    if (std::string(later.flags).find(name[0]) != std::string::npos)
      result += ", " + name + " = true";
  };
  number("copy_warps", later.copyWarps);
  number("producer_registers", later.producerRegisters);
  for (const char *name :
       {"overlap_decode", "version_loops", "evict_first", "full_tiles_first"})
    flag(name);
  number("sum_steps", later.sumSteps);
  flag("side_by_side");
  return result;
}

// The rules of format 1 at the places where their answers change. They are
// history: a change of a rule here changes the kernel that a text means.
TEST(ScheduleText, TheFirstFormatMeansWhatItMeant) {
  Schedule shared = tiled(128, 64, 8, 8, 3, 1);
  shared.placement = Placement::Shared;
  const std::pair<Schedule, Later> rows[] = {
      {Schedule(), {}},
      {tiled(64, 16, 0, 4, 1, 4), {1, 0, "oe"}},
      {tiled(64, 16, 8, 4, 1, 1), {2, 0, "ove"}},
      {tiled(64, 16, 8, 4, 1, 2), {1, 0, "oe"}},
      {tiled(64, 8, 8, 4, 3, 1), {3, 0, "oe"}},
      {tiled(64, 32, 8, 4, 3, 1), {3, 0, "ove"}},
      {tiled(64, 40, 8, 4, 3, 1), {3, 0, "oe"}},
      {tiled(64, 48, 8, 4, 3, 1), {3, 0, "oef"}},
      {tiled(128, 128, 16, 8, 1, 1), {3, 40, "of"}},
      {tiled(192, 128, 16, 12, 1, 1), {3, 32, "of"}},
      {tiled(192, 96, 16, 12, 1, 1), {3, 0, "of"}},
      {tiled(64, 192, 0, 4, 1, 1), {2, 0, "o"}},
      {tiled(128, 128, 16, 8, 1, 2), {1, 0, "of"}},
      {tiled(128, 64, 8, 8, 3, 1), {3, 24, "efs", 3}},
      {tiled(128, 48, 8, 8, 3, 1), {3, 0, "efs", 3}},
      {tiled(192, 64, 8, 12, 2, 1), {2, 24, "efs", 3}},
      {tiled(192, 32, 8, 12, 2, 1), {2, 0, "e", 3}},
      {tiled(128, 64, 8, 8, 3, 2), {3, 0, "ef", 3}},
      {tiled(64, 64, 8, 4, 5, 1), {5, 0, "ef", 3}},
      {shared, {3, 24, "ef", 3}},
  };
  for (const auto &[schedule, later] : rows) {
    const Schedule old = ofFormat1(schedule);
    EXPECT_EQ(text(upgradeSchedule(old)), text(old) + text(later));
  }
}

} // namespace
