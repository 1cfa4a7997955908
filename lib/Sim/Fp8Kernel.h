//===- Fp8Kernel.h - The arithmetic of wgmma on FP8 -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numerics, as an H200 has them (test/sim/laws): an instruction adds 32
// products and the accumulator at once. Each of the 33 is cut toward zero to a
// grid of 2^(e - 13), where e is the greatest exponent of those that are not
// zero: the sum of the exponents of both factors, whatever their product
// carries, and the exponent of the accumulator. The sum is cut toward zero to
// 13 bits behind the point, and is an f32 then.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_FP8KERNEL_H
#define MXFP4_LIB_SIM_FP8KERNEL_H

#include <cstdint>

namespace mxfp4::sim {

/// 32 neighbours along k: value `significand * 2^(exponent - fraction bits)`.
/// Zeros have an exponent below all others.
struct Fp8Row {
  alignas(64) int32_t significand[32];
  alignas(64) int32_t exponent[32];
  /// Of these neighbours some are NaN or infinite: `special` has all of them.
  bool isSpecial;
  float special[32];
};

/// Bits behind the point of a significand: two of e5m2, three of e4m3.
inline constexpr int fractionBits(bool isE5M2) { return isE5M2 ? 2 : 3; }

/// Reads 16 bytes to the first (0) or second half of a row.
void setFp8(bool isE5M2, const void *sixteen, bool isNegated, unsigned half,
            Fp8Row &row);

/// What one instruction makes of an accumulator; `fraction` counts the bits
/// behind the points of both significands.
float addFp8(const Fp8Row &a, const Fp8Row &b, int fraction, float accumulator);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_FP8KERNEL_H
