//===- WgmmaOperands.h - Operands of wgmma in shared memory -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_WGMMAOPERANDS_H
#define MXFP4_LIB_SIM_WGMMAOPERANDS_H

#include "Exec.h"
#include "MmaKernel.h"
#include "Tensor.h"

namespace mxfp4::sim {

/// Inst::Mods of wgmma.mma_async.
enum WgmmaFlag : uint8_t {
  RegisterA = 1,
  TransA = 2,
  TransB = 4,
  NegA = 8,
  NegB = 16
};

/// A matrix descriptor, decoded.
struct Descriptor {
  uint32_t Start, Leading, Stride;
  TensorMap::Swizzle Swizzling;
  uint32_t BaseOffset;

  explicit Descriptor(uint64_t D) {
    Start = uint32_t(D & 0x3fff) << 4;
    Leading = uint32_t(D >> 16 & 0x3fff) << 4;
    Stride = uint32_t(D >> 32 & 0x3fff) << 4;
    BaseOffset = uint32_t(D >> 49 & 7);
    constexpr TensorMap::Swizzle Map[4] = {
        TensorMap::Swizzle::None, TensorMap::Swizzle::B128,
        TensorMap::Swizzle::B64, TensorMap::Swizzle::B32};
    Swizzling = Map[D >> 62];
  }
  uint32_t span() const {
    switch (Swizzling) {
    case TensorMap::Swizzle::B128:
      return 128;
    case TensorMap::Swizzle::B64:
      return 64;
    case TensorMap::Swizzle::B32:
      return 32;
    default:
      return 16;
    }
  }
  /// Offset of the 16 bytes that hold eight elements: for K-major operands row
  /// \p Mn, k = 8 * Chunk and on; for transposed ones k = \p Mn, rows
  /// 8 * Chunk and on.
  uint32_t chunk(bool Trans, uint32_t Row, uint32_t Chunk) const {
    uint32_t Span = span(), Off = Start;
    if (!Trans) {
      Off += (Row / 8) * Stride + (Row % 8) * Span;
      Off += Span == 16 ? Chunk * Leading : Chunk * 16;
    } else if (Span == 16) {
      Off += (Row / 8) * Leading + (Row % 8) * 16 + Chunk * Stride;
    } else {
      uint32_t PerSpan = Span / 16;
      Off += (Row / 8) * Stride + (Row % 8) * Span + (Chunk % PerSpan) * 16 +
             (Chunk / PerSpan) * Leading;
    }
    return swizzle(Off, Swizzling);
  }
};

/// Eight columns of B.
void loadB(const Cta &C, const Inst &I, const Descriptor &D, uint32_t FirstN,
           BlockB &B);
/// The warp's 16 rows of A.
void loadA(const Cta &C, const Inst &I, const Descriptor &D, uint32_t FirstRow,
           FragmentA &A);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_WGMMAOPERANDS_H
