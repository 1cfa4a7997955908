//===- RaiseDequantize.cpp - Decodes to mxfp4.dequantize ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In this file a tensor is a number of *leading* dimensions (experts, rows)
// and *trailing* ones, which together run over K: `K`, `K/32 x 32` or
// `K/32 x 16 x 2`. Position k is an index into the trailing ones, flattened.
//
//===----------------------------------------------------------------------===//

#include "DecodeProof.h"
#include "Raise.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

RankedTensorType tensorType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// Elements of the trailing dimensions, or -1 if that is not known.
int64_t trailingSize(RankedTensorType type, int64_t leading) {
  if (!type || type.getRank() <= leading)
    return -1;
  ArrayRef<int64_t> shape = type.getShape().drop_front(leading);
  return ShapedType::isDynamicShape(shape) ? -1
                                           : ShapedType::getNumElements(shape);
}

/// K of a tensor with these leading dimensions, if the trailing ones are `K`,
/// `K/32 x 32` or `K/32 x 16 x 2`; else -1.
int64_t trailingK(RankedTensorType type, int64_t leading) {
  const int64_t k = trailingSize(type, leading);
  ArrayRef<int64_t> shape = type.getShape().drop_front(leading);
  const bool known = shape.size() == 1 ||
                     (shape.size() == 2 && shape[1] == kScaleBlock) ||
                     (shape.size() == 3 && shape[1] == 16 && shape[2] == 2);
  return known && k > 0 && k % kScaleBlock == 0 ? k : -1;
}

/// index[k] == k / by for every k.
bool dividesBy(ArrayRef<int64_t> index, int64_t by) {
  for (auto [k, at] : llvm::enumerate(index))
    if (at != static_cast<int64_t>(k) / by)
      return false;
  return true;
}

/// The leading dimensions each alone, the trailing ones together.
SmallVector<ReassociationIndices> reassociation(int64_t leading, int64_t rank) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < leading; ++dim)
    groups.push_back({dim});
  groups.emplace_back();
  for (int64_t dim = leading; dim < rank; ++dim)
    groups.back().push_back(dim);
  return groups;
}

/// Gives a tensor the trailing dimensions `to`.
Value reshapeTrailing(OpBuilder &b, Location loc, Value value, int64_t leading,
                      ArrayRef<int64_t> to) {
  RankedTensorType type = tensorType(value);
  if (type.getShape().drop_front(leading) == to)
    return value;
  if (type.getRank() > leading + 1)
    value = tensor::CollapseShapeOp::create(
        b, loc, value, reassociation(leading, type.getRank()));
  if (to.size() == 1)
    return value;
  SmallVector<int64_t> shape(type.getShape().take_front(leading));
  shape.append(to.begin(), to.end());
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), value,
                                       reassociation(leading, shape.size()));
}

/// The operand of a reshape that leaves the leading dimensions alone, and with
/// them the position of every element; null for anything else.
Value throughReshape(Value value, int64_t leading) {
  auto keeps = [&](ArrayRef<ReassociationIndices> groups) {
    if (static_cast<int64_t>(groups.size()) <= leading)
      return false;
    return llvm::all_of(groups.take_front(leading),
                        [](auto &group) { return group.size() == 1; });
  };
  if (auto op = value.getDefiningOp<tensor::CollapseShapeOp>())
    return keeps(op.getReassociationIndices()) ? op.getSrc() : Value();
  if (auto op = value.getDefiningOp<tensor::ExpandShapeOp>())
    return keeps(op.getReassociationIndices()) ? op.getSrc() : Value();
  return Value();
}

