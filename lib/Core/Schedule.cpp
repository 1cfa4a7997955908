//===- Schedule.cpp - How a problem is laid out on the machine ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Schedule.h"

#include <algorithm>

using namespace mxfp4;

int64_t Schedule::dynamicSharedBytes(int64_t groups) const {
  // In whole 16-byte units so that what follows stays aligned.
  const int64_t table = (tableEntries(groups) + 3) / 4 * 16;
  return tableOffset() + table;
}

int64_t Schedule::staticSharedBytes() const {
  if (instruction == Instruction::MmaSync)
    return decodedTileBytes();
  // Barriers are few, but dynamic shared memory begins at the next multiple of
  // 1024; and each of the ten arrays of two programs begins at one of 128.
  return sideBySide() ? 2048 : 1024;
}

Schedule::Steps Schedule::sliceSteps(int slice, int64_t steps) const {
  // Measured: to add and to store takes as long as so many steps.
  constexpr int64_t kSums = 3;
  const int64_t others = kSlices - 1;
  const int64_t first =
      overlapsDecode()
          ? steps / kSlices
          : std::max<int64_t>(1, (steps - kSums * others) / kSlices);
  if (slice == 0)
    return {0, first};
  const int64_t before = slice - 1, rest = steps - first;
  const int64_t longer = rest % others;
  return {first + before * (rest / others) + std::min(before, longer),
          rest / others + (before < longer ? 1 : 0)};
}

std::optional<Schedule> Schedule::sideBySide() const {
  if (instruction != Instruction::Wgmma || kSlices == 1 || overlapsDecode() ||
      placement != Placement::Register)
    return std::nullopt;
  Schedule tall = *this;
  tall.tileRows *= kSlices;
  tall.warpsRows *= kSlices;
  tall.kSlices = 1;
  // As many stages as fit in front of the table, which both read.
  tall.stages = static_cast<int>(
      tableOffset() / (tall.weightStageBytes() + tall.activationStageBytes()));
  // The same threads, which hand over the same registers.
  if (tall.threads() != threads() ||
      tall.producerRegisters() != producerRegisters() || tall.stages < 3)
    return std::nullopt;
  return tall;
}

int Schedule::firstSlice(int warp) const {
  const int slices = warpRows() / 16;
  const int alongRows = warp % sliceWarps() % warpsRows;
  return instruction == Instruction::Wgmma
             ? alongRows / 4 * 4 * slices + alongRows % 4
             : alongRows * slices;
}

int Schedule::copyingWarps() const {
  if (kSlices > 1)
    return kSlices;
  return ctasPerMultiprocessor == 1
             ? 1 + std::min(2, tileRows / BlockLayout::kRows)
             : 1;
}

int Schedule::producerRegisters() const {
  if (!handsOverRegisters())
    return 0;
  // Measured: ptxas has once given a producer 28 registers under a limit of 24.
  // Three consuming warpgroups need all that is left of their share. Beside six
  // a producer may have no more; it takes 22, whatever layout and output.
  return !overlapsDecode() ? 24 : consumerWarps() > 8 ? 32 : 40;
}

int Schedule::consumerRegisters(const Target &target) const {
  if (producerRegisters() == 0)
    return 0;
  // The pool is what the launch reserves: asking for more would hang.
  const int launch = target.registersPerMultiprocessor / threads() / 8 * 8;
  const int groups = consumerWarps() / 4;
  const int share = (launch * (groups + 1) - producerRegisters()) / groups;
  return std::min(share, target.registersPerThread) / 8 * 8;
}

