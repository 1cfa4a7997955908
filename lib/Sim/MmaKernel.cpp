//===- MmaKernel.cpp - The arithmetic of mma and wgmma --------------------===//
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

typedef uint16_t H8 __attribute__((vector_size(16)));
typedef uint32_t U8 __attribute__((vector_size(32)));

static void widenEight(Ty T, H8 V, float Sign, float *Out) {
  if (T == Ty::BF16) {
    U8 Bits = __builtin_convertvector(V, U8) << 16;
    std::memcpy(Out, &Bits, 32);
  } else {
    for (unsigned J = 0; J < 8; ++J)
      Out[J] = fromF16(V[J]);
  }
  if (Sign != 1.0f)
    for (unsigned J = 0; J < 8; ++J)
      Out[J] *= Sign;
}

void mxfp4::sim::setRow(Ty T, const void *Eight, float Sign, float *Out) {
  H8 V;
  std::memcpy(&V, Eight, 16);
  widenEight(T, V, Sign, Out);
}

void mxfp4::sim::setA(const uint32_t *const Regs[4], unsigned K, Ty T,
                      float Sign, FragmentA &A) {
  // Element (row, k) sits in lane 4 * row + (k % 8) / 2, register
  // (row >= 8) + 2 * (k >= 8), half k % 2: four lanes hold eight neighbours.
  for (unsigned R = 0; R < K / 4; ++R)
    for (unsigned G = 0; G < 8; ++G)
      setRow(T, Regs[R] + 4 * G, Sign, &A.V[8 * (R & 1) + G][8 * (R >> 1)]);
}

void mxfp4::sim::setB(Ty T, const void *const Columns[8], float Sign,
                      unsigned Half, BlockB &B) {
  H8 V[8], W[8];
  for (unsigned At = 0; At < 8; ++At)
    std::memcpy(&V[At], Columns[BlockB::column(At)], 16);
  // Interleaving rows i and i + 4 three times transposes.
  for (unsigned Round = 0; Round < 3; ++Round) {
    for (unsigned J = 0; J < 4; ++J) {
      W[2 * J] =
          __builtin_shufflevector(V[J], V[J + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      W[2 * J + 1] =
          __builtin_shufflevector(V[J], V[J + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    std::memcpy(V, W, sizeof(V));
  }
  for (unsigned K = 0; K < 8; ++K)
    widenEight(T, V[K], Sign, B.V[8 * Half + K]);
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
    float *Even = Acc[2 * Half], *Odd = Acc[2 * Half + 1];
    const float (*Rows)[16] = A.V + 8 * Half;
    V8 C[8];
    for (unsigned G = 0; G < 8; ++G) {
      std::memcpy(&C[G], Even + 4 * G, 16);
      std::memcpy(reinterpret_cast<float *>(&C[G]) + 4, Odd + 4 * G, 16);
    }
    for (unsigned Kk = 0; Kk < K; ++Kk) {
      V8 Row = *reinterpret_cast<const V8 *>(B.V[Kk]);
      for (unsigned G = 0; G < 8; ++G)
        C[G] = Rows[G][Kk] * Row + C[G];
    }
    for (unsigned G = 0; G < 8; ++G) {
      std::memcpy(Even + 4 * G, &C[G], 16);
      std::memcpy(Odd + 4 * G, reinterpret_cast<float *>(&C[G]) + 4, 16);
    }
  }
}
