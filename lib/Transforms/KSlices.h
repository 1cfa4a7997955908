//===- KSlices.h - The share of a K slice in a tile -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What changes in a role of a specialised kernel that belongs to one of several
// K slices. `slice` is the number of its own, an index.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_KSLICES_H
#define MXFP4_TRANSFORMS_KSLICES_H

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// Leaves the slice its steps of a loop over K, which has a constant number of
/// them, at least one for each slice: see Schedule::sliceSteps.
void takeSteps(mlir::ImplicitLocOpBuilder &b, mlir::scf::ForOp steps,
               const Schedule &schedule, mlir::Value slice);

/// Adds the sums of all slices in front of `store`, which the first slice does
/// alone then.
void storeSum(mlir::ImplicitLocOpBuilder &b, StoreTileOp store,
              const Schedule &schedule, mlir::Value slice);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_KSLICES_H
