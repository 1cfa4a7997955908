//===- Scheduler.h - Running clusters ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_SCHEDULER_H
#define MXFP4_LIB_SIM_SCHEDULER_H

#include "Exec.h"

namespace mxfp4::sim {

/// A sentence saying why the launch is impossible, or nothing. Settles the
/// cluster's dimensions.
std::string checkLaunch(const Kernel &k, const Launch &l, Grid &g);
/// Builds cluster number \p index of the grid.
std::unique_ptr<Cluster> makeCluster(Grid &g, uint32_t index);
/// Warp instructions without any progress after which a launch is given up, and
/// after which a further cluster starts, since others may wait for it.
constexpr uint64_t kMostIdle = uint64_t(1) << 24;
constexpr uint64_t kIdleUntilNext = uint64_t(1) << 18;

/// Gives the cluster some turns. Returns false when it has finished.
bool runTurns(Grid &g, Cluster &cl, LocalStats &s, unsigned turns);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SCHEDULER_H
