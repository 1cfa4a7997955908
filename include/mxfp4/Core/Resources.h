//===- Resources.h - What a schedule takes of the machine -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The shared memory of a CTA, region by region, and the registers of its
// threads. Passes, the verifier of schedules, the manifest and the page of
// `mxfp4 explain` read the same map.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_RESOURCES_H
#define MXFP4_CORE_RESOURCES_H

#include "mxfp4/Core/Schedule.h"

namespace mxfp4 {

/// K after which kernels promote sums, or 0 for never: if all of K ends before
/// the first promotion, sums are those of `fast`. A K of 0 is any.
inline int promotionOf(const Problem &problem) {
  return problem.k == 0 || problem.k > problem.promotion ? problem.promotion
                                                         : 0;
}

/// Whether kernels have a second accumulator, to which sums are promoted.
inline bool isPromoted(const Problem &problem) {
  return promotionOf(problem) != 0;
}

/// A part of shared memory.
struct SharedRegion {
  const char *name = "";
  /// From the beginning of the dynamic part on.
  int64_t offset = 0;
  int64_t bytes = 0;
  /// Of the offset; the dynamic part begins at a whole KiB for wgmma.
  int64_t alignment = 16;
  /// Stages that the region holds, one behind another; 1 elsewhere.
  int count = 1;
};

/// The shared memory of a CTA: the dynamic part, which the launch names, in the
/// order of the members, and the static part, which the kernel declares and
/// which lies in front.
struct SharedMemoryMap {
  /// `groups` counts the ragged groups, for the table of tiles. The table is
  /// the last region, so offsets do not depend on `groups`.
  explicit SharedMemoryMap(const Schedule &schedule, const BlockLayout &layout,
                           int64_t groups = 1);

  /// Activations, where the swizzle of TMA and wgmma wants whole KiB.
  SharedRegion activations;
  /// Blocks that wgmma's baseline decodes to; they want whole KiB too.
  SharedRegion decoded;
  /// Packed weights.
  SharedRegion weights;
  /// Sums of a K slice that wait to be added.
  SharedRegion sums;
  /// What wide tiles take beyond the regions in front, which they share.
  SharedRegion wide;
  /// Rows that a warp brings into order.
  SharedRegion rows;
  /// The table of tiles, or one for each kind of tiles.
  SharedRegion table;
  /// Barriers and the ring of tiles (wgmma), or the tile that mma.sync's
  /// baseline decodes to. Its offset is of no meaning.
  SharedRegion fixed;

  /// The dynamic regions that have bytes, in order.
  std::vector<SharedRegion> regions() const;
  int64_t dynamicBytes() const { return table.offset + table.bytes; }
  int64_t bytes() const { return dynamicBytes() + fixed.bytes; }
};

/// 32-bit registers of a thread.
struct RegisterBudget {
  RegisterBudget(const Schedule &schedule, const Target &target);

  /// The most that the launch can give to every thread.
  int launch = 0;
  /// After the hand-over; 0 if there is none.
  int producer = 0, consumer = 0;
};

/// Columns of 8 tokens whose stores a thread prepares together: those of the
/// schedule, unless the registers that hold them are taken. A thread that looks
/// rows up (a scatter, values of an epilogue for each row) holds an address or
/// a value for each token, and one that masks columns a predicate for each
/// store.
int storeColumnsOf(const Schedule &schedule, bool looksRowsUp,
                   bool masksColumns);

} // namespace mxfp4

#endif // MXFP4_CORE_RESOURCES_H
