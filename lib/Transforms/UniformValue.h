//===- UniformValue.h - Tensors of one number -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_UNIFORMVALUE_H
#define MXFP4_LIB_TRANSFORMS_UNIFORMVALUE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

namespace mxfp4 {

/// The value that an operation gives to each element, or the tensor or scalar
/// that it takes them from; null if it computes them, or not all of them.
mlir::Value sourceOfElements(mlir::Value value);

/// The number that a scalar, or each element of a tensor, is, or null: a
/// constant, in front of fills, broadcasts and reshapes. Front ends make
/// tensors of the constants of a program.
mlir::Attribute uniformValue(mlir::Value value);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_UNIFORMVALUE_H
