//===- RaiseLoops.cpp - One role for each loop of a contraction -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Front ends merge loops before they multiply: one runs over experts and
// copies of them, over the numbers that select experts and columns, or over
// these numbers and K. Here each such loop becomes two, so that each has one
// role, and sums over the experts of a token are taken behind the matmul.
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "TensorType.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace mxfp4;

/// The loops that run over decoded weights, and over what selects them.
static std::optional<ContractionOperand> weightsForm(linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || !isSum(op) ||
      op.getNumDpsInputs() != 2)
    return std::nullopt;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(input->get().getType()))
      continue;
    auto form = normalForm(op, input, /*withCopies=*/true, /*isWeights=*/true);
    if (form && succeeded(weightsOf(*form, nullptr)))
      return form;
  }
  return std::nullopt;
}

namespace {

/// Makes two loops of one.
struct SplitLoop : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override;
};

/// A loop, and the number of iterations of the inner one of the two that it
/// becomes.
struct Split {
  unsigned loop;
  int64_t inner;

  Value expand(OpBuilder &b, Location loc, Value value, AffineMap map,
               AffineMap to, int64_t extent) const;
  AffineMap map(AffineMap map) const;
  SmallVector<ReassociationIndices> groups(AffineMap map) const;
};

} // namespace

/// The loop of which the weights have a part for one purpose alone.
static std::optional<Split> splitOf(linalg::LinalgOp op,
                                    const ContractionOperand &weights) {
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  const auto iterators = op.getIteratorTypesArray();
  SmallVector<int64_t> covered(extents.size(), 1);
  LoopParts parts, selecting;
  for (const LoopParts &dim : weights.dims)
    parts.append(dim);
  for (const auto *dims : {&weights.gather.dims, &weights.kept.dims})
    for (const LoopParts &dim : *dims)
      selecting.append(dim);
  const auto splitAt = [&](const LoopPart &part) -> std::optional<Split> {
    const int64_t inner = part.divisor > 1 ? part.divisor : part.size;
    if (ShapedType::isDynamic(extents[part.loop]) || inner <= 1 ||
        inner >= extents[part.loop] || extents[part.loop] % inner != 0)
      return std::nullopt;
    return Split{part.loop, inner};
  };
  for (const LoopPart &part : selecting)
    if (part.size != extents[part.loop])
      return splitAt(part);
  for (const LoopPart &part : parts)
    if (!ShapedType::isDynamic(part.size))
      covered[part.loop] *= part.size;
  // Copies of weights along a loop that runs over rows of their own.
  const auto isBatch = [&](unsigned loop) {
    return iterators[loop] == utils::IteratorType::parallel &&
           llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *input) {
             return op.getMatchingIndexingMap(input).isFunctionOfDim(loop);
           });
  };
  for (const LoopPart &part : parts)
    if (!ShapedType::isDynamic(part.size) &&
        covered[part.loop] < extents[part.loop] && isBatch(part.loop))
      return splitAt(part);
  return std::nullopt;
}

AffineMap Split::map(AffineMap map) const {
  SmallVector<AffineExpr> results;
  for (AffineExpr expr : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim) {
      results.push_back(expr);
      continue;
    }
    const unsigned position = dim.getPosition();
    results.push_back(getAffineDimExpr(position + (position > loop ? 1 : 0),
                                       map.getContext()));
    if (position == loop)
      results.push_back(getAffineDimExpr(loop + 1, map.getContext()));
  }
  return AffineMap::get(map.getNumDims() + 1, 0, results, map.getContext());
}

SmallVector<ReassociationIndices> Split::groups(AffineMap map) const {
  SmallVector<ReassociationIndices> found;
  int64_t next = 0;
  for (AffineExpr expr : map.getResults()) {
    ReassociationIndices &group = found.emplace_back();
    group.push_back(next++);
    if (expr == getAffineDimExpr(loop, map.getContext()))
      group.push_back(next++);
  }
  return found;
}

Value Split::expand(OpBuilder &b, Location loc, Value value, AffineMap map,
                    AffineMap to, int64_t extent) const {
  if (map.getNumResults() == to.getNumResults())
    return value;
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (expr == getAffineDimExpr(loop, map.getContext())) {
      for (int64_t size : {extent / inner, inner}) {
        shape.push_back(size);
        sizes.push_back(b.getIndexAttr(size));
      }
      continue;
    }
    shape.push_back(tensorType(value).getDimSize(dim));
    sizes.push_back(tensor::getMixedSize(b, loc, value, dim));
  }
  return tensor::ExpandShapeOp::create(b, loc, tensorType(value).clone(shape),
                                       value, groups(map), sizes);
}

/// Whether each dimension of each operand is one loop, or one element.
static bool hasPlainMaps(linalg::LinalgOp op) {
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!type)
      continue;
    for (auto [expr, size] : llvm::zip_equal(
             op.getMatchingIndexingMap(&operand).getResults(), type.getShape()))
      if (!isa<AffineDimExpr>(expr) &&
          !(isa<AffineConstantExpr>(expr) && size == 1))
        return false;
  }
  return !op.hasIndexSemantics();
}

