//===- Schedule.h - How a problem is laid out on the machine ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A schedule is everything that the passes need to know beyond the operation
// itself. The chooser is a pure function of problem class and target: it sees
// no IR and no routing, and gives its reason.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_SCHEDULE_H
#define MXFP4_CORE_SCHEDULE_H

#include "mxfp4/Core/Target.h"
#include "mxfp4/Core/WeightLayout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mxfp4 {

/// The tensor-core instruction.
enum class Instruction {
  /// mma.sync.m16n8k16: a warp at a time, both operands in registers.
  MmaSync,
  /// wgmma.m64nNk16: a warpgroup at a time, weights in registers, activations
  /// in shared memory; copies by producer warps of their own.
  Wgmma,
};

/// Where weights are decoded.
enum class Placement {
  /// Fragment by fragment, in the registers of the thread that multiplies.
  Register,
  /// A bf16 tile in shared memory: the baseline.
  Shared,
};

/// One schedule. Weights are the instruction's operand A, so `tileRows` counts
/// columns of the output (N) and `tileTokens` its rows.
struct Schedule {
  Instruction instruction = Instruction::MmaSync;
  /// Output tile of a CTA: weight rows (N) x tokens (R).
  int tileRows = 64;
  int tileTokens = 64;
  /// A tile that has fewer tokens works on a multiple of so many, a divisor of
  /// `tileTokens`; 0 if every tile is treated alike. See `heightStep`.
  int tokenStep = 0;
  /// Warps along each of the two.
  int warpsRows = 1;
  int warpsTokens = 1;
  /// Sets of such warps. Each multiplies a part of the k64 steps with the whole
  /// tile, and their sums are added in order: a tile takes less time, so that
  /// there are more of them for a CTA to share evenly.
  int kSlices = 1;
  /// k64 steps held in shared memory, being copied or being read.
  int stages = 4;
  Placement placement = Placement::Register;
  /// CTAs that share a multiprocessor; bounds the registers of a thread.
  int ctasPerMultiprocessor = 1;

  static constexpr int kTileK = BlockLayout::kCols;

  /// Warps that multiply, and threads of the producer: warps that copy and one
  /// that hands out tiles. The producer is a whole warpgroup where it hands
  /// registers over, since that is done by warpgroups.
  int sliceWarps() const { return warpsRows * warpsTokens; }
  int consumerWarps() const { return sliceWarps() * kSlices; }
  int producerThreads() const {
    return instruction == Instruction::MmaSync ? 0
           : handsOverRegisters()              ? 128
                                               : 32 * (copyingWarps() + 1);
  }
  /// Tiles along N.
  int64_t columnTiles(int64_t n) const { return (n + tileRows - 1) / tileRows; }
  /// Accumulators of a thread.
  int accumulators() const { return warpRows() * warpTokens() / 32; }
  /// An equal share of the registers is not enough for every consumer, and the
  /// producer fits a warpgroup.
  bool handsOverRegisters() const {
    return instruction == Instruction::Wgmma && ctasPerMultiprocessor == 1 &&
           consumerWarps() > 4 && copyingWarps() < 4 &&
           accumulators() >= (overlapsDecode() ? 64 : 32);
  }
  /// A warpgroup decodes its next fragment while it multiplies with one. More
  /// than four leave no registers for a second fragment, and do not need it:
  /// some multiply while others decode.
  bool overlapsDecode() const { return consumerWarps() <= 16; }
  /// Tiles of one token step have a loop of their own: where memory decides,
  /// most have no more, and a choice among widths costs 5 % of their time. With
  /// several CTAs a multiprocessor there are no registers for it.
  bool versionsLoops() const {
    return instruction == Instruction::Wgmma && tokenStep != 0 &&
           tokenStep < tileTokens && tileTokens <= 32 &&
           ctasPerMultiprocessor == 1;
  }
  /// The part of `steps` k64 steps that a slice multiplies, one slice's behind
  /// another's. Slices that overlap decode have as many each. Elsewhere the
  /// first, which then adds the sums of all and stores them, has fewer.
  struct Steps {
    int64_t begin, count;
  };
  Steps sliceSteps(int slice, int64_t steps) const;
  /// The schedule of a kernel's second program, if it has one: its K slices
  /// have tiles of their own side by side, which are one tall tile that shares
  /// activations and has no sums to add. The kernel takes it where as many
  /// times its rounds of tiles as there are slices are no more than those of
  /// shared tiles (see `mxfp4-tile`): 5 % less time.
  std::optional<Schedule> sideBySide() const;
  /// Warps of the producer that copy: one for each K slice; or, where one CTA
  /// has the multiprocessor, one for the activations and up to two for the
  /// blocks of weights, since a copy takes a thread longer to start than the
  /// engine to do.
  int copyingWarps() const;
  int threads() const { return 32 * consumerWarps() + producerThreads(); }
  /// Registers of a producer and a consumer thread after the hand-over; 0 if
  /// there is none.
  int producerRegisters() const;
  int consumerRegisters(const Target &target) const;
  int warpRows() const { return tileRows / warpsRows; }
  int warpTokens() const { return tileTokens / warpsTokens; }
  /// The 16-row slice of the tile that fragment `i` of a warp covers, for
  /// i < warpRows() / 16, is firstSlice(warp) + i * sliceStride(): a warpgroup
  /// spreads each 64-row block over its four warps.
  int sliceStride() const { return instruction == Instruction::Wgmma ? 4 : 1; }
  int firstSlice(int warp) const;
  /// A group's tokens mostly fit a tile: its weights are read once, and need
  /// not stay in the cache.
  bool readsWeightsOnce() const { return tileTokens <= 64; }
  /// Tiles that take long come first, lest one of them be the last: those of
  /// groups with more rows than half a tile has. Few rows make tiles alike.
  bool startsWithFullTiles() const {
    return tokenStep != 0 && tileTokens >= 48;
  }
  /// i32 in the table of tiles: two lists instead of one if full tiles come
  /// first.
  int64_t tableEntries(int64_t groups) const {
    return startsWithFullTiles() ? 2 * groups + 3 : groups + 2;
  }
  /// Bytes of one stage: packed weights, then bf16 activations.
  int weightStageBytes() const {
    return tileRows / BlockLayout::kRows * BlockLayout::kBytes;
  }
  int activationStageBytes() const { return tileTokens * kTileK * 2; }
  /// What the height of a tile is a multiple of.
  int heightStep() const { return tokenStep ? tokenStep : tileTokens; }
  /// Where the decoded blocks of wgmma lie: behind the activations, since both
  /// want whole KiB.
  int64_t decodedOffset() const {
    return int64_t(stages) * activationStageBytes();
  }
  /// Where the packed weights lie, and behind them the sums of a slice that
  /// wait to be added.
  int64_t weightOffset() const {
    return decodedOffset() +
           (instruction == Instruction::Wgmma ? decodedTileBytes() : 0);
  }
  int64_t reductionOffset() const {
    return weightOffset() + int64_t(stages) * weightStageBytes();
  }
  /// Where the table of tiles lies.
  int64_t tableOffset() const { return reductionOffset() + reductionBytes(); }
  int reductionBytes() const {
    return kSlices > 1 ? tileRows * tileTokens * 4 : 0;
  }
  /// Bytes of the decoded tile that `Placement::Shared` keeps: all of the tile
  /// for mma.sync, two blocks for each warpgroup for wgmma.
  int decodedTileBytes() const {
    if (placement != Placement::Shared)
      return 0;
    const int rows = instruction == Instruction::MmaSync
                         ? tileRows
                         : consumerWarps() / 4 * 2 * BlockLayout::kRows;
    return rows * kTileK * 2;
  }
  /// Shared memory of a CTA that the launch names. `groups` counts the ragged
  /// groups, whose tile table lives there too.
  int64_t dynamicSharedBytes(int64_t groups) const;
  /// Shared memory that the kernel declares: barriers, the decoded tile.
  int64_t staticSharedBytes() const;
  int64_t sharedBytes(int64_t groups) const {
    return dynamicSharedBytes(groups) + staticSharedBytes();
  }

