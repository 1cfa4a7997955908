//===- RaiseDequantize.cpp - Decodes to mxfp4.dequantize ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
#include "Raise.h"
#include "TrailingIndex.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

/// Replaces `op`, whose result is decoded values, by a dequantize.
void replace(PatternRewriter &rewriter, Operation *op, const Decode &decode) {
  Location loc = op->getLoc();
  RankedTensorType type = tensorTypeOf(op->getResult(0));
  auto [codes, scales] = makeBlocks(rewriter, loc, decode);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(rewriter, loc, scales);
  sizes.back() = rewriter.getIndexAttr(trailingSize(type, decode.leading));
  Value init =
      tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
  Value values =
      DequantizeOp::create(rewriter, loc, init.getType(), codes, scales, init)
          .getResult(0);
  Value result = reshapeTrailing(rewriter, loc, values, decode.leading,
                                 type.getShape().drop_front(decode.leading));
  if (result.getType() != type)
    result = tensor::CastOp::create(rewriter, loc, type, result);
  rewriter.replaceOp(op, result);
}

struct RaiseLinalg : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Decode> decode = matchDecode(op, nullptr);
    if (failed(decode))
      return rewriter.notifyMatchFailure(op, "not an exact MXFP4 decode");
    replace(rewriter, op, *decode);
    return success();
  }
};

struct RaiseScalingExtF : OpRewritePattern<arith::ScalingExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ScalingExtFOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Decode> decode = matchDecode(op, nullptr);
    if (failed(decode))
      return rewriter.notifyMatchFailure(op, "not MXFP4 along K");
    replace(rewriter, op, *decode);
    return success();
  }
};

} // namespace

void mxfp4::populateRaiseDequantizePatterns(RewritePatternSet &patterns) {
  patterns.add<RaiseLinalg, RaiseScalingExtF>(patterns.getContext());
  // Reshapes before and after a decode meet those of its users.
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                       patterns.getContext());
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns,
                                                     patterns.getContext());
}
