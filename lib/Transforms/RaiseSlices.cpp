//===- RaiseSlices.cpp - Slices and pads of decoded weights ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program that multiplies by one expert after another transposes or widens
// all experts first. What it multiplies by is a slice of the weights all the
// same, and is transposed and widened behind it. Pads are taken of the weights
// in the same way.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "MoveDecode.h"
#include "Raise.h"

using namespace mlir;
using namespace mxfp4;

std::optional<SmallVector<int64_t>> mxfp4::transposition(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      !op.hasPureTensorSemantics() || op.getNumReductionLoops() != 0)
    return std::nullopt;
  OpOperand *input = op.getDpsInputOperand(0);
  AffineMap from = op.getMatchingIndexingMap(input),
            to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  if (auto widen = yielded.getDefiningOp<arith::ExtFOp>();
      widen && isWidening(widen.getIn().getType(), widen.getType()))
    yielded = widen.getIn();
  if (!from.isPermutation() || !to.isPermutation() ||
      yielded != op.getMatchingBlockArgument(input))
    return std::nullopt;
  SmallVector<int64_t> dims;
  for (AffineExpr expr : to.getResults())
    dims.push_back(*from.getResultPosition(expr));
  return dims;
}

Value mxfp4::movedBy(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  auto widen = dyn_cast<arith::ExtFOp>(op);
  if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
           tensor::ExtractSliceOp>(op) &&
      !(widen && isWidening(widen.getIn().getType(), widen.getType())) &&
      !(linalgOp && transposition(linalgOp)))
    return {};
  return linalgOp ? linalgOp.getDpsInputs()[0] : op->getOperand(0);
}

bool mxfp4::isDecoded(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<DequantizeOp>(op))
      return true;
    // What a body takes differs from iteration to iteration.
    if (op->getParentOfType<linalg::LinalgOp>())
      return false;
    Value moved = movedBy(op);
    if (!moved)
      return false;
    value = moved;
  }
  return false;
}

namespace {

/// A slice that is as long as a dimension begins at 0, whatever its offset is
/// computed from: dynamic slices of StableHLO compute it for each dimension.
struct KnownOffsets : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets();
    bool isKnown = true;
    for (auto [dim, size] : llvm::enumerate(op.getMixedSizes())) {
      if (!isa<Value>(offsets[dim]) || op.getSourceType().isDynamicDim(dim) ||
          getConstantIntValue(op.getMixedStrides()[dim]) != 1 ||
          getConstantIntValue(size) != op.getSourceType().getDimSize(dim))
        continue;
      offsets[dim] = rewriter.getIndexAttr(0);
      isKnown = false;
    }
    if (isKnown || !isDecoded(op.getSource()))
      return rewriter.notifyMatchFailure(op, "no slice of weights to know");
    rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(
        op, op.getType(), op.getSource(), offsets, op.getMixedSizes(),
        op.getMixedStrides());
    return success();
  }
};

/// Transposes a part of weights by `dims`, and widens it, to `type`.
Value moveAgain(OpBuilder &b, Location loc, Value part, ArrayRef<int64_t> dims,
                ArrayRef<OpFoldResult> sizes, RankedTensorType type) {
  const Type from = getElementTypeOrSelf(part), to = type.getElementType();
  if (!llvm::is_sorted(dims)) {
    Value empty = tensor::EmptyOp::create(b, loc, sizes, from);
    part = linalg::TransposeOp::create(b, loc, part, empty, dims)->getResult(0);
  }
  if (from != to)
    part = arith::ExtFOp::create(
        b, loc, cast<RankedTensorType>(part.getType()).clone(to), part);
  if (part.getType() != type)
    part = tensor::CastOp::create(b, loc, type, part);
  return part;
}

/// Takes slices of weights before these are moved and widened.
struct SliceBeforeMove : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    auto source = op.getSource().getDefiningOp<linalg::LinalgOp>();
    auto dims = source ? transposition(source) : std::nullopt;
    if (!dims || !op.hasUnitStride() || op.getDroppedDims().any() ||
        !isDecoded(op.getSource()))
      return rewriter.notifyMatchFailure(op, "no slice of transposed weights");
    Location loc = op.getLoc();
    const auto rank = static_cast<int64_t>(dims->size());
    SmallVector<OpFoldResult> offsets(rank), sizes(rank),
        strides(rank, rewriter.getIndexAttr(1));
    for (auto [dim, from] : llvm::enumerate(*dims)) {
      offsets[from] = op.getMixedOffsets()[dim];
      sizes[from] = op.getMixedSizes()[dim];
    }
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, loc, source.getDpsInputs()[0], offsets, sizes, strides);
    rewriter.replaceOp(op, moveAgain(rewriter, loc, slice, *dims,
                                     op.getMixedSizes(), op.getType()));
    return success();
  }
};

/// The same where they are widened by arith alone.
struct SliceBeforeWidening : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    auto widen = op.getSource().getDefiningOp<arith::ExtFOp>();
    if (!widen || !isDecoded(op.getSource()))
      return rewriter.notifyMatchFailure(op, "no slice of widened weights");
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(),
        op.getType().clone(getElementTypeOrSelf(widen.getIn())), widen.getIn(),
        op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides());
    rewriter.replaceOpWithNewOp<arith::ExtFOp>(op, op.getType(), slice);
    return success();
  }
};

