//===- OnKernels.cpp - Passes on our kernels alone ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"

namespace mxfp4 {
#define GEN_PASS_DEF_ONKERNELS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

struct OnKernelsPass : mxfp4::impl::OnKernelsBase<OnKernelsPass> {
  OnKernelsPass() = default;
  explicit OnKernelsPass(function_ref<void(OpPassManager &)> build) {
    build(passes);
    // The option says what runs, so that a pipeline prints as it is.
    std::string text;
    llvm::raw_string_ostream os(text);
    llvm::interleave(
        passes, os, [&](Pass &pass) { pass.printAsTextualPipeline(os); }, ",");
    pipeline = text;
  }

  LogicalResult initializeOptions(
      StringRef options,
      function_ref<LogicalResult(const Twine &)> errorHandler) override {
    if (failed(OnKernelsBase::initializeOptions(options, errorHandler)))
      return failure();
    std::string why;
    llvm::raw_string_ostream os(why);
    passes.clear();
    if (failed(parsePassPipeline(pipeline, passes, os)))
      return errorHandler("mxfp4-on-kernels cannot read its pipeline '" +
                          pipeline + "': " + why);
    return success();
  }

  void getDependentDialects(DialectRegistry &registry) const override {
    passes.getDependentDialects(registry);
  }

  void runOnOperation() override {
    SmallVector<gpu::GPUModuleOp> modules;
    getOperation()->walk([&](gpu::GPUModuleOp module) {
      if (module->hasAttr(MXFP4Dialect::kKernelsAttr))
        modules.push_back(module);
    });
    for (gpu::GPUModuleOp module : modules)
      if (failed(runPipeline(passes, module)))
        return signalPassFailure();
  }

private:
  OpPassManager passes{gpu::GPUModuleOp::getOperationName()};
};

} // namespace

std::unique_ptr<Pass> mxfp4::createOnKernels() {
  return std::make_unique<OnKernelsPass>();
}

std::unique_ptr<Pass>
mxfp4::createOnKernels(function_ref<void(OpPassManager &)> build) {
  return std::make_unique<OnKernelsPass>(build);
}
