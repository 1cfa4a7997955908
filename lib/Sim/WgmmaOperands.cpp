//===- WgmmaOperands.cpp - Operands of wgmma in shared memory -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WgmmaOperands.h"

using namespace mxfp4::sim;

namespace {

uint16_t element(const Cta &c, const Descriptor &d, bool trans, uint32_t mn,
                 uint32_t k) {
  uint32_t off = trans ? d.chunk(true, k, mn / 8) + 2 * (mn % 8)
                       : d.chunk(false, mn, k / 8) + 2 * (k % 8);
  uint16_t v = 0;
  if (off + 2 <= c.shared.size())
    std::memcpy(&v, c.shared.data() + off, 2);
  return v;
}

/// The 16 bytes of a chunk; zeros where the descriptor leaves the block.
const void *chunkAt(const Cta &c, const Descriptor &d, uint32_t row,
                    uint32_t chunk) {
  alignas(16) static const uint8_t zeros[16] = {};
  uint32_t off = d.chunk(false, row, chunk);
  return off + 16 <= c.shared.size() ? c.shared.data() + off : zeros;
}

} // namespace

void mxfp4::sim::loadB(const Cta &c, const Inst &i, const Descriptor &d,
                       uint32_t firstN, BlockB &b) {
  float sign = i.mods & NegB ? -1.0f : 1.0f;
  if (i.mods & TransB) {
    for (uint32_t k = 0; k < 16; ++k)
      for (uint32_t n = 0; n < 8; ++n)
        b.set(k, n, sign * widen(i.t, element(c, d, true, firstN + n, k)));
    return;
  }
  for (uint32_t half = 0; half < 2; ++half) {
    const void *columns[8];
    for (uint32_t n = 0; n < 8; ++n)
      columns[n] = chunkAt(c, d, firstN + n, half);
    setB(i.t, columns, sign, half, b);
  }
}

void mxfp4::sim::loadA(const Cta &c, const Inst &i, const Descriptor &d,
                       uint32_t firstRow, FragmentA &a) {
  float sign = i.mods & NegA ? -1.0f : 1.0f;
  for (uint32_t row = 0; row < 16; ++row) {
    if (i.mods & TransA)
      for (uint32_t k = 0; k < 16; ++k)
        a.v[row][k] = sign * widen(i.t, element(c, d, true, firstRow + row, k));
    else
      for (uint32_t half = 0; half < 2; ++half)
        setRow(i.t, chunkAt(c, d, firstRow + row, half), sign,
               &a.v[row][8 * half]);
  }
}

void mxfp4::sim::loadB8(const Cta &c, const Inst &i, const Descriptor &d,
                        uint32_t n, Fp8Row &column) {
  for (uint32_t half = 0; half < 2; ++half)
    setFp8(i.mods & E5M2B, chunkAt(c, d, n, half), i.mods & NegB, half, column);
}

void mxfp4::sim::loadA8(const Cta &c, const Inst &i, const Descriptor &d,
                        uint32_t row, Fp8Row &to) {
  for (uint32_t half = 0; half < 2; ++half)
    setFp8(i.mods & E5M2A, chunkAt(c, d, row, half), i.mods & NegA, half, to);
}

void mxfp4::sim::setA8(const uint32_t *registers, const Inst &i, uint32_t row,
                       Fp8Row &to) {
  // Four lanes hold sixteen neighbours; registers are by half of the rows, then
  // by half of k.
  for (uint32_t half = 0; half < 2; ++half)
    setFp8(i.mods & E5M2A,
           registers + 32 * (row / 8 + 2 * half) + 4 * (row % 8), i.mods & NegA,
           half, to);
}
