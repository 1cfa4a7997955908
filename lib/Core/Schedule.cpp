//===- Schedule.cpp - How a problem is laid out on the machine ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Schedule.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/ScheduleText.h"

#include <algorithm>

using namespace mxfp4;

bool Schedule::sharesSteps(int64_t steps) const {
  if (!overlapDecode || steps % kSlices == 0)
    return steps >= kSlices;
  // A step ahead of the loop is everybody's or nobody's.
  const int64_t ahead = steps % 2;
  return (kSlices - 1) * ahead % 2 == 0 && steps >= kSlices * (ahead + 2);
}

Schedule::Steps Schedule::sliceSteps(int slice, int64_t steps) const {
  if (overlapDecode && steps % kSlices != 0) {
    // The last ones take the pairs that are left: the first adds the sums.
    const int64_t ahead = steps % 2, pairs = (steps - ahead * kSlices) / 2;
    const int64_t each = pairs / kSlices, longer = pairs % kSlices;
    const int64_t shorter = kSlices - longer;
    return {slice * (ahead + 2 * each) +
                2 * std::max<int64_t>(0, slice - shorter),
            ahead + 2 * (each + (slice >= shorter ? 1 : 0))};
  }
  const int64_t others = kSlices - 1;
  const int64_t first =
      std::max<int64_t>(1, (steps - sumSteps * others) / kSlices);
  if (slice == 0)
    return {0, first};
  const int64_t before = slice - 1, rest = steps - first;
  const int64_t longer = rest % others;
  return {first + before * (rest / others) + std::min(before, longer),
          rest / others + (before < longer ? 1 : 0)};
}

Schedule Schedule::tallProgram(const BlockLayout &layout) const {
  Schedule tall = *this;
  tall.tileRows *= kSlices;
  tall.warpsRows *= kSlices;
  tall.kSlices = 1;
  tall.sumSteps = 0;
  tall.sideBySide = tall.versionLoops = false;
  tall.copyWarps = producerThreads() / 32 - 1;
  tall.stages = static_cast<int>(
      SharedMemoryMap(*this, layout).table.offset /
      (tall.weightStageBytes(layout) + tall.activationStageBytes()));
  return tall;
}

Schedule Schedule::wideProgram() const {
  Schedule wide = *this;
  wide.tileRows /= kWider;
  wide.tileTokens *= kWider;
  wide.stages = wideStages;
  // More than one tile may read the weights of a group.
  wide.evictFirst = false;
  wide.versionLoops = false;
  return wide;
}

Schedule Schedule::halfProgram() const {
  Schedule half = *this;
  half.tileRows /= 2;
  return half;
}

Schedule Schedule::besideProgram() const {
  Schedule beside = *this;
  beside.tileRows = tileRows / warpsRows * kBesideWarps;
  beside.warpsRows = kBesideWarps;
  beside.tileTokens = besideTokens;
  beside.stages = besideStages;
  beside.copyWarps = 1;
  return beside;
}

Schedule Schedule::shortProgram() const {
  Schedule few = besideProgram();
  few.warpsRows = kShortWarps;
  few.tileTokens = shortTo;
  few.stages = shortStages;
  return few;
}

Schedule Schedule::withoutShort() const {
  Schedule other = *this;
  other.shortTo = other.shortStages = 0;
  other.besideTokens = other.besideStages = 0;
  return other;
}

WarpPlace Schedule::placeOfWarps(int warps) const {
  if (isShort())
    warps += kBesideWarps;
  const int together = traits().warps, sliceRows = traits().sliceRows();
  // A remainder that changes no number is left out.
  const auto term = [&](int divisor, int count, int stride) {
    return WarpTerm{divisor, warps > divisor * count ? count : 0, stride};
  };
  WarpPlace place;
  place.slice.push_back(
      term(together, warpsRows / together, together * slices()));
  for (const BitGroup &bits : strides(traits().mapOfA().warp, /*ofCol=*/false))
    place.slice.push_back(
        {1 << bits.shift, bits.mask + 1, bits.stride / sliceRows});
  place.token = term(warpsRows, warpsTokens, warpTokens());
  return place;
}

int WarpPlace::firstSlice(int warp) const {
  int sum = 0;
  for (const WarpTerm &term : slice)
    sum += term(warp);
  return sum;
}

