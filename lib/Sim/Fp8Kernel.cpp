//===- Fp8Kernel.cpp - The arithmetic of wgmma on FP8 ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fp8Kernel.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

using namespace mxfp4::sim;

namespace {

/// An exponent that nothing has: that of zeros.
constexpr int kNoExponent = -1000;
/// Bits behind the point that a sum keeps.
constexpr int kSumBits = 13;

struct Number {
  int32_t significand, exponent;
  /// NaN or an infinity, which have no significand; else 0.
  float special;
};

Number numberOf(bool isE5M2, unsigned bits) {
  const int fraction = fractionBits(isE5M2), bias = isE5M2 ? 15 : 7;
  const int digits = static_cast<int>(bits & ((1u << fraction) - 1));
  const int field = static_cast<int>(bits & 0x7F) >> fraction;
  const bool isNegative = bits & 0x80;
  if (isE5M2 ? field == 31 : (bits & 0x7F) == 0x7F) {
    const float value = isE5M2 && digits == 0 ? INFINITY : NAN;
    return {0, kNoExponent, isNegative ? -value : value};
  }
  const int significand = field == 0 ? digits : digits | 1 << fraction;
  return {isNegative ? -significand : significand,
          significand == 0 ? kNoExponent : std::max(field, 1) - bias, 0};
}

std::array<Number, 256> tableOf(bool isE5M2) {
  std::array<Number, 256> table;
  for (unsigned bits = 0; bits < 256; ++bits)
    table[bits] = numberOf(isE5M2, bits);
  return table;
}

/// The greatest exponent of the products.
#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
int greatestExponent(const Fp8Row &a, const Fp8Row &b) {
  int32_t greatest = 2 * kNoExponent;
  for (unsigned k = 0; k < 32; ++k)
    greatest = std::max(greatest, a.exponent[k] + b.exponent[k]);
  return greatest;
}

/// The sum of the products in units of 2^(top - kSumBits), each cut toward
/// zero.
#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
int32_t sumOfCut(const Fp8Row &a, const Fp8Row &b, int fraction, int top) {
  int32_t sum = 0;
  const int up = kSumBits - fraction;
  for (unsigned k = 0; k < 32; ++k) {
    const int32_t product = a.significand[k] * b.significand[k];
    const int32_t down = std::min(top - (a.exponent[k] + b.exponent[k]), 31);
    const int32_t cut = (std::abs(product) << up) >> down;
    sum += product < 0 ? -cut : cut;
  }
  return sum;
}

/// A sum with NaN or infinities: whatever else is in it does not matter.
float addSpecial(const Fp8Row &a, const Fp8Row &b, float sum) {
  for (unsigned k = 0; k < 32; ++k)
    sum += a.special[k] * b.special[k];
  return sum;
}

} // namespace

void mxfp4::sim::setFp8(bool isE5M2, const void *sixteen, bool isNegated,
                        unsigned half, Fp8Row &row) {
  static const std::array<Number, 256> tables[2] = {tableOf(false),
                                                    tableOf(true)};
  const auto *bytes = static_cast<const uint8_t *>(sixteen);
  if (half == 0)
    row.isSpecial = false;
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned k = 16 * half + i;
    const Number &number = tables[isE5M2][bytes[i] ^ (isNegated ? 0x80u : 0u)];
    row.significand[k] = number.significand;
    row.exponent[k] = number.exponent;
    row.isSpecial |= number.special != 0;
    row.special[k] = number.special != 0
                         ? number.special
                         : std::ldexp(static_cast<float>(number.significand),
                                      std::max(number.exponent, -100));
  }
}

float mxfp4::sim::addFp8(const Fp8Row &a, const Fp8Row &b, int fraction,
                         float accumulator) {
  if (a.isSpecial || b.isSpecial || !std::isfinite(accumulator))
    return addSpecial(a, b, accumulator);
  int top = greatestExponent(a, b);
  if (accumulator != 0)
    top = std::max(top, std::max(std::ilogb(accumulator), -126));
  if (top < kNoExponent)
    return accumulator; // Zeros.
  const auto cut =
      static_cast<int32_t>(std::ldexp(double(accumulator), kSumBits - top));
  const int32_t sum = sumOfCut(a, b, fraction, top) + cut;
  // 14 bits in all.
  auto magnitude = static_cast<uint32_t>(std::abs(sum));
  int carried = 0;
  while (magnitude >> carried >= 2u << kSumBits)
    ++carried;
  magnitude = magnitude >> carried << carried;
  const double result = std::ldexp(double(magnitude), top - kSumBits);
  return static_cast<float>(sum < 0 ? -result : result);
}
