//===- MatchEpilogue.cpp - What an epilogue can have ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueConsumer.h"
#include "KernelMath.h"

#include "mxfp4/IR/EpilogueOperations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

static bool isFloatValue(Type type) { return type.isF32() || type.isBF16(); }

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

/// An operation of a body.
static LogicalResult matchBodyOp(Operation &op, Miss *why) {
  const std::string name = op.getName().getStringRef().str();
  if (!isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
          op.getDialect()) ||
      op.getNumRegions() != 0)
    return miss(why, "an epilogue has operations of arith and math, but its "
                     "body has " +
                         name);
  for (TypeRange types :
       {TypeRange(op.getOperandTypes()), TypeRange(op.getResultTypes())})
    for (Type type : types)
      if (!type.isIntOrIndex() && !isFloatValue(type))
        return miss(why, "an epilogue computes with bf16, f32 and integers, "
                         "but " +
                             name + " in its body has a value of type " +
                             toString(type));
  if (isa<arith::RemFOp>(op))
    return miss(why, "kernels have no arith.remf");
  if (const std::string problem = whyNotInEpilogue(op); !problem.empty())
    return miss(why, problem);
  if (!isa<math::MathDialect>(op.getDialect()))
    return success();
  if (!hasInstructions(&op) || !isFloatValue(op.getResult(0).getType()))
    return miss(why,
                "kernels have no " + name + "; they have " + kMathInKernels);
  if (isa<math::FmaOp>(op) && op.getResult(0).getType().isBF16())
    return miss(why, "kernels have math.fma for f32 only");
  return success();
}

