//===- GatherBlocks.cpp - Rows of weights that constants select -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs reverse or permute columns of the output, such as gate and up, by
// taking rows of the decoded weights in an order that is a constant of the
// program. Codes and scales are taken in that order instead, when weights are
// packed. Numbers that are known only when the program runs select whole
// experts (RaiseGather.cpp), because packing weights anew in each call would
// cost more than the matmul.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "MoveDecode.h"
#include "Raise.h"
#include "TensorType.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mxfp4;

/// Whether a value is computed from nothing but constants of the program. A
/// number bounds the work.
static bool isKnown(Value value) {
  constexpr size_t kMost = 256;
  SmallVector<Value> queue = {value};
  DenseSet<Value> seen;
  while (!queue.empty()) {
    Value next = queue.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    Operation *op = next.getDefiningOp();
    if (!op || seen.size() > kMost || !isMemoryEffectFree(op))
      return false;
    queue.append(op->operand_begin(), op->operand_end());
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    queue.append(captured.begin(), captured.end());
  }
  return true;
}

namespace {

/// A gather of rows of decoded weights, each whole along K.
class RowGather {
public:
  /// Whether constants select the rows, and not only the first dimension of
  /// them, which can be experts.
  bool match(linalg::GenericOp op);
  Value build(PatternRewriter &rewriter);

private:
  bool selectsExperts();
  bool findNumbers();
  Value take(PatternRewriter &rewriter, Value from, int64_t inner);

  linalg::GenericOp op;
  tensor::ExtractOp extract;
  DequantizeOp decode;
  /// What the body computes the numbers of a row with.
  SetVector<Operation *> numbers;
  SmallVector<OpOperand *> inputs;
  /// For each loop but K's, which is null, the dimension of the result.
  SmallVector<AffineExpr> dims;
};

} // namespace

bool RowGather::match(linalg::GenericOp generic) {
  op = generic;
  extract = gatherOf(op);
  decode = extract ? extract.getTensor().getDefiningOp<DequantizeOp>()
                   : DequantizeOp();
  if (!decode || !hasKnownBlocks(decode) ||
      !tensorType(op.getResult(0)).hasStaticShape())
    return false;
  AffineMap to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto k = extract.getIndices().back().getDefiningOp<linalg::IndexOp>();
  if (!to.isPermutation() || !k ||
      to.getDimPosition(to.getNumResults() - 1) != k.getDim() ||
      op.getStaticLoopRanges()[k.getDim()] !=
          tensorType(decode.getResult(0)).getShape().back())
    return false;
  dims.assign(op.getNumLoops(), AffineExpr());
  for (auto [dim, expr] : llvm::enumerate(to.getResults().drop_back()))
    dims[cast<AffineDimExpr>(expr).getPosition()] =
        getAffineDimExpr(dim, op.getContext());
  return !selectsExperts() && findNumbers();
}

/// Whether all but the first number are those of loops over whole dimensions.
bool RowGather::selectsExperts() {
  llvm::SmallBitVector used(op.getNumLoops());
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (auto [index, size] : llvm::zip_equal(
           extract.getIndices().drop_front(),
           tensorType(extract.getTensor()).getShape().drop_front())) {
    auto loop = index.getDefiningOp<linalg::IndexOp>();
    if (!loop || used.test(loop.getDim()) || extents[loop.getDim()] != size)
      return false;
    used.set(loop.getDim());
  }
  return true;
}

bool RowGather::findNumbers() {
  for (Value index : extract.getIndices().drop_back())
    numbers.insert_range(sliceInBody(op, index));
  SetVector<Value> read;
  for (Value index : extract.getIndices().drop_back())
    read.insert(index);
  for (Operation *inner : numbers) {
    auto loop = dyn_cast<linalg::IndexOp>(inner);
    if ((loop && !dims[loop.getDim()]) || inner->getNumRegions() != 0 ||
        !isMemoryEffectFree(inner))
      return false;
    read.insert_range(inner->getOperands());
  }
  for (Value value : read) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != op.getBody()) {
      if (value.getParentBlock() != op.getBody() && !isKnown(value))
        return false;
      continue;
    }
    OpOperand *operand = op.getMatchingOpOperand(argument);
    if (!op.isDpsInput(operand) || !isKnown(operand->get()))
      return false;
    for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        if (!dims[loop] && expr.isFunctionOfDim(loop))
          return false;
    inputs.push_back(operand);
  }
  return true;
}

/// The rows of codes or scales, whose last `inner` dimensions are K's.
Value RowGather::take(PatternRewriter &rewriter, Value from, int64_t inner) {
  RankedTensorType type = tensorType(from);
  SmallVector<int64_t> shape(
      tensorType(op.getResult(0)).getShape().drop_back());
  const unsigned rows = shape.size(), rank = rows + inner;
  llvm::append_range(shape, type.getShape().take_back(inner));
  Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), shape,
                                        type.getElementType());
  SmallVector<AffineExpr> moved(dims);
  for (AffineExpr &dim : moved)
    dim = dim ? dim : rewriter.getAffineConstantExpr(0);
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (OpOperand *input : inputs) {
    values.push_back(input->get());
    maps.push_back(op.getMatchingIndexingMap(input).replaceDimsAndSymbols(
        moved, {}, rank, 0));
  }
  maps.push_back(rewriter.getMultiDimIdentityMap(rank));
  const auto body = [&](OpBuilder &b, Location loc, ValueRange arguments) {
    IRMapping mapping;
    for (auto [input, argument] : llvm::zip(inputs, arguments))
      mapping.map(op.getMatchingBlockArgument(input), argument);
    const auto index = [&](unsigned dim) -> Value {
      return linalg::IndexOp::create(b, loc, dim);
    };
    for (Operation &each : op.getBody()->without_terminator()) {
      if (!numbers.contains(&each))
        continue;
      if (auto loop = dyn_cast<linalg::IndexOp>(each))
        mapping.map(
            loop.getResult(),
            index(cast<AffineDimExpr>(dims[loop.getDim()]).getPosition()));
      else
        b.clone(each, mapping);
    }
    SmallVector<Value> at;
    for (Value number : extract.getIndices().drop_back())
      at.push_back(mapping.lookupOrDefault(number));
    for (unsigned dim = rows; dim < rank; ++dim)
      at.push_back(index(dim));
    Value element = tensor::ExtractOp::create(b, loc, from, at);
    linalg::YieldOp::create(b, loc, element);
  };
  return linalg::GenericOp::create(rewriter, op.getLoc(), empty.getType(),
                                   values, empty, maps,
                                   SmallVector<utils::IteratorType>(
                                       rank, utils::IteratorType::parallel),
                                   body)
      .getResult(0);
}

Value RowGather::build(PatternRewriter &rewriter) {
  Value codes = take(rewriter, decode.getCodes(), 2),
        scales = take(rewriter, decode.getScales(), 1);
  RankedTensorType type = tensorType(op.getResult(0));
  Value init = tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(),
                                       type.getElementType());
  return DequantizeOp::create(rewriter, op.getLoc(), type, codes, scales, init,
                              decode.getPromisesAttr())
      .getResult(0);
}

namespace {

struct GatherBeforeDecode : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    RowGather gather;
    if (!gather.match(op))
      return rewriter.notifyMatchFailure(op, "no rows that constants select");
    rewriter.replaceOp(op, gather.build(rewriter));
    return success();
  }
};

} // namespace

void mxfp4::populateGatherBlocksPatterns(RewritePatternSet &patterns) {
  patterns.add<GatherBeforeDecode>(patterns.getContext());
}
