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
#include "Raise.h"
#include "TensorType.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Values that are decoded weights, to be joined along a dimension.
struct Parts {
  SmallVector<Value> values;
  int64_t dim;
};

/// A part, and where it begins.
using Placed = std::pair<int64_t, Value>;

/// The parts in order if they are next to each other and fill the dimension.
std::optional<Parts> fill(SmallVector<Placed> placed, RankedTensorType type,
                          int64_t dim) {
  llvm::sort(placed, [](const Placed &a, const Placed &b) {
    return a.first < b.first;
  });
  Parts parts{{}, dim};
  int64_t end = 0;
  for (auto [offset, value] : placed) {
    if (offset != end || !isDecoded(value))
      return std::nullopt;
    end += tensorType(value).getDimSize(dim);
    parts.values.push_back(value);
  }
  return end == type.getDimSize(dim) && parts.values.size() > 1
             ? std::optional(parts)
             : std::nullopt;
}

/// The dimension in which a slice is smaller than its tensor; nullopt if there
/// is not exactly one, or if a size is not known.
std::optional<int64_t> partialDim(RankedTensorType slice,
                                  RankedTensorType whole) {
  std::optional<int64_t> found;
  if (!slice.hasStaticShape() || !whole.hasStaticShape() ||
      slice.getRank() != whole.getRank())
    return std::nullopt;
  for (int64_t dim = 0; dim < whole.getRank(); ++dim) {
    if (slice.getDimSize(dim) == whole.getDimSize(dim))
      continue;
    if (found)
      return std::nullopt;
    found = dim;
  }
  return found;
}

/// What slices are put next to each other, of which this is the last.
std::optional<Parts> insertedParts(tensor::InsertSliceOp last) {
  std::optional<int64_t> dim =
      partialDim(last.getSourceType(), last.getDestType());
  if (!dim)
    return std::nullopt;
  SmallVector<Placed> placed;
  int64_t filled = 0;
  for (auto op = last; op && filled < last.getDestType().getDimSize(*dim);
       op = op.getDest().getDefiningOp<tensor::InsertSliceOp>()) {
    std::optional<int64_t> offset =
        getConstantIntValue(op.getMixedOffsets()[*dim]);
    if (!offset || !op.hasUnitStride() ||
        partialDim(op.getSourceType(), op.getDestType()) != dim)
      return std::nullopt;
    placed.emplace_back(*offset, op.getSource());
    filled += op.getSourceType().getDimSize(*dim);
  }
  // Slices that together are as long as the tensor, and next to each other,
  // cover each element once.
  return fill(placed, last.getDestType(), *dim);
}

/// Which loop's number this is, less `offset`.
bool isIndex(Value value, int64_t loop, int64_t offset) {
  if (offset != 0) {
    auto sub = value.getDefiningOp<arith::SubIOp>();
    auto add = value.getDefiningOp<arith::AddIOp>();
    if (sub ? getConstantIntValue(sub.getRhs()) != offset
            : !add || getConstantIntValue(add.getRhs()) != -offset)
      return false;
    value = sub ? sub.getLhs() : add.getLhs();
  }
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && static_cast<int64_t>(index.getDim()) == loop;
}

/// The tensor that is read at the numbers of all loops, in one dimension less
/// `offset`, or null.
Value readAt(Value value, int64_t dim, int64_t offset) {
  auto extract = value.getDefiningOp<tensor::ExtractOp>();
  if (!extract)
    return {};
  for (auto [loop, index] : llvm::enumerate(extract.getIndices())) {
    const auto at = static_cast<int64_t>(loop);
    if (!isIndex(index, at, at == dim ? offset : 0))
      return {};
  }
  return extract.getTensor();
}

/// The loop and the number that a condition has it below; nullopt for others.
std::optional<std::pair<int64_t, int64_t>> boundOf(Value condition) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare || (compare.getPredicate() != arith::CmpIPredicate::ult &&
                   compare.getPredicate() != arith::CmpIPredicate::slt))
    return std::nullopt;
  auto index = compare.getLhs().getDefiningOp<linalg::IndexOp>();
  std::optional<int64_t> bound = getConstantIntValue(compare.getRhs());
  if (!index || !bound || *bound <= 0)
    return std::nullopt;
  return std::pair(static_cast<int64_t>(index.getDim()), *bound);
}

