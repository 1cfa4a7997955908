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
std::string checkLaunch(const Kernel &K, const Launch &L, Grid &G);
/// Builds cluster number \p Index of the grid.
std::unique_ptr<Cluster> makeCluster(Grid &G, uint32_t Index);
/// Gives the cluster some turns. Returns false when it has finished.
bool runTurns(Grid &G, Cluster &Cl, LocalStats &S, unsigned Turns);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SCHEDULER_H
