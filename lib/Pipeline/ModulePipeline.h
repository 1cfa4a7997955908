//===- ModulePipeline.h - Registering pipelines on modules ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_PIPELINE_MODULEPIPELINE_H
#define MXFP4_LIB_PIPELINE_MODULEPIPELINE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

namespace mxfp4 {

/// What MLIR said of a pipeline's options, and, which it does not say, the
/// options that exist.
std::string optionsError(llvm::StringRef pipeline, llvm::StringRef said,
                         const mlir::detail::PassOptions &options);

/// As mlir::PassPipelineRegistration, for pipelines with passes that run on
/// modules alone: nested in anything else they are refused with a message,
/// where the pass manager would end the process.
template <typename Options>
void registerModulePipeline(
    llvm::StringRef name, llvm::StringRef description,
    const std::function<void(mlir::OpPassManager &, const Options &)> &build) {
  auto add =
      [name, build](
          mlir::OpPassManager &pm, llvm::StringRef text,
          llvm::function_ref<llvm::LogicalResult(const llvm::Twine &)> error)
      -> llvm::LogicalResult {
    const llvm::StringRef anchor = pm.getOpAnchorName();
    if (anchor != mlir::ModuleOp::getOperationName() &&
        anchor != mlir::OpPassManager::getAnyOpAnchorName())
      return error("the pipeline '" + name +
                   "' runs on builtin.module, not on " + anchor);
    Options options;
    std::string said;
    llvm::raw_string_ostream stream(said);
    if (failed(options.parseFromString(text, stream)))
      return error(optionsError(name, said, Options()));
    build(pm, options);
    return llvm::success();
  };
  mlir::registerPassPipeline(
      name, description, add,
      [](llvm::function_ref<void(const mlir::detail::PassOptions &)> list) {
        list(Options());
      });
}

} // namespace mxfp4

#endif // MXFP4_LIB_PIPELINE_MODULEPIPELINE_H
