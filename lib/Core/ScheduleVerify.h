//===- ScheduleVerify.h - Parts of verifySchedule ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is wrong with a schedule, as the rest of a sentence ("requires ...");
// empty if nothing is. A kernel with several programs has each of these looked
// at by the same rules as a kernel with one.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_CORE_SCHEDULEVERIFY_H
#define MXFP4_LIB_CORE_SCHEDULEVERIFY_H

#include "mxfp4/Core/Schedule.h"

#include <string>

namespace mxfp4 {

/// Tile, warps and instruction fit each other.
std::string verifyTile(const Schedule &s, const Problem &problem,
                       const Target &target);
/// Where K slices and the loops over K disagree.
std::string verifyLoops(const Schedule &s, const Problem &problem);
/// What ptxas needs for one wgmma: the accumulators of 64 rows, A if it is in
/// registers, and what ptxas keeps for itself (13.0.88: 26 registers).
std::string verifyRegisters(const Schedule &s, const Target &target);
/// What the form of the kernel needs: programs side by side, tiles of two
/// kinds, halves, short groups, rows that a warp brings, and what is done
/// ahead.
std::string verifyForms(const Schedule &schedule, const Problem &problem,
                        const Target &target);

} // namespace mxfp4

#endif // MXFP4_LIB_CORE_SCHEDULEVERIFY_H
