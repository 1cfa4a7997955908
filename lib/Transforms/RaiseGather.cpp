//===- RaiseGather.cpp - Weights that numbers select ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Brings gathers of decoded weights into the form that the normal form of an
// operand knows: numbers in a tensor, one for each slice. Programs compute the
// numbers in the same body, or copy them for each element.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "MoveDecode.h"
#include "Raise.h"
#include "TensorType.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mxfp4;

tensor::ExtractOp mxfp4::gatherOf(linalg::LinalgOp op) {
  if (!op || op->getNumResults() != 1 || !op.hasPureTensorSemantics() ||
      op.getNumReductionLoops() != 0)
    return {};
  auto extract = op.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<tensor::ExtractOp>();
  return extract && extract.getIndices().size() > 1 &&
                 extract->getBlock() == op.getBlock() &&
                 isDecoded(extract.getTensor())
             ? extract
             : tensor::ExtractOp();
}

namespace {

/// Computes the numbers in an operation of their own.
struct ComputeNumbers : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override;

private:
  /// The numbers for the iterations of `loops`, or null.
  static Value makeNumbers(linalg::GenericOp op, Value index,
                           ArrayRef<unsigned> loops, PatternRewriter &rewriter);
};

} // namespace

Value ComputeNumbers::makeNumbers(linalg::GenericOp op, Value index,
                                  ArrayRef<unsigned> loops,
                                  PatternRewriter &rewriter) {
  SmallVector<AffineExpr> dims(op.getNumLoops(), AffineExpr());
  for (auto [number, loop] : llvm::enumerate(loops))
    dims[loop] = rewriter.getAffineDimExpr(number);
  const SetVector<Operation *> slice = sliceInBody(op, index);
  for (Operation *inner : slice)
    if (auto loop = dyn_cast<linalg::IndexOp>(inner);
        (loop && !dims[loop.getDim()]) || inner->getNumRegions() != 0 ||
        llvm::is_contained(inner->getOperands(), op.getRegionOutputArgs()[0]))
      return {};
  SmallVector<AffineMap> maps;
  SmallVector<Value> inputs, read;
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    // torch.flip has the weights themselves as an input that it does not read.
    if (index != argument && llvm::none_of(slice, [&](Operation *inner) {
          return llvm::is_contained(inner->getOperands(), argument);
        }))
      continue;
    inputs.push_back(input->get());
    read.push_back(argument);
    AffineMap map = op.getMatchingIndexingMap(input);
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (!dims[loop] && map.isFunctionOfDim(loop))
        return {};
    SmallVector<AffineExpr> replaced(dims);
    for (AffineExpr &dim : replaced)
      dim = dim ? dim : rewriter.getAffineConstantExpr(0);
    maps.push_back(map.replaceDimsAndSymbols(replaced, {}, loops.size(), 0));
  }
  maps.push_back(rewriter.getMultiDimIdentityMap(loops.size()));
  SmallVector<int64_t> shape, extents = op.getStaticLoopRanges();
  for (unsigned loop : loops)
    shape.push_back(extents[loop]);
  if (ShapedType::isDynamicShape(shape))
    return {};
  Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), shape,
                                        rewriter.getI32Type());
  auto body = [&](OpBuilder &b, Location loc, ValueRange arguments) {
    IRMapping mapping;
    mapping.map(read, arguments.drop_back());
    for (Operation &inner : op.getBody()->without_terminator()) {
      if (!slice.contains(&inner))
        continue;
      auto loop = dyn_cast<linalg::IndexOp>(inner);
      if (!loop) {
        b.clone(inner, mapping);
        continue;
      }
      const unsigned at = llvm::find(loops, loop.getDim()) - loops.begin();
      mapping.map(loop.getResult(),
                  linalg::IndexOp::create(b, loc, at).getResult());
    }
    Value number = arith::IndexCastOp::create(b, loc, b.getI32Type(),
                                              mapping.lookupOrDefault(index));
    linalg::YieldOp::create(b, loc, number);
  };
  return linalg::GenericOp::create(
             rewriter, op.getLoc(), empty.getType(), inputs, empty, maps,
             SmallVector<utils::IteratorType>(loops.size(),
                                              utils::IteratorType::parallel),
             body)
      .getResult(0);
}

