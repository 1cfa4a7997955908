//===- Chooser.cpp - What follows from a tile and its warps ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The instruction, the stages that fit, the warps that copy and their registers
// follow from the problem and from the tile that a regime chose. Thresholds
// were measured on an H100 (docs/tuning/FewRowsH100.md and
// ManyRows.md).
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include "mxfp4/Core/Resources.h"

#include <algorithm>

using namespace mxfp4;

/// Stages per SM past which more copies in flight gain nothing: with two CTAs
/// per SM, twice as many stages cost 12 %.
constexpr int kManyStages = 30;

/// Accumulators per thread from which an equal share of the registers is too
/// small: for consumers with a second fragment, and for consumers without.
constexpr int kNeedy = 64, kNeedyAlone = 32;

/// Tokens of a tile up to which a group's tokens mostly fit one: its weights
/// are read once, and need not stay in the cache.
constexpr int kReadOnce = 64;

/// Tokens of a tile from which tiles of groups with few rows take much less
/// time than full ones. Full tiles then come first, so that none is the last.
constexpr int kUnlike = 48;

/// Tokens of a tile up to which memory decides, and a gather of 16 rows could
/// be twice what a tile needs.
constexpr int kLow = 32;

/// Tokens of a tile up to which a branch around copies of rows is worth it.
/// ptxas makes predicates of branches, and in higher tiles copies of all rows
/// took 6 to 14 % less time, although an eighth of them is of rows that nobody
/// needs.
constexpr int kMiddle = 64;

/// Tokens of a tile from which a step takes long enough to decode the next in
/// that time.
constexpr int kPromotedAhead = 96;

/// Tokens of the lowest and the highest tile whose promoted sums were measured
/// with one warp that copies weights.
constexpr int kOneForWeights = 160, kOneForWeightsMost = 176;

/// Tokens of a tile up to which a kernel copies before the one ahead has ended.
constexpr int kAheadTokens = 16;

/// Tokens of a warp from which it stores more of them between two branches,
/// unless K slices leave it few registers: 28 warps with SwiGLU would spill.
constexpr int kManyStores = 65;

/// How much of a tile with few rows a branch skips: a smaller part saves more
/// copies and stores, and takes more branches.
static Schedule withBranches(Schedule schedule) {
  schedule.gatherRows = schedule.tileTokens <= kLow      ? 8
                        : schedule.tileTokens <= kMiddle ? 16
                                                         : schedule.tileTokens;
  schedule.storeColumns =
      schedule.warpTokens() >= kManyStores && schedule.kSlices == 1 ? 4 : 2;
  return schedule;
}

/// Whether one warp copies all blocks of weights: in tall tiles that decode
/// ahead and promote sums every 512 of K, with which layers of gpt-oss take 0.1
/// to 1.0 % less time than with two.
static bool copiesWeightsInOneWarp(const Schedule &schedule, int promotion) {
  return promotion == 512 && schedule.overlapDecode && schedule.kSlices == 1 &&
         schedule.tileRows == 128 && schedule.tileTokens >= kOneForWeights &&
         schedule.tileTokens <= kOneForWeightsMost;
}

/// Warps of the producer that copy: one for each K slice; or, with one CTA per
/// SM, one for the activations and up to two for the blocks of weights, because
/// a thread takes longer to start a copy than TMA takes to do it.
static int copyWarpsFor(const Schedule &schedule, const BlockLayout &layout,
                        int promotion) {
  if (schedule.kSlices > 1)
    return schedule.kSlices;
  if (schedule.ctasPerMultiprocessor > 1)
    return 1;
  const int most = copiesWeightsInOneWarp(schedule, promotion) ? 1 : 2;
  return 1 + std::min(most, schedule.tileRows / layout.rows);
}

/// Registers per thread of the producer. ptxas once gave a producer 28 under a
/// limit of 24. Three consumer warpgroups need all that the producer leaves.
/// With six, 24 remain for the producer, which needs 22 for every layout and
/// output; and with sums that are promoted, which are twice as many. Producers
/// that gather keep the numbers of up to 16 rows.
static int producerRegistersFor(const Schedule &schedule, bool gathers,
                                int promotion) {
  const int needy = schedule.overlapDecode ? kNeedy : kNeedyAlone;
  if (schedule.ctasPerMultiprocessor > 1 || schedule.consumerWarps() <= 4 ||
      schedule.copyWarps > 3 || schedule.allAccumulators(promotion) < needy)
    return 0;
  if (gathers)
    return 56;
  return !schedule.overlapDecode || promotion != 0 ? 24
         : schedule.consumerWarps() > 8            ? 32
                                                   : 40;
}

