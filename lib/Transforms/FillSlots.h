//===- FillSlots.h - How a copy role fills a slot of its ring ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_FILLSLOTS_H
#define MXFP4_LIB_TRANSFORMS_FILLSLOTS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// The loop over K of a role that copies, and what it copies a step of.
struct FilledLoop {
  RoleOp role;
  KLoopOp loop;
  /// The barriers that are full when a slot is.
  mlir::Value full;
  Schedule schedule;
  CopyWeightsOp weights;
  /// One of these, from consecutive rows or from rows anywhere.
  CopyActivationsOp activations;
  GatherActivationsOp gather;
};

/// Warps of the copy role that fill a slot together.
int64_t fillingWarps(const Schedule &schedule);

/// The body of the loop, at the builder: copies a step of weights and
/// activations to its slot.
void fillSlot(mlir::ImplicitLocOpBuilder &b, FilledLoop filled);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_FILLSLOTS_H
