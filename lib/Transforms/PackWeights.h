//===- PackWeights.h - What mxfp4-pack-weights is made of -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_PACKWEIGHTS_H
#define MXFP4_LIB_TRANSFORMS_PACKWEIGHTS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/BuiltinOps.h"

namespace mxfp4 {

/// Whether two are one value, or results of computations that are the same.
bool isSameValue(mlir::Value a, mlir::Value b);

/// Sets the insertion point in front of `user`, and outside of all loops and
/// branches in which none of `values` is defined.
void setInsertionPointAhead(mlir::OpBuilder &b, mlir::ValueRange values,
                            mlir::Operation *user);

/// Moves packs to functions that callers call: OutlinePacks.cpp.
void outlinePreparations(mlir::ModuleOp module, mlir::ArrayRef<PackOp> packs);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_PACKWEIGHTS_H
