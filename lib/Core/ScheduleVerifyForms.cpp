//===- ScheduleVerifyForms.cpp - Forms of kernels that cannot run ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel of a form other than the plain one: it has a second program or tiles
// of a second kind, a warp that brings rows, or work ahead of the wait for the
// kernel before. Each form needs other fields of the schedule to be so or so.
//
//===----------------------------------------------------------------------===//

#include "ScheduleVerify.h"

#include "mxfp4/Core/ScheduleText.h"

#include <algorithm>

using namespace mxfp4;

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
  // The slices of halves would go on, and those of whole tiles would not.
  constexpr int kMostSlices = 5;
  if (s.kSlices > kMostSlices && s.tileTokens <= 8)
    return "requires at most " + std::to_string(kMostSlices) +
           " K slices for half_tiles of " + std::to_string(s.tileTokens) +
           " tokens, but has " + std::to_string(s.kSlices);
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

std::string mxfp4::verifyForms(const Schedule &schedule, const Problem &problem,
                               const Target &target) {
  std::string wrong;
  if (schedule.bringBytes != 0)
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
  return wrong;
}
