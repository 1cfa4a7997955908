//===- MoveDecode.cpp - Decodes behind moves of their values --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MoveDecode.h"
#include "DecodeBlocks.h"
#include "TensorType.h"

using namespace mlir;
using namespace mxfp4;

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
  if (!decode || !keepsBlocks(slice) || !slice.getType().hasStaticShape())
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
      !to.hasStaticShape() || !tensorType(decode.getCodes()).hasStaticShape())
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
