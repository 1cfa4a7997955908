//===- MmaKernel.cpp - The arithmetic of mma and wgmma --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MmaKernel.h"

#include "Float.h"

using namespace mxfp4::sim;

float mxfp4::sim::widen(Ty t, uint16_t h) {
  return t == Ty::BF16 ? fromBF16(h) : fromF16(h);
}

typedef uint16_t H8 __attribute__((vector_size(16)));
typedef uint32_t U8 __attribute__((vector_size(32)));

static void widenEight(Ty t, H8 v, float sign, float *out) {
  if (t == Ty::BF16) {
    U8 bits = __builtin_convertvector(v, U8) << 16;
    std::memcpy(out, &bits, 32);
  } else {
    for (unsigned j = 0; j < 8; ++j)
      out[j] = fromF16(v[j]);
  }
  if (sign != 1.0f)
    for (unsigned j = 0; j < 8; ++j)
      out[j] *= sign;
}

void mxfp4::sim::setRow(Ty t, const void *eight, float sign, float *out) {
  H8 v;
  std::memcpy(&v, eight, 16);
  widenEight(t, v, sign, out);
}

void mxfp4::sim::setA(const uint32_t *const regs[4], unsigned k, Ty t,
                      float sign, FragmentA &a) {
  // Element (row, k) sits in lane 4 * row + (k % 8) / 2, register
  // (row >= 8) + 2 * (k >= 8), half k % 2: four lanes hold eight neighbours.
  for (unsigned r = 0; r < k / 4; ++r)
    for (unsigned g = 0; g < 8; ++g)
      setRow(t, regs[r] + 4 * g, sign, &a.v[8 * (r & 1) + g][8 * (r >> 1)]);
}

void mxfp4::sim::setB(Ty t, const void *const columns[8], float sign,
                      unsigned half, BlockB &b) {
  H8 v[8], w[8];
  for (unsigned at = 0; at < 8; ++at)
    std::memcpy(&v[at], columns[BlockB::column(at)], 16);
  // Interleaving rows i and i + 4 three times transposes.
  for (unsigned round = 0; round < 3; ++round) {
    for (unsigned j = 0; j < 4; ++j) {
      w[2 * j] =
          __builtin_shufflevector(v[j], v[j + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      w[2 * j + 1] =
          __builtin_shufflevector(v[j], v[j + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    std::memcpy(v, w, sizeof(v));
  }
  for (unsigned k = 0; k < 8; ++k)
    widenEight(t, v[k], sign, b.v[8 * half + k]);
}

// Eight floats; the compiler makes two halves of it where it must. a * b + c in
// one expression is fused where the target can.
typedef float V8 __attribute__((vector_size(32), aligned(32)));

#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void mxfp4::sim::multiplyBlock(const FragmentA &a, const BlockB &b, unsigned k,
                               float *const acc[4]) {
  for (unsigned half = 0; half < 2; ++half) {
    float *even = acc[2 * half], *odd = acc[2 * half + 1];
    const float (*rows)[16] = a.v + 8 * half;
    V8 c[8];
    for (unsigned g = 0; g < 8; ++g) {
      std::memcpy(&c[g], even + 4 * g, 16);
      std::memcpy(reinterpret_cast<float *>(&c[g]) + 4, odd + 4 * g, 16);
    }
    for (unsigned kk = 0; kk < k; ++kk) {
      V8 row = *reinterpret_cast<const V8 *>(b.v[kk]);
      for (unsigned g = 0; g < 8; ++g)
        c[g] = rows[g][kk] * row + c[g];
    }
    for (unsigned g = 0; g < 8; ++g) {
      std::memcpy(even + 4 * g, &c[g], 16);
      std::memcpy(odd + 4 * g, reinterpret_cast<float *>(&c[g]) + 4, 16);
    }
  }
}
