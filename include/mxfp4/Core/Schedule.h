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

#include "mxfp4/Core/Instruction.h"
#include "mxfp4/Core/Target.h"
#include "mxfp4/Core/Warp.h"
#include "mxfp4/Core/WeightLayout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mxfp4 {

/// Where weights are decoded.
enum class Placement {
  /// Fragment by fragment, in the registers of the thread that multiplies.
  Register,
  /// A bf16 tile in shared memory: the baseline.
  Shared,
};

/// A term of a coordinate of a warp: (warp / divisor) % modulus * stride, where
/// a modulus of 0 changes nothing.
struct WarpTerm {
  int divisor = 1, modulus = 0, stride = 1;

  int operator()(int warp) const {
    const int number = warp / divisor;
    return (modulus != 0 ? number % modulus : number) * stride;
  }
};

/// Where a warp's part of the tile begins: the number of a 16-row slice along N
/// as a sum of terms, and a token.
struct WarpPlace {
  std::vector<WarpTerm> slice;
  WarpTerm token;

  int firstSlice(int warp) const;
};

/// One schedule: every decision that passes follow is a field, and no field
/// follows from another one. Weights are the instruction's operand A, so
/// `tileRows` counts columns of the output (N) and `tileTokens` its rows.
/// Functions compute what follows from the fields; the chooser has thresholds.
/// A new field also needs a row of `scheduleFields`.
struct Schedule {
  /// The first row of `instructions()` if none is named.
  Instruction instruction = Instruction();
  /// Output tile of a CTA: weight rows (N) x tokens (R).
  int tileRows = 64;
  int tileTokens = 64;
  /// A tile with fewer tokens computes a multiple of this number, a divisor of
  /// `tileTokens`; 0 if every tile is treated alike. See `heightStep`.
  int tokenStep = 0;
  /// Warps along the rows and along the tokens of the tile.
  int warpsRows = 1;
  int warpsTokens = 1;
  /// K slices: sets of such warps. Each set multiplies a part of the k64 steps
  /// for the whole tile, and the sums of all sets are added in order. Tiles may
  /// then be smaller, so that CTAs share them more evenly.
  int kSlices = 1;
  /// k64 steps held in shared memory, being copied or being read.
  int stages = 4;
  Placement placement = Placement::Register;
  /// CTAs per SM; bounds the registers of a thread.
  int ctasPerMultiprocessor = 1;
  /// Warps that only copy, for wgmma: one for each K slice; or one for the
  /// activations and the others for the blocks of weights; or one for both. One
  /// more warp hands out tiles.
  int copyWarps = 0;
  /// Registers that a thread of the producer keeps; the consumers take the
  /// rest. 0: all threads keep those of the launch. A hand-over is done by
  /// whole warpgroups, so the producer is one.
  int producerRegisters = 0;
  /// A warpgroup decodes its next fragment while it multiplies with one. The
  /// loop over K is unrolled by two for it.
  bool overlapDecode = false;
  /// Tiles of one token step have a loop over K of their own.
  bool versionLoops = false;
  /// L2 evicts weights first, because each is read once or twice.
  bool evictFirst = false;
  /// Tiles of groups with more rows than half a tile come first.
  bool fullTilesFirst = false;
  /// k64 steps that the first K slice has fewer than each other one, since it
  /// adds the sums of all.
  int sumSteps = 0;
  /// The kernel has a second program, `tallProgram`, and takes it where the
  /// tiles of a launch are finished sooner with it.
  bool sideBySide = false;
  /// Offsets are read, and weights of the first stages are copied, before the
  /// kernel ahead has ended (`Problem::olderInputs`).
  bool copiesAhead = false;
  /// The last tiles of a launch, which fill a wave at most half, are halves of
  /// tiles (`halfProgram`), and so are tiles whose other half is no column.
  bool halfTiles = false;
  /// Before the kernel ahead has ended, each CTA fetches weights of its first
  /// tile's first steps into L2: of what that tile is if offsets that the
  /// kernel ahead may still write are right.
  bool prefetchFirst = false;
  /// Groups with at least this number of rows have tiles of `wideProgram`,
  /// which come first; 0 for none. Its stages hold half as many weights, so
  /// that it has a number of its own.
  int wideFrom = 0;
  int wideStages = 0;
  /// Groups with at most this number of rows are short; 0 if the kernel does
  /// not tell. Where many are, one of three warpgroups multiplies them in tiles
  /// of `shortProgram`, beside the two others, which have tiles of
  /// `besideProgram` of up to `besideTokens` tokens. Each of the two has stages
  /// of its own.
  int shortTo = 0;
  int shortStages = 0;
  int besideTokens = 0;
  int besideStages = 0;
  /// Rows that a branch of a gather goes around, at least.
  int gatherRows = 16;
  /// Columns of 8 tokens that a thread stores between two branches, at most.
  /// See `storeColumnsOf`.
  int storeColumns = 2;
  /// Bytes of shared memory through which one more warp of the producer brings
  /// rows into the order of the groups, in place of threads that gather; 0 for
  /// none. One or two rows of activations.
  int bringBytes = 0;

