//===- RaiseConcat.cpp - Decoded weights that are joined ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs decode the weights of gate and up apart and join the values. The
// codes and the scales are joined instead, so that a decode is next to the
// matmul again.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "MoveDecode.h"
#include "Raise.h"
#include "TensorType.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// The operations that parts are results of, if these are of one kind; else
/// none.
template <typename Op> SmallVector<Op> partsOf(tensor::ConcatOp concat) {
  SmallVector<Op> parts;
  for (Value value : concat.getInputs()) {
    auto op = value.getDefiningOp<Op>();
    if (!op || !isDecoded(value))
      return {};
    parts.push_back(op);
  }
  return parts;
}

/// A concatenation's result may know less of its shape than its parts do, or
/// more.
void replaceWithCast(PatternRewriter &rewriter, tensor::ConcatOp op,
                     Value joined) {
  if (joined.getType() != op.getType())
    joined =
        tensor::CastOp::create(rewriter, op.getLoc(), op.getType(), joined);
  rewriter.replaceOp(op, joined);
}

/// The part's values widened as the result has them.
Value widened(PatternRewriter &rewriter, tensor::ConcatOp op, Value values) {
  const Type to = op.getType().getElementType();
  if (getElementTypeOrSelf(values) == to)
    return values;
  return arith::ExtFOp::create(rewriter, op.getLoc(),
                               tensorType(values).clone(to), values);
}

/// Whether all tensors have elements of one type.
bool haveOneType(ArrayRef<Value> values) {
  return llvm::all_of(values, [&](Value value) {
    return getElementTypeOrSelf(value) == getElementTypeOrSelf(values[0]);
  });
}

/// Joins weights before they are widened.
struct ConcatBeforeWidening : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<arith::ExtFOp> parts = partsOf<arith::ExtFOp>(op);
    SmallVector<Value> inputs;
    for (arith::ExtFOp part : parts)
      inputs.push_back(part.getIn());
    if (inputs.empty() || !haveOneType(inputs))
      return rewriter.notifyMatchFailure(op, "joins no weights of one type");
    Value joined =
        tensor::ConcatOp::create(rewriter, op.getLoc(), op.getDim(), inputs);
    replaceWithCast(rewriter, op, widened(rewriter, op, joined));
    return success();
  }
};

/// Joins weights before they are transposed.
struct ConcatBeforeTranspose : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<SmallVector<int64_t>> dims;
    SmallVector<Value> inputs;
    for (Value value : op.getInputs()) {
      auto part = value.getDefiningOp<linalg::LinalgOp>();
      auto own = part && isDecoded(value) ? transposition(part) : std::nullopt;
      if (!own || (dims && *dims != *own))
        return rewriter.notifyMatchFailure(op, "joins no transposed weights");
      dims = own;
      inputs.push_back(part.getDpsInputs()[0]);
    }
    if (!haveOneType(inputs))
      return rewriter.notifyMatchFailure(op, "widened from several types");
    Location loc = op.getLoc();
    Value joined =
        tensor::ConcatOp::create(rewriter, loc, (*dims)[op.getDim()], inputs);
    SmallVector<OpFoldResult> from =
                                  tensor::getMixedSizes(rewriter, loc, joined),
                              to;
    for (int64_t dim : *dims)
      to.push_back(from[dim]);
    Value empty = tensor::EmptyOp::create(rewriter, loc, to,
                                          getElementTypeOrSelf(joined));
    Value moved =
        linalg::TransposeOp::create(rewriter, loc, joined, empty, *dims)
            ->getResult(0);
    replaceWithCast(rewriter, op, widened(rewriter, op, moved));
    return success();
  }
};

/// The reshape that gives a tensor dimensions of one, in place of a copy that
/// does so before what jnp.stack joins.
struct ReshapeBeforeConcat : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
        op.getNumParallelLoops() != op.getNumLoops() ||
        !op.hasPureTensorSemantics() ||
        op.getBlock()->getTerminator()->getOperand(0) !=
            op.getBlock()->getArgument(0) ||
        !isDecoded(op.getInputs()[0]) || !llvm::all_of(op->getUsers(), joins))
      return rewriter.notifyMatchFailure(op, "no copy of joined weights");
    const AffineMap from = op.getIndexingMapsArray()[0],
                    to = op.getIndexingMapsArray()[1];
    auto type = tensorType(op->getResult(0));
    if (!to.isIdentity() || !from.isProjectedPermutation() ||
        from.getNumResults() == 0 || !type.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "a copy that does more");
    SmallVector<ReassociationIndices> groups(from.getNumResults());
    int64_t group = -1;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      auto position = from.getResultPosition(
          getAffineDimExpr(static_cast<unsigned>(dim), rewriter.getContext()));
      if (position ? static_cast<int64_t>(*position) != ++group
                   : type.getDimSize(dim) != 1)
        return rewriter.notifyMatchFailure(op, "a transposition or copies");
      groups[std::max<int64_t>(group, 0)].push_back(dim);
    }
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, type, op.getInputs()[0], groups);
    return success();
  }

private:
  static bool joins(Operation *op) {
    return isa<tensor::InsertSliceOp, tensor::ConcatOp>(op);
  }
};