/// The operand of a bit cast, or null.
Value throughBitcast(Value value) {
  auto op = value.getDefiningOp<arith::BitcastOp>();
  return op ? op.getIn() : Value();
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

/// The bytes that single codes (i4 or f4) were unpacked from, or null.
Value bytesOf(Value codes, int64_t leading) {
  while (codes) {
    if (auto generic = codes.getDefiningOp<linalg::GenericOp>()) {
      RankedTensorType type = tensorType(codes);
      if (generic->getNumResults() != 1 || generic.getNumDpsInputs() != 1 ||
          generic.getNumReductionLoops() != 0 ||
          type.getShape().back() % 2 != 0)
        return Value();
      auto index = trailingIndex(generic, 0, leading);
      Value bytes = generic.getInputs()[0];
      if (!index || !dividesBy(*index, 2) || !isUnpack(generic) ||
          2 * trailingSize(tensorType(bytes), leading) !=
              static_cast<int64_t>(index->size()))
        return Value();
      return bytes;
    }
    Value next = throughReshape(codes, leading);
    codes = next ? next : throughBitcast(codes);
  }
  return Value();
}

/// Packs single codes `... x K/32 x 16 x 2` to bytes `... x K/32 x 16`.
Value packNibbles(OpBuilder &b, Location loc, Value codes) {
  RankedTensorType type = tensorType(codes);
  const int64_t rank = type.getRank() - 1;
  if (!type.getElementType().isInteger(4))
    codes = arith::BitcastOp::create(b, loc, type.clone(b.getIntegerType(4)),
                                     codes);
  auto half = [&](int64_t which) {
    SmallVector<AffineExpr> results;
    for (int64_t dim = 0; dim < rank; ++dim)
      results.push_back(b.getAffineDimExpr(dim));
    results.push_back(b.getAffineConstantExpr(which));
    return AffineMap::get(rank, 0, results, b.getContext());
  };
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, codes);
  sizes.pop_back();
  Value init = tensor::EmptyOp::create(b, loc, sizes, b.getI8Type());
  SmallVector<AffineMap> maps = {half(0), half(1),
                                 b.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto body = [](OpBuilder &b, Location loc, ValueRange args) {
    Value low = arith::ExtUIOp::create(b, loc, b.getI8Type(), args[0]);
    Value high = arith::ExtUIOp::create(b, loc, b.getI8Type(), args[1]);
    Value four = arith::ConstantIntOp::create(b, loc, 4, 8);
    Value up = arith::ShLIOp::create(b, loc, high, four);
    Value both = arith::OrIOp::create(b, loc, low, up);
    linalg::YieldOp::create(b, loc, both);
  };
  return linalg::GenericOp::create(b, loc, init.getType(),
                                   ValueRange{codes, codes}, init, maps, loops,
                                   body)
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

/// The tensor of one scale a block that `scales` (one a position) was broadcast
/// from, or null.
Value broadcastSource(Value scales, int64_t leading) {
  const int64_t count = trailingSize(tensorType(scales), leading);
  SmallVector<int64_t> index = llvm::to_vector(llvm::seq<int64_t>(0, count));
  while (scales) {
    RankedTensorType type = tensorType(scales);
    if (type.getRank() == leading + 1 &&
        trailingSize(type, leading) == count / kScaleBlock &&
        dividesBy(index, kScaleBlock))
      return scales;
    if (Value next = throughReshape(scales, leading)) {
      scales = next;
      continue;
    }
    auto op = scales.getDefiningOp<linalg::LinalgOp>();
    if (!op || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
        op.getNumReductionLoops() != 0 ||
        op.getBlock()->getTerminator()->getOperand(0) !=
            op.getBlock()->getArgument(0))
      return Value();
    auto from = trailingIndex(op, 0, leading);
    if (!from)
      return Value();
    for (int64_t &at : index)
      at = (*from)[at];
    scales = op.getDpsInputOperand(0)->get();
  }
  return Value();
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

/// Replaces `op` by a dequantize of codes (bytes or single codes) and scales
/// (one a block), which the caller has checked.
void replace(PatternRewriter &rewriter, Operation *op, Value codes,
             Value scales, int64_t leading) {
  Location loc = op->getLoc();
  RankedTensorType type = tensorType(op->getResult(0));
  const int64_t k = trailingSize(type, leading), blocks = k / kScaleBlock;
  if (!tensorType(codes).getElementType().isInteger(8)) {
    if (Value bytes = bytesOf(codes, leading))
      codes = bytes;
    else
      codes = packNibbles(
          rewriter, loc,
          reshapeTrailing(rewriter, loc, codes, leading, {blocks, 16, 2}));
  }
  codes = reshapeTrailing(rewriter, loc, codes, leading, {blocks, 16});
  RankedTensorType scalesType = tensorType(scales);
  if (!scalesType.getElementType().isInteger(8))
    scales = rewriter.createOrFold<arith::BitcastOp>(
        loc, scalesType.clone(rewriter.getI8Type()), scales);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(rewriter, loc, scales);
  sizes.back() = rewriter.getIndexAttr(k);
  Value init =
      tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
  Value values =
      DequantizeOp::create(rewriter, loc, init.getType(), codes, scales, init)
          .getResult(0);
  Value result = reshapeTrailing(rewriter, loc, values, leading,
                                 type.getShape().drop_front(leading));
  if (result.getType() != type)
    result = tensor::CastOp::create(rewriter, loc, type, result);
  rewriter.replaceOp(op, result);
}

/// A `linalg.generic` whose body decodes.
struct RaiseGeneric : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 ||
        op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
        !tensorType(op.getInputs()[0]) || !tensorType(op.getInputs()[1]))
      return rewriter.notifyMatchFailure(op, "not codes and scales to values");
    for (int codes : {0, 1}) {
      const int scales = 1 - codes;
      const int64_t leading = tensorType(op.getInputs()[scales]).getRank() - 1;
      if (leading < 0 || !indicesMatch(op, codes, scales, leading) ||
          !isDecode(op, codes, scales))
        continue;
      replace(rewriter, op, op.getInputs()[codes], op.getInputs()[scales],
              leading);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "not an exact MXFP4 decode");
  }

private:
  static bool indicesMatch(linalg::GenericOp op, int codes, int scales,
                           int64_t leading) {
    Type type = tensorType(op.getInputs()[codes]).getElementType();
    const int64_t codesPerElement = type.isInteger(8) ? 2 : 1;
    RankedTensorType result = tensorType(op->getResult(0));
    if (result.getRank() <= leading)
      return false;
    const int64_t k = trailingK(result, leading);
    if (k < 0)
      return false;
    auto codeIndex = trailingIndex(op, codes, leading);
    auto scaleIndex = trailingIndex(op, scales, leading);
    // The innermost loop has an even extent, so that its parity is that of the
    // position.
    return codeIndex && scaleIndex &&
           trailingSize(tensorType(op.getInputs()[codes]), leading) *
                   codesPerElement ==
               k &&
           trailingSize(tensorType(op.getInputs()[scales]), leading) *
                   kScaleBlock ==
               k &&
           dividesBy(*codeIndex, codesPerElement) &&
           dividesBy(*scaleIndex, kScaleBlock);
  }
};