  const InstructionTraits &traits() const { return traitsOf(instruction); }
  /// Extent of a stage along K, which is that of a block.
  int tileK() const { return traits().tileK(); }

  /// Warps that multiply, and threads of the producer: warps that copy, one
  /// that hands out tiles, and one that brings rows.
  int sliceWarps() const { return warpsRows * warpsTokens; }
  int consumerWarps() const { return sliceWarps() * kSlices; }
  /// The same of all programs that run side by side.
  int multiplyingWarps() const {
    return isShort() || isBeside() ? kBesideWarps + kShortWarps
                                   : consumerWarps();
  }
  /// Whether every sum is one chain over K, step by step: kernels of one
  /// instruction and one placement for which this holds give a row the same
  /// bits.
  bool sumsInOrder() const { return kSlices == 1; }
  int producerThreads() const {
    return !traits().isAsynchronous ? 0
           : producerRegisters != 0
               ? kWarpThreads * kWarpgroupWarps
               : kWarpThreads * (copyWarps + 1 + (bringBytes != 0));
  }
  int threads() const {
    return kWarpThreads * multiplyingWarps() + producerThreads();
  }
  /// Tiles along N.
  int64_t columnTiles(int64_t n) const { return (n + tileRows - 1) / tileRows; }
  int warpRows() const { return tileRows / warpsRows; }
  int warpTokens() const { return tileTokens / warpsTokens; }
  /// Accumulators of a thread.
  int accumulators() const { return warpRows() * warpTokens() / kWarpThreads; }
  /// The same, and those of the instructions where these have sums of their own
  /// (`Problem::promotion`).
  int allAccumulators(int promotion) const {
    return accumulators() * (promotion != 0 ? 2 : 1);
  }
  /// The part of `steps` k64 steps that a slice multiplies; parts follow each
  /// other. Loops that are unrolled by two share steps evenly, or in pairs with
  /// one odd step each.
  struct Steps {
    int64_t begin, count;
  };
  Steps sliceSteps(int slice, int64_t steps) const;
  /// Whether the K slices can share this number of steps.
  bool sharesSteps(int64_t steps) const;
  /// The schedule of the second program: the K slices have tiles of their own
  /// side by side, which are one tall tile that shares activations and has no
  /// sums to add. It has the same threads and table of tiles, and as many
  /// stages as fit in front of the table.
  Schedule tallProgram(const BlockLayout &layout) const;
  /// The schedule of the program for groups with at least `wideFrom` rows:
  /// tiles of half as many columns and twice as many tokens, which have as many
  /// sums and decode their weights once where two tiles would do so twice.
  Schedule wideProgram() const;
  /// Whether it is that program.
  bool isWide() const { return wideFrom != 0 && tileTokens >= wideFrom; }
  /// Tokens of the largest tile of the kernel.
  int mostTokens() const {
    if (shortTo != 0)
      return tileTokens < besideTokens ? besideTokens : tileTokens;
    return wideFrom == 0 || isWide() ? tileTokens : kWider * tileTokens;
  }
  static constexpr int kWider = 2;
  /// What half of the columns of a tile are computed with.
  Schedule halfProgram() const;
  /// Groups that a kernel with `halfTiles` may have: the tiles of this number
  /// of groups are counted by a warp at once.
  static constexpr int64_t kMostGroupsOfHalves = 256;
  /// The two programs that run beside each other in a kernel that tells short
  /// groups: of these, and of the others. Their tiles have as many columns, and
  /// the warps of short groups come behind the others'.
  Schedule shortProgram() const;
  Schedule besideProgram() const;
  /// The same for a kernel that does not tell.
  Schedule withoutShort() const;
  bool isShort() const { return shortTo != 0 && warpsRows == kShortWarps; }
  bool isBeside() const { return shortTo != 0 && warpsRows == kBesideWarps; }
  static constexpr int kShortWarps = 4, kBesideWarps = 8;
  /// The place of each of the first `warps` consumer warps: all, or those of
  /// one K slice. Warps are numbered along rows first; warps of one instruction
  /// have the places of its fragment map.
  WarpPlace placeOfWarps(int warps) const;
  /// The 16-row slice of the tile that fragment `i` of a warp covers, for
  /// i < slices(), is the first one of its place + i * sliceStride(): the warps
  /// of an instruction share each of its blocks of rows.
  int slices() const { return warpRows() / traits().sliceRows(); }
  int sliceStride() const { return traits().warps; }
  /// The height of a tile is a multiple of this number.
  int heightStep() const { return tokenStep ? tokenStep : tileTokens; }
  /// i32 in the table of tiles: two lists instead of one if full tiles come
  /// first.
  int64_t tableEntries(int64_t groups) const {
    return fullTilesFirst ? 2 * groups + 3 : groups + 2;
  }
  /// Bytes of one stage: packed weights, then activations.
  int weightStageBytes(const BlockLayout &layout) const {
    return tileRows / layout.rows * layout.bytes();
  }
  int activationStageBytes() const { return tileTokens * kRowBytes; }
};

