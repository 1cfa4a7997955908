//===- Chooser.h - A schedule for one problem -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The chooser of one problem, for `chooseSchedule` and for the enumeration of
// all schedules. Which regime a number of rows belongs to is decided in
// ChooserRegimes.cpp and, of 8-bit numbers, in ChooserFP8.cpp; regimes where
// decoding decides are in ChooserDecoders.cpp and ChooserDozen.cpp, and, of
// 8-bit numbers, in files of these names with FP8; tiles for many rows in
// ChooserMany.cpp, what follows from a tile and its warps in Chooser.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_CORE_CHOOSER_H
#define MXFP4_LIB_CORE_CHOOSER_H

#include "mxfp4/Core/Schedule.h"

#include <cmath>
#include <functional>
#include <optional>

namespace mxfp4 {

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A schedule and the regime that it is for.
struct Pick {
  Schedule schedule;
  const char *why;
};

/// Bytes per clock and SM, by the data sheet, from which on three warpgroups
/// that overlap decode do not keep up with memory: they take 11.8 of an H200's
/// 18.4, and all that an H100 delivers of its 12.8.
constexpr double kBytesDecoded = 14;

/// k64 steps that take as long as adding the sums of K slices and storing
/// them.
constexpr int kSumSteps = 3;

/// K slices of a tile for a few dozen rows per group, each of two warpgroups: a
/// CTA has no room for more.
constexpr int kSharingSlices = 3;

/// Steps of K below which wgmma has little to overlap: the loop over steps
/// disappears, and ptxas may serialise its unrolled body.
constexpr int64_t kFewSteps = 8;

/// Steps of K up to which tiles without K slices take less time for a dozen
/// rows per group and more: 0.75 to 0.84 of the time with 8, 11 and 12 steps.
constexpr int64_t kMostAloneSteps = 12;

/// K slices of a tile of 8 tokens where decoding decides: five of one
/// warpgroup each take 1 to 6 % less time than three.
constexpr int kFewestSlices = 5;

/// K slices of one CTA whose 24 warps decode, as many as there is room for.
constexpr int kMostSlices = 6;

/// CTAs per SM for tiles of 64 columns that are all there at once, in one wave.
constexpr int kCtasAtOnce = 3;

/// Tokens of the tiles for a few dozen rows per group of 8-bit numbers.
constexpr int kSharedFP8 = 48;

/// Chooses for one problem and one number of rows.
class Chooser {
public:
  Chooser(const Problem &problem, const Target &target,
          const Preference &preference);

  Pick pick(int64_t rows) const;

  /// Why this instruction was chosen: a part of the reason for people.
  std::string whyInstruction(Instruction chosen) const;

private:
  Instruction instruction(int64_t rows) const;
  const InstructionTraits *asynchronous() const {
    return target.find(problem.activations, /*isAsynchronous=*/true);
  }

  /// As many stages as shared memory holds, but no more than asked for.
  Schedule fit(Schedule schedule, int most) const;
  bool fits(const Schedule &schedule) const;
  Schedule wgmma(int tileRows, int tileTokens, int tokenStep, int warps,
                 int kSlices = 1, int ctas = 1) const;

  /// An upper bound of a group's tokens: the mean plus this number of standard
  /// deviations of uniform routing. A single group has exactly the expected
  /// number of tokens.
  int64_t tokensFor(int64_t mean, double deviations) const {
    return mean + int64_t(groups > 1 ? deviations * std::sqrt(mean) : 0);
  }

  /// The tightest tiles spill with the baseline's addresses.
  bool hasSpareRegisters() const {
    return preference.placement == Placement::Register;
  }

