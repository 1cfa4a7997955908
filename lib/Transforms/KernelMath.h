//===- KernelMath.h - Functions that kernels have ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_KERNELMATH_H
#define MXFP4_LIB_TRANSFORMS_KERNELMATH_H

#include "mlir/IR/Operation.h"

namespace mxfp4 {

/// Whether an operation of `math` can be lowered in a kernel, on f32.
bool hasInstructions(mlir::Operation *op);

/// Names of those that can, for messages.
inline constexpr llvm::StringLiteral kMathInKernels =
    "absf, ceil, clampf, copysign, erf, exp, exp2, expm1, floor, fma, log, "
    "log10, log1p, log2, roundeven, rsqrt, sqrt, tanh or trunc";

/// Fewer instructions for what kernels compute, within the bounds of
/// LowerMath.cpp: quotients that show that a reciprocal does, and exponentials
/// of products.
void simplifyMath(mlir::Operation *kernels);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_KERNELMATH_H
