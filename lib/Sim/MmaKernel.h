//===- MmaKernel.h - The arithmetic of mma and wgmma ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both instructions give each warp 16 rows and columns in blocks of 8, in the
// same fragments: with g = lane / 4 and t = lane % 4, accumulators 0 and 1 are
// row g, columns 2t and 2t + 1; 2 and 3 are row g + 8.
//
// Numerics: products of bf16 or f16 are exact; they are added to the f32
// accumulator one by one, k ascending, each addition rounded to nearest (one
// fused multiply-add). The tensor core instead aligns the products of a step to
// the largest exponent, truncates below some 25 bits, and adds them at once.
// Where all partial sums are exact in f32 the two agree bit for bit; otherwise
// |difference| <= k * 2^-22 * sum |a b|.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_MMAKERNEL_H
#define MXFP4_LIB_SIM_MMAKERNEL_H

#include "Module.h"

namespace mxfp4::sim {

/// 16 rows of A.
struct FragmentA {
  alignas(64) float v[16][16]; ///< By row and k.
};
/// Eight columns of B, in the order 0, 2, 4, 6, 1, 3, 5, 7: the first four are
/// those of accumulators 0 and 2.
struct BlockB {
  alignas(32) float v[16][8]; ///< By k and column.
  static unsigned column(unsigned at) { return at < 4 ? 2 * at : 2 * at - 7; }
  void set(unsigned k, unsigned n, float x) {
    v[k][(n & 1) * 4 + (n >> 1)] = x;
  }
};

float widen(Ty t, uint16_t h); ///< Ty::BF16 or Ty::F16

/// Eight neighbours along k, as registers and shared memory hold them.
void setRow(Ty t, const void *eight, float sign, float *out);
/// The fragment in four registers of 32 lanes (two for k = 8); \p sign is 1 or
/// -1.
void setA(const uint32_t *const regs[4], unsigned k, Ty t, float sign,
          FragmentA &a);
/// Rows 8 * \p half and on of the block from the eight neighbours along k of
/// each column.
void setB(Ty t, const void *const columns[8], float sign, unsigned half,
          BlockB &b);
/// acc[0..3][lane] += A * B over \p k steps.
void multiplyBlock(const FragmentA &a, const BlockB &b, unsigned k,
                   float *const acc[4]);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MMAKERNEL_H