/// K slices of one warpgroup each, as many as make the longest slice short.
/// More than three would leave too few registers for a second fragment. Where
/// each had one step, ptxas would serialise its multiplications, because no
/// loop is left: the longest has at least `fewest`.
static int slicesFor(int64_t steps, int64_t fewest) {
  int best = 1;
  int64_t least = steps;
  for (int slices : {3, 2}) {
    Schedule schedule;
    schedule.overlapDecode = true;
    schedule.kSlices = slices;
    if (!schedule.sharesSteps(steps))
      continue;
    // The last slice has the most steps.
    const int64_t most = schedule.sliceSteps(slices - 1, steps).count;
    if (most < fewest)
      continue;
    if (most < least || (most == least && slices < best)) {
      best = slices;
      least = most;
    }
  }
  return best;
}

Chooser::Chooser(const Problem &problem, const Target &target,
                 const Preference &preference)
    : problem(problem), target(target), preference(preference),
      groups(std::max<int64_t>(problem.groups, 1)),
      steps(problem.layout.colBlocks(problem.k)),
      slices(preference.batchInvariant
                 ? 1
                 : slicesFor(steps, target.find(problem.activations,
                                                /*isAsynchronous=*/false)
                                        ? 1
                                        : 2)) {}

Instruction Chooser::instruction(int64_t rows) const {
  if (preference.instruction)
    return *preference.instruction;
  const InstructionTraits *other =
      target.find(problem.activations, /*isAsynchronous=*/false);
  return asynchronous() && (steps >= kFewSteps || !other || winsFewSteps(rows))
             ? asynchronous()->instruction
             : other->instruction;
}

Pick Chooser::pick(int64_t rows) const {
  const InstructionTraits &traits = traitsOf(instruction(rows));
  Pick pick = traits.cutsSums()       ? pickFP8(rows)
              : traits.isAsynchronous ? pickWgmma(rows)
                                      : pickMmaSync(rows);
  pick.schedule = withBranches(pick.schedule);
  pick.schedule.copiesAhead = copiesAhead(pick.schedule);
  pick.schedule.prefetchFirst =
      !pick.schedule.copiesAhead &&
      (pick.schedule.prefetchFirst || prefetchesFirst(pick.schedule));
  // One for other activations is the verifier's to refuse.
  if (preference.instruction)
    pick.schedule.instruction = *preference.instruction;
  return pick;
}

/// Whether offsets are read and weights copied before the kernel ahead has
/// ended. Measured on an H200 with tiles of up to 16 tokens and 45 steps of K;
/// tiles for few steps were not measured. In FP8, layers whose `down` comes
/// right behind gate_up took 0.94 to 1.00 of the time. Behind the kernel that
/// rounds rows and writes their scales, which has ended soon, they took 0.985
/// to 1.016 of it.
bool Chooser::copiesAhead(const Schedule &schedule) const {
  return problem.olderInputs && !problem.gathers && decodeDecides() &&
         steps > kMostAloneSteps &&
         (problem.activations == NumberType::BF16 || !problem.readsRowValues) &&
         schedule.traits().isAsynchronous && !schedule.sideBySide &&
         schedule.wideFrom == 0 && schedule.tileTokens <= kAheadTokens;
}

/// Whether weights of first tiles are fetched into L2 before the kernel ahead
/// has ended: 0.86 to 0.995 of the time of matmuls alone in 36 cases, and 1.02
/// in one; in FP8 0.93 to 1.00 in 22 cases. The lanes that count the tiles of
/// 896 groups spill registers. In a layer, the kernel ahead of gate_up writes
/// its offsets, and `down` copies weights ahead; neither takes less time.
bool Chooser::prefetchesFirst(const Schedule &schedule) const {
  constexpr int64_t kMostGroups = 512;
  return (decodeDecides() || (schedule.traits().cutsSums() && isAloneFP8())) &&
         !problem.gathers && !problem.hasEpilogue && groups <= kMostGroups &&
         schedule.placement == Placement::Register &&
         schedule.traits().isAsynchronous && !schedule.overlapDecode &&
         !schedule.fullTilesFirst && !schedule.sideBySide &&
         schedule.wideFrom == 0 && schedule.tileTokens <= kAheadTokens;
}

