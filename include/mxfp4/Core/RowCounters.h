//===- RowCounters.h - The words of a workspace -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_ROWCOUNTERS_H
#define MXFP4_CORE_ROWCOUNTERS_H

#include <cstdint>

namespace mxfp4 {

/// The i32 of a workspace with which CTAs bring rows into order, all zeros
/// between launches.
struct RowCounters {
  /// Tiles that CTAs have taken, roles that have ended, and rows that have been
  /// claimed.
  static constexpr int64_t kTiles = 0, kEnded = 1, kClaimed = 2;
  /// From here on, the rows that are there of each block of rows. Blocks have
  /// 64 rows, or the next power of two with which there are few enough.
  static constexpr int64_t kReady = 4, kBlocks = 1024, kLeastShift = 6;
  static constexpr int64_t kWords = kReady + kBlocks;
};

} // namespace mxfp4

#endif // MXFP4_CORE_ROWCOUNTERS_H
