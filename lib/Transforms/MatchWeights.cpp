//===- MatchWeights.cpp - Weights of a contraction ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "DecodeBlocks.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

OpOperand *mxfp4::inputOf(linalg::LinalgOp op, Value factor) {
  auto argument = dyn_cast<BlockArgument>(factor);
  if (!argument || argument.getOwner() != op.getBlock())
    return nullptr;
  OpOperand *operand = op.getMatchingOpOperand(argument);
  return op.isDpsInput(operand) ? operand : nullptr;
}

/// 0.5 times the scale is at least the smallest number of f16, 2^-24, and 6
/// times the scale at most the largest, 65504.
static constexpr int64_t kMinScaleF16 = 127 - 23, kMaxScaleF16 = 127 + 13;

/// Whole rows: blocks are not cut.
static bool keepsBlocks(tensor::ExtractSliceOp slice) {
  return getConstantIntValue(slice.getMixedStrides().back()) == 1 &&
         getConstantIntValue(slice.getMixedOffsets().back()) == 0 &&
         getConstantIntValue(slice.getMixedSizes().back()) ==
             slice.getSourceType().getShape().back() &&
         !slice.getDroppedDims().test(slice.getSourceType().getRank() - 1);
}

std::pair<Value, Value> Weights::make(OpBuilder &b, Location loc) const {
  if (!dequantize)
    return makeBlocks(b, loc, decode);
  DequantizeOp op = dequantize;
  if (!slice)
    return {op.getCodes(), op.getScales()};
  tensor::ExtractSliceOp cut = slice;
  const int64_t leading = cut.getSourceType().getRank() - 1;
  return {sliceLeading(b, cut, op.getCodes(), leading),
          sliceLeading(b, cut, op.getScales(), leading)};
}

/// Decoded values in front of a rounding to f16 that keeps all of them, because
/// they were promised to have scales for which it does.
static Value stripExactRounding(Value value) {
  auto round = value.getDefiningOp<arith::TruncFOp>();
  if (!round || !getElementTypeOrSelf(round.getType()).isF16())
    return value;
  auto dequantize = round.getIn().getDefiningOp<DequantizeOp>();
  if (!dequantize)
    return value;
  const Promises promises = Promises().within(dequantize);
  return promises.minScale >= kMinScaleF16 && promises.maxScale <= kMaxScaleF16
             ? round.getIn()
             : value;
}

FailureOr<Weights> mxfp4::weightsOf(const ContractionOperand &operand,
                                    Miss *why) {
  Weights found;
  found.dims = operand.dims;
  found.gather = operand.gather;
  Value value = stripExactRounding(operand.value);
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    found.shape = llvm::to_vector(type.getShape());
  found.slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (found.slice) {
    value = found.slice.getSource();
    if (value.getDefiningOp<DequantizeOp>() && !keepsBlocks(found.slice))
      return miss(why, "the slice of the weights cuts blocks along K",
                  "slice whole rows of the weights");
  }
  found.dequantize = value.getDefiningOp<DequantizeOp>();
  if (!found.dequantize)
    return miss(why, "no operand is an exact MXFP4 decode, moved or widened at "
                     "most");
  return found;
}

SmallVector<unsigned> mxfp4::factorLoops(linalg::LinalgOp op, Value factor,
                                         OpOperand *activations) {
  auto iterators = op.getIteratorTypesArray();
  SetVector<unsigned> rows, sum;
  const auto add = [&](AffineExpr expr) {
    expr.walk([&](AffineExpr part) {
      auto dim = dyn_cast<AffineDimExpr>(part);
      if (!dim)
        return;
      const bool isRow =
          iterators[dim.getPosition()] == utils::IteratorType::parallel;
      (isRow ? rows : sum).insert(dim.getPosition());
    });
  };
  if (activations)
    for (AffineExpr expr : op.getMatchingIndexingMap(activations).getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr);
          dim && iterators[dim.getPosition()] == utils::IteratorType::reduction)
        sum.insert(dim.getPosition());
  for (Operation *inner : sliceInBody(op, factor))
    for (Value operand : inner->getOperands())
      if (OpOperand *input = inputOf(op, operand))
        llvm::for_each(op.getMatchingIndexingMap(input).getResults(), add);
  rows.insert(sum.begin(), sum.end());
  return rows.takeVector();
}

FailureOr<Weights> mxfp4::weightsInBody(linalg::LinalgOp op, Value factor,
                                        OpOperand *activations, Miss *why) {
  const SmallVector<unsigned> order = factorLoops(op, factor, activations);
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  if (order.empty())
    return miss(why, "the activations must have the loops of K");
  FailureOr<Decode> decode =
      proveDecode(decodedScalar(op, factor, order), Promises().within(op), why);
  if (failed(decode))
    return failure();
  Weights found;
  found.decode = *decode;
  // Leading dimensions, and then K.
  for (unsigned number : decode->leading()) {
    found.dims.emplace_back();
    found.shape.push_back(extents[order[number]]);
    if (extents[order[number]] != 1)
      appendPart(found.dims.back(), {order[number], extents[order[number]], 1});
  }
  found.dims.emplace_back();
  found.shape.push_back(decode->numBlocks() * 32);
  for (unsigned number = decode->firstK; number <= decode->lastK; ++number)
    if (extents[order[number]] != 1)
      appendPart(found.dims.back(), {order[number], extents[order[number]], 1});
  return found;
}
