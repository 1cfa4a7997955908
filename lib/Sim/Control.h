//===- Control.h - Splits of a warp -----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_CONTROL_H
#define MXFP4_LIB_SIM_CONTROL_H

#include "Exec.h"

namespace mxfp4::sim {

bool arriveAtJoin(ExecContext &x);
void exitLanes(ExecContext &x, uint32_t gone);
/// Called when the last lane of a warp has exited.
void warpExited(ExecContext &x);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_CONTROL_H
