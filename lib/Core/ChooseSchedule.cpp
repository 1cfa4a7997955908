//===- ChooseSchedule.cpp - A schedule for a class of problems ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chooses for the rows that a hint names, tells which other hints get the same
// schedule, and enumerates all schedules that can be chosen.
//
//===----------------------------------------------------------------------===//

#include "Chooser.h"

#include <algorithm>

using namespace mxfp4;

/// Rows per group past which the choice stays the same, because one wave more
/// or less no longer matters. A single group has all waves to itself.
constexpr int64_t kMany = 1024, kManyAlone = 32768;

/// What the producer needs at least where one of its warps brings rows: with 24
/// registers per thread it spills.
constexpr int kBringingRegisters = 32;

/// The same where the warp that hands out tiles of short groups brings rows.
/// With 32 registers the producer spills. Were the warp's next tile taken
/// later, it would not, but Zipf's routing took 1.01 times as long.
constexpr int kTellingRegisters = 40;

/// The schedule with a warp that brings rows, if it can have one: blocks of
/// weights are then copied by one warp, and one or two rows of activations take
/// the shared memory that stages leave.
static Schedule withBringing(Schedule schedule, const Problem &problem,
                             const Target &target) {
  schedule.copyWarps = std::min(schedule.copyWarps, 2);
  if (schedule.producerRegisters != 0)
    schedule.producerRegisters = std::max(
        schedule.producerRegisters,
        schedule.shortTo != 0 ? kTellingRegisters : kBringingRegisters);
  const int64_t row = problem.k * bits(problem.activations) / 8;
  for (int64_t rows : {2, 1}) {
    schedule.bringBytes =
        static_cast<int>(std::min<int64_t>(rows * row, 65536));
    if (verifySchedule(schedule, problem, target).empty())
      return schedule;
  }
  schedule.bringBytes = 0;
  return schedule;
}

namespace {

/// Chooses for one problem: where a warp may bring rows, the schedule of a
/// problem that has them in order, if such a warp fits it.
class Either {
public:
  Either(const Problem &problem, const Target &target,
         const Preference &preference)
      : target(target), chooser(problem, target, preference) {
    if (!problem.through)
      return;
    inOrder = problem;
    inOrder.gathers = false;
    bringing.emplace(inOrder, target, preference);
  }

  Pick pick(int64_t rows) const {
    if (bringing) {
      Pick pick = bringing->pick(rows);
      for (const Schedule &wanted :
           {pick.schedule, pick.schedule.withoutShort()}) {
        pick.schedule = withBringing(wanted, inOrder, target);
        if (pick.schedule.bringBytes != 0)
          return pick;
      }
    }
    return chooser.pick(rows);
  }

  std::string whyInstruction(Instruction chosen) const {
    return chooser.whyInstruction(chosen);
  }

private:
  const Target &target;
  const Chooser chooser;
  Problem inOrder;
  std::optional<Chooser> bringing;
};

} // namespace

ScheduleChoice mxfp4::chooseSchedule(const Problem &problem,
                                     const Target &target,
                                     const Preference &preference) {
  const Either choosers(problem, target, preference);
  const int64_t groups = std::max<int64_t>(problem.groups, 1);
  const int64_t many = groups > 1 ? kMany * groups : kManyAlone;
  // With no hint, take a tile that loses little at either end.
  const int64_t expected =
      problem.rowsHint > 0 ? problem.rowsHint : 32 * groups;
  const int64_t rows = std::min(expected, many);
  const Pick pick = choosers.pick(rows);
  ScheduleChoice choice;
  choice.schedule = pick.schedule;
  choice.reason = std::string(pick.why) + "; " +
                  choosers.whyInstruction(pick.schedule.instruction);
  choice.reason += problem.rowsHint > 0
                       ? " (" + std::to_string((expected - 1) / groups + 1) +
                             " expected per group)"
                       : " (no hint of the number of rows)";
  // Past the first row of each group only the mean counts, which changes after
  // every `groups` rows; past `many` nothing changes any more.
  const auto isSame = [&](int64_t rows) {
    const Pick other = choosers.pick(rows);
    return other.schedule == pick.schedule && other.why == pick.why;
  };
  const auto classStart = [&](int64_t rows) {
    return rows <= groups ? rows : (rows - 1) / groups * groups + 1;
  };
  const auto classEnd = [&](int64_t rows) {
    return rows <= groups ? rows : (rows - 1) / groups * groups + groups;
  };
  choice.rowsFrom = classStart(rows);
  while (choice.rowsFrom > 1 && isSame(choice.rowsFrom - 1))
    choice.rowsFrom = classStart(choice.rowsFrom - 1);
  choice.rowsTo = classEnd(rows);
  while (choice.rowsTo < many && isSame(choice.rowsTo + 1))
    choice.rowsTo = classEnd(choice.rowsTo + 1);
  if (choice.rowsFrom == 1)
    choice.rowsFrom = 0;
  if (choice.rowsTo >= many)
    choice.rowsTo = INT64_MAX;
  return choice;
}

