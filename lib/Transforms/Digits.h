//===- Digits.h - Positions in mixed radix ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A position along a dimension, as digits in mixed radix, the one with the
// largest stride first. A digit is a part of a loop, or a number. Reshapes,
// broadcasts, transpositions, strided slices and divisions all become moves of
// digits, so that the way from a value back to its code is one list of digits,
// whatever was written in between.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DIGITS_H
#define MXFP4_LIB_TRANSFORMS_DIGITS_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"

#include <optional>

namespace mxfp4 {

struct Digit {
  static constexpr unsigned kKnown = ~0U;

  /// The loop whose part (i floordiv divisor) mod size this is, or kKnown.
  unsigned loop = kKnown;
  /// Dynamic only for a whole loop.
  int64_t size = 1;
  int64_t divisor = 1;
  /// Of a known digit.
  int64_t value = 0;

  static Digit known(int64_t value, int64_t size) {
    return {kKnown, size, 1, value};
  }
  bool isKnown() const { return loop == kKnown; }
  bool operator==(const Digit &other) const {
    return loop == other.loop && size == other.size &&
           divisor == other.divisor && value == other.value;
  }
};

/// A position; empty for the only one of a dimension of one.
using Digits = llvm::SmallVector<Digit, 2>;
/// A position in a tensor.
using ElementIndex = llvm::SmallVector<Digits, 4>;

/// Appends a digit, or makes the last one larger by it.
void appendDigit(Digits &digits, Digit digit);

/// The value, if each digit is known.
std::optional<int64_t> knownValue(const Digits &digits);

/// The largest value, if that is known and less than 2^30.
std::optional<int64_t> largestPosition(const Digits &digits);

/// Cuts the digits of the smallest strides, `count` positions of them, off.
std::optional<Digits> takeLow(Digits &digits, int64_t count);

/// A position as one along a dimension of this extent.
std::optional<Digits> fitDigits(const Digits &digits, int64_t extent);

/// One position divided among dimensions of these sizes.
std::optional<ElementIndex> divideDigits(const Digits &digits,
                                         llvm::ArrayRef<int64_t> sizes);

/// The value of an expression of positions.
std::optional<Digits> evaluateDigits(mlir::AffineExpr expr,
                                     llvm::ArrayRef<Digits> dims);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DIGITS_H
