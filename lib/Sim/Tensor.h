//===- Tensor.h - Boxes of tensor maps --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_TENSOR_H
#define MXFP4_LIB_SIM_TENSOR_H

#include "Memory.h"

namespace mxfp4::sim {

uint32_t boxBytes(const TensorMap &M);
/// The swizzle works on addresses: 16-byte chunks are permuted within rows of
/// 128 bytes by bits 7 and up.
inline uint32_t swizzle(uint32_t Off, TensorMap::Swizzle S) {
  switch (S) {
  case TensorMap::Swizzle::B128:
    return Off ^ ((Off >> 7 & 7) << 4);
  case TensorMap::Swizzle::B64:
    return Off ^ ((Off >> 7 & 3) << 4);
  case TensorMap::Swizzle::B32:
    return Off ^ ((Off >> 7 & 1) << 4);
  default:
    return Off;
  }
}

/// Checks and records the global side of an operation at issue.
bool touchSource(ExecContext &X, const BulkOp &Op, unsigned Lane);
bool touchTarget(ExecContext &X, const BulkOp &Op, unsigned Lane,
                 uint32_t Clock);
/// Moves the bytes.
void moveIn(ExecContext &X, const BulkOp &Op, Cta &T);
void moveOut(ExecContext &X, const BulkOp &Op);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_TENSOR_H