/// `arith.scaling_extf` on tensors.
struct RaiseScalingExtF : OpRewritePattern<arith::ScalingExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ScalingExtFOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorType(op.getOut()),
                     codes = tensorType(op.getIn()),
                     scales = tensorType(op.getScale());
    if (!type || !isa<Float4E2M1FNType>(codes.getElementType()) ||
        !isa<Float8E8M0FNUType>(scales.getElementType()) ||
        !(type.getElementType().isBF16() || type.getElementType().isF32()))
      return rewriter.notifyMatchFailure(op, "not MXFP4 to bf16 or f32");
    // K is the last dimension, the last two, or the last three.
    for (int64_t trailing : {1, 2, 3}) {
      const int64_t leading = type.getRank() - trailing;
      if (leading < 0)
        break;
      if (trailingK(type, leading) < 0)
        continue;
      Value source = broadcastSource(op.getScale(), leading);
      if (!source)
        continue;
      replace(rewriter, op, op.getIn(), source, leading);
      return success();
    }
    return rewriter.notifyMatchFailure(
        op, "scales are not one for each 32 along the last dimension");
  }
};

} // namespace

void mxfp4::populateRaiseDequantizePatterns(RewritePatternSet &patterns) {
  patterns.add<RaiseGeneric, RaiseScalingExtF>(patterns.getContext());
  // Reshapes before and after a decode meet those of its users.
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                       patterns.getContext());
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns,
                                                     patterns.getContext());
}
