//===- LinalgWeights.h - Weights as linalg on tensors -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `mxfp4-lower-to-linalg` makes of conversions of weights. Each function
// takes tensors, with the one to overwrite last, and gives their new values.
// Blocks are `... x 2176 x i8`, their bytes.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LINALGWEIGHTS_H
#define MXFP4_LIB_TRANSFORMS_LINALGWEIGHTS_H

#include "mxfp4/Core/WeightLayout.h"

#include "mlir/IR/Builders.h"

namespace mxfp4 {

/// `value` element by element as another type: rounded, or as f32, or the same
/// bits.
mlir::Value roundInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                          mlir::Value value, mlir::Type element);
mlir::Value widenInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                          mlir::Value value);
mlir::Value bitcastInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                            mlir::Value value, mlir::Type element);

mlir::Value dequantizeInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                               mlir::Value codes, mlir::Value scales,
                               mlir::Value init);

/// Codes and scales of values.
std::pair<mlir::Value, mlir::Value>
quantizeInLinalg(mlir::OpBuilder &b, mlir::Location loc, mlir::Value values,
                 mlir::Value codesInit, mlir::Value scalesInit);

mlir::Value packInLinalg(mlir::OpBuilder &b, mlir::Location loc,
                         mlir::Value codes, mlir::Value scales,
                         mlir::Value bytesInit, const BlockLayout &layout);

/// Codes and scales of blocks.
std::pair<mlir::Value, mlir::Value>
unpackInLinalg(mlir::OpBuilder &b, mlir::Location loc, mlir::Value bytes,
               mlir::Value codesInit, mlir::Value scalesInit,
               const BlockLayout &layout);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LINALGWEIGHTS_H
