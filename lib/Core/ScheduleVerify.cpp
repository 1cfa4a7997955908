//===- ScheduleVerify.cpp - Schedules that cannot run ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tile with its warps, the loops over K, the warps that copy, registers and
// shared memory. What kernels of some forms need besides is in
// ScheduleVerifyForms.cpp.
//
//===----------------------------------------------------------------------===//

#include "ScheduleVerify.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/ScheduleText.h"

using namespace mxfp4;

/// The target has the warps and the instruction, which multiplies what the
/// problem has, and blocks of the layout fill the rows of a tile.
static std::string verifyTileRows(const Schedule &s, const Problem &problem,
                                  const Target &target) {
  const BlockLayout &layout = problem.layout;
  const auto number = [](int64_t value) { return std::to_string(value); };
  if (s.threads() > target.threadsPerCTA)
    return "requires at most " + number(target.threadsPerCTA / kWarpThreads) +
           " warps, but has " + number(s.threads() / kWarpThreads);
  const InstructionTraits &traits = s.traits();
  const std::string name = traits.name;
  if (!target.has(s.instruction))
    return "requires an instruction that " + target.chip + " has, but has " +
           name;
  if (traits.typeOfB != problem.activations)
    return std::string("requires an instruction for activations of ") +
           mxfp4::name(problem.activations) + ", but has " + name + " for " +
           mxfp4::name(traits.typeOfB);
  const int blockRows = layout.rows;
  if (layout.cols != s.tileK())
    return "requires blocks of " + number(s.tileK()) +
           " weights along K, as many as a stage has, but they have " +
           number(layout.cols);
  if (s.tileRows < blockRows || s.tileRows % blockRows != 0)
    return "requires tile rows to be a positive multiple of " +
           number(blockRows) + ", but has " + number(s.tileRows);
  if (s.tileRows % (traits.sliceRows() * s.warpsRows) != 0)
    return "requires tile rows to be a multiple of " +
           number(traits.sliceRows()) + " for each of the " +
           number(s.warpsRows) + " warps along rows, but has " +
           number(s.tileRows);
  return "";
}

/// Warps and instructions fill the tokens of a tile.
static std::string verifyTileTokens(const Schedule &s) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const InstructionTraits &traits = s.traits();
  const std::string name = traits.name;
  if (s.tileTokens < 8 || s.tileTokens % (traits.nStep * s.warpsTokens) != 0)
    return "requires tile tokens to be a positive multiple of " +
           number(traits.nStep) + " for each of the " + number(s.warpsTokens) +
           " warps along tokens, but has " + number(s.tileTokens);
  const int step = s.heightStep();
  if (step < 8 || step % traits.nStep != 0 || s.tileTokens % step != 0)
    return "requires a token step that is a multiple of " +
           number(traits.nStep) + " and divides the " + number(s.tileTokens) +
           " tokens of the tile, but has " + number(step);
  if (traits.isAsynchronous) {
    if (s.warpsRows % traits.warps != 0 || s.warpsTokens != 1)
      return "requires whole warpgroups along rows for " + name +
             " (a multiple of " + number(traits.warps) +
             " warps along rows, 1 along tokens), but has " +
             number(s.warpsRows) + " and " + number(s.warpsTokens);
    if (s.tileTokens > traits.nMax)
      return "requires at most " + number(traits.nMax) + " tile tokens for " +
             name + ", but has " + number(s.tileTokens);
  }
  return "";
}

/// Accumulators must leave room for a decoded fragment and the addresses.
static std::string verifyAccumulators(const Schedule &s,
                                      const Problem &problem) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const int promotion = promotionOf(problem);
  if (const int all = s.allAccumulators(promotion); all > 192 && promotion != 0)
    return "requires at most 192 accumulators per thread with sums that are "
           "promoted, which take two each, but a warp's " +
           number(s.warpRows()) + " x " + number(s.warpTokens()) +
           " tile needs " + number(all);
  if (promotion != 0 && s.overlapDecode && s.placement == Placement::Shared)
    return "requires placement = register for overlap_decode with sums that "
           "are promoted: only fragments in registers are decoded by half a "
           "step";
  if (s.accumulators() > 160)
    return "requires at most 160 accumulators per thread, but a warp's " +
           number(s.warpRows()) + " x " + number(s.warpTokens()) +
           " tile needs " + number(s.accumulators());
  return "";
}

std::string mxfp4::verifyTile(const Schedule &s, const Problem &problem,
                              const Target &target) {
  std::string wrong = verifyTileRows(s, problem, target);
  if (wrong.empty())
    wrong = verifyTileTokens(s);
  return wrong.empty() ? verifyAccumulators(s, problem) : wrong;
}

/// What only wgmma's kernels do.
static std::string verifyMmaSync(const Schedule &s) {
  if (s.kSlices > 1 || s.tokenStep != 0)
    return "requires wgmma for K slices and for a token step";
  if (s.copyWarps != 0 || s.producerRegisters != 0)
    return "requires wgmma for copy_warps and producer_registers: the warps "
           "of mma_sync copy for themselves";
  if (s.overlapDecode || s.versionLoops || s.evictFirst || s.fullTilesFirst ||
      s.sideBySide || s.wideFrom != 0 || s.shortTo != 0)
    return "requires wgmma for overlap_decode, version_loops, evict_first, "
           "full_tiles_first, side_by_side, wide_from and short_to";
  return "";
}

