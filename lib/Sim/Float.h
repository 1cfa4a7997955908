//===- Float.h - Formats and rounding ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_FLOAT_H
#define MXFP4_LIB_SIM_FLOAT_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace mxfp4::sim {

template <typename To, typename From> inline To bitsTo(From v) {
  static_assert(sizeof(To) == sizeof(From));
  To r;
  std::memcpy(&r, &v, sizeof(To));
  return r;
}

enum class Round : uint8_t { NearestEven, Zero, Down, Up };

inline float fromBF16(uint16_t b) { return bitsTo<float>(uint32_t(b) << 16); }

/// The NaN that arithmetic gives in each format.
constexpr uint32_t kNaN32 = 0x7fffffff;
constexpr uint16_t kNaN16 = 0x7fff;

inline float canonical(float v) { return v != v ? bitsTo<float>(kNaN32) : v; }

/// Rounds a double to a format of \p mantissa stored bits and \p expBits
/// exponent bits, subnormals included; \p saturate turns overflow into the
/// largest finite value.
uint32_t roundDouble(double v, unsigned mantissa, unsigned expBits, Round r,
                     bool saturate = false);
inline uint16_t toBF16(double v, Round r = Round::NearestEven) {
  return uint16_t(roundDouble(v, 7, 8, r));
}
inline uint16_t toF16(double v, Round r = Round::NearestEven) {
  return uint16_t(roundDouble(v, 10, 5, r));
}
float fromF16(uint16_t h);

/// a + b in double, rounded to odd: rounding the result again to fewer bits
/// gives what one rounding of the exact sum would have given.
inline double addToOdd(double a, double b) {
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

inline float flush(float v) {
  return std::fabs(v) < 1.17549435e-38f ? std::copysign(0.0f, v) : v;
}

/// One float operation in a rounding mode other than to nearest.
float roundedOp(char op, float a, float b, float c, Round r);
double roundedOp(char op, double a, double b, double c, Round r);
float doubleToFloat(double v, Round r);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_FLOAT_H
