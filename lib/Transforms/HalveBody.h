//===- HalveBody.h - From a body for tiles to one for halves ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_HALVEBODY_H
#define MXFP4_LIB_TRANSFORMS_HALVEBODY_H

#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

/// What announces the bytes of a copy, in the same block; null if that is not
/// one operation.
RingFillOp fillOf(BulkCopyWeightsOp copy);

/// Makes a body for whole tiles, whose loops, copies, sums and stores
/// `mxfp4-specialize-warps` left, one for their halves. `number` is the half's.
void halveBody(mlir::Block &body, mlir::Value number);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_HALVEBODY_H
