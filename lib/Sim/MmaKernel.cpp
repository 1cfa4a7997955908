//===- MmaKernel.cpp - The arithmetic of mma and wgmma ---------------------*-
// C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MmaKernel.h"

#include "Float.h"

using namespace mxfp4::sim;

float mxfp4::sim::widen(Ty T, uint16_t H) {
  return T == Ty::BF16 ? fromBF16(H) : fromF16(H);
}

void mxfp4::sim::spreadA(const uint32_t *const Regs[4], unsigned K, Ty T,
                         float Sign, FragmentA &A) {
  // Element (row, k) sits in lane 4 * row + (k % 8) / 2, register
  // (row >= 8) + 2 * (k >= 8), half k % 2. Each lane needs its whole row.
  for (unsigned Kk = 0; Kk < K; ++Kk) {
    unsigned Reg = 2 * (Kk >> 3), T4 = (Kk & 7) >> 1, Shift = 16 * (Kk & 1);
    for (unsigned G = 0; G < 8; ++G) {
      float Lo = Sign * widen(T, uint16_t(Regs[Reg][4 * G + T4] >> Shift));
      float Hi = Sign * widen(T, uint16_t(Regs[Reg + 1][4 * G + T4] >> Shift));
      for (unsigned J = 0; J < 4; ++J) {
        A.Lo[Kk][4 * G + J] = Lo;
        A.Hi[Kk][4 * G + J] = Hi;
      }
    }
  }
}

// Eight floats; the compiler makes two halves of it where it must. a * b + c in
// one expression is fused where the target can.
typedef float V8 __attribute__((vector_size(32), aligned(32)));

#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void mxfp4::sim::multiplyBlock(const FragmentA &A, const BlockB &B, unsigned K,
                               float *const Acc[4]) {
  for (unsigned Half = 0; Half < 2; ++Half) {
    const float (*Rows)[32] = Half ? A.Hi : A.Lo;
    V8 C[2][4];
    for (unsigned J = 0; J < 4; ++J) {
      std::memcpy(&C[0][J], Acc[2 * Half] + 8 * J, 32);
      std::memcpy(&C[1][J], Acc[2 * Half + 1] + 8 * J, 32);
    }
    for (unsigned Kk = 0; Kk < K; ++Kk) {
      V8 B0 = *reinterpret_cast<const V8 *>(B.V[Kk][0]);
      V8 B1 = *reinterpret_cast<const V8 *>(B.V[Kk][1]);
      for (unsigned J = 0; J < 4; ++J) {
        V8 R = *reinterpret_cast<const V8 *>(Rows[Kk] + 8 * J);
        C[0][J] = R * B0 + C[0][J];
        C[1][J] = R * B1 + C[1][J];
      }
    }
    for (unsigned J = 0; J < 4; ++J) {
      std::memcpy(Acc[2 * Half] + 8 * J, &C[0][J], 32);
      std::memcpy(Acc[2 * Half + 1] + 8 * J, &C[1][J], 32);
    }
  }
}
