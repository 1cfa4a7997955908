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

struct InstructionTraits;

/// One step of a batch along K: A in four i32 registers or by its descriptor,
/// i64, B by its descriptor.
struct WgmmaStep {
  llvm::SmallVector<mlir::Value, 4> a;
  mlir::Value b;
};

/// N at run time: `step` columns, and as many times more as `bits` add up to.
/// Those are powers of two or 0, the highest first: i32, or, for those that
/// registers of predicates hold around a loop, an i1 that is true for 0.
struct WgmmaWidths {
  int64_t step;
  llvm::SmallVector<mlir::Value, 4> bits;
};

/// wgmma.mma_async, one for each step: `sums` (N/2 f32) += A * B; and a commit.
/// With a predicate `accumulate` that is false, the first step begins from
/// zeros. With `widths`, one statement branches to a fence and the instructions
/// of the width, as wide as the sums at most. Returns the new sums.
llvm::SmallVector<mlir::Value>
emitWgmma(mlir::ImplicitLocOpBuilder &b, const InstructionTraits &traits,
          llvm::ArrayRef<mlir::Value> sums, llvm::ArrayRef<WgmmaStep> steps,
          mlir::Value accumulate = {},
          std::optional<WgmmaWidths> widths = std::nullopt);

/// st.global of an integer of 16, 32 or 64 bits, or of the low `width` bits of
/// one, to `address` (i64) plus `offset` bytes, if `predicate` (i1) holds.
void emitStoreIf(mlir::ImplicitLocOpBuilder &b, mlir::Value predicate,
                 mlir::Value address, int64_t offset, mlir::Value value,
                 unsigned width = 0);

/// red.release.gpu of an addition to the i32 in global memory at `address`
/// (i64): LLVM would drop the ordering of an addition, and a fence would empty
/// the L1 cache, too.
void emitReleaseAdd(mlir::ImplicitLocOpBuilder &b, mlir::Value address,
                    mlir::Value number);

/// No instruction: f32 or i32 values of one type that cannot be computed, moved
/// or kept elsewhere across this point.
llvm::SmallVector<mlir::Value> emitTie(mlir::ImplicitLocOpBuilder &b,
                                       llvm::ArrayRef<mlir::Value> values);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_PTXTEXT_H