/// The dimension of each group that has more than one element, or the group's
/// first; nullopt if a group has several such dimensions.
std::optional<SmallVector<int64_t>> longDims(tensor::CollapseShapeOp op) {
  SmallVector<int64_t> dims;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    dims.push_back(group.front());
    int64_t found = 0;
    for (int64_t dim : group)
      if (op.getSrcType().getDimSize(dim) != 1) {
        dims.back() = dim;
        ++found;
      }
    if (found > 1)
      return std::nullopt;
  }
  return dims;
}

/// Takes slices before dimensions of one element go, as those of one expert do.
struct SliceBeforeCollapse : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    auto collapse = op.getSource().getDefiningOp<tensor::CollapseShapeOp>();
    auto dims = collapse ? longDims(collapse) : std::nullopt;
    if (!dims || op.getDroppedDims().any() || !op.getType().hasStaticShape() ||
        !isDecoded(op.getSource()))
      return rewriter.notifyMatchFailure(op, "no slice of reshaped weights");
    const int64_t rank = collapse.getSrcType().getRank();
    SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0)),
        sizes(rank, rewriter.getIndexAttr(1)),
        strides(rank, rewriter.getIndexAttr(1));
    for (auto [dim, from] : llvm::enumerate(*dims)) {
      offsets[from] = op.getMixedOffsets()[dim];
      sizes[from] = op.getMixedSizes()[dim];
      strides[from] = op.getMixedStrides()[dim];
    }
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(), collapse.getSrc(), offsets, sizes, strides);
    rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
        op, op.getType(), slice, collapse.getReassociationIndices());
    return success();
  }
};

/// Makes one slice of a slice of a slice.
struct SliceOfSlice : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    auto outer = op.getSource().getDefiningOp<tensor::ExtractSliceOp>();
    if (!outer || outer.getDroppedDims().any() || !isDecoded(op.getSource()))
      return rewriter.notifyMatchFailure(op, "no slice of a slice of weights");
    SmallVector<OpFoldResult> offsets, strides;
    for (int64_t dim = 0; dim < op.getSourceType().getRank(); ++dim) {
      const OpFoldResult inner = op.getMixedOffsets()[dim],
                         from = outer.getMixedOffsets()[dim];
      const auto a = getConstantIntValue(inner), b = getConstantIntValue(from),
                 step = getConstantIntValue(op.getMixedStrides()[dim]),
                 outerStep = getConstantIntValue(outer.getMixedStrides()[dim]);
      if (!outerStep || (!step && outerStep != 1))
        return rewriter.notifyMatchFailure(op, "a stride that is not known");
      strides.push_back(outerStep == 1 ? op.getMixedStrides()[dim]
                                       : OpFoldResult(rewriter.getIndexAttr(
                                             *step * *outerStep)));
      if (a && b)
        offsets.push_back(rewriter.getIndexAttr(*a * *outerStep + *b));
      else if (a == 0 || (b == 0 && outerStep == 1))
        offsets.push_back(a ? from : inner);
      else
        return rewriter.notifyMatchFailure(op, "a sum of offsets");
    }
    rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(
        op, op.getType(), outer.getSource(), offsets, op.getMixedSizes(),
        strides);
    return success();
  }
};

/// Pads weights before these are moved and widened.
struct PadBeforeMove : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    auto source = op.getSource().getDefiningOp<linalg::LinalgOp>();
    auto widen = op.getSource().getDefiningOp<arith::ExtFOp>();
    const RankedTensorType type = op.getResultType();
    SmallVector<int64_t> dims =
        llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
    if (source)
      dims = transposition(source).value_or(SmallVector<int64_t>());
    if ((!source && !widen) || dims.empty() || !type.hasStaticShape() ||
        !padsWithZeros(op) || !isDecoded(op.getSource()))
      return rewriter.notifyMatchFailure(op, "no pad of moved weights");
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> low(dims.size()), high(dims.size());
    SmallVector<int64_t> shape(dims.size());
    for (auto [dim, from] : llvm::enumerate(dims)) {
      low[from] = op.getMixedLowPad()[dim];
      high[from] = op.getMixedHighPad()[dim];
      shape[from] = type.getDimSize(dim);
    }
    Value whole = movedBy(op.getSource().getDefiningOp());
    const Type element = getElementTypeOrSelf(whole);
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(element));
    Value pad = tensor::PadOp::create(rewriter, loc,
                                      RankedTensorType::get(shape, element),
                                      whole, low, high, zero);
    rewriter.replaceOp(
        op,
        moveAgain(rewriter, loc, pad, dims,
                  getAsIndexOpFoldResult(getContext(), type.getShape()), type));
    return success();
  }
};

/// Pads codes and scales in place of decoded weights.
struct PadBeforeDecode : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    return decodeAfterPad(op, rewriter);
  }
};

} // namespace

void mxfp4::populateRaiseSlicePatterns(RewritePatternSet &patterns) {
  patterns.add<KnownOffsets, PadBeforeDecode, PadBeforeMove, SliceBeforeMove,
               SliceBeforeWidening, SliceBeforeCollapse, SliceOfSlice>(
      patterns.getContext());
}