  friend bool operator==(const Schedule &a, const Schedule &b) {
    return a.instruction == b.instruction && a.tileRows == b.tileRows &&
           a.tileTokens == b.tileTokens && a.tokenStep == b.tokenStep &&
           a.warpsRows == b.warpsRows && a.warpsTokens == b.warpsTokens &&
           a.kSlices == b.kSlices && a.stages == b.stages &&
           a.placement == b.placement &&
           a.ctasPerMultiprocessor == b.ctasPerMultiprocessor;
  }
};

/// The class of problems that one kernel serves.
struct Problem {
  int64_t experts = 1;
  /// Groups of rows; equal to `experts` unless a list of expert ids is given.
  int64_t groups = 1;
  int64_t n = 0;
  int64_t k = 0;
  /// Rows expected in all groups together, or 0 for unknown. Any number of
  /// rows stays correct.
  int64_t rowsHint = 0;
};

/// A schedule and the sentence that explains it.
struct ScheduleChoice {
  Schedule schedule;
  std::string reason;
  /// Hints of rows, in all groups together, that lead to this schedule.
  int64_t rowsFrom = 0;
  int64_t rowsTo = INT64_MAX;
};

/// What the caller insists on.
struct Preference {
  Placement placement = Placement::Register;
  /// Absent: whichever is faster.
  std::optional<Instruction> instruction;
};

/// Picks a schedule. Pure; never fails: the result passes `verifySchedule` for
/// every problem with at most `maxGroups()` groups.
ScheduleChoice chooseSchedule(const Problem &problem, const Target &target,
                              const Preference &preference = {});

/// Every schedule that `chooseSchedule` can return for this placement, so that
/// tests can walk them all. With many groups some have fewer stages: the tile
/// table takes their place.
std::vector<Schedule> allSchedules(const Target &target, Placement placement);

/// Empty if the schedule can run, else what is wrong with it, as the rest of a
/// sentence ("requires ..."). `k` 0: any.
std::string verifySchedule(const Schedule &schedule, int64_t groups,
                           const Target &target, int64_t k = 0);

/// The most groups that a kernel takes.
inline constexpr int64_t maxGroups() { return 1024; }

/// Reads a preference: placement "register" or "shared", instruction "auto",
/// "mma_sync" or "wgmma". Returns what is wrong with them, as the rest of a
/// sentence ("expects ..."); empty if nothing is.
std::string parsePreference(const std::string &placement,
                            const std::string &instruction,
                            Preference &preference);

const char *name(Instruction instruction);
const char *name(Placement placement);
bool parse(const std::string &text, Instruction &instruction);
bool parse(const std::string &text, Placement &placement);

} // namespace mxfp4

#endif // MXFP4_CORE_SCHEDULE_H
