//===- ScalarBounds.cpp - Scalar operations on bounds ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarEval.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace mxfp4;

using Bounds = std::optional<ScalarBounds>;

/// Twelve bits: more than a rounding to bf16, with eight, can tell from the
/// exact number next to it, and less than any library computes.
static constexpr double kRelativeError = 1.0 / 4096;

/// A number of another type, on this side of it.
static uint64_t roundTo(Type type, double value, llvm::RoundingMode mode) {
  APFloat number(value);
  bool inexact = false;
  number.convert(cast<FloatType>(type).getFloatSemantics(), mode, &inexact);
  return number.bitcastToAPInt().getZExtValue();
}

/// e^x, which some computers flush to zero where it is not a normal number.
static Bounds exponential(Type from, Type to, ScalarBounds x) {
  const auto value = [&](uint64_t bits) {
    APFloat number = numberOf(from, bits);
    bool inexact = false;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                   &inexact);
    return std::exp(number.convertToDouble());
  };
  double low = value(x.first), high = value(x.second);
  if (std::isnan(low) || std::isnan(high))
    return std::nullopt;
  low *= 1 - kRelativeError;
  high *= 1 + kRelativeError;
  const double smallest =
      APFloat::getSmallestNormalized(cast<FloatType>(to).getFloatSemantics())
          .convertToDouble();
  if (low < smallest)
    low = 0;
  return ScalarBounds{roundTo(to, low, APFloat::rmTowardNegative),
                      roundTo(to, high, APFloat::rmTowardPositive)};
}

/// The bounds of what a monotonous function makes of bounds.
static Bounds ofCorners(const ScalarFunction &function, Type type,
                        ArrayRef<ScalarBounds> operands) {
  Bounds result;
  for (unsigned corner = 0; corner < (1U << operands.size()); ++corner) {
    SmallVector<uint64_t> at;
    for (auto [number, bounds] : llvm::enumerate(operands))
      at.push_back(corner >> number & 1 ? bounds.second : bounds.first);
    const std::optional<uint64_t> value = function(at);
    if (!value || numberOf(type, *value).isNaN())
      return std::nullopt;
    if (!result)
      result = ScalarBounds{*value, *value};
    const auto isLess = [&](uint64_t a, uint64_t b) {
      const APFloat x = numberOf(type, a), y = numberOf(type, b);
      // Of two zeros, the negative one is the smaller.
      return x < y || (x == y && x.isNegative() && !y.isNegative());
    };
    if (isLess(*value, result->first))
      result->first = *value;
    if (isLess(result->second, *value))
      result->second = *value;
  }
  return result;
}

ApproximateFunction mxfp4::approximateFunction(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0)
    return {};
  const Type from = getElementTypeOrSelf(op->getOperand(0)),
             to = getElementTypeOrSelf(op->getResult(0));
  if (isa<math::ExpOp>(op) && (to.isF32() || to.isF64()))
    return
        [=](ArrayRef<ScalarBounds> in) { return exponential(from, to, in[0]); };
  if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::NegFOp,
           arith::ExtFOp, arith::TruncFOp>(op))
    return {};
  ScalarFunction function = scalarFunction(op);
  if (!function)
    return {};
  return [=](ArrayRef<ScalarBounds> in) { return ofCorners(function, to, in); };
}
