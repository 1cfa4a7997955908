//===- Digits.cpp - Positions in mixed radix ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Digits.h"

using namespace mlir;
using namespace mxfp4;

void mxfp4::appendDigit(Digits &digits, Digit digit) {
  if (digit.size == 1)
    return;
  if (!digits.empty() && !ShapedType::isDynamic(digit.size)) {
    Digit &last = digits.back();
    if (last.isKnown() && digit.isKnown()) {
      last = Digit::known(last.value * digit.size + digit.value,
                          last.size * digit.size);
      return;
    }
    if (!digit.isKnown() && last.loop == digit.loop &&
        last.divisor == digit.divisor * digit.size) {
      last.divisor = digit.divisor;
      last.size *= digit.size;
      return;
    }
  }
  digits.push_back(digit);
}

std::optional<int64_t> mxfp4::knownValue(const Digits &digits) {
  if (digits.empty())
    return 0;
  // Neighbouring known digits are one.
  if (digits.size() == 1 && digits.front().isKnown())
    return digits.front().value;
  return std::nullopt;
}

std::optional<int64_t> mxfp4::largestPosition(const Digits &digits) {
  int64_t value = 0;
  for (const Digit &digit : digits) {
    if (ShapedType::isDynamic(digit.size) || digit.size > (1 << 30))
      return std::nullopt;
    value =
        value * digit.size + (digit.isKnown() ? digit.value : digit.size - 1);
    if (value >= (1 << 30))
      return std::nullopt;
  }
  return value;
}

std::optional<Digits> mxfp4::takeLow(Digits &digits, int64_t count) {
  Digits low;
  while (count > 1) {
    if (digits.empty() || ShapedType::isDynamic(digits.back().size))
      return std::nullopt;
    Digit digit = digits.pop_back_val();
    if (digit.size > count) {
      if (digit.size % count != 0)
        return std::nullopt;
      Digit high = digit;
      high.size /= count;
      if (digit.isKnown()) {
        high.value /= count;
        digit.value %= count;
      } else {
        high.divisor *= count;
      }
      digits.push_back(high);
      digit.size = count;
    }
    if (digit.size == 0 || count % digit.size != 0)
      return std::nullopt;
    count /= digit.size;
    low.push_back(digit);
  }
  Digits result;
  for (const Digit &digit : llvm::reverse(low))
    appendDigit(result, digit);
  return result;
}

std::optional<Digits> mxfp4::fitDigits(const Digits &digits, int64_t extent) {
  if (std::optional<int64_t> value = knownValue(digits)) {
    if (ShapedType::isDynamic(extent) || *value >= extent)
      return std::nullopt;
    Digits result;
    appendDigit(result, Digit::known(*value, extent));
    return result;
  }
  if (digits.size() == 1 && digits.front().size == extent)
    return digits;
  int64_t size = 1;
  for (const Digit &digit : digits) {
    if (ShapedType::isDynamic(digit.size))
      return std::nullopt;
    size *= digit.size;
  }
  if (ShapedType::isDynamic(extent) || size == 0 || extent % size != 0)
    return std::nullopt;
  Digits result;
  appendDigit(result, Digit::known(0, extent / size));
  for (const Digit &digit : digits)
    appendDigit(result, digit);
  return result;
}

std::optional<ElementIndex> mxfp4::divideDigits(const Digits &digits,
                                                ArrayRef<int64_t> sizes) {
  ElementIndex result(sizes.size());
  Digits left(digits);
  // One dimension of unknown size takes what the others leave.
  int64_t rest = -1;
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (ShapedType::isDynamic(size)) {
      if (rest >= 0)
        return std::nullopt;
      rest = static_cast<int64_t>(dim);
    }
  if (rest > 0)
    return std::nullopt;
  for (int64_t dim = static_cast<int64_t>(sizes.size()) - 1; dim > rest;
       --dim) {
    std::optional<Digits> low = takeLow(left, sizes[dim]);
    if (!low)
      return std::nullopt;
    result[dim] = *low;
  }
  if (rest == 0)
    result[0] = left;
  else if (!left.empty())
    return std::nullopt;
  return result;
}

/// a + b where b only fills digits of a that are zero.
static std::optional<Digits> addDigits(Digits a, const Digits &b) {
  int64_t size = 1;
  for (const Digit &digit : b) {
    if (ShapedType::isDynamic(digit.size))
      return std::nullopt;
    size *= digit.size;
  }
  std::optional<Digits> low = takeLow(a, size);
  if (!low || knownValue(*low) != 0)
    return std::nullopt;
  for (const Digit &digit : b)
    appendDigit(a, digit);
  return a;
}

std::optional<Digits> mxfp4::evaluateDigits(AffineExpr expr,
                                            ArrayRef<Digits> dims) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  Digits result;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    if (constant.getValue() < 0)
      return std::nullopt;
    appendDigit(result,
                Digit::known(constant.getValue(), constant.getValue() + 1));
    return result;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  std::optional<Digits> lhs = evaluateDigits(binary.getLHS(), dims);
  if (!lhs)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add) {
    std::optional<Digits> rhs = evaluateDigits(binary.getRHS(), dims);
    if (!rhs)
      return std::nullopt;
    std::optional<Digits> sum = addDigits(*lhs, *rhs);
    return sum ? sum : addDigits(*rhs, *lhs);
  }
  auto by = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!by || by.getValue() <= 0)
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Mul:
    appendDigit(*lhs, Digit::known(0, by.getValue()));
    return lhs;
  case AffineExprKind::Mod:
    return takeLow(*lhs, by.getValue());
  case AffineExprKind::FloorDiv:
    return takeLow(*lhs, by.getValue()) ? lhs : std::nullopt;
  default:
    return std::nullopt;
  }
}
