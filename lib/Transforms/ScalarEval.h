//===- ScalarEval.h - Scalar operations on bits -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR's folders run no powers of two, no bit casts between some types and no
// look-ups, and each of their results is an attribute that the context keeps.
// Here a scalar operation of `arith` or `math` becomes a function of the bits
// of its operands.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_SCALAREVAL_H
#define MXFP4_LIB_TRANSFORMS_SCALAREVAL_H

#include "mlir/IR/Operation.h"

#include <functional>
#include <optional>

namespace mxfp4 {

/// The bits of the result; nullopt where the operation does not define it (a
/// division by zero, a shift by more than the width), or where it depends on
/// who computes it (2^0.5).
using ScalarFunction =
    std::function<std::optional<uint64_t>(llvm::ArrayRef<uint64_t>)>;

/// What `op` computes of scalars of types of at most 64 bits, or null. Operands
/// and result may also be tensors of such, element by element.
ScalarFunction scalarFunction(mlir::Operation *op);

/// Bounds of a number, as bits.
using ScalarBounds = std::pair<uint64_t, uint64_t>;
using ApproximateFunction =
    std::function<std::optional<ScalarBounds>(llvm::ArrayRef<ScalarBounds>)>;

/// What `op` computes of numbers that are known within bounds only, or null. A
/// result within bounds is what libraries disagree on: each computes e^x to at
/// least 12 bits. Sums, products and roundings keep bounds, because they grow
/// with each operand or fall.
ApproximateFunction approximateFunction(mlir::Operation *op);

/// The width of a scalar or of the elements of a tensor, 64 for an index; 0 for
/// anything that has none, or a larger one.
unsigned scalarWidth(mlir::Type type);

/// The bits of a number attribute.
std::optional<uint64_t> scalarBits(mlir::Attribute value);

/// The number of a floating-point type that has these bits.
llvm::APFloat numberOf(mlir::Type type, uint64_t bits);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_SCALAREVAL_H
