//===- Raise.cpp - Matmuls on decoded weights to grouped_matmul -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mxfp4 {
#define GEN_PASS_DEF_RAISE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// A tensor behind widenings and transpositions, with the indexing map that
/// the contraction has into it.
struct Operand {
  Value value;
  SmallVector<AffineExpr> map;
};

/// Looks through bf16 to f32, which changes no value, and transpositions.
Operand lookThrough(Value value, AffineMap map) {
  Operand operand{value, llvm::to_vector(map.getResults())};
  while (true) {
    if (auto widen = operand.value.getDefiningOp<arith::ExtFOp>()) {
      if (!getElementTypeOrSelf(widen.getIn()).isBF16() ||
          !getElementTypeOrSelf(widen.getOut()).isF32())
        return operand;
      operand.value = widen.getIn();
    } else if (auto op = operand.value.getDefiningOp<linalg::TransposeOp>()) {
      SmallVector<AffineExpr> inner(operand.map.size());
      for (auto [dim, from] : llvm::enumerate(op.getPermutation()))
        inner[from] = operand.map[dim];
      operand.map = inner;
      operand.value = op.getInput();
    } else {
      return operand;
    }
  }
}

/// An argument of the body, as it is or widened from bf16 to f32.
bool isArgument(Value value, Block *body, unsigned number) {
  if (auto widen = value.getDefiningOp<arith::ExtFOp>())
    value = widen.getIn();
  return value == body->getArgument(number) &&
         (value.getType().isBF16() || value.getType().isF32());
}

/// out + in0 * in1, multiplied and added in f32.
bool isF32MultiplyAdd(Block *body) {
  Value result = body->getTerminator()->getOperand(0);
  auto add = result.getDefiningOp<arith::AddFOp>();
  if (!add || !add.getType().isF32())
    return false;
  for (auto [sum, product] : {std::pair(add.getLhs(), add.getRhs()),
                              std::pair(add.getRhs(), add.getLhs())}) {
    auto multiply = product.getDefiningOp<arith::MulFOp>();
    if (sum != body->getArgument(2) || !multiply)
      continue;
    Value lhs = multiply.getLhs(), rhs = multiply.getRhs();
    return (isArgument(lhs, body, 0) && isArgument(rhs, body, 1)) ||
           (isArgument(lhs, body, 1) && isArgument(rhs, body, 0));
  }
  return false;
}

/// Filled with +0.0.
bool isZero(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    value = fill.getInputs()[0];
  return isPositiveZero(value);
}

/// Weights: codes and scales, or the same slice of each.
struct Weights {
  DequantizeOp dequantize;
  tensor::ExtractSliceOp slice;

  explicit operator bool() const { return static_cast<bool>(dequantize); }
  /// The codes or the scales of the slice, made if need be.
  Value part(OpBuilder &b, Value whole);
};

Weights findWeights(Value value) {
  Weights found;
  found.slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (found.slice) {
    value = found.slice.getSource();
    // Whole rows: blocks are not cut.
    if (!found.slice.hasUnitStride() ||
        getConstantIntValue(found.slice.getMixedOffsets().back()) != 0 ||
        getConstantIntValue(found.slice.getMixedSizes().back()) !=
            found.slice.getSourceType().getShape().back() ||
        found.slice.getDroppedDims().test(
            found.slice.getSourceType().getRank() - 1))
      return Weights();
  }
  found.dequantize = value.getDefiningOp<DequantizeOp>();
  return found;
}

Value Weights::part(OpBuilder &b, Value whole) {
  if (!slice)
    return whole;
  // The leading dimensions as the slice has them, all of the others.
  const int64_t leading = slice.getSourceType().getRank() - 1;
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(),
                            sizes = slice.getMixedSizes();
  offsets.pop_back();
  sizes.pop_back();
  SmallVector<int64_t> shape(slice.getType().getShape().drop_back());
  RankedTensorType type = tensorType(whole);
  for (int64_t extent : type.getShape().drop_front(leading)) {
    offsets.push_back(b.getIndexAttr(0));
    sizes.push_back(b.getIndexAttr(extent));
    shape.push_back(extent);
  }
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, slice.getLoc(), type.clone(shape),
                                        whole, offsets, sizes, strides);
}

