//===- Buffers.h - Types of buffers that operations check -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_IR_BUFFERS_H
#define MXFP4_LIB_IR_BUFFERS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace mxfp4 {

/// Contiguous memory of static shape in shared memory.
inline bool isShared(mlir::MemRefType type) {
  return mlir::gpu::GPUDialect::isWorkgroupMemoryAddressSpace(
      type.getMemorySpace());
}

inline bool isSharedBuffer(mlir::Type type) {
  auto memref = mlir::cast<mlir::MemRefType>(type);
  return memref.hasStaticShape() && memref.getLayout().isIdentity() &&
         isShared(memref);
}

/// Contiguous, with all sizes but the first static: what kernels address.
bool isPlain(mlir::MemRefType type);

/// Contiguous i32 in global memory; `size` of them if that is given.
bool isGlobalWords(mlir::Value value,
                   int64_t size = mlir::ShapedType::kDynamic);

/// An error word, or null.
mlir::LogicalResult verifyErrorWord(mlir::Operation *op, mlir::Value error);

/// S x B blocks in shared memory.
mlir::LogicalResult verifyWeightStage(mlir::Operation *op, mlir::Value value);

/// S x T x K of a stage, of an instruction's B, in shared memory.
mlir::LogicalResult verifyActivationStage(mlir::Operation *op,
                                          mlir::Value value);

} // namespace mxfp4

#endif // MXFP4_LIB_IR_BUFFERS_H
