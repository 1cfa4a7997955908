//===- SharedMemory.h - Which memrefs are in shared memory ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_IR_SHAREDMEMORY_H
#define MXFP4_LIB_IR_SHAREDMEMORY_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mxfp4 {

/// Whether a memref is in the shared memory of a CTA.
inline bool isShared(mlir::MemRefType type) {
  return mlir::gpu::GPUDialect::isWorkgroupMemoryAddressSpace(
      type.getMemorySpace());
}

} // namespace mxfp4

#endif // MXFP4_LIB_IR_SHAREDMEMORY_H