std::string Chooser::whyInstruction(Instruction chosen) const {
  const InstructionTraits &traits = traitsOf(chosen);
  const std::string name = traits.ptxName;
  if (preference.instruction)
    return name + " as asked for";
  if (traits.cutsSums())
    return name + " because activations are " +
           mxfp4::name(problem.activations);
  if (!asynchronous())
    return name + " because " + target.chip + " has no wgmma";
  const std::string few = std::to_string(kFewSteps);
  if (traits.isAsynchronous && steps >= kFewSteps)
    return name + " because K has at least " + few + " steps of 64";
  const std::string number = " because K = " + std::to_string(problem.k) +
                             " has only " + std::to_string(steps) +
                             (steps == 1 ? " step" : " steps") + " of 64, ";
  if (traits.isAsynchronous)
    return name + number + "but there are enough rows for wgmma";
  return name + number + "and wgmma needs " + few +
         " to overlap copies, decoding and multiplication";
}

bool Chooser::fits(const Schedule &schedule) const {
  // A few groups more or less are no reason for another kernel.
  const int64_t bytes = SharedMemoryMap(schedule, problem.layout,
                                        std::max<int64_t>(problem.groups, 32))
                            .bytes();
  return bytes <= target.sharedPerCTA &&
         schedule.ctasPerMultiprocessor * (bytes + target.sharedReserved) <=
             target.sharedPerMultiprocessor;
}

/// Whether warpgroups whose sums are promoted decode ahead. Measured with tall
/// tiles: 0.88 to 0.94 of the time of one group, 0.89 to 0.92 of that of 32
/// groups with 512 rows or more each; with whole steps (`kWholeSteps`), 0.96 of
/// that of 128 rows each, and in tiles of 96 tokens 0.95 and 0.97 of that of
/// 64 rows each; with K slices more. Producers that gather need the
/// registers.
bool Chooser::promotesAhead(const Schedule &schedule) const {
  return hasSpareRegisters() && !problem.gathers && schedule.kSlices == 1 &&
         schedule.tileTokens >= kPromotedAhead;
}

Schedule Chooser::fit(Schedule schedule, int most) const {
  // As many for each slice as fit, found by halving, but no fewer than three.
  int upper = most / schedule.kSlices, lower = std::min(3, upper);
  while (lower < upper) {
    const int middle = (lower + upper + 1) / 2;
    schedule.stages = middle * schedule.kSlices;
    if (fits(schedule))
      lower = middle;
    else
      upper = middle - 1;
  }
  schedule.stages = lower * schedule.kSlices;
  while (schedule.ctasPerMultiprocessor > 1 && !fits(schedule))
    --schedule.ctasPerMultiprocessor;
  return schedule;
}

/// Fields that the regimes leave open follow from tile and warps. More than
/// four warpgroups leave no registers for a second fragment and do not need it:
/// some multiply while others decode. K slices without a second fragment may
/// share steps unevenly, and their tall tiles take 5 % less time.
Schedule Chooser::wgmma(int tileRows, int tileTokens, int tokenStep, int warps,
                        int kSlices, int ctas) const {
  Schedule schedule;
  schedule.instruction = asynchronous()->instruction;
  schedule.tileRows = tileRows;
  schedule.tileTokens = tileTokens;
  schedule.tokenStep = tokenStep;
  schedule.warpsRows = warps;
  schedule.kSlices = kSlices;
  schedule.placement = preference.placement;
  schedule.ctasPerMultiprocessor = ctas;
  schedule.overlapDecode = schedule.consumerWarps() <= 16 &&
                           (!isPromoted(problem) || promotesAhead(schedule));
  schedule.evictFirst = tileTokens <= kReadOnce;
  schedule.fullTilesFirst = tokenStep != 0 && tileTokens >= kUnlike;
  if (kSlices > 1 && !schedule.overlapDecode) {
    schedule.sumSteps = kSumSteps;
    schedule.sideBySide = hasSpareRegisters() && !isPromoted(problem);
  }
  schedule = fit(schedule, kSlices > 1 ? kManyStages / ctas : kManyStages);
  // Where memory decides, most tiles have no more tokens than one step, and a
  // choice among widths costs 5 % of their time. With several CTAs per SM, no
  // registers are left for a second loop.
  schedule.versionLoops = schedule.overlapDecode && tokenStep != 0 &&
                          tileTokens <= 32 &&
                          schedule.ctasPerMultiprocessor == 1;
  const int promotion = promotionOf(problem);
  schedule.copyWarps = copyWarpsFor(schedule, problem.layout, promotion);
  schedule.producerRegisters =
      producerRegistersFor(schedule, problem.gathers, promotion);
  return schedule;
}