bool operator==(const Schedule &a, const Schedule &b);
inline bool operator!=(const Schedule &a, const Schedule &b) {
  return !(a == b);
}

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
  /// Whether threads gather rows of activations: they need registers for where
  /// these are.
  bool gathers = false;
  /// What weights and activations are stored as.
  BlockLayout layout = {};
  NumberType activations = NumberType::BF16;
  /// K after which sums that the instruction cuts are added to sums in f32, or
  /// 0 for never. What a problem asks for, not a choice.
  int promotion = 0;
  /// Whether there is memory through which a kernel may gather rows.
  bool through = false;
  /// Whether offsets and weights were there before the kernel ahead began.
  bool olderInputs = false;
  /// Whether there is an epilogue: what it computes with the sums takes
  /// registers, which the tightest tiles do not have.
  bool hasEpilogue = false;
  /// Whether a list says which group has which expert, or that it has none.
  bool hasIds = false;
  /// Whether the epilogue reads a value for each row, such as its scale.
  bool readsRowValues = false;
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
  /// All schedules for a problem add in the same order, whatever the number of
  /// rows, so that the bits of a row do not depend on which others there are.
  bool batchInvariant = false;
};

/// Picks a schedule. Pure; never fails: the result passes `verifySchedule` for
/// every problem with the dialect's blocks and at most `maxGroups()` groups,
/// but for a preference that its activations do not have.
ScheduleChoice chooseSchedule(const Problem &problem, const Target &target,
                              const Preference &preference = {});

/// All that `chooseSchedule` can return for this placement, on the target's and
/// on all named devices, with or without a gather, for tests to walk. With many
/// groups some have fewer stages: the tile table takes their place. Of bf16
/// activations, or of e4m3 with sums that are promoted so
/// (`Problem::promotion`).
std::vector<Schedule> allSchedules(const Target &target, Placement placement,
                                   bool gathers = false,
                                   std::optional<int> promotion = std::nullopt);

/// As `allSchedules`, those with a warp that brings rows, for one K, 45 steps,
/// and at least 32 groups.
std::vector<Schedule>
allBringingSchedules(const Target &target, Placement placement,
                     std::optional<int> promotion = std::nullopt);

/// Empty if the schedule can run, else what is wrong with it, as the rest of a
/// sentence ("requires ..."). Asks the groups of the problem, its layout and
/// its K (0: any). What it accepts is right, not fast.
std::string verifySchedule(const Schedule &schedule, const Problem &problem,
                           const Target &target);

/// The most groups that a kernel takes.
inline constexpr int64_t maxGroups() { return 1024; }

/// Empty if a schedule is one that `batchInvariant` allows, else what is wrong
/// with it, as the rest of a sentence ("requires ...").
std::string verifyBatchInvariant(const Schedule &schedule);

/// Reads a preference: placement "register" or "shared", instruction "auto",
/// "mma_sync", "wgmma" or "wgmma_fp8". Returns what is wrong with them, as the
/// rest of a sentence ("expects ..."); empty if nothing is.
std::string parsePreference(const std::string &placement,
                            const std::string &instruction,
                            Preference &preference);

const char *name(Placement placement);
bool parse(const std::string &text, Placement &placement);

} // namespace mxfp4

#endif // MXFP4_CORE_SCHEDULE_H