/// Tile, warps and instruction fit each other.
static std::string verifyTile(const Schedule &s, const Problem &problem,
                              const Target &target) {
  const BlockLayout &layout = problem.layout;
  const auto number = [](int64_t value) { return std::to_string(value); };
  if (s.threads() > target.threadsPerCTA)
    return "requires at most " + number(target.threadsPerCTA / 32) +
           " warps, but has " + number(s.threads() / 32);
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
  // Accumulators must leave room for a decoded fragment and the addresses.
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

/// Where K slices and the loops over K disagree.
static std::string verifyLoops(const Schedule &s, const Problem &problem) {
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

/// A warp next to the copying warps brings whole rows.
static std::string verifyBringing(const Schedule &s, const Problem &problem) {
  const int64_t row = problem.k * bits(problem.activations) / 8;
  if (!s.traits().isAsynchronous || s.kSlices > 1 || s.wideFrom != 0 ||
      s.copyWarps > 2 || s.ctasPerMultiprocessor != 1)
    return "requires wgmma, one CTA per SM, at most 2 copy_warps, and neither "
           "K slices nor wide_from for bring_bytes";
  if (!problem.through)
    return "requires memory to gather through for bring_bytes: without it no "
           "warp brings rows";
  if (s.bringBytes % 16 != 0 ||
      (row > 0 && s.bringBytes != row && s.bringBytes != 2 * row))
    return "requires bring_bytes to be one or two rows of activations of " +
           std::to_string(row) + " bytes, in units of 16, but has " +
           std::to_string(s.bringBytes);
  return "";
}

/// One role copies weights, and one table has the first tile.
static std::string verifyAhead(const Schedule &s, const Problem &problem) {
  if (!s.traits().isAsynchronous || problem.gathers || s.bringBytes != 0 ||
      s.sideBySide || s.wideFrom != 0)
    return "requires wgmma, rows in order, and neither side_by_side nor "
           "wide_from for copies_ahead";
  return "";
}

/// The second program has the threads and the registers of the first, and less
/// shared memory: what is left to fail are the rows of its tiles.
static std::string verifySideBySide(const Schedule &s,
                                    const BlockLayout &layout) {
  if (s.kSlices == 1 || s.overlapDecode || s.placement != Placement::Register ||
      s.ctasPerMultiprocessor != 1)
    return "requires K slices, register placement, one CTA per SM and no "
           "overlap_decode for side_by_side";
  const std::string wrong = verifyFields(s.tallProgram(layout));
  return wrong.empty() ? "" : wrong + " in the tall tiles of side_by_side";
}

/// The program of wide tiles follows in the same warps, with the same registers
/// and shared memory.
static std::string verifyWide(const Schedule &s, const BlockLayout &layout) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const Schedule wide = s.wideProgram();
  if (s.tokenStep == 0 || s.placement != Placement::Register ||
      s.fullTilesFirst || s.sideBySide || s.producerRegisters != 0)
    return "requires a token_step, register placement and none of "
           "full_tiles_first, side_by_side and producer_registers for "
           "wide_from";
  if (s.wideFrom <= s.tileTokens || s.wideFrom > wide.tileTokens)
    return "requires wide_from to be more than the " + number(s.tileTokens) +
           " tokens of a tile and at most twice as many, but has " +
           number(s.wideFrom);
  const int least = std::max(layout.rows, s.traits().sliceRows() * s.warpsRows);
  if (wide.tileRows % least != 0 || wide.tileTokens > s.traits().nMax)
    return "requires half of the tile rows to be a multiple of " +
           number(least) + ", and twice the tile tokens to be at most " +
           number(s.traits().nMax) + ", for wide_from, but has " +
           number(s.tileRows) + " and " + number(s.tileTokens);
  if (s.kSlices == 1 && s.copyWarps - 1 > wide.tileRows / layout.rows)
    return "requires at most " + number(wide.tileRows / layout.rows + 1) +
           " copy_warps, one for the activations and one for each " +
           number(layout.rows) +
           " rows of half of the tile, for wide_from, "
           "but has " +
           number(s.copyWarps);
  if (wide.stages < 3 * s.kSlices || wide.stages % s.kSlices != 0)
    return "requires at least three wide_stages for each of the " +
           number(s.kSlices) + " K slices, the same number for all, but has " +
           number(wide.stages);
  return "";
}

/// A warpgroup multiplies one of its blocks of rows in place of two, with the
/// same stages; the first tile is found while the tiles are counted.
static std::string verifyHalves(const Schedule &s, const Problem &problem) {
  if (!s.traits().isAsynchronous || s.placement != Placement::Register ||
      s.slices() != 2 || s.tileRows != 2 * problem.layout.rows ||
      s.overlapDecode || s.fullTilesFirst || s.sideBySide || s.wideFrom != 0 ||
      s.kSlices == 1)
    return "requires wgmma, register placement, K slices of one warpgroup with "
           "two blocks of rows, and none of overlap_decode, full_tiles_first, "
           "side_by_side and wide_from for half_tiles";
  if (problem.groups > Schedule::kMostGroupsOfHalves)
    return "requires at most " + std::to_string(s.kMostGroupsOfHalves) +
           " groups for half_tiles, but has " + std::to_string(problem.groups);
  return "";
}

/// A CTA's first tile has its number.
static std::string verifyPrefetch(const Schedule &s) {
  if (s.traits().isAsynchronous && s.copyWarps > 0 && !s.fullTilesFirst &&
      !s.sideBySide && s.wideFrom == 0 && s.bringBytes == 0 && !s.copiesAhead)
    return "";
  return "requires wgmma, copy_warps, and none of full_tiles_first, "
         "side_by_side, wide_from, bring_bytes and copies_ahead for "
         "prefetch_first";
}

/// What ptxas needs for one wgmma: the accumulators of 64 rows, A if it is in
/// registers, and what ptxas keeps for itself (13.0.88: 26 registers).
static std::string verifyRegisters(const Schedule &s, const Target &target) {
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

/// Three warpgroups multiply tiles of one kind, or two of them multiply beside
/// one that has the short groups.
static std::string verifyShort(const Schedule &s, const Problem &problem,
                               const Target &target) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  constexpr int warps = Schedule::kShortWarps + Schedule::kBesideWarps;
  if (s.warpsRows != warps || s.kSlices != 1 ||
      s.placement != Placement::Register || s.producerRegisters == 0 ||
      !s.fullTilesFirst || s.wideFrom != 0 || s.copiesAhead ||
      (problem.gathers && s.bringBytes == 0))
    return "requires " + number(warps) +
           " warps along rows, register placement, "
           "producer_registers, full_tiles_first, rows in order or a warp that "
           "brings them, and none of K slices, wide_from and copies_ahead for "
           "short_to";
  if (s.shortTo % s.tokenStep != 0 || s.besideTokens % s.tokenStep != 0 ||
      s.shortTo >= s.besideTokens)
    return "requires multiples of the token_step of " + number(s.tokenStep) +
           " for short_to and for beside_tokens, which is more, but has " +
           number(s.shortTo) + " and " + number(s.besideTokens);
  const auto verify = [&](const Schedule &program, const char *of) {
    std::string wrong = verifyTile(program, problem, target);
    if (wrong.empty())
      wrong = verifyLoops(program, problem);
    if (wrong.empty())
      wrong = verifyRegisters(program, target);
    return wrong.empty() ? wrong : wrong + " in the tiles " + of;
  };
  std::string wrong = verify(s.besideProgram(), "beside short groups");
  return wrong.empty() ? verify(s.shortProgram(), "of short groups") : wrong;
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
  if (wrong.empty() && schedule.bringBytes != 0)
    wrong = verifyBringing(schedule, problem);
  if (wrong.empty() && schedule.copiesAhead)
    wrong = verifyAhead(schedule, problem);
  if (wrong.empty() && schedule.halfTiles)
    wrong = verifyHalves(schedule, problem);
  if (wrong.empty() && schedule.prefetchFirst)
    wrong = verifyPrefetch(schedule);
  if (wrong.empty() && schedule.sideBySide)
    wrong = verifySideBySide(schedule, problem.layout);
  if (wrong.empty() && schedule.wideFrom != 0)
    wrong = verifyWide(schedule, problem.layout);
  if (wrong.empty() && schedule.wideFrom == 0 && schedule.wideStages != 0)
    wrong = "requires wide_from for wide_stages";
  if (wrong.empty() && schedule.shortTo != 0)
    wrong = verifyShort(schedule, problem, target);
  if (wrong.empty() && schedule.shortTo == 0 &&
      (schedule.shortStages != 0 || schedule.besideTokens != 0 ||
       schedule.besideStages != 0))
    wrong = "requires short_to for short_stages, beside_tokens and "
            "beside_stages";
  return wrong.empty() ? verifyMachine(schedule, problem, target) : wrong;
}

std::string mxfp4::verifyBatchInvariant(const Schedule &schedule) {
  if (schedule.sumsInOrder())
    return "";
  return "requires k_slices = 1 for batch-invariant, so that all kernels of a "
         "problem add over K in the same order, but has " +
         std::to_string(schedule.kSlices);
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
      return "expects instruction=auto, instruction=mma_sync, "
             "instruction=wgmma or instruction=wgmma_fp8, but got '" +
             instruction + "'";
    preference.instruction = wanted;
  }
  return "";
}

const char *mxfp4::name(Placement placement) {
  return placement == Placement::Register ? "register" : "shared";
}

bool mxfp4::parse(const std::string &text, Placement &placement) {
  for (Placement candidate : {Placement::Register, Placement::Shared})
    if (text == name(candidate))
      return placement = candidate, true;
  return false;
}