/// The target with its device, and with others that make a difference.
static std::vector<Target> variants(const Target &target) {
  const auto outruns = [](const Target &each) {
    return each.device.bytesPerClock() >= kBytesDecoded;
  };
  std::vector<Target> found = {target};
  for (const Part &part : parts()) {
    Target other = target;
    other.device = part.device;
    if (std::none_of(found.begin(), found.end(), [&](const Target &each) {
          return outruns(each) == outruns(other);
        }))
      found.push_back(other);
  }
  return found;
}

/// Adds what the chooser returns; where a warp may bring rows, only schedules
/// with such a warp, for one K.
static void addSchedules(std::vector<Schedule> &result, const Target &target,
                         Placement placement, const Problem &like,
                         bool batchInvariant) {
  // Steps of K that three slices share, or two, or none; or that none may. With
  // few steps of 8-bit numbers K is so short that no sum is promoted.
  std::vector<int64_t> allSteps = {45};
  if (!batchInvariant && !like.through)
    allSteps.insert(allSteps.end(), {8, 7});
  if (!batchInvariant && !like.through && like.promotion == 0)
    allSteps.push_back(4);
  for (Instruction instruction : target.instructions) {
    const InstructionTraits &traits = traitsOf(instruction);
    if (traits.typeOfB != like.activations)
      continue;
    for (int64_t steps : allSteps)
      for (int64_t groups : {1, 8, 32, 128, 1024})
        for (int64_t n : {64, 1024, 2880, 4096, 5760})
          // Past the first row of each group only the mean counts.
          for (int64_t rows = 1; rows <= (groups > 1 ? 256 * groups : 8192);
               rows += rows < groups ? 1 : std::max(groups, rows / 64)) {
            Problem problem = like;
            problem.experts = problem.groups = groups;
            problem.n = n;
            problem.k = steps * traits.tileK();
            problem.rowsHint = rows;
            // Of fewer groups some have shared memory that more would take.
            Problem of32 = problem;
            of32.groups = std::max<int64_t>(groups, 32);
            const Schedule schedule =
                Either(problem, target,
                       {placement, instruction, batchInvariant})
                    .pick(rows)
                    .schedule;
            if (like.through &&
                (schedule.bringBytes == 0 ||
                 !verifySchedule(schedule, of32, target).empty()))
              continue;
            if (std::find(result.begin(), result.end(), schedule) ==
                result.end())
              result.push_back(schedule);
          }
  }
}

static std::vector<Schedule> allSchedulesLike(Problem like,
                                              const Target &target,
                                              Placement placement,
                                              std::optional<int> promotion) {
  std::vector<Schedule> result;
  if (promotion) {
    like.layout = BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative);
    like.activations = NumberType::E4M3;
    like.promotion = *promotion;
  }
  for (bool batchInvariant : {false, true})
    for (const Target &each : variants(target))
      for (auto [older, fused] :
           {std::pair(false, false), {true, false}, {false, true}}) {
        like.olderInputs = older;
        like.hasEpilogue = fused;
        addSchedules(result, each, placement, like, batchInvariant);
      }
  return result;
}

std::vector<Schedule> mxfp4::allSchedules(const Target &target,
                                          Placement placement, bool gathers,
                                          std::optional<int> promotion) {
  Problem like;
  like.gathers = gathers;
  return allSchedulesLike(like, target, placement, promotion);
}

std::vector<Schedule>
mxfp4::allBringingSchedules(const Target &target, Placement placement,
                            std::optional<int> promotion) {
  Problem like;
  like.gathers = like.through = true;
  return allSchedulesLike(like, target, placement, promotion);
}