LogicalResult ComputeNumbers::matchAndRewrite(linalg::GenericOp op,
                                              PatternRewriter &rewriter) const {
  tensor::ExtractOp extract = gatherOf(op);
  if (!extract)
    return rewriter.notifyMatchFailure(op, "no gather of weights");
  Value index = extract.getIndices()[0];
  auto cast = index.getDefiningOp<arith::IndexCastOp>();
  auto numbersType =
      op.getNumDpsInputs() == 1
          ? dyn_cast<RankedTensorType>(op.getInputs().front().getType())
          : RankedTensorType();
  if (numbersType && cast && isa<BlockArgument>(cast.getIn()) &&
      isProjection(op.getIndexingMapsArray().front(), numbersType))
    return rewriter.notifyMatchFailure(op, "the numbers are in a tensor");
  llvm::SmallBitVector ofWeights(op.getNumLoops());
  for (Value other : extract.getIndices().drop_front()) {
    auto loop = other.getDefiningOp<linalg::IndexOp>();
    if (!loop)
      return rewriter.notifyMatchFailure(op, "no whole slices");
    ofWeights.set(loop.getDim());
  }
  SmallVector<unsigned> loops;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!ofWeights.test(loop))
      loops.push_back(loop);
  Value numbers = makeNumbers(op, index, loops, rewriter);
  if (!numbers)
    return rewriter.notifyMatchFailure(op, "a number for each element");
  SmallVector<AffineExpr> at;
  for (unsigned loop : loops)
    at.push_back(rewriter.getAffineDimExpr(loop));
  SmallVector<AffineMap> maps = {
      AffineMap::get(op.getNumLoops(), 0, at, op.getContext()),
      op.getMatchingIndexingMap(op.getDpsInitOperand(0))};
  auto body = [&](OpBuilder &b, Location loc, ValueRange arguments) {
    SmallVector<Value> indices = {
        arith::IndexCastOp::create(b, loc, b.getIndexType(), arguments[0])};
    for (Value other : extract.getIndices().drop_front())
      indices.push_back(linalg::IndexOp::create(
          b, loc, other.getDefiningOp<linalg::IndexOp>().getDim()));
    Value element =
        tensor::ExtractOp::create(b, loc, extract.getTensor(), indices);
    linalg::YieldOp::create(b, loc, element);
  };
  rewriter.replaceOpWithNewOp<linalg::GenericOp>(
      op, op.getResultTypes(), numbers, op.getOutputs(), maps,
      op.getIteratorTypesArray(), body);
  return success();
}

namespace {

/// Takes numbers from where they come from, if the tensor of a gather has each
/// of them several times, as torch.gather needs.
struct TakeNumbersOnce : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override;
};

/// Gathers no weights for nobody: torch-mlir checks numbers in the body of a
/// gather, which stays for the checks where a matmul has taken its place.
struct DropUnusedGather : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op->use_empty() || !gatherOf(op))
      return rewriter.notifyMatchFailure(op, "a gather that is used");
    rewriter.modifyOpInPlace(op.getBody()->getTerminator(), [&] {
      op.getBody()->getTerminator()->setOperand(0, op.getRegionOutputArgs()[0]);
    });
    return success();
  }
};

/// Gathers by one number in place of two, of a layer and an expert.
struct MergeNumbers : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override;
};

/// Decodes the weights of one layer, or in another shape, before numbers select
/// some of them.
struct DecodeBeforeGather : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    tensor::ExtractOp extract = gatherOf(op);
    Operation *move = extract ? extract.getTensor().getDefiningOp() : nullptr;
    if (!isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
            move) ||
        failed(decodeAfterMove(extract.getTensor(), rewriter)))
      return rewriter.notifyMatchFailure(op, "no gather of reshaped weights");
    return success();
  }
};

/// Takes a number out of the tensor that it was inserted into others with, as
/// JAX does with the starts of slices that it gathers.
struct ExtractInserted : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override;
};

} // namespace

