//===- Schedule.cpp - How a problem is laid out on the machine ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How K slices share the steps of K, the programs that a kernel of several has,
// and where in a tile its warps are. Which schedules can run is in
// ScheduleVerify.cpp.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Schedule.h"

#include "mxfp4/Core/Resources.h"

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
  tall.copyWarps = producerThreads() / kWarpThreads - 1;
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
