//===- MoveDecode.cpp - Decodes behind moves of their values --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MoveDecode.h"
#include "DecodeBlocks.h"
#include "Promises.h"
#include "TensorType.h"
#include "UniformValue.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mxfp4;

bool mxfp4::hasKnownBlocks(DequantizeOp decode) {
  return !ShapedType::isDynamicShape(
             tensorType(decode.getCodes()).getShape().take_back(2)) &&
         !tensorType(decode.getScales())
              .isDynamicDim(tensorType(decode.getScales()).getRank() - 1);
}

/// Whether the types say all about codes and scales. Those of the values can
/// know more.
static bool hasStaticShapes(DequantizeOp decode) {
  return tensorType(decode.getCodes()).hasStaticShape() &&
         tensorType(decode.getScales()).hasStaticShape();
}

/// Puts a decode of these codes and scales in the place of `op`, whose other
/// users may stand in front of the operation that a pattern matched.
static void replaceWithDecode(PatternRewriter &rewriter, Operation *op,
                              DequantizeOp decode, Value codes, Value scales) {
  RankedTensorType type = tensorType(op->getResult(0));
  Value init = tensor::EmptyOp::create(rewriter, op->getLoc(), type.getShape(),
                                       type.getElementType());
  rewriter.replaceOpWithNewOp<DequantizeOp>(op, type, codes, scales, init,
                                            decode.getPromisesAttr());
}

LogicalResult mxfp4::decodeAfterSlice(tensor::ExtractSliceOp slice,
                                      PatternRewriter &rewriter) {
  auto decode = slice.getSource().getDefiningOp<DequantizeOp>();
  if (!decode || !keepsBlocks(slice) || !slice.getType().hasStaticShape() ||
      !hasKnownBlocks(decode))
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(slice);
  Value codes = sliceBlocks(rewriter, slice, decode.getCodes()),
        scales = sliceBlocks(rewriter, slice, decode.getScales());
  replaceWithDecode(rewriter, slice, decode, codes, scales);
  return success();
}

template <typename Reshape>
LogicalResult mxfp4::decodeAfterReshape(Reshape reshape,
                                        PatternRewriter &rewriter) {
  auto decode = reshape.getSrc().template getDefiningOp<DequantizeOp>();
  SmallVector<ReassociationIndices> groups = reshape.getReassociationIndices();
  RankedTensorType to = reshape.getResultType();
  if (!decode || groups.empty() || groups.back().size() != 1 ||
      !to.hasStaticShape() || !hasStaticShapes(decode))
    return failure();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(reshape);
  const auto move = [&](Value value, ArrayRef<int64_t> tail) -> Value {
    SmallVector<ReassociationIndices> own(groups);
    SmallVector<int64_t> shape(to.getShape().drop_back());
    for (auto [i, extent] : llvm::enumerate(tail)) {
      shape.push_back(extent);
      if (i > 0)
        own.push_back({own.back().back() + 1});
    }
    return Reshape::create(rewriter, reshape.getLoc(),
                           tensorType(value).clone(shape), value, own);
  };
  const int64_t blocks = tensorType(decode.getScales()).getShape().back();
  Value codes = move(decode.getCodes(), {blocks, 16}),
        scales = move(decode.getScales(), {blocks});
  replaceWithDecode(rewriter, reshape, decode, codes, scales);
  return success();
}

template LogicalResult mxfp4::decodeAfterReshape(tensor::CollapseShapeOp,
                                                 PatternRewriter &);
template LogicalResult mxfp4::decodeAfterReshape(tensor::ExpandShapeOp,
                                                 PatternRewriter &);

bool mxfp4::padsWithZeros(tensor::PadOp pad) {
  auto value = dyn_cast_or_null<FloatAttr>(
      uniformValue(pad.getBody()->getTerminator()->getOperand(0)));
  return value && value.getValue().isPosZero();
}

/// Whether it puts whole blocks of +0.0 around values.
static bool padsWithBlocks(tensor::PadOp pad) {
  const auto isWhole = [](ArrayRef<int64_t> side) {
    return !ShapedType::isDynamicShape(side) && side.back() % kScaleBlock == 0;
  };
  return padsWithZeros(pad) && pad.getResultType().hasStaticShape() &&
         isWhole(pad.getStaticLow()) && isWhole(pad.getStaticHigh());
}

LogicalResult mxfp4::decodeAfterPad(tensor::PadOp pad,
                                    PatternRewriter &rewriter) {
  if (!padsWithBlocks(pad))
    return failure();
  auto decode = pad.getSource().getDefiningOp<DequantizeOp>();
  if (!decode)
    return decodeAfterMove(pad.getSource(), rewriter);
  if (!hasStaticShapes(decode))
    return failure();
  SmallVector<int64_t> low(pad.getStaticLow()), high(pad.getStaticHigh());
  for (auto *side : {&low, &high})
    side->back() /= kScaleBlock;
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(pad);
  // Code 0 is +0.0, whatever its scale, which is 1 if the promises have it.
  const Promises promises = Promises().within(decode);
  const int64_t scale =
      std::clamp<int64_t>(127, promises.minScale, promises.maxScale);
  const auto padded = [&](Value from, int64_t with) -> Value {
    RankedTensorType type = tensorType(from);
    SmallVector<int64_t> before(low), after(high), shape(type.getShape());
    before.resize(type.getRank(), 0);
    after.resize(type.getRank(), 0);
    for (auto [extent, a, b] : llvm::zip_equal(shape, before, after))
      extent += a + b;
    Value element = arith::ConstantIntOp::create(rewriter, pad.getLoc(),
                                                 type.getElementType(), with);
    return tensor::PadOp::create(
        rewriter, pad.getLoc(), type.clone(shape), from,
        getAsIndexOpFoldResult(rewriter.getContext(), before),
        getAsIndexOpFoldResult(rewriter.getContext(), after), element);
  };
  Value codes = padded(decode.getCodes(), 0),
        scales = padded(decode.getScales(), scale);
  replaceWithDecode(rewriter, pad, decode, codes, scales);
  return success();
}

LogicalResult mxfp4::decodeAfterMove(Value value, PatternRewriter &rewriter) {
  while (Operation *op = value.getDefiningOp()) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
    auto expand = dyn_cast<tensor::ExpandShapeOp>(op);
    if ((slice && succeeded(decodeAfterSlice(slice, rewriter))) ||
        (collapse && succeeded(decodeAfterReshape(collapse, rewriter))) ||
        (expand && succeeded(decodeAfterReshape(expand, rewriter))))
      return success();
    if (!slice && !collapse && !expand)
      return failure();
    value = op->getOperand(0);
  }
  return failure();
}
