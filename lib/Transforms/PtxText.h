//===- PtxText.h - Instructions that LLVM has no intrinsic for --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place where PTX is written as text, always from typed operations.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PTXTEXT_H
#define MXFP4_TRANSFORMS_PTXTEXT_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// wgmma.mma_async.m64nNk16 with A in registers, bf16 operands and f32
/// accumulators: `sums` (N/2 f32) += A (4 x i32) * B (i64 descriptor). Returns
/// the new sums.
llvm::SmallVector<mlir::Value> emitWgmma(mlir::ImplicitLocOpBuilder &b,
                                         llvm::ArrayRef<mlir::Value> sums,
                                         llvm::ArrayRef<mlir::Value> a,
                                         mlir::Value descriptor);

/// No instruction: values that cannot be computed, moved or kept elsewhere
/// across this point.
llvm::SmallVector<mlir::Value> emitTie(mlir::ImplicitLocOpBuilder &b,
                                       llvm::ArrayRef<mlir::Value> values);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_PTXTEXT_H
