//===- Float.cpp - Formats and rounding -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Float.h"

#include <cfenv>

using namespace mxfp4::sim;

uint32_t mxfp4::sim::roundDouble(double v, unsigned mantissa, unsigned expBits,
                                 Round r, bool saturate) {
  uint64_t bits = bitsTo<uint64_t>(v);
  uint32_t sign = uint32_t(bits >> 63) << (mantissa + expBits);
  uint32_t inf = ((1u << expBits) - 1) << mantissa;
  if (v != v)
    return (1u << (mantissa + expBits)) - 1;
  if (v == 0)
    return sign;
  if (std::isinf(v))
    return saturate ? sign | (inf - 1) : sign | inf;
  int exp;
  double f = std::frexp(std::fabs(v), &exp); // F in [0.5, 1)
  int bias = (1 << (expBits - 1)) - 1;
  // Unit of the last place: of the value's own binade, or the subnormal one.
  int lowest = 1 - bias - int(mantissa);
  int ulp = exp - 1 - int(mantissa);
  if (ulp < lowest)
    ulp = lowest;
  double scaled = std::ldexp(f, exp - ulp); // Exact: below 2^(Mantissa+1).
  double whole = std::floor(scaled), rest = scaled - whole;
  uint64_t n = uint64_t(whole);
  bool up = false;
  switch (r) {
  case Round::NearestEven:
    up = rest > 0.5 || (rest == 0.5 && (n & 1));
    break;
  case Round::Zero:
    break;
  case Round::Down:
    up = sign && rest > 0;
    break;
  case Round::Up:
    up = !sign && rest > 0;
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

double mxfp4::sim::addToOdd(double a, double b) {
  double s = a + b;
  if (!std::isfinite(s))
    return s;
  // Knuth's exact error of the sum.
  double t = s - a;
  double err = (a - (s - t)) + (b - t);
  uint64_t bits = bitsTo<uint64_t>(s);
  if (err == 0 || (bits & 1))
    return s;
  // Even last bit and inexact: the odd neighbour on the side of the error.
  bool away = (err > 0) == (s > 0);
  return bitsTo<double>(away ? bits + 1 : bits - 1);
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
