//===- Passes.h - Passes of the mxfp4 dialect -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PASSES_H
#define MXFP4_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

#include <memory>

namespace mxfp4 {

#define GEN_PASS_DECL
#include "mxfp4/Transforms/Passes.h.inc"

/// `mxfp4-on-kernels` with the pipeline that `build` makes, on gpu.module.
std::unique_ptr<mlir::Pass> createOnKernels();
std::unique_ptr<mlir::Pass>
createOnKernels(llvm::function_ref<void(mlir::OpPassManager &)> build);

#define GEN_PASS_REGISTRATION
#include "mxfp4/Transforms/Passes.h.inc"

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_PASSES_H