/// A concatenation as stablehlo-legalize-to-linalg writes it: one branch for
/// each tensor.
std::optional<Parts> branchedParts(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 0 ||
      op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
      !op.getIndexingMapsArray()[0].isIdentity())
    return std::nullopt;
  RankedTensorType type = tensorType(op->getResult(0));
  Value value = op.getBlock()->getTerminator()->getOperand(0);
  SmallVector<Placed> placed;
  std::optional<int64_t> dim;
  int64_t begin = 0;
  const auto add = [&](Value read, int64_t end) {
    Value tensor = readAt(read, *dim, begin);
    if (!tensor || !type.hasStaticShape())
      return false;
    SmallVector<int64_t> shape(type.getShape());
    shape[*dim] = end - begin;
    placed.emplace_back(begin, tensor);
    begin = end;
    return tensorType(tensor).getShape() == ArrayRef(shape);
  };
  while (auto branch = value.getDefiningOp<scf::IfOp>()) {
    auto bound = boundOf(branch.getCondition());
    if (!bound || (dim && *dim != bound->first) || branch.getNumResults() != 1)
      return std::nullopt;
    dim = bound->first;
    if (!add(branch.thenYield().getOperand(0), bound->second))
      return std::nullopt;
    value = branch.elseYield().getOperand(0);
  }
  if (!dim || !add(value, type.getDimSize(*dim)))
    return std::nullopt;
  return fill(placed, type, *dim);
}

/// Slices and branches that join decoded weights become a concatenation.
struct SpellConcat : RewritePattern {
  explicit SpellConcat(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    std::optional<Parts> parts;
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      parts = insertedParts(insert);
    else if (auto generic = dyn_cast<linalg::GenericOp>(op))
      parts = branchedParts(generic);
    if (!parts)
      return rewriter.notifyMatchFailure(op, "joins no decoded weights");
    rewriter.replaceOpWithNewOp<tensor::ConcatOp>(op, parts->dim,
                                                  parts->values);
    return success();
  }
};

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

/// Joins weights before they are widened.
struct ConcatBeforeWidening : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<arith::ExtFOp> parts = partsOf<arith::ExtFOp>(op);
    SmallVector<Value> inputs;
    for (arith::ExtFOp part : parts) {
      if (getElementTypeOrSelf(part.getIn()) !=
          getElementTypeOrSelf(parts[0].getIn()))
        return rewriter.notifyMatchFailure(op, "widened from several types");
      inputs.push_back(part.getIn());
    }
    if (inputs.empty())
      return rewriter.notifyMatchFailure(op, "joins no widened weights");
    Value joined =
        tensor::ConcatOp::create(rewriter, op.getLoc(), op.getDim(), inputs);
    Value widened = arith::ExtFOp::create(
        rewriter, op.getLoc(),
        tensorType(joined).clone(op.getType().getElementType()), joined);
    replaceWithCast(rewriter, op, widened);
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
      if (getElementTypeOrSelf(inputs.back()) !=
          getElementTypeOrSelf(inputs[0]))
        return rewriter.notifyMatchFailure(op, "widened from several types");
    }
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
    if (getElementTypeOrSelf(moved) != op.getType().getElementType())
      moved = arith::ExtFOp::create(
          rewriter, loc, tensorType(moved).clone(op.getType().getElementType()),
          moved);
    replaceWithCast(rewriter, op, moved);
    return success();
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
        if (auto decode = part.getSrc().template getDefiningOp<DequantizeOp>())
          if (succeeded(moveReshape(part, decode, rewriter)))
            return success();
    return rewriter.notifyMatchFailure(op, "joins no reshaped weights");
  }

private:
  /// The part as a decode of codes and scales that are reshaped.
  static LogicalResult moveReshape(Op part, DequantizeOp decode,
                                   PatternRewriter &rewriter) {
    SmallVector<ReassociationIndices> groups = part.getReassociationIndices();
    RankedTensorType to = part.getResultType();
    if (groups.empty() || groups.back().size() != 1 || !to.hasStaticShape() ||
        !tensorType(decode.getCodes()).hasStaticShape())
      return failure();
    Location loc = part.getLoc();
    const auto reshape = [&](Value value, ArrayRef<int64_t> tail) -> Value {
      SmallVector<ReassociationIndices> own(groups);
      SmallVector<int64_t> shape(to.getShape().drop_back());
      for (auto [i, extent] : llvm::enumerate(tail)) {
        shape.push_back(extent);
        if (i > 0)
          own.push_back({own.back().back() + 1});
      }
      return Op::create(rewriter, loc, tensorType(value).clone(shape), value,
                        own);
    };
    const int64_t blocks = tensorType(decode.getScales()).getShape().back();
    Value codes = reshape(decode.getCodes(), {blocks, 16}),
          scales = reshape(decode.getScales(), {blocks});
    Value init = tensor::EmptyOp::create(rewriter, loc, to.getShape(),
                                         to.getElementType());
    rewriter.replaceOpWithNewOp<DequantizeOp>(part, to, codes, scales, init,
                                              decode.getPromisesAttr());
    return success();
  }

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
  patterns.add<SpellConcat, ConcatBeforeWidening, ConcatBeforeTranspose,
               ConcatBeforeDecode, ConcatBeforeReshape<tensor::ExpandShapeOp>,
               ConcatBeforeReshape<tensor::CollapseShapeOp>>(
      patterns.getContext());
}
