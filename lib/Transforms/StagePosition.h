//===- StagePosition.h - Where a role is in the stages ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A role of a specialised kernel goes round the slots of the stages, and from
// tile to tile goes on where it was: who copies may be tiles ahead.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_STAGEPOSITION_H
#define MXFP4_TRANSFORMS_STAGEPOSITION_H

#include "mxfp4/Core/Schedule.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// Slot of the stages (index) and parity of its phase (i32).
struct StagePosition {
  mlir::Value slot, parity;
};

/// The loops over K in `root`: those marked `mxfp4.stages`.
llvm::SmallVector<mlir::scf::ForOp> findSteps(mlir::Operation *root);

/// Carries the position through a loop over tiles and the loop over K in it,
/// which may stand in a branch, and takes the latter's mark. `rewrite` gets the
/// loop over K with the position of a step. `slice`: the K slice of the role,
/// an index, which has every so manieth slot; null if there is one slice.
void carryPosition(
    mlir::ImplicitLocOpBuilder &b, mlir::scf::ForOp tiles,
    const Schedule &schedule, mlir::Value slice,
    llvm::function_ref<void(mlir::scf::ForOp steps, StagePosition at)> rewrite);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_STAGEPOSITION_H