/// Joins codes and scales in place of values. Along K, all parts are of whole
/// blocks.
struct ConcatBeforeDecode : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> codes, scales;
    DictionaryAttr promises;
    for (Value value : op.getInputs()) {
      auto part = value.getDefiningOp<DequantizeOp>();
      if (!part || (!codes.empty() && (part.getPromisesAttr() != promises ||
                                       getElementTypeOrSelf(part.getCodes()) !=
                                           getElementTypeOrSelf(codes[0]) ||
                                       getElementTypeOrSelf(part.getScales()) !=
                                           getElementTypeOrSelf(scales[0]))))
        return rewriter.notifyMatchFailure(op, "joins no decoded weights");
      promises = part.getPromisesAttr();
      codes.push_back(part.getCodes());
      scales.push_back(part.getScales());
    }
    Location loc = op.getLoc();
    const auto join = [&](ValueRange parts) -> Value {
      return tensor::ConcatOp::create(rewriter, loc, op.getDim(), parts);
    };
    if (ShapedType::isDynamic(op.getType().getShape().back()))
      return rewriter.notifyMatchFailure(op, "K is not known");
    Value allCodes = join(codes), allScales = join(scales);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, loc, allScales);
    sizes.back() = rewriter.getIndexAttr(op.getType().getShape().back());
    Value init = tensor::EmptyOp::create(rewriter, loc, sizes,
                                         op.getType().getElementType());
    Value values = DequantizeOp::create(rewriter, loc, init.getType(), allCodes,
                                        allScales, init, promises)
                       .getResult(0);
    replaceWithCast(rewriter, op, values);
    return success();
  }
};

/// Joins weights of which less of the shape is known than could be, as
/// torch.roll leaves them.
struct ConcatOfCasts : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs;
    bool hasCasts = false;
    for (Value value : op.getInputs()) {
      auto cast = value.getDefiningOp<tensor::CastOp>();
      auto known = cast ? tensorTypeOrNull(cast.getSource()) : nullptr;
      const bool isKnown = known && known.hasStaticShape();
      inputs.push_back(isKnown ? cast.getSource() : value);
      hasCasts |= isKnown;
    }
    if (!hasCasts || !llvm::all_of(inputs, isDecoded))
      return rewriter.notifyMatchFailure(op, "joins no casts of weights");
    Value joined =
        tensor::ConcatOp::create(rewriter, op.getLoc(), op.getDim(), inputs);
    replaceWithCast(rewriter, op, joined);
    return success();
  }
};

/// Parts that are slices of whole blocks are decoded after they are cut.
struct SliceBeforeDecode : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    if (!llvm::all_of(op.getInputs(), isDecoded))
      return rewriter.notifyMatchFailure(op, "joins other tensors");
    for (Value value : op.getInputs()) {
      // torch.stack joins what it reshapes.
      while (Operation *reshape = value.getDefiningOp()) {
        if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(reshape))
          break;
        value = reshape->getOperand(0);
      }
      auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
      if (slice && succeeded(decodeAfterSlice(slice, rewriter)))
        return success();
    }
    return rewriter.notifyMatchFailure(op, "joins no slices of weights");
  }
};

/// Joins weights before they are reshaped, where the dimension along which they
/// are joined stays as it is; or gives codes and scales the new dimensions,
/// where K stays as it is.
template <typename Op>
struct ConcatBeforeReshape : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    if (!llvm::all_of(op.getInputs(), isDecoded))
      return rewriter.notifyMatchFailure(op, "joins other tensors");
    SmallVector<Op> parts = partsOf<Op>(op);
    if (!parts.empty() && succeeded(joinSources(op, parts, rewriter)))
      return success();
    for (Value value : op.getInputs())
      if (auto part = value.getDefiningOp<Op>())
        if (succeeded(decodeAfterReshape(part, rewriter)))
          return success();
    return rewriter.notifyMatchFailure(op, "joins no reshaped weights");
  }

private:
  static LogicalResult joinSources(tensor::ConcatOp op, ArrayRef<Op> parts,
                                   PatternRewriter &rewriter) {
    Op first = parts[0];
    SmallVector<Value> inputs;
    for (Op part : parts) {
      if (part.getReassociationIndices() != first.getReassociationIndices())
        return failure();
      inputs.push_back(part.getSrc());
    }
    constexpr bool expands = std::is_same_v<Op, tensor::ExpandShapeOp>;
    // The dimension of the sources that is the one of the results.
    int64_t dim = -1;
    for (auto [number, group] :
         llvm::enumerate(first.getReassociationIndices())) {
      const int64_t many = group.front(), one = static_cast<int64_t>(number);
      if (group.size() == 1 &&
          static_cast<int64_t>(op.getDim()) == (expands ? many : one))
        dim = expands ? one : many;
    }
    if (dim < 0)
      return failure();
    RankedTensorType shared = tensorType(inputs[0]),
                     type = tensor::ConcatOp::inferResultType(
                         op.getDim(), op->getOperandTypes());
    if (!type || !type.hasStaticShape())
      return failure();
    for (Value input : inputs) {
      if (!tensorType(input).hasStaticShape() ||
          tensorType(input).getRank() != shared.getRank())
        return failure();
      for (int64_t each = 0; each < shared.getRank(); ++each)
        if (each != dim &&
            tensorType(input).getDimSize(each) != shared.getDimSize(each))
          return failure();
    }
    Value joined = tensor::ConcatOp::create(rewriter, op.getLoc(), dim, inputs);
    replaceWithCast(rewriter, op,
                    Op::create(rewriter, op.getLoc(), type, joined,
                               first.getReassociationIndices()));
    return success();
  }
};

} // namespace

void mxfp4::populateRaiseConcatPatterns(RewritePatternSet &patterns) {
  patterns.add<ReshapeBeforeConcat, ConcatOfCasts, ConcatBeforeWidening,
               ConcatBeforeTranspose, ConcatBeforeDecode, SliceBeforeDecode,
               ConcatBeforeReshape<tensor::ExpandShapeOp>,
               ConcatBeforeReshape<tensor::CollapseShapeOp>>(
      patterns.getContext());
}
