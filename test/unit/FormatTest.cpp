//===- FormatTest.cpp -----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mxfp4;

namespace {

TEST(Format, CodesAreTheStandardsValues) {
  const double values[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (unsigned code = 0; code < 8; ++code) {
    EXPECT_EQ(decodeE2M1(code), values[code]);
    EXPECT_EQ(decodeE2M1(code + 8), -values[code]);
  }
  EXPECT_TRUE(std::signbit(decodeE2M1(8)));
}

TEST(Format, ScaleZeroIsNotZeroAndFFIsNaN) {
  EXPECT_EQ(decodeE8M0(0), std::ldexp(1.0, -127));
  EXPECT_EQ(decodeE8M0(127), 1.0);
  EXPECT_EQ(decodeE8M0(254), std::ldexp(1.0, 127));
  EXPECT_TRUE(std::isnan(decodeE8M0(255)));
}

// e5m2 is the upper byte of an f16, which this compiler has.
TEST(Format, E5M2IsTheUpperByteOfF16) {
  for (unsigned bits = 0; bits < 256; ++bits) {
    const uint16_t wide = bits << 8;
    _Float16 half;
    std::memcpy(&half, &wide, sizeof(half));
    const double expected = static_cast<double>(half);
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(decodeE5M2(bits))) << bits;
    else
      EXPECT_EQ(decodeE5M2(bits), expected) << bits;
  }
}

// All bf16 values, and the points halfway and next to halfway between
// neighbours.
TEST(Format, RoundToBF16) {
  for (unsigned bits = 0; bits < 0x7F80; ++bits) {
    const double low = decodeBF16(bits);
    EXPECT_EQ(roundToBF16(low), bits);
    EXPECT_EQ(roundToBF16(-low), bits | 0x8000);
    const double high =
        bits == 0x7F7F ? std::ldexp(1.0, 128) : decodeBF16(bits + 1);
    const double middle = (low + high) / 2;
    EXPECT_EQ(roundToBF16(middle), bits & 1 ? bits + 1 : bits);
    EXPECT_EQ(roundToBF16(std::nextafter(middle, low)), bits);
    EXPECT_EQ(roundToBF16(std::nextafter(middle, high)), bits + 1);
  }
  EXPECT_TRUE(isNaNBF16(roundToBF16(NAN)));
  EXPECT_EQ(roundToBF16(-INFINITY), 0xFF80);
}

// Wherever the product is finite in bf16's range it is held exactly.
TEST(Format, DecodeIsExact) {
  for (unsigned scale = 0; scale < 255; ++scale)
    for (unsigned code = 0; code < 16; ++code) {
      const double product = decodeE2M1(code) * decodeE8M0(scale);
      const uint16_t bits = decodeExact(code, scale);
      if (std::fabs(product) < std::ldexp(1.0, 128))
        EXPECT_EQ(decodeBF16(bits), product) << code << " " << scale;
      else
        EXPECT_EQ(bits & 0x7FFF, 0x7F80);
    }
  for (unsigned code = 0; code < 16; ++code)
    EXPECT_TRUE(isNaNBF16(decodeExact(code, 0xFF)));
}

} // namespace