  Pick pickMmaSync(int64_t rows) const;
  Pick pickWgmma(int64_t rows) const;
  Pick pickFewest(int64_t rows) const;
  Pick pickFewestDecoders(int64_t rows) const;
  bool decodeDecides() const;
  bool isFewest(int64_t rows) const;
  /// Whether the matmul is none of a layer: it neither gathers rows, nor has an
  /// epilogue, nor begins while the kernel ahead of it ends.
  bool isBare() const {
    return !problem.gathers && !problem.hasEpilogue && !problem.olderInputs;
  }
  Schedule decoders(int warps, int ctas, int stages) const;
  /// How many groups have rows: the mean and its standard deviation.
  struct BusyGroups {
    double mean, deviation;
  };
  BusyGroups busyGroups(int64_t rows) const;
  double overBusyGroups(int64_t rows,
                        const std::function<double(double busy)> &time) const;
  double decoderTiles(int64_t rows, int64_t columns = 128) const;
  Schedule decodersAlone() const;
  bool hasHalves() const;
  bool gathersFewest(int64_t rows) const;
  std::pair<double, bool> decoderTime(int64_t rows, int ctas) const;
  Schedule narrowDecoders() const;
  Schedule fewestDecoders() const;
  bool hasWideTiles(int64_t rows) const;
  bool outrunsDecode() const;
  bool hasFewSteps(int64_t most) const;
  bool fillsWaves(int64_t rows, int64_t waves, int ctas) const;
  bool winsFewSteps(int64_t rows) const;
  std::optional<Pick> pickFewSteps(int64_t rows) const;
  bool isDozen(int64_t rows) const;
  Pick pickDozen() const;
  Schedule withWideTiles(Schedule schedule) const;
  std::optional<Pick> pickHalvedDecoders(int64_t rows) const;
  Pick pickDecoders(int64_t rows) const;
  bool sharesByWarpgroups(int64_t rows) const;
  std::optional<Schedule> sharingMost(int64_t rows) const;
  Pick pickMiddle(int64_t rows) const;
  /// The height of a tile for many rows, and the time that it takes by the
  /// model.
  struct Height {
    int tokens;
    double cost;
  };
  Height heightOfMany(int64_t mean, int tileRows) const;
  bool padsWideTiles() const;
  double costOfNarrow(double cost) const;
  std::optional<Pick> pickNarrow(int64_t mean, double least) const;
  Schedule tellingShortGroups(Schedule schedule, int64_t mean) const;
  Pick pickMany(int64_t rows) const;
  Pick pickFP8(int64_t rows) const;
  Pick pickManyFP8(int64_t mean) const;
  bool isHeightFP8(int height) const;
  Height heightOfManyFP8(int64_t mean, int tileRows, const int *end) const;
  Pick wholeGroupsFP8(int height, int64_t mean) const;
  Schedule withStages(Schedule schedule, int sumSteps, int stages) const;
  bool isSerialisedFP8() const;
  std::optional<Pick> pickManyLowFP8(int64_t rows) const;
  Schedule twoSlicesFP8(int tileTokens, int stages) const;
  std::optional<Pick> pickManyDecodersFP8(int64_t rows) const;
  Schedule aloneFP8(int tileRows, int tileTokens, int ctas, int stages) const;
  bool isAloneFP8() const;
  bool differsInLayers(int64_t mean) const;
  Pick pickFewestAloneFP8(int64_t rows) const;
  std::optional<Pick> pickLowAloneFP8() const;
  bool fillsWavesOf192FP8(int64_t rows) const;
  std::optional<Pick> pickTallAloneFP8(int64_t mean) const;
  std::optional<Pick> pickDozenFP8(int64_t rows) const;
  bool hasFewStepsFP8() const;
  Pick pickFewestFewStepsFP8(int64_t rows) const;
  std::optional<Pick> pickFewStepsFP8(int64_t rows) const;
  std::optional<Pick> pickFewestDecodersFP8(int64_t rows) const;
  std::optional<Pick> pickDecodersFP8(int64_t rows) const;
  Schedule decodersFP8(int tileRows, int tileTokens, int stages,
                       int64_t rows) const;
  bool promotesAhead(const Schedule &schedule) const;
  bool copiesAhead(const Schedule &schedule) const;
  bool prefetchesFirst(const Schedule &schedule) const;
  double costOfMany(int height, int64_t mean, int tileRows = 192) const;

  /// Waves: the most tiles that one SM computes.
  int64_t waves(double tilesAlongTokens, int tileRows) const;

  const Problem problem;
  const Target &target;
  const Preference preference;
  const int64_t groups, steps;
  const int slices;
};

} // namespace mxfp4

#endif // MXFP4_LIB_CORE_CHOOSER_H
