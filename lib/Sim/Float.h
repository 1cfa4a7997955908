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

template <typename To, typename From> inline To bitsTo(From V) {
  static_assert(sizeof(To) == sizeof(From));
  To R;
  std::memcpy(&R, &V, sizeof(To));
  return R;
}

enum class Round : uint8_t { NearestEven, Zero, Down, Up };

inline float fromBF16(uint16_t B) { return bitsTo<float>(uint32_t(B) << 16); }

/// The NaN that arithmetic gives in each format.
constexpr uint32_t NaN32 = 0x7fffffff;
constexpr uint16_t NaN16 = 0x7fff;

inline float canonical(float V) { return V != V ? bitsTo<float>(NaN32) : V; }

/// Rounds a double to a format of \p Mantissa stored bits and \p ExpBits
/// exponent bits, subnormals included; \p Saturate turns overflow into the
/// largest finite value.
uint32_t roundDouble(double V, unsigned Mantissa, unsigned ExpBits, Round R,
                     bool Saturate = false);
inline uint16_t toBF16(double V, Round R = Round::NearestEven) {
  return uint16_t(roundDouble(V, 7, 8, R));
}
inline uint16_t toF16(double V, Round R = Round::NearestEven) {
  return uint16_t(roundDouble(V, 10, 5, R));
}
float fromF16(uint16_t H);

/// A + B in double, rounded to odd: rounding the result again to fewer bits
/// gives what one rounding of the exact sum would have given.
double addToOdd(double A, double B);

inline float flush(float V) {
  return std::fabs(V) < 1.17549435e-38f ? std::copysign(0.0f, V) : V;
}

/// One float operation in a rounding mode other than to nearest.
float roundedOp(char Op, float A, float B, float C, Round R);
double roundedOp(char Op, double A, double B, double C, Round R);
float doubleToFloat(double V, Round R);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_FLOAT_H
