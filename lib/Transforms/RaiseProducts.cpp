//===- RaiseProducts.cpp - Sums of products that are tensors --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs also write a matmul as an elementwise product of broadcast tensors
// and a sum over K. The product becomes part of the sum's body, which is a
// contraction then.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

using namespace mlir;
using namespace mxfp4;

/// The operand that an operation sums up, in f32 and as it is, or null.
static OpOperand *summed(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || !isSum(op))
    return nullptr;
  Value acc = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  auto add = op.getBlock()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddFOp>();
  if (!add || !acc.getType().isF32() ||
      (add.getLhs() != acc && add.getRhs() != acc))
    return nullptr;
  return inputOf(op, add.getLhs() == acc ? add.getRhs() : add.getLhs());
}

/// Whether an operation multiplies two inputs element by element, of which one
/// is decoded weights, moved at most.
static bool multipliesWeights(linalg::LinalgOp op) {
  if (!op || !op.hasPureTensorSemantics() || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0)
    return false;
  auto product = op.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::MulFOp>();
  if (!product || !product.getType().isF32())
    return false;
  bool hasWeights = false;
  for (Value factor : product->getOperands()) {
    if (auto widen = factor.getDefiningOp<arith::ExtFOp>())
      factor = widen.getIn();
    OpOperand *input = inputOf(op, factor);
    if (!input || !isa<RankedTensorType>(input->get().getType()))
      return false;
    std::optional<ContractionOperand> operand =
        normalForm(op, input, /*withCopies=*/true, /*isWeights=*/true);
    hasWeights |= operand && succeeded(weightsOf(*operand, nullptr));
  }
  return hasWeights;
}

namespace {

struct FuseProduct : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    OpOperand *operand = summed(op);
    if (!operand)
      return rewriter.notifyMatchFailure(op, "no plain sum");
    auto product = operand->get().getDefiningOp<linalg::LinalgOp>();
    if (!multipliesWeights(product) || !product->hasOneUse())
      return rewriter.notifyMatchFailure(op, "no sum of products of weights");
    // Only general forms are fused. Each rewrite changes one operation: after a
    // change, a pattern must not fail.
    for (linalg::LinalgOp each : {product, op})
      if (!isa<linalg::GenericOp>(each.getOperation())) {
        rewriter.setInsertionPoint(each);
        return linalg::generalizeNamedOp(rewriter, each);
      }
    if (!linalg::areElementwiseOpsFusable(operand))
      return rewriter.notifyMatchFailure(op, "the product cannot be fused");
    FailureOr<linalg::ElementwiseOpFusionResult> fused =
        linalg::fuseElementwiseOps(rewriter, operand);
    if (failed(fused))
      return failure();
    rewriter.replaceOp(
        op, fused->fusedOp->getResults().take_back(op->getNumResults()));
    return success();
  }
};

} // namespace

void mxfp4::populateRaiseProductPatterns(RewritePatternSet &patterns) {
  patterns.add<FuseProduct>(patterns.getContext());
}
