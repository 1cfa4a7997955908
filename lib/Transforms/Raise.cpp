//===- Raise.cpp - Matmuls on decoded weights to grouped_matmul -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mxfp4 {
#define GEN_PASS_DEF_RAISE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// What is erased has nothing to be told of, and another operation may be made
/// in its place.
struct ForgetErased : RewriterBase::Listener {
  explicit ForgetErased(DecodeMisses &misses) : misses(misses) {}
  void notifyOperationErased(Operation *op) override {
    misses.explained.erase(op);
    for (auto *entries : {&misses.decodes, &misses.untraced}) {
      llvm::erase_if(*entries, [&](const DecodeMisses::Entry &entry) {
        return entry.op == op;
      });
      for (DecodeMisses::Entry &entry : *entries)
        entry.parts.erase(op);
    }
  }
  DecodeMisses &misses;
};

struct RaisePass : mxfp4::impl::RaiseBase<RaisePass> {
  using RaiseBase::RaiseBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    RaiseBase::getDependentDialects(registry);
    // A program need not have registered the dialect of its results.
    registerExternalModels(registry);
  }

  /// The promises of the options stand on the program from here on.
  LogicalResult promise() {
    Promises promises;
    promises.unsignedZero = unsignedZero;
    promises.f32Sums = f32Sums;
    promises.bf16Rows = bf16Rows;
    if (!scales.empty()) {
      if (scales.size() != 2 || scales[0] < 0 || scales[1] > 255 ||
          scales[0] > scales[1])
        return emitError(UnknownLoc::get(&getContext()))
               << "mxfp4-raise: scales must be the smallest and the largest "
                  "scale byte, 0 to 255, for example scales=1,254, but got "
               << ArrayRef<int64_t>(scales);
      promises.minScale = scales[0];
      promises.maxScale = scales[1];
    }
    setPromises(getOperation(), promises.within(getOperation()));
    return success();
  }

  void runOnOperation() override {
    if (failed(promise()))
      return signalPassFailure();
    raiseEntries(getOperation());
    spellBlockOps(getOperation());
    DecodeMisses decodes = raiseDecodes(getOperation());
    spellRaggedDots(getOperation());
    if (failed(raiseMatmuls(decodes)) ||
        (orderForalls(getOperation()) && failed(raiseMatmuls(decodes))))
      return signalPassFailure();
    reportMisses(getOperation(), decodes, report);
  }

private:
  LogicalResult raiseMatmuls(DecodeMisses &decodes) {
    RewritePatternSet patterns(&getContext());
    // Reshapes before and after a decode meet those of its users.
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                         &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    populateRaiseRowsPatterns(patterns);
    populateRaiseGatherPatterns(patterns);
    populateGatherBlocksPatterns(patterns);
    populateRaiseLoopPatterns(patterns);
    populateRaiseProductPatterns(patterns);
    populateRaiseChoicePatterns(patterns);
    populateSpellConcatPatterns(patterns);
    populateRaiseConcatPatterns(patterns);
    populateRaiseSlicePatterns(patterns);
    populateRaiseMatmulPatterns(patterns);
    populateRaiseRoundingPatterns(patterns);
    populateRaiseRaggedPatterns(patterns, groupsCoverRows);
    populateRaiseMappedLoopPatterns(patterns);
    ForgetErased forgetful(decodes);
    GreedyRewriteConfig config;
    config.setListener(&forgetful);
    return applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
