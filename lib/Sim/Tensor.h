//===- Tensor.h - Boxes of tensor maps --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_TENSOR_H
#define MXFP4_LIB_SIM_TENSOR_H

#include "Memory.h"

namespace mxfp4::sim {

uint32_t boxBytes(const TensorMap &m);
/// The swizzle works on addresses: 16-byte chunks are permuted within rows of
/// 128 bytes by bits 7 and up.
inline uint32_t swizzle(uint32_t off, TensorMap::Swizzle s) {
  switch (s) {
  case TensorMap::Swizzle::B128:
    return off ^ ((off >> 7 & 7) << 4);
  case TensorMap::Swizzle::B64:
    return off ^ ((off >> 7 & 3) << 4);
  case TensorMap::Swizzle::B32:
    return off ^ ((off >> 7 & 1) << 4);
  default:
    return off;
  }
}

/// Checks and records the global side of an operation at issue. A load has read
/// its source when the mbarrier of block `to` says so.
bool touchSource(ExecContext &x, const BulkOp &op, const Cta &to,
                 unsigned lane);
bool touchTarget(ExecContext &x, const BulkOp &op, unsigned lane,
                 uint32_t clock);
/// Moves the bytes.
void moveIn(ExecContext &x, const BulkOp &op, Cta &t);
void moveOut(ExecContext &x, const BulkOp &op);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_TENSOR_H
