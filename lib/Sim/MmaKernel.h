//===- MmaKernel.h - The arithmetic of mma and wgmma --------------*- C++
//-*-===//
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
// |difference| <= K * 2^-22 * sum |a b|.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_MMAKERNEL_H
#define MXFP4_LIB_SIM_MMAKERNEL_H

#include "Module.h"

namespace mxfp4::sim {

/// The A fragment spread out: for each k, row g (Lo) and row g + 8 (Hi) by
/// lane.
struct FragmentA {
  alignas(64) float Lo[16][32], Hi[16][32];
};
/// Eight columns of B: for each k, columns 2t + e for t = 0..3, twice.
struct BlockB {
  alignas(32) float V[16][2][8];
  void set(unsigned K, unsigned N, float X) {
    V[K][N & 1][N >> 1] = V[K][N & 1][4 + (N >> 1)] = X;
  }
};

float widen(Ty T, uint16_t H); ///< Ty::BF16 or Ty::F16

/// Spreads four registers of 32 lanes (two for K = 8); \p Sign is 1 or -1.
void spreadA(const uint32_t *const Regs[4], unsigned K, Ty T, float Sign,
             FragmentA &A);
/// Acc[0..3][lane] += A * B over \p K steps.
void multiplyBlock(const FragmentA &A, const BlockB &B, unsigned K,
                   float *const Acc[4]);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MMAKERNEL_H
