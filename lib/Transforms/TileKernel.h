//===- TileKernel.h - The body of a kernel of tiles -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables of tiles and loops over them: one, two forms of the same tiles of
// which a launch takes one, or two kinds of tiles one after the other.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_TILEKERNEL_H
#define MXFP4_TRANSFORMS_TILEKERNEL_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mxfp4 {

/// Builds the body of a kernel, whose arguments are those of its signature, for
/// an operation with a schedule.
void buildKernel(GroupedMatmulOp op, mlir::gpu::GPUFuncOp function);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_TILEKERNEL_H
