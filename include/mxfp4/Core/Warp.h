//===- Warp.h - Threads that run together -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_WARP_H
#define MXFP4_CORE_WARP_H

namespace mxfp4 {

/// Threads of a warp.
inline constexpr int kWarpThreads = 32;
/// Warps of a warpgroup, as PTX defines it.
inline constexpr int kWarpgroupWarps = 4;

} // namespace mxfp4

#endif // MXFP4_CORE_WARP_H
