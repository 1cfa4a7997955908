//===- ScheduleText.cpp - Schedules as text -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/ScheduleText.h"

#include <algorithm>
#include <climits>

using namespace mxfp4;

/// Before there was `gather_rows`: fewer in low tiles.
static int inferredGatherRows(const Schedule &s) {
  return s.tileTokens <= 32 ? 8 : s.tileTokens <= 64 ? 16 : s.tileTokens;
}

/// Before there was `store_columns`: more where a warp has more than eight.
static int inferredStoreColumns(const Schedule &s) {
  return s.warpTokens() > 64 ? 4 : 2;
}

const std::vector<ScheduleField> &mxfp4::scheduleFields() {
  using S = Schedule;
  const auto required = [](const char *name, auto member) {
    return ScheduleField{name, member, /*isRequired=*/true, 1, 1, 1024};
  };
  static const std::vector<ScheduleField> fields = {
      required("instruction", &S::instruction),
      required("rows", &S::tileRows),
      required("tokens", &S::tileTokens),
      required("warps_rows", &S::warpsRows),
      required("warps_tokens", &S::warpsTokens),
      required("stages", &S::stages),
      required("placement", &S::placement),
      required("ctas", &S::ctasPerMultiprocessor),
      {"token_step", &S::tokenStep, false, 1, INT_MIN, INT_MAX},
      {"k_slices", &S::kSlices, false, 1, 1, 1024},
      {"copy_warps", &S::copyWarps, false, 2, 0, 32},
      {"producer_registers", &S::producerRegisters, false, 2, 0, 256},
      {"overlap_decode", &S::overlapDecode, false, 2, 0, 1},
      {"version_loops", &S::versionLoops, false, 2, 0, 1},
      {"evict_first", &S::evictFirst, false, 2, 0, 1},
      {"full_tiles_first", &S::fullTilesFirst, false, 2, 0, 1},
      {"sum_steps", &S::sumSteps, false, 2, 0, 1024},
      {"side_by_side", &S::sideBySide, false, 2, 0, 1},
      {"wide_from", &S::wideFrom, false, 4, 0, 1024},
      {"wide_stages", &S::wideStages, false, 4, 0, 32},
      {"short_to", &S::shortTo, false, 7, 0, 256},
      {"short_stages", &S::shortStages, false, 7, 0, 32},
      {"beside_tokens", &S::besideTokens, false, 7, 0, 256},
      {"beside_stages", &S::besideStages, false, 7, 0, 32},
      {"gather_rows", &S::gatherRows, false, 3, 1, 1024, inferredGatherRows},
      {"store_columns", &S::storeColumns, false, 3, 1, 1024,
       inferredStoreColumns},
      {"bring_bytes", &S::bringBytes, false, 5, 0, 65536},
      {"copies_ahead", &S::copiesAhead, false, 6, 0, 1},
      {"half_tiles", &S::halfTiles, false, 7, 0, 1},
      {"prefetch_first", &S::prefetchFirst, false, 8, 0, 1},
  };
  return fields;
}

int64_t ScheduleField::get(const Schedule &schedule) const {
  return std::visit([&](auto m) { return static_cast<int64_t>(schedule.*m); },
                    member);
}

static std::string valueText(int value) { return std::to_string(value); }
static std::string valueText(bool value) { return value ? "true" : "false"; }
static std::string valueText(Instruction value) { return name(value); }
static std::string valueText(Placement value) { return name(value); }

std::string ScheduleField::text(const Schedule &schedule) const {
  return std::visit([&](auto m) { return valueText(schedule.*m); }, member);
}

bool ScheduleField::isDefault(const Schedule &schedule) const {
  return get(schedule) == (inferred ? inferred(schedule) : get(Schedule()));
}

void ScheduleField::infer(Schedule &schedule) const {
  if (inferred)
    set(schedule, inferred(schedule));
}

std::string ScheduleField::set(Schedule &schedule, int64_t number) const {
  const auto *integer = std::get_if<int Schedule::*>(&member);
  if (integer && number >= least && number <= most)
    schedule.**integer = static_cast<int>(number);
  else if (integer)
    return "requires " + name + " from " + std::to_string(least) + " to " +
           std::to_string(most) + ", but has " + std::to_string(number);
  if (const auto *flag = std::get_if<bool Schedule::*>(&member))
    schedule.**flag = number != 0;
  return "";
}

bool mxfp4::operator==(const Schedule &a, const Schedule &b) {
  const std::vector<ScheduleField> &fields = scheduleFields();
  return std::all_of(
      fields.begin(), fields.end(),
      [&](const ScheduleField &field) { return field.get(a) == field.get(b); });
}

std::string mxfp4::text(const Schedule &schedule) {
  std::string text;
  for (const ScheduleField &field : scheduleFields())
    if (field.isRequired || !field.isDefault(schedule))
      text += (text.empty() ? "" : ", ") + field.name + " = " +
              field.text(schedule);
  return text;
}

std::string mxfp4::verifyFields(const Schedule &schedule) {
  for (const ScheduleField &field : scheduleFields()) {
    Schedule copy;
    if (std::string wrong = field.set(copy, field.get(schedule));
        !wrong.empty())
      return wrong;
  }
  if (schedule.tokenStep < 0 || schedule.tokenStep > schedule.tileTokens)
    return "requires a token_step from 0 to the " +
           std::to_string(schedule.tileTokens) +
           " tokens of the tile, but has " + std::to_string(schedule.tokenStep);
  return "";
}

/// Registers that a producer kept in format 1: where an equal share was not
/// enough for every consumer, and the producer fitted a warpgroup.
static int producerRegistersOfFormat1(const Schedule &s) {
  if (s.ctasPerMultiprocessor > 1 || s.consumerWarps() <= 4 ||
      s.copyWarps > 3 || s.accumulators() < (s.overlapDecode ? 64 : 32))
    return 0;
  return !s.overlapDecode ? 24 : s.consumerWarps() > 8 ? 32 : 40;
}

Schedule mxfp4::upgradeSchedule(Schedule s) {
  // mma.sync had nothing to infer.
  if (!s.traits().isAsynchronous || !verifyFields(s).empty())
    return s;
  s.copyWarps = s.kSlices > 1 ? s.kSlices
                : s.ctasPerMultiprocessor == 1
                    ? 1 + std::min(2, s.tileRows / 64)
                    : 1;
  s.overlapDecode = s.consumerWarps() <= 16;
  s.producerRegisters = producerRegistersOfFormat1(s);
  s.versionLoops = s.overlapDecode && s.tokenStep != 0 &&
                   s.tokenStep < s.tileTokens && s.tileTokens <= 32 &&
                   s.ctasPerMultiprocessor == 1;
  s.evictFirst = s.tileTokens <= 64;
  s.fullTilesFirst = s.tokenStep != 0 && s.tileTokens >= 48;
  if (s.kSlices == 1 || s.overlapDecode)
    return s;
  s.sumSteps = 3;
  // Tall tiles were taken if their producer was the same: three warps that copy
  // and one that hands out tiles.
  s.sideBySide = s.placement == Placement::Register &&
                 s.ctasPerMultiprocessor == 1 && s.producerThreads() == 128;
  return s;
}
