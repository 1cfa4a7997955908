//===- Float.cpp - Formats and rounding -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Float.h"

#include <algorithm>
#include <cfenv>

using namespace mxfp4::sim;

uint32_t mxfp4::sim::roundDouble(double v, unsigned mantissa, unsigned expBits,
                                 Round r, bool saturate) {
  constexpr int kFraction = 52, kBias = 1023;
  const uint64_t bits = bitsTo<uint64_t>(v);
  const uint32_t sign = uint32_t(bits >> 63) << (mantissa + expBits);
  const uint32_t inf = ((1u << expBits) - 1) << mantissa;
  uint64_t digits = bits & ((uint64_t(1) << kFraction) - 1);
  int exp = int(bits >> kFraction & 0x7ff);
  if (exp == 0x7ff) {
    if (digits)
      return (1u << (mantissa + expBits)) - 1;
    return saturate ? sign | (inf - 1) : sign | inf;
  }
  // |V| is Digits * 2^(Exp - kBias - kFraction), of doubles below 2^-1022 too.
  if (exp)
    digits |= uint64_t(1) << kFraction;
  else
    exp = 1;
  // Unit of the last place: of the value's own binade, or the subnormal one.
  const int lowest = 2 - (1 << (expBits - 1)) - int(mantissa);
  const int ulp = std::max(exp - kBias - int(mantissa), lowest);
  // Digits below that unit; from 63 of them on all are less than half of it.
  const int drop = std::min(ulp - (exp - kBias - kFraction), 63);
  uint64_t n = digits >> drop;
  const uint64_t rest = digits & ((uint64_t(1) << drop) - 1);
  const uint64_t half = uint64_t(1) << drop >> 1;
  bool up = false;
  switch (r) {
  case Round::NearestEven:
    up = rest > half || (rest == half && (n & 1));
    break;
  case Round::Zero:
    break;
  case Round::Down:
    up = sign && rest;
    break;
  case Round::Up:
    up = !sign && rest;
    break;
  }
  n += up;
  // N counts ulps: as an integer it carries into the exponent by itself.
  int64_t code = int64_t(n) + (int64_t(ulp - lowest) << mantissa);
  if (code >= int64_t(inf)) {
    bool toMax = saturate || r == Round::Zero || (r == Round::Down && !sign) ||
                 (r == Round::Up && sign);
    return sign | (toMax ? inf - 1 : inf);
  }
  return sign | uint32_t(code);
}

float mxfp4::sim::fromF16(uint16_t h) {
  uint32_t sign = uint32_t(h & 0x8000) << 16, exp = h >> 10 & 31, m = h & 1023;
  if (exp == 31)
    return bitsTo<float>(m ? kNaN32 : sign | 0x7f800000);
  if (exp == 0) {
    float v = std::ldexp(float(m), -24);
    return sign ? -v : v;
  }
  return bitsTo<float>(sign | (exp + 112) << 23 | m << 13);
}

namespace {

int hostMode(Round r) {
  return r == Round::Zero   ? FE_TOWARDZERO
         : r == Round::Down ? FE_DOWNWARD
         : r == Round::Up   ? FE_UPWARD
                            : FE_TONEAREST;
}

// Volatile operands keep the compiler from computing at compile time or from
// moving the operation across the change of mode.
template <typename T> T rounded(char op, T a, T b, T c, Round r) {
  int old = std::fegetround();
  std::fesetround(hostMode(r));
  volatile T x = a, y = b, z = c, v;
  switch (op) {
  case '+':
    v = x + y;
    break;
  case '-':
    v = x - y;
    break;
  case '*':
    v = x * y;
    break;
  case '/':
    v = x / y;
    break;
  case 's':
    v = std::sqrt(x);
    break;
  default:
    v = std::fma(x, y, z);
    break;
  }
  T result = v;
  std::fesetround(old);
  return result;
}

} // namespace

float mxfp4::sim::roundedOp(char op, float a, float b, float c, Round r) {
  return rounded<float>(op, a, b, c, r);
}
double mxfp4::sim::roundedOp(char op, double a, double b, double c, Round r) {
  return rounded<double>(op, a, b, c, r);
}

float mxfp4::sim::doubleToFloat(double v, Round r) {
  if (r == Round::NearestEven || v != v)
    return float(v);
  int old = std::fegetround();
  std::fesetround(hostMode(r));
  volatile double x = v;
  volatile float f = float(x);
  float result = f;
  std::fesetround(old);
  return result;
}