LogicalResult
TakeNumbersOnce::matchAndRewrite(linalg::GenericOp op,
                                 PatternRewriter &rewriter) const {
  if (!gatherOf(op))
    return rewriter.notifyMatchFailure(op, "no gather of weights");
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto copy = input->get().getDefiningOp<linalg::LinalgOp>();
    if (!copy || copy.getNumDpsInputs() != 1 || copy->getNumResults() != 1 ||
        copy.getNumReductionLoops() != 0 || !copy.hasPureTensorSemantics())
      continue;
    OpOperand *from = copy.getDpsInputOperand(0);
    AffineMap to = copy.getMatchingIndexingMap(copy.getDpsInitOperand(0));
    if (!isa<RankedTensorType>(from->get().getType()) || !to.isPermutation() ||
        copy.getBlock()->getTerminator()->getOperand(0) !=
            copy.getMatchingBlockArgument(from))
      continue;
    const AffineMap map = copy.getMatchingIndexingMap(from)
                              .compose(inversePermutation(to))
                              .compose(op.getMatchingIndexingMap(input));
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    maps[input->getOperandNumber()] = map;
    // A loop may have its extent from the copies alone.
    if (!inversePermutation(concatAffineMaps(maps, op.getContext())))
      continue;
    rewriter.modifyOpInPlace(op, [&] {
      input->set(from->get());
      op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    });
    return success();
  }
  return rewriter.notifyMatchFailure(op, "the numbers are no copies");
}

LogicalResult MergeNumbers::matchAndRewrite(linalg::GenericOp op,
                                            PatternRewriter &rewriter) const {
  tensor::ExtractOp extract = gatherOf(op);
  if (!extract || extract.getIndices().size() < 4)
    return rewriter.notifyMatchFailure(op, "no gather of layers");
  const auto isLoop = [](Value index) {
    return bool(index.getDefiningOp<linalg::IndexOp>());
  };
  const OperandRange indices = extract.getIndices();
  RankedTensorType type = tensorType(extract.getTensor());
  if (isLoop(indices[1]) || !llvm::all_of(indices.drop_front(2), isLoop) ||
      !type.hasStaticShape())
    return rewriter.notifyMatchFailure(op, "no two numbers");
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t dim = 2; dim < type.getRank(); ++dim)
    groups.push_back({dim});
  Value merged = tensor::CollapseShapeOp::create(rewriter, op.getLoc(),
                                                 extract.getTensor(), groups);
  rewriter.setInsertionPoint(extract);
  Value size =
      arith::ConstantIndexOp::create(rewriter, op.getLoc(), type.getDimSize(1));
  Value first = arith::MulIOp::create(rewriter, op.getLoc(), indices[0], size);
  SmallVector<Value> at = {
      arith::AddIOp::create(rewriter, op.getLoc(), first, indices[1])};
  llvm::append_range(at, indices.drop_front(2));
  rewriter.replaceOpWithNewOp<tensor::ExtractOp>(extract, merged, at);
  return success();
}

LogicalResult
ExtractInserted::matchAndRewrite(tensor::ExtractOp op,
                                 PatternRewriter &rewriter) const {
  auto insert = op.getTensor().getDefiningOp<tensor::InsertSliceOp>();
  if (!insert || !op.getType().isIntOrIndex() || !insert.hasUnitStride() ||
      insert.getSourceType().getRank() != insert.getDestType().getRank())
    return rewriter.notifyMatchFailure(op, "no slice of numbers");
  bool isInside = true;
  SmallVector<std::optional<int64_t>> places(op.getIndices().size());
  for (auto [dim, value] : llvm::enumerate(op.getIndices())) {
    const int64_t offset = insert.getStaticOffsets()[dim],
                  size = insert.getStaticSizes()[dim];
    if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(size))
      return rewriter.notifyMatchFailure(op, "where is not known");
    if (offset == 0 && size == insert.getDestType().getDimSize(dim))
      continue;
    std::optional<int64_t> at = getConstantIntValue(value);
    if (!at)
      return rewriter.notifyMatchFailure(op, "which number is not known");
    isInside &= offset <= *at && *at < offset + size;
    places[dim] = *at - offset;
  }
  SmallVector<Value> indices(op.getIndices());
  if (isInside)
    for (auto [index, place] : llvm::zip_equal(indices, places))
      if (place)
        index = arith::ConstantIndexOp::create(rewriter, op.getLoc(), *place);
  rewriter.replaceOpWithNewOp<tensor::ExtractOp>(
      op, isInside ? insert.getSource() : insert.getDest(), indices);
  return success();
}

void mxfp4::populateRaiseGatherPatterns(RewritePatternSet &patterns) {
  patterns.add<ComputeNumbers, DecodeBeforeGather, DropUnusedGather,
               ExtractInserted, MergeNumbers, TakeNumbersOnce>(
      patterns.getContext());
}
