//===- KernelRemarks.h - What passes on kernels decide ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a pass on kernels has a choice, it tells what it chose and why: to
// MLIR's remark engine, with the pass as category, and to LLVM's debug output,
// with the pass as debug type.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_KERNELREMARKS_H
#define MXFP4_TRANSFORMS_KERNELREMARKS_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/Statistic.h"

// The precompiled header sees to it.
#ifdef MXFP4_LLVM_NDEBUG
static_assert(!LLVM_ENABLE_STATS,
              "statistics of passes must be the class that LLVM's libraries "
              "construct; include lib/IR/Pch.h first");
#endif

namespace mxfp4 {

/// A remark of this kind (passed, missed or analysis) on `op`. `text` is made
/// only if somebody reads it.
void remarkOn(mlir::Operation *op, mlir::remark::RemarkKind kind,
              llvm::StringLiteral pass, llvm::StringLiteral name,
              llvm::function_ref<std::string()> text);

inline void passedOn(mlir::Operation *op, llvm::StringLiteral pass,
                     llvm::StringLiteral name,
                     llvm::function_ref<std::string()> text) {
  remarkOn(op, mlir::remark::RemarkKind::RemarkPassed, pass, name, text);
}
inline void missedOn(mlir::Operation *op, llvm::StringLiteral pass,
                     llvm::StringLiteral name,
                     llvm::function_ref<std::string()> text) {
  remarkOn(op, mlir::remark::RemarkKind::RemarkMissed, pass, name, text);
}
inline void analysisOn(mlir::Operation *op, llvm::StringLiteral pass,
                       llvm::StringLiteral name,
                       llvm::function_ref<std::string()> text) {
  remarkOn(op, mlir::remark::RemarkKind::RemarkAnalysis, pass, name, text);
}

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_KERNELREMARKS_H
