//===- Schedules.h - Schedules to test with ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_UNIT_SCHEDULES_H
#define MXFP4_TEST_UNIT_SCHEDULES_H

#include "mxfp4/Core/ScheduleText.h"

namespace mxfp4 {

inline const Target &h100() { return *findTarget("sm_90a"); }

/// For `groups` groups and this K (0: any), with blocks of the default layout.
inline std::string verifySchedule(const Schedule &schedule, int64_t groups,
                                  const Target &target, int64_t k = 0) {
  Problem problem;
  problem.groups = groups;
  problem.k = k;
  return verifySchedule(schedule, problem, target);
}

/// The architecture, with the device of that name.
inline Target targetFor(const std::string &device) {
  Target target = h100();
  parse(device, target.device);
  return target;
}

/// One consuming warpgroup, with the smallest of everything.
inline Schedule smallWgmma() {
  Schedule schedule;
  schedule.instruction = Instruction::Wgmma;
  schedule.tileTokens = 16;
  schedule.warpsRows = 4;
  schedule.copyWarps = 1;
  schedule.gatherRows = 8;
  return schedule;
}

/// The fields that regimes differ in, and the others as the first format of
/// text inferred them; stages follow from shared memory.
inline Schedule tiled(int rows, int tokens, int step, int warps, int slices,
                      int ctas) {
  Schedule schedule = smallWgmma();
  schedule.tileRows = rows;
  schedule.tileTokens = tokens;
  schedule.tokenStep = step;
  schedule.warpsRows = warps;
  schedule.kSlices = slices;
  schedule.ctasPerMultiprocessor = ctas;
  for (const ScheduleField &field : scheduleFields())
    field.infer(schedule);
  return upgradeSchedule(schedule);
}

/// As `tiled`, for 128 columns and 16 tokens, of warps that decode alone.
inline Schedule decoding(int warps, int ctas) {
  Schedule schedule = tiled(128, 16, 8, warps, 3, ctas);
  schedule.overlapDecode = schedule.sideBySide = false;
  schedule.versionLoops = ctas == 2;
  schedule.sumSteps = ctas == 1 ? 3 : 0;
  return schedule;
}

/// The same in six K slices.
inline Schedule decodingInSix() {
  Schedule schedule = decoding(4, 1);
  schedule.kSlices = schedule.copyWarps = 6;
  schedule.sumSteps = 0;
  return schedule;
}

/// The same with halves of the last tiles.
inline Schedule withHalves(Schedule schedule) {
  schedule.halfTiles = true;
  return schedule;
}

/// Of 64 columns, in five K slices.
inline Schedule narrowDecoding() {
  Schedule schedule = tiled(64, 16, 8, 4, 5, 1);
  schedule.overlapDecode = schedule.versionLoops = schedule.sideBySide = false;
  schedule.sumSteps = 0;
  return schedule;
}

/// The same in two CTAs per SM, with wide tiles for groups with more rows.
inline Schedule decodingTwoKinds() {
  Schedule schedule = decoding(4, 2);
  schedule.wideFrom = 17;
  schedule.wideStages = 15;
  return schedule;
}

/// Tiles of three warpgroups, or of two beside one that has short groups.
inline Schedule tellingShortGroups() {
  Schedule schedule = tiled(192, 160, 16, 12, 1, 1);
  schedule.stages = 8;
  schedule.copyWarps = 3;
  schedule.producerRegisters = 32;
  schedule.overlapDecode = schedule.fullTilesFirst = true;
  schedule.versionLoops = schedule.evictFirst = schedule.sideBySide = false;
  schedule.sumSteps = 0;
  schedule.shortTo = 64;
  schedule.shortStages = 4;
  schedule.besideTokens = 176;
  schedule.besideStages = 6;
  return schedule;
}

/// The choice for the architecture with its default device.
inline ScheduleChoice choose(const Problem &problem,
                             const Preference &preference = {},
                             const Target &target = h100()) {
  return chooseSchedule(problem, target, preference);
}

/// A problem of gpt-oss's size: N = 5760, K = 2880, one expert per group.
inline Problem sized(int64_t groups, int64_t rows) {
  return {groups, groups, 5760, 2880, rows};
}

/// A problem with e4m3 activations.
inline Problem sizedFP8(int64_t groups, int64_t rows, int64_t k,
                        int promotion) {
  Problem problem = {groups, groups, 5760, k, rows};
  problem.layout = BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative);
  problem.activations = NumberType::E4M3;
  problem.promotion = promotion;
  return problem;
}

} // namespace mxfp4

#endif // MXFP4_TEST_UNIT_SCHEDULES_H