std::string mxfp4::verifySchedule(const Schedule &schedule, int64_t groups,
                                  const Target &target, int64_t k) {
  auto number = [](int64_t value) { return std::to_string(value); };
  if (schedule.warpsRows < 1 || schedule.warpsTokens < 1)
    return "requires at least one warp along rows and along tokens";
  // Before threads are counted: with any number of slices an int could not.
  if (schedule.kSlices < 1 || schedule.kSlices > 5)
    return "requires 1 to 5 K slices, but has " + number(schedule.kSlices);
  if (schedule.threads() > target.threadsPerCTA)
    return "requires at most " + number(target.threadsPerCTA / 32) +
           " warps, but has " + number(schedule.threads() / 32);
  if (schedule.tileRows < 64 || schedule.tileRows % 64 != 0)
    return "requires tile rows to be a positive multiple of 64, but has " +
           number(schedule.tileRows);
  if (schedule.tileRows % (16 * schedule.warpsRows) != 0)
    return "requires tile rows to be a multiple of 16 for each of the " +
           number(schedule.warpsRows) + " warps along rows, but has " +
           number(schedule.tileRows);
  if (schedule.tileTokens < 8 ||
      schedule.tileTokens % (8 * schedule.warpsTokens) != 0)
    return "requires tile tokens to be a positive multiple of 8 for each of "
           "the " +
           number(schedule.warpsTokens) + " warps along tokens, but has " +
           number(schedule.tileTokens);
  const int step = schedule.heightStep();
  if (step < 8 || step % 8 != 0 || schedule.tileTokens % step != 0)
    return "requires a token step that is a multiple of 8 and divides the " +
           number(schedule.tileTokens) + " tokens of the tile, but has " +
           number(step);
  const int64_t steps = blocksFor(k);
  if (schedule.overlapsDecode() && steps % schedule.kSlices != 0)
    return "requires a number of k64 steps that its " +
           number(schedule.kSlices) +
           " K slices share evenly, but K = " + number(k) + " has " +
           number(steps);
  if (k > 0 && steps < schedule.kSlices)
    return "requires a k64 step for each of its " + number(schedule.kSlices) +
           " K slices, but K = " + number(k) + " has " + number(steps);
  if (schedule.instruction == Instruction::MmaSync &&
      (schedule.kSlices > 1 || schedule.tokenStep != 0))
    return "requires wgmma for K slices and for a token step";
  if (schedule.stages % schedule.kSlices != 0 ||
      (schedule.kSlices > 1 && schedule.stages < 3 * schedule.kSlices))
    return "requires at least three stages for each of the " +
           number(schedule.kSlices) +
           " K slices, the same number for all, but "
           "has " +
           number(schedule.stages);
  // Accumulators must leave room for a decoded fragment and the addresses.
  if (schedule.instruction == Instruction::Wgmma) {
    if (schedule.warpsRows % 4 != 0 || schedule.warpsTokens != 1)
      return "requires whole warpgroups along rows for wgmma (a multiple of 4 "
             "warps along rows, 1 along tokens), but has " +
             number(schedule.warpsRows) + " and " +
             number(schedule.warpsTokens);
    if (schedule.tileTokens > 256)
      return "requires at most 256 tile tokens for wgmma, but has " +
             number(schedule.tileTokens);
  }
  const int accumulators = schedule.warpRows() * schedule.warpTokens() / 32;
  if (accumulators > 160)
    return "requires at most 160 accumulators a thread, but a warp's " +
           number(schedule.warpRows()) + " x " + number(schedule.warpTokens()) +
           " tile needs " + number(accumulators);
  if (schedule.stages < 2 || schedule.stages > 32)
    return "requires 2 to 32 stages, but has " + number(schedule.stages);
  if (groups < 1 || groups > maxGroups())
    return "requires 1 to " + number(maxGroups()) + " groups, but has " +
           number(groups);
  if (schedule.sharedBytes(groups) > target.sharedPerCTA)
    return "requires at most " + number(target.sharedPerCTA) +
           " bytes of shared memory on " + target.chip + ", but needs " +
           number(schedule.sharedBytes(groups)) +
           "; use fewer stages or a smaller tile";
  if (schedule.ctasPerMultiprocessor < 1 ||
      schedule.ctasPerMultiprocessor * schedule.threads() > 2048)
    return "requires 1 to " + number(2048 / schedule.threads()) +
           " CTAs a multiprocessor, but has " +
           number(schedule.ctasPerMultiprocessor);
  return "";
}

std::string mxfp4::parsePreference(const std::string &placement,
                                   const std::string &instruction,
                                   Preference &preference) {
  if (!parse(placement, preference.placement))
    return "expects placement=register or placement=shared, but got '" +
           placement + "'";
  Instruction wanted;
  preference.instruction.reset();
  if (instruction != "auto") {
    if (!parse(instruction, wanted))
      return "expects instruction=auto, instruction=mma_sync or "
             "instruction=wgmma, but got '" +
             instruction + "'";
    preference.instruction = wanted;
  }
  return "";
}

const char *mxfp4::name(Instruction instruction) {
  return instruction == Instruction::Wgmma ? "wgmma" : "mma_sync";
}

const char *mxfp4::name(Placement placement) {
  return placement == Placement::Register ? "register" : "shared";
}

bool mxfp4::parse(const std::string &text, Instruction &instruction) {
  for (Instruction candidate : {Instruction::MmaSync, Instruction::Wgmma})
    if (text == name(candidate))
      return instruction = candidate, true;
  return false;
}

bool mxfp4::parse(const std::string &text, Placement &placement) {
  for (Placement candidate : {Placement::Register, Placement::Shared})
    if (text == name(candidate))
      return placement = candidate, true;
  return false;
}