/// The producer's warps and registers.
static std::string verifyProducer(const Schedule &s, const BlockLayout &layout,
                                  const Target &target) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  if (s.copyWarps == 0)
    return "requires copy_warps for wgmma: the number of warps that only copy";
  if (s.kSlices > 1 && s.copyWarps != s.kSlices)
    return "requires copy_warps = " + number(s.kSlices) +
           ", one for each K slice, but has " + number(s.copyWarps);
  const int blocks = s.tileRows / layout.rows;
  if (s.kSlices == 1 && s.copyWarps - 1 > blocks)
    return "requires at most " + number(blocks + 1) +
           " copy_warps, one for the activations and one for each " +
           number(layout.rows) + " rows of the tile, but has " +
           number(s.copyWarps);
  if (s.producerRegisters == 0)
    return "";
  if (s.ctasPerMultiprocessor != 1 || s.consumerWarps() < 8)
    return "requires one CTA per SM and two consumer warpgroups for "
           "producer_registers: otherwise an equal share of registers is "
           "enough";
  if (s.copyWarps > 3)
    return "requires at most 3 copy_warps with producer_registers, because a "
           "whole warpgroup gives registers up, but has " +
           number(s.copyWarps);
  const int launch = RegisterBudget(s, target).launch;
  if (s.producerRegisters < 24 || s.producerRegisters % 8 != 0 ||
      s.producerRegisters >= launch)
    return "requires producer_registers to be a multiple of 8 from 24 to " +
           number(launch - 8) + ", less than the " + number(launch) +
           " of an equal share, but has " + number(s.producerRegisters);
  return "";
}

std::string mxfp4::verifyLoops(const Schedule &s, const Problem &problem) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const int64_t k = problem.k, steps = problem.layout.colBlocks(k);
  if (k > 0 && s.overlapDecode && steps >= s.kSlices && !s.sharesSteps(steps))
    return "requires a number of k64 steps that its " + number(s.kSlices) +
           " K slices share evenly or in pairs, but K = " + number(k) +
           " has " + number(steps);
  if (k > 0 && steps < s.kSlices)
    return "requires a k64 step for each of its " + number(s.kSlices) +
           " K slices, but K = " + number(k) + " has " + number(steps);
  if (s.stages % s.kSlices != 0 || (s.kSlices > 1 && s.stages < 3 * s.kSlices))
    return "requires at least three stages for each of the " +
           number(s.kSlices) + " K slices, the same number for all, but has " +
           number(s.stages);
  if (s.stages < 2 || s.stages > 32)
    return "requires 2 to 32 stages, but has " + number(s.stages);
  if (s.overlapDecode && s.slices() == 1 && s.stages < 3)
    return "requires at least 3 stages for overlap_decode where a warpgroup "
           "has one block of rows, because the words of two steps ahead are "
           "read while a step is multiplied, but has " +
           number(s.stages);
  if (s.sumSteps != 0 && (s.kSlices == 1 || s.overlapDecode))
    return "requires K slices without overlap_decode for sum_steps: only their "
           "loops may have different numbers of steps";
  if (s.versionLoops &&
      ((!s.overlapDecode && s.kSlices == 1) || s.heightStep() == s.tileTokens))
    return "requires overlap_decode or K slices, and a token_step below the "
           "tokens of the tile, for version_loops";
  if (s.fullTilesFirst && s.tokenStep == 0)
    return "requires a token_step for full_tiles_first: without one all tiles "
           "take as long";
  return "";
}

std::string mxfp4::verifyRegisters(const Schedule &s, const Target &target) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const int tokens =
                s.wideFrom != 0 ? s.wideProgram().tileTokens : s.tileTokens,
            needed =
                tokens / 2 + (s.placement == Placement::Register ? 30 : 26),
            has = RegisterBudget(s, target).launch;
  if (needed <= has)
    return "";
  return "requires at least " + number(needed) + " registers per thread for " +
         s.traits().name + " of " + number(tokens) + " tokens, but " +
         number(s.threads()) + " threads and " +
         number(s.ctasPerMultiprocessor) + " CTAs per SM leave " + number(has) +
         "; use fewer tokens, warps or CTAs";
}

/// All of the machine that the schedule takes is there.
static std::string verifyMachine(const Schedule &s, const Problem &problem,
                                 const Target &target) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const int64_t groups = problem.groups;
  if (groups < 1 || groups > maxGroups())
    return "requires 1 to " + number(maxGroups()) + " groups, but has " +
           number(groups);
  const int64_t bytes = SharedMemoryMap(s, problem.layout, groups).bytes();
  if (bytes > target.sharedPerCTA)
    return "requires at most " + number(target.sharedPerCTA) +
           " bytes of shared memory on " + target.chip + ", but needs " +
           number(bytes) + "; use fewer stages or a smaller tile";
  const int ctas = target.threadsPerMultiprocessor / s.threads();
  if (s.ctasPerMultiprocessor > ctas)
    return "requires 1 to " + number(ctas) + " CTAs per SM, but has " +
           number(s.ctasPerMultiprocessor);
  return s.traits().isAsynchronous ? verifyRegisters(s, target) : "";
}

std::string mxfp4::verifySchedule(const Schedule &schedule,
                                  const Problem &problem,
                                  const Target &target) {
  // Before anything is counted: with any number of slices an int could not.
  if (std::string wrong = verifyFields(schedule); !wrong.empty())
    return wrong;
  if (schedule.kSlices > 6)
    return "requires 1 to 6 K slices, but has " +
           std::to_string(schedule.kSlices);
  const bool isAsynchronous = schedule.traits().isAsynchronous;
  std::string wrong = verifyTile(schedule, problem, target);
  if (wrong.empty() && !isAsynchronous)
    wrong = verifyMmaSync(schedule);
  if (wrong.empty())
    wrong = verifyLoops(schedule, problem);
  if (wrong.empty() && isAsynchronous)
    wrong = verifyProducer(schedule, problem.layout, target);
  if (wrong.empty())
    wrong = verifyForms(schedule, problem, target);
  return wrong.empty() ? verifyMachine(schedule, problem, target) : wrong;
}
