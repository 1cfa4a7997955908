//===- DecodeBlocks.cpp - Codes and scales as blocks of bytes -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"
#include "TrailingIndex.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

/// Packs single codes `... x K/32 x 16 x 2` to bytes `... x K/32 x 16`.
static Value packNibbles(OpBuilder &b, Location loc, Value codes) {
  RankedTensorType type = tensorTypeOf(codes);
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

Value mxfp4::sliceLeading(OpBuilder &b, tensor::ExtractSliceOp slice,
                          Value whole, int64_t leading) {
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(),
                            sizes = slice.getMixedSizes();
  const int64_t behind = slice.getSourceType().getRank() - leading;
  offsets.pop_back_n(behind);
  sizes.pop_back_n(behind);
  SmallVector<int64_t> shape(slice.getType().getShape().drop_back(behind));
  RankedTensorType type = tensorTypeOf(whole);
  for (int64_t extent : type.getShape().drop_front(leading)) {
    offsets.push_back(b.getIndexAttr(0));
    sizes.push_back(b.getIndexAttr(extent));
    shape.push_back(extent);
  }
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, slice.getLoc(), type.clone(shape),
                                        whole, offsets, sizes, strides);
}

namespace {

/// The slice that `value` is, if it is one that keeps the trailing dimensions.
tensor::ExtractSliceOp leadingSlice(Value value, int64_t leading) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.hasUnitStride())
    return nullptr;
  const int64_t rank = slice.getSourceType().getRank(),
                first = rank - (slice.getType().getRank() - leading);
  const llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (int64_t dim = first; dim < rank; ++dim)
    if (dropped.test(dim) ||
        getConstantIntValue(slice.getMixedOffsets()[dim]) != 0 ||
        getConstantIntValue(slice.getMixedSizes()[dim]) !=
            slice.getSourceType().getDimSize(dim))
      return nullptr;
  return slice;
}

/// Applies `convert`, which keeps leading dimensions, to the tensor that
/// `value` is a slice of, and slices the result: an expert's part of all
/// experts' weights, converted where those are known.
Value convertWhole(OpBuilder &b, Value value, int64_t leading,
                   function_ref<Value(OpBuilder &, Value, int64_t)> convert) {
  tensor::ExtractSliceOp slice = leadingSlice(value, leading);
  if (!slice)
    return convert(b, value, leading);
  Value source = slice.getSource(), whole;
  const int64_t first =
      slice.getSourceType().getRank() - (slice.getType().getRank() - leading);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfterValue(source);
    whole = convertWhole(b, source, first, convert);
  }
  return sliceLeading(b, slice, whole, first);
}

} // namespace

std::pair<Value, Value> mxfp4::makeBlocks(OpBuilder &b, Location loc,
                                          const Decode &decode) {
  const int64_t blocks = tensorTypeOf(decode.scales).getDimSize(decode.leading);
  const auto toBytes = [&](OpBuilder &b, Value codes, int64_t leading) {
    if (!tensorTypeOf(codes).getElementType().isInteger(8)) {
      if (Value bytes = bytesOf(codes, leading))
        codes = bytes;
      else
        codes = packNibbles(
            b, loc, reshapeTrailing(b, loc, codes, leading, {blocks, 16, 2}));
    }
    return reshapeTrailing(b, loc, codes, leading, {blocks, 16});
  };
  const auto toInteger = [&](OpBuilder &b, Value scales, int64_t) -> Value {
    RankedTensorType type = tensorTypeOf(scales);
    if (type.getElementType().isInteger(8))
      return scales;
    return b.createOrFold<arith::BitcastOp>(loc, type.clone(b.getI8Type()),
                                            scales);
  };
  return {convertWhole(b, decode.codes, decode.leading, toBytes),
          convertWhole(b, decode.scales, decode.leading, toInteger)};
}