/// What a contraction must be made of.
struct Match {
  Value activations;
  Weights weights;
};

/// [b, m, k] x [b, n, k] -> [b, m, n], or the same without b.
FailureOr<Match> matchContraction(linalg::LinalgOp op) {
  const unsigned loops = op.getNumLoops();
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 ||
      op.getNumDpsInits() != 1 || (loops != 3 && loops != 4) ||
      op.getNumReductionLoops() != 1 || !isF32MultiplyAdd(op.getBlock()) ||
      !isZero(op.getDpsInitOperand(0)->get()))
    return failure();
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (out.getNumResults() != loops - 1 ||
      !out.isProjectedPermutation(/*allowZeroInResults=*/false))
    return failure();
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  SmallVector<AffineExpr> xMap(out.getResults()), wMap(out.getResults());
  xMap.back() = wMap.back() = getAffineDimExpr(reductions[0], op.getContext());
  wMap[loops - 3] = out.getResult(loops - 2);
  for (unsigned w : {1, 0}) {
    auto operand = [&](unsigned i) {
      OpOperand *input = op.getDpsInputOperand(i);
      return lookThrough(input->get(), op.getMatchingIndexingMap(input));
    };
    Operand weights = operand(w), x = operand(1 - w);
    Weights found = findWeights(weights.value);
    if (found && weights.map == wMap && x.map == xMap &&
        tensorType(x.value).getElementType().isBF16())
      return Match{x.value, found};
  }
  return failure();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// G+1 offsets of groups of `rows` rows each.
Value equalOffsets(OpBuilder &b, Location loc, int64_t groups,
                   OpFoldResult rows) {
  auto type = RankedTensorType::get(groups + 1, b.getI32Type());
  if (std::optional<int64_t> size = getConstantIntValue(rows)) {
    SmallVector<int32_t> offsets;
    for (int64_t group = 0; group <= groups; ++group)
      offsets.push_back(group * *size);
    return arith::ConstantOp::create(b, loc,
                                     DenseIntElementsAttr::get(type, offsets));
  }
  auto body = [&](OpBuilder &b, Location loc, ValueRange at) {
    Value offset = arith::MulIOp::create(b, loc, at[0], cast<Value>(rows));
    Value narrow = arith::IndexCastOp::create(b, loc, b.getI32Type(), offset);
    tensor::YieldOp::create(b, loc, narrow);
  };
  return tensor::GenerateOp::create(b, loc, type, ValueRange(), body);
}

/// Without a batch dimension: one expert.
Value addExpert(OpBuilder &b, Location loc, Value value) {
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), 1);
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t dim = 2; dim <= type.getRank(); ++dim)
    groups.push_back({dim});
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), value,
                                       groups);
}

struct RaiseMatmul : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Match> match = matchContraction(op);
    if (failed(match))
      return rewriter.notifyMatchFailure(op, "not a matmul on MXFP4 weights");
    RankedTensorType type = tensorType(op->getResult(0));
    const bool batched = type.getRank() == 3;
    const int64_t experts = batched ? type.getDimSize(0) : 1,
                  rows = type.getDimSize(batched);
    // Offsets are i32, and there is one for each expert.
    if (ShapedType::isDynamic(experts) ||
        (!ShapedType::isDynamic(rows) && experts * rows > INT32_MAX))
      return rewriter.notifyMatchFailure(op, "offsets cannot be made");

    Location loc = op.getLoc();
    Weights weights = match->weights;
    Value x = match->activations,
          codes = weights.part(rewriter, weights.dequantize.getCodes()),
          scales = weights.part(rewriter, weights.dequantize.getScales());
    SmallVector<ReassociationIndices> merge = {{0, 1}, {2}};
    Value offsets =
        equalOffsets(rewriter, loc, experts,
                     tensor::getMixedSize(rewriter, loc, x, batched));
    if (batched) {
      x = tensor::CollapseShapeOp::create(rewriter, loc, x, merge);
    } else {
      codes = addExpert(rewriter, loc, codes);
      scales = addExpert(rewriter, loc, scales);
    }
    SmallVector<OpFoldResult> sizes = {
        tensor::getMixedSize(rewriter, loc, x, 0),
        tensor::getMixedSize(rewriter, loc, codes, 1)};
    Value init =
        tensor::EmptyOp::create(rewriter, loc, sizes, rewriter.getF32Type());
    Value y = GroupedMatmulOp::create(rewriter, loc, init.getType(), x,
                                      ValueRange{codes, scales}, offsets,
                                      /*expert_ids=*/Value(), init,
                                      /*error=*/Value(), /*workspace=*/Value(),
                                      ScheduleAttr())
                  .getResult(0);
    if (batched)
      y = tensor::ExpandShapeOp::create(
          rewriter, loc, type, y, merge,
          tensor::getMixedSizes(rewriter, loc, op.getDpsInits()[0]));
    if (y.getType() != type)
      y = tensor::CastOp::create(rewriter, loc, type, y);
    rewriter.replaceOp(op, y);
    return success();
  }
};

