//===- Raise.cpp - Matmuls on decoded weights to grouped_matmul -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mxfp4 {
#define GEN_PASS_DEF_RAISE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

struct RaisePass : mxfp4::impl::RaiseBase<RaisePass> {
  using RaiseBase::RaiseBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    RaiseBase::getDependentDialects(registry);
    // A program need not have registered the dialect of its results.
    registerExternalModels(registry);
  }

  void runOnOperation() override {
    RewritePatternSet fusion(&getContext());
    populateRaiseFusionPatterns(fusion);
    if (failed(applyPatternsGreedily(getOperation(), std::move(fusion))))
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    populateRaiseDequantizePatterns(patterns);
    populateRaiseMatmulPatterns(patterns);
    populateRaiseRoundingPatterns(patterns);
    populateRaiseRaggedPatterns(patterns, groupsCoverRows);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    reportMisses(getOperation(), report);
  }
};

} // namespace
