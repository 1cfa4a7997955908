//===- RaiseFusion.cpp - Decodes in several operations become one ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Front ends write a decode an operation at a time: nibbles to f4E2M1FN,
// f4E2M1FN to bf16, a reshape, scales to bf16, a broadcast, a product.
// Upstream's fusion makes one operation of them, which can be proved; here it
// is held to what comes from codes or scales, and stops in front of whatever
// sums.
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

static bool isElementwise(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.hasPureTensorSemantics() &&
         linalgOp.getNumReductionLoops() == 0 && linalgOp->getNumResults() == 1;
}

static bool isCode(Type type) {
  return isa<Float4E2M1FNType>(getElementTypeOrSelf(type));
}
static bool isScale(Type type) {
  return isa<Float8E8M0FNUType>(getElementTypeOrSelf(type));
}
static bool isCodeOrScale(Type type) { return isCode(type) || isScale(type); }

/// Whether a body has values of such types: operands, or made of bytes.
static bool bodyHas(Block *block, function_ref<bool(Type)> isSuch) {
  return llvm::any_of(block->getArgumentTypes(), isSuch) ||
         llvm::any_of(*block, [&](Operation &op) {
           return llvm::any_of(op.getResultTypes(), isSuch);
         });
}

/// Whether a tensor holds codes or scales, or numbers that were made of them
/// element by element in few steps.
static bool comesFromCodes(Value value, unsigned steps = 8) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || steps == 0)
    return false;
  if (isCodeOrScale(type))
    return true;
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return comesFromCodes(op->getOperand(0), steps - 1);
  if (!isElementwise(op))
    return false;
  auto linalgOp = cast<linalg::LinalgOp>(op);
  return bodyHas(linalgOp.getBlock(), isCodeOrScale) ||
         llvm::any_of(linalgOp.getDpsInputs(), [&](Value input) {
           return comesFromCodes(input, steps - 1);
         });
}

/// Whether `op` only puts elements into another order, which the normal form of
/// a contraction's operand looks through.
static bool isPermutation(linalg::LinalgOp op) {
  return op.getNumDpsInputs() == 1 &&
         isa<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0)) &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isPermutation(); });
}

/// Whether `op` multiplies codes by scales: what follows is not the decode.
static bool isWhole(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.getNumDpsInputs() > 1 &&
         bodyHas(linalgOp.getBlock(), isCode) &&
         bodyHas(linalgOp.getBlock(), isScale);
}

/// Whether what makes an operand may become part of its only user.
static bool mayFuse(OpOperand *operand) {
  Operation *user = operand->getOwner();
  Value value = operand->get();
  while (auto *reshape = value.getDefiningOp()) {
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(reshape))
      break;
    value = reshape->getOperand(0);
  }
  // A reshape moves in front of what makes its operand.
  if (isa<tensor::ExpandShapeOp>(user) && user->hasOneUse())
    user = *user->user_begin();
  return isElementwise(user) && !isPermutation(cast<linalg::LinalgOp>(user)) &&
         operand->get().hasOneUse() && comesFromCodes(operand->get()) &&
         !isWhole(value.getDefiningOp());
}

namespace {

/// Joins an operation and what makes one of its operands. Upstream's pattern
/// comes with others that change operations that have nothing to do with codes.
struct FuseDecode : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto producer = operand->get().getDefiningOp<linalg::LinalgOp>();
      if (!producer || !isElementwise(producer) || !mayFuse(operand))
        continue;
      // Fusion is of generic operations.
      for (linalg::LinalgOp named : {op, producer})
        if (!isa<linalg::GenericOp>(named))
          return linalg::generalizeNamedOp(rewriter, named);
      if (!linalg::areElementwiseOpsFusable(operand))
        continue;
      FailureOr<linalg::ElementwiseOpFusionResult> fused =
          linalg::fuseElementwiseOps(rewriter, operand);
      if (failed(fused))
        continue;
      rewriter.replaceOp(op, fused->replacements.lookup(op->getResult(0)));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no part of a decode to join");
  }
};

} // namespace

void mxfp4::populateRaiseFusionPatterns(RewritePatternSet &patterns) {
  patterns.add<FuseDecode>(patterns.getContext());
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, mayFuse);
}