/// Rounds in the grouped matmul what is rounded behind it: `op` is the bf16
/// version of `wide`, element by element.
LogicalResult foldRounding(Operation *op, Value wide,
                           PatternRewriter &rewriter) {
  auto expand = wide.getDefiningOp<tensor::ExpandShapeOp>();
  Value source = expand ? expand.getSrc() : wide;
  auto matmul = source.getDefiningOp<GroupedMatmulOp>();
  if (!matmul || !source.hasOneUse() || !wide.hasOneUse() ||
      !tensorType(source).getElementType().isF32())
    return rewriter.notifyMatchFailure(op, "does not round a grouped matmul");
  Location loc = op->getLoc();
  rewriter.setInsertionPoint(matmul);
  Value init = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, matmul.getInit()),
      rewriter.getBF16Type());
  IRMapping mapping;
  mapping.map(matmul.getInit(), init);
  auto narrow = cast<GroupedMatmulOp>(rewriter.clone(*matmul, mapping));
  narrow->getResult(0).setType(cast<RankedTensorType>(init.getType()));
  Value result = narrow->getResult(0);
  if (expand) {
    rewriter.setInsertionPoint(expand);
    result = tensor::ExpandShapeOp::create(
        rewriter, loc, tensorType(wide).clone(rewriter.getBF16Type()), result,
        expand.getReassociationIndices(), expand.getMixedOutputShape());
  }
  rewriter.replaceOp(op, result);
  return success();
}

bool roundsToNearest(arith::TruncFOp op) {
  return !op.getRoundingmode() ||
         *op.getRoundingmode() == arith::RoundingMode::to_nearest_even;
}

struct FoldTruncF : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || !type.getElementType().isBF16() || !roundsToNearest(op))
      return rewriter.notifyMatchFailure(op, "not a rounding to bf16");
    return foldRounding(op, op.getIn(), rewriter);
  }
};

/// The same as a `linalg.generic`.
struct FoldGenericTruncF : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 1 ||
        op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
        llvm::any_of(op.getIndexingMapsArray(),
                     [](AffineMap map) { return !map.isIdentity(); }))
      return rewriter.notifyMatchFailure(op, "not elementwise");
    auto round = op.getBody()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<arith::TruncFOp>();
    if (!round || !round.getType().isBF16() || !roundsToNearest(round) ||
        round.getIn() != op.getBody()->getArgument(0))
      return rewriter.notifyMatchFailure(op, "not a rounding to bf16");
    return foldRounding(op, op.getInputs()[0], rewriter);
  }
};

struct RaisePass : mxfp4::impl::RaiseBase<RaisePass> {
  using RaiseBase::RaiseBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    RaiseBase::getDependentDialects(registry);
    // A program need not have registered the dialect of its results.
    registerExternalModels(registry);
  }

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateRaiseDequantizePatterns(patterns);
    populateRaiseRaggedPatterns(patterns, groupsCoverRows);
    patterns.add<RaiseMatmul, FoldTruncF, FoldGenericTruncF>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

bool mxfp4::isPositiveZero(Value value) {
  return matchPattern(value, m_PosZeroFloat());
}
