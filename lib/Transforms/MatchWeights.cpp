//===- MatchWeights.cpp - Weights of a contraction ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ComesFrom.h"
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

/// Scale bytes for which f16 has all decoded weights: 0.5 times the scale is at
/// least the smallest number, 2^-24, and 6 times the scale at most the largest,
/// 65504.
static constexpr int64_t kMinScaleF16 = 127 - 23, kMaxScaleF16 = 127 + 13;

/// Whether decoded weights were promised to be numbers of f16.
static LogicalResult checkRounding(DequantizeOp op, Miss *why) {
  const Promises promises = Promises().within(op);
  if (promises.minScale >= kMinScaleF16 && promises.maxScale <= kMaxScaleF16)
    return success();
  return miss(why,
              "the weights are rounded to f16, which keeps those with scale "
              "bytes 104 to 140",
              "promise that scale bytes are 104 to 140 (scales=104,140)");
}

std::pair<Value, Value> Weights::make(OpBuilder &b, Location loc) const {
  if (!dequantize)
    return makeBlocks(b, loc, decode);
  DequantizeOp op = dequantize;
  if (!slice)
    return {op.getCodes(), op.getScales()};
  tensor::ExtractSliceOp cut = slice;
  return {sliceBlocks(b, cut, op.getCodes()),
          sliceBlocks(b, cut, op.getScales())};
}

/// Why a value is no decoded weights, where it is computed from some.
static LogicalResult missBehind(Operation *op, Miss *why) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  Operation *last = op;
  if (linalgOp && !linalgOp.getBlock()->empty())
    if (Operation *inner =
            linalgOp.getBlock()->getTerminator()->getOperand(0).getDefiningOp())
      last = inner;
  const std::string where =
      ("'" + last->getName().getStringRef() +
       (last == op ? "'" : "' in '" + op->getName().getStringRef() + "'"))
          .str();
  if (isa<arith::SelectOp>(last))
    return miss(why,
                "the weights are replaced in places by " + where +
                    ", by other values than NaN, or not in whole columns of "
                    "the sum",
                "select expert numbers that are inside, as "
                "jnp.take(..., mode=\"clip\") does, or select behind the "
                "matmul");
  if (isa<tensor::ExtractOp>(last))
    return miss(why,
                "the weights are gathered, but not as whole slices that "
                "numbers in a tensor select",
                "gather the weights of whole experts");
  return miss(why,
              "the decoded weights pass " + where +
                  ", which does more than move or widen them",
              "multiply by the weights as they are decoded");
}

FailureOr<Weights> mxfp4::weightsOf(const ContractionOperand &operand,
                                    Miss *why) {
  Weights found;
  found.dims = operand.dims;
  found.gather = operand.gather;
  found.kept = operand.kept;
  Value value = operand.value;
  if (auto type = dyn_cast<RankedTensorType>(value.getType()))
    found.shape = llvm::to_vector(type.getShape());
  found.slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (found.slice) {
    value = found.slice.getSource();
    if (value.getDefiningOp<DequantizeOp>() && !keepsBlocks(found.slice))
      return miss(why, "the slice of the weights cuts blocks along K",
                  "slice the weights along K at constant multiples of 32");
  }
  found.dequantize = value.getDefiningOp<DequantizeOp>();
  if (!found.dequantize && why && value.getDefiningOp() &&
      comesFrom(value, [](Operation *op) { return isa<DequantizeOp>(op); }))
    return missBehind(value.getDefiningOp(), why);
  if (!found.dequantize)
    return miss(why, "no operand is an exact MXFP4 decode, moved or widened at "
                     "most");
  if (operand.isRounded && failed(checkRounding(found.dequantize, why)))
    return failure();
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
