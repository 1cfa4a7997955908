//===- ChooseSchedule.h - Choices for kernels of more kinds -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Beside `chooseSchedule` and `allSchedules`: of kernels that do more than
// multiply.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_CHOOSESCHEDULE_H
#define MXFP4_CORE_CHOOSESCHEDULE_H

#include "mxfp4/Core/Schedule.h"

namespace mxfp4 {

/// As `chooseSchedule`, for kernels that may have an epilogue: what it computes
/// with the sums takes registers, which the tightest tiles do not have.
ScheduleChoice chooseSchedule(const Problem &problem, const Target &target,
                              const Preference &preference, bool hasEpilogue);

/// As `allSchedules`, those with a warp that brings rows, for one K, 45 steps,
/// and at least 32 groups.
std::vector<Schedule>
allBringingSchedules(const Target &target, Placement placement,
                     std::optional<int> promotion = std::nullopt);

} // namespace mxfp4

#endif // MXFP4_CORE_CHOOSESCHEDULE_H
