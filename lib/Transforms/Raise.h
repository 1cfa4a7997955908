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

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_RAISE_H