LogicalResult SplitLoop::matchAndRewrite(linalg::LinalgOp op,
                                         PatternRewriter &rewriter) const {
  std::optional<ContractionOperand> weights = weightsForm(op);
  std::optional<Split> split = weights ? splitOf(op, *weights) : std::nullopt;
  if (!split || !hasPlainMaps(op))
    return rewriter.notifyMatchFailure(op, "each loop has one role");
  const int64_t extent = op.getStaticLoopRanges()[split->loop];
  // A dimension that the loop runs over has its size in the type.
  for (OpOperand &operand : op->getOpOperands())
    if (auto type = dyn_cast<RankedTensorType>(operand.get().getType()))
      for (auto [expr, size] :
           llvm::zip_equal(op.getMatchingIndexingMap(&operand).getResults(),
                           type.getShape()))
        if (expr == rewriter.getAffineDimExpr(split->loop) && size != extent)
          return rewriter.notifyMatchFailure(op, "a dynamic dimension");
  Location loc = op.getLoc();
  SmallVector<AffineMap> maps;
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    maps.push_back(split->map(map));
    operands.push_back(
        split->expand(rewriter, loc, operand.get(), map, maps.back(), extent));
  }
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  iterators.insert(iterators.begin() + split->loop, iterators[split->loop]);
  Value init = operands.pop_back_val();
  auto wide = linalg::GenericOp::create(rewriter, loc, init.getType(), operands,
                                        init, maps, iterators);
  rewriter.cloneRegionBefore(op->getRegion(0), wide.getRegion(),
                             wide.getRegion().begin());
  Value result = wide.getResult(0);
  if (result.getType() != op->getResult(0).getType())
    result = tensor::CollapseShapeOp::create(
        rewriter, loc, op->getResult(0).getType(), result,
        split->groups(op.getIndexingMapsArray().back()));
  rewriter.replaceOp(op, result);
  return success();
}

namespace {

/// Takes a sum over numbers that select experts behind the matmul.
struct SumBehind : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override;
};

} // namespace

namespace {

/// A loop of the sum that runs over numbers that select weights.
struct SummedSelection {
  unsigned loop;
  /// How many dimensions of the result come first and run over such numbers.
  int64_t at = 0;
};

} // namespace

static std::optional<SummedSelection> summedSelection(linalg::LinalgOp op) {
  std::optional<ContractionOperand> weights = weightsForm(op);
  if (!weights)
    return std::nullopt;
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  const auto iterators = op.getIteratorTypesArray();
  llvm::SmallBitVector selects(op.getNumLoops());
  std::optional<SummedSelection> found;
  for (const LoopParts &parts : weights->gather.dims)
    for (const LoopPart &part : parts) {
      selects.set(part.loop);
      if (!found && part.size == extents[part.loop] &&
          !ShapedType::isDynamic(part.size) &&
          iterators[part.loop] == utils::IteratorType::reduction)
        found = SummedSelection{part.loop};
    }
  if (found)
    for (AffineExpr expr : op.getIndexingMapsArray().back().getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || !selects.test(dim.getPosition()))
        break;
      ++found->at;
    }
  return found;
}

/// Makes `op` with a parallel loop in place of one of the sum, which the result
/// has behind the dimensions of the others. No rewriter knows of the operations
/// yet.
static linalg::GenericOp makeEach(linalg::LinalgOp op,
                                  const SummedSelection &sum,
                                  SmallVectorImpl<Operation *> &made) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<AffineExpr> results(maps.back().getResults());
  auto type = tensorType(op->getResult(0));
  SmallVector<int64_t> shape(type.getShape());
  results.insert(results.begin() + sum.at, b.getAffineDimExpr(sum.loop));
  shape.insert(shape.begin() + sum.at, op.getStaticLoopRanges()[sum.loop]);
  maps.back() =
      AffineMap::get(maps.back().getNumDims(), 0, results, op.getContext());
  auto empty = tensor::EmptyOp::create(b, loc, shape, b.getF32Type());
  auto zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0.0F));
  auto zeros =
      linalg::FillOp::create(b, loc, zero.getResult(), empty.getResult());
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  iterators[sum.loop] = utils::IteratorType::parallel;
  auto each = linalg::GenericOp::create(b, loc, zeros->getResultTypes(),
                                        op.getDpsInputs(), zeros->getResults(),
                                        maps, iterators);
  IRMapping mapping;
  op->getRegion(0).cloneInto(&each.getRegion(), mapping);
  made.append({empty, zero, zeros, each});
  return each;
}

LogicalResult SumBehind::matchAndRewrite(linalg::LinalgOp op,
                                         PatternRewriter &rewriter) const {
  std::optional<SummedSelection> sum = summedSelection(op);
  if (!sum || !hasPlainMaps(op) ||
      !tensorType(op->getResult(0)).hasStaticShape() ||
      !op.getRegionOutputArgs()[0].getType().isF32())
    return rewriter.notifyMatchFailure(op, "no sum over experts of a row");
  Value init = op.getDpsInitOperand(0)->get();
  if (matchPattern(init, m_NegZeroFloat()))
    return rewriter.notifyMatchFailure(op, "a sum that may be -0.0");
  SmallVector<Operation *> made;
  linalg::GenericOp each = makeEach(op, *sum, made);
  // In another order the sum has other bits: that is for matmuls that are
  // raised alone.
  if (failed(matchContraction(each, nullptr))) {
    for (Operation *unused : llvm::reverse(made))
      unused->erase();
    return rewriter.notifyMatchFailure(op, "no matmul in front of a sum");
  }
  for (Operation *used : made) {
    used->remove();
    rewriter.insert(used);
  }
  auto body = [](OpBuilder &b, Location loc, ValueRange arguments) {
    Value sum = arith::AddFOp::create(b, loc, arguments[1], arguments[0]);
    linalg::YieldOp::create(b, loc, sum);
  };
  rewriter.replaceOpWithNewOp<linalg::ReduceOp>(
      op, each.getResult(0), init, ArrayRef<int64_t>{sum->at}, body);
  return success();
}

void mxfp4::populateRaiseLoopPatterns(RewritePatternSet &patterns) {
  patterns.add<SplitLoop, SumBehind>(patterns.getContext());
}
