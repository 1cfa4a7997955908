//===- RaiseRounding.cpp - Roundings behind a grouped_matmul --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KeptRows.h"
#include "Raise.h"
#include "TensorType.h"

#include "mxfp4/IR/EpilogueOperations.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Rounds in the grouped matmul what is rounded behind it: `op` is the bf16
/// version of `wide`, element by element.
/// `into` is the tensor that the rounding overwrites, or null.
LogicalResult foldRounding(Operation *op, Value wide, Value into,
                           PatternRewriter &rewriter) {
  auto expand = wide.getDefiningOp<tensor::ExpandShapeOp>();
  Value source = expand ? expand.getSrc() : wide;
  auto matmul = source.getDefiningOp<GroupedMatmulOp>();
  if (!matmul || !source.hasOneUse() || !wide.hasOneUse() ||
      !tensorType(source).getElementType().isF32())
    return rewriter.notifyMatchFailure(op, "does not round a grouped matmul");
  if (keepsRowsOfInit(matmul))
    return rewriter.notifyMatchFailure(op, "rounds rows of the init, too");
  Location loc = op->getLoc();
  // What was in place stays in place. The tensor may be made behind the matmul,
  // which moves then, but into no loop.
  if (into &&
      (into.getType() != tensorType(wide).clone(rewriter.getBF16Type()) ||
       op->getBlock() != matmul->getBlock()))
    into = Value();
  rewriter.setInsertionPoint(into ? op : matmul.getOperation());
  Value init = into;
  if (into && expand)
    init = tensor::CollapseShapeOp::create(rewriter, loc, into,
                                           expand.getReassociationIndices());
  if (!init ||
      init.getType() != tensorType(source).clone(rewriter.getBF16Type()))
    init = tensor::EmptyOp::create(
        rewriter, loc, tensor::getMixedSizes(rewriter, loc, matmul.getInit()),
        rewriter.getBF16Type());
  IRMapping mapping;
  mapping.map(matmul.getInit(), init);
  auto narrow = cast<GroupedMatmulOp>(rewriter.clone(*matmul, mapping));
  narrow->getResult(0).setType(cast<RankedTensorType>(init.getType()));
  Value result = narrow->getResult(0);
  if (expand) {
    if (!into)
      rewriter.setInsertionPoint(expand);
    result = tensor::ExpandShapeOp::create(
        rewriter, loc, tensorType(wide).clone(rewriter.getBF16Type()), result,
        expand.getReassociationIndices(), expand.getMixedOutputShape());
  }
  rewriter.replaceOp(op, result);
  return success();
}

struct FoldTruncF : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || !type.getElementType().isBF16() || !roundsToNearestEven(op))
      return rewriter.notifyMatchFailure(op, "not a rounding to bf16");
    return foldRounding(op, op.getIn(), /*into=*/Value(), rewriter);
  }
};

/// The same as a linalg operation.
struct FoldLinalgTruncF : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 1 ||
        op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
        !llvm::all_equal(op.getIndexingMapsArray()) ||
        !op.getIndexingMapsArray().front().isPermutation())
      return rewriter.notifyMatchFailure(op, "not elementwise");
    auto round = op.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::TruncFOp>();
    OpOperand *input = op.getDpsInputOperand(0);
    if (!round || !round.getType().isBF16() || !roundsToNearestEven(round) ||
        round.getIn() != op.getMatchingBlockArgument(input))
      return rewriter.notifyMatchFailure(op, "not a rounding to bf16");
    return foldRounding(op, input->get(), op.getDpsInitOperand(0)->get(),
                        rewriter);
  }
};

} // namespace

void mxfp4::populateRaiseRoundingPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldTruncF, FoldLinalgTruncF>(patterns.getContext());
}
