//===- Raise.h - Parts of the pass mxfp4-raise ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_RAISE_H
#define MXFP4_LIB_TRANSFORMS_RAISE_H

#include "mlir/IR/PatternMatch.h"

namespace mxfp4 {

/// Decodes, as `arith.scaling_extf` or `linalg.generic`, become
/// `mxfp4.dequantize`.
void populateRaiseDequantizePatterns(mlir::RewritePatternSet &patterns);

/// Loops over experts with a `grouped_matmul` of one group in them become one
/// `grouped_matmul`. `groupsCoverRows`: their groups are known to begin at the
/// first row and end at the last.
void populateRaiseRaggedPatterns(mlir::RewritePatternSet &patterns,
                                 bool groupsCoverRows);

/// A constant +0.0, or a tensor of them.
bool isPositiveZero(mlir::Value value);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_RAISE_H
