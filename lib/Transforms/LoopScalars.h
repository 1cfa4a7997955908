//===- LoopScalars.h - Scalars in loops for the CPU --------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LOOPSCALARS_H
#define MXFP4_LIB_TRANSFORMS_LOOPSCALARS_H

#include "mlir/IR/Operation.h"

namespace mxfp4 {

/// Operations of scalars that upstream does not lower to a CPU, or wrongly, as
/// others: clampf (as kernels have it; upstream's expansion takes each bound
/// for the other), copysign, rsqrt (upstream calls a function that no library
/// has), and arithmetic of bf16.
void expandScalars(mlir::Operation *root);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LOOPSCALARS_H
