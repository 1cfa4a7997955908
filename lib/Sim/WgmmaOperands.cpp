//===- WgmmaOperands.cpp - Operands of wgmma in shared memory -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WgmmaOperands.h"

using namespace mxfp4::sim;

namespace {

uint16_t element(const Cta &C, const Descriptor &D, bool Trans, uint32_t Mn,
                 uint32_t K) {
  uint32_t Off = Trans ? D.chunk(true, K, Mn / 8) + 2 * (Mn % 8)
                       : D.chunk(false, Mn, K / 8) + 2 * (K % 8);
  uint16_t V = 0;
  if (Off + 2 <= C.Shared.size())
    std::memcpy(&V, C.Shared.data() + Off, 2);
  return V;
}

/// The 16 bytes of a chunk; zeros where the descriptor leaves the block.
const void *chunkAt(const Cta &C, const Descriptor &D, uint32_t Row,
                    uint32_t Chunk) {
  alignas(16) static const uint8_t Zeros[16] = {};
  uint32_t Off = D.chunk(false, Row, Chunk);
  return Off + 16 <= C.Shared.size() ? C.Shared.data() + Off : Zeros;
}

} // namespace

void mxfp4::sim::loadB(const Cta &C, const Inst &I, const Descriptor &D,
                       uint32_t FirstN, BlockB &B) {
  float Sign = I.Mods & NegB ? -1.0f : 1.0f;
  if (I.Mods & TransB) {
    for (uint32_t K = 0; K < 16; ++K)
      for (uint32_t N = 0; N < 8; ++N)
        B.set(K, N, Sign * widen(I.T, element(C, D, true, FirstN + N, K)));
    return;
  }
  for (uint32_t Half = 0; Half < 2; ++Half) {
    const void *Columns[8];
    for (uint32_t N = 0; N < 8; ++N)
      Columns[N] = chunkAt(C, D, FirstN + N, Half);
    setB(I.T, Columns, Sign, Half, B);
  }
}

void mxfp4::sim::loadA(const Cta &C, const Inst &I, const Descriptor &D,
                       uint32_t FirstRow, FragmentA &A) {
  float Sign = I.Mods & NegA ? -1.0f : 1.0f;
  for (uint32_t Row = 0; Row < 16; ++Row) {
    if (I.Mods & TransA)
      for (uint32_t K = 0; K < 16; ++K)
        A.V[Row][K] = Sign * widen(I.T, element(C, D, true, FirstRow + Row, K));
    else
      for (uint32_t Half = 0; Half < 2; ++Half)
        setRow(I.T, chunkAt(C, D, FirstRow + Row, Half), Sign,
               &A.V[Row][8 * Half]);
  }
}
