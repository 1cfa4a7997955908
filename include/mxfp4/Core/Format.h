//===- Format.h - The MXFP4 number format -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// OCP Microscaling v1.0, MXFP4: E2M1 codes, one E8M0 scale for each 32
// consecutive values along K. These functions are the definition that decode
// sequences are proved against; none of them is fast.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_FORMAT_H
#define MXFP4_CORE_FORMAT_H

#include <cstdint>

namespace mxfp4 {

/// Values that share one scale, along K.
inline constexpr int64_t kScaleBlock = 32;
/// The E8M0 byte that means NaN. Byte 0 is 2^-127, not zero.
inline constexpr uint8_t kScaleNaN = 0xFF;
/// E8M0 byte of 2^0.
inline constexpr uint8_t kScaleBias = 127;

/// The value of an E2M1 code (bits `s e1 e0 m`, 0..15): +-{0, 0.5, 1, 1.5, 2,
/// 3, 4, 6}. Code 8 is -0.
double decodeE2M1(unsigned code);

/// The value of an E8M0 scale byte: 2^(byte-127), NaN for 0xFF.
double decodeE8M0(unsigned byte);

/// Bits of the bf16 nearest to `value`: ties to even, subnormals kept,
/// overflow to infinity, NaN to the quiet NaN 0x7FFF.
uint16_t roundToBF16(double value);

/// The value of a bf16 bit pattern.
double decodeBF16(uint16_t bits);

/// The value of an e5m2 (bits `s eeeee mm`).
double decodeE5M2(uint8_t bits);

/// True for bf16 NaN bit patterns.
inline bool isNaNBF16(uint16_t bits) { return (bits & 0x7FFF) > 0x7F80; }

/// The bf16 bits of code times scale. Exact wherever bf16 can hold the product
/// (all finite results do); 0xFF gives NaN for every code; products past the
/// largest bf16 give infinity.
uint16_t decodeExact(unsigned code, unsigned scale);

} // namespace mxfp4

#endif // MXFP4_CORE_FORMAT_H
