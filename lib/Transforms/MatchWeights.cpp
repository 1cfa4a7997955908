//===- MatchWeights.cpp - Weights of a contraction ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"

#include "mlir/Analysis/SliceAnalysis.h"

using namespace mlir;
using namespace mxfp4;

OpOperand *mxfp4::inputOf(linalg::LinalgOp op, Value factor) {
  auto argument = dyn_cast<BlockArgument>(factor);
  if (!argument || argument.getOwner() != op.getBlock())
    return nullptr;
  OpOperand *operand = op.getMatchingOpOperand(argument);
  return op.isDpsInput(operand) ? operand : nullptr;
}

/// Whole rows: blocks are not cut.
static bool keepsBlocks(tensor::ExtractSliceOp slice) {
  return slice.hasUnitStride() &&
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

FailureOr<Weights> mxfp4::weightsOf(const ContractionOperand &operand,
                                    Miss *why) {
  Weights found;
  found.dims = operand.dims;
  Value value = operand.value;
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

/// Positions of the loops `order` in a map of all loops of `op`; null where the
/// map has another.
static AffineMap onLoops(AffineMap map, ArrayRef<unsigned> order) {
  SmallVector<AffineExpr> dims(map.getNumDims(),
                               getAffineConstantExpr(-1, map.getContext()));
  for (auto [number, loop] : llvm::enumerate(order))
    dims[loop] = getAffineDimExpr(number, map.getContext());
  return map.replaceDimsAndSymbols(dims, {}, order.size(), 0);
}

/// The inputs that a factor that the body computes depends on.
static SmallVector<OpOperand *> inputsOf(linalg::LinalgOp op, Value factor) {
  SetVector<OpOperand *> found;
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.filter = [&](Operation *inner) {
    return inner->getBlock() == op.getBlock();
  };
  (void)getBackwardSlice(factor, &slice, options);
  for (Operation *inner : slice)
    for (Value operand : inner->getOperands())
      if (OpOperand *input = inputOf(op, operand))
        found.insert(input);
  return found.takeVector();
}

/// The loops over weights: their rows first, as the codes have them, then K, as
/// the activations have it, so that neither has to be transposed.
static SmallVector<unsigned> orderWeights(linalg::LinalgOp op, OpOperand *code,
                                          OpOperand *activations) {
  auto iterators = op.getIteratorTypesArray();
  SetVector<unsigned> rows, sum;
  for (AffineExpr expr : op.getMatchingIndexingMap(code).getResults())
    expr.walk([&](AffineExpr part) {
      if (auto dim = dyn_cast<AffineDimExpr>(part))
        if (iterators[dim.getPosition()] == utils::IteratorType::parallel)
          rows.insert(dim.getPosition());
    });
  for (AffineExpr expr : op.getMatchingIndexingMap(activations).getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      if (iterators[dim.getPosition()] == utils::IteratorType::reduction)
        sum.insert(dim.getPosition());
  rows.insert(sum.begin(), sum.end());
  return rows.takeVector();
}

/// Weights that the body decodes: `factor` is computed from `code` and `scale`.
static FailureOr<Weights> decodeInBody(linalg::LinalgOp op, Value factor,
                                       OpOperand *code, OpOperand *scale,
                                       OpOperand *activations, Miss *why) {
  if (!isa<RankedTensorType>(code->get().getType()) ||
      !isa<RankedTensorType>(scale->get().getType()))
    return miss(why, "codes and scales must be tensors");
  const SmallVector<unsigned> order = orderWeights(op, code, activations);
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  if (order.empty())
    return miss(why, "the activations must have the loops of K");
  DecodeCandidate candidate;
  candidate.codes = code->get();
  candidate.scales = scale->get();
  candidate.codesMap = onLoops(op.getMatchingIndexingMap(code), order);
  candidate.scalesMap = onLoops(op.getMatchingIndexingMap(scale), order);
  for (unsigned loop : order)
    candidate.shape.push_back(extents[loop]);
  DecodeBody body;
  body.result = factor;
  body.code = op.getMatchingBlockArgument(code);
  body.scale = op.getMatchingBlockArgument(scale);
  body.lastLoop = order.back();
  body.lastExtent = extents[order.back()];
  FailureOr<Decode> decode = matchDecode(candidate, body, why);
  if (failed(decode))
    return failure();
  Weights found;
  found.decode = *decode;
  for (auto [number, loop] : llvm::enumerate(order)) {
    if (static_cast<int64_t>(number) <= decode->leading)
      found.dims.emplace_back();
    if (extents[loop] != 1)
      appendPart(found.dims.back(), {loop, extents[loop], 1});
  }
  return found;
}

FailureOr<Weights> mxfp4::weightsInBody(linalg::LinalgOp op, Value factor,
                                        OpOperand *activations, Miss *why) {
  SmallVector<OpOperand *> operands = inputsOf(op, factor);
  if (operands.size() != 2)
    return miss(why, "a weight that the body computes must depend on one code "
                     "and one scale, but depends on " +
                         Twine(operands.size()) + " inputs");
  // Codes have at least as many dimensions: their reason is the better one.
  if (op.getRank(operands[0]) < op.getRank(operands[1]))
    std::swap(operands[0], operands[1]);
  FailureOr<Weights> found =
      decodeInBody(op, factor, operands[1], operands[0], activations, nullptr);
  return succeeded(found) ? found
                          : decodeInBody(op, factor, operands[0], operands[1],
                                         activations, why);
}
