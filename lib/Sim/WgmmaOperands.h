//===- WgmmaOperands.h - Operands of wgmma in shared memory -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_WGMMAOPERANDS_H
#define MXFP4_LIB_SIM_WGMMAOPERANDS_H

#include "Exec.h"
#include "Fp8Kernel.h"
#include "MmaKernel.h"
#include "Tensor.h"

namespace mxfp4::sim {

/// Inst::mods of wgmma.mma_async.
enum WgmmaFlag : uint8_t {
  RegisterA = 1,
  TransA = 2,
  TransB = 4,
  NegA = 8,
  NegB = 16,
  /// Operands of 8 bits are e5m2, and not e4m3.
  E5M2A = 32,
  E5M2B = 64
};

/// Inst::t of instructions on numbers of 8 bits.
inline constexpr Ty kFp8 = Ty::B8;

/// A matrix descriptor, decoded.
struct Descriptor {
  uint32_t start, leading, stride;
  TensorMap::Swizzle swizzling;
  uint32_t baseOffset;

  explicit Descriptor(uint64_t d) {
    start = uint32_t(d & 0x3fff) << 4;
    leading = uint32_t(d >> 16 & 0x3fff) << 4;
    stride = uint32_t(d >> 32 & 0x3fff) << 4;
    baseOffset = uint32_t(d >> 49 & 7);
    constexpr TensorMap::Swizzle map[4] = {
        TensorMap::Swizzle::None, TensorMap::Swizzle::B128,
        TensorMap::Swizzle::B64, TensorMap::Swizzle::B32};
    swizzling = map[d >> 62];
  }
  uint32_t span() const {
    switch (swizzling) {
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
  /// \p mn, k = 8 * group and on; for transposed ones k = \p mn, rows
  /// 8 * group and on.
  uint32_t chunk(bool trans, uint32_t row, uint32_t group) const {
    uint32_t bytes = span(), off = start;
    if (!trans) {
      off += (row / 8) * stride + (row % 8) * bytes;
      off += bytes == 16 ? group * leading : group * 16;
    } else if (bytes == 16) {
      off += (row / 8) * leading + (row % 8) * 16 + group * stride;
    } else {
      uint32_t perSpan = bytes / 16;
      off += (row / 8) * stride + (row % 8) * bytes + (group % perSpan) * 16 +
             (group / perSpan) * leading;
    }
    return swizzle(off, swizzling);
  }
};

/// Eight columns of B.
void loadB(const Cta &c, const Inst &i, const Descriptor &d, uint32_t firstN,
           BlockB &b);
/// Of numbers of 8 bits: column \p n of B, and row \p row of A, by its
/// descriptor or from registers of 32 lanes.
void loadB8(const Cta &c, const Inst &i, const Descriptor &d, uint32_t n,
            Fp8Row &column);
void loadA8(const Cta &c, const Inst &i, const Descriptor &d, uint32_t row,
            Fp8Row &to);
void setA8(const uint32_t *registers, const Inst &i, uint32_t row, Fp8Row &to);
/// The warp's 16 rows of A.
void loadA(const Cta &c, const Inst &i, const Descriptor &d, uint32_t firstRow,
           FragmentA &a);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_WGMMAOPERANDS_H
