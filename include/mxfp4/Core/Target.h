//===- Target.h - Facts of the machines we compile for ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One row per architecture. Code asks the row, never the name: adding an
// architecture is adding a row. What its parts differ in are facts of a device.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_TARGET_H
#define MXFP4_CORE_TARGET_H

#include "mxfp4/Core/Device.h"
#include "mxfp4/Core/Instruction.h"

#include <string>
#include <vector>

namespace mxfp4 {

/// An architecture: what its code may rely on. And the device that schedules
/// are chosen for, which code does not rely on: it is slower elsewhere, not
/// wrong.
struct Target {
  /// What ptxas calls it.
  std::string chip;
  /// Oldest and newest PTX version (80 is 8.0) that LLVM emits and ptxas takes
  /// for this chip.
  int minPtx, maxPtx;
  /// PTX version used when none is asked for.
  int defaultPtx;
  Device device;
  /// Shared memory, in bytes: per SM, at most per CTA, and the part of each
  /// CTA's share that the system keeps.
  int sharedPerMultiprocessor, sharedPerCTA, sharedReserved;
  /// 32-bit registers per SM, and the most per thread.
  int registersPerMultiprocessor, registersPerThread;
  /// The most threads per CTA, and per SM.
  int threadsPerCTA, threadsPerMultiprocessor;
  /// The tensor-core instructions that kernels may use.
  std::vector<Instruction> instructions;

  bool has(Instruction instruction) const;
  /// The first one for these activations that runs, or does not run, while its
  /// warps go on; null if there is none.
  const InstructionTraits *find(NumberType activations,
                                bool isAsynchronous) const;
};

/// The row for a chip such as "sm_90a", or null.
const Target *findTarget(const std::string &chip);

/// The row for code that names no chip, which is for sm_90a: so it was before
/// code could name another.
const Target &defaultTarget();

/// All rows, for messages and documentation.
const std::vector<Target> &targets();

/// What a message says behind the name of a chip that has no row: the names of
/// those that have one, "use sm_90a".
std::string adviseChips();

} // namespace mxfp4

#endif // MXFP4_CORE_TARGET_H
