//===- ScheduleJson.h - A schedule for people and launchers -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_SCHEDULEJSON_H
#define MXFP4_PIPELINE_SCHEDULEJSON_H

#include "mxfp4/Core/Schedule.h"

#include "llvm/Support/JSON.h"

namespace mxfp4 {

/// The attribute, as IR spells it.
std::string attributeText(const Schedule &schedule);

/// The regions of a CTA's dynamic shared memory in order: name, offset, bytes,
/// alignment, and the number of stages in it; and last the static part.
llvm::json::Array sharedMemory(const Schedule &schedule,
                               const Problem &problem);

/// The device in words, as `name`, and each of its facts.
llvm::json::Object deviceJson(const Device &device);

/// Registers of a thread: at most at launch, and of producer and consumer after
/// a hand-over (0: there is none).
llvm::json::Object registers(const Schedule &schedule, const Target &target);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_SCHEDULEJSON_H
