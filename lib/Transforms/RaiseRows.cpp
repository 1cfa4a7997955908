//===- RaiseRows.cpp - Activations that the body decodes ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the body of a contraction decodes both factors, one is the activations:
// their decode, which bf16 holds exactly, moves in front of the contraction.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "DecodeBlocks.h"

using namespace mlir;
using namespace mxfp4;

namespace {

struct DecodeRows : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || !isSum(op))
      return rewriter.notifyMatchFailure(op, "no contraction");
    auto factors = matchMultiplyAdd(op, nullptr);
    if (failed(factors) || inputOf(op, factors->first) ||
        inputOf(op, factors->second))
      return rewriter.notifyMatchFailure(op, "a factor is an input");
    SmallVector<unsigned> order[2];
    FailureOr<Decode> decodes[2] = {failure(), failure()};
    const Value both[2] = {factors->first, factors->second};
    for (unsigned number : {0, 1}) {
      order[number] = factorLoops(op, both[number]);
      decodes[number] =
          proveDecode(decodedScalar(op, both[number], order[number]),
                      Promises().within(op), nullptr);
      if (failed(decodes[number]))
        return rewriter.notifyMatchFailure(op, "a factor is no decode");
    }
    // The factor with fewer rows is decoded in memory.
    const auto rows = [&](unsigned number) {
      const SmallVector<int64_t> extents = op.getStaticLoopRanges();
      int64_t count = 1;
      for (unsigned loop : order[number])
        count *= ShapedType::isDynamic(extents[loop]) ? 1 : extents[loop];
      return count;
    };
    const unsigned which = rows(0) <= rows(1) ? 0 : 1;
    replaceFactor(op, both[which], order[which], *decodes[which], rewriter);
    return success();
  }

private:
  static void replaceFactor(linalg::GenericOp op, Value factor,
                            ArrayRef<unsigned> order, const Decode &decode,
                            PatternRewriter &rewriter);
};

} // namespace

void DecodeRows::replaceFactor(linalg::GenericOp op, Value factor,
                               ArrayRef<unsigned> order, const Decode &decode,
                               PatternRewriter &rewriter) {
  auto type = RankedTensorType::get(decode.shape, rewriter.getBF16Type());
  Value values =
      makeValues(rewriter, op.getLoc(), type, decode, Promises().within(op));
  SmallVector<AffineExpr> at;
  for (unsigned loop : order)
    at.push_back(rewriter.getAffineDimExpr(loop));
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.insert(maps.begin() + inputs.size(),
              AffineMap::get(op.getNumLoops(), 0, at, op.getContext()));
  const unsigned number = inputs.size();
  inputs.push_back(values);
  auto with = linalg::GenericOp::create(
      rewriter, op.getLoc(), op.getResultTypes(), inputs, op.getOutputs(), maps,
      op.getIteratorTypesArray());
  rewriter.inlineRegionBefore(op.getRegion(), with.getRegion(),
                              with.getRegion().begin());
  Value element = with.getBody()->insertArgument(number, rewriter.getBF16Type(),
                                                 op.getLoc());
  rewriter.setInsertionPointToStart(with.getBody());
  if (factor.getType() != element.getType())
    element =
        arith::ExtFOp::create(rewriter, op.getLoc(), factor.getType(), element);
  rewriter.replaceAllUsesWith(factor, element);
  rewriter.replaceOp(op, with.getResults());
}

void mxfp4::populateRaiseRowsPatterns(RewritePatternSet &patterns) {
  patterns.add<DecodeRows>(patterns.getContext());
}
