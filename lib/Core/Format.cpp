//===- Format.cpp - The MXFP4 number format -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Format.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace mxfp4;

double mxfp4::decodeE2M1(unsigned code) {
  static constexpr double magnitudes[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  double magnitude = magnitudes[code & 7];
  return (code & 8) ? -magnitude : magnitude;
}

double mxfp4::decodeE8M0(unsigned byte) {
  if (byte == kScaleNaN)
    return std::numeric_limits<double>::quiet_NaN();
  return std::ldexp(1.0, static_cast<int>(byte) - kScaleBias);
}

double mxfp4::decodeBF16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

double mxfp4::decodeE5M2(uint8_t bits) {
  if ((bits & 0x7F) > 0x7C)
    return std::numeric_limits<double>::quiet_NaN();
  if ((bits & 0x7F) == 0x7C)
    return std::copysign(std::numeric_limits<double>::infinity(),
                         bits & 0x80 ? -1 : 1);
  const int fraction = bits & 3, exponent = (bits & 0x7F) >> 2;
  const double magnitude = std::ldexp(exponent ? fraction | 4 : fraction,
                                      std::max(exponent, 1) - 17);
  return bits & 0x80 ? -magnitude : magnitude;
}

uint16_t mxfp4::roundToBF16(double value) {
  if (std::isnan(value))
    return 0x7FFF;
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (magnitude == 0)
    return sign;
  if (std::isinf(magnitude))
    return sign | 0x7F80;
  // The unit in the last place: 8 significant bits, down to 2^-133.
  int exponent;
  std::frexp(magnitude, &exponent);
  const int ulpExponent = std::max(exponent - 8, -133);
  // nearbyint rounds ties to even in the default rounding mode.
  const double units = std::nearbyint(std::ldexp(magnitude, -ulpExponent));
  const double rounded = std::ldexp(units, ulpExponent);
  if (rounded >= std::ldexp(1.0, 128))
    return sign | 0x7F80;
  const float narrow = static_cast<float>(rounded);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof(bits));
  return sign | static_cast<uint16_t>(bits >> 16);
}

uint16_t mxfp4::decodeExact(unsigned code, unsigned scale) {
  return roundToBF16(decodeE2M1(code) * decodeE8M0(scale));
}