LogicalResult mxfp4::matchBody(linalg::LinalgOp op, Miss *why) {
  Block *body = op.getBlock();
  const auto isReadable = [&](Value value) {
    if (value.getParentBlock() == body || isFloatValue(value.getType()))
      return true;
    return matchPattern(value, m_Constant());
  };
  for (Operation &inner : *body) {
    if (!inner.hasTrait<OpTrait::IsTerminator>() &&
        failed(matchBodyOp(inner, why)))
      return failure();
    for (Value operand : inner.getOperands())
      if (!isReadable(operand))
        return miss(why, "its body uses a value of type " +
                             toString(operand.getType()) +
                             " from outside, which is no constant; epilogues "
                             "take bf16 and f32");
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

namespace {

/// A tensor, and which of its elements an operation reads.
struct Access {
  Value value;
  AffineMap map;
  /// A splat's value, in place of `value` and `map`.
  TypedAttr constant;
};

/// Looks through a linalg operation that only moves values, to the input whose
/// values it moves.
bool lookThroughMove(linalg::LinalgOp op, Access &access) {
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0)
    return false;
  OpOperand *init = op.getDpsInitOperand(0);
  const AffineMap outMap = op.getMatchingIndexingMap(init);
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  auto argument = dyn_cast<BlockArgument>(yielded);
  if (!outMap.isPermutation() || !argument ||
      argument.getOwner() != op.getBlock())
    return false;
  OpOperand *input = op.getMatchingOpOperand(argument);
  if (!op.isDpsInput(input))
    return false;
  access.value = input->get();
  access.map = op.getMatchingIndexingMap(input)
                   .compose(inversePermutation(outMap))
                   .compose(access.map);
  return true;
}

/// Looks through a reshape that only adds or removes dimensions of size 1.
bool lookThroughReshape(ArrayRef<ReassociationIndices> groups, Value from,
                        ArrayRef<int64_t> large, bool expands, Access &access) {
  MLIRContext *context = access.map.getContext();
  SmallVector<AffineExpr> results(expands ? groups.size() : large.size(),
                                  getAffineConstantExpr(0, context));
  for (auto [i, group] : llvm::enumerate(groups)) {
    int64_t place = -1;
    for (int64_t dim : group) {
      if (large[dim] == 1)
        continue;
      if (place >= 0)
        return false;
      place = dim;
    }
    if (place < 0)
      continue;
    if (expands)
      results[i] = access.map.getResult(place);
    else
      results[place] = access.map.getResult(i);
  }
  access.value = from;
  access.map = AffineMap::get(access.map.getNumDims(), 0, results, context);
  return true;
}

/// Looks through the operation that makes the values of `access`.
bool lookThrough(Access &access) {
  SplatElementsAttr splat;
  if (matchPattern(access.value, m_Constant(&splat)) &&
      isa<FloatType>(splat.getElementType())) {
    access.constant = splat.getSplatValue<FloatAttr>();
    return false;
  }
  Operation *op = access.value.getDefiningOp();
  if (!op)
    return false;
  if (auto move = dyn_cast<linalg::LinalgOp>(op))
    return lookThroughMove(move, access);
  if (auto splatted = dyn_cast<tensor::SplatOp>(op)) {
    access = {
        splatted.getInput(),
        AffineMap::get(access.map.getNumDims(), 0, access.map.getContext()),
        nullptr};
    return true;
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return lookThroughReshape(expand.getReassociationIndices(), expand.getSrc(),
                              expand.getResultType().getShape(),
                              /*expands=*/true, access);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return lookThroughReshape(collapse.getReassociationIndices(),
                              collapse.getSrc(),
                              collapse.getSrcType().getShape(),
                              /*expands=*/false, access);
  return false;
}

/// The column of an input that is read for column `column` of the result, and
/// which of a pair it is; failure for anything else.
FailureOr<std::optional<int64_t>> parityOf(AffineExpr expr, AffineExpr column) {
  if (expr == column)
    return std::optional<int64_t>();
  for (int64_t parity : {0, 1})
    if (expr == column * 2 + parity)
      return std::optional<int64_t>(parity);
  return failure();
}

/// Sets kind and parity of an input from the expressions that address it.
LogicalResult classify(ArrayRef<AffineExpr> exprs, unsigned rowLoops,
                       ConsumerInput &input) {
  MLIRContext *context = exprs.empty() ? nullptr : exprs[0].getContext();
  if (!context)
    return success();
  const AffineExpr row = getAffineDimExpr(0, context);
  if (exprs.front() == row && exprs.size() == rowLoops &&
      (rowLoops == 1 || exprs.back() == getAffineDimExpr(1, context))) {
    input.kind = InputKind::PerRow;
    return success();
  }
  if (auto parity = parityOf(exprs.back(), getAffineDimExpr(rowLoops, context));
      succeeded(parity)) {
    input.parity = *parity;
    input.kind = exprs.size() == 1 ? InputKind::PerColumn
                                   : InputKind::PerExpertAndColumn;
    return success(exprs.size() == 1 ||
                   (rowLoops == 2 && exprs.size() == 2 && exprs[0] == row));
  }
  return failure();
}

} // namespace

FailureOr<ConsumerInput> mxfp4::matchInput(Value value, AffineMap map,
                                           unsigned rowLoops, Miss *why) {
  Access access = {value, map, nullptr};
  // A bound on the time for long chains of moves.
  for (int steps = 0; steps < 16 && isa<ShapedType>(access.value.getType()) &&
                      lookThrough(access);
       ++steps) {
  }
  ConsumerInput input;
  const Type element = getElementTypeOrSelf(access.value.getType());
  if (!isFloatValue(element))
    return miss(why, "an input is of type " + toString(element) +
                         "; epilogues take bf16 and f32");
  if (FloatAttr scalar; matchPattern(access.value, m_Constant(&scalar)))
    access.constant = scalar;
  if (access.constant) {
    input.constant = access.constant;
    return input;
  }
  input.value = access.value;
  SmallVector<AffineExpr> exprs;
  for (auto [dim, expr] : llvm::enumerate(access.map.getResults())) {
    if (isa<AffineConstantExpr>(expr) &&
        cast<RankedTensorType>(access.value.getType()).getDimSize(dim) == 1)
      continue;
    input.dims.push_back(dim);
    exprs.push_back(expr);
  }
  if (failed(classify(exprs, rowLoops, input)))
    return miss(why, "an input of type " + toString(value.getType()) +
                         " has neither one value, nor one for each row, nor "
                         "one for each column");
  return input;
}
