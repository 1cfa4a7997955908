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

/// An error word, or null.
mlir::LogicalResult verifyErrorWord(mlir::Operation *op, mlir::Value error);

} // namespace mxfp4

#endif // MXFP4_LIB_IR_BUFFERS_H
